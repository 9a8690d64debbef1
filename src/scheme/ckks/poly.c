/* Polynomials of ciphertexts. */
#include <math.h>

#include "scheme/ckks/ckks.h"

#define MAX_DEGREE 2047

unsigned gb_ckks_poly_depth(size_t degree) {
    unsigned depth = 0;
    while (((size_t)1 << depth) < degree + 1) depth++;
    return depth;
}

gb_status gb_chebyshev_fit(double *c, gb_ctx *ctx, size_t degree, double (*f)(double x, void *user), void *user,
                           double a, double b) {
    size_t n = degree + 1;
    double *values;
    if (!(a < b)) return gb_fail(ctx, GB_ERR_ARGUMENT, "a domain [%g, %g] has no inside", a, b);
    GB_TRY(gb_alloc(&values, ctx, n, sizeof(double)));
    for (size_t j = 0; j < n; j++)
        values[j] = f((a + b + (b - a) * cos(M_PI * ((double)j + 0.5) / (double)n)) / 2, user);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) sum += values[j] * cos(M_PI * (double)i * ((double)j + 0.5) / (double)n);
        c[i] = sum * (i ? 2 : 1) / (double)n;
    }
    gb_free(values);
    return GB_OK;
}

double gb_chebyshev_at(const double *c, size_t degree, double a, double b, double x) {
    double u = (2 * x - a - b) / (b - a), b1 = 0, b2 = 0;
    for (size_t i = degree; i > 0; i--) {
        double t = c[i] + 2 * u * b1 - b2;
        b2 = b1;
        b1 = t;
    }
    return c[0] + u * b1 - b2;
}

/* The basis: element i is T_i(u) or x^i, made when first asked for. */
typedef struct basis {
    gb_eval *e;
    gb_ctx *ctx;
    const gb_eval_keys *keys;
    bool chebyshev;
    gb_ct element[MAX_DEGREE + 1];
    unsigned top; /* level of element 1 */
} basis;

static unsigned limbs_at(const basis *s, unsigned level) { return gb_params_limbs(gb_eval_params(s->e), level); }

/* What a rescale to `level` divides. */
static double divisor_to(const basis *s, unsigned level) { return gb_params_divisor(gb_eval_params(s->e), level + 1); }

static unsigned depth_of(size_t i) { return i <= 1 ? 0 : gb_ckks_poly_depth(i - 1); }

static gb_status element(basis *s, size_t i);

/* T_{a+b} = 2 T_a T_b - T_{a-b}, with a - b at most 1, so that only element 1 is ever brought to another scale. */
static gb_status make_element(basis *s, size_t i) {
    size_t b = i / 2, a = i - b;
    GB_TRY(element(s, a));
    GB_TRY(element(s, b));
    gb_ct *x = &s->element[i];
    GB_TRY(gb_eval_ct(x, s->e, 3, s->element[a].limbs));
    if (!s->chebyshev) return gb_ckks_mul_rescale(x, s->e, &s->element[a], &s->element[b], s->keys);
    GB_TRY(gb_ckks_mul(x, s->e, &s->element[a], &s->element[b], s->keys));
    GB_TRY(gb_ct_add(x, s->e, x, x));
    if (a == b) {
        GB_TRY(gb_ckks_rescale(x, s->e));
        return gb_ckks_add_scalar(x, s->e, x, -1);
    }
    gb_ct low;
    GB_TRY(gb_eval_ct(&low, s->e, 2, s->element[1].limbs));
    gb_status status = gb_ckks_mul_scalar(&low, s->e, &s->element[1], -1, x->scale / s->element[1].scale);
    if (status == GB_OK) status = gb_ckks_add(x, s->e, x, &low);
    gb_eval_ct_return(s->e, &low);
    return status == GB_OK ? gb_ckks_rescale(x, s->e) : status;
}

static gb_status element(basis *s, size_t i) { return s->element[i].data ? GB_OK : make_element(s, i); }

static size_t degree_of(const double *c, size_t degree) {
    while (degree && c[degree] == 0) degree--;
    return degree;
}

/* out += c_i element_i brought to `scale`. */
static gb_status leaf_add(gb_ct *out, basis *s, size_t i, double c, double scale, gb_ct *work) {
    GB_TRY(element(s, i));
    gb_ct low = s->element[i];
    low.limbs = out->limbs;
    GB_TRY(gb_ckks_mul_scalar(work, s->e, &low, c, scale / low.scale));
    work->scale = out->scale = scale; /* equal but for the rounding of the integer nearest to c * scale */
    return gb_ckks_add(out, s->e, out, work);
}

/* sum c_i element_i at `level` and `scale`: one integer combination a level above, then one division. */
static gb_status leaf(gb_ct *out, basis *s, const double *c, size_t degree, unsigned level, double scale) {
    gb_ct work;
    double above = scale * divisor_to(s, level);
    GB_TRY(gb_eval_ct(out, s->e, 3, limbs_at(s, level + 1)));
    out->parts = 2;
    memset(out->data, 0, (size_t)2 * out->capacity * gb_ring_n(gb_params_ring(out->params)) * sizeof(uint64_t));
    GB_TRY(gb_eval_ct(&work, s->e, 2, limbs_at(s, level + 1)));
    gb_status status = GB_OK;
    out->scale = above;
    for (size_t i = 1; i <= degree && status == GB_OK; i++)
        if (c[i] != 0) status = leaf_add(out, s, i, c[i], above, &work);
    gb_eval_ct_return(s->e, &work);
    if (status == GB_OK) status = gb_ckks_rescale(out, s->e);
    out->scale = scale;
    return status == GB_OK ? gb_ckks_add_scalar(out, s->e, out, c[0]) : status;
}

/* p = q * element_m + r. In Chebyshev form T_{m+i} = 2 T_m T_i - T_{m-i}. */
static void split(double *q, double *r, const double *c, size_t degree, size_t m, bool chebyshev) {
    memcpy(r, c, m * sizeof(double));
    q[0] = c[m];
    for (size_t i = 1; i <= degree - m; i++) {
        q[i] = chebyshev ? 2 * c[m + i] : c[m + i];
        if (chebyshev) r[m - i] -= c[m + i];
    }
}

static gb_status eval(gb_ct *out, basis *s, const double *c, size_t degree, unsigned level, double scale, size_t baby);

static gb_status eval_split(gb_ct *out, basis *s, const double *c, size_t degree, unsigned level, double scale,
                            size_t baby, double *work) {
    size_t m = (size_t)1 << (gb_ckks_poly_depth(degree) - 1);
    double *q = work, *r = work + degree + 1;
    split(q, r, c, degree, m, s->chebyshev);
    GB_TRY(element(s, m));
    gb_ct high = {0}, low = {0};
    double above = scale * divisor_to(s, level) / s->element[m].scale;
    gb_status status = eval(&high, s, q, degree - m, level + 1, above, baby);
    if (status == GB_OK) status = gb_eval_ct(out, s->e, 3, limbs_at(s, level + 1));
    if (status == GB_OK) status = gb_ckks_mul_rescale(out, s->e, &high, &s->element[m], s->keys);
    gb_eval_ct_return(s->e, &high);
    size_t rest = degree_of(r, m - 1);
    if (status == GB_OK && rest) {
        status = eval(&low, s, r, rest, level, scale, baby);
        if (status == GB_OK) status = gb_ckks_add(out, s->e, out, &low);
        gb_eval_ct_return(s->e, &low);
    } else if (status == GB_OK) {
        status = gb_ckks_add_scalar(out, s->e, out, r[0]);
    }
    out->scale = scale; /* what it is but for the last bits of the doubles it was computed in */
    return status;
}

/* A leaf needs its elements one level above the result; deeper ones are split further, which is what keeps the depth
 * at its least. */
static gb_status eval(gb_ct *out, basis *s, const double *c, size_t degree, unsigned level, double scale, size_t baby) {
    if (degree < 2 || (degree < baby && s->top - depth_of(degree) > level))
        return leaf(out, s, c, degree, level, scale);
    double *work;
    GB_TRY(gb_alloc_zero(&work, s->ctx, 2 * (degree + 1), sizeof(double)));
    gb_status status = eval_split(out, s, c, degree, level, scale, baby, work);
    gb_free(work);
    return status;
}

/* Whether x must be multiplied to reach [-1, 1]. Taking the width of the domain into the scale instead would be free,
 * but scales square with every doubling of the degree and soon leave the modulus. */
static bool needs_width(const gb_ckks_poly *p) { return p->chebyshev && fabs(p->b - p->a - 2) > 1e-12; }

static gb_status start(basis *s, const gb_ct *x, const gb_ckks_poly *p) {
    gb_ct *one = &s->element[1];
    GB_TRY(gb_eval_ct(one, s->e, 2, x->limbs));
    if (needs_width(p)) {
        double scale = x->scale;
        GB_TRY(gb_ckks_mul_scalar(one, s->e, x, 2 / (p->b - p->a),
                                  gb_params_divisor(x->params, gb_params_level(x->params, x->limbs))));
        GB_TRY(gb_ckks_rescale(one, s->e));
        one->scale = scale; /* exactly: the factor's scale was what was divided out */
    } else {
        GB_TRY(gb_ct_copy(one, s->ctx, x));
    }
    s->top = gb_params_level(one->params, one->limbs);
    if (!p->chebyshev || p->a + p->b == 0) return GB_OK;
    return gb_ckks_add_scalar(one, s->e, one, -(p->a + p->b) / (p->b - p->a));
}

gb_status gb_ckks_poly_eval(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_poly *p, double scale,
                            const gb_eval_keys *k) {
    gb_ctx *ctx = gb_eval_ctx(e);
    size_t degree = p->degree <= MAX_DEGREE ? degree_of(p->c, p->degree) : 0;
    if (degree < 1) return gb_fail(ctx, GB_ERR_ARGUMENT, "the polynomial's degree is not in 1..%d", MAX_DEGREE);
    if (p->chebyshev && !(p->a < p->b))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a domain [%g, %g] has no inside", p->a, p->b);
    unsigned depth = gb_ckks_poly_depth(degree), width = needs_width(p) ? 1 : 0;
    unsigned level = gb_params_level(x->params, x->limbs);
    if (level < depth + width)
        return gb_fail(ctx, GB_ERR_LEVEL, "degree %zu needs %u levels, the ciphertext has %u", degree, depth + width,
                       level);
    basis *s;
    gb_ct result = {0};
    GB_TRY(gb_alloc_zero(&s, ctx, 1, sizeof(*s)));
    s->e = e, s->ctx = ctx, s->keys = k, s->chebyshev = p->chebyshev;
    gb_status status = start(s, x, p);
    size_t baby = (size_t)1 << (depth + 1) / 2;
    if (status == GB_OK)
        status = eval(&result, s, p->c, degree, level - depth - width, scale > 0 ? scale : x->scale, baby);
    if (status == GB_OK) status = gb_ct_copy(out, ctx, &result);
    gb_eval_ct_return(e, &result);
    for (size_t i = 0; i <= MAX_DEGREE; i++) gb_eval_ct_return(e, &s->element[i]);
    gb_free(s);
    return status;
}
