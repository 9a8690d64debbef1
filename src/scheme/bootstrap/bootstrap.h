/* scheme/bootstrap: CKKS bootstrapping. A ciphertext whose levels are spent becomes one with levels again, of nearly
 * the same value.
 *
 * Slots-to-coefficients first: at the lowest levels the N/2 real values become coefficients; the ciphertext is switched
 * to a sparse secret of h = 32 at the smallest modulus only (encapsulation, eprint 2022/024), raised to the whole
 * modulus (the phase gains q0 I, |I| <= 16 but with probability 2^-138.7), switched back to the dense secret, brought
 * to slots, and I is removed by sin(2 pi x) / (2 pi): a Chebyshev series of cos, `doublings` double angles, and an
 * arcsine of degree 3 when the ratio of q0 to the message asks for it. */
#ifndef GB_BOOTSTRAP_H
#define GB_BOOTSTRAP_H

#include "scheme/ckks/ckks.h"

typedef struct gb_bootstrap_config {
    size_t size;         /* sizeof(gb_bootstrap_config), set by gb_bootstrap_config_defaults */
    unsigned to_coeff;   /* levels of slots-to-coefficients, 2..5; default 3 */
    unsigned to_slots;   /* levels of coefficients-to-slots, 2..5; default 4 */
    unsigned degree;     /* of the Chebyshev series, 15..255; default 63 */
    unsigned doublings;  /* double angles, 0..4; default 2 */
    unsigned ratio_bits; /* log2 of q0 / (scale of the message inside), 6..20; default 13 */
    bool arcsine;        /* correct the sine: two levels, for small ratios; default false */
    bool complex;        /* values are complex: the sine is evaluated twice; default false */
} gb_bootstrap_config;
void gb_bootstrap_config_defaults(gb_bootstrap_config *c);

typedef struct gb_bootstrap gb_bootstrap; /* matrices and series for one parameter set; immutable, shared */
/* Level 0 of the set is q0; then to_coeff levels, then the user's, then those of the sine and of to_slots at the top.
 * PARAMS when there are too few levels. */
GB_CHECK gb_status gb_bootstrap_new(gb_bootstrap **out, gb_ctx *ctx, const gb_ckks_encoder *e,
                                    const gb_bootstrap_config *config);
void gb_bootstrap_free(gb_bootstrap *b);
/* Parameters of the encapsulation: q0 and two small special primes; keys for them come from gb_secret_bootstrap_keys.
 */
const gb_params *gb_bootstrap_inner_params(const gb_bootstrap *b);
/* Level of what comes out, and the lowest level of what may go in. */
unsigned gb_bootstrap_level_out(const gb_bootstrap *b);
unsigned gb_bootstrap_level_in(const gb_bootstrap *b);
/* Galois elements needed, each with the level it is used at; answers how many. */
size_t gb_bootstrap_galois(uint64_t *galois, unsigned *level, size_t max, const gb_bootstrap *b);

/* Evaluation keys of one key set: rotations and relinearisation in `keys`, and the encapsulation's two. */
typedef struct gb_bootstrap_keys {
    gb_eval_keys keys;
    gb_switch_key to_sparse; /* inner parameters: dense secret -> sparse */
    gb_switch_key to_dense;  /* outer parameters: sparse -> dense */
} gb_bootstrap_keys;
void gb_bootstrap_keys_release(gb_bootstrap_keys *k);

/* out (room 3, all limbs) = a refreshed, at level_out; a has at least level_in. inner: evaluator of the inner
 * parameters with one prime a digit. KEY, LEVEL, MEMORY. */
GB_CHECK gb_status gb_bootstrap_run(gb_ct *out, gb_eval *e, gb_eval *inner, const gb_ct *a, const gb_bootstrap *b,
                                    const gb_bootstrap_keys *k);

#endif
