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
/* The first `count` slots; im may be NULL. Results that are shown to others carry noise that depends on the secret (Li
 * and Micciancio, eprint 2020/1533): do not publish them as they are. */
GB_API GB_CHECK gb_status gb_ckks_decrypt_slots(double *re, double *im, size_t count, gb_engine *e,
                                                const gb_secret *secret, const gb_cipher *a);

/* With numbers in the clear, one a slot (counts as for encryption). Multiplying takes a level. */
GB_API GB_CHECK gb_status gb_ckks_add_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const double *re,
                                            size_t count);
GB_API GB_CHECK gb_status gb_ckks_mul_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const double *re,
                                            size_t count);
GB_API GB_CHECK gb_status gb_ckks_add_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, double x);
GB_API GB_CHECK gb_status gb_ckks_mul_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, double x);

/* A square matrix in the clear, size x size row by row, size a power of two up to N/2; pad others with zeros. Prepared
 * for ciphertexts of at least `level` levels, 1..depth; memory grows with the number of diagonals that are not zero. */
typedef struct gb_matrix gb_matrix;
GB_API GB_CHECK gb_status gb_matrix_new(gb_matrix **out, gb_engine *e, const double *m, size_t size, unsigned level);
GB_API void gb_matrix_free(gb_matrix *m);
GB_API GB_CHECK gb_status gb_evalkeys_matrix(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, const gb_matrix *m);
/* out = M a for a vector encrypted with count = size, at level - 1. KEY (gb_evalkeys_matrix), LEVEL. */
GB_API GB_CHECK gb_status gb_matrix_apply(gb_cipher *out, gb_engine *e, const gb_matrix *m, const gb_cipher *a,
                                          const gb_evalkeys *k);

/* Any smooth function as the Chebyshev series of this degree (1..1023) on [a, b], where all values must lie; takes
 * ceil(log2(degree + 1)) levels, and one more unless b - a is 2. KEY (gb_evalkeys_multiply), LEVEL, RANGE. */
GB_API GB_CHECK gb_status gb_ckks_function(gb_cipher *out, gb_engine *e, const gb_cipher *x,
                                           double (*f)(double x, void *user), void *user, double a, double b,
                                           size_t degree, const gb_evalkeys *k);

#ifdef __cplusplus
}
#endif
#endif
