/* NTTs on AVX-512 IFMA, q < 2^50. Shoup butterflies, radix 2 to 16 in registers, depth first: after the first pass a
 * block is finished while it is in the first-level cache. The last seven levels of a row run on 128 words held in
 * sixteen registers, the last three of them across lanes.
 *
 * Node numbers: the whole transform is node 1; node k splits by the twiddle w[k] into nodes 2k and 2k + 1.
 *
 * Ranges. A word stands for its low 52 bits, which is all that the multiplier reads: stray multiples of 2^52 are left
 * where they fall until the last level reduces. What counts is that the value itself stays in [0, 2^52). The passes are
 * compiled for three sizes of q, named by the least number of q that 2^52 holds:
 *   4 (q < 2^50), 16 (q < 2^48): a word that a level would carry beyond that is folded first;
 *   FREE (q < 2^45), 128. Forward: nothing is folded between the first level and the last. Products with words below 70
 *   q < 0.55 2^52 are below 1.55 q, so that in L <= 17 levels a word moves up or down by less than 1.55 L q < 26.4 q.
 *   It starts below 16 q (extend_lazy; reduced words below q) and ceil(1.55 L) <= 27 q are added: it stays below 70 q,
 *   and from reduced words below 55 q < 2^51. Inverse: sums are folded once a pass. */
#include "kernel/tables.h"
#include "kernel/x86/ifma.h"

enum { FREE = 128 };

typedef struct plan {
    gb_v8_mod m;
    __m512i one;          /* floor(2^52 / q): a fold is a product with 1 */
    __m512i exact, shift; /* ceil(2^(51 + bits) / q), bits - 1 */
    __m512i start;        /* ceil(1.55 L) q */
    uint64_t times[9];    /* q, 2q, 4q .. 64q; 6q, 14q */
    const uint64_t *w, *wq;
    unsigned size; /* 0: 4, 1: 16, 2: FREE */
    bool lazy;     /* forward: the last level of a FREE transform need not reduce */
} plan;

/* Any word -> [0, 2q): floor(x one / 2^52) is short of x / q by less than 2. */
GB_INLINE __m512i fold(__m512i x, const plan *p) {
    const __m512i h = _mm512_madd52hi_epu64(_mm512_setzero_si512(), x, p->one);
    return _mm512_madd52lo_epu64(x, h, p->m.minus_q);
}

/* Any word -> reduced. Below 2^51 (`small`) the quotient is exact: e = exact q - 2^s < q for s = 51 + bits, x exact /
 * 2^s = x / q + x e / (q 2^s), and x e < 2^s is not enough to reach the next whole number. */
GB_INLINE __m512i reduce(__m512i x, const plan *p, bool small) {
    if (!small) return gb_v8_fold(_mm512_and_si512(fold(x, p), p->m.mask), p->m.q);
    const __m512i h = _mm512_madd52hi_epu64(_mm512_setzero_si512(), x, p->exact);
    const __m512i r = _mm512_madd52lo_epu64(x, _mm512_srlv_epi64(h, p->shift), p->m.minus_q);
    return _mm512_and_si512(r, p->m.mask);
}

/* k q, k = 6, 14 or a power of two. */
GB_INLINE __m512i times(unsigned k, const plan *p) {
    return gb_v8_set(p->times[k == 6 ? 7 : k == 14 ? 8 : (unsigned)__builtin_ctz(k)]);
}

/* ---- forward ---- */

/* Where the pass is while it is compiled: words are in [low q, high q). */
typedef struct range {
    unsigned limit, low, high;
} range;

/* What a level does beside its butterflies: upper inputs x <- (x mod 2q) + lift q, lower outputs + need q. */
typedef struct extra {
    bool fold, start;
    unsigned lift, need;
} extra;

/* Products are in [0, 2q), so the level (x, y) -> (x + t, x - t + need q) moves [low, high) to [low - 2 + need, high +
 * 2). A fold lifts by 2 for every level that is left of the pass, as far as there is room: they need to add nothing. */
GB_INLINE extra next_extra(range *r, unsigned left, bool start) {
    extra e = {false, start, 0, 0};
    if (r->limit == FREE) return e;
    if (r->high + 2 > r->limit) {
        const unsigned reach = 2 * left;
        e.fold = true;
        e.lift = 2 * reach + 2 <= r->limit ? reach : reach + 2 < r->limit ? r->limit - reach - 2 : 0;
        r->low = e.lift;
        r->high = e.lift + 2;
    }
    e.need = r->low < 2 ? 2 : 0;
    r->low = r->low + e.need - 2;
    r->high += 2;
    return e;
}

GB_INLINE void forward_pair(__m512i *x, __m512i *y, __m512i w, __m512i wq, const plan *p, extra e) {
    __m512i a = *x;
    if (e.fold) a = fold(a, p);
    if (e.lift) a = _mm512_add_epi64(a, times(e.lift, p));
    if (e.start) a = _mm512_add_epi64(a, p->start);
    __m512i twice = _mm512_add_epi64(a, a);
    if (e.need) twice = _mm512_add_epi64(twice, times(e.need, p));
    const __m512i h = _mm512_madd52hi_epu64(_mm512_setzero_si512(), *y, wq);
    *x = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(a, *y, w), h, p->m.minus_q);
    *y = _mm512_sub_epi64(twice, *x); /* a - t */
}

/* The same, reduced: the last level. */
GB_INLINE void forward_pair_last(__m512i *x, __m512i *y, __m512i w, __m512i wq, const plan *p, extra e, bool small) {
    forward_pair(x, y, w, wq, p, e);
    *x = reduce(*x, p, small);
    *y = reduce(*y, p, small);
}

enum { INNER, FIRST, LAST }; /* where in the transform a pass is, as far as it matters */

/* `levels` levels from node k on 2^levels registers. */
GB_INLINE void forward_levels(__m512i *v, unsigned levels, size_t k, const plan *p, range *r, unsigned where) {
#pragma GCC unroll 4
    for (unsigned s = 0; s < levels; s++) {
        const unsigned half = 1u << (levels - 1 - s);
        const extra e = next_extra(r, levels - s, where == FIRST && s == 0);
#pragma GCC unroll 8
        for (unsigned g = 0; g < 1u << s; g++) {
            const __m512i w = gb_v8_set(p->w[(k << s) + g]), wq = gb_v8_set(p->wq[(k << s) + g]);
#pragma GCC unroll 8
            for (unsigned j = 0; j < half; j++) {
                __m512i *x = &v[2 * g * half + j], *y = x + half;
                if (where == LAST && s + 1 == levels)
                    forward_pair_last(x, y, w, wq, p, e, r->limit == FREE);
                else
                    forward_pair(x, y, w, wq, p, e);
            }
        }
    }
}

/* One pass over 2^levels runs of `width` words, `step` words apart. */
GB_INLINE void forward_pass(uint64_t *x, size_t step, size_t width, size_t k, const plan *p, unsigned levels,
                            unsigned limit, unsigned where) {
    for (size_t i = 0; i < width; i += 8) {
        __m512i v[16];
        range r = {limit, 0, limit};
#pragma GCC unroll 16
        for (unsigned j = 0; j < 1u << levels; j++) v[j] = gb_v8_load(x + j * step + i);
        forward_levels(v, levels, k, p, &r, where);
#pragma GCC unroll 16
        for (unsigned j = 0; j < 1u << levels; j++) gb_v8_store(x + j * step + i, v[j]);
    }
}

typedef void (*pass_fn)(uint64_t *x, size_t step, size_t width, size_t k, const plan *p);

#define FORWARD(levels, limit, where)                                                                                  \
    static void forward_##levels##_##limit##_##where(uint64_t *x, size_t step, size_t width, size_t k,                 \
                                                     const plan *p) {                                                  \
        forward_pass(x, step, width, k, p, levels, limit, where);                                                      \
    }
#define FORWARD_LEVELS(limit, where)                                                                                   \
    FORWARD(1, limit, where) FORWARD(2, limit, where) FORWARD(3, limit, where) FORWARD(4, limit, where)
#define FORWARD_ROW(limit, where)                                                                                      \
    {                                                                                                                  \
        forward_1_##limit##_##where, forward_2_##limit##_##where, forward_3_##limit##_##where,                         \
            forward_4_##limit##_##where                                                                                \
    }
FORWARD_LEVELS(4, INNER)
FORWARD_LEVELS(4, LAST)
FORWARD_LEVELS(16, INNER)
FORWARD_LEVELS(16, LAST)
FORWARD_LEVELS(FREE, INNER)
FORWARD_LEVELS(FREE, FIRST)
FORWARD_LEVELS(FREE, LAST)

static const pass_fn forward_passes[3][3][4] = {
    {FORWARD_ROW(4, INNER), FORWARD_ROW(4, INNER), FORWARD_ROW(4, LAST)},
    {FORWARD_ROW(16, INNER), FORWARD_ROW(16, INNER), FORWARD_ROW(16, LAST)},
    {FORWARD_ROW(FREE, INNER), FORWARD_ROW(FREE, FIRST), FORWARD_ROW(FREE, LAST)},
};

/* Levels of the next pass of `left`, over runs that are `words` long together. Rows of a multiple of 4 KiB apart fall
 * into one set of the first-level cache, which has room for 8, not for 16. */
static unsigned next_levels(unsigned left, size_t words) {
    if (words > 4096) return left < 3 ? left : 3;
    const unsigned passes = (left + 3) / 4;
    return (left + passes - 1) / passes;
}

/* A leaf is the last seven levels, six of a short transform. */
#define SHORT 8
static unsigned leaf_levels(unsigned log_n) { return log_n < SHORT ? 6 : 7; }

/* The last three levels work on pairs of registers a, b (16 words), X against Y. Before each, the two are interleaved,
 * (X, Y) <- (X0 Y0 X1 Y1 .., .. X7 Y7), which gives in turn
 *   X = a0 b0 a1 b1 a2 b2 a3 b3    Y = the words 4 on,    twiddles of two nodes:  a b a b a b a b
 *   X = a0 a4 b0 b4 a1 a5 b1 b5    Y = the words 2 on,    of four nodes, repeated
 *   X = a0 a2 a4 a6 b0 b2 b4 b6    Y = the words 1 on,    of eight nodes
 * and once more: a, b in order. Twiddles are so in memory order, repeated: broadcast loads need no shuffle. */
GB_INLINE void interleave(__m512i *x, __m512i *y) {
    const __m512i a = *x, b = *y;
    *x = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b);
    *y = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b);
}

GB_INLINE void deinterleave(__m512i *x, __m512i *y) {
    const __m512i a = *x, b = *y;
    *x = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), b);
    *y = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15), b);
}

GB_INLINE __m512i load_two(const uint64_t *p) { return _mm512_broadcast_i64x2(_mm_loadu_si128((const __m128i *)p)); }
GB_INLINE __m512i load_four(const uint64_t *p) {
    return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)p));
}

/* 8 2^levels words from node k: `levels` levels across registers, three across lanes; the end of the transform. */
GB_INLINE void forward_leaf(uint64_t *x, unsigned levels, size_t k, const plan *p, unsigned limit, bool lazy) {
    __m512i v[16];
    range r = {limit, 0, limit};
#pragma GCC unroll 16
    for (unsigned j = 0; j < 1u << levels; j++) v[j] = gb_v8_load(x + 8 * j);
    forward_levels(v, levels, k, p, &r, INNER);
    const extra e4 = next_extra(&r, 3, false), e2 = next_extra(&r, 2, false), e1 = next_extra(&r, 1, false);
#pragma GCC unroll 8
    for (unsigned j = 0; j < 1u << levels; j += 2) {
        const size_t n4 = (k << levels) + j; /* first node of the pair */
        interleave(&v[j], &v[j + 1]);
        forward_pair(&v[j], &v[j + 1], load_two(p->w + n4), load_two(p->wq + n4), p, e4);
    }
#pragma GCC unroll 8
    for (unsigned j = 0; j < 1u << levels; j += 2) {
        const size_t n2 = 2 * ((k << levels) + j);
        interleave(&v[j], &v[j + 1]);
        forward_pair(&v[j], &v[j + 1], load_four(p->w + n2), load_four(p->wq + n2), p, e2);
    }
#pragma GCC unroll 8
    for (unsigned j = 0; j < 1u << levels; j += 2) {
        const size_t n1 = 4 * ((k << levels) + j);
        interleave(&v[j], &v[j + 1]);
        if (lazy)
            forward_pair(&v[j], &v[j + 1], gb_v8_load(p->w + n1), gb_v8_load(p->wq + n1), p, e1);
        else
            forward_pair_last(&v[j], &v[j + 1], gb_v8_load(p->w + n1), gb_v8_load(p->wq + n1), p, e1, limit == FREE);
        interleave(&v[j], &v[j + 1]);
        gb_v8_store(x + 8 * j, v[j]);
        gb_v8_store(x + 8 * j + 8, v[j + 1]);
    }
}

typedef void (*leaves_fn)(uint64_t *x, size_t count, size_t k, const plan *p);

#define FORWARD_LEAVES(levels, limit, lazy)                                                                            \
    static void forward_leaves_##levels##_##limit##_##lazy(uint64_t *x, size_t count, size_t k, const plan *p) {       \
        const plan local = *p;                                                                                         \
        for (size_t i = 0; i < count; i++) forward_leaf(x + (i << (levels + 3)), levels, k + i, &local, limit, lazy);  \
    }
FORWARD_LEAVES(3, 4, 0)
FORWARD_LEAVES(4, 4, 0)
FORWARD_LEAVES(3, 16, 0)
FORWARD_LEAVES(4, 16, 0)
FORWARD_LEAVES(4, FREE, 0)
FORWARD_LEAVES(4, FREE, 1)

static leaves_fn forward_leaves_of(const plan *p, unsigned leaf) {
    if (p->size == 2) return p->lazy ? forward_leaves_4_FREE_1 : forward_leaves_4_FREE_0;
    if (p->size == 1) return leaf == 7 ? forward_leaves_4_16_0 : forward_leaves_3_16_0;
    return leaf == 7 ? forward_leaves_4_4_0 : forward_leaves_3_4_0;
}

/* All levels of a block of 2^log_n words at node k, down to leaves of `leaf` levels. */
static void forward_block(uint64_t *x, unsigned log_n, unsigned leaf, size_t k, const plan *p) {
    const leaves_fn leaves = forward_leaves_of(p, leaf);
    if (log_n == leaf) {
        leaves(x, 1, k, p);
        return;
    }
    const unsigned levels = next_levels(log_n - leaf, (size_t)1 << log_n), below = log_n - levels;
    const size_t step = (size_t)1 << below, parts = (size_t)1 << levels;
    forward_passes[p->size][k == 1 ? FIRST : INNER][levels - 1](x, step, step, k, p);
    if (below == leaf)
        leaves(x, parts, k << levels, p);
    else
        for (size_t j = 0; j < parts; j++) forward_block(x + j * step, below, leaf, (k << levels) + j, p);
}

/* A FREE pass cannot be the first and the last at once, nor a leaf the first: transforms shorter than shortest_free
 * are of size 1. */
static plan plan_of(const gb_ntt *t, bool inverse, unsigned shortest_free) {
    const gb_modulus *m = &t->m;
    const uint64_t q = m->q;
    plan p = {.m = gb_v8_mod_of(m),
              .one = gb_v8_set(m->ratio[1] >> 12),
              .exact = gb_v8_set(m->ratio52 + 1), /* q does not divide 2^s: floor + 1 */
              .shift = gb_v8_set(m->bits - 1),
              .start = gb_v8_set((31 * t->log_n + 19) / 20 * q),
              .w = inverse ? t->iw : t->w,
              .wq = inverse ? t->iw52 : t->w52,
              .size = m->bits > 48                               ? 0
                      : m->bits > 45 || t->log_n < shortest_free ? 1
                                                                 : 2};
    for (unsigned i = 0; i < 7; i++) p.times[i] = q << i;
    p.times[7] = 6 * q;
    p.times[8] = 14 * q;
    return p;
}

static void ntt_forward(uint64_t *x, const gb_ntt *t) {
    if (t->log_n < 6) {
        gb_ref_ntt_forward(x, t);
        return;
    }
    const plan p = plan_of(t, false, SHORT);
    forward_block(x, t->log_n, leaf_levels(t->log_n), 1, &p);
}

static void ntt_forward_lazy(uint64_t *x, const gb_ntt *t) {
    if (t->log_n < 6) {
        for (size_t i = 0; i < (size_t)1 << t->log_n; i++) x[i] = (x[i] & gb_mask64(52)) % t->m.q;
        gb_ref_ntt_forward(x, t);
        return;
    }
    plan p = plan_of(t, false, SHORT);
    p.lazy = true;
    forward_block(x, t->log_n, leaf_levels(t->log_n), 1, &p);
}

/* ---- inverse ---- */

/* A register's words are in [low q, high q), high no more than half the limit, so that a sum fits. */
typedef struct span {
    unsigned low, high;
} span;

GB_INLINE unsigned power_of_two_from(unsigned x) { return x <= 1 ? 1 : 1u << (32 - __builtin_clz(x - 1)); }

/* (x, y) -> (x + y, (x - y) w). The product is in [lift q, (lift + 2) q); the sum is folded to [0, 2q) above `most`. */
GB_INLINE void inverse_pair(__m512i *x, __m512i *y, span *sx, span *sy, __m512i w, __m512i wq, const plan *p,
                            unsigned lift, unsigned most) {
    const __m512i a = *x, b = *y;
    __m512i d = _mm512_sub_epi64(a, b), s = _mm512_add_epi64(a, b);
    if (sx->low < sy->high) d = _mm512_add_epi64(d, times(power_of_two_from(sy->high - sx->low), p));
    *sx = (span){sx->low + sy->low, sx->high + sy->high};
    if (sx->high > most) {
        s = fold(s, p);
        *sx = (span){0, 2};
    }
    const __m512i h = _mm512_madd52hi_epu64(_mm512_setzero_si512(), d, wq);
    const __m512i base = lift ? times(lift, p) : _mm512_setzero_si512();
    *x = s;
    *y = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(base, d, w), h, p->m.minus_q);
    *sy = (span){lift, lift + 2};
}

/* The last level with the scaling by n^-1 in both twiddles: reduced out. */
typedef struct scaling {
    __m512i s, sq; /* n^-1 */
    __m512i r, rq; /* n^-1 times the last twiddle */
} scaling;

GB_INLINE void inverse_pair_last(__m512i *x, __m512i *y, span sx, span sy, const scaling *s, const plan *p) {
    const __m512i a = *x, b = *y;
    __m512i d = _mm512_sub_epi64(a, b);
    if (sx.low < sy.high) d = _mm512_add_epi64(d, times(power_of_two_from(sy.high - sx.low), p));
    *x = gb_v8_fold(gb_v8_shoup(_mm512_add_epi64(a, b), s->s, s->sq, &p->m), p->m.q);
    *y = gb_v8_fold(gb_v8_shoup(d, s->r, s->rq, &p->m), p->m.q);
}

/* Words in memory between passes are below this times q. */
GB_INLINE unsigned resting(unsigned limit) { return limit == FREE ? 16 : 2; }

/* What the products of node g's level s, `s` levels before the end of the pass, are lifted by, so that they and their
 * sums stay above what is subtracted from them without another addition. With m levels in a row before them in which
 * they are not subtracted: 2^(m+1) - 2, since sums of two products are then in [2, 6) and [6, 10) q, of four in [8, 16)
 * and [16, 24) q. */
GB_INLINE unsigned lift_of(unsigned g, unsigned s, unsigned limit) {
    if (limit == 4) return 0;
    const unsigned m = g == 0 || (unsigned)__builtin_ctz(g) > s ? s : (unsigned)__builtin_ctz(g);
    return limit == FREE ? (2u << m) - 2 : m > 0 ? 2 : 0;
}

/* Level s of `levels`. */
GB_INLINE void inverse_level(__m512i *v, span *r, unsigned levels, unsigned s, size_t k, const plan *p, unsigned limit,
                             const scaling *last) {
    const unsigned half = 1u << (levels - 1 - s), most = s > 0 ? limit / 2 : resting(limit);
#pragma GCC unroll 8
    for (unsigned g = 0; g < 1u << s; g++) {
        const __m512i w = gb_v8_set(p->w[(k << s) + g]), wq = gb_v8_set(p->wq[(k << s) + g]);
        const unsigned lift = lift_of(g, s, limit);
#pragma GCC unroll 8
        for (unsigned j = 0; j < half; j++) {
            const unsigned x = 2 * g * half + j, y = x + half;
            if (s == 0 && last)
                inverse_pair_last(&v[x], &v[y], r[x], r[y], last, p);
            else
                inverse_pair(&v[x], &v[y], &r[x], &r[y], w, wq, p, lift, most);
        }
    }
}

/* Words below high q in, resting out. */
GB_INLINE void inverse_levels(__m512i *v, unsigned levels, unsigned high, size_t k, const plan *p, unsigned limit,
                              const scaling *last) {
    span r[16];
#pragma GCC unroll 16
    for (unsigned j = 0; j < 16; j++) r[j] = (span){0, high};
    if (levels > 3) inverse_level(v, r, levels, 3, k, p, limit, last);
    if (levels > 2) inverse_level(v, r, levels, 2, k, p, limit, last);
    if (levels > 1) inverse_level(v, r, levels, 1, k, p, limit, last);
    inverse_level(v, r, levels, 0, k, p, limit, last);
}

GB_INLINE void inverse_pass(uint64_t *x, size_t step, size_t width, unsigned levels, size_t k, const plan *p,
                            unsigned limit, const scaling *last) {
    for (size_t i = 0; i < width; i += 8) {
        __m512i v[16];
#pragma GCC unroll 16
        for (unsigned j = 0; j < 1u << levels; j++) v[j] = gb_v8_load(x + j * step + i);
        inverse_levels(v, levels, resting(limit), k, p, limit, last);
#pragma GCC unroll 16
        for (unsigned j = 0; j < 1u << levels; j++) gb_v8_store(x + j * step + i, v[j]);
    }
}

typedef void (*inverse_fn)(uint64_t *x, size_t step, size_t width, size_t k, const plan *p, const scaling *last);

#define INVERSE(levels, limit)                                                                                         \
    static void inverse_##levels##_##limit(uint64_t *x, size_t step, size_t width, size_t k, const plan *p,            \
                                           const scaling *last) {                                                      \
        if (last)                                                                                                      \
            inverse_pass(x, step, width, levels, k, p, limit, last);                                                   \
        else                                                                                                           \
            inverse_pass(x, step, width, levels, k, p, limit, NULL);                                                   \
    }
#define INVERSE_LEVELS(limit) INVERSE(1, limit) INVERSE(2, limit) INVERSE(3, limit) INVERSE(4, limit)
#define INVERSE_ROW(limit)                                                                                             \
    { inverse_1_##limit, inverse_2_##limit, inverse_3_##limit, inverse_4_##limit }
INVERSE_LEVELS(4)
INVERSE_LEVELS(16)
INVERSE_LEVELS(FREE)

static const inverse_fn inverse_passes[3][4] = {INVERSE_ROW(4), INVERSE_ROW(16), INVERSE_ROW(FREE)};

GB_INLINE void inverse_leaf(uint64_t *x, const uint64_t *in, unsigned levels, size_t k, const plan *p, unsigned limit,
                            const scaling *last) {
    __m512i v[16];
    span a = {0, 1}, b = a;
#pragma GCC unroll 8
    for (unsigned j = 0; j < 1u << levels; j += 2) {
        const size_t n1 = 4 * ((k << levels) + j);
        v[j] = gb_v8_load(in + 8 * j);
        v[j + 1] = gb_v8_load(in + 8 * j + 8);
        deinterleave(&v[j], &v[j + 1]);
        a = b = (span){0, 1};
        inverse_pair(&v[j], &v[j + 1], &a, &b, gb_v8_load(p->w + n1), gb_v8_load(p->wq + n1), p, 0, limit / 2);
    }
    const span r2 = a; /* words of both come together now, and the sum's range is the wider */
#pragma GCC unroll 8
    for (unsigned j = 0; j < 1u << levels; j += 2) {
        const size_t n2 = 2 * ((k << levels) + j);
        deinterleave(&v[j], &v[j + 1]);
        a = b = r2;
        inverse_pair(&v[j], &v[j + 1], &a, &b, load_four(p->w + n2), load_four(p->wq + n2), p, 0, limit / 2);
    }
    const span r4 = a;
#pragma GCC unroll 8
    for (unsigned j = 0; j < 1u << levels; j += 2) {
        const size_t n4 = (k << levels) + j;
        deinterleave(&v[j], &v[j + 1]);
        a = b = r4;
        inverse_pair(&v[j], &v[j + 1], &a, &b, load_two(p->w + n4), load_two(p->wq + n4), p, 0, limit / 2);
        deinterleave(&v[j], &v[j + 1]);
    }
    const unsigned high = a.high;
    inverse_levels(v, levels, high, k, p, limit, last);
#pragma GCC unroll 16
    for (unsigned j = 0; j < 1u << levels; j++) gb_v8_store(x + 8 * j, v[j]);
}

typedef void (*inverse_leaves_fn)(uint64_t *x, const uint64_t *in, size_t count, size_t k, const plan *p);

#define INVERSE_LEAVES(levels, limit)                                                                                  \
    static void inverse_leaves_##levels##_##limit(uint64_t *x, const uint64_t *in, size_t count, size_t k,             \
                                                  const plan *p) {                                                     \
        const plan local = *p;                                                                                         \
        for (size_t i = 0; i < count << (levels + 3); i += 8u << levels)                                               \
            inverse_leaf(x + i, in + i, levels, k++, &local, limit, NULL);                                             \
    }
INVERSE_LEAVES(3, 4)
INVERSE_LEAVES(4, 4)
INVERSE_LEAVES(3, 16)
INVERSE_LEAVES(4, 16)
INVERSE_LEAVES(4, FREE)

static const inverse_leaves_fn inverse_leaves[3][2] = {{inverse_leaves_3_4, inverse_leaves_4_4},
                                                       {inverse_leaves_3_16, inverse_leaves_4_16},
                                                       {NULL, inverse_leaves_4_FREE}};

static void inverse_block(uint64_t *x, const uint64_t *in, unsigned log_n, unsigned leaf, size_t k, const plan *p,
                          const scaling *last) {
    const unsigned levels = next_levels(log_n - leaf, (size_t)1 << log_n), below = log_n - levels;
    const size_t step = (size_t)1 << below, parts = (size_t)1 << levels;
    if (below == leaf)
        inverse_leaves[p->size][leaf - 6](x, in, parts, k << levels, p);
    else
        for (size_t j = 0; j < parts; j++)
            inverse_block(x + j * step, in + j * step, below, leaf, (k << levels) + j, p, NULL);
    inverse_passes[p->size][levels - 1](x, step, step, k, p, last);
}

/* By f / n. */
static scaling scaling_of(uint64_t f, const gb_ntt *t) {
    const uint64_t q = t->m.q, g = gb_fold(gb_shoup_lazy(f, t->n_inv, t->n_inv64, q), q), gq = gb_shoup_of(g, &t->m);
    const uint64_t r = gb_fold(gb_shoup_lazy(t->iw[1], g, gq, q), q);
    return (scaling){
        .s = gb_v8_set(g), .sq = gb_v8_set(gq >> 12), .r = gb_v8_set(r), .rq = gb_v8_set(gb_shoup_of(r, &t->m) >> 12)};
}

static void ntt_inverse(uint64_t *x, const uint64_t *in, uint64_t s, const gb_ntt *t) {
    if (t->log_n < 6) {
        gb_ref_ntt_inverse(x, in, s, t);
        return;
    }
    const plan p = plan_of(t, true, SHORT);
    const scaling last = scaling_of(s, t);
    if (t->log_n == 6)
        inverse_leaf(x, in, 3, 1, &p, 4, &last); /* the leaf is the transform */
    else
        inverse_block(x, in, t->log_n, leaf_levels(t->log_n), 1, &p, &last);
}

/* ---- columns: the same passes with a row in place of a word; the row loop is the long one ---- */

static void forward_rows(uint64_t *x, size_t stride, size_t width, unsigned log_n, size_t k, const plan *p) {
    const unsigned levels = next_levels(log_n, stride << log_n), below = log_n - levels;
    const size_t rows = (size_t)1 << below, parts = (size_t)1 << levels;
    const pass_fn pass = forward_passes[p->size][below == 0 ? LAST : k == 1 ? FIRST : INNER][levels - 1];
    for (size_t r = 0; r < rows; r++) pass(x + r * stride, rows * stride, width, k, p);
    for (size_t j = 0; below > 0 && j < parts; j++)
        forward_rows(x + j * rows * stride, stride, width, below, (k << levels) + j, p);
}

static void inverse_rows(uint64_t *x, size_t stride, size_t width, unsigned log_n, size_t k, const plan *p,
                         const scaling *last) {
    const unsigned levels = next_levels(log_n, stride << log_n), below = log_n - levels;
    const size_t rows = (size_t)1 << below, parts = (size_t)1 << levels;
    for (size_t j = 0; below > 0 && j < parts; j++)
        inverse_rows(x + j * rows * stride, stride, width, below, (k << levels) + j, p, NULL);
    const inverse_fn pass = inverse_passes[p->size][levels - 1];
    for (size_t r = 0; r < rows; r++) pass(x + r * stride, rows * stride, width, k, p, last);
}

static void columns_forward(uint64_t *x, size_t stride, size_t width, const gb_ntt *t) {
    const plan p = plan_of(t, false, 5);
    forward_rows(x, stride, width, t->log_n, 1, &p);
}

static void columns_inverse(uint64_t *x, size_t stride, size_t width, const gb_ntt *t) {
    const plan p = plan_of(t, true, 0);
    const scaling last = scaling_of(1, t);
    inverse_rows(x, stride, width, t->log_n, 1, &p, &last);
}

static void columns_scale(uint64_t *x, size_t stride, size_t width, size_t rows, const uint64_t *s, const uint64_t *s52,
                          const uint64_t *s64, const gb_modulus *m) {
    const gb_v8_mod c = gb_v8_mod_of(m);
    for (size_t r = 0; r < rows; r++) {
        const __m512i w = gb_v8_set(s[r]), wq = gb_v8_set(s52[r]);
        uint64_t *p = x + r * stride;
        for (size_t i = 0; i < width; i += 8)
            gb_v8_store(p + i, gb_v8_fold(gb_v8_shoup(gb_v8_load(p + i), w, wq, &c), c.q));
    }
}

void gb_kernels_fill_ifma_ntt(gb_kernels *k) {
    k->ntt_forward = ntt_forward;
    k->ntt_forward_lazy = ntt_forward_lazy;
    k->ntt_inverse = ntt_inverse;
    k->columns_forward = columns_forward;
    k->columns_inverse = columns_inverse;
    k->columns_scale = columns_scale;
}
