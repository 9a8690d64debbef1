/* Pointwise arithmetic, the multiply-add across a bundle and the modulus switch on AVX-512 IFMA, q < 2^50. */
#include "kernel/tables.h"
#include "kernel/x86/ifma.h"

typedef struct product { /* constants of the reduction of a product */
    gb_v8_mod m;
    __m512i one, c, c_q;  /* floor(2^52 / q); 2^52 mod q and its quotient */
    __m512i exact, shift; /* ceil(2^(51 + bits) / q), bits - 1 */
} product;

GB_INLINE product product_of(const gb_modulus *m) {
    const uint64_t one = m->ratio[1] >> 12, c = ((uint64_t)1 << 52) - one * m->q;
    return (product){.m = gb_v8_mod_of(m),
                     .one = gb_v8_set(one),
                     .c = gb_v8_set(c),
                     .c_q = gb_v8_set(gb_shoup_of(c, m) >> 12),
                     .exact = gb_v8_set(m->ratio52 + 1),
                     .shift = gb_v8_set(m->bits - 1)};
}

/* a b + more mod q in [0, 4q + more), with stray bits above bit 51. a b = high 2^52 + low: high c and low are reduced
 * by Shoup products with c and with 1, each short by less than 2 q, that share their quotient. */
GB_INLINE __m512i multiply(__m512i a, __m512i b, __m512i more, const product *p) {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i low = _mm512_madd52lo_epu64(zero, a, b), high = _mm512_madd52hi_epu64(zero, a, b);
    const __m512i h = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero, low, p->one), high, p->c_q);
    const __m512i r = _mm512_madd52lo_epu64(_mm512_add_epi64(low, more), high, p->c);
    return _mm512_madd52lo_epu64(r, h, p->m.minus_q);
}

/* The low 52 bits, below 5q -> reduced. For small q (below 2^45) the quotient is exact: ntt_ifma.c. */
GB_INLINE __m512i finish(__m512i r, const product *p, bool small) {
    if (small) {
        const __m512i h = _mm512_madd52hi_epu64(_mm512_setzero_si512(), r, p->exact);
        r = _mm512_madd52lo_epu64(r, _mm512_srlv_epi64(h, p->shift), p->m.minus_q);
        return _mm512_and_si512(r, p->m.mask);
    }
    return gb_v8_fold(gb_v8_fold(_mm512_and_si512(r, p->m.mask), p->m.q2), p->m.q);
}

GB_INLINE void mul_any(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m, bool small) {
    const product p = product_of(m);
    for (size_t i = 0; i < n; i += 8)
        gb_v8_store(out + i,
                    finish(multiply(gb_v8_load(a + i), gb_v8_load(b + i), _mm512_setzero_si512(), &p), &p, small));
}

static void mul(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m) {
    if (m->bits <= 45)
        mul_any(out, a, b, n, m, true);
    else
        mul_any(out, a, b, n, m, false);
}

/* 5q may be above 2^52 unless q is small: then the product is brought below 2q first. */
GB_INLINE void mul_add_any(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m,
                           bool small) {
    const product p = product_of(m);
    for (size_t i = 0; i < n; i += 8) {
        const __m512i x = gb_v8_load(a + i), y = gb_v8_load(b + i), z = gb_v8_load(out + i);
        __m512i r;
        if (small) {
            r = multiply(x, y, z, &p);
        } else {
            r = _mm512_and_si512(multiply(x, y, _mm512_setzero_si512(), &p), p.m.mask);
            r = _mm512_add_epi64(gb_v8_fold(r, p.m.q2), z); /* < 3q */
        }
        gb_v8_store(out + i, finish(r, &p, small));
    }
}

static void mul_add(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m) {
    if (m->bits <= 45)
        mul_add_any(out, a, b, n, m, true);
    else
        mul_add_any(out, a, b, n, m, false);
}

static void mul_scalar(uint64_t *out, const uint64_t *a, uint64_t s, size_t n, const gb_modulus *m) {
    const gb_v8_mod c = gb_v8_mod_of(m);
    const __m512i w = gb_v8_set(s), wq = gb_v8_set(gb_shoup_of(s, m) >> 12);
    for (size_t i = 0; i < n; i += 8) gb_v8_store(out + i, gb_v8_fold(gb_v8_shoup(gb_v8_load(a + i), w, wq, &c), c.q));
}

/* The sum of one column block in two 52-bit limbs, low and high. A negative weight is taken as |w| (2^52 - 1 - x),
 * which is w x + |w| (2^52 - 1): one exclusive or a vector, and one correction for all columns at the end. */
typedef struct mac_end {
    gb_v8_mod m;
    __m512i one_q;  /* floor(2^52 / q): x mod q by a Shoup product with 1 */
    __m512i c, c_q; /* 2^52 mod q with its quotient */
    __m512i less;   /* minus the correction, reduced */
} mac_end;

static mac_end mac_end_of(const int32_t *weight, size_t terms, const gb_modulus *m) {
    uint64_t negative = 0; /* sum of |w| over w < 0, at most 2^40 */
    for (size_t j = 0; j < terms; j++) negative += weight[j] < 0 ? (uint64_t) - (int64_t)weight[j] : 0;
    const uint64_t c = gb_reduce128((gb_u128)1 << 52, m);
    const uint64_t fix = gb_reduce128((gb_u128)negative * gb_mask64(52), m);
    return (mac_end){.m = gb_v8_mod_of(m),
                     .one_q = gb_v8_set(gb_shoup_of(1, m) >> 12),
                     .c = gb_v8_set(c),
                     .c_q = gb_v8_set(gb_shoup_of(c, m) >> 12),
                     .less = gb_v8_set(fix ? m->q - fix : 0)};
}

/* high 2^52 + low, high < 2^52, any low: reduced. */
GB_INLINE __m512i mac_reduce(__m512i low, __m512i high, const mac_end *e) {
    high = _mm512_add_epi64(high, _mm512_srli_epi64(low, 52));
    low = _mm512_and_si512(low, e->m.mask);
    __m512i r = gb_v8_shoup(high, e->c, e->c_q, &e->m);
    r = _mm512_add_epi64(r, gb_v8_shoup(low, gb_v8_set(1), e->one_q, &e->m));
    r = _mm512_add_epi64(r, e->less); /* < 5q */
    return gb_v8_fold(gb_v8_fold(gb_v8_fold(r, e->m.q4), e->m.q2), e->m.q);
}

#define MAC_RUN 4095 /* low limbs below 2^52 that 64 bits can sum beside one that is left from before */

GB_INLINE void mac_block(uint64_t *out, const uint64_t *lines, size_t stride, const uint32_t *index,
                         const int32_t *weight, size_t terms, unsigned vectors, const mac_end *e) {
    __m512i low[8], high[8];
#pragma GCC unroll 8
    for (unsigned v = 0; v < vectors; v++) low[v] = high[v] = _mm512_setzero_si512();
    for (size_t j0 = 0; j0 < terms; j0 += MAC_RUN) {
        const size_t end = gb_min_size(terms, j0 + MAC_RUN);
        for (size_t j = j0; j < end; j++) {
            const uint64_t *line = lines + index[j] * stride;
            const int64_t sign = (int64_t)weight[j] >> 63; /* |w| = (w ^ sign) - sign */
            const __m512i w = gb_v8_set((uint64_t)((weight[j] ^ sign) - sign));
            const __m512i flip = gb_v8_set((uint64_t)sign & gb_mask64(52));
#pragma GCC unroll 8
            for (unsigned v = 0; v < vectors; v++) {
                const __m512i x = _mm512_xor_si512(gb_v8_load(line + 8 * v), flip);
                low[v] = _mm512_madd52lo_epu64(low[v], x, w);
                high[v] = _mm512_madd52hi_epu64(high[v], x, w);
            }
        }
#pragma GCC unroll 8
        for (unsigned v = 0; v < vectors; v++) {
            high[v] = _mm512_add_epi64(high[v], _mm512_srli_epi64(low[v], 52));
            low[v] = _mm512_and_si512(low[v], e->m.mask);
        }
    }
#pragma GCC unroll 8
    for (unsigned v = 0; v < vectors; v++) gb_v8_store(out + 8 * v, mac_reduce(low[v], high[v], e));
}

static void mac_across(uint64_t *out, const uint64_t *lines, size_t stride, const uint32_t *index,
                       const int32_t *weight, size_t terms, size_t n, const gb_modulus *m) {
    const mac_end e = mac_end_of(weight, terms, m);
    size_t i = 0;
    for (; i + 64 <= n; i += 64) mac_block(out + i, lines + i, stride, index, weight, terms, 8, &e);
    for (; i < n; i += 8) mac_block(out + i, lines + i, stride, index, weight, terms, 1, &e);
}

/* High word of v * r for v < 2^52, by 32-bit halves: no partial sum reaches 2^64. */
GB_INLINE __m512i mulhi64(__m512i v, uint64_t r) {
    const __m512i low = gb_v8_set(gb_mask64(32)), r0 = gb_v8_set(r & gb_mask64(32)), r1 = gb_v8_set(r >> 32);
    const __m512i v1 = _mm512_srli_epi64(v, 32);
    const __m512i a = _mm512_add_epi64(_mm512_mul_epu32(v1, r0), _mm512_srli_epi64(_mm512_mul_epu32(v, r0), 32));
    const __m512i b = _mm512_add_epi64(_mm512_mul_epu32(v, r1), _mm512_and_si512(a, low));
    return _mm512_add_epi64(_mm512_mul_epu32(v1, r1),
                            _mm512_add_epi64(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32)));
}

static void switch_pow2(uint64_t *out, const uint64_t *const *in, const gb_modulus *m, const uint64_t *crt_inv,
                        const uint64_t *crt_inv64, unsigned limbs, unsigned k, size_t n) {
    const __m512i half = gb_v8_set((uint64_t)1 << (63 - k));
    const __m128i shift = _mm_cvtsi32_si128((int)(64 - k));
    for (size_t i = 0; i < n; i += 8) {
        const __mmask8 live = n - i >= 8 ? 0xff : (__mmask8)((1u << (n - i)) - 1);
        __m512i fraction = half;
        for (unsigned j = 0; j < limbs; j++) {
            const gb_v8_mod c = gb_v8_mod_of(&m[j]);
            const __m512i x = _mm512_maskz_loadu_epi64(live, in[j] + i);
            const __m512i v = gb_v8_fold(gb_v8_shoup(x, gb_v8_set(crt_inv[j]), gb_v8_set(crt_inv64[j] >> 12), &c), c.q);
            fraction = _mm512_add_epi64(fraction, _mm512_mullo_epi64(v, gb_v8_set(m[j].ratio[1])));
            fraction = _mm512_add_epi64(fraction, mulhi64(v, m[j].ratio[0]));
        }
        _mm512_mask_storeu_epi64(out + i, live, _mm512_srl_epi64(fraction, shift));
    }
}

void gb_kernels_fill_ifma_pointwise(gb_kernels *k) {
    k->mul = mul;
    k->mul_add = mul_add;
    k->mul_scalar = mul_scalar;
    k->mac_across = mac_across;
    k->switch_pow2 = switch_pow2;
}
