/* Sign, comparison, inverse and smooth functions. */
#include "scheme/ckks/functions.h"

#include <math.h>

/* ---- minimax approximation of 1 by odd polynomials on [a, TOP] (Remez's exchange) ---- */
#define TERMS ((GB_SIGN_DEGREE + 1) / 2)
#define GRID 1024
#define TOP (1 + 0x1p-12) /* room for what noise adds to a 1 */

typedef struct odd {
    size_t terms;
    long double c[TERMS]; /* of T_1, T_3, ... */
    long double error;
} odd;

static long double odd_at(const odd *p, long double x) {
    long double before = x, now = x, twice = 2 * (2 * x * x - 1),
                sum = 0; /* T_-1 = T_1 = x; T_{i+2} + T_{i-2} = 2 T_2 T_i */
    for (size_t j = 0; j < p->terms; j++) {
        sum += p->c[j] * now;
        long double next = twice * now - before;
        before = now;
        now = next;
    }
    return sum;
}

/* Solves sum_j c_j T_{2j+1}(x_i) + (-1)^i E = 1 by elimination with pivots. */
static void level_errors(odd *p, const long double *x) {
    long double m[TERMS + 1][TERMS + 2];
    size_t n = p->terms + 1;
    for (size_t i = 0; i < n; i++) {
        odd unit = {.terms = p->terms};
        for (size_t j = 0; j + 1 < n; j++) {
            unit.c[j] = 1;
            m[i][j] = odd_at(&unit, x[i]);
            unit.c[j] = 0;
        }
        m[i][n - 1] = i % 2 ? -1 : 1;
        m[i][n] = 1;
    }
    for (size_t k = 0; k < n; k++) {
        size_t best = k;
        for (size_t i = k + 1; i < n; i++)
            if (fabsl(m[i][k]) > fabsl(m[best][k])) best = i;
        for (size_t j = 0; j <= n; j++) {
            long double t = m[k][j];
            m[k][j] = m[best][j];
            m[best][j] = t;
        }
        for (size_t i = 0; i < n; i++) {
            if (i == k) continue;
            long double f = m[i][k] / m[k][k];
            for (size_t j = k; j <= n; j++) m[i][j] -= f * m[k][j];
        }
    }
    for (size_t j = 0; j + 1 < n; j++) p->c[j] = m[j][n] / m[j][j];
}

static long double node(long double a, size_t i, size_t count) {
    return a + (TOP - a) * (1 - cosl((long double)M_PI * (long double)i / (long double)count)) / 2;
}

/* Moves a peak found at grid point i to where the error is largest around it. The peaks of both signs are nearly as
 * large as 1 when a is small, so that what is left above 0 at the lower ones must not be lost between grid points. */
static long double summit(const odd *p, long double a, size_t i) {
    long double low = node(a, i ? i - 1 : 0, GRID), high = node(a, i < GRID ? i + 1 : GRID, GRID);
    for (int step = 0; step < 40; step++) {
        long double x = low + (high - low) * 0.382L, y = low + (high - low) * 0.618L;
        if (fabsl(1 - odd_at(p, x)) > fabsl(1 - odd_at(p, y)))
            high = y;
        else
            low = x;
    }
    long double x = (low + high) / 2, edge = node(a, i, GRID);
    return fabsl(1 - odd_at(p, x)) > fabsl(1 - odd_at(p, edge)) ? x : edge;
}

/* The point of largest error of every run of one sign, at most terms + 1 of them (the last ones); answers how many. */
static size_t exchange(long double *x, odd *p, long double a) {
    size_t count = 0, most = p->terms + 1, at[TERMS + 1];
    long double peak = 0;
    for (size_t i = 0; i <= GRID; i++) {
        long double e = 1 - odd_at(p, node(a, i, GRID));
        if (count && (e > 0) == (peak > 0)) {
            if (fabsl(e) > fabsl(peak)) peak = e, at[count - 1] = i;
            continue;
        }
        if (count == most) memmove(at, at + 1, (--count) * sizeof *at);
        at[count++] = i;
        peak = e;
    }
    p->error = 0;
    for (size_t i = 0; i < count; i++) {
        x[i] = summit(p, a, at[i]);
        p->error = fmaxl(p->error, fabsl(1 - odd_at(p, x[i])));
    }
    return count;
}

static void minimax(odd *p, size_t degree, double a) {
    long double x[TERMS + 1];
    odd best = {.error = INFINITY};
    p->terms = (degree + 1) / 2;
    for (size_t i = 0; i <= p->terms; i++) x[i] = node(a, i, p->terms);
    for (int round = 0; round < 12; round++) {
        level_errors(p, x);
        size_t found = exchange(x, p, a);
        if (p->error < best.error) best = *p;
        if (found <= p->terms) break;
    }
    *p = best;
}

/* ---- the plan ---- */
static const size_t degrees[] = {3, 7, 15, 31};
#define MOST_DEPTH 48

typedef struct path {
    double low; /* |values| lie in [low, 1] here; 0: not reached */
    double goal_error;
    int goal_choice; /* degree that ends here within the error, or -1 */
    int choice;      /* degree of the last stage */
} path;

/* What is left of [low, 1] after one stage, divided so that its largest value is 1. */
static double narrowed(const odd *p) { return (double)((1 - p->error) / (1 + p->error)); }

/* Larger is better at every depth, whatever follows, so the best path is made of best paths. */
static unsigned shortest(path *at, unsigned alpha) {
    for (unsigned d = 0; d <= MOST_DEPTH; d++) at[d] = (path){0, INFINITY, -1, -1};
    at[0].low = exp2(-(double)alpha);
    for (unsigned d = 0; d <= MOST_DEPTH; d++) {
        if (at[d].goal_choice >= 0) return d;
        if (at[d].low == 0) continue;
        for (unsigned i = 0; i < GB_COUNT(degrees); i++) {
            unsigned to = d + gb_ckks_poly_depth(degrees[i]);
            odd p;
            if (to > MOST_DEPTH) continue;
            minimax(&p, degrees[i], at[d].low);
            if ((double)p.error <= exp2(-(double)alpha) && (double)p.error < at[to].goal_error) {
                at[to].goal_error = (double)p.error;
                at[to].goal_choice = (int)i;
            }
            if (narrowed(&p) > at[to].low) at[to].low = narrowed(&p), at[to].choice = (int)i;
        }
    }
    return 0;
}

static void write_stage(gb_ckks_sign *out, unsigned stage, size_t degree, double low, bool last) {
    odd p;
    minimax(&p, degree, low);
    out->degree[stage] = degree;
    for (size_t j = 0; j < p.terms; j++) out->c[stage][2 * j + 1] = (double)(last ? p.c[j] : p.c[j] / (1 + p.error));
    if (last) out->error = (double)p.error * (1 + 0x1p-10);
}

gb_status gb_ckks_sign_plan(gb_ckks_sign *out, gb_ctx *ctx, unsigned alpha) {
    path at[MOST_DEPTH + 1];
    size_t chosen[GB_SIGN_STAGES];
    unsigned stages = 0, depth;
    memset(out, 0, sizeof *out);
    if (alpha < 1 || alpha > 20)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a sign has a precision of 1 to 20 bits, not %u", alpha);
    unsigned d = shortest(at, alpha);
    if (d == 0) return gb_fail(ctx, GB_ERR_INTERNAL, "no composition of depth %d reaches %u bits", MOST_DEPTH, alpha);
    for (int choice = at[d].goal_choice; stages < GB_SIGN_STAGES; choice = at[d].choice) {
        chosen[stages++] = degrees[choice];
        d -= gb_ckks_poly_depth(degrees[choice]);
        if (d == 0) break;
    }
    out->alpha = alpha;
    out->stages = stages;
    depth = 0;
    for (unsigned i = 0; i < stages; i++) {
        size_t degree = chosen[stages - 1 - i];
        write_stage(out, i, degree, at[depth].low, i + 1 == stages);
        depth += gb_ckks_poly_depth(degree);
    }
    return GB_OK;
}

double gb_ckks_sign_at(const gb_ckks_sign *p, double x) {
    for (unsigned i = 0; i < p->stages; i++) x = gb_chebyshev_at(p->c[i], p->degree[i], -1, 1, x);
    return x;
}

unsigned gb_ckks_sign_depth(const gb_ckks_sign *p) {
    unsigned depth = 0;
    for (unsigned i = 0; i < p->stages; i++) depth += gb_ckks_poly_depth(p->degree[i]);
    return depth;
}

/* ---- evaluation ---- */
static gb_status enough(gb_eval *e, const gb_ct *x, unsigned depth, const char *what) {
    unsigned level = gb_params_level(x->params, x->limbs);
    if (!gb_params_same(x->params, gb_eval_params(e)))
        return gb_fail(gb_eval_ctx(e), GB_ERR_PARAMS, "ciphertext and evaluator have different parameters");
    if (level < depth)
        return gb_fail(gb_eval_ctx(e), GB_ERR_LEVEL, "%s needs %u levels, the ciphertext has %u", what, depth, level);
    return GB_OK;
}

/* gain sign(x) + shift, at `scale` (0: x's). */
static gb_status sign_affine(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_sign *p, double gain, double shift,
                             double scale, const gb_eval_keys *k) {
    gb_ct work;
    const gb_ct *from = x;
    GB_TRY(gb_ct_init(&work, gb_eval_ctx(e), x->params, 3, x->limbs));
    gb_status s = GB_OK;
    for (unsigned i = 0; i < p->stages && s == GB_OK; i++) {
        bool last = i + 1 == p->stages;
        double c[GB_SIGN_DEGREE + 1];
        for (size_t j = 0; j <= p->degree[i]; j++) c[j] = p->c[i][j] * (last ? gain : 1);
        if (last) c[0] += shift;
        s = gb_ckks_poly_eval(last ? out : &work, e, from, &(gb_ckks_poly){c, p->degree[i], true, -1, 1},
                              last ? scale : 0, k);
        from = &work;
    }
    gb_ct_release(&work);
    return s;
}

gb_status gb_ckks_sign_eval(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_sign *p, const gb_eval_keys *k) {
    GB_TRY(enough(e, x, gb_ckks_sign_depth(p), "a sign"));
    return sign_affine(out, e, x, p, 1, 0, 0, k);
}

static gb_status difference(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b) {
    unsigned limbs = a->limbs < b->limbs ? a->limbs : b->limbs;
    GB_TRY(gb_ct_init(out, gb_eval_ctx(e), gb_eval_params(e), 2, limbs));
    gb_status s = gb_ckks_sub(out, e, a, b);
    if (s != GB_OK) gb_ct_release(out);
    return s;
}

gb_status gb_ckks_compare(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_ckks_sign *p,
                          const gb_eval_keys *k) {
    gb_ct d;
    GB_TRY(difference(&d, e, a, b));
    gb_status s = enough(e, &d, gb_ckks_sign_depth(p), "a comparison");
    if (s == GB_OK) s = sign_affine(out, e, &d, p, 0.5, 0.5, 0, k);
    gb_ct_release(&d);
    return s;
}

/* x (gain sign(x) + shift). The factor's scale is what the rescale divides, so the result has x's scale exactly. */
static gb_status times_sign(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_sign *p, double gain, double shift,
                            const gb_eval_keys *k) {
    unsigned depth = gb_ckks_sign_depth(p);
    GB_TRY(enough(e, x, depth + 1, "this function"));
    gb_ct factor;
    GB_TRY(gb_ct_init(&factor, gb_eval_ctx(e), x->params, 3, x->limbs));
    double divisor = gb_params_divisor(x->params, gb_params_level(x->params, x->limbs) - depth);
    gb_status s = sign_affine(&factor, e, x, p, gain, shift, divisor, k);
    if (s == GB_OK) s = gb_ckks_mul_rescale(out, e, &factor, x, k);
    if (s == GB_OK) out->scale = x->scale;
    gb_ct_release(&factor);
    return s;
}

gb_status gb_ckks_abs(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_sign *p, const gb_eval_keys *k) {
    return times_sign(out, e, x, p, 1, 0, k);
}

gb_status gb_ckks_relu(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_sign *p, const gb_eval_keys *k) {
    return times_sign(out, e, x, p, 0.5, 0.5, k);
}

gb_status gb_ckks_max(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_ckks_sign *p,
                      const gb_eval_keys *k) {
    gb_ct d;
    GB_TRY(difference(&d, e, a, b));
    gb_status s = gb_ckks_relu(out, e, &d, p, k);
    if (s == GB_OK) s = gb_ckks_add(out, e, out, b);
    gb_ct_release(&d);
    return s;
}

/* ---- inverse ---- */
unsigned gb_ckks_inverse_depth(unsigned squarings) { return squarings ? squarings + 2 : 1; }

double gb_ckks_inverse_error(double a, double b, unsigned squarings) {
    return pow((b - a) / (b + a), exp2((double)squarings + 1));
}

/* out = factor x + shift, one level down, at this scale. */
static gb_status affine(gb_ct *out, gb_eval *e, const gb_ct *x, double factor, double shift, double scale) {
    double divisor = gb_params_divisor(x->params, gb_params_level(x->params, x->limbs));
    GB_TRY(gb_ckks_mul_scalar(out, e, x, factor, scale * divisor / x->scale));
    GB_TRY(gb_ckks_rescale(out, e));
    out->scale = scale;
    return gb_ckks_add_scalar(out, e, out, shift);
}

/* The scale that the first factor needs so that the product with the squares of y, which start at x's, has x's. */
static double goldschmidt_scale(const gb_ct *x, unsigned squarings) {
    unsigned level = gb_params_level(x->params, x->limbs) - 1;
    double scale = x->scale, y = x->scale;
    for (unsigned i = 0; i < squarings; i++) {
        y *= y / gb_params_divisor(x->params, level - i);
        scale *= gb_params_divisor(x->params, level - i - 1) / y;
    }
    return scale;
}

/* 1/x = s / (1 - y) with y = 1 - s x, s = 2 / (a + b): the product of (1 + y^(2^i)). */
static gb_status goldschmidt(gb_ct *result, gb_ct *y, gb_ct *work, gb_eval *e, unsigned squarings,
                             const gb_eval_keys *k) {
    for (unsigned i = 0; i < squarings; i++) {
        GB_TRY(gb_ckks_mul_rescale(work, e, y, y, k));
        GB_TRY(gb_ct_copy(y, gb_eval_ctx(e), work));
        GB_TRY(gb_ckks_add_scalar(y, e, y, 1));
        GB_TRY(gb_ckks_mul_rescale(work, e, result, y, k));
        GB_TRY(gb_ct_copy(result, gb_eval_ctx(e), work));
        GB_TRY(gb_ckks_add_scalar(y, e, y, -1));
    }
    return GB_OK;
}

gb_status gb_ckks_inverse(gb_ct *out, gb_eval *e, const gb_ct *x, double a, double b, unsigned squarings,
                          const gb_eval_keys *k) {
    gb_ctx *ctx = gb_eval_ctx(e);
    if (!(0 < a && a < b && isfinite(b)) || squarings > 40)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "an inverse is taken on [a, b] with 0 < a < b, not [%g, %g]", a, b);
    GB_TRY(enough(e, x, gb_ckks_inverse_depth(squarings), "an inverse"));
    double s = 2 / (a + b);
    gb_ct y, result = {0}, work = {0};
    GB_TRY(gb_ct_init(&y, ctx, x->params, 2, x->limbs));
    gb_status status = gb_ct_init(&result, ctx, x->params, 2, x->limbs);
    if (status == GB_OK) status = gb_ct_init(&work, ctx, x->params, 3, x->limbs);
    if (status == GB_OK) status = affine(&y, e, x, -s, 1, x->scale);
    if (status == GB_OK) status = affine(&result, e, x, -s * s, 2 * s, goldschmidt_scale(x, squarings)); /* s (1 + y) */
    if (status == GB_OK) status = goldschmidt(&result, &y, &work, e, squarings, k);
    if (status == GB_OK) status = gb_ct_copy(out, ctx, &result);
    gb_ct_release(&y);
    gb_ct_release(&result);
    gb_ct_release(&work);
    return status;
}

/* ---- smooth functions ---- */
static double smooth_at(double x, void *user) {
    switch (*(const gb_ckks_smooth *)user) {
    case GB_SMOOTH_EXP:
        return exp(x);
    case GB_SMOOTH_LOG:
        return log(x);
    case GB_SMOOTH_SIGMOID:
        return 1 / (1 + exp(-x));
    case GB_SMOOTH_SQRT:
        return sqrt(x);
    default:
        return 1 / x;
    }
}

static gb_status check_range(gb_ctx *ctx, gb_ckks_smooth f, double a, double b) {
    bool positive = f == GB_SMOOTH_LOG || f == GB_SMOOTH_INVERSE;
    if (!(a < b) || !isfinite(a) || !isfinite(b) || (positive && a <= 0) || (f == GB_SMOOTH_SQRT && a < 0) ||
        !isfinite(smooth_at(b, &f)))
        return gb_fail(ctx, GB_ERR_RANGE, "the function is not finite on all of [%g, %g]", a, b);
    return GB_OK;
}

gb_status gb_ckks_fit_init(gb_ckks_fit *out, gb_ctx *ctx, gb_ckks_smooth f, double a, double b, size_t degree) {
    memset(out, 0, sizeof *out);
    if (degree < 1 || degree > 2047)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a fit has a degree of 1 to 2047, not %zu", degree);
    GB_TRY(check_range(ctx, f, a, b));
    GB_TRY(gb_alloc(&out->c, ctx, degree + 1, sizeof(double)));
    out->degree = degree;
    out->a = a, out->b = b;
    gb_status s = gb_chebyshev_fit(out->c, ctx, degree, smooth_at, &f, a, b);
    if (s != GB_OK) {
        gb_ckks_fit_release(out);
        return s;
    }
    size_t points = 32 * (degree + 1);
    for (size_t i = 0; i <= points; i++) {
        double x = (a + b - (b - a) * cos(M_PI * (double)i / (double)points)) / 2;
        x = fmin(fmax(x, a), b);
        out->error = fmax(out->error, fabs(gb_chebyshev_at(out->c, degree, a, b, x) - smooth_at(x, &f)));
    }
    out->error *= 1.125;
    return GB_OK;
}

gb_status gb_ckks_fit_within(gb_ckks_fit *out, gb_ctx *ctx, gb_ckks_smooth f, double a, double b, double error) {
    double last = 0;
    for (size_t degree = 3; degree <= 2047; degree = 2 * degree + 1) {
        GB_TRY(gb_ckks_fit_init(out, ctx, f, a, b, degree));
        if (out->error <= error) return GB_OK;
        last = out->error;
        gb_ckks_fit_release(out);
    }
    return gb_fail(ctx, GB_ERR_RANGE, "no degree up to 2047 comes within %g on [%g, %g]; the last leaves %g", error, a,
                   b, last);
}

void gb_ckks_fit_release(gb_ckks_fit *f) {
    gb_free(f->c);
    memset(f, 0, sizeof *f);
}

unsigned gb_ckks_fit_depth(const gb_ckks_fit *f) {
    return gb_ckks_poly_depth(f->degree) + (fabs(f->b - f->a - 2) > 1e-12 ? 1 : 0);
}

gb_status gb_ckks_fit_eval(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_fit *f, const gb_eval_keys *k) {
    GB_TRY(enough(e, x, gb_ckks_fit_depth(f), "this fit"));
    return gb_ckks_poly_eval(out, e, x, &(gb_ckks_poly){f->c, f->degree, true, f->a, f->b}, 0, k);
}
