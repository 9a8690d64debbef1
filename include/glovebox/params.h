/* Glovebox: the parameter sets it ships. C99.
 *
 * A set fixes the ring, the primes and with them security, depth and the size of every key. Each is within the table of
 * "Security Guidelines for Implementing Homomorphic Encryption" (eprint 2024/463: classical attacks, ternary secret,
 * error of standard deviation 3.19; secrets of weight 192: eprint 2022/024), which is checked again on the primes of
 * every key that is made. */
#ifndef GLOVEBOX_PARAMS_H
#define GLOVEBOX_PARAMS_H

#include "glovebox/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gb_scheme {
    GB_SCHEME_LINEAR = 0, /* public linear maps across many ciphertexts; values as coefficients; no evaluation keys */
    GB_SCHEME_CKKS = 1,   /* real or complex slots, approximate */
    GB_SCHEME_BFV = 2     /* integers modulo a prime, exact */
} gb_scheme;
GB_API const char *gb_scheme_name(gb_scheme s); /* "linear", "ckks", "bfv" */

#define GB_PLAIN_BITS_DEFAULT 20 /* BFV: the plaintext prime where none is asked for */

typedef struct gb_params_info {
    char name[32];
    const char *about; /* one sentence, static */
    gb_scheme scheme;
    unsigned log_n;      /* ring dimension 2^log_n */
    unsigned security;   /* bits */
    double log2_q;       /* of the ciphertext modulus, all levels */
    double log2_qp;      /* with the primes of key switching: what the table limits */
    double log2_qp_max;  /* the table's entry for this ring */
    unsigned weight;     /* coefficients of the secret that are not 0; 0: uniform ternary, the table's */
    unsigned depth;      /* multiplications one after another; BFV: at plain_bits; after a refresh where refreshes */
    int refreshes;       /* bootstrapping gives depth levels back, again and again */
    uint64_t slots;      /* numbers a ciphertext */
    double scale_bits;   /* CKKS: log2 of the scale; else 0 */
    unsigned plain_bits; /* BFV: bits of the plaintext prime that depth is meant for; else 0 */
    double precision;    /* CKKS: bits right in the worst slot after public-key encryption of |x| <= 1, at six
                          * standard deviations; BFV: plain_bits; linear: 0, it depends on the map */
    unsigned primes, specials;   /* of Q and of P */
    unsigned digits;             /* of key switching at the top level */
    uint64_t ciphertext_bytes;   /* in memory, at the top level */
    uint64_t public_key_bytes;   /* on the wire */
    uint64_t switch_key_bytes;   /* in memory: relinearisation, and each rotation again as much; 0 for linear */
    uint64_t switch_key_on_wire; /* the same, seed-compressed and packed */
} gb_params_info;

/* How many sets there are, and the i-th, smallest rings first within a scheme. Error: ARGUMENT (i). */
GB_API size_t gb_params_count(void);
GB_API GB_CHECK gb_status gb_params_at(gb_params_info *out, gb_ctx *ctx, size_t i);
/* One set by its name. NOT_FOUND lists the names. */
GB_API GB_CHECK gb_status gb_params_show(gb_params_info *out, gb_ctx *ctx, const char *name);

/* The first set (the smallest ring) of a scheme that has at least this depth, slots and precision. BFV: precision is
 * the bits of the plaintext prime, 17..60, and out's depth is the one at that prime. 0 asks for nothing. Errors:
 * ARGUMENT (a linear set, precision out of range), NOT_FOUND (says what the largest set has). */
GB_API GB_CHECK gb_status gb_params_suggest(gb_params_info *out, gb_ctx *ctx, gb_scheme scheme, unsigned depth,
                                            uint64_t slots, double precision);

#ifdef __cplusplus
}
#endif
#endif
