/* Glovebox: exact arithmetic on integers modulo a prime (BFV). C99. The sets exact-*.
 *
 * A ciphertext holds N slots, two rows of N/2; values are taken modulo t and decrypted in (-t/2, t/2]. Errors of every
 * call: see cipher.h. */
#ifndef GLOVEBOX_BFV_H
#define GLOVEBOX_BFV_H

#include "glovebox/cipher.h"

#ifdef __cplusplus
extern "C" {
#endif

GB_API uint64_t gb_engine_modulus(const gb_engine *e); /* t; 0 for CKKS */
/* values[count], count <= N, under the public key; the other slots are 0. */
GB_API GB_CHECK gb_status gb_bfv_encrypt_slots(gb_cipher *out, gb_engine *e, const gb_keyset *key,
                                               const int64_t *values, size_t count);
/* The same under the secret key: less noise, and a seed stands for half of the ciphertext, so that its wire form is
 * half as long. */
GB_API GB_CHECK gb_status gb_bfv_encrypt_seeded(gb_cipher *out, gb_engine *e, const gb_secret *secret,
                                                const int64_t *values, size_t count);
GB_API GB_CHECK gb_status gb_bfv_decrypt_slots(int64_t *values, size_t count, gb_engine *e, const gb_secret *secret,
                                               const gb_cipher *a);
/* With integers in the clear, slot by slot; slots from count on count as 0. NOISE. */
GB_API GB_CHECK gb_status gb_bfv_add_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const int64_t *values,
                                           size_t count);
GB_API GB_CHECK gb_status gb_bfv_mul_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const int64_t *values,
                                           size_t count);

/* The same integer in every slot: hardly any noise. */
GB_API GB_CHECK gb_status gb_bfv_add_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, int64_t x);
GB_API GB_CHECK gb_status gb_bfv_mul_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, int64_t x);

/* ---- functions of small integers, exactly ----
 * A table over a declared range becomes the polynomial modulo t through its points; slots outside of the range give
 * some integer, not an error. Made for one plaintext modulus; immutable, for any number of threads. */
#define GB_TABLE_MAX 1024 /* points; of equal, less and within: the whole range they are told of */
typedef struct gb_table gb_table;
/* f(low + i) = values[i] for i < count. ARGUMENT, MEMORY. */
GB_API GB_CHECK gb_status gb_table_new(gb_table **out, gb_engine *e, int64_t low, const int64_t *values, size_t count);
/* 1 at 0, 0 elsewhere in [-width, width]: a == b of values at most width apart, at a - b. */
GB_API GB_CHECK gb_status gb_table_equal(gb_table **out, gb_engine *e, unsigned width);
/* 1 below 0, 0 from 0 on, in [-width, width]: a < b at a - b. */
GB_API GB_CHECK gb_status gb_table_less(gb_table **out, gb_engine *e, unsigned width);
/* 1 in [first, last], 0 elsewhere in [low, high]. */
GB_API GB_CHECK gb_status gb_table_within(gb_table **out, gb_engine *e, int64_t low, int64_t high, int64_t first,
                                          int64_t last);
GB_API void gb_table_free(gb_table *t);
GB_API unsigned gb_table_levels(const gb_table *t); /* products one after another: ceil(log2(points)) at most */
/* PARAMS (another modulus), KEY (gb_evalkeys_multiply), NOISE. */
GB_API GB_CHECK gb_status gb_table_apply(gb_cipher *out, gb_engine *e, const gb_table *t, const gb_cipher *x,
                                         const gb_evalkeys *k);

/* ---- signed fixed point: value = integer / 2^fraction ----
 * The integers never round, so results are exact; every ciphertext carries a bound of its values, and a sum or product
 * that could reach t/2 is refused (RANGE). gb_cipher_add, sub, mul, neg, rotate, conjugate, sum and lower take them;
 * sums have the larger fraction of the two, products the sum of both. */
GB_API GB_CHECK gb_status gb_bfv_encrypt_fixed(gb_cipher *out, gb_engine *e, const gb_keyset *key, const double *values,
                                               size_t count, unsigned fraction, double bound);
GB_API GB_CHECK gb_status gb_bfv_decrypt_fixed(double *values, size_t count, gb_engine *e, const gb_secret *secret,
                                               const gb_cipher *a);

#ifdef __cplusplus
}
#endif
#endif
