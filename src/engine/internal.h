/* Inside of the C library's handles. */
#ifndef GB_ENGINE_H
#define GB_ENGINE_H

#include "glovebox/cipher.h"
#include "scheme/bfv/bfv.h"
#include "scheme/bootstrap/bootstrap.h"
#include "scheme/secret/secret.h"

#define GB_ENGINE_SIGMA 3.25 /* of an error: centred binomial, k = 21 */
/* Standard deviations that a bound of noise stands for: beyond 14 is one of 2^145 coefficients, so that all of a
 * ciphertext of 2^15 decrypt but for 2^-128. */
#define GB_ENGINE_SURE 14

struct gb_engine {
    gb_ctx *ctx; /* borrowed */
    gb_params *params;
    gb_params_info info;
    size_t n;
    unsigned primes, top; /* the highest level of a ciphertext, and its data primes */
    unsigned floor;       /* levels of the set below level 0 of the engine: what bootstrapping starts with */
    gb_eval *eval;
    gb_ckks_encoder *encoder;        /* CKKS */
    gb_bootstrap_config boot_config; /* of a set that refreshes; and what is made when it is first needed: */
    gb_bootstrap *boot;
    gb_eval *inner; /* of its encapsulation */
    gb_bfv *bfv;    /* BFV */
    gb_bfv_eval *bfv_eval;
    gb_pt plain;            /* the plaintext of the call */
    uint64_t *poly, *phase; /* BFV: N words, primes * N words */
    gb_ct out, lower;       /* results whose output is an input too; an operand brought to the other's level */
    double
        scale[GB_MAX_LIMBS]; /* CKKS: of every ciphertext at a level: the top's is 2^40, each below it is the square of
                              * the one above divided by what a rescale there divides, so that a product lands on it */
};

struct gb_cipher {
    gb_ct ct;
    bool filled;
    gb_hash key;  /* of the public key it is under; zeros: not known */
    double noise; /* BFV: log2 of a bound of the coefficients of the noise; CKKS: 0 */
    bool seeded;  /* as it was encrypted: c1 is the expansion of seed, stream 0, and the seed stands for it in bytes */
    gb_seed seed;
    /* BFV, signed fixed point: integer = value 2^fraction, |value| <= bound. bound 0: integers modulo t. */
    unsigned fraction;
    double bound;
};

struct gb_evalkeys {
    gb_params *params, *inner; /* inner: of all.to_sparse, when bootstraps */
    gb_bootstrap_keys all;     /* all.keys: every key that is not of the encapsulation */
    bool bootstraps;
    gb_hash key; /* as in a ciphertext: jointly made ones do not know */
};

/* The checks that every call makes. what names the operation. */
GB_CHECK gb_status gb_engine_need(gb_engine *e, const char *what, bool ckks, bool bfv, const void *handle,
                                  const void *more);
GB_CHECK gb_status gb_engine_output(gb_engine *e, const char *what, const gb_cipher *out); /* of this set */
GB_CHECK gb_status gb_engine_filled(gb_engine *e, const char *what, const gb_cipher *c);
GB_CHECK gb_status gb_engine_secret(gb_engine *e, const char *what, const gb_secret *s);
/* Of this set; and of the key that `key` names, where both are known. */
GB_CHECK gb_status gb_engine_keys(const gb_eval_keys **out, gb_engine *e, const char *what, const gb_evalkeys *k,
                                  const gb_hash *key);
/* Two ciphertexts, or a ciphertext and a secret, of one key. */
GB_CHECK gb_status gb_engine_same_key(gb_engine *e, const char *what, const gb_hash *a, const gb_hash *b);
/* Makes what a bootstrapping needs beside keys, once: bootstrap.c. UNSUPPORTED. */
GB_CHECK gb_status gb_engine_boot(gb_engine *e, const char *what);
/* The keys of a bootstrapping are all there; *bootstraps. */
GB_CHECK gb_status gb_evalkeys_inner(gb_evalkeys *k, gb_engine *e);
/* Makes the key of one Galois element (1: relinearisation), up to a level, where it is not there: keys.c. */
GB_CHECK gb_status gb_evalkeys_galois(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, uint64_t galois,
                                      unsigned level);
/* Where to compute: out itself, or the engine's when out is one of the inputs. finish brings it home. */
static inline gb_ct *gb_engine_target(gb_engine *e, gb_cipher *out, const gb_cipher *a, const gb_cipher *b) {
    return out == a || out == b ? &e->out : &out->ct;
}
GB_CHECK gb_status gb_engine_finish(gb_cipher *out, gb_engine *e, const gb_ct *target, double noise,
                                    const gb_hash *key);
/* The same; out is as many bits of fixed point as a, which may be out. */
GB_CHECK gb_status gb_engine_finish_like(gb_cipher *out, gb_engine *e, const gb_ct *target, double noise,
                                         const gb_cipher *a);
/* Encrypts the engine's plaintext, which is wiped, under the public key or, seeded, under the secret: one is NULL. */
GB_CHECK gb_status gb_engine_encrypt(gb_cipher *out, gb_engine *e, const gb_keyset *key, const gb_secret *secret,
                                     double scale);
/* BFV: refuses noise beyond which a decryption modulo this many primes could fail. */
GB_CHECK gb_status gb_engine_noise(gb_engine *e, const char *what, double noise, unsigned limbs);
double gb_engine_most(const gb_engine *e, unsigned limbs); /* log2 of the noise up to which decryption is right */
/* log2 of the noise of a fresh ciphertext, and of what key switching adds. What a product multiplies it by, in bits. */
double gb_engine_fresh(const gb_engine *e, bool public_key);
double gb_engine_growth(const gb_engine *e);
double gb_engine_switching(const gb_engine *e);
double gb_log2_sum(double a, double b); /* log2(2^a + 2^b) */
/* CKKS: out = a at a lower level and that level's scale; a view of a where it is there already. The only one to use
 * e->lower, so that one such view lives at a time. */
GB_CHECK gb_status gb_engine_lower(gb_ct *out, gb_engine *e, const gb_ct *a, unsigned level);
/* CKKS: a has a level to spend; out, which was multiplied at its level's scale, rescaled onto the next one's. */
GB_CHECK gb_status gb_engine_spend(gb_engine *e, const char *what, const gb_cipher *a);
GB_CHECK gb_status gb_engine_rescaled(gb_cipher *out, gb_engine *e, const gb_hash *key);
/* BFV: out = a modulo its first `limbs` primes (modulus switching), in e->lower or a view of a; *noise is carried on.
 */
GB_CHECK gb_status gb_engine_shrink(gb_ct *out, double *noise, gb_engine *e, const gb_ct *a, unsigned limbs);
/* BFV: products one after another that a set can do at a plaintext prime: params.c. */
unsigned gb_params_bfv_depth(unsigned log_n, double log2_q, unsigned plain_bits);
/* Fixed point: fixed.c. va and vb are the operands at one modulus; noise is the larger one's, or the product's. */
GB_CHECK gb_status gb_engine_fixed_sum(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b,
                                       const gb_ct *va, const gb_ct *vb, double noise, bool minus);
GB_CHECK gb_status gb_engine_fixed_mul(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b,
                                       const gb_ct *va, const gb_ct *vb, double noise, const gb_eval_keys *keys);
/* Integers with a number in the clear: refuses fixed point. */
GB_CHECK gb_status gb_engine_integers(gb_engine *e, const char *what, const gb_cipher *a);
/* Levels of the engine: of a ciphertext, its data primes, and what a rescale from there divides. */
unsigned gb_engine_level(const gb_engine *e, const gb_ct *c);
unsigned gb_engine_limbs(const gb_engine *e, unsigned level);
double gb_engine_divisor(const gb_engine *e, unsigned level);

#endif
