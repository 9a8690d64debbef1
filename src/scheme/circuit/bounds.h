/* scheme/circuit/bounds: noise of functions made of many operations, beside core/noise, which has one operation each.
 *
 * A first-order view: the error of x reaches p(x) multiplied by p'(x), whatever the order of evaluation; what the
 * evaluation adds itself is followed step by step through the same tree as the function's own (ckks/poly.c,
 * ckks/functions.c, bfv/predicates.c). rms: |p'| averaged over a uniform x, or its largest value when the model is
 * `dependent`. worst follows every step from the start, so it holds to any order. */
#ifndef GB_BOUNDS_H
#define GB_BOUNDS_H

#include <math.h>

#include "scheme/bfv/predicates.h"
#include "scheme/bootstrap/bootstrap.h"
#include "scheme/ckks/functions.h"
#include "scheme/core/noise.h"

/* The value of a ciphertext: every slot in [low, high] (its imaginary part is noise only). */
typedef struct gb_interval {
    double low, high;
} gb_interval;
static inline double gb_interval_most(gb_interval x) { return fmax(fabs(x.low), fabs(x.high)); }

/* gb_ckks_linear_apply, its diagonals at `scale`: row bounds the sum of |D| over a row, typical is the root mean square
 * of all values of all diagonals (the model that is `dependent` takes row alone). */
void gb_bounds_linear(gb_noise *out, const gb_noise_model *m, const gb_noise *x, const gb_ckks_linear *l, double scale,
                      double row, double typical);
/* p(x) for every x in `range`, by Chebyshev nodes, 64 a degree: the largest value there is within a factor 1.0004 of
 * the largest anywhere (Ehlich and Zeller 1964), which the answer is widened by. */
gb_interval gb_bounds_poly_range(const gb_ckks_poly *p, gb_interval range);
/* What gb_ckks_poly_eval does to x at `scale`; to: scale of the result, 0: x's. Errors: ARGUMENT, LEVEL, MEMORY, and
 * RANGE for values outside of a Chebyshev domain (a relative 2^-12 is let pass, as sign's stages do). */
GB_CHECK gb_status gb_bounds_poly(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x, double scale,
                                  const gb_ckks_poly *p, gb_interval range, double to);
/* gb_ckks_sign_eval on [-1, 1], and gb_ckks_inverse on [a, b]. */
GB_CHECK gb_status gb_bounds_sign(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x, double scale,
                                  const gb_ckks_sign *p);
GB_CHECK gb_status gb_bounds_inverse(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x,
                                     double scale, double a, double b, unsigned squarings);
/* gb_ckks_pack of x and y, one half of gb_ckks_unpack (its scale is twice z's), and gb_ckks_mul_packed. */
void gb_bounds_pack(gb_noise *out, const gb_noise_model *m, const gb_noise *x, const gb_noise *y);
void gb_bounds_unpack(gb_noise *out, const gb_noise_model *m, const gb_noise *z);
void gb_bounds_mul_packed(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b);

/* gb_bootstrap_run of values |x| <= 1 at `scale`: what the run adds, its sine's curvature included, beside x's error.
 * It is the noise of the whole ciphertext. Iterations refine the values that are read (n slots, real parts unless
 * `complex`) and leave the rest, imaginary parts and what is not repeated, as one run does. RANGE, MEMORY. */
GB_CHECK gb_status gb_bounds_bootstrap(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x,
                                       double scale, const gb_bootstrap *b);
/* gb_bfv_poly_eval at plaintext modulus t. MEMORY. */
GB_CHECK gb_status gb_bounds_bfv_poly(gb_noise *out, gb_ctx *ctx, const gb_noise_model *m, const gb_noise *x,
                                      const gb_bfv_poly *p, uint64_t t);

#endif
