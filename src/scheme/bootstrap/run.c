/* A run, see the door. */
#include <math.h>

#include "scheme/bootstrap/plan.h"
#include "scheme/ckks/pack.h"

typedef struct run {
    gb_eval *e, *inner;
    const gb_bootstrap *b;
    const gb_bootstrap_keys *k;
    gb_ct low, raised, turned, second, temp; /* second, temp: of the sines */
    gb_ct start, rest, correction;           /* iterations */
    unsigned done, steps;                    /* for the progress hook */
} run;

/* Matrices, raises and sines of all iterations. */
static unsigned steps_of(const gb_bootstrap *b) {
    const gb_bootstrap_config *c = &b->config;
    return c->iterations * (c->to_coeff + 1 + c->to_slots + (c->complex && !gb_boot_shared(b) ? 2 : 1));
}

static gb_status step(run *r) { return gb_progress(gb_eval_ctx(r->e), "bootstrapping", r->done++, r->steps); }

static gb_status borrow(run *r) {
    const gb_params *p = r->b->params;
    const gb_bootstrap_config *c = &r->b->config;
    const unsigned all = gb_params_limbs(p, r->b->top), sine = gb_params_limbs(p, r->b->top - c->to_slots);
    const unsigned low = gb_params_limbs(p, c->to_coeff);
    GB_TRY(gb_eval_ct(&r->low, r->e, 2, low));
    GB_TRY(gb_eval_ct(&r->raised, r->e, 2, all));
    GB_TRY(gb_eval_ct(&r->turned, r->e, 2, all));
    GB_TRY(gb_eval_ct(&r->temp, r->e, 3, sine));
    if (c->complex) GB_TRY(gb_eval_ct(&r->second, r->e, 3, sine));
    if (c->iterations == 1) return GB_OK;
    GB_TRY(gb_eval_ct(&r->start, r->e, 2, gb_params_limbs(p, r->b->level_in)));
    GB_TRY(gb_eval_ct(&r->rest, r->e, 2, low));
    return gb_eval_ct(&r->correction, r->e, 3, sine);
}

static void give_back(run *r) {
    gb_ct *all[] = {&r->low, &r->raised, &r->turned, &r->second, &r->temp, &r->start, &r->rest, &r->correction};
    for (size_t i = 0; i < GB_COUNT(all); i++) gb_eval_ct_return(r->e, all[i]);
}

static gb_status apply(gb_ct *c, run *r, gb_ckks_linear *const *factors, unsigned count) {
    for (unsigned f = 0; f < count; f++) {
        GB_TRY(step(r));
        GB_TRY(gb_ckks_linear_apply(c, r->e, c, factors[f], &r->k->keys));
        GB_TRY(gb_ckks_rescale(c, r->e));
    }
    return GB_OK;
}

/* r->low = a's values as coefficients at level 0, at the scale that the message has inside. */
static gb_status to_coefficients(run *r, const gb_ct *a) {
    const gb_bootstrap_config *c = &r->b->config;
    gb_ct view = *a;
    view.limbs = gb_params_limbs(r->b->params, c->to_coeff);
    GB_TRY(gb_ct_copy(&r->low, gb_eval_ctx(r->e), &view));
    GB_TRY(apply(&r->low, r, r->b->to_coeff, c->to_coeff));
    const double grow = floor(r->b->message / r->low.scale + 0.5); /* an input of a small scale */
    return grow < 2 ? GB_OK : gb_ckks_mul_scalar(&r->low, r->e, &r->low, 1, grow);
}

/* Under the sparse secret at q0, then modulo everything, then under the dense secret again: r->raised, of scale q0. */
static gb_status raise_modulus(run *r) {
    gb_ct view = r->low; /* the same words, seen with the inner parameters */
    view.params = r->b->inner;
    GB_TRY(step(r));
    GB_TRY(gb_ct_switch(&view, r->inner, &r->k->to_sparse));
    GB_TRY(gb_ct_raise(&r->raised, r->e, &r->low, gb_params_limbs(r->b->params, r->b->top)));
    GB_TRY(gb_ct_switch(&r->raised, r->e, &r->k->to_dense));
    r->raised.scale = r->b->q0;
    return GB_OK;
}

static gb_status add_rotated(run *r, size_t step) {
    GB_TRY(gb_ckks_rotate(&r->turned, r->e, &r->raised, (int)step, &r->k->keys));
    return gb_ckks_add(&r->raised, r->e, &r->raised, &r->turned);
}

/* r->raised: its slots are the coefficients over 2 x 16.25, and r->turned its conjugate. The sum over the repetitions
 * commutes with the matrices, whose period divides them: it is done where limbs are fewest, but before the last
 * rescale, whose noise it would multiply. */
static gb_status to_slots(run *r) {
    const gb_bootstrap *b = r->b;
    const unsigned last = b->config.to_slots - 1;
    if (gb_boot_shared(b)) GB_TRY(add_rotated(r, b->slots));
    GB_TRY(apply(&r->raised, r, b->to_slots, last));
    GB_TRY(step(r));
    GB_TRY(gb_ckks_linear_apply(&r->raised, r->e, &r->raised, b->to_slots[last], &r->k->keys));
    for (size_t step = b->period; step < gb_ring_n(gb_params_ring(b->params)) / 2; step *= 2)
        GB_TRY(add_rotated(r, step));
    GB_TRY(gb_ckks_rescale(&r->raised, r->e));
    return gb_ckks_conjugate(&r->turned, r->e, &r->raised, &r->k->keys);
}

/* out = sin(2 pi x) at exactly `scale`, x = 16.25 u; u is changed. Each double angle squares the scale and divides it
 * by a level, so the scales before it are square roots. */
static gb_status sine(gb_ct *out, run *r, gb_ct *u, double scale) {
    const gb_bootstrap_config *c = &r->b->config;
    const gb_params *params = r->b->params;
    gb_ckks_poly p = {r->b->series, c->degree, true, -1, 1};
    unsigned level = gb_params_level(params, u->limbs) - gb_ckks_poly_depth(c->degree); /* of the first double angle */
    gb_ct *from = &r->temp, *to = out;
    double first = c->arcsine ? u->scale : scale;
    GB_TRY(step(r));
    for (unsigned i = c->doublings; i > 0; i--) first = sqrt(first * gb_params_divisor(params, level - (i - 1)));
    GB_TRY(gb_ckks_add_scalar(u, r->e, u, -0.25 / GB_BOOT_HALF_WIDTH));
    GB_TRY(gb_ckks_poly_eval(from, r->e, u, &p, first, &r->k->keys));
    for (unsigned i = 0; i < c->doublings; i++) { /* cos(2 a) = 2 cos(a)^2 - 1 */
        GB_TRY(gb_ckks_mul_rescale(to, r->e, from, from, &r->k->keys));
        GB_TRY(gb_ct_add(to, r->e, to, to));
        GB_TRY(gb_ckks_add_scalar(to, r->e, to, -1));
        gb_ct *swap = from;
        from = to, to = swap;
    }
    if (c->arcsine) {
        static const double arcsine[] = {0, 1, 0, 1.0 / 6};
        gb_ckks_poly a = {arcsine, 3, false, 0, 0};
        GB_TRY(gb_ckks_poly_eval(to, r->e, from, &a, scale, &r->k->keys));
        from = to;
    }
    if (from != out) GB_TRY(gb_ct_copy(out, gb_eval_ctx(r->e), from));
    out->scale = scale; /* what it is but for the rounding of doubles */
    return GB_OK;
}

/* From r->raised and its conjugate to the values. */
static gb_status remove_multiples(gb_ct *out, run *r, double scale) {
    const gb_bootstrap *b = r->b;
    if (!b->config.complex || gb_boot_shared(b)) {
        GB_TRY(gb_ckks_add(&r->turned, r->e, &r->turned, &r->raised));
        GB_TRY(sine(out, r, &r->turned, scale));
        if (!gb_boot_shared(b)) return GB_OK;
        GB_TRY(gb_ckks_linear_apply(out, r->e, out, b->join, &r->k->keys));
        return gb_ckks_rescale(out, r->e);
    }
    GB_TRY(gb_ckks_sub(&r->raised, r->e, &r->raised, &r->turned)); /* 2 i im */
    GB_TRY(gb_ct_add(&r->turned, r->e, &r->turned, &r->turned));
    GB_TRY(gb_ckks_add(&r->turned, r->e, &r->turned, &r->raised)); /* 2 conj + 2 i im = 2 re */
    GB_TRY(gb_ckks_mul_i(&r->raised, r->e, &r->raised, -1));
    GB_TRY(sine(out, r, &r->turned, scale));
    GB_TRY(sine(&r->second, r, &r->raised, scale));
    GB_TRY(gb_ckks_mul_i(&r->second, r->e, &r->second, 1));
    return gb_ckks_add(out, r->e, out, &r->second);
}

/* out = a refreshed, at exactly `scale`. */
static gb_status once(gb_ct *out, run *r, const gb_ct *a, double scale) {
    GB_TRY(to_coefficients(r, a));
    const double message = r->low.scale;
    GB_TRY(raise_modulus(r));
    GB_TRY(to_slots(r));
    GB_TRY(remove_multiples(out, r, scale * r->b->q0 / (2 * M_PI * message)));
    out->scale = scale;
    return GB_OK;
}

/* r->start = a at level to_coeff and scale 2^scale_bits. */
static gb_status begin(run *r, const gb_ct *a) {
    const double scale = ldexp(1, (int)r->b->config.scale_bits);
    gb_ct view = *a;
    view.limbs = gb_params_limbs(r->b->params, r->b->level_in);
    GB_TRY(gb_ckks_mul_scalar(&r->start, r->e, &view, 1,
                              scale * gb_params_divisor(r->b->params, r->b->level_in) / a->scale));
    GB_TRY(gb_ckks_rescale(&r->start, r->e));
    r->start.scale = scale; /* but for the rounding of a factor of tens of bits to an integer */
    return GB_OK;
}

/* out += 2^-bits once(2^bits (a - out)). Both have the same scale, so nothing is rounded before the second run. */
static gb_status refine(gb_ct *out, run *r, const gb_ct *a, unsigned bits) {
    gb_ct high = *a, low = *out;
    high.limbs = low.limbs = r->rest.capacity;
    GB_TRY(gb_ckks_sub(&r->rest, r->e, &high, &low));
    GB_TRY(gb_ckks_mul_scalar(&r->rest, r->e, &r->rest, 1, ldexp(1, (int)bits)));
    r->rest.scale = a->scale;
    GB_TRY(once(&r->correction, r, &r->rest, ldexp(a->scale, -(int)bits)));
    r->correction.scale = out->scale;
    return gb_ckks_add(out, r->e, out, &r->correction);
}

static gb_status check_input(gb_ct *out, const run *r, const gb_ct *a) {
    const gb_bootstrap *b = r->b;
    gb_ctx *ctx = gb_eval_ctx(r->e);
    const unsigned level = gb_params_same(a->params, b->params) ? gb_params_level(a->params, a->limbs) : 0;
    if (!gb_params_same(a->params, b->params) || !gb_params_same(gb_eval_params(r->e), b->params) ||
        !gb_params_same(gb_eval_params(r->inner), b->inner))
        return gb_fail(ctx, GB_ERR_PARAMS, "ciphertext, evaluators and bootstrapping have different parameters");
    if (out == a || out->room < 3)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "bootstrapping needs an output of its own with room for 3 parts");
    if (level < b->level_in)
        return gb_fail(ctx, GB_ERR_LEVEL, "bootstrapping starts at level %u; this ciphertext is at %u", b->level_in,
                       level);
    if (!(a->scale > 1 && a->scale <= ldexp(1.5, (int)b->config.scale_bits)))
        return gb_fail(ctx, GB_ERR_RANGE, "bootstrapping at scale 2^%u of a ciphertext of scale 2^%.2f; rescale first",
                       b->config.scale_bits, log2(a->scale));
    return GB_OK;
}

gb_status gb_bootstrap_run(gb_ct *out, gb_eval *e, gb_eval *inner, const gb_ct *a, const gb_bootstrap *b,
                           const gb_bootstrap_keys *k) {
    const gb_bootstrap_config *c = &b->config;
    run r = {.e = e, .inner = inner, .b = b, .k = k, .steps = steps_of(b)};
    GB_TRY(check_input(out, &r, a));
    gb_status s = borrow(&r);
    if (s == GB_OK && c->iterations > 1) {
        s = begin(&r, a);
        a = &r.start;
    }
    if (s == GB_OK) s = once(out, &r, a, ldexp(1, (int)c->scale_bits));
    for (unsigned i = 1; i < c->iterations && s == GB_OK; i++) s = refine(out, &r, a, i * c->refine_bits);
    give_back(&r);
    return s == GB_OK ? step(&r) : s; /* the whole is done */
}
