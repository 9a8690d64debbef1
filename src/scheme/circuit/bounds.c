/* Bounds of CKKS functions: the evaluation's own tree, with noise in place of ciphertexts. */
#include <math.h>

#include "scheme/circuit/bounds.h"

#define MOST_DEGREE 2047
#define NODES 64 /* a degree */

static const double widened = 1.0004; /* 1 / cos(pi / (2 NODES)) */

/* ---- a polynomial in the clear ---- */
static double domain_of(const gb_ckks_poly *p, double x) {
    return p->chebyshev ? (2 * x - p->a - p->b) / (p->b - p->a) : x;
}

static double value_at(const gb_ckks_poly *p, double x) {
    double sum = 0;
    if (p->chebyshev) return gb_chebyshev_at(p->c, p->degree, p->a, p->b, x);
    for (size_t i = p->degree + 1; i-- > 0;) sum = sum * x + p->c[i];
    return sum;
}

/* p'(x), d the coefficients of the derivative in p's basis (see derive). */
static double slope_at(const gb_ckks_poly *p, const double *d, double x) {
    gb_ckks_poly q = *p;
    q.c = d;
    return value_at(&q, x);
}

/* d: degree + 1 coefficients. c'_(i-1) = c'_(i+1) + 2 i c_i, the constant one halved. */
static void derive(double *d, const gb_ckks_poly *p) {
    size_t n = p->degree;
    d[n] = 0;
    for (size_t i = n; i > 0; i--) {
        if (!p->chebyshev)
            d[i - 1] = (double)i * p->c[i];
        else
            d[i - 1] = (i + 1 <= n ? d[i + 1] : 0) + 2 * (double)i * p->c[i];
    }
    if (!p->chebyshev) return;
    d[0] /= 2;
    for (size_t i = 0; i <= n; i++) d[i] *= 2 / (p->b - p->a);
}

/* Node i of count of an interval. */
static double node(gb_interval r, size_t i, size_t count) {
    return (r.low + r.high + (r.high - r.low) * cos(M_PI * ((double)i + 0.5) / (double)count)) / 2;
}

gb_interval gb_bounds_poly_range(const gb_ckks_poly *p, gb_interval range) {
    size_t count = NODES * (p->degree + 1);
    gb_interval y = {INFINITY, -INFINITY};
    for (size_t i = 0; i < count; i++) {
        double v = value_at(p, node(range, i, count));
        y.low = fmin(y.low, v), y.high = fmax(y.high, v);
    }
    double middle = (y.low + y.high) / 2, half = (y.high - y.low) / 2 * widened;
    return (gb_interval){middle - half, middle + half};
}

typedef struct moments { /* of p and p' over the range */
    double value, slope; /* root mean squares, x uniform */
    double most, steepest;
} moments;

static moments moments_of(const gb_ckks_poly *p, const double *d, gb_interval range) {
    size_t count = NODES * (p->degree + 1);
    moments s = {0};
    for (size_t i = 0; i < count; i++) {
        double even = range.low + (range.high - range.low) * ((double)i + 0.5) / (double)count;
        double x = node(range, i, count), v = value_at(p, even), w = slope_at(p, d, even);
        s.value += v * v / (double)count, s.slope += w * w / (double)count;
        s.most = fmax(s.most, fabs(value_at(p, x))), s.steepest = fmax(s.steepest, fabs(slope_at(p, d, x)));
    }
    return (moments){sqrt(s.value), sqrt(s.slope), s.most * widened, s.steepest * widened};
}

/* ---- the walk ---- */
typedef struct value {
    gb_noise n;
    double scale;
} value;

typedef struct walk {
    const gb_noise_model *m;
    gb_ctx *ctx;
    bool chebyshev;
    double most; /* |x|, for the power basis */
    unsigned top;
    bool made[MOST_DEGREE + 1];
    value element[MOST_DEGREE + 1];
} walk;

static unsigned primes_below(const gb_noise_model *m, unsigned limbs) {
    unsigned level = gb_params_level(m->params, limbs);
    return limbs - gb_params_limbs(m->params, level - 1);
}

static double divisor_at(const gb_noise_model *m, unsigned limbs) {
    return gb_params_divisor(m->params, gb_params_level(m->params, limbs));
}

static void rescale(value *x, const gb_noise_model *m) {
    x->scale /= divisor_at(m, x->n.limbs);
    gb_noise_divide(&x->n, m, &x->n, primes_below(m, x->n.limbs));
}

static void product(value *out, const gb_noise_model *m, const value *a, const value *b) {
    gb_noise_tensor(&out->n, m, &a->n, &b->n);
    out->scale = a->scale * b->scale;
}

/* Slots are at most `most` with this root mean square (most itself when the model is dependent). */
static void message(value *x, const gb_noise_model *m, double most, double rms) {
    x->n.message_worst = log2(x->scale * most);
    x->n.message_rms = log2(x->scale * (m->dependent ? most : rms)) - gb_ring_log_n(gb_params_ring(m->params)) / 2.0;
}

/* |T_i| <= 1; x^i of a uniform x. */
static void element_message(walk *s, size_t i) {
    double most = s->chebyshev ? 1 + 0x1p-12 : pow(s->most, (double)i);
    message(&s->element[i], s->m, most, most * (s->chebyshev ? M_SQRT1_2 : 1 / sqrt(2 * (double)i + 1)));
}

static void relinearize_rescale(value *x, const gb_noise_model *m) {
    x->scale /= divisor_at(m, x->n.limbs);
    gb_noise_relinearize_divide(&x->n, m, &x->n, primes_below(m, x->n.limbs));
}

/* sum += c x, x brought to the sum's scale. */
static void combine(value *sum, walk *s, const value *x, double c) {
    gb_noise term;
    gb_noise_mul_scalar(&term, &x->n, c, sum->scale / x->scale);
    gb_noise_add(&sum->n, s->m, &sum->n, &term);
}

static void make(walk *s, size_t i) {
    if (s->made[i]) return;
    size_t b = i / 2, a = i - b;
    make(s, a);
    make(s, b);
    value *x = &s->element[i];
    s->made[i] = true;
    product(x, s->m, &s->element[a], &s->element[b]);
    if (s->chebyshev) gb_noise_times(&x->n, &x->n, 2);
    if (s->chebyshev && a != b) combine(x, s, &s->element[1], -1);
    relinearize_rescale(x, s->m);
    if (s->chebyshev && a == b) gb_noise_add_scalar(&x->n, s->m, &x->n, -1, x->scale);
    element_message(s, i);
}

static size_t degree_of(const double *c, size_t degree) {
    while (degree && c[degree] == 0) degree--;
    return degree;
}

static unsigned depth_of(size_t i) { return i <= 1 ? 0 : gb_ckks_poly_depth(i - 1); }

/* p = q element_m + r, r in place of p; in Chebyshev form T_(m+i) = 2 T_m T_i - T_(m-i). */
static void split(double *q, double *c, size_t degree, size_t m, bool chebyshev) {
    q[0] = c[m];
    for (size_t i = 1; i <= degree - m; i++) {
        q[i] = chebyshev ? 2 * c[m + i] : c[m + i];
        if (chebyshev) c[m - i] -= c[m + i];
    }
}

static gb_status eval(value *out, walk *s, const double *p, size_t degree, unsigned level, double scale, size_t baby) {
    double *c, *q;
    gb_status status = GB_OK;
    GB_TRY(gb_alloc(&c, s->ctx, 2 * (degree + 1), sizeof *c));
    memcpy(c, p, (degree + 1) * sizeof *c);
    q = c + degree + 1;
    *out = (value){{-INFINITY, -INFINITY, -INFINITY, -INFINITY, gb_params_limbs(s->m->params, level + 1), 2, 0},
                   scale * gb_params_divisor(s->m->params, level + 1)};
    while (degree >= 2 && (degree >= baby || s->top - depth_of(degree) <= level) && status == GB_OK) {
        size_t m = (size_t)1 << (gb_ckks_poly_depth(degree) - 1);
        value high;
        split(q, c, degree, m, s->chebyshev);
        make(s, m);
        status = eval(&high, s, q, degree - m, level + 1, out->scale / s->element[m].scale, baby);
        if (status == GB_OK) product(&high, s->m, &high, &s->element[m]);
        if (status == GB_OK) gb_noise_add(&out->n, s->m, &out->n, &high.n);
        degree = degree_of(c, m - 1);
    }
    for (size_t i = 1; i <= degree && status == GB_OK; i++) {
        if (c[i] == 0) continue;
        make(s, i);
        combine(out, s, &s->element[i], c[i]);
    }
    if (out->n.parts == 3)
        relinearize_rescale(out, s->m);
    else
        rescale(out, s->m);
    out->scale = scale;
    gb_noise_add_scalar(&out->n, s->m, &out->n, c[0], scale);
    gb_free(c);
    return status;
}

static bool needs_width(const gb_ckks_poly *p) { return p->chebyshev && fabs(p->b - p->a - 2) > 1e-12; }

static void start(walk *s, const gb_noise *x, double scale, const gb_ckks_poly *p) {
    value *one = &s->element[1];
    *one = (value){*x, scale};
    s->made[1] = true;
    if (needs_width(p)) {
        gb_noise_mul_scalar(&one->n, &one->n, 2 / (p->b - p->a), divisor_at(s->m, x->limbs));
        gb_noise_divide(&one->n, s->m, &one->n, primes_below(s->m, x->limbs));
    }
    if (p->chebyshev && p->a + p->b != 0)
        gb_noise_add_scalar(&one->n, s->m, &one->n, -(p->a + p->b) / (p->b - p->a), scale);
    s->top = gb_params_level(s->m->params, one->n.limbs);
    element_message(s, 1);
}

static gb_status check(gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x, const gb_ckks_poly *p, size_t degree,
                       gb_interval range) {
    const double slack = 1 + 0x1p-12;
    unsigned needed = gb_ckks_poly_depth(degree) + (needs_width(p) ? 1 : 0),
             level = gb_params_level(m->params, x->limbs);
    if (degree < 1 || (p->chebyshev && !(p->a < p->b)))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "the polynomial's degree is not in 1..%d, or its domain is empty",
                       MOST_DEGREE);
    if (level < needed)
        return gb_fail(ctx, GB_ERR_LEVEL, "degree %zu needs %u levels, the ciphertext has %u", degree, needed, level);
    if (p->chebyshev && (domain_of(p, range.low) < -slack || domain_of(p, range.high) > slack))
        return gb_fail(ctx, GB_ERR_RANGE, "values in [%g, %g] leave the polynomial's domain [%g, %g]", range.low,
                       range.high, p->a, p->b);
    return GB_OK;
}

/* Deviations of two independent errors together. */
static double root_sum(double a, double b) {
    return fmax(a, b) == -INFINITY ? -INFINITY : log2(hypot(exp2(a - fmax(a, b)), exp2(b - fmax(a, b)))) + fmax(a, b);
}

/* slope: what the error of x is multiplied by. */
static gb_status poly(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x, double scale,
                      const gb_ckks_poly *p, gb_interval range, double to, double slope) {
    walk *s;
    value y;
    gb_noise none = *x;
    size_t degree = p->degree <= MOST_DEGREE ? degree_of(p->c, p->degree) : 0;
    GB_TRY(check(ctx, m, x, p, degree, range));
    GB_TRY(gb_alloc_zero(&s, ctx, 1, sizeof *s));
    s->m = m, s->ctx = ctx, s->chebyshev = p->chebyshev, s->most = gb_interval_most(range);
    none.rms = -INFINITY;
    start(s, &none, scale, p);
    unsigned depth = gb_ckks_poly_depth(degree);
    gb_status status = eval(&y, s, p->c, degree, s->top - depth, to > 0 ? to : scale, (size_t)1 << depth / 2);
    gb_free(s);
    if (status != GB_OK) return status;
    *out = y.n;
    out->rms = root_sum(y.n.rms, x->rms + log2(slope * y.scale / scale));
    return GB_OK;
}

gb_status gb_bounds_poly(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x, double scale,
                         const gb_ckks_poly *p, gb_interval range, double to) {
    double *d;
    if (p->degree > MOST_DEGREE || (p->chebyshev && !(p->a < p->b)))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a polynomial of degree %zu on [%g, %g]; at most %d", p->degree, p->a,
                       p->b, MOST_DEGREE);
    GB_TRY(gb_alloc(&d, ctx, p->degree + 1, sizeof *d));
    derive(d, p);
    moments s = moments_of(p, d, range);
    gb_free(d);
    GB_TRY(poly(out, ctx, m, x, scale, p, range, to, m->dependent ? s.steepest : s.slope));
    value y = {*out, to > 0 ? to : scale};
    message(&y, m, s.most, s.value);
    *out = y.n;
    return GB_OK;
}

/* ---- sign: the stages one after another; on average, a sample of points goes through them with its own variance ----
 */
#define POINTS 2048

typedef struct sample {
    double x[POINTS], variance[POINTS];
} sample;

/* Answers the mean variance after a stage that adds `own` to the variance of each point. */
static double through(sample *s, const gb_ckks_poly *stage, const double *d, double own) {
    double sum = 0;
    for (size_t i = 0; i < POINTS; i++) {
        double slope = slope_at(stage, d, s->x[i]);
        s->variance[i] = s->variance[i] * slope * slope + own;
        s->x[i] = value_at(stage, s->x[i]);
        sum += s->variance[i];
    }
    return sum / POINTS;
}

gb_status gb_bounds_sign(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x, double scale,
                         const gb_ckks_sign *p) {
    sample *s;
    double d[GB_SIGN_DEGREE + 1];
    gb_noise n = *x;
    GB_TRY(gb_alloc(&s, ctx, 1, sizeof *s));
    for (size_t i = 0; i < POINTS; i++) s->x[i] = 2 * ((double)i + 0.5) / POINTS - 1, s->variance[i] = exp2(2 * x->rms);
    gb_status status = GB_OK;
    for (unsigned i = 0; i < p->stages && status == GB_OK; i++) {
        gb_ckks_poly stage = {p->c[i], p->degree[i], true, -1, 1};
        derive(d, &stage);
        double slope = m->dependent ? moments_of(&stage, d, (gb_interval){-1, 1}).steepest : 0;
        status = poly(&n, ctx, m, &n, scale, &stage, (gb_interval){-1, 1}, 0, slope);
        if (!m->dependent) n.rms = log2(through(s, &stage, d, exp2(2 * n.rms))) / 2;
    }
    gb_free(s);
    if (status != GB_OK) return status;
    value y = {n, scale};
    message(&y, m, 1 + p->error, 1);
    *out = y.n;
    return GB_OK;
}

/* ---- inverse: 1/x = s prod (1 + y^(2^i)), y = 1 - s x ---- */
static void affine(value *out, const gb_noise_model *m, const value *x, double factor, double shift) {
    *out = *x;
    gb_noise_mul_scalar(&out->n, &out->n, factor, divisor_at(m, x->n.limbs));
    gb_noise_divide(&out->n, m, &out->n, primes_below(m, x->n.limbs));
    gb_noise_add_scalar(&out->n, m, &out->n, shift, out->scale);
}

gb_status gb_bounds_inverse(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x, double scale,
                            double a, double b, unsigned squarings) {
    if (!(0 < a && a < b && isfinite(b)))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "an inverse is taken on [a, b] with 0 < a < b, not [%g, %g]", a, b);
    if (gb_params_level(m->params, x->limbs) < gb_ckks_inverse_depth(squarings))
        return gb_fail(ctx, GB_ERR_LEVEL, "an inverse needs %u levels, the ciphertext has %u",
                       gb_ckks_inverse_depth(squarings), gb_params_level(m->params, x->limbs));
    double s = 2 / (a + b), d = (b - a) / (b + a), power = 1, most = s * (1 + d), mean = s;
    value in = {*x, scale}, y, r, factor;
    affine(&y, m, &in, -s, 1);
    affine(&r, m, &in, -s * s, 2 * s);
    message(&y, m, d, d / sqrt(3));
    message(&r, m, most, mean);
    for (unsigned i = 0; i < squarings; i++) {
        product(&y, m, &y, &y);
        relinearize_rescale(&y, m);
        power *= 2;
        message(&y, m, pow(d, power), pow(d, power) / sqrt(2 * power + 1));
        factor = y;
        gb_noise_add_scalar(&factor.n, m, &factor.n, 1, factor.scale);
        message(&factor, m, 1 + pow(d, power), 1);
        product(&r, m, &r, &factor);
        relinearize_rescale(&r, m);
        most *= 1 + pow(d, power);
        message(&r, m, most, mean);
    }
    message(&r, m, most, 1 / sqrt(a * b)); /* the root mean square of 1/x for a uniform x */
    *out = r.n;
    return GB_OK;
}

/* ---- matrices ---- */
/* Baby steps that are not hoisted come one out of the other: on average a quarter of all rotations lies before a
 * product, and never more than all. */
void gb_bounds_linear(gb_noise *out, const gb_noise_model *m, const gb_noise *x, const gb_ckks_linear *l, double scale,
                      double row, double typical) {
    gb_ckks_linear_info info;
    gb_ckks_linear_cost(&info, l);
    gb_noise far = *x, near = *x;
    for (size_t i = 0; !info.hoisted && i < info.rotations; i++) {
        gb_noise_automorphism(&far, m, &far);
        if (i % 4 == 0 || m->dependent) gb_noise_automorphism(&near, m, &near);
    }
    double largest = row / (double)info.products;
    if (m->dependent) typical = largest;
    gb_noise_linear(&far, m, &far, info.products, info.rotations, scale, largest, typical);
    gb_noise_linear(out, m, &near, info.products, info.rotations, scale, largest, typical);
    out->worst = far.worst;
}

/* ---- two reals a slot ---- */
void gb_bounds_pack(gb_noise *out, const gb_noise_model *m, const gb_noise *x, const gb_noise *y) {
    gb_noise_add(out, m, x, y);
}

void gb_bounds_unpack(gb_noise *out, const gb_noise_model *m, const gb_noise *z) {
    gb_noise turned;
    gb_noise_automorphism(&turned, m, z);
    gb_noise_add(out, m, z, &turned);
}

/* Four halves, two products, a sum. */
void gb_bounds_mul_packed(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b) {
    gb_noise x, y;
    gb_bounds_unpack(&x, m, a);
    gb_bounds_unpack(&y, m, b);
    gb_noise_tensor(&x, m, &x, &y);
    gb_noise_relinearize_divide(&x, m, &x, primes_below(m, x.limbs));
    gb_noise_add(out, m, &x, &x);
}
