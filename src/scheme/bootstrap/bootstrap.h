/* scheme/bootstrap: CKKS bootstrapping. A ciphertext whose levels are spent becomes one with levels again, of nearly
 * the same value.
 *
 * Slots-to-coefficients first: at the lowest levels the n values become coefficients; the ciphertext is switched to a
 * sparse secret of h = 32 at the smallest modulus only (encapsulation, eprint 2022/024), raised to the whole modulus
 * (the phase gains q0 I), switched back to the dense secret, brought to slots, and I is removed by sin(2 pi x): an even
 * Chebyshev series of a cosine, `doublings` double angles, and an arcsine of degree 3 when the ratio of q0 to the
 * message asks for it.
 *
 * Fewer than N/2 slots (n = 2^log_slots values, repeated): transforms of n instead of N/2 points; what the raise puts
 * between the n (or 2 n) coefficients is removed by a sum of rotations. Real and imaginary parts of complex values then
 * share one sine, in 2 n slots, at the price of one level; all N/2 complex slots take two sines and no level.
 *
 * Iterated (META-BTS, eprint 2022/1167): the error of one run, x - run(x), is made 2^refine_bits times as large,
 * bootstrapped, and added. Each further run adds refine_bits to the precision, down to the rounding noise of the scale.
 * What goes in is first brought to the scale of what comes out, for one level; imaginary noise of real values stays.
 *
 * Failure: a run gives nonsense when a coefficient's |I| passes 16. c0 + c1 s over q0 is a sum of h + 1 = 33 uniform
 * numbers of [-1/2, 1/2], so that has probability 2 (1/2)^33 / 33! for each: 2^-154.7, for 2^16 of them 2^-138.7. */
#ifndef GB_BOOTSTRAP_H
#define GB_BOOTSTRAP_H

#include "scheme/ckks/ckks.h"

typedef struct gb_bootstrap_config {
    size_t size;              /* sizeof(gb_bootstrap_config), set by gb_bootstrap_config_defaults */
    unsigned log_slots;       /* log2 of the number of values, 3..log_n - 1; 0: all N/2 slots; default 0 */
    unsigned to_coeff;        /* levels of slots-to-coefficients, 1..5; default 3 */
    unsigned to_slots;        /* levels of coefficients-to-slots, 1..5; default 4 */
    unsigned degree;          /* of the Chebyshev series, 15..255; default 58 */
    unsigned doublings;       /* double angles, 0..4; default 2 */
    double ratio_bits;        /* log2 of q0 / (scale of the message inside), 4..20; default 12 */
    unsigned scale_bits;      /* log2 of the scale of what goes in and comes out, 20..60; default 40 */
    unsigned iterations;      /* 1..3; default 1 */
    unsigned refine_bits;     /* 4..24, below the precision of one run; default 16 */
    gb_ckks_linear_keys keys; /* rotation keys of the matrices: fewer of them, more time; default GB_LINEAR_FAST */
    bool arcsine;             /* correct the sine: two levels, for small ratios; default false */
    bool complex;             /* values are complex; default false */
} gb_bootstrap_config;
void gb_bootstrap_config_defaults(gb_bootstrap_config *c);
/* The options that a shipped set is made for; others may be tried. NOT_FOUND for sets that cannot be bootstrapped. */
GB_CHECK gb_status gb_bootstrap_config_named(gb_bootstrap_config *out, gb_ctx *ctx, const char *set);

typedef struct gb_bootstrap gb_bootstrap; /* matrices and series for one parameter set; immutable, shared */
/* Level 0 of the set is q0; then to_coeff levels, then the user's, then those of the sine and of to_slots at the top.
 * ARGUMENT: an option is out of range; PARAMS: there are too few levels; INSECURE: q0 and one special prime are too
 * large for the sparse secret (121 bits for N of 2^15 and more); MEMORY. */
GB_CHECK gb_status gb_bootstrap_new(gb_bootstrap **out, gb_ctx *ctx, const gb_ckks_encoder *e,
                                    const gb_bootstrap_config *config);
void gb_bootstrap_free(gb_bootstrap *b);
/* Parameters of the encapsulation: q0 and one special prime; keys for them come from gb_secret_bootstrap_keys. */
const gb_params *gb_bootstrap_inner_params(const gb_bootstrap *b);
const gb_bootstrap_config *gb_bootstrap_config_get(const gb_bootstrap *b);
size_t gb_bootstrap_slots(const gb_bootstrap *b); /* values a ciphertext holds */
/* Level of what comes out, and the lowest level of what may go in. */
unsigned gb_bootstrap_level_out(const gb_bootstrap *b);
unsigned gb_bootstrap_level_in(const gb_bootstrap *b);
/* The two without making anything else. PARAMS (too few levels). */
GB_CHECK gb_status gb_bootstrap_levels(unsigned *in, unsigned *out, gb_ctx *ctx, const gb_params *p,
                                       const gb_bootstrap_config *config);
double gb_bootstrap_failure(const gb_bootstrap *b); /* log2 of the probability that a run gives nonsense */
/* Galois elements needed, each with the level it is used at; answers how many. */
size_t gb_bootstrap_galois(uint64_t *galois, unsigned *level, size_t max, const gb_bootstrap *b);
unsigned gb_bootstrap_level_sine(const gb_bootstrap *b); /* the highest level of a relinearisation */

/* Evaluation keys of one key set: rotations and relinearisation in `keys`, and the encapsulation's two. */
typedef struct gb_bootstrap_keys {
    gb_eval_keys keys;
    gb_switch_key to_sparse; /* inner parameters: dense secret -> sparse */
    gb_switch_key to_dense;  /* outer parameters: sparse -> dense */
} gb_bootstrap_keys;
void gb_bootstrap_keys_release(gb_bootstrap_keys *k);

/* out (room 3, all limbs; not a) = a refreshed, at level_out and scale 2^scale_bits exactly. a: at level_in or above,
 * |values| <= 1, a scale of at most 1.5 x 2^scale_bits; its slots repeat with period 2^log_slots and are real unless
 * `complex` (nothing can look: others give nonsense). inner: evaluator of the inner parameters with one prime a digit.
 * The progress hook is called before each matrix and sine. KEY, LEVEL, RANGE (the scale), PARAMS, ARGUMENT (out),
 * MEMORY, CANCELLED. */
GB_CHECK gb_status gb_bootstrap_run(gb_ct *out, gb_eval *e, gb_eval *inner, const gb_ct *a, const gb_bootstrap *b,
                                    const gb_bootstrap_keys *k);

#endif
