/* Plain C reference of kernel/extend.h: 128-bit sums (64 products below 2^122), one reduction each. */
#include "kernel/ref/extend.h"

#include "kernel/arith.h"

static void extend(uint64_t *out, const uint64_t *const *y, const uint64_t *w, size_t terms, size_t n,
                   const gb_modulus *p) {
    for (size_t k = 0; k < n; k++) {
        gb_u128 sum = 0;
        for (size_t i = 0; i < terms; i++) sum += (gb_u128)y[i][k] * w[i];
        out[k] = gb_reduce128(sum, p);
    }
}

static void inner2(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint64_t *const *b,
                   const uint64_t *const *a, size_t terms, size_t n, const gb_modulus *p) {
    for (size_t k = 0; k < n; k++) {
        gb_u128 s0 = 0, s1 = 0;
        for (size_t i = 0; i < terms; i++) {
            s0 += (gb_u128)x[i][k] * b[i][k];
            s1 += (gb_u128)x[i][k] * a[i][k];
        }
        out0[k] = gb_reduce128(s0, p);
        out1[k] = gb_reduce128(s1, p);
    }
}

static uint64_t word_of(const uint8_t *p, unsigned bytes) {
    uint32_t low, high; /* the first four bytes and the last: they may overlap, and agree there */
    memcpy(&low, p, sizeof low);
    memcpy(&high, p + bytes - sizeof high, sizeof high);
    return low | (uint64_t)high << 8 * (bytes - sizeof high);
}

static void inner2_bytes(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint8_t *const *b,
                         const uint8_t *const *a, unsigned bytes, size_t terms, size_t n, const gb_modulus *p) {
    for (size_t k = 0; k < n; k++) {
        gb_u128 s0 = 0, s1 = 0;
        for (size_t i = 0; i < terms; i++) {
            s0 += (gb_u128)x[i][k] * word_of(b[i] + k * bytes, bytes);
            s1 += (gb_u128)x[i][k] * word_of(a[i] + k * bytes, bytes);
        }
        out0[k] = gb_reduce128(s0, p);
        out1[k] = gb_reduce128(s1, p);
    }
}

static void sub_mul(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, size_t n, const gb_modulus *p) {
    uint64_t multiple = ((1ULL << 62) / p->q + 1) * p->q; /* >= 2^62 > b, so the difference is positive */
    for (size_t k = 0; k < n; k++) out[k] = gb_reduce128((gb_u128)(a[k] + multiple - b[k]) * s, p);
}

static void sub_mul_add(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, const uint64_t *c, size_t n,
                        const gb_modulus *p) {
    uint64_t multiple = ((1ULL << 62) / p->q + 1) * p->q;
    for (size_t k = 0; k < n; k++) out[k] = gb_reduce128((gb_u128)(a[k] + multiple - b[k]) * s + c[k], p);
}

static void scale_add(uint64_t *out, const uint64_t *a, uint64_t s, const uint64_t *c, size_t n, const gb_modulus *p) {
    for (size_t k = 0; k < n; k++) out[k] = gb_reduce128((gb_u128)a[k] * s + c[k], p);
}

static void tensor(uint64_t *d0, uint64_t *d1, uint64_t *d2, const uint64_t *a0, const uint64_t *a1, const uint64_t *b0,
                   const uint64_t *b1, size_t n, const gb_modulus *p) {
    for (size_t k = 0; k < n; k++) {
        uint64_t u0 = a0[k], u1 = a1[k], v0 = b0[k], v1 = b1[k];
        d0[k] = gb_reduce128((gb_u128)u0 * v0, p);
        d1[k] = gb_reduce128((gb_u128)u0 * v1 + (gb_u128)u1 * v0, p);
        d2[k] = gb_reduce128((gb_u128)u1 * v1, p);
    }
}

static void permute(uint64_t *out, const uint64_t *in, const uint32_t *index, size_t n) {
    for (size_t k = 0; k < n; k++) out[k] = in[index[k]];
}

static void quotient(uint64_t *out, const uint64_t *const *y, const double *inverse, size_t terms, size_t n) {
    for (size_t k = 0; k < n; k++) {
        double sum = 0;
        for (size_t i = 0; i < terms; i++) sum += (double)y[i][k] * inverse[i];
        out[k] = (uint64_t)(sum + 0.5);
    }
}

static void reduce(uint64_t *out, const uint64_t *x, size_t n, const gb_modulus *p) {
    for (size_t k = 0; k < n; k++) out[k] = gb_reduce128(x[k], p);
}

const gb_extend_kernels gb_extend_ref = {
    .name = "ref",
    .extend = extend,
    .extend_lazy = extend,
    .inner2 = inner2,
    .inner2_bytes = inner2_bytes,
    .sub_mul = sub_mul,
    .sub_mul_add = sub_mul_add,
    .scale_add = scale_add,
    .tensor = tensor,
    .permute = permute,
    .quotient = quotient,
    .reduce = reduce,
};
