/* AVX-512 IFMA variant of kernel/extend.h, for moduli below 2^50.
 *
 * Products are summed as two words, low and high 52 bits apart: sum = hi 2^52 + lo. With q < 2^50 every high half is
 * below 2^48, so 15 products and a carry keep hi below 2^52, and lo, with what was folded before, is at most 2^56;
 * longer sums are folded every 15 terms. */
#include <immintrin.h>

#include "kernel/arith.h"
#include "kernel/ref/extend.h"

typedef __m512i v8;
#define FOLD 15

typedef struct constants {
    v8 q, q2, mask; /* q, 2q, 2^52 - 1 */
    v8 c, c52;      /* 2^52 mod q and floor((2^52 mod q) 2^52 / q) */
    v8 one52;       /* floor(2^52 / q) */
} constants;

/* floor(w 2^52 / q), w < q. */
static inline uint64_t quotient52(uint64_t w, const gb_modulus *m) { return gb_shoup_of(w, m) >> 12; }

static inline constants constants_of(const gb_modulus *m) {
    uint64_t q = m->q, c = (1ULL << 52) % q;
    constants k = {_mm512_set1_epi64((long long)q),
                   _mm512_set1_epi64((long long)(2 * q)),
                   _mm512_set1_epi64((1LL << 52) - 1),
                   _mm512_set1_epi64((long long)c),
                   _mm512_set1_epi64((long long)quotient52(c, m)),
                   _mm512_set1_epi64((long long)((1ULL << 52) / q))};
    return k;
}

static inline v8 zero(void) { return _mm512_setzero_si512(); }
static inline v8 load(const uint64_t *p) { return _mm512_load_si512((const void *)p); }
static inline void store(uint64_t *p, v8 x) { _mm512_store_si512((void *)p, x); }

/* [0, 4q) -> [0, q) */
static inline v8 correct4(v8 x, const constants *k) {
    x = _mm512_min_epu64(x, _mm512_sub_epi64(x, k->q2));
    return _mm512_min_epu64(x, _mm512_sub_epi64(x, k->q));
}

/* x w mod q in [0, 2q), x < 2^52, w reduced with its quotient w52 (Shoup). */
static inline v8 mul_lazy(v8 x, v8 w, v8 w52, const constants *k) {
    v8 h = _mm512_madd52hi_epu64(zero(), x, w52);
    v8 r = _mm512_sub_epi64(_mm512_madd52lo_epu64(zero(), x, w), _mm512_madd52lo_epu64(zero(), h, k->q));
    return _mm512_and_si512(r, k->mask);
}

/* x mod q in [0, 2q), x < 2^52. */
static inline v8 reduce_lazy(v8 x, const constants *k) {
    v8 h = _mm512_madd52hi_epu64(zero(), x, k->one52);
    return _mm512_and_si512(_mm512_sub_epi64(x, _mm512_madd52lo_epu64(zero(), h, k->q)), k->mask);
}

/* hi 2^52 + lo mod q in [0, 4q); hi + (lo >> 52) < 2^52. */
static inline v8 fold_lazy(v8 lo, v8 hi, const constants *k) {
    hi = _mm512_add_epi64(hi, _mm512_srli_epi64(lo, 52));
    lo = _mm512_and_si512(lo, k->mask);
    return _mm512_add_epi64(mul_lazy(hi, k->c, k->c52, k), reduce_lazy(lo, k));
}

static void extend(uint64_t *out, const uint64_t *const *y, const uint64_t *w, size_t terms, size_t n,
                   const gb_modulus *p) {
    constants c = constants_of(p);
    for (size_t k = 0; k < n; k += 16) {
        bool two = k + 8 < n;
        v8 lo0 = zero(), hi0 = zero(), lo1 = zero(), hi1 = zero();
        for (size_t i = 0; i < terms; i++) {
            if (i && i % FOLD == 0) {
                lo0 = fold_lazy(lo0, hi0, &c), hi0 = zero();
                lo1 = fold_lazy(lo1, hi1, &c), hi1 = zero();
            }
            v8 s = _mm512_set1_epi64((long long)w[i]);
            v8 x0 = load(y[i] + k), x1 = two ? load(y[i] + k + 8) : zero();
            lo0 = _mm512_madd52lo_epu64(lo0, x0, s), hi0 = _mm512_madd52hi_epu64(hi0, x0, s);
            lo1 = _mm512_madd52lo_epu64(lo1, x1, s), hi1 = _mm512_madd52hi_epu64(hi1, x1, s);
        }
        store(out + k, correct4(fold_lazy(lo0, hi0, &c), &c));
        if (two) store(out + k + 8, correct4(fold_lazy(lo1, hi1, &c), &c));
    }
}

static void inner2(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint64_t *const *b,
                   const uint64_t *const *a, size_t terms, size_t n, const gb_modulus *p) {
    constants c = constants_of(p);
    for (size_t k = 0; k < n; k += 8) {
        v8 lo0 = zero(), hi0 = zero(), lo1 = zero(), hi1 = zero();
        for (size_t i = 0; i < terms; i++) {
            if (i && i % FOLD == 0) {
                lo0 = fold_lazy(lo0, hi0, &c), hi0 = zero();
                lo1 = fold_lazy(lo1, hi1, &c), hi1 = zero();
            }
            v8 v = load(x[i] + k), bv = load(b[i] + k), av = load(a[i] + k);
            lo0 = _mm512_madd52lo_epu64(lo0, v, bv), hi0 = _mm512_madd52hi_epu64(hi0, v, bv);
            lo1 = _mm512_madd52lo_epu64(lo1, v, av), hi1 = _mm512_madd52hi_epu64(hi1, v, av);
        }
        store(out0 + k, correct4(fold_lazy(lo0, hi0, &c), &c));
        store(out1 + k, correct4(fold_lazy(lo1, hi1, &c), &c));
    }
}

static void inner2_bytes(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint8_t *const *b,
                         const uint8_t *const *a, unsigned bytes, size_t terms, size_t n, const gb_modulus *p) {
    const constants c = constants_of(p);
    uint8_t from[64];
    for (unsigned i = 0; i < 64; i++) from[i] = (uint8_t)((i / 8 * bytes + i % 8) & 63);
    const v8 order = _mm512_loadu_si512(from); /* of the eight words' bytes; the lanes' other bytes are cleared */
    const __mmask64 used = gb_mask64(bytes) * UINT64_C(0x0101010101010101), there = gb_mask64(8 * bytes);
    for (size_t k = 0; k < n; k += 8) {
        v8 lo0 = zero(), hi0 = zero(), lo1 = zero(), hi1 = zero();
        for (size_t i = 0; i < terms; i++) {
            if (i && i % FOLD == 0) {
                lo0 = fold_lazy(lo0, hi0, &c), hi0 = zero();
                lo1 = fold_lazy(lo1, hi1, &c), hi1 = zero();
            }
            const v8 bv = _mm512_maskz_permutexvar_epi8(used, order, _mm512_maskz_loadu_epi8(there, b[i] + k * bytes));
            const v8 av = _mm512_maskz_permutexvar_epi8(used, order, _mm512_maskz_loadu_epi8(there, a[i] + k * bytes));
            const v8 v = load(x[i] + k);
            lo0 = _mm512_madd52lo_epu64(lo0, v, bv), hi0 = _mm512_madd52hi_epu64(hi0, v, bv);
            lo1 = _mm512_madd52lo_epu64(lo1, v, av), hi1 = _mm512_madd52hi_epu64(hi1, v, av);
        }
        store(out0 + k, correct4(fold_lazy(lo0, hi0, &c), &c));
        store(out1 + k, correct4(fold_lazy(lo1, hi1, &c), &c));
    }
}

static void sub_mul(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, size_t n, const gb_modulus *p) {
    constants c = constants_of(p);
    /* a - b + multiple of q above 2^50: below 2^52 because q < 2^50 */
    v8 lift = _mm512_set1_epi64((long long)(((1ULL << 50) / p->q + 1) * p->q));
    v8 w = _mm512_set1_epi64((long long)s), w52 = _mm512_set1_epi64((long long)quotient52(s, p));
    for (size_t k = 0; k < n; k += 8) {
        v8 d = _mm512_sub_epi64(_mm512_add_epi64(load(a + k), lift), load(b + k));
        v8 r = mul_lazy(d, w, w52, &c);
        store(out + k, _mm512_min_epu64(r, _mm512_sub_epi64(r, c.q)));
    }
}

static void sub_mul_add(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, const uint64_t *c, size_t n,
                        const gb_modulus *p) {
    constants m = constants_of(p);
    v8 lift = _mm512_set1_epi64((long long)(((1ULL << 50) / p->q + 1) * p->q));
    v8 w = _mm512_set1_epi64((long long)s), w52 = _mm512_set1_epi64((long long)quotient52(s, p));
    for (size_t k = 0; k < n; k += 8) {
        v8 d = _mm512_sub_epi64(_mm512_add_epi64(load(a + k), lift), load(b + k));
        store(out + k, correct4(_mm512_add_epi64(mul_lazy(d, w, w52, &m), load(c + k)), &m)); /* < 3q */
    }
}

static void tensor(uint64_t *d0, uint64_t *d1, uint64_t *d2, const uint64_t *a0, const uint64_t *a1, const uint64_t *b0,
                   const uint64_t *b1, size_t n, const gb_modulus *p) {
    constants c = constants_of(p);
    for (size_t k = 0; k < n; k += 8) {
        v8 u0 = load(a0 + k), u1 = load(a1 + k), v0 = load(b0 + k), v1 = load(b1 + k);
        v8 lo0 = _mm512_madd52lo_epu64(zero(), u0, v0), hi0 = _mm512_madd52hi_epu64(zero(), u0, v0);
        v8 lo1 = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(zero(), u0, v1), u1, v0);
        v8 hi1 = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero(), u0, v1), u1, v0);
        v8 lo2 = _mm512_madd52lo_epu64(zero(), u1, v1), hi2 = _mm512_madd52hi_epu64(zero(), u1, v1);
        store(d0 + k, correct4(fold_lazy(lo0, hi0, &c), &c));
        store(d1 + k, correct4(fold_lazy(lo1, hi1, &c), &c));
        store(d2 + k, correct4(fold_lazy(lo2, hi2, &c), &c));
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
        __m512d sum = _mm512_setzero_pd();
        for (size_t i = 0; i < terms; i++) /* product and sum are rounded apart, as in the reference */
            sum = _mm512_add_pd(sum, _mm512_mul_pd(_mm512_cvtepu64_pd(load(y[i] + k)), _mm512_set1_pd(inverse[i])));
        store(out + k, _mm512_cvttpd_epu64(_mm512_add_pd(sum, half)));
    }
}

static void reduce(uint64_t *out, const uint64_t *x, size_t n, const gb_modulus *p) {
    constants c = constants_of(p);
    for (size_t k = 0; k < n; k += 8) {
        v8 r = reduce_lazy(load(x + k), &c);
        store(out + k, _mm512_min_epu64(r, _mm512_sub_epi64(r, c.q)));
    }
}

const gb_extend_kernels gb_extend_ifma = {
    .name = "ifma",
    .extend = extend,
    .inner2 = inner2,
    .inner2_bytes = inner2_bytes,
    .sub_mul = sub_mul,
    .sub_mul_add = sub_mul_add,
    .tensor = tensor,
    .permute = permute,
    .quotient = quotient,
    .reduce = reduce,
};
