/* scheme/ckks/functions: functions that are not polynomials, on encrypted reals. Each has a plan, made once (its error
 * is stated there, so that a caller can refuse it before any key is made), a depth, and an evaluation.
 *
 * Slots are taken as real. Inputs outside the declared range give nonsense, not an error: nobody can look. */
#ifndef GB_CKKS_FUNCTIONS_H
#define GB_CKKS_FUNCTIONS_H

#include "scheme/ckks/ckks.h"

/* ---- sign and what it makes ----
 * A composition of odd minimax polynomials (Lee et al., eprint 2020/834): each maps the two intervals that the one
 * before left onto narrower ones around -1 and 1. Of all compositions of degrees 3, 7, 15 and 31 the plan is the one of
 * least depth. */
#define GB_SIGN_STAGES 16
#define GB_SIGN_DEGREE 31
typedef struct gb_ckks_sign {
    unsigned alpha, stages;
    size_t degree[GB_SIGN_STAGES];
    double c[GB_SIGN_STAGES][GB_SIGN_DEGREE + 1]; /* Chebyshev, on [-1, 1]; even ones are 0 */
    double error; /* |result - sign(x)| <= error for 2^-alpha <= |x| <= 1; |result| <= 1 + error below */
} gb_ckks_sign;
/* Precision alpha, 1..20: error <= 2^-alpha. ARGUMENT. */
GB_CHECK gb_status gb_ckks_sign_plan(gb_ckks_sign *out, gb_ctx *ctx, unsigned alpha);
double gb_ckks_sign_at(const gb_ckks_sign *p, double x); /* the plan's value, in doubles */
unsigned gb_ckks_sign_depth(const gb_ckks_sign *p);
/* All below: out has room for 3 parts and aliases no input; scale that of x; LEVEL when levels are too few.
 * sign(x), x in [-1, 1]. Depth: gb_ckks_sign_depth. */
GB_CHECK gb_status gb_ckks_sign_eval(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_sign *p,
                                     const gb_eval_keys *k);
/* 1 where a > b, 0 where a < b, 1/2 where equal; a - b in [-1, 1]; error / 2 while |a - b| >= 2^-alpha. The same depth.
 */
GB_CHECK gb_status gb_ckks_compare(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_ckks_sign *p,
                                   const gb_eval_keys *k);
/* |x| and max(x, 0) for x in [-1, 1], max(a, b) for a - b in [-1, 1]: one level more; error at most 2^(1-alpha) for
 * abs, 2^-alpha for the others, everywhere. */
GB_CHECK gb_status gb_ckks_abs(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_sign *p, const gb_eval_keys *k);
GB_CHECK gb_status gb_ckks_relu(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_sign *p, const gb_eval_keys *k);
GB_CHECK gb_status gb_ckks_max(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_ckks_sign *p,
                               const gb_eval_keys *k);

/* ---- 1 / x by Goldschmidt's iteration (Cheon et al., eprint 2019/417, algorithm 1) ----
 * x in [a, b], 0 < a < b: with d = (b - a) / (b + a) the result is x^-1 (1 - r), |r| <= d^(2^(squarings + 1)). */
unsigned gb_ckks_inverse_depth(unsigned squarings); /* squarings + 2; 1 for none */
double gb_ckks_inverse_error(double a, double b, unsigned squarings);
GB_CHECK gb_status gb_ckks_inverse(gb_ct *out, gb_eval *e, const gb_ct *x, double a, double b, unsigned squarings,
                                   const gb_eval_keys *k);

/* ---- smooth functions by Chebyshev interpolation over a declared range ---- */
typedef enum gb_ckks_smooth {
    GB_SMOOTH_EXP,
    GB_SMOOTH_LOG,     /* a > 0 */
    GB_SMOOTH_SIGMOID, /* 1 / (1 + exp(-x)) */
    GB_SMOOTH_SQRT,    /* a >= 0; converges fast for a > 0 only */
    GB_SMOOTH_INVERSE  /* a > 0: less depth than Goldschmidt, more products */
} gb_ckks_smooth;
typedef struct gb_ckks_fit {
    double *c; /* owned */
    size_t degree;
    double a, b;
    double error; /* largest |fit - f| found on 32 (degree + 1) points of [a, b], and an eighth on top */
} gb_ckks_fit;
/* degree 1..2047. Errors: ARGUMENT (degree), RANGE (the function is not finite on [a, b]), MEMORY. */
GB_CHECK gb_status gb_ckks_fit_init(gb_ckks_fit *out, gb_ctx *ctx, gb_ckks_smooth f, double a, double b, size_t degree);
/* The smallest degree 2^d - 1 (the largest of its depth) that stays within `error`. RANGE when none up to 2047 does. */
GB_CHECK gb_status gb_ckks_fit_within(gb_ckks_fit *out, gb_ctx *ctx, gb_ckks_smooth f, double a, double b,
                                      double error);
void gb_ckks_fit_release(gb_ckks_fit *f);
unsigned gb_ckks_fit_depth(const gb_ckks_fit *f);
GB_CHECK gb_status gb_ckks_fit_eval(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ckks_fit *f,
                                    const gb_eval_keys *k);

#endif
