/* scheme/ckks/pack: all-real packing. N real values travel in one ciphertext as N/2 complex slots x + i y: half the
 * bytes and half the bootstrappings. Sums, rotations, and products with real plaintexts, real scalars and ciphertexts
 * of real slots act on both halves at once as they are; what needs the halves apart costs one conjugation and no level.
 */
#ifndef GB_CKKS_PACK_H
#define GB_CKKS_PACK_H

#include "scheme/ckks/ckks.h"

/* out = i^power a, exactly: no noise, no level, scale as it is. power: any integer. out may alias a. */
GB_CHECK gb_status gb_ckks_mul_i(gb_ct *out, gb_eval *e, const gb_ct *a, int power);
/* out = x + i y, for ciphertexts of real slots and equal scales. out aliases neither. LEVEL. */
GB_CHECK gb_status gb_ckks_pack(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ct *y);
/* The halves of z, each at twice z's scale (the two of (z + conj z) / 2 is left there). Needs the conjugation key. x
 * and y alias neither z nor each other. KEY, LEVEL. */
GB_CHECK gb_status gb_ckks_unpack(gb_ct *x, gb_ct *y, gb_eval *e, const gb_ct *z, const gb_eval_keys *k);
/* Packed times packed, half by half, rescaled by one level: two conjugations, and two products relinearised as one. out
 * (room 3) aliases neither; its scale is 4 times the operands' product over the level's primes. MEMORY beside the
 * above.
 */
GB_CHECK gb_status gb_ckks_mul_packed(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k);

#endif
