/* scheme/circuit: a computation on ciphertexts written down before it is run. Every step is checked as it is added:
 * levels, ranges and noise are followed on paper (core/noise.h, circuit/bounds.h), and what could go wrong is refused
 * there, with the name of the operation, before any key is made. What was checked is what is run.
 *
 * CKKS: every ciphertext of a level has the same scale, gb_circuit_scale: the top's is chosen, each one below is the
 * square of the one above over what a rescale there divides, so that products land on it. Operands that meet at
 * different levels are brought to the lower one by a step that the circuit puts in ("lower"). Products, with numbers
 * too, are rescaled at once.
 * BFV: numbers modulo t; "lower" divides by primes that the noise has used up.
 *
 * Ranges are those of exact values, in every slot; noise is carried apart. Refusals go by worst data within the
 * declared ranges and by operands that may share their randomness (gb_noise_model's `dependent`), as Gaussians beyond
 * 14 deviations. */
#ifndef GB_CIRCUIT_H
#define GB_CIRCUIT_H

#include "scheme/circuit/bounds.h"

typedef struct gb_circuit gb_circuit;
typedef uint32_t gb_wire; /* a value, numbered from 0 in the order made; operands are earlier ones */

/* digit: data primes a digit of the switching keys, 0: as many as special primes. scale: of the top level. The encoder
 * or context is borrowed. ARGUMENT, MEMORY. */
GB_CHECK gb_status gb_circuit_new_ckks(gb_circuit **out, gb_ctx *ctx, const gb_ckks_encoder *e, unsigned digit,
                                       double scale);
GB_CHECK gb_status gb_circuit_new_bfv(gb_circuit **out, gb_ctx *ctx, const gb_bfv *b, unsigned digit);
void gb_circuit_free(gb_circuit *c);
unsigned gb_circuit_top(const gb_circuit *c);                 /* the highest level */
double gb_circuit_scale(const gb_circuit *c, unsigned level); /* CKKS; 0 above the top. BFV: 1 */

/* ---- building. Errors of every step, each with its name and number: ARGUMENT, LEVEL (none left for it), RANGE (a
 * declared range leaves what the step or the scheme can hold), NOISE (a decryption could fail with a probability above
 * 2^-128), LIMIT, MEMORY. Vectors are copied. ---- */
typedef struct gb_circuit_input {
    unsigned level;    /* of the ciphertext; CKKS: at that level's scale */
    gb_interval range; /* of every slot, finite. BFV: [-INFINITY, INFINITY] is arithmetic modulo t, nothing is watched;
                        * else results must stay within (-t/2, t/2] */
    bool complex;      /* CKKS: range.high bounds |slot| */
    double typical;    /* CKKS: root mean square of the slots, for the average alone; 0: the largest */
    bool public_key;   /* encrypted with the public key */
} gb_circuit_input;
GB_CHECK gb_status gb_circuit_add_input(gb_wire *out, gb_circuit *c, const gb_circuit_input *in);
/* precision: CKKS, bits after the point that the worst slot must have; less than that is NOISE. 0: any. */
GB_CHECK gb_status gb_circuit_add_output(gb_circuit *c, gb_wire a, double precision);

GB_CHECK gb_status gb_circuit_add(gb_wire *out, gb_circuit *c, gb_wire a, gb_wire b);
GB_CHECK gb_status gb_circuit_sub(gb_wire *out, gb_circuit *c, gb_wire a, gb_wire b);
GB_CHECK gb_status gb_circuit_neg(gb_wire *out, gb_circuit *c, gb_wire a);
GB_CHECK gb_status gb_circuit_mul(gb_wire *out, gb_circuit *c, gb_wire a, gb_wire b); /* CKKS: one level */
/* By an integer (BFV: |s| < t), without a level. */
GB_CHECK gb_status gb_circuit_times(gb_wire *out, gb_circuit *c, gb_wire a, int64_t s);
GB_CHECK gb_status gb_circuit_rotate(gb_wire *out, gb_circuit *c, gb_wire a, int step);
GB_CHECK gb_status gb_circuit_conjugate(gb_wire *out, gb_circuit *c, gb_wire a); /* BFV: swaps the rows */
GB_CHECK gb_status gb_circuit_lower(gb_wire *out, gb_circuit *c, gb_wire a, unsigned level);

/* CKKS. Vectors as in gb_ckks_encode (im may be NULL). Products with numbers and matrices take one level. */
GB_CHECK gb_status gb_circuit_add_number(gb_wire *out, gb_circuit *c, gb_wire a, double s);
GB_CHECK gb_status gb_circuit_mul_number(gb_wire *out, gb_circuit *c, gb_wire a, double s);
GB_CHECK gb_status gb_circuit_add_vector(gb_wire *out, gb_circuit *c, gb_wire a, const double *re, const double *im,
                                         size_t count);
GB_CHECK gb_status gb_circuit_mul_vector(gb_wire *out, gb_circuit *c, gb_wire a, const double *re, const double *im,
                                         size_t count);
GB_CHECK gb_status gb_circuit_linear(gb_wire *out, gb_circuit *c, gb_wire a, size_t period,
                                     const gb_ckks_diagonal *diagonals, size_t count);
/* Real slots only. The range must lie in a Chebyshev domain. */
GB_CHECK gb_status gb_circuit_poly(gb_wire *out, gb_circuit *c, gb_wire a, const gb_ckks_poly *p);
/* gain sign(x) + shift of a range within [-1, 1], as one polynomial a stage. */
GB_CHECK gb_status gb_circuit_sign(gb_wire *out, gb_circuit *c, gb_wire a, const gb_ckks_sign *p, double gain,
                                   double shift);

/* BFV. The range of a polynomial's result is that of its values on the integers of the declared range, up to 2049 of
 * them; of a wider one, all residues. */
GB_CHECK gb_status gb_circuit_add_integers(gb_wire *out, gb_circuit *c, gb_wire a, const int64_t *v, size_t count);
GB_CHECK gb_status gb_circuit_mul_integers(gb_wire *out, gb_circuit *c, gb_wire a, const int64_t *v, size_t count);
GB_CHECK gb_status gb_circuit_bfv_poly(gb_wire *out, gb_circuit *c, gb_wire a, const gb_bfv_poly *p);

/* ---- what the circuit will need and give ---- */
typedef struct gb_wire_info {
    const char *op;
    unsigned level, limbs;
    double scale;
    gb_interval range;
    bool complex;
    gb_noise average, sure; /* on average over the data; what refusals go by */
    double precision;       /* CKKS: bits after the point in the worst slot, from `sure` */
    double failure;         /* log2 of a bound of the probability that decrypting it here goes wrong */
} gb_wire_info;
void gb_circuit_wire(gb_wire_info *out, const gb_circuit *c, gb_wire a);
size_t gb_circuit_wires(const gb_circuit *c);
/* The switching keys that the outputs need, each at the primes it is used with, and no others (1: relinearisation);
 * answers how many (out may be NULL to count). */
typedef struct gb_circuit_key {
    uint64_t galois;
    unsigned limbs;
} gb_circuit_key;
size_t gb_circuit_keys(gb_circuit_key *out, size_t max, const gb_circuit *c);
void gb_circuit_explain(const gb_circuit *c, FILE *out); /* a line a step: level, range, precision, failure */

/* ---- running ----
 * in: a ciphertext for each input, in the order made, two parts, exactly at its level and scale. out: one for each
 * output, with room for its limbs. Steps that no output needs are left out. Every key is looked for before anything is
 * computed. Errors: PARAMS, LEVEL (an input, or an output too small), KEY, MEMORY. */
GB_CHECK gb_status gb_circuit_run_ckks(gb_ct *out, gb_eval *e, const gb_circuit *c, const gb_ct *in,
                                       const gb_eval_keys *k);
GB_CHECK gb_status gb_circuit_run_bfv(gb_ct *out, gb_bfv_eval *e, const gb_circuit *c, const gb_ct *in,
                                      const gb_eval_keys *k);

#endif
