/* Glovebox: ciphertexts and what CKKS and BFV have in common. C99.
 *
 * Levels: a fresh ciphertext has gb_cipher_level = the set's depth; a CKKS product of any kind takes one. Operands of
 * different levels are brought together (the higher is copied and lowered), and all ciphertexts of one level have one
 * scale, so sums always match. BFV has no levels to think of: every operation carries a bound of the noise (14 standard
 * deviations), and one after which a decryption could fail with a probability above 2^-128 is refused with
 * GB_ERR_NOISE.
 *
 * A ciphertext knows which public key it is under, and so do evaluation keys (but jointly made ones): those of
 * different keys are refused with KEY, in every operation and in decryption.
 *
 * out may be one of the inputs; on error its content is undefined, and it is still the caller's to free. Errors of
 * every call: ARGUMENT (a handle is NULL, or an operation of the other scheme), PARAMS (handles of different sets);
 * then those named. */
#ifndef GLOVEBOX_CIPHER_H
#define GLOVEBOX_CIPHER_H

#include "glovebox/keys.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gb_cipher gb_cipher;
/* An encryption of nothing yet, with room for any level. MEMORY. */
GB_API GB_CHECK gb_status gb_cipher_new(gb_cipher **out, gb_engine *e);
GB_API void gb_cipher_free(gb_cipher *c);
GB_API GB_CHECK gb_status gb_cipher_copy(gb_cipher *out, gb_engine *e, const gb_cipher *a);
/* Levels left (CKKS); products left at this plaintext modulus, roughly (BFV). */
GB_API unsigned gb_cipher_level(const gb_engine *e, const gb_cipher *c);

GB_API GB_CHECK gb_status gb_cipher_add(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b);
GB_API GB_CHECK gb_status gb_cipher_sub(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b);
GB_API GB_CHECK gb_status gb_cipher_neg(gb_cipher *out, gb_engine *e, const gb_cipher *a);
/* Slot by slot, relinearised and (CKKS) rescaled. KEY (gb_evalkeys_multiply), LEVEL, NOISE. */
GB_API GB_CHECK gb_status gb_cipher_mul(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b,
                                        const gb_evalkeys *k);
GB_API GB_CHECK gb_status gb_cipher_square(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_evalkeys *k);
/* a at `level`, at most its own: faster to compute on, fewer bytes to send. CKKS: that level exactly. BFV (modulus
 * switching): as few primes as hold the noise and as many products more; gb_cipher_level may say more. LEVEL. */
GB_API GB_CHECK gb_status gb_cipher_lower(gb_cipher *out, gb_engine *e, const gb_cipher *a, unsigned level);
/* Slot i becomes slot i + step, around; BFV: within each of the two rows of N/2. KEY (gb_evalkeys_rotate), NOISE. */
GB_API GB_CHECK gb_status gb_cipher_rotate(gb_cipher *out, gb_engine *e, const gb_cipher *a, int step,
                                           const gb_evalkeys *k);
/* CKKS: complex conjugates. BFV: the rows exchanged. KEY (gb_evalkeys_conjugate), NOISE. */
GB_API GB_CHECK gb_status gb_cipher_conjugate(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_evalkeys *k);
/* Slot i becomes the sum of slots i .. i + count - 1, around; count: a power of two up to N/2. KEY (gb_evalkeys_sum).
 */
GB_API GB_CHECK gb_status gb_cipher_sum(gb_cipher *out, gb_engine *e, const gb_cipher *a, size_t count,
                                        const gb_evalkeys *k);

/* Wire form: "GBC1", hash of the parameters, id of the key, levels, noise or scale, residues packed at the width of
 * their primes. "GBC2" is that of a ciphertext as gb_ckks_encrypt_seeded or gb_bfv_encrypt_seeded made it (half as
 * long: a seed stands for the second polynomial), and of fixed point. Encoding refuses an empty ciphertext (STATE).
 * *data is freed with gb_bytes_free. Decoding checks everything: FORMAT, TRUNCATED, PARAMS. */
GB_API GB_CHECK gb_status gb_cipher_encode(uint8_t **data, size_t *size, gb_engine *e, const gb_cipher *c);
GB_API GB_CHECK gb_status gb_cipher_decode(gb_cipher *out, gb_engine *e, const uint8_t *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
