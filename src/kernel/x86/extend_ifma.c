/* AVX-512 IFMA variant of kernel/extend.h, for moduli below 2^50.
 *
 * Products are summed as two words, low and high 52 bits apart: sum = hi 2^52 + lo. With q < 2^50 every high half is
 * below 2^48, so 15 products and a carry keep hi below 2^52, and lo, with what was folded before, is at most 2^56;
 * longer sums are folded every 15 terms.
 *
 * As in ntt_ifma.c a residue on its way is the low 52 bits of a word, and stray bits above are cleared last; `small` is
 * q < 2^45. Lazy words of ntt_forward_lazy (below 70 q when small, reduced otherwise) do as well where the multiplier
 * takes them: 70 2^45 2^45 / 2^52 < 2^45. */
#include <immintrin.h>

#include "kernel/arith.h"
#include "kernel/ref/extend.h"
#include "kernel/x86/inline.h"

typedef __m512i v8;
#define FOLD 15

typedef struct constants {
    v8 q, q2, minus_q, mask; /* q, 2q, 2^52 - q, 2^52 - 1 */
    v8 c, c52;               /* 2^52 mod q and floor((2^52 mod q) 2^52 / q) */
    v8 one52;                /* floor(2^52 / q) */
    v8 exact, shift;         /* ceil(2^(51 + bits) / q), bits - 1 */
} constants;

/* floor(w 2^52 / q), w < q. */
static inline uint64_t quotient52(uint64_t w, const gb_modulus *m) { return gb_shoup_of(w, m) >> 12; }

static inline v8 set(uint64_t x) { return _mm512_set1_epi64((long long)x); }
static inline v8 zero(void) { return _mm512_setzero_si512(); }
static inline v8 load(const uint64_t *p) { return _mm512_load_si512((const void *)p); }
static inline void store(uint64_t *p, v8 x) { _mm512_store_si512((void *)p, x); }

static inline constants constants_of(const gb_modulus *m) {
    const uint64_t q = m->q, top = 1ULL << 52, one = m->ratio[1] >> 12 /* floor(2^52 / q) */, c = top - one * q;
    return (constants){.q = set(q),
                       .q2 = set(2 * q),
                       .minus_q = set(top - q),
                       .mask = set(top - 1),
                       .c = set(c),
                       .c52 = set(quotient52(c, m)),
                       .one52 = set(one),
                       .exact = set(m->ratio52 + 1),
                       .shift = set(m->bits - 1)};
}

static inline bool is_small(const gb_modulus *m) { return m->bits <= 45; }

/* [0, 2q) with stray bits -> [0, q) */
GB_INLINE v8 correct2(v8 x, const constants *k) {
    x = _mm512_and_si512(x, k->mask);
    return _mm512_min_epu64(x, _mm512_sub_epi64(x, k->q));
}

/* [0, 4q), when small any value below 2^51, with stray bits -> [0, q). The quotient of a small one is exact
 * (ntt_ifma.c). */
GB_INLINE v8 correct4(v8 x, const constants *k, bool small) {
    if (small) {
        const v8 h = _mm512_srlv_epi64(_mm512_madd52hi_epu64(zero(), x, k->exact), k->shift);
        return _mm512_and_si512(_mm512_madd52lo_epu64(x, h, k->minus_q), k->mask);
    }
    x = _mm512_and_si512(x, k->mask);
    x = _mm512_min_epu64(x, _mm512_sub_epi64(x, k->q2));
    return _mm512_min_epu64(x, _mm512_sub_epi64(x, k->q));
}

/* sum + x w mod q, in [sum, sum + 2q) with stray bits, x < 2^52, w reduced with its quotient w52 (Shoup). */
GB_INLINE v8 mul_lazy(v8 sum, v8 x, v8 w, v8 w52, const constants *k) {
    const v8 h = _mm512_madd52hi_epu64(zero(), x, w52);
    return _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(sum, x, w), h, k->minus_q);
}

/* x mod q in [0, 2q) with stray bits, x < 2^52. */
GB_INLINE v8 reduce_lazy(v8 x, const constants *k) {
    return _mm512_madd52lo_epu64(x, _mm512_madd52hi_epu64(zero(), x, k->one52), k->minus_q);
}

/* hi 2^52 + lo mod q in [0, 4q) with stray bits; hi + (lo >> 52) < 2^52. The two products of mul_lazy and reduce_lazy
 * share their quotient. */
GB_INLINE v8 fold_lazy(v8 lo, v8 hi, const constants *k) {
    hi = _mm512_add_epi64(hi, _mm512_srli_epi64(lo, 52));
    const v8 h = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero(), lo, k->one52), hi, k->c52);
    return _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(lo, hi, k->c), h, k->minus_q);
}

typedef struct sum {
    v8 lo, hi;
} sum;

GB_INLINE void sum_add(sum *s, v8 x, v8 y) {
    s->lo = _mm512_madd52lo_epu64(s->lo, x, y);
    s->hi = _mm512_madd52hi_epu64(s->hi, x, y);
}

/* Room for FOLD more products. */
GB_INLINE void sum_fold(sum *s, const constants *k) {
    s->lo = _mm512_and_si512(fold_lazy(s->lo, s->hi, k), k->mask);
    s->hi = zero();
}

GB_INLINE v8 sum_end(const sum *s, const constants *k, bool small) {
    return correct4(fold_lazy(s->lo, s->hi, k), k, small);
}

/* `vectors` vectors of an extension. With quotients wq of the weights, every product is reduced on its own, to below
 * 5/4 p because y < 2^50, and only low halves are summed: 48 terms stay below 60 p < 2^51. */
GB_INLINE void extend_block(uint64_t *out, const uint64_t *const *y, size_t at, const uint64_t *w, const uint64_t *wq,
                            size_t terms, unsigned vectors, const constants *c, bool lazy) {
    sum s[4];
#pragma GCC unroll 4
    for (unsigned v = 0; v < vectors; v++) s[v] = (sum){zero(), zero()};
    const size_t run = wq ? terms : FOLD;
    for (size_t first = 0; first < terms; first += run) {
        const size_t end = gb_min_size(terms, first + run);
#pragma GCC unroll 4
        for (unsigned v = 0; first > 0 && v < vectors; v++) sum_fold(&s[v], c);
        for (size_t i = first; i < end; i++) {
            const v8 weight = set(w[i]), other = wq ? set(wq[i]) : weight;
#pragma GCC unroll 4
            for (unsigned v = 0; v < vectors; v++) {
                const v8 x = load(y[i] + at + 8 * v);
                s[v].lo = _mm512_madd52lo_epu64(s[v].lo, x, weight);
                s[v].hi = _mm512_madd52hi_epu64(s[v].hi, x, other);
            }
        }
    }
#pragma GCC unroll 4
    for (unsigned v = 0; v < vectors; v++) {
        if (!wq) {
            store(out + at + 8 * v, sum_end(&s[v], c, false));
            continue;
        }
        const v8 r = _mm512_madd52lo_epu64(s[v].lo, s[v].hi, c->minus_q);
        store(out + at + 8 * v, lazy ? r : correct4(r, c, true));
    }
}

/* Most terms with quotients of their own, and most of which the sum need not be reduced for ntt_forward_lazy: 16 p. */
#define SMALL_TERMS 48
#define LAZY_TERMS 12

GB_INLINE void extend_any(uint64_t *out, const uint64_t *const *y, const uint64_t *w, size_t terms, size_t n,
                          const gb_modulus *p, bool small, bool lazy) {
    const constants c = constants_of(p);
    uint64_t wq[SMALL_TERMS];
    size_t k = 0;
    for (size_t i = 0; small && i < terms; i++) wq[i] = quotient52(w[i], p);
    for (; k + 32 <= n; k += 32) extend_block(out, y, k, w, small ? wq : NULL, terms, 4, &c, lazy);
    for (; k < n; k += 8) extend_block(out, y, k, w, small ? wq : NULL, terms, 1, &c, lazy);
}

static void extend(uint64_t *out, const uint64_t *const *y, const uint64_t *w, size_t terms, size_t n,
                   const gb_modulus *p) {
    if (is_small(p) && terms <= SMALL_TERMS)
        extend_any(out, y, w, terms, n, p, true, false);
    else
        extend_any(out, y, w, terms, n, p, false, false);
}

static void extend_lazy(uint64_t *out, const uint64_t *const *y, const uint64_t *w, size_t terms, size_t n,
                        const gb_modulus *p) {
    if (is_small(p) && terms <= LAZY_TERMS)
        extend_any(out, y, w, terms, n, p, true, true);
    else
        extend(out, y, w, terms, n, p);
}

/* How rows of b and a are read: words, or packed words of `bytes` bytes. */
typedef struct packing {
    unsigned bytes;        /* 8: words as they are */
    v8 order;              /* of the eight words' bytes in a vector */
    __mmask64 used, there; /* bytes that are not cleared, bytes that are read */
} packing;

static inline packing packing_of(unsigned bytes) {
    uint8_t from[64];
    for (unsigned i = 0; i < 64; i++) from[i] = (uint8_t)((i / 8 * bytes + i % 8) & 63);
    return (packing){.bytes = bytes,
                     .order = _mm512_loadu_si512(from),
                     .used = gb_mask64(bytes) * UINT64_C(0x0101010101010101),
                     .there = gb_mask64(8 * bytes)};
}

GB_INLINE v8 load_packed(const uint8_t *row, size_t k, const packing *f, bool words) {
    if (words) return _mm512_load_si512((const void *)(row + 8 * k));
    return _mm512_maskz_permutexvar_epi8(f->used, f->order, _mm512_maskz_loadu_epi8(f->there, row + k * f->bytes));
}

/* `vectors` vectors of both sums from word `at` on. */
GB_INLINE void inner2_block(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint8_t *const *b,
                            const uint8_t *const *a, const packing *f, bool words, size_t terms, size_t at,
                            unsigned vectors, const constants *c, bool small) {
    sum s0[2] = {{zero(), zero()}, {zero(), zero()}}, s1[2] = {{zero(), zero()}, {zero(), zero()}};
    for (size_t first = 0; first < terms; first += FOLD) {
        const size_t end = gb_min_size(terms, first + FOLD);
#pragma GCC unroll 2
        for (unsigned v = 0; first > 0 && v < vectors; v++) {
            sum_fold(&s0[v], c);
            sum_fold(&s1[v], c);
        }
        for (size_t i = first; i < end; i++)
#pragma GCC unroll 2
            for (unsigned v = 0; v < vectors; v++) {
                const size_t k = at + 8 * v;
                const v8 y = load(x[i] + k);
                sum_add(&s0[v], y, load_packed(b[i], k, f, words));
                sum_add(&s1[v], y, load_packed(a[i], k, f, words));
            }
    }
#pragma GCC unroll 2
    for (unsigned v = 0; v < vectors; v++) {
        store(out0 + at + 8 * v, sum_end(&s0[v], c, small));
        store(out1 + at + 8 * v, sum_end(&s1[v], c, small));
    }
}

GB_INLINE void inner2_any(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint8_t *const *b,
                          const uint8_t *const *a, unsigned bytes, bool words, size_t terms, size_t n,
                          const gb_modulus *p, bool small) {
    const constants c = constants_of(p);
    const packing f = packing_of(bytes);
    size_t k = 0;
    for (; k + 16 <= n; k += 16) inner2_block(out0, out1, x, b, a, &f, words, terms, k, 2, &c, small);
    if (k < n) inner2_block(out0, out1, x, b, a, &f, words, terms, k, 1, &c, small);
}

static void inner2(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint64_t *const *b,
                   const uint64_t *const *a, size_t terms, size_t n, const gb_modulus *p) {
    const uint8_t *const *bb = (const uint8_t *const *)b, *const *ab = (const uint8_t *const *)a;
    if (is_small(p))
        inner2_any(out0, out1, x, bb, ab, 8, true, terms, n, p, true);
    else
        inner2_any(out0, out1, x, bb, ab, 8, true, terms, n, p, false);
}

static void inner2_bytes(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint8_t *const *b,
                         const uint8_t *const *a, unsigned bytes, size_t terms, size_t n, const gb_modulus *p) {
    if (is_small(p))
        inner2_any(out0, out1, x, b, a, bytes, false, terms, n, p, true);
    else
        inner2_any(out0, out1, x, b, a, bytes, false, terms, n, p, false);
}

/* A multiple of q above b, which is below 2^50 or, lazy of a small q, below 70 q: added to a - b < q, it makes a word
 * below 2^52. */
static inline v8 lift_of(const gb_modulus *p) {
    const uint64_t above = ((p->ratio[1] >> 14) + 1) * p->q; /* 2^50 */
    return set(is_small(p) ? 3 * above : above);
}

static void sub_mul(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, size_t n, const gb_modulus *p) {
    const constants c = constants_of(p);
    const v8 lift = lift_of(p), w = set(s), w52 = set(quotient52(s, p));
    for (size_t k = 0; k < n; k += 8) {
        const v8 d = _mm512_sub_epi64(_mm512_add_epi64(load(a + k), lift), load(b + k));
        store(out + k, correct2(mul_lazy(zero(), d, w, w52, &c), &c));
    }
}

static void sub_mul_add(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, const uint64_t *c, size_t n,
                        const gb_modulus *p) {
    const constants m = constants_of(p);
    const v8 lift = lift_of(p), w = set(s), w52 = set(quotient52(s, p));
    for (size_t k = 0; k < n; k += 8) {
        const v8 d = _mm512_sub_epi64(_mm512_add_epi64(load(a + k), lift), load(b + k));
        store(out + k, correct4(mul_lazy(load(c + k), d, w, w52, &m), &m, false)); /* < 3q */
    }
}

static void scale_add(uint64_t *out, const uint64_t *a, uint64_t s, const uint64_t *c, size_t n, const gb_modulus *p) {
    const constants m = constants_of(p);
    const v8 w = set(s), w52 = set(quotient52(s, p));
    for (size_t k = 0; k < n; k += 8)
        store(out + k, correct4(mul_lazy(load(c + k), load(a + k), w, w52, &m), &m, false)); /* < 3q */
}

static void tensor(uint64_t *d0, uint64_t *d1, uint64_t *d2, const uint64_t *a0, const uint64_t *a1, const uint64_t *b0,
                   const uint64_t *b1, size_t n, const gb_modulus *p) {
    const constants c = constants_of(p);
    for (size_t k = 0; k < n; k += 8) {
        const v8 u0 = load(a0 + k), u1 = load(a1 + k), v0 = load(b0 + k), v1 = load(b1 + k);
        sum s0 = {zero(), zero()}, s1 = s0, s2 = s0;
        sum_add(&s0, u0, v0);
        sum_add(&s1, u0, v1);
        sum_add(&s1, u1, v0);
        sum_add(&s2, u1, v1);
        store(d0 + k, sum_end(&s0, &c, false));
        store(d1 + k, sum_end(&s1, &c, false));
        store(d2 + k, sum_end(&s2, &c, false));
    }
}

static void permute(uint64_t *out, const uint64_t *in, const uint32_t *index, size_t n) {
    for (size_t k = 0; k < n; k += 8) {
        const v8 lane = _mm512_cvtepu32_epi64(_mm256_load_si256((const __m256i *)(index + k)));
        store(out + k, _mm512_permutexvar_epi64(lane, load(in + (index[k] & ~7u)))); /* reads the low three bits */
    }
}

static void quotient(uint64_t *out, const uint64_t *const *y, const double *inverse, size_t terms, size_t n) {
    const __m512d half = _mm512_set1_pd(0.5);
    for (size_t k = 0; k < n; k += 8) {
        __m512d total = _mm512_setzero_pd();
        for (size_t i = 0; i < terms; i++) /* product and sum are rounded apart, as in the reference */
            total = _mm512_add_pd(total, _mm512_mul_pd(_mm512_cvtepu64_pd(load(y[i] + k)), _mm512_set1_pd(inverse[i])));
        store(out + k, _mm512_cvttpd_epu64(_mm512_add_pd(total, half)));
    }
}

static void reduce(uint64_t *out, const uint64_t *x, size_t n, const gb_modulus *p) {
    const constants c = constants_of(p);
    for (size_t k = 0; k < n; k += 8) store(out + k, correct2(reduce_lazy(load(x + k), &c), &c));
}

const gb_extend_kernels gb_extend_ifma = {
    .name = "ifma",
    .extend = extend,
    .extend_lazy = extend_lazy,
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
