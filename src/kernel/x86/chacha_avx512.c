/* ChaCha20 on sixteen blocks at once, AVX-512. */
#include <immintrin.h>

#define W 16
#include "kernel/chacha.h"

#include "kernel/tables.h"

/* Rows of 16 words, one block a lane, to 16 blocks of 16 words: 4 x 4 transposes of words within the 128-bit quarters,
 * then of quarters. */
static inline __attribute__((always_inline)) void store_transposed(uint8_t *out, const gb_lanes x[16]) {
    __m512i r[16];
    for (unsigned g = 0; g < 4; g++) {
        const __m512i a = (__m512i)x[4 * g], b = (__m512i)x[4 * g + 1];
        const __m512i c = (__m512i)x[4 * g + 2], d = (__m512i)x[4 * g + 3];
        const __m512i ab0 = _mm512_unpacklo_epi32(a, b), ab1 = _mm512_unpackhi_epi32(a, b);
        const __m512i cd0 = _mm512_unpacklo_epi32(c, d), cd1 = _mm512_unpackhi_epi32(c, d);
        r[4 * g] = _mm512_unpacklo_epi64(ab0, cd0); /* words 4g.. of blocks 0, 4, 8, 12 by quarters */
        r[4 * g + 1] = _mm512_unpackhi_epi64(ab0, cd0);
        r[4 * g + 2] = _mm512_unpacklo_epi64(ab1, cd1);
        r[4 * g + 3] = _mm512_unpackhi_epi64(ab1, cd1);
    }
    for (unsigned i = 0; i < 4; i++) { /* blocks i, 4 + i, 8 + i, 12 + i */
        const __m512i lo0 = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x44),
                      hi0 = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xee);
        const __m512i lo1 = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x44);
        const __m512i hi1 = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xee);
        _mm512_storeu_si512(out + 64 * i, _mm512_shuffle_i32x4(lo0, lo1, 0x88));
        _mm512_storeu_si512(out + 64 * (4 + i), _mm512_shuffle_i32x4(lo0, lo1, 0xdd));
        _mm512_storeu_si512(out + 64 * (8 + i), _mm512_shuffle_i32x4(hi0, hi1, 0x88));
        _mm512_storeu_si512(out + 64 * (12 + i), _mm512_shuffle_i32x4(hi0, hi1, 0xdd));
    }
}

static void chacha16(uint8_t *out, const uint8_t key[32], uint64_t stream, const uint32_t *lane,
                     const uint32_t *counter) {
    gb_lanes x[16];
    uint32_t k[8];
    memcpy(k, key, sizeof k);
    gb_chacha_lanes(x, k, stream, lane, counter);
    store_transposed(out, x);
}

void gb_kernels_fill_avx512_chacha(gb_kernels *k) { k->chacha16 = chacha16; }
