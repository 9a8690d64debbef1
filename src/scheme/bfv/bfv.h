/* scheme/bfv: exact arithmetic on vectors of integers modulo t (Brakerski; Fan-Vercauteren, eprint 2012/144), in RNS
 * form with centred basis extensions (Halevi-Polyakov-Shoup, eprint 2018/117; products as in Kim-Polyakov-Zucca, eprint
 * 2021/204).
 *
 * phase = round(Q m / t) + noise. The N slots are two rows of N/2; rotation by k turns both rows left, the conjugation
 * element swaps them. Ciphertexts are gb_ct in NTT form with scale 1; add, sub, neg, rotate (gb_ct_automorphism),
 * relinearise and modulus switching (gb_ct_divide, which keeps the message) are those of core/cipher.h. */
#ifndef GB_BFV_H
#define GB_BFV_H

#include "scheme/ckks/ckks.h"

/* The auxiliary modulus of products is at least N 2^GB_BFV_SPARE times that of the ciphertexts, so that switching one
 * operand to it (mul.c) adds less than a 2000th of what an encryption's noise does, in the worst case too. */
#define GB_BFV_SPARE 6

typedef struct gb_bfv gb_bfv; /* plaintext modulus and constants for every level; immutable, shared */
/* t: prime, 2^16 < t < 2^60, 1 mod 2N for batching, none of the data primes. PARAMS, MEMORY. */
GB_CHECK gb_status gb_bfv_new(gb_bfv **out, gb_ctx *ctx, const gb_params *p, uint64_t t);
void gb_bfv_free(gb_bfv *b);
uint64_t gb_bfv_modulus(const gb_bfv *b);
const gb_params *gb_bfv_params(const gb_bfv *b);
/* The largest prime of at most `bits` bits (17..60) that serves gb_bfv_new for this set; 0 when there is none. */
uint64_t gb_bfv_plain_prime(const gb_params *p, unsigned bits);

/* ---- encoding: encode.c. Slots: row 0 first, then row 1. Values are taken modulo t; decoding centres them in
 * (-t/2, t/2]. Polynomials modulo t: N words. ---- */
void gb_bfv_encode(uint64_t *poly, const gb_bfv *b, const int64_t *values,
                   size_t count);                                                   /* the rest is 0; count <= N */
void gb_bfv_decode(int64_t *values, const gb_bfv *b, uint64_t *poly, size_t count); /* poly is overwritten */
/* For encryption and addition: round(Q m / t) modulo the first out->limbs primes, NTT form. */
void gb_bfv_scale_up(gb_pt *out, gb_ctx *ctx, const gb_bfv *b, const uint64_t *poly);
/* For products: the centred polynomial modulo the first out->limbs primes, NTT form. */
void gb_bfv_lift(gb_pt *out, gb_ctx *ctx, const gb_bfv *b, const uint64_t *poly);
/* Rounds a phase: residues modulo the first `limbs` primes in coefficient form (overwritten), limb j at phase + j * N
 * -> the message modulo t. */
void gb_bfv_scale_down(uint64_t *poly, const gb_bfv *b, unsigned limbs, uint64_t *phase);

/* ---- evaluation: mul.c ---- */
typedef struct gb_bfv_eval gb_bfv_eval; /* scratch for products; one calling thread at a time */
GB_CHECK gb_status gb_bfv_eval_new(gb_bfv_eval **out, gb_eval *e, const gb_bfv *b);
void gb_bfv_eval_free(gb_bfv_eval *e);
gb_eval *gb_bfv_eval_core(const gb_bfv_eval *e);
const gb_bfv *gb_bfv_eval_context(const gb_bfv_eval *e);
/* out (room 3, neither operand) = a b, three parts; relinearise with gb_ct_relinearize. Operands of two parts and equal
 * limbs. PARAMS, LEVEL, ARGUMENT; gb_bfv_mul also KEY. */
GB_CHECK gb_status gb_bfv_tensor(gb_ct *out, gb_bfv_eval *e, const gb_ct *a, const gb_ct *b);
/* The same, relinearised: the residues that gb_ct_relinearize would leave, in fewer transforms. a may be b, which takes
 * fewer still. */
GB_CHECK gb_status gb_bfv_mul(gb_ct *out, gb_bfv_eval *e, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k);
GB_CHECK gb_status gb_bfv_add_plain(gb_ct *out, gb_bfv_eval *e, const gb_ct *a, const uint64_t *poly);
GB_CHECK gb_status gb_bfv_mul_plain(gb_ct *out, gb_bfv_eval *e, const gb_ct *a, const uint64_t *poly);

#endif
