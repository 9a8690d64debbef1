/* kernel/extend: the inner loops of key switching and of products of ciphertexts: basis extension, digit-by-key inner
 * products, tensor products, permutations. Contracts as in kernel.h: 64-byte aligned rows of n words, n a multiple
 * of 8, every variant gives the bytes of the C reference. */
#ifndef GB_EXTEND_H
#define GB_EXTEND_H

#include "kernel/kernel.h"

#define GB_EXTEND_TERMS 64 /* most rows one sum may take */

typedef struct gb_extend_kernels {
    const char *name;
    /* out[k] = sum over i < terms of y[i][k] * w[i] mod p. y[i][k] < 2^max_bits (reduced modulo any prime of the
     * table), w[i] reduced modulo p. The approximate basis extension of eprint 2018/931, 2.2. */
    void (*extend)(uint64_t *out, const uint64_t *const *y, const uint64_t *w, size_t terms, size_t n,
                   const gb_modulus *p);
    /* The same, for ntt_forward_lazy only (kernel.h). */
    void (*extend_lazy)(uint64_t *out, const uint64_t *const *y, const uint64_t *w, size_t terms, size_t n,
                        const gb_modulus *p);
    /* out0[k] = sum_i x[i][k] b[i][k] mod p, out1[k] = sum_i x[i][k] a[i][k] mod p; all inputs reduced modulo p, x[i]
     * also as ntt_forward_lazy leaves them. */
    void (*inner2)(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint64_t *const *b,
                   const uint64_t *const *a, size_t terms, size_t n, const gb_modulus *p);
    /* The same with b[i] and a[i] of n words of `bytes` bytes each, little-endian, 4..8. */
    void (*inner2_bytes)(uint64_t *out0, uint64_t *out1, const uint64_t *const *x, const uint8_t *const *b,
                         const uint8_t *const *a, unsigned bytes, size_t terms, size_t n, const gb_modulus *p);
    /* out = (a - b) * s mod p; a reduced, b < 2^max_bits or as ntt_forward_lazy leaves it, s reduced. out may alias a
     * or b. */
    void (*sub_mul)(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, size_t n, const gb_modulus *p);
    /* out = (a - b) * s + c mod p; c reduced, the rest as above. out may alias a, b or c. */
    void (*sub_mul_add)(uint64_t *out, const uint64_t *a, const uint64_t *b, uint64_t s, const uint64_t *c, size_t n,
                        const gb_modulus *p);
    /* out = a * s + c mod p; all reduced. out may alias a or c. */
    void (*scale_add)(uint64_t *out, const uint64_t *a, uint64_t s, const uint64_t *c, size_t n, const gb_modulus *p);
    /* (d0, d1, d2) = (a0 b0, a0 b1 + a1 b0, a1 b1) mod p. Outputs may alias inputs of the same position. */
    void (*tensor)(uint64_t *d0, uint64_t *d1, uint64_t *d2, const uint64_t *a0, const uint64_t *a1, const uint64_t *b0,
                   const uint64_t *b1, size_t n, const gb_modulus *p);
    /* out[k] = in[index[k]], index[k] < n, where the indices of eight neighbours (8 i .. 8 i + 7) are some order of
     * eight neighbours, as those of automorphisms in bit-reversed order are; out does not alias in. */
    void (*permute)(uint64_t *out, const uint64_t *in, const uint32_t *index, size_t n);
    /* out[k] = floor(sum over i of (double)y[i][k] * inverse[i] + 1/2), summed in order of i in IEEE doubles without
     * contraction: how often Q_D must be taken off the extension of y to centre it (eprint 2018/117, 2.2). y < 2^52. */
    void (*quotient)(uint64_t *out, const uint64_t *const *y, const double *inverse, size_t terms, size_t n);
    /* out[k] = x[k] mod p for x[k] < 2^max_bits. */
    void (*reduce)(uint64_t *out, const uint64_t *x, size_t n, const gb_modulus *p);
} gb_extend_kernels;

/* The table for moduli below 2^max_bits on this CPU (and mask). Never NULL. */
const gb_extend_kernels *gb_extend_get(uint32_t cpu_flags, unsigned max_bits);
size_t gb_extend_list(const gb_extend_kernels **out, size_t max);

#endif
