/* scheme/ckks: approximate arithmetic on vectors of real or complex numbers (Cheon-Kim-Kim-Song, eprint 2016/421, in
 * RNS form 2018/931). N/2 slots; slot j is the value at zeta^(5^j), zeta = exp(i pi / N), so that rotations are the
 * automorphisms X -> X^(5^k).
 *
 * Scales are tracked exactly as products and quotients of the numbers really used; adding operands whose scales differ
 * by more than 2^-40 of themselves is an error (LEVEL). */
#ifndef GB_CKKS_H
#define GB_CKKS_H

#include "scheme/core/cipher.h"

/* ---- encoding: encode.c ---- */
typedef struct gb_ckks_encoder gb_ckks_encoder; /* roots and bit-reversal for one ring; immutable, shared */
GB_CHECK gb_status gb_ckks_encoder_new(gb_ckks_encoder **out, gb_ctx *ctx, const gb_params *p);
void gb_ckks_encoder_free(gb_ckks_encoder *e);
size_t gb_ckks_slots(const gb_ckks_encoder *e);
const gb_params *gb_ckks_encoder_params(const gb_ckks_encoder *e);

/* A plaintext: `limbs` data limbs (and the special ones when `special`), NTT form, one after the other. */
typedef struct gb_pt {
    const gb_params *params; /* borrowed */
    uint64_t *data;          /* owned; wiped by gb_pt_release */
    unsigned limbs;          /* may be lowered */
    bool special;
    double scale;
    size_t words; /* of data: what gb_pt_init made */
} gb_pt;
GB_CHECK gb_status gb_pt_init(gb_pt *out, gb_ctx *ctx, const gb_params *p, unsigned limbs, bool special);
void gb_pt_release(gb_pt *p);

/* re, im: count <= N/2 values (im may be NULL); a count that is a power of two below N/2 is repeated (sparse packing),
 * others are padded with zeros. RANGE when a coefficient at this scale reaches 2^62 or the modulus. */
GB_CHECK gb_status gb_ckks_encode(gb_pt *out, gb_ctx *ctx, const gb_ckks_encoder *e, const double *re, const double *im,
                                  size_t count, double scale);
/* Slots of a real polynomial given by its N coefficients (already divided by the scale): re and im get `count` values,
 * a power of two of at most N/2; fewer than N/2 read a sparsely packed polynomial. */
void gb_ckks_slots_of(double *re, double *im, size_t count, const double *coefficients, const gb_ckks_encoder *e);

/* ---- evaluation: ops.c. out may alias an input unless a line says otherwise ---- */
GB_CHECK gb_status gb_ckks_add(gb_ct *out, gb_eval *e, const gb_ct *a,
                               const gb_ct *b); /* drops the higher operand's limbs */
GB_CHECK gb_status gb_ckks_sub(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b);
GB_CHECK gb_status gb_ckks_add_plain(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_pt *b);
GB_CHECK gb_status gb_ckks_mul_plain(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_pt *b); /* scale multiplies */
GB_CHECK gb_status gb_ckks_add_scalar(gb_ct *out, gb_eval *e, const gb_ct *a, double s);
/* out = a * s, s encoded at `scale` (an integer near s * scale); the tracked scale multiplies. */
GB_CHECK gb_status gb_ckks_mul_scalar(gb_ct *out, gb_eval *e, const gb_ct *a, double s, double scale);
/* Product, relinearised; rescale apart. out has room for 3 parts and aliases neither input. */
GB_CHECK gb_status gb_ckks_mul(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k);
/* Product, relinearised and rescaled by one level at once. */
GB_CHECK gb_status gb_ckks_mul_rescale(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k);
/* The two halves of that: products of three parts may be summed (gb_ct_add) before they are relinearised together.
 * Scales are kept; out as for gb_ckks_mul. */
GB_CHECK gb_status gb_ckks_tensor(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b);
GB_CHECK gb_status gb_ckks_relinearize_rescale(gb_ct *c, gb_eval *e, const gb_eval_keys *k);
/* out = sum of weight[i] a[i] in one pass, at `limbs` (no a[i] has fewer) and at exactly `scale`: each weight is
 * rounded to an integer at scale / a[i].scale. add: onto what out holds, which has these limbs and this scale, and two
 * parts or three. out may be an a[i]. Errors: ARGUMENT (count), PARAMS, LEVEL, RANGE. */
#define GB_COMBINE_TERMS 64
GB_CHECK gb_status gb_ckks_combine(gb_ct *out, gb_eval *e, const gb_ct *const *a, const double *weight, size_t count,
                                   unsigned limbs, double scale, bool add);
GB_CHECK gb_status gb_ckks_rescale(gb_ct *c, gb_eval *e); /* one level down: the scale is divided by its primes */
GB_CHECK gb_status gb_ckks_rotate(gb_ct *out, gb_eval *e, const gb_ct *a, int step, const gb_eval_keys *k);
GB_CHECK gb_status gb_ckks_conjugate(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_eval_keys *k);

/* ---- linear transforms: linear.c ----
 * y[i] = sum over diagonals d of D_d[i] x[(i + d) mod period], for vectors of `period` slots (a power of two up to
 * N/2, repeated when smaller), banded or dense, by double-hoisted baby and giant steps (eprint 2020/1203, 3.3; giant
 * steps by Horner's rule where that costs no rotation more, so that one key serves all of them). Immutable. */
typedef struct gb_ckks_linear gb_ckks_linear;
typedef struct gb_ckks_diagonal {
    int step;              /* d, any integer, taken modulo period */
    const double *re, *im; /* `period` values; im may be NULL */
} gb_ckks_diagonal;
typedef enum gb_ckks_linear_keys {
    GB_LINEAR_FAST = 0,      /* fewest rotations, then fewest keys: a key for each baby step, and for giant steps one,
                                two (steps around 0), or one each when they leave gaps */
    GB_LINEAR_ONE_GIANT = 1, /* a key for each baby step and one for giant steps; gaps are crossed step by step */
    GB_LINEAR_FEWEST = 2     /* two keys: unit step and giant step; a third when 0 is not the lowest step. A baby step
                                then costs as much as a giant one, about three hoisted ones */
} gb_ckks_linear_keys;
typedef struct gb_ckks_linear_config {
    size_t size;              /* sizeof(gb_ckks_linear_config), set by gb_ckks_linear_config_defaults */
    size_t baby;              /* baby steps to a giant step, in units of the steps' common divisor; 0 (default): the
                                 cheapest up to 64. Each baby step is one ciphertext modulo Q P of memory in a run */
    gb_ckks_linear_keys keys; /* default GB_LINEAR_FAST */
    bool compact; /* keep the coefficients of each diagonal and make its limbs when they are used: the memory of
                     the matrix falls by limbs + special primes, a product costs a transform a limb more
                     (about four times as much). Default false */
} gb_ckks_linear_config;
void gb_ckks_linear_config_defaults(gb_ckks_linear_config *c);
/* Encodes the diagonals at `limbs` limbs and `scale`; config NULL: the defaults. Errors: ARGUMENT, RANGE (compact:
 * coefficients must stay below 2^62 and half of the product of the first two primes), MEMORY. */
GB_CHECK gb_status gb_ckks_linear_new(gb_ckks_linear **out, gb_ctx *ctx, const gb_ckks_encoder *e, size_t period,
                                      const gb_ckks_diagonal *diagonals, size_t count, unsigned limbs, double scale,
                                      const gb_ckks_linear_config *config);
/* The same for a dense matrix of any shape up to N/2 x N/2, row after row (im NULL: real): y = M x. x is repeated with
 * the period of cols padded to a power of two, whatever it holds beyond cols; y has that of rows, 0 beyond them. It
 * takes as many products as the shorter side has entries (padded), less for diagonals of zeros, and a wide matrix
 * log2(cols / rows) rotations more, with a key each (the hybrid method of Juvekar et al., eprint 2018/073). */
GB_CHECK gb_status gb_ckks_linear_dense(gb_ckks_linear **out, gb_ctx *ctx, const gb_ckks_encoder *e, size_t rows,
                                        size_t cols, const double *re, const double *im, unsigned limbs, double scale,
                                        const gb_ckks_linear_config *config);
void gb_ckks_linear_free(gb_ckks_linear *m);
/* Galois elements whose keys the transform needs, each once; answers how many (out may be NULL to count). */
size_t gb_ckks_linear_galois(uint64_t *out, size_t max, const gb_ckks_linear *m);
typedef struct gb_ckks_linear_info {
    size_t keys;         /* rotation keys */
    size_t hoisted;      /* rotations that share one decomposition */
    size_t rotations;    /* rotations with a decomposition each */
    size_t chained;      /* those among them that are baby steps, one out of the other (GB_LINEAR_FEWEST) */
    size_t products;     /* diagonals */
    size_t matrix_bytes; /* of the diagonals: 2 * period words each when compact; else that many a limb, of as few bytes
                            as its prime takes when period is N/2 */
    size_t work_bytes;   /* borrowed from the evaluator while it runs */
} gb_ckks_linear_info;
void gb_ckks_linear_cost(gb_ckks_linear_info *out, const gb_ckks_linear *m);
/* out = M a at M's limbs (a has at least as many); the scale multiplies, rescale apart. out may alias a. */
GB_CHECK gb_status gb_ckks_linear_apply(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ckks_linear *m,
                                        const gb_eval_keys *k);

/* ---- polynomials: poly.c ----
 * p(x) for a ciphertext x, at the least depth: ceil(log2(degree + 1)) levels (baby and giant steps,
 * Paterson-Stockmeyer, with the scales of eprint 2020/1203, section 5: every sum meets at one exact scale).
 * A Chebyshev domain that is not 2 wide costs one level more. x's scale should be near the product of a level's primes.
 */
typedef struct gb_ckks_poly {
    const double *c; /* degree + 1 coefficients, lowest first */
    size_t degree;   /* 1..2047 */
    bool chebyshev;  /* sum c_i T_i(u), u = (2 x - a - b) / (b - a), for x in [a, b]; else sum c_i x^i */
    double a, b;     /* domain, for Chebyshev */
} gb_ckks_poly;
/* out (room 3 parts, not x) gets scale `scale` (0: x's) exactly. LEVEL when x has too few. */
GB_CHECK gb_status gb_ckks_poly_eval(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_poly *p, double scale,
                                     const gb_eval_keys *k);
unsigned gb_ckks_poly_depth(size_t degree);
/* Chebyshev coefficients (degree + 1) of the interpolant of f at the Chebyshev nodes of [a, b]. */
GB_CHECK gb_status gb_chebyshev_fit(double *c, gb_ctx *ctx, size_t degree, double (*f)(double x, void *user),
                                    void *user, double a, double b);
double gb_chebyshev_at(const double *c, size_t degree, double a, double b, double x); /* Clenshaw, in doubles */

#endif
