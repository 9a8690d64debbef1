/* Bounds of BFV polynomials: the tree of bfv/evaluate.c, with noise in place of ciphertexts. */
#include "scheme/circuit/bounds.h"

typedef struct walk {
    const gb_noise_model *m;
    uint64_t t;
    unsigned level[GB_BFV_DEPTH_MAX + 1];
    gb_bfv_powers plan;
    gb_noise power[GB_BFV_BABY_MAX], giant[GB_BFV_DEPTH_MAX + 1];
} walk;

static unsigned floor_log2(size_t x) { return 63 - (unsigned)__builtin_clzll(x); }

static void lower(gb_noise *n, const walk *s, unsigned limbs) {
    if (n->limbs > limbs) gb_noise_bfv_divide(n, s->m, n, n->limbs - limbs);
}

static void product(gb_noise *out, const walk *s, gb_noise *a, gb_noise *b, unsigned depth) {
    lower(a, s, s->level[depth]);
    lower(b, s, s->level[depth]);
    gb_noise_bfv_tensor(out, s->m, a, b, s->t);
    gb_noise_relinearize(out, s->m, out);
    lower(out, s, s->level[depth + 1]);
}

static int64_t centred(uint64_t c, uint64_t t) { return c > t / 2 ? (int64_t)(c - t) : (int64_t)c; }

static void make_powers(walk *s, size_t degree) {
    for (size_t i = 2; i < s->plan.baby; i++) {
        const unsigned d = floor_log2(i - 1);
        const size_t h = (size_t)1 << d;
        if (s->plan.need[i]) product(&s->power[i], s, &s->power[h], &s->power[i - h], d);
    }
    gb_noise *last = &s->power[s->plan.baby / 2];
    for (unsigned k = floor_log2(s->plan.baby); degree >> k; last = &s->giant[k++])
        product(&s->giant[k], s, last, last, k - 1);
    for (size_t i = 1; i < s->plan.baby; i++)
        if (s->plan.need[i]) lower(&s->power[i], s, s->level[s->plan.leaf]);
}

static void leaf(gb_noise *out, walk *s, const uint64_t *c, size_t degree) {
    *out =
        (gb_noise){-INFINITY, -INFINITY, s->power[1].message_worst, s->power[1].message_rms, s->power[1].limbs, 2, 0};
    for (size_t i = 1; i <= degree; i++) {
        gb_noise term;
        if (!c[i]) continue;
        gb_noise_bfv_mul_scalar(&term, &s->power[i], centred(c[i], s->t));
        gb_noise_bfv_add(out, s->m, out, &term, s->t);
    }
    if (c[0]) gb_noise_bfv_add_plain(out, s->m, out);
}

static size_t trimmed(const uint64_t *c, size_t degree) {
    while (degree && !c[degree]) degree--;
    return degree;
}

/* Recursive; p = q x^m + r, m the largest power of two in the degree. */
static void eval(gb_noise *out, walk *s, const uint64_t *c, size_t degree, unsigned depth) {
    gb_noise high, low;
    degree = trimmed(c, degree);
    if (degree < s->plan.baby) {
        leaf(out, s, c, degree);
        lower(out, s, s->level[depth]);
        return;
    }
    const unsigned k = floor_log2(degree);
    const size_t m = (size_t)1 << k;
    if (trimmed(c + m, degree - m) == 0) {
        gb_noise_bfv_mul_scalar(&high, &s->giant[k], centred(c[m], s->t));
        lower(&high, s, s->level[k + 1]);
    } else {
        eval(&high, s, c + m, degree - m, k);
        product(&high, s, &high, &s->giant[k], k);
    }
    eval(&low, s, c, m - 1, k + 1);
    gb_noise_bfv_add(out, s->m, &high, &low, s->t);
    lower(out, s, s->level[depth]);
}

gb_status gb_bounds_bfv_poly(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x,
                             const gb_bfv_poly *p, uint64_t t) {
    const unsigned depth = gb_bfv_poly_depth(p);
    walk *s;
    GB_TRY(gb_alloc_zero(&s, ctx, 1, sizeof *s));
    s->m = m, s->t = t, s->power[1] = *x;
    gb_bfv_poly_levels(s->level, m->params, t, m->digit, x->limbs, depth);
    gb_bfv_poly_powers(&s->plan, p);
    make_powers(s, p->degree);
    eval(out, s, p->c, p->degree, p->degree < 2 ? 0 : depth);
    gb_free(s);
    return GB_OK;
}
