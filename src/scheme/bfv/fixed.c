/* Fixed point: integers with a binary point that the bookkeeping moves. */
#include "scheme/bfv/fixed.h"

#include <math.h>

#include "scheme/core/core.h"

#define MOST_FRACTION 59

/* The integers behind |value| <= bound stay below t/2. */
static gb_status fits(gb_ctx *ctx, const gb_bfv *b, double bound, unsigned fraction) {
    if (fraction > MOST_FRACTION || !(bound >= 0) ||
        !(ldexp(bound, (int)fraction) + 1 < (double)(gb_bfv_modulus(b) / 2)))
        return gb_fail(ctx, GB_ERR_RANGE,
                       "values up to %g with %u bits after the point do not fit a plaintext modulus of %.1f bits",
                       bound, fraction, log2((double)gb_bfv_modulus(b)));
    return GB_OK;
}

gb_status gb_fixed_round(int64_t *integers, gb_ctx *ctx, const gb_bfv *b, const double *x, size_t count,
                         unsigned fraction, double bound) {
    GB_TRY(fits(ctx, b, bound, fraction));
    const double unit = ldexp(1, (int)fraction);
    if (!gb_numbers_below(x, count, 1, nextafter(bound, INFINITY))) /* values are secret: it is not said which */
        return gb_fail(ctx, GB_ERR_RANGE, "a value is not within the declared bound %g", bound);
    for (size_t i = 0; i < count; i++) integers[i] = gb_round_number(x[i] * unit);
    return GB_OK;
}

void gb_fixed_values(double *x, const int64_t *integers, size_t count, unsigned fraction) {
    const double unit = ldexp(1, -(int)fraction);
    for (size_t i = 0; i < count; i++) x[i] = (double)integers[i] * unit;
}

gb_status gb_fixed_init(gb_fixed *out, gb_ctx *ctx, const gb_params *p, unsigned limbs, unsigned fraction,
                        double bound) {
    GB_TRY(gb_ct_init(&out->c, ctx, p, 3, limbs));
    out->c.parts = 2;
    out->fraction = fraction;
    out->bound = ldexp(ceil(ldexp(bound, (int)fraction)), -(int)fraction); /* of what is rounded to the grid */
    return GB_OK;
}

void gb_fixed_release(gb_fixed *f) {
    gb_ct_release(&f->c);
    memset(f, 0, sizeof *f);
}

static gb_ctx *context(gb_bfv_eval *e) { return gb_eval_ctx(gb_bfv_eval_core(e)); }

/* out = a + sign b. The coarser operand is multiplied up into out first. */
static gb_status sum(gb_fixed *out, gb_bfv_eval *e, const gb_fixed *a, const gb_fixed *b, bool minus) {
    unsigned fraction = a->fraction > b->fraction ? a->fraction : b->fraction;
    const gb_fixed *coarse = a->fraction < b->fraction ? a : b, *fine = coarse == a ? b : a;
    gb_eval *core = gb_bfv_eval_core(e);
    double bound = a->bound + b->bound;
    if (out == a || out == b)
        return gb_fail(context(e), GB_ERR_ARGUMENT, "a fixed-point sum needs an output of its own");
    GB_TRY(fits(context(e), gb_bfv_eval_context(e), bound, fraction));
    GB_TRY(gb_bfv_mul_scalar(&out->c, e, &coarse->c, INT64_C(1) << (fraction - coarse->fraction)));
    if (!minus) {
        GB_TRY(gb_ct_add(&out->c, core, &out->c, &fine->c));
    } else if (coarse == b) {
        GB_TRY(gb_ct_sub(&out->c, core, &fine->c, &out->c));
    } else {
        GB_TRY(gb_ct_sub(&out->c, core, &out->c, &fine->c));
    }
    out->fraction = fraction;
    out->bound = bound;
    return GB_OK;
}

gb_status gb_fixed_add(gb_fixed *out, gb_bfv_eval *e, const gb_fixed *a, const gb_fixed *b) {
    return sum(out, e, a, b, false);
}

gb_status gb_fixed_sub(gb_fixed *out, gb_bfv_eval *e, const gb_fixed *a, const gb_fixed *b) {
    return sum(out, e, a, b, true);
}

gb_status gb_fixed_mul(gb_fixed *out, gb_bfv_eval *e, const gb_fixed *a, const gb_fixed *b, const gb_eval_keys *k) {
    double bound = a->bound * b->bound;
    unsigned fraction = a->fraction + b->fraction;
    GB_TRY(fits(context(e), gb_bfv_eval_context(e), bound, fraction));
    GB_TRY(gb_bfv_mul(&out->c, e, &a->c, &b->c, k));
    out->fraction = fraction;
    out->bound = bound;
    return GB_OK;
}

gb_status gb_fixed_mul_scalar(gb_fixed *out, gb_bfv_eval *e, const gb_fixed *a, double s, unsigned fraction) {
    int64_t integer = 0;
    GB_TRY(gb_fixed_round(&integer, context(e), gb_bfv_eval_context(e), &s, 1, fraction, fabs(s)));
    double bound = a->bound * ldexp(fabs((double)integer), -(int)fraction);
    unsigned together = a->fraction + fraction;
    GB_TRY(fits(context(e), gb_bfv_eval_context(e), bound, together));
    GB_TRY(gb_bfv_mul_scalar(&out->c, e, &a->c, integer));
    out->fraction = together;
    out->bound = bound;
    return GB_OK;
}
