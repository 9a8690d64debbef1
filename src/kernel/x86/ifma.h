/* kernel/x86/ifma: arithmetic on eight residues below 2^52 in a 512-bit register, for q < 2^50. Included only by files
 * compiled for AVX-512 IFMA. */
#ifndef GB_KERNEL_X86_IFMA_H
#define GB_KERNEL_X86_IFMA_H

#include <immintrin.h>

#include "kernel/arith.h"
#include "kernel/x86/inline.h"

typedef struct gb_v8_mod {
    __m512i q, q2, q4;
    __m512i minus_q; /* 2^52 - q: adds -h q modulo 2^52 in a low multiply-add */
    __m512i mask;    /* 2^52 - 1 */
} gb_v8_mod;

GB_INLINE __m512i gb_v8_set(uint64_t x) { return _mm512_set1_epi64((long long)x); }
GB_INLINE __m512i gb_v8_load(const void *p) { return _mm512_loadu_si512(p); }
GB_INLINE void gb_v8_store(void *p, __m512i x) { _mm512_storeu_si512(p, x); }

GB_INLINE gb_v8_mod gb_v8_mod_of(const gb_modulus *m) {
    const uint64_t mask = gb_mask64(52);
    return (gb_v8_mod){.q = gb_v8_set(m->q),
                       .q2 = gb_v8_set(2 * m->q),
                       .q4 = gb_v8_set(4 * m->q),
                       .minus_q = gb_v8_set((mask - m->q) + 1),
                       .mask = gb_v8_set(mask)};
}

/* x in [0, 2 bound) -> x mod bound: the difference wraps to a huge number exactly when x < bound. */
GB_INLINE __m512i gb_v8_fold(__m512i x, __m512i bound) { return _mm512_min_epu64(x, _mm512_sub_epi64(x, bound)); }

/* w y mod q in [0, 2q), plus 0 or 2^52. Only the low 52 bits of y count, any value. wq = floor(w 2^52 / q), w < q:
 * w y - floor(wq y / 2^52) q < q + q y / 2^52 < 2q. */
GB_INLINE __m512i gb_v8_shoup_dirty(__m512i y, __m512i w, __m512i wq, const gb_v8_mod *m) {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i h = _mm512_madd52hi_epu64(zero, y, wq);
    return _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(zero, y, w), h, m->minus_q);
}

/* The same, in [0, 2q). */
GB_INLINE __m512i gb_v8_shoup(__m512i y, __m512i w, __m512i wq, const gb_v8_mod *m) {
    return _mm512_and_si512(gb_v8_shoup_dirty(y, w, wq, m), m->mask);
}

#endif
