/* scheme/bfv/predicates: any function of a small integer, exactly: a table over a declared range becomes the polynomial
 * modulo t through its points. Equality, order and membership are such tables. Slots must lie in the declared range;
 * outside it the result is some integer, not an error.
 *
 * A result is in all slots at once, 0 or 1 for the predicates, and can be multiplied on. Depth d costs d products one
 * after the other, each about log2 t + log2 N + 5 bits of modulus; nothing is switched down on the way. */
#ifndef GB_BFV_PREDICATES_H
#define GB_BFV_PREDICATES_H

#include "scheme/bfv/bfv.h"

#define GB_BFV_TABLE_MAX 1024 /* most points of a table */

typedef struct gb_bfv_poly {
    uint64_t *c; /* degree + 1 coefficients modulo t, lowest first; owned */
    size_t degree;
} gb_bfv_poly;
void gb_bfv_poly_release(gb_bfv_poly *p);
/* p(low + i) = values[i] modulo t for i < count, of degree below count. 1 <= count <= GB_BFV_TABLE_MAX. ARGUMENT,
 * MEMORY. */
GB_CHECK gb_status gb_bfv_poly_table(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, int64_t low, const int64_t *values,
                                     size_t count);
/* 1 at 0 and 0 at every other x with |x| <= width: equality of two values that are at most width apart. */
GB_CHECK gb_status gb_bfv_poly_equal(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, unsigned width);
/* 1 for x < 0, 0 for 0 <= x, |x| <= width: a < b of values at most width apart, at x = a - b. */
GB_CHECK gb_status gb_bfv_poly_less(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, unsigned width);
/* 1 for first <= x <= last, 0 for the other x in [low, high]. */
GB_CHECK gb_status gb_bfv_poly_within(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, int64_t low, int64_t high,
                                      int64_t first, int64_t last);
unsigned gb_bfv_poly_depth(const gb_bfv_poly *p); /* ceil(log2(degree + 1)) */

/* out (room 3 parts, not x) = p(x). Errors: KEY, PARAMS, LEVEL, MEMORY. */
GB_CHECK gb_status gb_bfv_poly_eval(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, const gb_bfv_poly *p,
                                    const gb_eval_keys *k);
/* 1 where x = 0, 0 where it is anything else modulo t, by Fermat: 1 - x^(t-1). For small t: floor(log2 t) squarings one
 * after the other (16 for t = 65537, whose t - 1 is a power of two), and a product for every further one in t - 1. */
GB_CHECK gb_status gb_bfv_is_zero(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, const gb_eval_keys *k);
/* out = x times an integer, |s| < t: the message's own, no plaintext polynomial is made. out may alias x. */
GB_CHECK gb_status gb_bfv_mul_scalar(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, int64_t s);
GB_CHECK gb_status gb_bfv_add_scalar(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, int64_t s);

#endif
