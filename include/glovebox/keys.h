/* Glovebox: an engine for one parameter set, and keys. C99.
 *
 * An engine holds what computing with a set needs: tables, scratch, an encoder. It belongs to one thread at a time;
 * threads that compute at once have an engine each, made with forks of one context, and share keys and ciphertexts
 * freely. Work inside one call runs on the context's threads. */
#ifndef GLOVEBOX_KEYS_H
#define GLOVEBOX_KEYS_H

#include "glovebox/params.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- engines ---- */
typedef struct gb_engine gb_engine;
/* params: a leveled-*, joint-* or deep-* (CKKS) or exact-* (BFV) set by name; the linear sets are UNSUPPORTED here.
 * plain_bits: BFV, bits of the plaintext prime, 17..60, 0: GB_PLAIN_BITS_DEFAULT; CKKS: 0. ctx is borrowed and gets the
 * errors of every call on the engine. Errors: NOT_FOUND (params), ARGUMENT, UNSUPPORTED, MEMORY. */
GB_API GB_CHECK gb_status gb_engine_new(gb_engine **out, gb_ctx *ctx, const char *params, unsigned plain_bits);
GB_API void gb_engine_free(gb_engine *e); /* after its ciphertexts; NULL is allowed */
/* Facts of the set, depth for this engine's plaintext prime. */
GB_API GB_CHECK gb_status gb_engine_info(gb_params_info *out, gb_engine *e);

/* ---- keys ---- */
typedef struct gb_secret gb_secret; /* guarded, wiped memory; never leaves the machine of its owner */
typedef struct gb_keyset gb_keyset; /* the public key: encrypts, for anyone */

/* A new secret key and its public key. Errors: MEMORY, INSECURE. */
GB_API GB_CHECK gb_status gb_key_new(gb_secret **secret, gb_keyset **key, gb_engine *e);
/* The 32 bytes from which both are made again; to be stored encrypted, and wiped. */
#define GB_KEY_BYTES 32
GB_API GB_CHECK gb_status gb_key_save(uint8_t out[GB_KEY_BYTES], gb_engine *e, const gb_secret *secret);
GB_API GB_CHECK gb_status gb_key_load(gb_secret **secret, gb_keyset **key, gb_engine *e,
                                      const uint8_t saved[GB_KEY_BYTES]);
GB_API void gb_key_free(gb_secret *secret);
GB_API void gb_key_free_public(gb_keyset *key);
/* Wire form of the public key. *data is freed with gb_bytes_free. Decoding checks everything: FORMAT, TRUNCATED, PARAMS
 * (another set's). */
GB_API GB_CHECK gb_status gb_key_encode(uint8_t **data, size_t *size, gb_engine *e, const gb_keyset *key);
GB_API GB_CHECK gb_status gb_key_decode(gb_keyset **key, gb_engine *e, const uint8_t *data, size_t size);
GB_API void gb_bytes_free(uint8_t *data);

/* ---- evaluation keys: what the side that computes needs. Made only for what is asked for ---- */
typedef struct gb_evalkeys gb_evalkeys;
GB_API GB_CHECK gb_status gb_evalkeys_new(gb_evalkeys **out, gb_engine *e);
GB_API void gb_evalkeys_free(gb_evalkeys *k);
/* Each adds keys that are not there yet; params info's switch_key_bytes is the size of one. Errors: PARAMS (a key of
 * another set), MEMORY, INSECURE. */
GB_API GB_CHECK gb_status gb_evalkeys_multiply(gb_evalkeys *k, gb_engine *e, const gb_secret *secret);
/* Rotations by these steps. */
GB_API GB_CHECK gb_status gb_evalkeys_rotate(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, const int *steps,
                                             size_t count);
/* Complex conjugation (CKKS), the exchange of the two rows (BFV). */
GB_API GB_CHECK gb_status gb_evalkeys_conjugate(gb_evalkeys *k, gb_engine *e, const gb_secret *secret);
/* For gb_cipher_sum over `count` slots. */
GB_API GB_CHECK gb_status gb_evalkeys_sum(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, size_t count);
/* "GBE1", id of the key, number of keys, then each with its size, seed-compressed ("GBE2" with those of a
 * bootstrapping). Decoding checks sizes before it allocates and every residue: FORMAT, TRUNCATED, PARAMS. */
GB_API GB_CHECK gb_status gb_evalkeys_encode(uint8_t **data, size_t *size, gb_engine *e, const gb_evalkeys *k);
GB_API GB_CHECK gb_status gb_evalkeys_decode(gb_evalkeys **out, gb_engine *e, const uint8_t *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
