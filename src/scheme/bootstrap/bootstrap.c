/* Bootstrapping, see the door. Levels from the bottom: 0 = q0 | to_coeff | the user's | sine | to_slots. */
#include "scheme/bootstrap/bootstrap.h"

#include <math.h>

#include "scheme/bootstrap/matrix.h"

#define MAX_FACTORS 5
#define BOUND_I 16 /* K: |I| <= 16 for a secret of h = 32 but with probability 2^-138.7 (eprint 2022/024, table 4) */

struct gb_bootstrap {
    gb_bootstrap_config config;
    const gb_params *params;
    gb_params *inner;
    gb_ckks_linear *to_coeff[MAX_FACTORS], *to_slots[MAX_FACTORS];
    unsigned top, level_out, depth; /* level of the raised ciphertext; of the result; of the sine */
    double q0;
    double series[256]; /* Chebyshev, of cos(2 pi (16 u - 1/4) / 2^doublings) */
};

void gb_bootstrap_config_defaults(gb_bootstrap_config *c) {
    *c = (gb_bootstrap_config){sizeof *c, 3, 4, 63, 2, 13, false, false};
}

static gb_status check_config(gb_ctx *ctx, const gb_bootstrap_config *c) {
    if (c->size != sizeof *c || c->to_coeff < 2 || c->to_coeff > MAX_FACTORS || c->to_slots < 2 ||
        c->to_slots > MAX_FACTORS || c->degree < 15 || c->degree > 255 || c->doublings > 4 || c->ratio_bits < 6 ||
        c->ratio_bits > 20)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "bootstrapping options out of range; see gb_bootstrap_config");
    return GB_OK;
}

static double series_at(double u, void *user) {
    const gb_bootstrap_config *c = user;
    return cos(2 * M_PI * (BOUND_I * u - 0.25) / (double)(1u << c->doublings));
}

/* Factor f of `factors`: its share of the log2(slots) stages, larger shares first. */
static unsigned share(unsigned stages, unsigned factors, unsigned f) {
    return stages / factors + (f < stages % factors ? 1 : 0);
}

static gb_status make_factors(gb_ckks_linear **out, gb_ctx *ctx, const gb_ckks_encoder *e, unsigned factors,
                              unsigned level, bool inverse, double factor) {
    const gb_params *p = gb_ckks_encoder_params(e);
    size_t n = gb_ckks_slots(e), len = inverse ? n : 2;
    unsigned stages = gb_params_get(p)->log_n - 1;
    for (unsigned f = 0; f < factors; f++, level--) {
        gb_diagonals m;
        gb_ckks_diagonal view[GB_COUNT(m.step)];
        unsigned count = share(stages, factors, f);
        GB_TRY(gb_diagonals_stages(&m, ctx, n, len, count, inverse));
        gb_diagonals_scale(&m, pow(factor, 1.0 / factors));
        for (size_t i = 0; i < m.count; i++) view[i] = (gb_ckks_diagonal){m.step[i], m.re[i], m.im[i]};
        gb_status s = gb_ckks_linear_new(&out[f], ctx, e, n, view, m.count, gb_params_limbs(p, level),
                                         gb_params_divisor(p, level), 0);
        gb_diagonals_release(&m);
        GB_TRY(s);
        len = inverse ? len >> count : len << count;
    }
    return GB_OK;
}

/* q0's primes and as many special primes of the outer set as exceed one of them. */
static gb_status make_inner(gb_bootstrap *b, gb_ctx *ctx) {
    const gb_params_spec *outer = gb_params_get(b->params);
    gb_params_spec s = {.name = "encapsulation", .log_n = outer->log_n, .security = outer->security};
    s.data_count = gb_params_limbs(b->params, 0);
    for (size_t i = 0; i < s.data_count; i++) {
        s.data[i] = outer->data[i];
        b->q0 *= (double)s.data[i];
    }
    s.special_count = 1;
    s.special[0] = outer->special[0];
    return gb_params_new(&b->inner, ctx, &s);
}

static gb_status build(gb_bootstrap *b, gb_ctx *ctx, const gb_ckks_encoder *e) {
    const gb_bootstrap_config *c = &b->config;
    b->params = gb_ckks_encoder_params(e);
    b->top = gb_params_level(b->params, (unsigned)gb_params_get(b->params)->data_count);
    b->depth = gb_ckks_poly_depth(c->degree) + c->doublings + (c->arcsine ? 2 : 0);
    if (b->top < c->to_coeff + b->depth + c->to_slots + 1 || !gb_params_get(b->params)->special_count)
        return gb_fail(ctx, GB_ERR_PARAMS, "%s has %u levels; bootstrapping spends %u and should leave some",
                       gb_params_get(b->params)->name, b->top, c->to_coeff + b->depth + c->to_slots);
    b->level_out = b->top - c->to_slots - b->depth;
    b->q0 = 1;
    GB_TRY(make_inner(b, ctx));
    GB_TRY(gb_chebyshev_fit(b->series, ctx, c->degree, series_at, &b->config, -1, 1));
    GB_TRY(make_factors(b->to_coeff, ctx, e, c->to_coeff, c->to_coeff, false, 1));
    /* real part: x + conj(x), so half; and into [-1, 1] */
    return make_factors(b->to_slots, ctx, e, c->to_slots, b->top, true, 0.5 / BOUND_I);
}

gb_status gb_bootstrap_new(gb_bootstrap **out, gb_ctx *ctx, const gb_ckks_encoder *e,
                           const gb_bootstrap_config *config) {
    gb_bootstrap *b;
    *out = NULL;
    GB_TRY(check_config(ctx, config));
    GB_TRY(gb_alloc_zero(&b, ctx, 1, sizeof *b));
    b->config = *config;
    gb_status s = build(b, ctx, e);
    if (s != GB_OK) {
        gb_bootstrap_free(b);
        return s;
    }
    *out = b;
    return GB_OK;
}

void gb_bootstrap_free(gb_bootstrap *b) {
    if (!b) return;
    for (unsigned f = 0; f < MAX_FACTORS; f++) {
        gb_ckks_linear_free(b->to_coeff[f]);
        gb_ckks_linear_free(b->to_slots[f]);
    }
    gb_params_free(b->inner);
    gb_free(b);
}

const gb_params *gb_bootstrap_inner_params(const gb_bootstrap *b) { return b->inner; }
unsigned gb_bootstrap_level_out(const gb_bootstrap *b) { return b->level_out; }
unsigned gb_bootstrap_level_in(const gb_bootstrap *b) { return b->config.to_coeff; }

static size_t factor_galois(uint64_t *galois, unsigned *level, size_t max, size_t n, gb_ckks_linear *const *factors,
                            unsigned count, unsigned top) {
    for (unsigned f = 0; f < count; f++) {
        size_t more = gb_ckks_linear_galois(n < max ? galois + n : NULL, n < max ? max - n : 0, factors[f]);
        for (size_t i = 0; i < more; i++)
            if (n + i < max) level[n + i] = top - f;
        n += more;
    }
    return n;
}

size_t gb_bootstrap_galois(uint64_t *galois, unsigned *level, size_t max, const gb_bootstrap *b) {
    size_t n = factor_galois(galois, level, max, 0, b->to_coeff, b->config.to_coeff, b->config.to_coeff);
    n = factor_galois(galois, level, max, n, b->to_slots, b->config.to_slots, b->top);
    if (n < max) {
        galois[n] = gb_galois_conjugation(b->params);
        level[n] = b->top - b->config.to_slots;
    }
    return n + 1;
}

void gb_bootstrap_keys_release(gb_bootstrap_keys *k) {
    gb_eval_keys_release(&k->keys);
    gb_switch_key_release(&k->to_sparse);
    gb_switch_key_release(&k->to_dense);
}

/* ---- the run ---- */
static gb_status apply(gb_ct *c, gb_eval *e, gb_ckks_linear *const *factors, unsigned count, const gb_eval_keys *k) {
    for (unsigned f = 0; f < count; f++) {
        GB_TRY(gb_ckks_linear_apply(c, e, c, factors[f], k));
        GB_TRY(gb_ckks_rescale(c, e));
    }
    return GB_OK;
}

/* Under the sparse secret at q0, then modulo everything, then under the dense secret again. out.scale = q0. */
static gb_status raise_ct(gb_ct *out, gb_eval *e, gb_eval *inner, const gb_ct *low, const gb_bootstrap *b,
                          const gb_bootstrap_keys *k) {
    gb_ct view = *low; /* the same words, seen with the inner parameters */
    view.params = b->inner;
    GB_TRY(gb_ct_switch(&view, inner, &k->to_sparse));
    GB_TRY(gb_ct_raise(out, e, low, gb_params_limbs(b->params, b->top)));
    GB_TRY(gb_ct_switch(out, e, &k->to_dense));
    out->scale = b->q0;
    return GB_OK;
}

/* sin(2 pi x) of the real part, x = 16 u. */
static gb_status sine(gb_ct *out, gb_ct *u, gb_eval *e, const gb_bootstrap *b, const gb_eval_keys *k, gb_ct *work) {
    gb_ckks_poly p = {b->series, b->config.degree, true, -1, 1};
    gb_ct *from = work, *to = out;
    GB_TRY(gb_ckks_poly_eval(from, e, u, &p, 0, k));
    for (unsigned i = 0; i < b->config.doublings; i++) { /* cos(2 a) = 2 cos(a)^2 - 1 */
        GB_TRY(gb_ckks_mul_rescale(to, e, from, from, k));
        GB_TRY(gb_ct_add(to, e, to, to));
        GB_TRY(gb_ckks_add_scalar(to, e, to, -1));
        gb_ct *swap = from;
        from = to, to = swap;
    }
    if (b->config.arcsine) {
        static const double arcsine[] = {0, 1, 0, 1.0 / 6};
        gb_ckks_poly a = {arcsine, 3, false, 0, 0};
        GB_TRY(gb_ckks_poly_eval(to, e, from, &a, 0, k));
        from = to;
    }
    return from == out ? GB_OK : gb_ct_copy(out, gb_eval_ctx(e), from);
}

typedef struct work {
    gb_ct low, raised, turned, temp;
} work;

static void work_return(gb_eval *e, work *w) {
    gb_eval_ct_return(e, &w->low);
    gb_eval_ct_return(e, &w->raised);
    gb_eval_ct_return(e, &w->turned);
    gb_eval_ct_return(e, &w->temp);
}

static gb_status run(gb_ct *out, gb_eval *e, gb_eval *inner, const gb_ct *a, const gb_bootstrap *b,
                     const gb_bootstrap_keys *k, work *w) {
    gb_ctx *ctx = gb_eval_ctx(e);
    unsigned all = gb_params_limbs(b->params, b->top);
    GB_TRY(gb_eval_ct(&w->low, e, 2, gb_params_limbs(b->params, b->config.to_coeff)));
    GB_TRY(gb_eval_ct(&w->raised, e, 3, all));
    GB_TRY(gb_eval_ct(&w->turned, e, 3, all));
    GB_TRY(gb_eval_ct(&w->temp, e, 3, all));
    gb_ct view = *a;
    view.limbs = w->low.limbs;
    GB_TRY(gb_ct_copy(&w->low, ctx, &view));
    GB_TRY(apply(&w->low, e, b->to_coeff, b->config.to_coeff, &k->keys));
    /* the message grows to q0 / 2^ratio: what the sine's noise is measured against */
    double grow = floor(b->q0 / ldexp(w->low.scale, (int)b->config.ratio_bits) + 0.5);
    if (grow >= 2) GB_TRY(gb_ckks_mul_scalar(&w->low, e, &w->low, 1, grow));
    double message = w->low.scale;
    GB_TRY(raise_ct(&w->raised, e, inner, &w->low, b, k));
    GB_TRY(apply(&w->raised, e, b->to_slots, b->config.to_slots, &k->keys));
    GB_TRY(gb_ckks_conjugate(&w->turned, e, &w->raised, &k->keys));
    GB_TRY(gb_ckks_add(&w->turned, e, &w->turned, &w->raised));
    GB_TRY(sine(out, &w->turned, e, b, &k->keys, &w->temp));
    out->scale *= 2 * M_PI * message / b->q0;
    return GB_OK;
}

gb_status gb_bootstrap_run(gb_ct *out, gb_eval *e, gb_eval *inner, const gb_ct *a, const gb_bootstrap *b,
                           const gb_bootstrap_keys *k) {
    gb_ctx *ctx = gb_eval_ctx(e);
    work w = {0};
    if (!gb_params_same(a->params, b->params) || !gb_params_same(gb_eval_params(inner), b->inner))
        return gb_fail(ctx, GB_ERR_PARAMS, "ciphertext, evaluators and bootstrapping have different parameters");
    if (gb_params_level(a->params, a->limbs) < b->config.to_coeff)
        return gb_fail(ctx, GB_ERR_LEVEL, "bootstrapping starts at level %u; this ciphertext is at %u",
                       b->config.to_coeff, gb_params_level(a->params, a->limbs));
    gb_status s = run(out, e, inner, a, b, k, &w);
    work_return(e, &w);
    return s;
}
