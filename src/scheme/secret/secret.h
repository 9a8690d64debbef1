/* scheme/secret: everything that sees a secret key. Linked by the client only; a test over `nm` proves that the server
 * and the worker hold none of it. Constant time in secret data: no secret-dependent branch or address. */
#ifndef GB_SECRET_H
#define GB_SECRET_H

#include "scheme/bootstrap/bootstrap.h"

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

/* ---- single ciphertexts (CKKS, BFV): cipher.c ----
 * Seeded symmetric encryption of a message polynomial in NTT form, limb j at message + j * N (a gb_pt's data); c1 is
 * expanded from the public seed, stream `number`, so (seed, number) stands for it on the wire. Deterministic: one
 * (seed, number) a message, never two, and never a seed of a bundle. out needs two parts and `limbs` limbs of room
 * (LEVEL). */
GB_CHECK gb_status gb_ct_encrypt_seeded(gb_ct *out, gb_ctx *ctx, const gb_secret *s, const uint64_t *message,
                                        unsigned limbs, double scale, const gb_seed *seed, uint64_t number);
/* c0 + c1 s (+ c2 s^2), c->limbs limbs of N words, reduced, in coefficient form. PARAMS (another set's key). */
GB_CHECK gb_status gb_ct_phase(uint64_t *phase, gb_ctx *ctx, const gb_secret *s, const gb_ct *c);
/* The same as N centred numbers divided by the scale, right for |value| < 2^60 (and below Q / (2 scale)): only as many
 * primes are looked at. The error is one rounding of doubles a limb. */
GB_CHECK gb_status gb_ct_decrypt(double *coefficients, gb_ctx *ctx, const gb_secret *s, const gb_ct *c);
/* CKKS: decrypts `count` slots (a power of two; fewer than N/2 read a sparsely packed one). re and im get count values
 * each. Errors: ARGUMENT, PARAMS. */
GB_CHECK gb_status gb_ckks_decrypt(double *re, double *im, size_t count, gb_ctx *ctx, const gb_secret *s,
                                   const gb_ckks_encoder *e, const gb_ct *c);

/* ---- evaluation keys: keygen.c ----
 * A relinearisation key (galois 1) or the key of an automorphism, for ciphertexts of up to `limbs` data primes, `digit`
 * of them a digit (0: as many as special primes). The security table is checked on the primes this key uses. */
GB_CHECK gb_status gb_secret_switch_key(gb_switch_key *out, gb_ctx *ctx, const gb_secret *s, uint64_t galois,
                                        unsigned limbs, unsigned digit);
/* Makes the keys of `count` Galois elements and adds those that are not there yet. */
GB_CHECK gb_status gb_secret_eval_keys(gb_eval_keys *keys, gb_ctx *ctx, const gb_secret *s, const uint64_t *galois,
                                       size_t count, unsigned limbs, unsigned digit);

/* All keys a bootstrapping needs, each for the level it is used at: bootstrap_keys.c. The sparse secret (h = 32) exists
 * only while they are made. digit as above, for the keys of the outer parameters. */
GB_CHECK gb_status gb_secret_bootstrap_keys(gb_bootstrap_keys *out, gb_ctx *ctx, const gb_secret *s,
                                            const gb_bootstrap *b, unsigned digit);

#endif
