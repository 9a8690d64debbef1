/* kernel/x86/fma: exact arithmetic on four residues held as doubles, for q < 2^50, by fused multiply-add. Included only
 * by files compiled for AVX2 and FMA.
 *
 * Residues are whole numbers of either sign; "c" is a bound in units of q, |x| <= c q. Every operation below is exact
 * (each result is a whole number below 2^53), so the rounding of the quotient chooses the representative but never the
 * residue, and reduced results are the same as with integers. Rounding mode: to nearest, the default.
 *
 * Product y w mod q, |w| < q/2, c < 4: h = fl(y w); l = y w - h, exact by FMA; t = the whole number nearest to y w'
 * with w' = fl(w fl(1/q)), so |t - y w/q| <= 1/2 + |y| |w/q| 2^-52 <= 1/2 + c/8 (|y| 2^-52 <= c/4 because q < 2^50);
 * then h - t q and h - t q + l are whole and below 2^51, hence exact, and the result has c' <= 1/2 + c/8. t is found by
 * adding 1.5 2^52, which asks |y w'| < 2^51: c < 4. Source of the method: van der Hoeven, Lecerf, Quintin, "Modular
 * SIMD arithmetic in Mathemagix" (2016), section 3. */
#ifndef GB_KERNEL_X86_FMA_H
#define GB_KERNEL_X86_FMA_H

#include <immintrin.h>

#include "kernel/arith.h"
#include "kernel/x86/inline.h"

typedef struct gb_d4_mod {
    __m256d q, q_inv; /* q_inv = fl(1 / q) */
} gb_d4_mod;

GB_INLINE gb_d4_mod gb_d4_mod_of(const gb_modulus *m) {
    return (gb_d4_mod){.q = _mm256_set1_pd((double)m->q), .q_inv = _mm256_set1_pd(1.0 / (double)m->q)};
}

/* The whole number nearest to a b, |a b| < 2^51. */
GB_INLINE __m256d gb_d4_round_product(__m256d a, __m256d b) {
    const __m256d magic = _mm256_set1_pd(0x1.8p52);
    return _mm256_sub_pd(_mm256_fmadd_pd(a, b, magic), magic);
}

/* c < 4 -> |x| <= q/2 + 1. */
GB_INLINE __m256d gb_d4_fold(__m256d x, const gb_d4_mod *m) {
    return _mm256_fnmadd_pd(gb_d4_round_product(x, m->q_inv), m->q, x);
}

/* y w mod q; wq = fl(w q_inv). */
GB_INLINE __m256d gb_d4_mul(__m256d y, __m256d w, __m256d wq, const gb_d4_mod *m) {
    const __m256d h = _mm256_mul_pd(y, w);
    const __m256d t = gb_d4_round_product(y, wq);
    const __m256d l = _mm256_fmsub_pd(y, w, h);
    return _mm256_add_pd(_mm256_fnmadd_pd(t, m->q, h), l);
}

/* Words below 2^52 <-> doubles: the bits of 2^52 + x are those of 2^52 with x in the fraction. */
GB_INLINE __m256d gb_d4_load(const uint64_t *p) {
    const __m256i bits = _mm256_set1_epi64x(0x4330000000000000);
    const __m256i x = _mm256_or_si256(_mm256_loadu_si256((const __m256i *)p), bits);
    return _mm256_sub_pd(_mm256_castsi256_pd(x), _mm256_castsi256_pd(bits));
}

/* c < 4 -> reduced words. */
GB_INLINE void gb_d4_store(uint64_t *p, __m256d x, const gb_d4_mod *m) {
    const __m256d bits = _mm256_castsi256_pd(_mm256_set1_epi64x(0x4330000000000000));
    __m256d r = gb_d4_fold(x, m);
    r = _mm256_add_pd(r, _mm256_and_pd(_mm256_cmp_pd(r, _mm256_setzero_pd(), _CMP_LT_OQ), m->q));
    r = _mm256_xor_pd(_mm256_add_pd(r, bits), bits);
    _mm256_storeu_si256((__m256i *)p, _mm256_castpd_si256(r));
}

#endif
