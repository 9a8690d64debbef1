/* Bound of a bootstrapping: its stages (bootstrap/run.c) with noise in place of ciphertexts. What its own steps add is
 * followed apart from the input's error, which a refresh hands through as it is. Inside, values are pseudo-random
 * whatever the message is (the multiples of q0 that the raise brings), so that operands are taken as independent there
 * by either model; two bits are added where refusals go by it. */
#include <math.h>

#include "scheme/bootstrap/plan.h"
#include "scheme/circuit/bounds.h"

typedef struct stage {
    const gb_noise_model *m;
    const gb_bootstrap *b;
    gb_ctx *ctx;
    gb_noise n;
    double scale;
} stage;

static double log_n(const stage *s) { return gb_ring_log_n(gb_params_ring(s->m->params)); }

static double log_sum(double a, double b) {
    double high = fmax(a, b);
    return high == -INFINITY ? high : high + log2(exp2(a - high) + exp2(b - high));
}

static void rescale(stage *s) {
    const gb_params *p = s->m->params;
    unsigned level = gb_params_level(p, s->n.limbs);
    s->scale /= gb_params_divisor(p, level);
    gb_noise_divide(&s->n, s->m, &s->n, s->n.limbs - gb_params_limbs(p, level - 1));
}

/* Slots at most `most`, of root mean square `rms`. */
static void message(stage *s, double most, double rms) {
    s->n.message_worst = log2(s->scale * most);
    s->n.message_rms = log2(s->scale * rms) - log_n(s) / 2;
}

/* A matrix whose rows have `entries` entries of absolute value `each`. */
static void linear(stage *s, const gb_ckks_linear *l, double entries, double each, double scale) {
    gb_ckks_linear_info info;
    gb_ckks_linear_cost(&info, l);
    gb_bounds_linear(&s->n, s->m, &s->n, l, scale, entries * each, each * sqrt(entries / (double)info.products));
    s->scale *= scale;
}

/* The factors of a transform of n points; each entry is a root of unity times `value` to the factors' share, halved
 * for every stage when inverse. */
static void transform(stage *s, gb_ckks_linear *const *l, unsigned factors, bool inverse, double value, double scale,
                      bool last_rescale) {
    unsigned stages = 0;
    while ((size_t)1 << stages < s->b->slots) stages++;
    for (unsigned f = 0; f < factors; f++) {
        double entries = exp2(stages / factors + (f < stages % factors ? 1 : 0)),
               each = pow(value, 1.0 / factors) / (inverse ? entries : 1);
        unsigned level = gb_params_level(s->m->params, s->n.limbs);
        linear(s, l[f], entries, each, gb_params_divisor(s->m->params, level) * pow(scale, 1.0 / factors));
        if (f + 1 < factors || last_rescale) rescale(s);
    }
}

static void add_rotated(stage *s) {
    gb_noise turned;
    gb_noise_automorphism(&turned, s->m, &s->n);
    gb_noise_add(&s->n, s->m, &s->n, &turned);
}

/* Where the sine's squarings bring a level's own scale to: as in bootstrap.c. */
static double sine_scale(const gb_bootstrap *b) {
    unsigned sine = gb_bootstrap_level_sine(b);
    double scale = gb_params_divisor(b->params, sine - b->depth + 1);
    for (unsigned i = b->depth; i > 0; i--) scale = sqrt(scale * gb_params_divisor(b->params, sine - (i - 1)));
    return scale;
}

/* The values as coefficients, under the sparse secret and back, modulo everything: scale q0, with multiples of q0. */
static void raise_modulus(stage *s) {
    const gb_bootstrap *b = s->b;
    const gb_params *inner = gb_bootstrap_inner_params(b);
    gb_noise_model small;
    transform(s, b->to_coeff, b->config.to_coeff, false, 1, b->message / ldexp(1, (int)b->config.scale_bits), true);
    double grow = floor(b->message / s->scale + 0.5);
    if (grow >= 2) gb_noise_times(&s->n, &s->n, grow);
    gb_noise_model_init(&small, inner, 1);
    gb_noise_automorphism(&s->n, &small, &s->n); /* the secret is sparse: this is the dense one's rounding */
    s->n.limbs = gb_params_limbs(b->params, b->top);
    gb_noise_automorphism(&s->n, s->m, &s->n);
    s->scale = b->q0;
    /* coefficients (I + x / 2^ratio), I a sum of 33 uniform numbers of [-1/2, 1/2] */
    double most = exp2(log_n(s)) * GB_BOOT_HALF_WIDTH, rms = exp2(log_n(s) / 2) * sqrt(33.0 / 12);
    message(s, most, rms);
}

static void to_slots(stage *s) {
    const gb_bootstrap *b = s->b;
    double repetitions = gb_ring_n(gb_params_ring(b->params)) / 2.0 / (double)b->slots, rms = sqrt(33.0 / 12);
    if (gb_boot_shared(b)) add_rotated(s);
    transform(s, b->to_slots, b->config.to_slots, true, 0.5 / (GB_BOOT_HALF_WIDTH * repetitions), sine_scale(b) / b->q0,
              false);
    for (size_t step = b->period; step < gb_ring_n(gb_params_ring(b->params)) / 2; step *= 2) add_rotated(s);
    rescale(s);
    add_rotated(s); /* the conjugate */
    message(s, 1, rms / GB_BOOT_HALF_WIDTH);
}

/* |values| at most 1 all along; cosines have the root mean square 1 / sqrt 2, and a square's two errors are one. */
static gb_status sine(stage *s, double scale) {
    const gb_bootstrap_config *c = &s->b->config;
    const gb_params *p = s->m->params;
    gb_ckks_poly series = {s->b->series, c->degree, true, -1, 1};
    gb_noise_model square = *s->m;
    gb_noise in = s->n;
    unsigned level = gb_params_level(p, in.limbs) - gb_ckks_poly_depth(c->degree);
    double first = c->arcsine ? s->scale : scale;
    for (unsigned i = c->doublings; i > 0; i--) first = sqrt(first * gb_params_divisor(p, level - (i - 1)));
    square.dependent = true;
    s->n.rms = -INFINITY;
    GB_TRY(gb_bounds_poly(&s->n, s->ctx, s->m, &s->n, s->scale, &series, (gb_interval){-1, 1}, first));
    double before = s->scale;
    s->scale = first;
    for (unsigned i = 0; i < c->doublings; i++) {
        message(s, 1, M_SQRT1_2);
        gb_noise_tensor(&s->n, &square, &s->n, &s->n);
        s->scale *= s->scale;
        unsigned here = gb_params_level(p, s->n.limbs);
        s->scale /= gb_params_divisor(p, here);
        gb_noise_relinearize_divide(&s->n, s->m, &s->n, s->n.limbs - gb_params_limbs(p, here - 1));
        gb_noise_times(&s->n, &s->n, 2);
    }
    if (c->arcsine) {
        static const double arcsine[] = {0, 1, 0, 1.0 / 6};
        gb_ckks_poly a = {arcsine, 3, false, 0, 0};
        double r = 2 * M_PI * exp2(-c->ratio_bits);
        GB_TRY(gb_bounds_poly(&s->n, s->ctx, s->m, &s->n, s->scale, &a, (gb_interval){-r, r}, scale));
    }
    s->scale = scale;
    /* the input's error meets the sine's slope at an integer */
    double through = in.rms + log2(2 * M_PI * GB_BOOT_HALF_WIDTH * scale / before);
    s->n.rms = log_sum(2 * s->n.rms, 2 * through) / 2;
    return GB_OK;
}

/* How far sin(2 pi v / 2^ratio) 2^ratio / 2 pi is from v, as a part of |v| = 1. */
static double curvature(const gb_bootstrap_config *c) {
    double a = 2 * M_PI * exp2(-c->ratio_bits), cubic = a * a / 6;
    return c->arcsine ? 3 * a * a * a * a / 40 : cubic;
}

/* What one run adds, for values |x| <= 1, at `scale`. */
static gb_status once(gb_noise *out, stage *s, double from, double scale) {
    const gb_bootstrap *b = s->b;
    s->n = (gb_noise){-INFINITY, -INFINITY, 0, 0, gb_params_limbs(b->params, b->config.to_coeff), 2, 0};
    s->scale = from;
    message(s, 1, 1 / sqrt(3));
    raise_modulus(s);
    to_slots(s);
    if (b->config.complex && !gb_boot_shared(b)) gb_noise_times(&s->n, &s->n, 2); /* the halves apart */
    GB_TRY(sine(s, scale * b->q0 / (2 * M_PI * b->message)));
    if (gb_boot_shared(b)) {
        double divisor = gb_params_divisor(b->params, b->level_out + 1);
        message(s, 1, 1);
        linear(s, b->join, 2, 1, divisor);
        rescale(s);
    } else if (b->config.complex) {
        gb_noise_add(&s->n, s->m, &s->n, &s->n);
    }
    *out = s->n;
    return GB_OK;
}

/* With more than one iteration, what goes in is first brought to the scale of what comes out. */
static void begin(gb_noise *x, double *scale, const gb_noise_model *m, const gb_bootstrap *b, double to) {
    const unsigned level = gb_bootstrap_level_in(b), limbs = gb_params_limbs(b->params, level);
    if (b->config.iterations == 1) return;
    x->limbs = limbs;
    gb_noise_mul_scalar(x, x, 1, to * gb_params_divisor(b->params, level) / *scale);
    gb_noise_divide(x, m, x, limbs - gb_params_limbs(b->params, level - 1));
    *scale = to;
}

gb_status gb_bounds_bootstrap(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x, double scale,
                              const gb_bootstrap *b) {
    const gb_bootstrap_config *c = &b->config;
    const unsigned level_in = gb_bootstrap_level_in(b);
    gb_noise_model inside = *m;
    gb_noise in = *x;
    stage s = {.m = &inside, .b = b, .ctx = ctx};
    double to = ldexp(1, (int)c->scale_bits);
    if (!gb_params_same(m->params, b->params) || x->limbs < gb_params_limbs(b->params, level_in) ||
        !(exp2(x->message_worst) / scale <= 1.001))
        return gb_fail(ctx, GB_ERR_RANGE,
                       "bootstrapping: takes values of at most 1 at level %u or above, of its own parameters",
                       level_in);
    inside.dependent = false;
    begin(&in, &scale, m, b, to);
    GB_TRY(once(out, &s, scale, to));
    gb_noise added = *out;
    if (c->iterations > 1) { /* a correction, with its own noise at a scale so much smaller */
        gb_noise last;
        GB_TRY(once(&last, &s, scale, ldexp(to, -(int)((c->iterations - 1) * c->refine_bits))));
        gb_noise_add(&added, m, &added, &last);
    }
    double grown = log2(to / scale), bent = log2(to * curvature(c));
    double flat = bent - log_n(&s) / 2 - (m->dependent ? 0 : log2(7.0) / 2); /* x^3 of a uniform x: 1/7 of its square */
    out->worst = log_sum(log_sum(added.worst, in.worst + grown), bent);
    out->rms = log_sum(log_sum(2 * added.rms + (m->dependent ? 4 : 0), 2 * (in.rms + grown)), 2 * flat) / 2;
    out->message_worst = in.message_worst + grown, out->message_rms = in.message_rms + grown;
    out->limbs = gb_params_limbs(b->params, b->level_out);
    out->parts = 2;
    return GB_OK;
}
