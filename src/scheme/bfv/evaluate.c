/* Polynomials of ciphertexts: powers and sums, with primes dropped as the noise grows.
 *
 * p(x) = q(x) x^m + r(x), m = 2^k, down to sums of the powers below `baby` (Paterson and Stockmeyer). After d products
 * in a row a value has level[d] primes; powers are made in the order of their depth and lowered where they stand, for
 * every later use is deeper. */
#include <math.h>

#include "scheme/bfv/internal.h"
#include "scheme/bfv/predicates.h"
#include "scheme/core/noise.h"

gb_status gb_bfv_mul_scalar(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, int64_t s) {
    const gb_bfv *b = gb_bfv_eval_context(x);
    gb_ctx *ctx = gb_eval_ctx(gb_bfv_eval_core(x));
    if (!gb_params_same(a->params, b->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "ciphertext and BFV context have different parameters");
    GB_TRY(gb_ct_copy(out, ctx, a));
    const uint64_t r = gb_bfv_residue(b, s);
    for (unsigned j = 0; j < out->limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(b->ring, j);
        for (unsigned p = 0; p < out->parts; p++)
            gb_ring_kernels(b->ring)->mul_scalar(gb_ct_limb(out, p, j), gb_ct_limb(out, p, j), gb_bfv_centred(b, r, m),
                                                 gb_ring_n(b->ring), m);
    }
    return GB_OK;
}

/* A constant polynomial is that constant in every entry of its transform. */
gb_status gb_bfv_add_scalar(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, int64_t s) {
    const gb_bfv *b = gb_bfv_eval_context(x);
    gb_eval *e = gb_bfv_eval_core(x);
    const size_t n = gb_ring_n(b->ring);
    uint64_t *row;
    if (!gb_params_same(a->params, b->params) || !a->ntt)
        return gb_fail(e->ctx, GB_ERR_PARAMS, "ciphertext and BFV context have different parameters");
    GB_TRY(gb_ct_copy(out, e->ctx, a));
    GB_TRY(gb_eval_borrow(&row, e, n));
    for (unsigned j = 0; j < out->limbs; j++) {
        const uint64_t v = gb_bfv_scaled(b, out->limbs, j, gb_bfv_residue(b, s));
        for (size_t i = 0; i < n; i++) row[i] = v;
        gb_ring_kernels(b->ring)->add(gb_ct_limb(out, 0, j), gb_ct_limb(out, 0, j), row, n,
                                      gb_ring_modulus(b->ring, j));
    }
    gb_eval_return(e, row);
    return GB_OK;
}

/* ---- levels ---- */
/* Drops a level of *n where that costs little. */
static bool drop(gb_noise *n, const gb_noise_model *m) {
    const gb_ring *r = gb_params_ring(m->params);
    const unsigned level = gb_params_level(m->params, n->limbs);
    gb_noise dropped, used;
    if (level == 0) return false;
    gb_noise_bfv_divide(&dropped, m, n, n->limbs - gb_params_limbs(m->params, level - 1));
    gb_noise_automorphism(&used, m, &dropped);
    const double bits = gb_ring_log2_q(r, n->limbs) - gb_ring_log2_q(r, dropped.limbs);
    if (!(used.rms - (n->rms - bits) < GB_BFV_DROP_COST)) return false;
    *n = dropped;
    return true;
}

void gb_bfv_poly_levels(unsigned *limbs, const gb_params *p, uint64_t t, unsigned digit, unsigned top, unsigned depth) {
    gb_noise_model m;
    gb_noise n;
    gb_noise_model_init(&m, p, digit);
    gb_noise_bfv_fresh(&n, &m, top, t, false);
    limbs[0] = top;
    for (unsigned d = 1; d <= depth; d++) {
        gb_noise_bfv_tensor(&n, &m, &n, &n, t);
        gb_noise_relinearize(&n, &m, &n);
        while (drop(&n, &m)) continue;
        limbs[d] = n.limbs;
    }
}

/* ---- the tree ---- */
static unsigned ceil_log2(size_t x) { return x < 2 ? 0 : 64 - (unsigned)__builtin_clzll(x - 1); }
static unsigned floor_log2(size_t x) { return 63 - (unsigned)__builtin_clzll(x); }

void gb_bfv_poly_powers(gb_bfv_powers *out, const gb_bfv_poly *p) {
    const size_t baby = gb_max_size(2, (size_t)1 << (gb_bfv_poly_depth(p) + 1) / 2);
    bool *need = out->need;
    *out = (gb_bfv_powers){.baby = baby};
    for (size_t i = 0; i <= p->degree; i++)
        if (p->c[i] && i % baby) need[i % baby] = true;
    for (size_t i = 2; i < baby; i++)
        if (need[i]) out->leaf = ceil_log2(i);
    need[1] = true;
    if (p->degree >= baby) need[baby / 2] = true; /* squared, it is the first giant step */
    for (size_t i = baby - 1; i > 1; i--) {
        const size_t h = (size_t)1 << (ceil_log2(i) - 1);
        if (need[i]) need[h] = need[i - h] = true;
    }
}

typedef struct tree {
    gb_bfv_eval *e;
    gb_eval *core;
    const gb_bfv *b;
    const gb_eval_keys *keys;
    const unsigned *level; /* [depth] */
    gb_bfv_powers plan;
    gb_ct power[GB_BFV_BABY_MAX];      /* x^i, i < baby */
    gb_ct giant[GB_BFV_DEPTH_MAX + 1]; /* x^(2^k), 2^k >= baby */
    uint64_t *ones;                    /* N words 1 */
} tree;

static gb_status lower(gb_ct *c, gb_eval *e, unsigned limbs) {
    return c->limbs > limbs ? gb_ct_divide(c, e, c->limbs - limbs) : GB_OK;
}

/* *out, a loan made here, = a b for operands of depth d at most. */
static gb_status multiply(gb_ct *out, const tree *s, gb_ct *a, gb_ct *b, unsigned d) {
    GB_TRY(lower(a, s->core, s->level[d]));
    GB_TRY(lower(b, s->core, s->level[d]));
    GB_TRY(gb_eval_ct(out, s->core, 3, a->limbs));
    GB_TRY(gb_bfv_mul(out, s->e, a, b, s->keys));
    return lower(out, s->core, s->level[d + 1]);
}

static gb_status make_powers(tree *s, const gb_ct *x, size_t degree) {
    GB_TRY(gb_eval_ct(&s->power[1], s->core, 2, x->limbs));
    GB_TRY(gb_ct_copy(&s->power[1], s->core->ctx, x));
    for (size_t i = 2; i < s->plan.baby; i++) {
        const unsigned d = ceil_log2(i) - 1;
        const size_t h = (size_t)1 << d;
        if (s->plan.need[i]) GB_TRY(multiply(&s->power[i], s, &s->power[h], &s->power[i - h], d));
    }
    gb_ct *last = &s->power[s->plan.baby / 2];
    for (unsigned k = floor_log2(s->plan.baby); degree >> k; last = &s->giant[k++])
        GB_TRY(multiply(&s->giant[k], s, last, last, k - 1));
    for (size_t i = 1; i < s->plan.baby; i++)
        if (s->plan.need[i]) GB_TRY(lower(&s->power[i], s->core, s->level[s->plan.leaf]));
    return GB_OK;
}

typedef struct sum {
    const tree *s;
    const uint64_t *c;
    size_t degree;
    gb_ct *out;
} sum;

static void sum_limb(void *user, size_t task, unsigned worker) {
    const sum *t = user;
    const gb_bfv *b = t->s->b;
    const unsigned j = (unsigned)task;
    const gb_modulus *m = gb_ring_modulus(b->ring, j);
    const size_t n = gb_ring_n(b->ring);
    (void)worker;
    for (unsigned part = 0; part < 2; part++) {
        const uint64_t *rows[GB_BFV_BABY_MAX];
        uint64_t weight[GB_BFV_BABY_MAX];
        size_t terms = 1;
        rows[0] = t->s->ones; /* times what is added to the message; nothing to the other part */
        weight[0] = part ? 0 : gb_bfv_scaled(b, t->out->limbs, j, t->c[0]);
        for (size_t i = 1; i <= t->degree; i++) {
            if (!t->c[i]) continue;
            rows[terms] = gb_ct_limb(&t->s->power[i], part, j);
            weight[terms++] = gb_bfv_centred(b, t->c[i], m);
        }
        b->extend->extend(gb_ct_limb(t->out, part, j), rows, weight, terms, n, m);
    }
}

/* *out is a loan made here, of level[depth]. */
static gb_status eval(gb_ct *out, tree *s, const uint64_t *c, size_t degree, unsigned depth);

static gb_status eval_sum(gb_ct *out, tree *s, const uint64_t *c, size_t degree) {
    GB_TRY(gb_eval_ct(out, s->core, 2, s->power[1].limbs));
    gb_parallel(s->core->ctx, out->limbs, sum_limb, &(sum){s, c, degree, out});
    return GB_OK;
}

static size_t trimmed(const uint64_t *c, size_t degree) {
    while (degree && !c[degree]) degree--;
    return degree;
}

static gb_status eval_split(gb_ct *out, tree *s, const uint64_t *c, size_t degree) {
    const unsigned k = floor_log2(degree);
    const size_t m = (size_t)1 << k;
    gb_ct high = {0}, low = {0};
    gb_status status;
    if (trimmed(c + m, degree - m) == 0) {
        status = gb_eval_ct(out, s->core, 2, s->giant[k].limbs);
        if (status == GB_OK) status = gb_bfv_mul_scalar(out, s->e, &s->giant[k], (int64_t)c[m]);
        if (status == GB_OK) status = lower(out, s->core, s->level[k + 1]);
    } else {
        status = eval(&high, s, c + m, degree - m, k);
        if (status == GB_OK) status = multiply(out, s, &high, &s->giant[k], k);
    }
    if (status == GB_OK) status = eval(&low, s, c, m - 1, k + 1);
    if (status == GB_OK) status = gb_ct_add(out, s->core, out, &low);
    gb_eval_ct_return(s->core, &high);
    gb_eval_ct_return(s->core, &low);
    return status;
}

static gb_status eval(gb_ct *out, tree *s, const uint64_t *c, size_t degree, unsigned depth) {
    degree = trimmed(c, degree);
    GB_TRY(degree < s->plan.baby ? eval_sum(out, s, c, degree) : eval_split(out, s, c, degree));
    return lower(out, s->core, s->level[depth]);
}

static gb_status run(gb_ct *out, tree *s, const gb_ct *x, const gb_bfv_poly *p, unsigned depth) {
    gb_ct result = {0};
    const size_t n = gb_ring_n(s->b->ring);
    GB_TRY(gb_eval_borrow(&s->ones, s->core, n));
    for (size_t i = 0; i < n; i++) s->ones[i] = 1;
    gb_bfv_poly_powers(&s->plan, p);
    gb_status status = make_powers(s, x, p->degree);
    if (status == GB_OK) status = eval(&result, s, p->c, p->degree, p->degree < 2 ? 0 : depth);
    if (status == GB_OK) status = gb_ct_copy(out, s->core->ctx, &result);
    gb_eval_ct_return(s->core, &result);
    for (size_t i = 0; i < GB_BFV_BABY_MAX; i++) gb_eval_ct_return(s->core, &s->power[i]);
    for (size_t i = 0; i <= GB_BFV_DEPTH_MAX; i++) gb_eval_ct_return(s->core, &s->giant[i]);
    gb_eval_return(s->core, s->ones);
    return status;
}

gb_status gb_bfv_poly_eval(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, const gb_bfv_poly *p, const gb_eval_keys *k) {
    gb_eval *core = gb_bfv_eval_core(e);
    const gb_bfv *b = gb_bfv_eval_context(e);
    unsigned level[GB_BFV_DEPTH_MAX + 1];
    if (!gb_params_same(x->params, b->params) || x->parts != 2 || !x->ntt)
        return gb_fail(core->ctx, GB_ERR_PARAMS,
                       "a polynomial takes a two-part ciphertext of the BFV context's parameters");
    if (!p->c || p->degree >= GB_BFV_TABLE_MAX)
        return gb_fail(core->ctx, GB_ERR_ARGUMENT, "the polynomial is empty or its degree is over %d",
                       GB_BFV_TABLE_MAX - 1);
    const unsigned depth = gb_bfv_poly_depth(p);
    gb_bfv_poly_levels(level, b->params, b->t, core->digit, x->limbs, depth);
    tree s = {.e = e, .core = core, .b = b, .keys = k, .level = level};
    return run(out, &s, x, p, depth);
}

/* ---- Fermat ---- */
/* *a = *a times b (or itself), one product deeper; what it was is given back. */
static gb_status step(gb_ct *a, tree *s, gb_ct *b, unsigned d) {
    gb_ct out = {0};
    gb_status status = multiply(&out, s, a, b ? b : a, d);
    gb_eval_ct_return(s->core, status == GB_OK ? a : &out);
    if (status == GB_OK) *a = out;
    return status;
}

/* x^(t-1) by squares, from the highest bit of t - 1 down. */
gb_status gb_bfv_is_zero(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, const gb_eval_keys *k) {
    gb_eval *core = gb_bfv_eval_core(e);
    const gb_bfv *b = gb_bfv_eval_context(e);
    const uint64_t power = b->t - 1;
    unsigned level[128], d = 0; /* two products a bit of t */
    gb_ct a = {0}, base = {0};
    if (!gb_params_same(x->params, b->params) || x->parts != 2 || !x->ntt)
        return gb_fail(core->ctx, GB_ERR_PARAMS,
                       "a predicate takes a two-part ciphertext of the BFV context's parameters");
    gb_bfv_poly_levels(level, b->params, b->t, core->digit, x->limbs, GB_COUNT(level) - 1);
    tree s = {.e = e, .core = core, .b = b, .keys = k, .level = level};
    gb_status status = gb_eval_ct(&a, core, 2, x->limbs);
    if (status == GB_OK) status = gb_eval_ct(&base, core, 2, x->limbs);
    if (status == GB_OK) status = gb_ct_copy(&a, core->ctx, x);
    if (status == GB_OK) status = gb_ct_copy(&base, core->ctx, x);
    for (unsigned bit = floor_log2(power); status == GB_OK && bit-- > 0;) {
        status = step(&a, &s, NULL, d++);
        if (status == GB_OK && (power >> bit & 1)) status = step(&a, &s, &base, d++);
    }
    if (status == GB_OK) status = gb_ct_neg(&a, core, &a);
    if (status == GB_OK) status = gb_bfv_add_scalar(&a, e, &a, 1);
    if (status == GB_OK) status = gb_ct_copy(out, core->ctx, &a);
    gb_eval_ct_return(core, &a);
    gb_eval_ct_return(core, &base);
    return status;
}
