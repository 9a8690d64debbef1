/* engine/functions: polynomials, and functions that are not. */
#include "scheme/ckks/functions.h"

#include <math.h>

#include "engine/internal.h"
#include "glovebox/ckks.h"

static gb_status check(const gb_eval_keys **keys, gb_engine *e, const char *what, const gb_cipher *out,
                       const gb_cipher *x, const gb_evalkeys *k) {
    GB_TRY(gb_engine_need(e, what, true, false, out, x));
    GB_TRY(gb_engine_need(e, what, true, false, k, k));
    GB_TRY(gb_engine_output(e, what, out));
    GB_TRY(gb_engine_filled(e, what, x));
    return gb_engine_keys(keys, e, what, k, &x->key);
}

static gb_status enough(gb_engine *e, const char *what, unsigned depth, const gb_cipher *x) {
    const unsigned level = gb_engine_level(e, &x->ct);
    if (level >= depth) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_LEVEL, "%s: takes %u levels, the ciphertext has %u", what, depth, level);
}

/* ---- functions as polynomials ---- */
struct gb_function {
    gb_ckks_poly p; /* c is ours */
    double *c, error;
};

void gb_function_free(gb_function *f) {
    if (!f) return;
    gb_free(f->c);
    gb_free(f);
}

/* Takes c over, on error too. Coefficients 0 at the end would cost depth. */
static gb_status make(gb_function **out, gb_ctx *ctx, gb_ckks_poly p, double *c, double error) {
    gb_function *f;
    gb_status s = GB_OK;
    for (size_t i = 0; s == GB_OK && i <= p.degree; i++)
        if (!isfinite(c[i])) s = gb_fail(ctx, GB_ERR_RANGE, "function: coefficient %zu is not finite", i);
    while (p.degree && c[p.degree] == 0) p.degree--;
    if (s == GB_OK && p.degree == 0)
        s = gb_fail(ctx, GB_ERR_ARGUMENT, "function: a constant; add it as a number in the clear");
    if (s == GB_OK) s = gb_alloc_zero(&f, ctx, 1, sizeof *f);
    if (s != GB_OK) {
        gb_free(c);
        return s;
    }
    f->p = p;
    f->p.c = f->c = c;
    f->error = error;
    *out = f;
    return GB_OK;
}

static gb_status domain(gb_ctx *ctx, size_t degree, double a, double b) {
    if (degree >= 1 && degree <= GB_FUNCTION_DEGREE && isfinite(a) && isfinite(b) && a < b) return GB_OK;
    return gb_fail(ctx, GB_ERR_ARGUMENT, "function: of degree %zu on [%g, %g]; 1..%d, a < b", degree, a, b,
                   GB_FUNCTION_DEGREE);
}

gb_status gb_function_new(gb_function **out, gb_ctx *ctx, gb_function_kind kind, double a, double b, double error) {
    static const gb_ckks_smooth smooth[] = {GB_SMOOTH_EXP, GB_SMOOTH_LOG, GB_SMOOTH_SIGMOID, GB_SMOOTH_SQRT,
                                            GB_SMOOTH_INVERSE};
    if (!out || !ctx) return gb_fail(ctx, GB_ERR_ARGUMENT, "function: a handle is NULL");
    *out = NULL;
    if ((unsigned)kind >= GB_COUNT(smooth) || !(error > 0))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "function: number %d within %g; there are %zu, the error is above 0",
                       (int)kind, error, GB_COUNT(smooth));
    GB_TRY(domain(ctx, 1, a, b));
    gb_ckks_fit fit;
    GB_TRY(gb_ckks_fit_within(&fit, ctx, smooth[kind], a, b, error));
    return make(out, ctx, (gb_ckks_poly){NULL, fit.degree, true, a, b}, fit.c, fit.error);
}

gb_status gb_function_fit(gb_function **out, gb_ctx *ctx, double (*f)(double x, void *user), void *user, double a,
                          double b, size_t degree) {
    if (!out || !ctx || !f) return gb_fail(ctx, GB_ERR_ARGUMENT, "function: a handle or the function is NULL");
    *out = NULL;
    GB_TRY(domain(ctx, degree, a, b));
    double *c;
    GB_TRY(gb_alloc(&c, ctx, degree + 1, sizeof *c));
    const gb_status s = gb_chebyshev_fit(c, ctx, degree, f, user, a, b);
    if (s == GB_OK) return make(out, ctx, (gb_ckks_poly){NULL, degree, true, a, b}, c, 0);
    gb_free(c);
    return s;
}

gb_status gb_function_polynomial(gb_function **out, gb_ctx *ctx, gb_basis basis, const double *c, size_t degree,
                                 double a, double b) {
    if (!out || !ctx || !c) return gb_fail(ctx, GB_ERR_ARGUMENT, "polynomial: a handle or the coefficients are NULL");
    *out = NULL;
    if (basis != GB_BASIS_POWER && basis != GB_BASIS_CHEBYSHEV)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "polynomial: basis %d; there are GB_BASIS_POWER and GB_BASIS_CHEBYSHEV",
                       (int)basis);
    if (basis == GB_BASIS_POWER) a = -1, b = 1; /* not looked at */
    GB_TRY(domain(ctx, degree, a, b));
    double *copy;
    GB_TRY(gb_alloc(&copy, ctx, degree + 1, sizeof *copy));
    memcpy(copy, c, (degree + 1) * sizeof *copy);
    return make(out, ctx, (gb_ckks_poly){NULL, degree, basis == GB_BASIS_CHEBYSHEV, a, b}, copy, 0);
}

unsigned gb_function_levels(const gb_function *f) {
    if (!f) return 0;
    return gb_ckks_poly_depth(f->p.degree) + (f->p.chebyshev && fabs(f->p.b - f->p.a - 2) > 1e-12 ? 1 : 0);
}
size_t gb_function_degree(const gb_function *f) { return f ? f->p.degree : 0; }
double gb_function_error(const gb_function *f) { return f ? f->error : 0; }

gb_status gb_function_apply(gb_cipher *out, gb_engine *e, const gb_function *f, const gb_cipher *x,
                            const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    gb_ct view;
    GB_TRY(check(&keys, e, "function", out, x, k));
    GB_TRY(gb_engine_need(e, "function", true, false, f, f));
    const unsigned depth = gb_function_levels(f);
    GB_TRY(enough(e, "function", depth, x));
    const unsigned level = gb_engine_level(e, &x->ct) - depth;
    GB_TRY(gb_ckks_poly_eval(&e->out, e->eval, &x->ct, &f->p, e->scale[level], keys));
    GB_TRY(gb_engine_lower(&view, e, &e->out, level)); /* a view, but for degrees that take a level less */
    return gb_engine_finish(out, e, &view, 0, &x->key);
}

/* ---- the inverse by Goldschmidt's iteration ---- */
static unsigned squarings(double a, double b, double error) {
    unsigned n = 0;
    while (n < 40 && !(gb_ckks_inverse_error(a, b, n) <= error)) n++;
    return n;
}

unsigned gb_inverse_levels(double a, double b, double error) {
    if (!(0 < a && a < b && isfinite(b) && error > 0)) return 0;
    return gb_ckks_inverse_depth(squarings(a, b, error));
}

/* 1 / (x / r) = r / x: seen at a scale r times as large, r^2 being the ratio of the scales of both levels, x comes out
 * at the scale that the engine has there. */
gb_status gb_cipher_inverse(gb_cipher *out, gb_engine *e, const gb_cipher *x, double a, double b, double error,
                            const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    GB_TRY(check(&keys, e, "inverse", out, x, k));
    const unsigned depth = gb_inverse_levels(a, b, error);
    if (!depth)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "inverse: on [%g, %g] within %g; 0 < a < b and an error above 0", a, b,
                       error);
    GB_TRY(enough(e, "inverse", depth, x));
    const double scale = e->scale[gb_engine_level(e, &x->ct) - depth], ratio = sqrt(scale / x->ct.scale);
    gb_ct view = x->ct;
    view.scale *= ratio;
    GB_TRY(gb_ckks_inverse(&e->out, e->eval, &view, a / ratio, b / ratio, squarings(a, b, error), keys));
    e->out.scale = scale; /* that of the view, times ratio: what it is but for the rounding of doubles */
    return gb_engine_finish(out, e, &e->out, 0, &x->key);
}

/* ---- sign ---- */
struct gb_sign {
    gb_ckks_sign sign, step; /* step: (1 + sign) / 2 */
};

gb_status gb_sign_new(gb_sign **out, gb_ctx *ctx, unsigned precision) {
    if (!out || !ctx) return gb_fail(ctx, GB_ERR_ARGUMENT, "sign: a handle is NULL");
    *out = NULL;
    gb_sign *s;
    GB_TRY(gb_alloc_zero(&s, ctx, 1, sizeof *s));
    const gb_status status = gb_ckks_sign_plan(&s->sign, ctx, precision);
    if (status != GB_OK) {
        gb_free(s);
        return status;
    }
    s->step = s->sign;
    double *last = s->step.c[s->step.stages - 1];
    for (size_t i = 0; i <= s->step.degree[s->step.stages - 1]; i++) last[i] /= 2;
    last[0] += 0.5;
    *out = s;
    return GB_OK;
}

void gb_sign_free(gb_sign *s) { gb_free(s); }
unsigned gb_sign_levels(const gb_sign *s) { return s ? gb_ckks_sign_depth(&s->sign) : 0; }
double gb_sign_error(const gb_sign *s) { return s ? s->sign.error : 0; }

/* The evaluation answers at the scale of x. What it answers is made larger by the ratio of the scale that the engine
 * has where it lands, so that it is right at that one. */
static gb_status evaluate(gb_cipher *out, gb_engine *e, const char *what, const gb_ckks_sign *p, const gb_cipher *x,
                          const gb_evalkeys *k, unsigned more) {
    const gb_eval_keys *keys;
    GB_TRY(check(&keys, e, what, out, x, k));
    const unsigned depth = gb_ckks_sign_depth(p), last = p->stages - 1;
    GB_TRY(enough(e, what, depth + more, x));
    const double scale = e->scale[gb_engine_level(e, &x->ct) - depth];
    gb_ckks_sign q = *p;
    for (size_t i = 0; i <= q.degree[last]; i++) q.c[last][i] *= scale / x->ct.scale;
    GB_TRY(gb_ckks_sign_eval(&e->out, e->eval, &x->ct, &q, keys));
    e->out.scale = scale;
    return gb_engine_finish(out, e, &e->out, 0, &x->key);
}

gb_status gb_sign_apply(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *x, const gb_evalkeys *k) {
    GB_TRY(gb_engine_need(e, "sign", true, false, s, x));
    return evaluate(out, e, "sign", &s->sign, x, k, 0);
}

gb_status gb_sign_compare(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *a, const gb_cipher *b,
                          const gb_evalkeys *k) {
    gb_cipher *d;
    GB_TRY(gb_engine_need(e, "compare", true, false, s, a));
    GB_TRY(gb_cipher_new(&d, e));
    gb_status status = gb_cipher_sub(d, e, a, b);
    if (status == GB_OK) status = evaluate(out, e, "compare", &s->step, d, k, 0);
    gb_cipher_free(d);
    return status;
}

/* out = x p(x), p the sign or the step. */
static gb_status times(gb_cipher *out, gb_engine *e, const char *what, const gb_ckks_sign *p, const gb_cipher *x,
                       const gb_evalkeys *k) {
    gb_cipher *factor;
    GB_TRY(gb_engine_need(e, what, true, false, out, x));
    GB_TRY(gb_cipher_new(&factor, e));
    gb_status status = evaluate(factor, e, what, p, x, k, 1);
    if (status == GB_OK) status = gb_cipher_mul(out, e, factor, x, k);
    gb_cipher_free(factor);
    return status;
}

gb_status gb_sign_abs(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *x, const gb_evalkeys *k) {
    GB_TRY(gb_engine_need(e, "abs", true, false, s, x));
    return times(out, e, "abs", &s->sign, x, k);
}

gb_status gb_sign_relu(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *x, const gb_evalkeys *k) {
    GB_TRY(gb_engine_need(e, "relu", true, false, s, x));
    return times(out, e, "relu", &s->step, x, k);
}

/* max(a, b) = b + relu(a - b), min(a, b) = a - relu(a - b) */
static gb_status extreme(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *a, const gb_cipher *b,
                         const gb_evalkeys *k, bool largest) {
    const char *what = largest ? "max" : "min";
    gb_cipher *d;
    GB_TRY(gb_engine_need(e, what, true, false, s, out));
    GB_TRY(gb_cipher_new(&d, e));
    gb_status status = gb_cipher_sub(d, e, a, b);
    if (status == GB_OK) status = times(d, e, what, &s->step, d, k);
    if (status == GB_OK) status = largest ? gb_cipher_add(out, e, b, d) : gb_cipher_sub(out, e, a, d);
    gb_cipher_free(d);
    return status;
}

gb_status gb_sign_max(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *a, const gb_cipher *b,
                      const gb_evalkeys *k) {
    return extreme(out, e, s, a, b, k, true);
}
gb_status gb_sign_min(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *a, const gb_cipher *b,
                      const gb_evalkeys *k) {
    return extreme(out, e, s, a, b, k, false);
}
