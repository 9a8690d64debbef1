/* AVX2 and FMA variant of kernel/extend.h, for moduli below 2^50: residues as doubles (kernel/x86/fma.h).
 *
 * A product y w, y < 2^50 and w centred, is reduced with t = the whole number nearest to y fl(w fl(1/p)), which is
 * within 1/2 + 2^50 / 2 2^-52 = 5/8 of y w / p; a product of two residues with that nearest to h fl(1/p), within 3/4
 * (pointwise_avx2.c). Both are exact, so sums of such are as long as they stay below 4 p < 2^52: after a fold to
 * p/2 + 1, four more terms. */
#include "kernel/ref/extend.h"
#include "kernel/x86/fma.h"

#define FOLD 4

GB_INLINE __m256d multiply(__m256d a, __m256d b, const gb_d4_mod *m) {
    const __m256d h = _mm256_mul_pd(a, b), t = gb_d4_round_product(h, m->q_inv), l = _mm256_fmsub_pd(a, b, h);
    return _mm256_add_pd(_mm256_fnmadd_pd(t, m->q, h), l);
}

/* `vectors` vectors of an extension. */
GB_INLINE void extend_block(uint64_t *out, const uint64_t *const *y, size_t at, const double *w, size_t terms,
                            unsigned vectors, const gb_d4_mod *m) {
    __m256d sum[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
    for (size_t first = 0; first < terms; first += FOLD) {
        const size_t end = gb_min_size(terms, first + FOLD);
#pragma GCC unroll 2
        for (unsigned v = 0; first > 0 && v < vectors; v++) sum[v] = gb_d4_fold(sum[v], m);
        for (size_t i = first; i < end; i++) {
            const __m256d weight = _mm256_broadcast_sd(&w[i]), quotient = _mm256_mul_pd(weight, m->q_inv);
#pragma GCC unroll 2
            for (unsigned v = 0; v < vectors; v++)
                sum[v] = _mm256_add_pd(sum[v], gb_d4_mul(gb_d4_load(y[i] + at + 4 * v), weight, quotient, m));
        }
    }
#pragma GCC unroll 2
    for (unsigned v = 0; v < vectors; v++) gb_d4_store(out + at + 4 * v, sum[v], m);
}

static void extend(uint64_t *out, const uint64_t *const *y, const uint64_t *w, size_t terms, size_t n,
                   const gb_modulus *p) {
    const gb_d4_mod m = gb_d4_mod_of(p);
    double centred[GB_EXTEND_TERMS];
    for (size_t i = 0; i < terms; i++) centred[i] = gb_centred(w[i], p->q);
    for (size_t k = 0; k < n; k += 8) extend_block(out, y, k, centred, terms, 2, &m);
}

/* Four packed words of 4..8 bytes: two in the first 16 bytes, two in the last 16, so that nothing beyond is read. */
typedef struct packing {
    unsigned bytes;
    __m256i order;
} packing;

static packing packing_of(unsigned bytes) {
    uint8_t from[32];
    for (unsigned i = 0; i < 32; i++) {
        const unsigned start = i < 16 ? i / 8 * bytes : 16 - (4 - i / 8) * bytes;
        from[i] = i % 8 < bytes ? (uint8_t)(start + i % 8) : 0x80; /* 0x80: zero */
    }
    return (packing){bytes, _mm256_loadu_si256((const __m256i *)from)};
}

GB_INLINE __m256d load_packed(const uint8_t *row, size_t k, const packing *f) {
    const uint8_t *p = row + k * f->bytes;
    const __m128i low = _mm_loadu_si128((const __m128i *)p);
    const __m128i high = _mm_loadu_si128((const __m128i *)(p + 4 * f->bytes - 16));
    const __m256i bits = _mm256_set1_epi64x(0x4330000000000000);
    const __m256i x = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), f->order);
    return _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(x, bits)), _mm256_castsi256_pd(bits));
}

GB_INLINE void inner2_any(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint8_t *const *b,
                          const uint8_t *const *a, const packing *f, size_t terms, size_t n, const gb_modulus *p) {
    const gb_d4_mod m = gb_d4_mod_of(p);
    for (size_t k = 0; k < n; k += 4) {
        __m256d s0 = _mm256_setzero_pd(), s1 = s0;
        for (size_t first = 0; first < terms; first += FOLD) {
            const size_t end = gb_min_size(terms, first + FOLD);
            if (first > 0) {
                s0 = gb_d4_fold(s0, &m);
                s1 = gb_d4_fold(s1, &m);
            }
            for (size_t i = first; i < end; i++) {
                const __m256d y = gb_d4_load(x[i] + k);
                const __m256d v = f ? load_packed(b[i], k, f) : gb_d4_load((const uint64_t *)b[i] + k);
                const __m256d u = f ? load_packed(a[i], k, f) : gb_d4_load((const uint64_t *)a[i] + k);
                s0 = _mm256_add_pd(s0, multiply(y, v, &m));
                s1 = _mm256_add_pd(s1, multiply(y, u, &m));
            }
        }
        gb_d4_store(out0 + k, s0, &m);
        gb_d4_store(out1 + k, s1, &m);
    }
}

static void inner2(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint64_t *const *b,
                   const uint64_t *const *a, size_t terms, size_t n, const gb_modulus *p) {
    inner2_any(out0, out1, x, (const uint8_t *const *)b, (const uint8_t *const *)a, NULL, terms, n, p);
}

static void inner2_bytes(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint8_t *const *b,
                         const uint8_t *const *a, unsigned bytes, size_t terms, size_t n, const gb_modulus *p) {
    const packing f = packing_of(bytes);
    inner2_any(out0, out1, x, b, a, &f, terms, n, p);
}

/* |a - b| < 2^50, as an extended row's y. */
static void sub_mul(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, size_t n, const gb_modulus *p) {
    const gb_d4_mod m = gb_d4_mod_of(p);
    const __m256d w = _mm256_set1_pd(gb_centred(s, p->q)), wq = _mm256_mul_pd(w, m.q_inv);
    for (size_t k = 0; k < n; k += 4)
        gb_d4_store(out + k, gb_d4_mul(_mm256_sub_pd(gb_d4_load(a + k), gb_d4_load(b + k)), w, wq, &m), &m);
}

static void sub_mul_add(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, const uint64_t *c, size_t n,
                        const gb_modulus *p) {
    const gb_d4_mod m = gb_d4_mod_of(p);
    const __m256d w = _mm256_set1_pd(gb_centred(s, p->q)), wq = _mm256_mul_pd(w, m.q_inv);
    for (size_t k = 0; k < n; k += 4) {
        const __m256d d = _mm256_sub_pd(gb_d4_load(a + k), gb_d4_load(b + k));
        gb_d4_store(out + k, _mm256_add_pd(gb_d4_mul(d, w, wq, &m), gb_d4_load(c + k)), &m);
    }
}

static void scale_add(uint64_t *out, const uint64_t *a, uint64_t s, const uint64_t *c, size_t n, const gb_modulus *p) {
    const gb_d4_mod m = gb_d4_mod_of(p);
    const __m256d w = _mm256_set1_pd(gb_centred(s, p->q)), wq = _mm256_mul_pd(w, m.q_inv);
    for (size_t k = 0; k < n; k += 4)
        gb_d4_store(out + k, _mm256_add_pd(gb_d4_mul(gb_d4_load(a + k), w, wq, &m), gb_d4_load(c + k)), &m);
}

static void tensor(uint64_t *d0, uint64_t *d1, uint64_t *d2, const uint64_t *a0, const uint64_t *a1, const uint64_t *b0,
                   const uint64_t *b1, size_t n, const gb_modulus *p) {
    const gb_d4_mod m = gb_d4_mod_of(p);
    for (size_t k = 0; k < n; k += 4) {
        const __m256d u0 = gb_d4_load(a0 + k), u1 = gb_d4_load(a1 + k);
        const __m256d v0 = gb_d4_load(b0 + k), v1 = gb_d4_load(b1 + k);
        gb_d4_store(d0 + k, multiply(u0, v0, &m), &m);
        gb_d4_store(d1 + k, _mm256_add_pd(multiply(u0, v1, &m), multiply(u1, v0, &m)), &m);
        gb_d4_store(d2 + k, multiply(u1, v1, &m), &m);
    }
}

/* The floor of a sum below 2^52, as a word: product and sum are rounded apart, as in the reference. */
static void quotient(uint64_t *out, const uint64_t *const *y, const double *inverse, size_t terms, size_t n) {
    const __m256d half = _mm256_set1_pd(0.5), bits = _mm256_set1_pd(0x1p52);
    for (size_t k = 0; k < n; k += 4) {
        __m256d sum = _mm256_setzero_pd();
        for (size_t i = 0; i < terms; i++)
            sum = _mm256_add_pd(sum, _mm256_mul_pd(gb_d4_load(y[i] + k), _mm256_broadcast_sd(&inverse[i])));
        const __m256d whole = _mm256_floor_pd(_mm256_add_pd(sum, half));
        _mm256_storeu_pd((double *)(out + k), _mm256_xor_pd(_mm256_add_pd(whole, bits), bits));
    }
}

static void reduce(uint64_t *out, const uint64_t *x, size_t n, const gb_modulus *p) {
    const gb_d4_mod m = gb_d4_mod_of(p);
    for (size_t k = 0; k < n; k += 4) gb_d4_store(out + k, gb_d4_load(x + k), &m);
}

static void permute(uint64_t *out, const uint64_t *in, const uint32_t *index, size_t n) {
    for (size_t k = 0; k < n; k++) out[k] = in[index[k]];
}

const gb_extend_kernels gb_extend_avx2 = {
    .name = "avx2",
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
