/* NTTs on AVX-512 IFMA, q < 2^50. Harvey's lazy butterflies, radix 4 to 16 in registers, depth first: after the first
 * pass a block is finished while it is in the first-level cache. The last six levels of a row run on 64 words held in
 * eight registers, the last three of them across lanes.
 *
 * Node numbers: the whole transform is node 1; node k splits by the twiddle w[k] into nodes 2k and 2k + 1.
 *
 * Two ranges. Strict (q < 2^50): every word below 4q <= 2^52 between levels, x folded to 2q at every level. Lazy (q <
 * 2^49): below 8q <= 2^52, x folded to 4q at every other level, and products keep their stray bit 52 until then: only
 * the low 52 bits of a word count, which is all that the multiplier reads. */
#include "kernel/tables.h"
#include "kernel/x86/ifma.h"

typedef struct plan {
    gb_v8_mod m;
    const uint64_t *w, *wq;
    bool lazy;
} plan;

/* ---- forward ---- */

/* Strict: x, y < 4q -> x + w y, x - w y < 4q. Lazy: x < 8q, y < 8q; with fold < 6q, without 2q more than x. */
GB_INLINE void forward_pair(__m512i *x, __m512i *y, __m512i w, __m512i wq, const plan *p, bool lazy, bool fold) {
    __m512i a = *x, t;
    if (lazy) {
        if (fold) a = gb_v8_fold(_mm512_and_si512(a, p->m.mask), p->m.q4);
        t = gb_v8_shoup_dirty(*y, w, wq, &p->m);
    } else {
        a = gb_v8_fold(a, p->m.q2);
        t = gb_v8_shoup(*y, w, wq, &p->m);
    }
    *x = _mm512_add_epi64(a, t);
    *y = _mm512_add_epi64(_mm512_sub_epi64(a, t), p->m.q2);
}

/* The last level: the same ranges in, reduced out. */
GB_INLINE void forward_pair_last(__m512i *x, __m512i *y, __m512i w, __m512i wq, const plan *p, bool lazy) {
    __m512i a = *x;
    if (lazy) a = gb_v8_fold(_mm512_and_si512(a, p->m.mask), p->m.q4);
    a = gb_v8_fold(gb_v8_fold(a, p->m.q2), p->m.q);
    const __m512i t = gb_v8_fold(gb_v8_shoup(*y, w, wq, &p->m), p->m.q);
    *x = gb_v8_fold(_mm512_add_epi64(a, t), p->m.q);
    const __m512i d = _mm512_sub_epi64(a, t);
    *y = _mm512_min_epu64(d, _mm512_add_epi64(d, p->m.q));
}

/* `levels` levels from node k on 2^levels registers. last: they end the transform. Lazy folds at levels 0, 2: a pass
 * takes words below 8q and leaves them so. */
GB_INLINE void forward_levels(__m512i *v, unsigned levels, size_t k, const plan *p, bool lazy, bool last) {
#pragma GCC unroll 4
    for (unsigned s = 0; s < levels; s++) {
        const unsigned half = 1u << (levels - 1 - s);
#pragma GCC unroll 8
        for (unsigned g = 0; g < 1u << s; g++) {
            const __m512i w = gb_v8_set(p->w[(k << s) + g]), wq = gb_v8_set(p->wq[(k << s) + g]);
#pragma GCC unroll 8
            for (unsigned j = 0; j < half; j++) {
                __m512i *x = &v[2 * g * half + j], *y = x + half;
                if (last && s + 1 == levels)
                    forward_pair_last(x, y, w, wq, p, lazy);
                else
                    forward_pair(x, y, w, wq, p, lazy, s % 2 == 0);
            }
        }
    }
}

/* One pass over 2^levels runs of `width` words, `step` words apart. */
GB_INLINE void forward_pass(uint64_t *x, size_t step, size_t width, unsigned levels, size_t k, const plan *p, bool lazy,
                            bool last) {
    for (size_t i = 0; i < width; i += 8) {
        __m512i v[16];
#pragma GCC unroll 16
        for (unsigned j = 0; j < 1u << levels; j++) v[j] = gb_v8_load(x + j * step + i);
        forward_levels(v, levels, k, p, lazy, last);
#pragma GCC unroll 16
        for (unsigned j = 0; j < 1u << levels; j++) gb_v8_store(x + j * step + i, v[j]);
    }
}

#define FORWARD_PASS(levels)                                                                                           \
    static void forward_pass_##levels(uint64_t *x, size_t step, size_t width, size_t k, const plan *p, bool last) {    \
        if (p->lazy && last)                                                                                           \
            forward_pass(x, step, width, levels, k, p, true, true);                                                    \
        else if (p->lazy)                                                                                              \
            forward_pass(x, step, width, levels, k, p, true, false);                                                   \
        else if (last)                                                                                                 \
            forward_pass(x, step, width, levels, k, p, false, true);                                                   \
        else                                                                                                           \
            forward_pass(x, step, width, levels, k, p, false, false);                                                  \
    }
FORWARD_PASS(1)
FORWARD_PASS(2)
FORWARD_PASS(3)
FORWARD_PASS(4)

static void forward_any(uint64_t *x, size_t step, size_t width, unsigned levels, size_t k, const plan *p, bool last) {
    switch (levels) {
    case 1:
        forward_pass_1(x, step, width, k, p, last);
        break;
    case 2:
        forward_pass_2(x, step, width, k, p, last);
        break;
    case 3:
        forward_pass_3(x, step, width, k, p, last);
        break;
    default:
        forward_pass_4(x, step, width, k, p, last);
        break;
    }
}

/* Levels of the next pass when `left` are to do: as few passes as radix 16 allows, of even size. */
static unsigned next_levels(unsigned left) {
    const unsigned passes = (left + 3) / 4;
    return (left + passes - 1) / passes;
}

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

/* 64 words from node k: three levels across registers, three across lanes; the end of the transform. */
GB_INLINE void forward_leaf(uint64_t *x, size_t k, const plan *p, bool lazy) {
    __m512i v[8];
#pragma GCC unroll 8
    for (unsigned j = 0; j < 8; j++) v[j] = gb_v8_load(x + 8 * j);
    forward_levels(v, 3, k, p, lazy, false);
#pragma GCC unroll 4
    for (unsigned j = 0; j < 8; j += 2) {
        const size_t n4 = 8 * k + j, n2 = 2 * n4, n1 = 4 * n4; /* first node of the pair at each level */
        interleave(&v[j], &v[j + 1]);
        forward_pair(&v[j], &v[j + 1], load_two(p->w + n4), load_two(p->wq + n4), p, lazy, false);
        interleave(&v[j], &v[j + 1]);
        forward_pair(&v[j], &v[j + 1], load_four(p->w + n2), load_four(p->wq + n2), p, lazy, true);
        interleave(&v[j], &v[j + 1]);
        forward_pair_last(&v[j], &v[j + 1], gb_v8_load(p->w + n1), gb_v8_load(p->wq + n1), p, lazy);
        interleave(&v[j], &v[j + 1]);
        gb_v8_store(x + 8 * j, v[j]);
        gb_v8_store(x + 8 * j + 8, v[j + 1]);
    }
}

static void forward_leaves(uint64_t *x, size_t count, size_t k, const plan *p) {
    const plan local = *p;
    if (p->lazy)
        for (size_t i = 0; i < count; i++) forward_leaf(x + 64 * i, k + i, &local, true);
    else
        for (size_t i = 0; i < count; i++) forward_leaf(x + 64 * i, k + i, &local, false);
}

/* All levels of a block of 2^log_n >= 64 words at node k. */
static void forward_block(uint64_t *x, unsigned log_n, size_t k, const plan *p) {
    if (log_n == 6) {
        forward_leaves(x, 1, k, p);
        return;
    }
    const unsigned levels = next_levels(log_n - 6), below = log_n - levels;
    const size_t step = (size_t)1 << below, parts = (size_t)1 << levels;
    forward_any(x, step, step, levels, k, p, false);
    if (below == 6)
        forward_leaves(x, parts, k << levels, p);
    else
        for (size_t j = 0; j < parts; j++) forward_block(x + j * step, below, (k << levels) + j, p);
}

static plan plan_of(const gb_ntt *t, bool inverse) {
    return (plan){.m = gb_v8_mod_of(&t->m),
                  .w = inverse ? t->iw : t->w,
                  .wq = inverse ? t->iw52 : t->w52,
                  .lazy = t->m.bits <= 49};
}

static void ntt_forward(uint64_t *x, const gb_ntt *t) {
    if (t->log_n < 6) {
        gb_ref_ntt_forward(x, t);
        return;
    }
    const plan p = plan_of(t, false);
    forward_block(x, t->log_n, 1, &p);
}

/* ---- inverse: words below 2q between levels ---- */

/* x, y < 2q -> x + y, (x - y) w, both < 2q; x - y + 2q < 4q <= 2^52. */
GB_INLINE void inverse_pair(__m512i *x, __m512i *y, __m512i w, __m512i wq, const plan *p) {
    const __m512i a = *x, b = *y;
    *x = gb_v8_fold(_mm512_add_epi64(a, b), p->m.q2);
    *y = gb_v8_shoup(_mm512_add_epi64(_mm512_sub_epi64(a, b), p->m.q2), w, wq, &p->m);
}

/* The last level with the scaling by n^-1 in both twiddles: reduced out. */
typedef struct scaling {
    __m512i s, sq; /* n^-1 */
    __m512i r, rq; /* n^-1 times the last twiddle */
} scaling;

GB_INLINE void inverse_pair_last(__m512i *x, __m512i *y, const scaling *s, const plan *p) {
    const __m512i a = *x, b = *y, d = _mm512_add_epi64(_mm512_sub_epi64(a, b), p->m.q2);
    *x = gb_v8_fold(gb_v8_shoup(_mm512_add_epi64(a, b), s->s, s->sq, &p->m), p->m.q);
    *y = gb_v8_fold(gb_v8_shoup(d, s->r, s->rq, &p->m), p->m.q);
}

GB_INLINE void inverse_levels(__m512i *v, unsigned levels, size_t k, const plan *p, const scaling *last) {
#pragma GCC unroll 4
    for (unsigned s = levels; s-- > 0;) {
        const unsigned half = 1u << (levels - 1 - s);
#pragma GCC unroll 8
        for (unsigned g = 0; g < 1u << s; g++) {
            const __m512i w = gb_v8_set(p->w[(k << s) + g]), wq = gb_v8_set(p->wq[(k << s) + g]);
#pragma GCC unroll 8
            for (unsigned j = 0; j < half; j++) {
                __m512i *x = &v[2 * g * half + j];
                if (s == 0 && last)
                    inverse_pair_last(x, x + half, last, p);
                else
                    inverse_pair(x, x + half, w, wq, p);
            }
        }
    }
}

GB_INLINE void inverse_pass(uint64_t *x, size_t step, size_t width, unsigned levels, size_t k, const plan *p,
                            const scaling *last) {
    for (size_t i = 0; i < width; i += 8) {
        __m512i v[16];
#pragma GCC unroll 16
        for (unsigned j = 0; j < 1u << levels; j++) v[j] = gb_v8_load(x + j * step + i);
        inverse_levels(v, levels, k, p, last);
#pragma GCC unroll 16
        for (unsigned j = 0; j < 1u << levels; j++) gb_v8_store(x + j * step + i, v[j]);
    }
}

#define INVERSE_PASS(levels)                                                                                           \
    static void inverse_pass_##levels(uint64_t *x, size_t step, size_t width, size_t k, const plan *p,                 \
                                      const scaling *last) {                                                           \
        if (last)                                                                                                      \
            inverse_pass(x, step, width, levels, k, p, last);                                                          \
        else                                                                                                           \
            inverse_pass(x, step, width, levels, k, p, NULL);                                                          \
    }
INVERSE_PASS(1)
INVERSE_PASS(2)
INVERSE_PASS(3)
INVERSE_PASS(4)

static void inverse_any(uint64_t *x, size_t step, size_t width, unsigned levels, size_t k, const plan *p,
                        const scaling *last) {
    switch (levels) {
    case 1:
        inverse_pass_1(x, step, width, k, p, last);
        break;
    case 2:
        inverse_pass_2(x, step, width, k, p, last);
        break;
    case 3:
        inverse_pass_3(x, step, width, k, p, last);
        break;
    default:
        inverse_pass_4(x, step, width, k, p, last);
        break;
    }
}

GB_INLINE void inverse_leaf(uint64_t *x, size_t k, const plan *p, const scaling *last) {
    __m512i v[8];
#pragma GCC unroll 4
    for (unsigned j = 0; j < 8; j += 2) {
        const size_t n4 = 8 * k + j, n2 = 2 * n4, n1 = 4 * n4;
        v[j] = gb_v8_load(x + 8 * j);
        v[j + 1] = gb_v8_load(x + 8 * j + 8);
        deinterleave(&v[j], &v[j + 1]);
        inverse_pair(&v[j], &v[j + 1], gb_v8_load(p->w + n1), gb_v8_load(p->wq + n1), p);
        deinterleave(&v[j], &v[j + 1]);
        inverse_pair(&v[j], &v[j + 1], load_four(p->w + n2), load_four(p->wq + n2), p);
        deinterleave(&v[j], &v[j + 1]);
        inverse_pair(&v[j], &v[j + 1], load_two(p->w + n4), load_two(p->wq + n4), p);
        deinterleave(&v[j], &v[j + 1]);
    }
    inverse_levels(v, 3, k, p, last);
#pragma GCC unroll 8
    for (unsigned j = 0; j < 8; j++) gb_v8_store(x + 8 * j, v[j]);
}

static void inverse_leaves(uint64_t *x, size_t count, size_t k, const plan *p, const scaling *last) {
    const plan local = *p;
    if (last)
        inverse_leaf(x, k, &local, last); /* n = 64: the leaf is the transform */
    else
        for (size_t i = 0; i < count; i++) inverse_leaf(x + 64 * i, k + i, &local, NULL);
}

static void inverse_block(uint64_t *x, unsigned log_n, size_t k, const plan *p, const scaling *last) {
    if (log_n == 6) {
        inverse_leaves(x, 1, k, p, last);
        return;
    }
    const unsigned levels = next_levels(log_n - 6), below = log_n - levels;
    const size_t step = (size_t)1 << below, parts = (size_t)1 << levels;
    if (below == 6)
        inverse_leaves(x, parts, k << levels, p, NULL);
    else
        for (size_t j = 0; j < parts; j++) inverse_block(x + j * step, below, (k << levels) + j, p, NULL);
    inverse_any(x, step, step, levels, k, p, last);
}

static scaling scaling_of(const gb_ntt *t) {
    const uint64_t r = gb_fold(gb_shoup_lazy(t->iw[1], t->n_inv, t->n_inv64, t->m.q), t->m.q);
    return (scaling){.s = gb_v8_set(t->n_inv),
                     .sq = gb_v8_set(t->n_inv52),
                     .r = gb_v8_set(r),
                     .rq = gb_v8_set(gb_shoup_of(r, &t->m) >> 12)};
}

static void ntt_inverse(uint64_t *x, const gb_ntt *t) {
    if (t->log_n < 6) {
        gb_ref_ntt_inverse(x, t);
        return;
    }
    const plan p = plan_of(t, true);
    const scaling last = scaling_of(t);
    inverse_block(x, t->log_n, 1, &p, &last);
}

/* ---- columns: the same passes with a row in place of a word; the row loop is the long one ---- */

static void forward_rows(uint64_t *x, size_t stride, size_t width, unsigned log_n, size_t k, const plan *p) {
    const unsigned levels = next_levels(log_n), below = log_n - levels;
    const size_t rows = (size_t)1 << below, parts = (size_t)1 << levels;
    for (size_t r = 0; r < rows; r++) forward_any(x + r * stride, rows * stride, width, levels, k, p, below == 0);
    for (size_t j = 0; below > 0 && j < parts; j++)
        forward_rows(x + j * rows * stride, stride, width, below, (k << levels) + j, p);
}

static void inverse_rows(uint64_t *x, size_t stride, size_t width, unsigned log_n, size_t k, const plan *p,
                         const scaling *last) {
    const unsigned levels = next_levels(log_n), below = log_n - levels;
    const size_t rows = (size_t)1 << below, parts = (size_t)1 << levels;
    for (size_t j = 0; below > 0 && j < parts; j++)
        inverse_rows(x + j * rows * stride, stride, width, below, (k << levels) + j, p, NULL);
    for (size_t r = 0; r < rows; r++) inverse_any(x + r * stride, rows * stride, width, levels, k, p, last);
}

static void columns_forward(uint64_t *x, size_t stride, size_t width, const gb_ntt *t) {
    const plan p = plan_of(t, false);
    forward_rows(x, stride, width, t->log_n, 1, &p);
}

static void columns_inverse(uint64_t *x, size_t stride, size_t width, const gb_ntt *t) {
    const plan p = plan_of(t, true);
    const scaling last = scaling_of(t);
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
    k->ntt_inverse = ntt_inverse;
    k->columns_forward = columns_forward;
    k->columns_inverse = columns_inverse;
    k->columns_scale = columns_scale;
}
