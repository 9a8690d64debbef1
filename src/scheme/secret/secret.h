/* scheme/secret: everything that sees a secret key. Linked by the client only; a test over `nm` proves that the server
 * and the worker hold none of it. Constant time in secret data: no secret-dependent branch or address. */
#ifndef GB_SECRET_H
#define GB_SECRET_H

#include "scheme/core/cipher.h"

typedef struct gb_secret gb_secret; /* ternary secret and the PRF key its randomness comes from; guarded memory */
/* Makes a secret key and its key set. The security table is checked on the primes used. */
GB_CHECK gb_status gb_secret_new(gb_secret **out, gb_keyset **keyset, gb_ctx *ctx, const gb_params *p);
void gb_secret_free(gb_secret *s);
const gb_hash *gb_secret_key_id(const gb_secret *s);
const gb_params *gb_secret_params(const gb_secret *s);
/* For the key store: the 32-byte root seed from which everything is derived again (caller wipes it). */
void gb_secret_root(uint8_t out[32], const gb_secret *s);
GB_CHECK gb_status gb_secret_restore(gb_secret **out, gb_keyset **keyset, gb_ctx *ctx, const gb_params *p,
                                     const uint8_t root[32]);

/* The public seed of a new dataset: a PRF of nonce and of the hash of what will be encrypted, so that encrypting the
 * same content again with the same nonce gives the same bytes (a resumed upload), and other content another seed. */
void gb_secret_dataset_seed(gb_seed *out, const gb_secret *s, const gb_hash *nonce, const gb_hash *content);

/* Seeded symmetric encryption of one group of lines (see gb_encrypt_public); tiles of plane 0 only. Deterministic in
 * (secret, info->seed, values). Error: RANGE when a value exceeds what decrypts exactly, KEY, PARAMS. */
GB_CHECK gb_status gb_encrypt_seeded(gb_ctx *ctx, const gb_secret *s, const gb_bundle_info *b, size_t group,
                                     const int64_t *values, const gb_tile_sink *sink);
/* Decrypts one group of lines into values[lines][rows]: phase / scale. Reads every block of both planes (c1 from the
 * seed when seeded). Errors: KEY (another key's bundle), PARAMS, and the source's. */
GB_CHECK gb_status gb_decrypt(double *values, gb_ctx *ctx, const gb_secret *s, const gb_bundle_info *b, size_t group,
                              const gb_tile_source *source);

/* ---- evaluation keys: keygen.c ----
 * A relinearisation key (galois 1) or the key of an automorphism, for ciphertexts of up to `limbs` data primes, `digit`
 * of them a digit (0: as many as special primes). The security table is checked on the primes this key uses. */
GB_CHECK gb_status gb_secret_switch_key(gb_switch_key *out, gb_ctx *ctx, const gb_secret *s, uint64_t galois,
                                        unsigned limbs, unsigned digit);
/* Makes the keys of `count` Galois elements and adds those that are not there yet. */
GB_CHECK gb_status gb_secret_eval_keys(gb_eval_keys *keys, gb_ctx *ctx, const gb_secret *s, const uint64_t *galois,
                                       size_t count, unsigned limbs, unsigned digit);

#endif
