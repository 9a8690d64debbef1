/* scheme/bfv/fixed: signed fixed point on BFV slots: value = integer / 2^fraction. The integers never round, so results
 * are exact as long as they fit: every operation keeps a bound on |value| and refuses (RANGE) what could reach t/2. */
#ifndef GB_BFV_FIXED_H
#define GB_BFV_FIXED_H

#include "scheme/bfv/predicates.h"

typedef struct gb_fixed {
    gb_ct c;
    unsigned fraction; /* bits after the point */
    double bound;      /* |value| <= bound in every slot */
} gb_fixed;

/* integers[i] = round(x[i] 2^fraction), |x[i]| <= bound; encode them with gb_bfv_encode. RANGE when one is over the
 * bound or not finite, or bound 2^fraction reaches t/2. */
GB_CHECK gb_status gb_fixed_round(int64_t *integers, gb_ctx *ctx, const gb_bfv *b, const double *x, size_t count,
                                  unsigned fraction, double bound);
void gb_fixed_values(double *x, const int64_t *integers, size_t count, unsigned fraction);
/* A fixed-point number with room for `limbs` limbs; its content is then the caller's to fill (encryption, a load). */
GB_CHECK gb_status gb_fixed_init(gb_fixed *out, gb_ctx *ctx, const gb_params *p, unsigned limbs, unsigned fraction,
                                 double bound);
void gb_fixed_release(gb_fixed *f);
/* Sum and difference at the larger fraction; the product at the sum of the fractions. out is initialised, with room for
 * the operands' limbs, and aliases neither. RANGE, LEVEL, KEY. */
GB_CHECK gb_status gb_fixed_add(gb_fixed *out, gb_bfv_eval *e, const gb_fixed *a, const gb_fixed *b);
GB_CHECK gb_status gb_fixed_sub(gb_fixed *out, gb_bfv_eval *e, const gb_fixed *a, const gb_fixed *b);
GB_CHECK gb_status gb_fixed_mul(gb_fixed *out, gb_bfv_eval *e, const gb_fixed *a, const gb_fixed *b,
                                const gb_eval_keys *k);
/* out = a s, s rounded to `fraction` bits. */
GB_CHECK gb_status gb_fixed_mul_scalar(gb_fixed *out, gb_bfv_eval *e, const gb_fixed *a, double s, unsigned fraction);

#endif
