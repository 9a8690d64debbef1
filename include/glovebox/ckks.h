/* Glovebox: approximate arithmetic on real and complex numbers (CKKS). C99. The sets leveled-*.
 *
 * A ciphertext holds N/2 slots. Fewer numbers are padded with zeros, but a count that is a power of two is repeated to
 * fill the slots, so that rotations and sums go around within the count. Errors of every call: see cipher.h. */
#ifndef GLOVEBOX_CKKS_H
#define GLOVEBOX_CKKS_H

#include "glovebox/cipher.h"

#ifdef __cplusplus
extern "C" {
#endif

/* re[count], im[count] (NULL: 0) under the public key. RANGE when a value does not fit the first prime. */
GB_API GB_CHECK gb_status gb_ckks_encrypt_slots(gb_cipher *out, gb_engine *e, const gb_keyset *key, const double *re,
                                                const double *im, size_t count);
/* The same under the secret key: less noise, and a seed stands for half of the ciphertext, so that its wire form is
 * half as long. */
GB_API GB_CHECK gb_status gb_ckks_encrypt_seeded(gb_cipher *out, gb_engine *e, const gb_secret *secret,
                                                 const double *re, const double *im, size_t count);
/* The first `count` slots; im may be NULL. Results that are shown to others carry noise that depends on the secret (Li
 * and Micciancio, eprint 2020/1533): do not publish them as they are. */
GB_API GB_CHECK gb_status gb_ckks_decrypt_slots(double *re, double *im, size_t count, gb_engine *e,
                                                const gb_secret *secret, const gb_cipher *a);

/* With numbers in the clear, one a slot (im and counts as for encryption). Multiplying takes a level. */
GB_API GB_CHECK gb_status gb_ckks_add_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const double *re,
                                            const double *im, size_t count);
GB_API GB_CHECK gb_status gb_ckks_mul_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const double *re,
                                            const double *im, size_t count);
GB_API GB_CHECK gb_status gb_ckks_add_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, double x);
GB_API GB_CHECK gb_status gb_ckks_mul_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, double x);

/* ---- two reals a slot: x + i y, half the ciphertexts and half the bootstrappings ----
 * Sums, rotations, and products with real numbers in the clear or with ciphertexts of real slots act on both halves as
 * they are. out and the inputs of unpack and mul_packed: x and y are neither each other nor z. */
GB_API GB_CHECK gb_status gb_cipher_pack(gb_cipher *out, gb_engine *e, const gb_cipher *x, const gb_cipher *y);
/* Takes a level. KEY (gb_evalkeys_conjugate), LEVEL. */
GB_API GB_CHECK gb_status gb_cipher_unpack(gb_cipher *x, gb_cipher *y, gb_engine *e, const gb_cipher *z,
                                           const gb_evalkeys *k);
/* Half by half; takes two levels. KEY (gb_evalkeys_conjugate, gb_evalkeys_multiply), LEVEL. */
GB_API GB_CHECK gb_status gb_cipher_mul_packed(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b,
                                               const gb_evalkeys *k);
/* out = i^power a: exact, no level, no key. */
GB_API GB_CHECK gb_status gb_cipher_mul_i(gb_cipher *out, gb_engine *e, const gb_cipher *a, int power);

/* ---- matrices ---- */
/* A square matrix in the clear, size x size row by row, size a power of two up to N/2; pad others with zeros. Prepared
 * for ciphertexts of at least `level` levels, 1..depth; memory grows with the number of diagonals that are not zero. */
typedef struct gb_matrix gb_matrix;
typedef enum gb_matrix_flags {
    GB_MATRIX_FEW_KEYS = 1 << 0, /* one key for all giant steps: a few more rotations where the diagonals have gaps */
    GB_MATRIX_FEWEST_KEYS = 1 << 1, /* two keys or three in all, and each step costs a whole rotation */
    GB_MATRIX_COMPACT = 1 << 2      /* a fraction of the matrix's memory, products take three to five times as long */
} gb_matrix_flags;
/* flags: 0 or some of gb_matrix_flags. ARGUMENT, LEVEL, RANGE (not finite), MEMORY. */
GB_API GB_CHECK gb_status gb_matrix_new(gb_matrix **out, gb_engine *e, const double *m, size_t size, unsigned level,
                                        unsigned flags);
GB_API void gb_matrix_free(gb_matrix *m);
GB_API size_t gb_matrix_keys(const gb_matrix *m); /* how many rotation keys it takes */
/* These keys, up to the matrix's level. */
GB_API GB_CHECK gb_status gb_evalkeys_matrix(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, const gb_matrix *m);
/* out = M a for a vector encrypted with count = size, at level - 1. KEY (gb_evalkeys_matrix), LEVEL. */
GB_API GB_CHECK gb_status gb_matrix_apply(gb_cipher *out, gb_engine *e, const gb_matrix *m, const gb_cipher *a,
                                          const gb_evalkeys *k);

/* ---- functions, evaluated as polynomials of least depth ----
 * Immutable once made, for any engine and number of threads. Slots are taken as real; values outside of the declared
 * interval give nonsense, not an error: nothing can look. */
#define GB_FUNCTION_DEGREE 2047
typedef struct gb_function gb_function;
typedef enum gb_function_kind {
    GB_FUNCTION_EXP = 0,
    GB_FUNCTION_LOG = 1,     /* a > 0 */
    GB_FUNCTION_SIGMOID = 2, /* 1 / (1 + exp(-x)) */
    GB_FUNCTION_SQRT = 3,    /* a >= 0; converges fast for a > 0 only */
    GB_FUNCTION_INVERSE = 4  /* a > 0; see gb_cipher_inverse for wide intervals */
} gb_function_kind;
/* The Chebyshev series on [a, b] of least depth that stays within `error`. RANGE (the function is not finite there, or
 * no degree up to 2047 does), ARGUMENT, MEMORY. */
GB_API GB_CHECK gb_status gb_function_new(gb_function **out, gb_ctx *ctx, gb_function_kind kind, double a, double b,
                                          double error);
/* Any smooth function as the Chebyshev series of this degree, 1..2047, on [a, b]; f is called here and not kept. */
GB_API GB_CHECK gb_status gb_function_fit(gb_function **out, gb_ctx *ctx, double (*f)(double x, void *user), void *user,
                                          double a, double b, size_t degree);
typedef enum gb_basis {
    GB_BASIS_POWER = 0,    /* sum c[i] x^i; a and b are not looked at */
    GB_BASIS_CHEBYSHEV = 1 /* sum c[i] T_i(u), u = (2 x - a - b) / (b - a), for x in [a, b] */
} gb_basis;
/* degree + 1 coefficients, copied. */
GB_API GB_CHECK gb_status gb_function_polynomial(gb_function **out, gb_ctx *ctx, gb_basis basis, const double *c,
                                                 size_t degree, double a, double b);
GB_API void gb_function_free(gb_function *f);
/* Levels it takes: ceil(log2(degree + 1)), and one more for a Chebyshev series unless b - a is 2. */
GB_API unsigned gb_function_levels(const gb_function *f);
GB_API size_t gb_function_degree(const gb_function *f);
/* gb_function_new: the largest distance to the function found on 32 (degree + 1) points and an eighth on top; else 0.
 */
GB_API double gb_function_error(const gb_function *f);
/* out = f(x). KEY (gb_evalkeys_multiply), LEVEL. */
GB_API GB_CHECK gb_status gb_function_apply(gb_cipher *out, gb_engine *e, const gb_function *f, const gb_cipher *x,
                                            const gb_evalkeys *k);

/* 1 / x for x in [a, b], 0 < a, by Goldschmidt's iteration (eprint 2019/417): within `error` of the result, relative.
 * Levels it takes; 0 when there is no such thing. KEY (gb_evalkeys_multiply), LEVEL. */
GB_API unsigned gb_inverse_levels(double a, double b, double error);
GB_API GB_CHECK gb_status gb_cipher_inverse(gb_cipher *out, gb_engine *e, const gb_cipher *x, double a, double b,
                                            double error, const gb_evalkeys *k);

/* ---- sign and what it makes: composed minimax polynomials (eprint 2020/834) ----
 * precision 1..20: right to 2^-precision for 2^-precision <= |x| <= 1; closer to 0 the sign is somewhere in [-1, 1].
 * Arguments (of compare, max, min: differences) lie in [-1, 1]; scale them there first. */
typedef struct gb_sign gb_sign;
GB_API GB_CHECK gb_status gb_sign_new(gb_sign **out, gb_ctx *ctx, unsigned precision);
GB_API void gb_sign_free(gb_sign *s);
GB_API unsigned gb_sign_levels(const gb_sign *s); /* of sign and compare; abs, relu, max and min take one more */
GB_API double gb_sign_error(const gb_sign *s);    /* at most 2^-precision */
/* All: KEY (gb_evalkeys_multiply), LEVEL. compare: 1 where a > b, 0 where a < b, 1/2 where equal. */
GB_API GB_CHECK gb_status gb_sign_apply(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *x,
                                        const gb_evalkeys *k);
GB_API GB_CHECK gb_status gb_sign_compare(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *a,
                                          const gb_cipher *b, const gb_evalkeys *k);
/* |x|, max(x, 0), the larger and the smaller; errors up to 2^(1 - precision) for abs, 2^-precision for the others. */
GB_API GB_CHECK gb_status gb_sign_abs(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *x,
                                      const gb_evalkeys *k);
GB_API GB_CHECK gb_status gb_sign_relu(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *x,
                                       const gb_evalkeys *k);
GB_API GB_CHECK gb_status gb_sign_max(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *a,
                                      const gb_cipher *b, const gb_evalkeys *k);
GB_API GB_CHECK gb_status gb_sign_min(gb_cipher *out, gb_engine *e, const gb_sign *s, const gb_cipher *a,
                                      const gb_cipher *b, const gb_evalkeys *k);

/* ---- bootstrapping: the sets deep-* ----
 * A ciphertext of real numbers, |x| <= 1, that has no level left becomes one of all levels with nearly the same: again
 * and again, so that there is no limit of depth (eprint 2020/1203, 2022/024). Keys are large, and to make them or to
 * run takes seconds: what they take can be asked first, and the context's progress hook is called. docs/engine.md has
 * the precision of each set. */
typedef struct gb_bootstrap_info {
    double failure;       /* log2 of the probability that one run gives nonsense, below -128 */
    uint64_t keys;        /* evaluation keys, all together: */
    uint64_t key_bytes;   /* in memory */
    uint64_t key_on_wire; /* seed-compressed */
} gb_bootstrap_info;
/* Makes the matrices of the bootstrapping, which stay with the engine. UNSUPPORTED (other sets), MEMORY. */
GB_API GB_CHECK gb_status gb_engine_bootstrap_info(gb_bootstrap_info *out, gb_engine *e);
GB_API GB_CHECK gb_status gb_evalkeys_bootstrap(gb_evalkeys *k, gb_engine *e, const gb_secret *secret);
/* From any level. KEY (gb_evalkeys_bootstrap), UNSUPPORTED, CANCELLED. Values beyond 1 give nonsense, not an error. */
GB_API GB_CHECK gb_status gb_cipher_bootstrap(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_evalkeys *k);

#ifdef __cplusplus
}
#endif
#endif
