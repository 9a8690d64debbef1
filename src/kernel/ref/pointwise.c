/* Reference pointwise arithmetic and the multiply-add across a bundle. */
#include "kernel/arith.h"
#include "kernel/tables.h"

static void mul(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m) {
    const uint64_t mu = gb_barrett(m);
    for (size_t i = 0; i < n; i++) out[i] = gb_reduce_product((gb_u128)a[i] * b[i], mu, m);
}

static void mul_add(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m) {
    const uint64_t mu = gb_barrett(m);
    for (size_t i = 0; i < n; i++) out[i] = gb_fold(out[i] + gb_reduce_product((gb_u128)a[i] * b[i], mu, m), m->q);
}

static void mul_scalar(uint64_t *out, const uint64_t *a, uint64_t s, size_t n, const gb_modulus *m) {
    const uint64_t sq = gb_shoup_of(s, m);
    for (size_t i = 0; i < n; i++) out[i] = gb_fold(gb_shoup_lazy(a[i], s, sq, m->q), m->q);
}

/* Terms outside, a block of columns inside: the sums stay in L1 and |sum| <= 2^20 2^20 2^61 fits 128 bits. */
static void mac_across(uint64_t *out, const uint64_t *lines, size_t stride, const uint32_t *index,
                       const int32_t *weight, size_t terms, size_t n, const gb_modulus *m) {
    enum { BLOCK = 64 };
    for (size_t i0 = 0; i0 < n; i0 += BLOCK) {
        const size_t width = gb_min_size(BLOCK, n - i0);
        gb_i128 sum[BLOCK] = {0};
        for (size_t j = 0; j < terms; j++) {
            const uint64_t *line = lines + index[j] * stride + i0;
            for (size_t i = 0; i < width; i++) sum[i] += (gb_i128)weight[j] * (gb_i128)line[i];
        }
        for (size_t i = 0; i < width; i++) out[i0 + i] = gb_reduce_signed128(sum[i], m);
    }
}

void gb_kernels_fill_ref_pointwise(gb_kernels *k) {
    k->mul = mul;
    k->mul_add = mul_add;
    k->mul_scalar = mul_scalar;
    k->mac_across = mac_across;
}
