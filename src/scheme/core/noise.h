/* scheme/core/noise: how far a ciphertext's phase is from its message, predicted beside the operations that make it.
 *
 * Two numbers are carried, both as bits (log2). worst: the error in every slot (the canonical embedding) never exceeds
 * it, whatever the randomness; products of ring elements multiply there without a factor of N. rms: the root mean
 * square of the error's coefficients, taking its parts as independent, which is what is measured within two bits. The
 * message polynomial is carried in the same two norms, for products need it. Errors of CKKS are in units of the scaled
 * message, those of BFV in units of the phase modulo Q.
 *
 * Two ways to compose. By default operands are independent, and rms is the average over random data. With `dependent`
 * set, operands may come from the same ciphertexts and messages may be anything within their range: deviations add
 * instead of variances, and the caller states typical = largest, so that rms bounds the deviation of every slot
 * (divided by sqrt N), whatever the data. That is what refusals go by. */
#ifndef GB_NOISE_H
#define GB_NOISE_H

#include "scheme/core/cipher.h"

typedef struct gb_noise_model { /* of one parameter set and one size of digits; no memory of its own */
    const gb_params *params;
    unsigned digit;
    unsigned parties; /* of a joint key: its secret and the errors of its keys are sums of so many; 1 */
    bool dependent;   /* see above; false */
} gb_noise_model;
/* digit 0: as many as special primes, as in gb_eval_new. The two others are set by assignment. */
void gb_noise_model_init(gb_noise_model *out, const gb_params *p, unsigned digit);

typedef struct gb_noise {
    double worst, rms;                 /* of the error; -INFINITY: none */
    double message_worst, message_rms; /* of the message polynomial */
    unsigned limbs, parts;
    double powers; /* mean power of the secret in the error: s^a s^b has (a+b)!/(a! b!) times the variance of a product
                    * of independent ones, which is what the products of BFV gather */
} gb_noise;

/* ---- CKKS. Slots |z| <= largest, with root mean square `typical`, at `scale` ---- */
void gb_noise_fresh(gb_noise *out, const gb_noise_model *m, unsigned limbs, double scale, double largest,
                    double typical, bool public_key);
/* Every function below: out may alias an input. Operands at different limbs meet at the lower, as in ckks.h. */
void gb_noise_add(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b); /* and sub */
void gb_noise_add_plain(gb_noise *out, const gb_noise_model *m, const gb_noise *a, double scale, double largest,
                        double typical);
void gb_noise_mul_plain(gb_noise *out, const gb_noise_model *m, const gb_noise *a, double scale, double largest,
                        double typical);
void gb_noise_add_scalar(gb_noise *out, const gb_noise_model *m, const gb_noise *a, double s, double scale);
void gb_noise_mul_scalar(gb_noise *out, const gb_noise *a, double s, double scale);
void gb_noise_times(gb_noise *out, const gb_noise *a, double factor); /* by an integer; the message too */
void gb_noise_tensor(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b); /* three parts */
void gb_noise_relinearize(gb_noise *out, const gb_noise_model *m, const gb_noise *a);
void gb_noise_divide(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned count); /* CKKS: a rescale */
void gb_noise_relinearize_divide(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned count);
void gb_noise_automorphism(gb_noise *out, const gb_noise_model *m, const gb_noise *a); /* and any key switch */
/* A linear transform of `terms` diagonals of |D| <= largest, rms typical, at `scale`, with `giants` rotated giant steps
 * (double hoisting: baby steps are divided by P with the giants). Dependent: terms * largest is the sum over a row. */
void gb_noise_linear(gb_noise *out, const gb_noise_model *m, const gb_noise *a, size_t terms, size_t giants,
                     double scale, double largest, double typical);

/* ---- BFV: messages are polynomials modulo t, taken as uniform ---- */
void gb_noise_bfv_fresh(gb_noise *out, const gb_noise_model *m, unsigned limbs, uint64_t t, bool public_key);
void gb_noise_bfv_add(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b, uint64_t t);
void gb_noise_bfv_add_plain(gb_noise *out, const gb_noise_model *m, const gb_noise *a);
void gb_noise_bfv_mul_plain(gb_noise *out, const gb_noise_model *m, const gb_noise *a, uint64_t t);
/* s: the scalar, centred modulo t. 0 leaves no error. */
void gb_noise_bfv_mul_scalar(gb_noise *out, const gb_noise *a, int64_t s);
void gb_noise_bfv_tensor(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b, uint64_t t);
void gb_noise_bfv_divide(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned count);

/* ---- several parties (multiparty/multiparty.h): `active` of them answer, each flooding with [-2^flood, 2^flood) ----
 * The bound that a gb_flooding wants of the noise, its noise_log2, is `worst`: no coefficient is over the largest slot.
 */
void gb_noise_joint_decrypt(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned active, unsigned flood);
/* To a recipient's own key, m being the model of the joint one. */
void gb_noise_joint_switch(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned active, unsigned flood);
void gb_noise_joint_refresh(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned active, unsigned limbs);

/* ---- what it is for ----
 * Refuses (NOISE, with the name of the operation) a ciphertext whose decryption could be wrong with a probability over
 * 2^-128: the error, as a Gaussian of 4 times its predicted rms, must stay under the bound in all N coefficients. CKKS:
 * message and error below Q/2 (the message by its worst case). BFV: the error below Q/2t. */
GB_CHECK gb_status gb_noise_check(gb_ctx *ctx, const gb_noise_model *m, const gb_noise *a, const char *op);
GB_CHECK gb_status gb_noise_bfv_check(gb_ctx *ctx, const gb_noise_model *m, const gb_noise *a, uint64_t t,
                                      const char *op);
/* log2 of a bound of that probability: what the checks compare with -128. t = 0: CKKS. */
double gb_noise_failure(const gb_noise_model *m, const gb_noise *a, uint64_t t);
/* Bits of precision CKKS can expect in its worst slot: scale over 16 sqrt(N) times the rms. Roundings meet the secret,
 * so that a slot's error is a product of two Gaussians, whose tail at 16 deviations is exp(-32): a slot of one
 * ciphertext in a thousand million is worse. */
double gb_noise_precision(const gb_noise_model *m, const gb_noise *a, double scale);

#endif
