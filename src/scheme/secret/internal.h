/* scheme/secret: the inside of a secret key. Private to this folder. */
#ifndef GB_SECRET_INTERNAL_H
#define GB_SECRET_INTERNAL_H

#include "scheme/core/core.h"
#include "scheme/secret/secret.h"

struct gb_secret {
    gb_params *params;
    gb_hash key_id;
    /* Guarded memory: */
    struct gb_secret_seeds {
        gb_seed root, dataset, error; /* the last two are keys of PRFs, derived from the root */
    } * seeds;
    uint64_t *s_hat; /* the ternary secret in NTT form, all limbs of the ring (data, then special) of N words */
};

/* Per-thread scratch in guarded memory: `words` of N words each, and N bytes. */
typedef struct gb_secret_scratch {
    uint64_t *words;
    int8_t *small;
} gb_secret_scratch;
/* One for each thread of ctx. On error nothing is left. */
GB_CHECK gb_status gb_secret_scratch_new(gb_secret_scratch **out, gb_ctx *ctx, size_t n, size_t words);
void gb_secret_scratch_free(gb_secret_scratch *s, gb_ctx *ctx);

/* out[i] = c1 * s for limb j: c1 in coefficient form, overwritten by the product in coefficient form. */
void gb_secret_mul(uint64_t *c1, const gb_secret *s, size_t limb);
/* The bundle is this key's and these parameters', else KEY or what gb_bundle_check says. */
GB_CHECK gb_status gb_secret_check(gb_ctx *ctx, const gb_secret *s, const gb_bundle_info *b);
/* Seed of a deterministic encryption's errors: a PRF of its public seed and of a purpose (ChaCha20 streams of the two
 * purposes never meet). */
typedef enum gb_error_purpose { GB_ERROR_BUNDLE = 1, GB_ERROR_CIPHERTEXT = 2 } gb_error_purpose;
void gb_secret_error_seed(gb_seed *out, const gb_secret *s, const gb_seed *seed, gb_error_purpose purpose);

/* A switching key from one secret (squared: relinearisation) to another under X -> X^(1/galois); both in NTT form, all
 * limbs of p's ring. The security table is checked on the primes it uses. keygen.c */
GB_CHECK gb_status gb_secret_key_between(gb_switch_key *out, gb_ctx *ctx, const gb_params *p, const uint64_t *source,
                                         const uint64_t *target, bool square, uint64_t galois, unsigned limbs,
                                         unsigned digit);
/* The same with a given seed of the a polynomials and a given (secret) one of the errors: one pair a key. */
GB_CHECK gb_status gb_secret_key_seeded(gb_switch_key *out, gb_ctx *ctx, const gb_params *p, const uint64_t *source,
                                        const uint64_t *target, bool square, uint64_t galois, unsigned limbs,
                                        unsigned digit, const gb_seed *seed, const gb_seed *error);

#endif
