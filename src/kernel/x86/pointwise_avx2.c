/* Pointwise products on AVX2 and FMA (q < 2^50) and the multiply-add across a bundle on AVX2 (any modulus). */
#include "kernel/tables.h"
#include "kernel/x86/fma.h"

/* a b mod q for any a, b in [0, q): h + l = a b exactly, t = the whole number nearest to h fl(1/q), which is within 1/2
 * + (2^50 2^-52 = 1/4) of a b / q: |result| < q. t is below 2^50. */
GB_INLINE __m256d multiply(__m256d a, __m256d b, const gb_d4_mod *m) {
    const __m256d h = _mm256_mul_pd(a, b), t = gb_d4_round_product(h, m->q_inv), l = _mm256_fmsub_pd(a, b, h);
    return _mm256_add_pd(_mm256_fnmadd_pd(t, m->q, h), l);
}

static void mul(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m) {
    const gb_d4_mod c = gb_d4_mod_of(m);
    for (size_t i = 0; i < n; i += 4) gb_d4_store(out + i, multiply(gb_d4_load(a + i), gb_d4_load(b + i), &c), &c);
}

static void mul_add(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m) {
    const gb_d4_mod c = gb_d4_mod_of(m);
    for (size_t i = 0; i < n; i += 4) {
        const __m256d p = multiply(gb_d4_load(a + i), gb_d4_load(b + i), &c);
        gb_d4_store(out + i, _mm256_add_pd(gb_d4_load(out + i), p), &c);
    }
}

static void mul_scalar(uint64_t *out, const uint64_t *a, uint64_t s, size_t n, const gb_modulus *m) {
    const gb_d4_mod c = gb_d4_mod_of(m);
    const __m256d w = _mm256_set1_pd(gb_centred(s, m->q)), wq = _mm256_mul_pd(w, c.q_inv);
    for (size_t i = 0; i < n; i += 4) gb_d4_store(out + i, gb_d4_mul(gb_d4_load(a + i), w, wq, &c), &c);
}

/* Lines are cut at bit 31: both parts of a word below 2^61 are below 2^31, times |w| <= 2^20 below 2^51, so that 4096
 * terms stay below 2^63; then the sums move to 128 bits. */
#define MAC_RUN 4096

GB_INLINE void mac_block(uint64_t *out, const uint64_t *lines, size_t stride, const uint32_t *index,
                         const int32_t *weight, size_t terms, unsigned vectors, const gb_modulus *m) {
    const __m256i cut = _mm256_set1_epi64x(0x7fffffff);
    gb_i128 total[16] = {0};
    for (size_t j0 = 0; j0 < terms; j0 += MAC_RUN) {
        const size_t end = gb_min_size(terms, j0 + MAC_RUN);
        __m256i low[4], high[4];
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++) low[v] = high[v] = _mm256_setzero_si256();
        for (size_t j = j0; j < end; j++) {
            const __m256i *line = (const __m256i *)(lines + index[j] * stride);
            const __m256i w = _mm256_set1_epi64x(weight[j]);
#pragma GCC unroll 4
            for (unsigned v = 0; v < vectors; v++) {
                const __m256i x = _mm256_loadu_si256(line + v);
                low[v] = _mm256_add_epi64(low[v], _mm256_mul_epi32(_mm256_and_si256(x, cut), w));
                high[v] = _mm256_add_epi64(high[v], _mm256_mul_epi32(_mm256_srli_epi64(x, 31), w));
            }
        }
        for (unsigned v = 0; v < vectors; v++) {
            int64_t l[4], h[4];
            _mm256_storeu_si256((__m256i *)l, low[v]);
            _mm256_storeu_si256((__m256i *)h, high[v]);
            for (unsigned i = 0; i < 4; i++) total[4 * v + i] += (gb_i128)h[i] * ((gb_i128)1 << 31) + l[i];
        }
    }
    for (unsigned i = 0; i < 4 * vectors; i++) out[i] = gb_reduce_signed128(total[i], m);
}

static void mac_across(uint64_t *out, const uint64_t *lines, size_t stride, const uint32_t *index,
                       const int32_t *weight, size_t terms, size_t n, const gb_modulus *m) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) mac_block(out + i, lines + i, stride, index, weight, terms, 4, m);
    for (; i < n; i += 8) mac_block(out + i, lines + i, stride, index, weight, terms, 2, m);
}

void gb_kernels_fill_avx2_wide(gb_kernels *k) { k->mac_across = mac_across; }

void gb_kernels_fill_avx2_pointwise(gb_kernels *k) {
    k->mul = mul;
    k->mul_add = mul_add;
    k->mul_scalar = mul_scalar;
}
