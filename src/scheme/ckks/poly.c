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
    const gb_ct *one = &s->element[1];
    double minus = -1;
    GB_TRY(gb_eval_ct(x, s->e, 3, s->element[a].limbs));
    GB_TRY(gb_ckks_tensor(x, s->e, &s->element[a], &s->element[b]));
    if (s->chebyshev) GB_TRY(gb_ct_add(x, s->e, x, x));
    if (s->chebyshev && a != b) GB_TRY(gb_ckks_combine(x, s->e, &one, &minus, 1, x->limbs, x->scale, true));
    GB_TRY(gb_ckks_relinearize_rescale(x, s->e, s->keys));
    return s->chebyshev && a == b ? gb_ckks_add_scalar(x, s->e, x, -1) : GB_OK;
}

static gb_status element(basis *s, size_t i) { return s->element[i].data ? GB_OK : make_element(s, i); }

static size_t degree_of(const double *c, size_t degree) {
    while (degree && c[degree] == 0) degree--;
    return degree;
}

/* A sum on its way to a result: at the limbs above it, with its scale times what the division takes off. */
typedef struct pending {
    gb_ct *sum;
    unsigned limbs;
    double scale;
    bool any; /* sum holds something */
} pending;

/* sum += c_1 element_1 + ..., one integer combination. */
static gb_status add_leaf(pending *t, basis *s, const double *c, size_t degree) {
    const gb_ct *a[GB_COMBINE_TERMS];
    double weight[GB_COMBINE_TERMS];
    size_t count = 0;
    for (size_t i = 1; i <= degree; i++) {
        if (c[i] == 0) continue;
        GB_TRY(element(s, i));
        a[count] = &s->element[i];
        weight[count++] = c[i];
    }
    if (!count) return GB_OK;
    GB_TRY(gb_ckks_combine(t->sum, s->e, a, weight, count, t->limbs, t->scale, t->any));
    t->any = true;
    return GB_OK;
}

/* p = q * element_m + r, r in place of p. In Chebyshev form T_{m+i} = 2 T_m T_i - T_{m-i}. */
static void split(double *q, double *c, size_t degree, size_t m, bool chebyshev) {
    q[0] = c[m];
    for (size_t i = 1; i <= degree - m; i++) {
        q[i] = chebyshev ? 2 * c[m + i] : c[m + i];
        if (chebyshev) c[m - i] -= c[m + i];
    }
}

static gb_status eval(gb_ct *out, basis *s, const double *c, size_t degree, unsigned level, double scale, size_t baby);

/* sum += q * element_m */
static gb_status add_product(pending *t, basis *s, const double *q, size_t degree, size_t m, unsigned level,
                             size_t baby) {
    gb_ct high = {0}, more = {0};
    GB_TRY(element(s, m));
    gb_status status = eval(&high, s, q, degree, level + 1, t->scale / s->element[m].scale, baby);
    if (status == GB_OK && t->any) status = gb_eval_ct(&more, s->e, 3, t->limbs);
    if (status == GB_OK) status = gb_ckks_tensor(t->any ? &more : t->sum, s->e, &high, &s->element[m]);
    if (status == GB_OK && t->any) status = gb_ct_add(t->sum, s->e, t->sum, &more);
    t->sum->scale = t->scale; /* what it is but for the last bits of the doubles it was computed in */
    t->any = true;
    gb_eval_ct_return(s->e, &more);
    gb_eval_ct_return(s->e, &high);
    return status;
}

/* The products of p = q1 T_m + (q2 T_m/2 + (... + leaf)) are all summed with three parts, and relinearised and divided
 * once. A leaf needs its elements one level above the result; deeper ones are split further, which is what keeps the
 * depth at its least. work: 2 * (degree + 1). */
static gb_status eval_sum(pending *t, basis *s, double *work, size_t degree, unsigned level, size_t baby) {
    double *c = work, *q = work + degree + 1;
    while (degree >= 2 && (degree >= baby || s->top - depth_of(degree) <= level)) {
        size_t m = (size_t)1 << (gb_ckks_poly_depth(degree) - 1);
        split(q, c, degree, m, s->chebyshev);
        GB_TRY(add_product(t, s, q, degree - m, m, level, baby));
        degree = degree_of(c, m - 1);
    }
    return add_leaf(t, s, c, degree);
}

/* The polynomial at `level` and `scale`. */
static gb_status eval(gb_ct *out, basis *s, const double *c, size_t degree, unsigned level, double scale, size_t baby) {
    double *work;
    pending t = {.sum = out, .limbs = limbs_at(s, level + 1), .scale = scale * divisor_to(s, level)};
    GB_TRY(gb_alloc(&work, s->ctx, 2 * (degree + 1), sizeof(double)));
    memcpy(work, c, (degree + 1) * sizeof(double));
    gb_status status = gb_eval_ct(out, s->e, 3, t.limbs);
    if (status == GB_OK) {
        size_t bytes = gb_ring_n(gb_params_ring(out->params)) * t.limbs * sizeof(uint64_t);
        status = eval_sum(&t, s, work, degree, level, baby);
        if (status == GB_OK && !t.any) { /* a constant */
            out->parts = 2;
            memset(gb_ct_limb(out, 0, 0), 0, bytes);
            memset(gb_ct_limb(out, 1, 0), 0, bytes);
        }
    }
    if (status == GB_OK)
        status = out->parts == 3 ? gb_ckks_relinearize_rescale(out, s->e, s->keys) : gb_ckks_rescale(out, s->e);
    out->scale = scale;
    if (status == GB_OK) status = gb_ckks_add_scalar(out, s->e, out, work[0]);
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
    size_t baby = (size_t)1 << depth / 2; /* half of the products beyond cost no key switch of their own */
    if (status == GB_OK)
        status = eval(&result, s, p->c, degree, level - depth - width, scale > 0 ? scale : x->scale, baby);
    if (status == GB_OK) status = gb_ct_copy(out, ctx, &result);
    gb_eval_ct_return(e, &result);
    for (size_t i = 0; i <= MAX_DEGREE; i++) gb_eval_ct_return(e, &s->element[i]);
    gb_free(s);
    return status;
}
