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
GB_API GB_CHECK gb_status gb_bfv_decrypt_slots(int64_t *values, size_t count, gb_engine *e, const gb_secret *secret,
                                               const gb_cipher *a);
/* With integers in the clear, slot by slot; slots from count on count as 0. NOISE. */
GB_API GB_CHECK gb_status gb_bfv_add_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const int64_t *values,
                                           size_t count);
GB_API GB_CHECK gb_status gb_bfv_mul_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const int64_t *values,
                                           size_t count);

#ifdef __cplusplus
}
#endif
#endif
