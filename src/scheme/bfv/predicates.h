/* scheme/bfv/predicates: any function of a small integer, exactly: a table over a declared range becomes the polynomial
 * modulo t through its points. Equality, order and membership are such tables. Slots must lie in the declared range;
 * outside it the result is some integer, not an error.
 *
 * A result is in all slots at once, 0 or 1 for the predicates, and can be multiplied on. n points take ceil(log2 n)
 * products one after the other, each about log2 t + log2 N + 2 bits of noise budget, and about 2 sqrt(2 n) in all by
 * baby steps and giant steps (Paterson and Stockmeyer 1973): 31 points, of values at most 15 apart, 5 in a row; 11 in
 * all for their order and 8 for equality, which is even. What the noise has grown by is switched off the modulus on the
 * way, so that later products are cheaper and results have fewer primes than what went in. */
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

/* limbs[d], d <= depth: primes that values keep after d products in a row, of `top` at first, `digit` primes a digit of
 * the switching keys. From the average noise (core/noise.h) of a fresh encryption under the secret key, the least there
 * is: a level is dropped when that and a key switch afterwards cost less than GB_BFV_DROP_COST bits of noise budget. */
#define GB_BFV_DROP_COST (1.0 / 16)
void gb_bfv_poly_levels(unsigned *limbs, const gb_params *p, uint64_t t, unsigned digit, unsigned top, unsigned depth);
/* How p is evaluated: p(x) = q(x) x^m + r(x), m = 2^k, down to sums of powers below `baby`; which powers are made, each
 * x^i = x^h x^(i - h) for the power of two h < i <= 2 h; and the depth of the sums, that of the highest one in them.
 * For whoever follows the noise (circuit/bounds.h). */
#define GB_BFV_BABY_MAX 32 /* degrees below GB_BFV_TABLE_MAX */
#define GB_BFV_DEPTH_MAX 10
typedef struct gb_bfv_powers {
    size_t baby;
    unsigned leaf;
    bool need[GB_BFV_BABY_MAX];
} gb_bfv_powers;
void gb_bfv_poly_powers(gb_bfv_powers *out, const gb_bfv_poly *p);
/* out (room 2 parts, not x) = p(x), of gb_bfv_poly_levels' primes for depth gb_bfv_poly_depth (degree < 2: x's).
 * Errors: KEY, PARAMS, LEVEL, MEMORY. */
GB_CHECK gb_status gb_bfv_poly_eval(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, const gb_bfv_poly *p,
                                    const gb_eval_keys *k);
/* 1 where x = 0, 0 where it is anything else modulo t, by Fermat: 1 - x^(t-1). For small t: floor(log2 t) squarings one
 * after the other (16 for t = 65537, whose t - 1 is a power of two), and a product for every further one in t - 1.
 * Primes are dropped as above. */
GB_CHECK gb_status gb_bfv_is_zero(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, const gb_eval_keys *k);
/* out = x times an integer, |s| < t: the message's own, no plaintext polynomial is made. out may alias x. */
GB_CHECK gb_status gb_bfv_mul_scalar(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, int64_t s);
GB_CHECK gb_status gb_bfv_add_scalar(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, int64_t s);

#endif
