/* NTTs on AVX2 and FMA, q < 2^50: residues are doubles from the first pass to the last (kernel/x86/fma.h), in the
 * caller's array. Radix 2 to 8 in registers, depth first; the last four levels of a row on 16 words.
 *
 * Forward: x is folded at the first level of each pass, of four levels at most. With c <= 4 in, the bounds after the
 * levels of a pass are 1.5, 2.19, 2.97, 3.84: always below 4.
 * Inverse: sums are folded at every second level at least. Let differences enter a pair of levels with c; the sums
 * reach 2c, the differences of these 4c, and products are below 1/2 + 4c/8. From c = 1 with words of one sign (the
 * first differences stay below 1 and 2) this gives 3/4, 7/8, 15/16.. below 1 - 2^-10 for the at most nine pairs there
 * are: differences stay below 4.
 *
 * Small q (below 2^45): the same with c < 128, and products below 1/2 + c/256. Forward: nothing is folded; from reduced
 * words 17 levels lead to c < 10. Inverse: sums are folded at level 0 of a pass and of a leaf only; four levels from
 * words below q lead to c <= 16.
 *
 * Node numbers as in ntt_ifma.c: node k splits by w[k] into 2k and 2k + 1. */
#include "kernel/tables.h"
#include "kernel/x86/fma.h"

typedef struct plan {
    gb_d4_mod m;
    const double *w; /* centred */
    bool small;
} plan;

GB_INLINE __m256d load(const uint64_t *p, bool words) {
    return words ? gb_d4_load(p) : _mm256_loadu_pd((const double *)p);
}

GB_INLINE void store(uint64_t *p, __m256d x, const plan *c, bool words) {
    if (words)
        gb_d4_store(p, x, &c->m);
    else
        _mm256_storeu_pd((double *)p, x);
}

GB_INLINE void forward_pair(__m256d *x, __m256d *y, __m256d w, __m256d wq, const plan *p, bool fold) {
    const __m256d a = fold ? gb_d4_fold(*x, &p->m) : *x, t = gb_d4_mul(*y, w, wq, &p->m);
    *x = _mm256_add_pd(a, t);
    *y = _mm256_sub_pd(a, t);
}

GB_INLINE void inverse_pair(__m256d *x, __m256d *y, __m256d w, __m256d wq, const plan *p, bool fold) {
    const __m256d s = _mm256_add_pd(*x, *y), d = _mm256_sub_pd(*x, *y);
    *x = fold ? gb_d4_fold(s, &p->m) : s;
    *y = gb_d4_mul(d, w, wq, &p->m);
}

GB_INLINE void forward_levels(__m256d *v, unsigned levels, size_t k, const plan *p, bool small) {
#pragma GCC unroll 3
    for (unsigned s = 0; s < levels; s++) {
        const unsigned half = 1u << (levels - 1 - s);
#pragma GCC unroll 4
        for (unsigned g = 0; g < 1u << s; g++) {
            const __m256d w = _mm256_broadcast_sd(&p->w[(k << s) + g]), wq = _mm256_mul_pd(w, p->m.q_inv);
#pragma GCC unroll 4
            for (unsigned j = 0; j < half; j++)
                forward_pair(&v[2 * g * half + j], &v[2 * g * half + j + half], w, wq, p, !small && s == 0);
        }
    }
}

/* The twiddles of the last level, with n^-1 in them. */
typedef struct scaling {
    __m256d s, sq, r, rq;
} scaling;

/* Level 0 of a pass comes last. Folded: level 0, and level 1 of three; the highest level of two or three is not. */
GB_INLINE void inverse_levels(__m256d *v, unsigned levels, size_t k, const plan *p, const scaling *last, bool small) {
#pragma GCC unroll 3
    for (unsigned s = levels; s-- > 0;) {
        const unsigned half = 1u << (levels - 1 - s);
#pragma GCC unroll 4
        for (unsigned g = 0; g < 1u << s; g++) {
            const __m256d w = _mm256_broadcast_sd(&p->w[(k << s) + g]), wq = _mm256_mul_pd(w, p->m.q_inv);
#pragma GCC unroll 4
            for (unsigned j = 0; j < half; j++) {
                __m256d *x = &v[2 * g * half + j], *y = x + half;
                if (s == 0 && last) {
                    const __m256d a = _mm256_add_pd(*x, *y), d = _mm256_sub_pd(*x, *y);
                    *x = gb_d4_mul(a, last->s, last->sq, &p->m);
                    *y = gb_d4_mul(d, last->r, last->rq, &p->m);
                } else
                    inverse_pair(x, y, w, wq, p, s == 0 || (!small && s + 1 < levels));
            }
        }
    }
}

/* One pass over 2^levels runs of `width` words, `step` apart. in, out: the array holds words before, after. */
GB_INLINE void forward_pass(uint64_t *x, size_t step, size_t width, unsigned levels, size_t k, const plan *p, bool in,
                            bool out, bool small) {
    const plan c = *p;
    for (size_t i = 0; i < width; i += 4) {
        __m256d v[8];
#pragma GCC unroll 8
        for (unsigned j = 0; j < 1u << levels; j++) v[j] = load(x + j * step + i, in);
        forward_levels(v, levels, k, &c, small);
#pragma GCC unroll 8
        for (unsigned j = 0; j < 1u << levels; j++) store(x + j * step + i, v[j], &c, out);
    }
}

GB_INLINE void inverse_pass(uint64_t *x, size_t step, size_t width, unsigned levels, size_t k, const plan *p, bool in,
                            const scaling *last, bool small) {
    const plan c = *p;
    for (size_t i = 0; i < width; i += 4) {
        __m256d v[8];
#pragma GCC unroll 8
        for (unsigned j = 0; j < 1u << levels; j++) v[j] = load(x + j * step + i, in);
        inverse_levels(v, levels, k, &c, last, small);
#pragma GCC unroll 8
        for (unsigned j = 0; j < 1u << levels; j++) store(x + j * step + i, v[j], &c, last != NULL);
    }
}

#define PASSES(levels)                                                                                                 \
    static void forward_pass_##levels(uint64_t *x, size_t step, size_t width, size_t k, const plan *p, bool in,        \
                                      bool out) {                                                                      \
        if (in && out)                                                                                                 \
            forward_pass(x, step, width, levels, k, p, true, true, false);                                             \
        else if (in)                                                                                                   \
            forward_pass(x, step, width, levels, k, p, true, false, false);                                            \
        else if (out)                                                                                                  \
            forward_pass(x, step, width, levels, k, p, false, true, false);                                            \
        else if (p->small)                                                                                             \
            forward_pass(x, step, width, levels, k, p, false, false, true);                                            \
        else                                                                                                           \
            forward_pass(x, step, width, levels, k, p, false, false, false);                                           \
    }                                                                                                                  \
    static void inverse_pass_##levels(uint64_t *x, size_t step, size_t width, size_t k, const plan *p, bool in,        \
                                      const scaling *last) {                                                           \
        if (in && last)                                                                                                \
            inverse_pass(x, step, width, levels, k, p, true, last, false);                                             \
        else if (in)                                                                                                   \
            inverse_pass(x, step, width, levels, k, p, true, NULL, false);                                             \
        else if (last && p->small)                                                                                     \
            inverse_pass(x, step, width, levels, k, p, false, last, true);                                             \
        else if (last)                                                                                                 \
            inverse_pass(x, step, width, levels, k, p, false, last, false);                                            \
        else if (p->small)                                                                                             \
            inverse_pass(x, step, width, levels, k, p, false, NULL, true);                                             \
        else                                                                                                           \
            inverse_pass(x, step, width, levels, k, p, false, NULL, false);                                            \
    }
PASSES(1)
PASSES(2)
PASSES(3)

static void forward_any(uint64_t *x, size_t step, size_t width, unsigned levels, size_t k, const plan *p, bool in,
                        bool out) {
    switch (levels) {
    case 1:
        forward_pass_1(x, step, width, k, p, in, out);
        break;
    case 2:
        forward_pass_2(x, step, width, k, p, in, out);
        break;
    default:
        forward_pass_3(x, step, width, k, p, in, out);
        break;
    }
}

static void inverse_any(uint64_t *x, size_t step, size_t width, unsigned levels, size_t k, const plan *p, bool in,
                        const scaling *last) {
    switch (levels) {
    case 1:
        inverse_pass_1(x, step, width, k, p, in, last);
        break;
    case 2:
        inverse_pass_2(x, step, width, k, p, in, last);
        break;
    default:
        inverse_pass_3(x, step, width, k, p, in, last);
        break;
    }
}

static unsigned next_levels(unsigned left) {
    const unsigned passes = (left + 2) / 3;
    return (left + passes - 1) / passes;
}

/* ---- rows: the last four levels on 16 words; two across registers, two across lanes of the pairs a, b ---- */

GB_INLINE __m256d two_twice(const double *w) { /* w0 w0 w1 w1 */
    return _mm256_permute4x64_pd(_mm256_castpd128_pd256(_mm_loadu_pd(w)), 0x50);
}

GB_INLINE void forward_leaf(uint64_t *x, size_t k, const plan *p, bool small) {
    __m256d v[4];
#pragma GCC unroll 4
    for (unsigned j = 0; j < 4; j++) v[j] = _mm256_loadu_pd((const double *)x + 4 * j);
    forward_levels(v, 2, k, p, small);
#pragma GCC unroll 2
    for (unsigned j = 0; j < 4; j += 2) {
        const size_t n2 = 4 * k + j, n1 = 2 * n2;
        __m256d w = two_twice(p->w + n2);
        __m256d a = _mm256_permute2f128_pd(v[j], v[j + 1], 0x20); /* a0 a1 b0 b1 */
        __m256d b = _mm256_permute2f128_pd(v[j], v[j + 1], 0x31); /* a2 a3 b2 b3 */
        forward_pair(&a, &b, w, _mm256_mul_pd(w, p->m.q_inv), p, false);
        __m256d c = _mm256_unpacklo_pd(a, b), d = _mm256_unpackhi_pd(a, b); /* a0 a2 b0 b2, a1 a3 b1 b3 */
        w = _mm256_loadu_pd(p->w + n1);
        forward_pair(&c, &d, w, _mm256_mul_pd(w, p->m.q_inv), p, false);
        a = _mm256_unpacklo_pd(c, d);
        b = _mm256_unpackhi_pd(c, d);
        gb_d4_store(x + 4 * j, _mm256_permute2f128_pd(a, b, 0x20), &p->m);
        gb_d4_store(x + 4 * j + 4, _mm256_permute2f128_pd(a, b, 0x31), &p->m);
    }
}

GB_INLINE void inverse_leaf(uint64_t *x, const uint64_t *in, size_t k, const plan *p, bool small) {
    __m256d v[4];
#pragma GCC unroll 2
    for (unsigned j = 0; j < 4; j += 2) {
        const size_t n2 = 4 * k + j, n1 = 2 * n2;
        const __m256d e = gb_d4_load(in + 4 * j), f = gb_d4_load(in + 4 * j + 4);
        __m256d a = _mm256_permute2f128_pd(e, f, 0x20), b = _mm256_permute2f128_pd(e, f, 0x31);
        __m256d c = _mm256_unpacklo_pd(a, b), d = _mm256_unpackhi_pd(a, b);
        __m256d w = _mm256_loadu_pd(p->w + n1);
        inverse_pair(&c, &d, w, _mm256_mul_pd(w, p->m.q_inv), p, false);
        a = _mm256_unpacklo_pd(c, d);
        b = _mm256_unpackhi_pd(c, d);
        w = two_twice(p->w + n2);
        inverse_pair(&a, &b, w, _mm256_mul_pd(w, p->m.q_inv), p, !small);
        v[j] = _mm256_permute2f128_pd(a, b, 0x20);
        v[j + 1] = _mm256_permute2f128_pd(a, b, 0x31);
    }
    inverse_levels(v, 2, k, p, NULL, small);
#pragma GCC unroll 4
    for (unsigned j = 0; j < 4; j++) _mm256_storeu_pd((double *)x + 4 * j, v[j]);
}

static void forward_leaves(uint64_t *x, size_t count, size_t k, const plan *p) {
    const plan c = *p;
    if (p->small)
        for (size_t i = 0; i < count; i++) forward_leaf(x + 16 * i, k + i, &c, true);
    else
        for (size_t i = 0; i < count; i++) forward_leaf(x + 16 * i, k + i, &c, false);
}

static void inverse_leaves(uint64_t *x, const uint64_t *in, size_t count, size_t k, const plan *p) {
    const plan c = *p;
    if (p->small)
        for (size_t i = 0; i < count; i++) inverse_leaf(x + 16 * i, in + 16 * i, k + i, &c, true);
    else
        for (size_t i = 0; i < count; i++) inverse_leaf(x + 16 * i, in + 16 * i, k + i, &c, false);
}

/* All levels of a block of 2^log_n >= 32 words at node k; node 1 is the whole transform. */
static void forward_block(uint64_t *x, unsigned log_n, size_t k, const plan *p) {
    const unsigned levels = next_levels(log_n - 4), below = log_n - levels;
    const size_t step = (size_t)1 << below, parts = (size_t)1 << levels;
    forward_any(x, step, step, levels, k, p, k == 1, false);
    if (below == 4)
        forward_leaves(x, parts, k << levels, p);
    else
        for (size_t j = 0; j < parts; j++) forward_block(x + j * step, below, (k << levels) + j, p);
}

static void inverse_block(uint64_t *x, const uint64_t *in, unsigned log_n, size_t k, const plan *p,
                          const scaling *last) {
    const unsigned levels = next_levels(log_n - 4), below = log_n - levels;
    const size_t step = (size_t)1 << below, parts = (size_t)1 << levels;
    if (below == 4)
        inverse_leaves(x, in, parts, k << levels, p);
    else
        for (size_t j = 0; j < parts; j++)
            inverse_block(x + j * step, in + j * step, below, (k << levels) + j, p, NULL);
    inverse_any(x, step, step, levels, k, p, false, last);
}

static plan plan_of(const gb_ntt *t, bool inverse) {
    return (plan){.m = gb_d4_mod_of(&t->m), .w = inverse ? t->iwd : t->wd, .small = t->m.bits <= 45};
}

/* By f / n. */
static scaling scaling_of(uint64_t f, const gb_ntt *t) {
    const uint64_t q = t->m.q, g = gb_fold(gb_shoup_lazy(f, t->n_inv, t->n_inv64, q), q);
    const uint64_t r = gb_fold(gb_shoup_lazy(t->iw[1], g, gb_shoup_of(g, &t->m), q), q);
    const double s = gb_centred(g, q), d = gb_centred(r, q), inverse = 1.0 / (double)q;
    return (scaling){.s = _mm256_set1_pd(s),
                     .sq = _mm256_set1_pd(s * inverse),
                     .r = _mm256_set1_pd(d),
                     .rq = _mm256_set1_pd(d * inverse)};
}

static void ntt_forward(uint64_t *x, const gb_ntt *t) {
    if (t->log_n < 5) {
        gb_ref_ntt_forward(x, t);
        return;
    }
    const plan p = plan_of(t, false);
    forward_block(x, t->log_n, 1, &p);
}

static void ntt_inverse(uint64_t *x, const uint64_t *in, uint64_t s, const gb_ntt *t) {
    if (t->log_n < 5) {
        gb_ref_ntt_inverse(x, in, s, t);
        return;
    }
    const plan p = plan_of(t, true);
    const scaling last = scaling_of(s, t);
    inverse_block(x, in, t->log_n, 1, &p, &last);
}

/* ---- columns: a row in place of a word ---- */

static void forward_rows(uint64_t *x, size_t stride, size_t width, unsigned log_n, size_t k, const plan *p) {
    const unsigned levels = next_levels(log_n), below = log_n - levels;
    const size_t rows = (size_t)1 << below, parts = (size_t)1 << levels;
    for (size_t r = 0; r < rows; r++)
        forward_any(x + r * stride, rows * stride, width, levels, k, p, k == 1, below == 0);
    for (size_t j = 0; below > 0 && j < parts; j++)
        forward_rows(x + j * rows * stride, stride, width, below, (k << levels) + j, p);
}

static void inverse_rows(uint64_t *x, size_t stride, size_t width, unsigned log_n, size_t k, const plan *p,
                         const scaling *last) {
    const unsigned levels = next_levels(log_n), below = log_n - levels;
    const size_t rows = (size_t)1 << below, parts = (size_t)1 << levels;
    for (size_t j = 0; below > 0 && j < parts; j++)
        inverse_rows(x + j * rows * stride, stride, width, below, (k << levels) + j, p, NULL);
    for (size_t r = 0; r < rows; r++) inverse_any(x + r * stride, rows * stride, width, levels, k, p, below == 0, last);
}

static void columns_forward(uint64_t *x, size_t stride, size_t width, const gb_ntt *t) {
    const plan p = plan_of(t, false);
    forward_rows(x, stride, width, t->log_n, 1, &p);
}

static void columns_inverse(uint64_t *x, size_t stride, size_t width, const gb_ntt *t) {
    const plan p = plan_of(t, true);
    const scaling last = scaling_of(1, t);
    inverse_rows(x, stride, width, t->log_n, 1, &p, &last);
}

static void columns_scale(uint64_t *x, size_t stride, size_t width, size_t rows, const uint64_t *s, const uint64_t *s52,
                          const uint64_t *s64, const gb_modulus *m) {
    const gb_d4_mod c = gb_d4_mod_of(m);
    for (size_t r = 0; r < rows; r++) {
        const __m256d w = _mm256_set1_pd(gb_centred(s[r], m->q)), wq = _mm256_mul_pd(w, c.q_inv);
        uint64_t *p = x + r * stride;
        for (size_t i = 0; i < width; i += 4) gb_d4_store(p + i, gb_d4_mul(gb_d4_load(p + i), w, wq, &c), &c);
    }
}

void gb_kernels_fill_avx2_ntt(gb_kernels *k) {
    k->ntt_forward = ntt_forward;
    k->ntt_forward_lazy = ntt_forward;
    k->ntt_inverse = ntt_inverse;
    k->columns_forward = columns_forward;
    k->columns_inverse = columns_inverse;
    k->columns_scale = columns_scale;
}
