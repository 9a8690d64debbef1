/* Bit packing and rejection sampling on AVX-512 VBMI2. Any modulus. */
#include <immintrin.h>

#include "kernel/arith.h"
#include "kernel/tables.h"

/* Eight words of b bits are exactly b bytes. A byte permutation brings the bytes of each word to its lane, or back; a
 * shift of 0..7 does the rest. A lane holds b + 7 bits, so b <= 57; words of 8 bits or more share a byte with their
 * neighbours only, so even and odd lanes are placed apart and joined. Other widths go to C. */
#define PACK_LEAST 8
#define PACK_MOST 57

static void pack(uint8_t *packed, const uint64_t *x, size_t n, unsigned bits) {
    const size_t groups = n / 8;
    if (bits < PACK_LEAST || bits > PACK_MOST) {
        gb_ref_pack(packed, x, n, bits);
        return;
    }
    uint8_t from[2][64] = {{0}};
    uint64_t shift[8];
    __mmask64 used[2] = {0, 0};
    for (unsigned lane = 0; lane < 8; lane++) {
        const unsigned first = lane * bits / 8, last = (lane * bits + bits - 1) / 8;
        shift[lane] = lane * bits % 8;
        for (unsigned b = first; b <= last; b++) {
            from[lane % 2][b] = (uint8_t)(8 * lane + (b - first));
            used[lane % 2] |= (__mmask64)1 << b;
        }
    }
    const __m512i even = _mm512_loadu_si512(from[0]), odd = _mm512_loadu_si512(from[1]);
    const __m512i left = _mm512_loadu_si512(shift), mask = _mm512_set1_epi64((long long)gb_mask64(bits));
    const __mmask64 bytes = gb_mask64(bits);
    for (size_t g = 0; g < groups; g++) {
        __m512i v = _mm512_and_si512(_mm512_loadu_si512(x + 8 * g), mask);
        v = _mm512_sllv_epi64(v, left);
        v = _mm512_or_si512(_mm512_maskz_permutexvar_epi8(used[0], even, v),
                            _mm512_maskz_permutexvar_epi8(used[1], odd, v));
        _mm512_mask_storeu_epi8(packed + g * bits, bytes, v);
    }
    gb_ref_pack(packed + groups * bits, x + 8 * groups, n % 8, bits);
}

static size_t unpack(uint64_t *x, const uint8_t *packed, size_t n, unsigned bits, uint64_t bound) {
    const size_t groups = n / 8;
    if (bits > PACK_MOST) return gb_ref_unpack(x, packed, n, bits, bound);
    uint8_t from[64];
    uint64_t shift[8];
    for (unsigned lane = 0; lane < 8; lane++) {
        shift[lane] = lane * bits % 8;
        for (unsigned b = 0; b < 8; b++) from[8 * lane + b] = (uint8_t)(lane * bits / 8 + b) & 63;
    }
    const __m512i order = _mm512_loadu_si512(from), right = _mm512_loadu_si512(shift);
    const __m512i mask = _mm512_set1_epi64((long long)gb_mask64(bits));
    const __m512i limit = _mm512_set1_epi64((long long)(bound ? bound : UINT64_MAX));
    const __mmask64 bytes = gb_mask64(bits);
    size_t over = 0;
    for (size_t g = 0; g < groups; g++) {
        __m512i v = _mm512_maskz_loadu_epi8(bytes, packed + g * bits);
        v = _mm512_and_si512(_mm512_srlv_epi64(_mm512_permutexvar_epi8(order, v), right), mask);
        over += (size_t)__builtin_popcount(_mm512_cmpge_epu64_mask(v, limit));
        _mm512_storeu_si512(x + 8 * g, v);
    }
    return over + gb_ref_unpack(x + 8 * groups, packed + groups * bits, n % 8, bits, bound);
}

static size_t uniform(uint64_t *out, size_t n, const uint64_t *stream, size_t words, const gb_modulus *m) {
    const __m512i mask = _mm512_set1_epi64((long long)gb_mask64(m->bits)), q = _mm512_set1_epi64((long long)m->q);
    size_t made = 0, i = 0;
    for (; i + 8 <= words && made + 8 <= n; i += 8) { /* a whole vector is stored, so that it must fit */
        const __m512i v = _mm512_and_si512(_mm512_loadu_si512(stream + i), mask);
        const __mmask8 keep = _mm512_cmplt_epu64_mask(v, q);
        _mm512_storeu_si512(out + made, _mm512_maskz_compress_epi64(keep, v));
        made += (size_t)__builtin_popcount(keep);
    }
    return made + gb_ref_uniform(out + made, n - made, stream + i, words - i, m);
}

void gb_kernels_fill_avx512_bits(gb_kernels *k) {
    k->pack = pack;
    k->unpack = unpack;
    k->uniform = uniform;
}
