/* kernel/tables: who fills which part of a gb_kernels table. Private to kernel. Each filler overwrites the entries it
 * has a faster exact variant for and sets the name; entries it leaves stay with the slower set. */
#ifndef GB_KERNEL_TABLES_H
#define GB_KERNEL_TABLES_H

#include "kernel/kernel.h"

void gb_kernels_fill_ref_ntt(gb_kernels *k);
void gb_kernels_fill_ref_pointwise(gb_kernels *k);
void gb_kernels_fill_ref_bits(gb_kernels *k);
void gb_kernels_fill_ref_sample(gb_kernels *k);
void gb_kernels_fill_ref_plain(gb_kernels *k);
void gb_kernels_fill_ref_chacha(gb_kernels *k);
#if defined(__x86_64__)
void gb_kernels_fill_avx2_plain(gb_kernels *k); /* any modulus */
void gb_kernels_fill_avx2_chacha(gb_kernels *k);
void gb_kernels_fill_avx512_chacha(gb_kernels *k);
void gb_kernels_fill_avx2_wide(gb_kernels *k);      /* any modulus */
void gb_kernels_fill_avx2_ntt(gb_kernels *k);       /* q < 2^50 */
void gb_kernels_fill_avx2_pointwise(gb_kernels *k); /* q < 2^50 */
void gb_kernels_fill_avx512_plain(gb_kernels *k);   /* any modulus */
void gb_kernels_fill_avx512_bits(gb_kernels *k);    /* any modulus */
void gb_kernels_fill_ifma_ntt(gb_kernels *k);       /* q < 2^50 */
void gb_kernels_fill_ifma_pointwise(gb_kernels *k);
#endif

/* What vector variants leave to C: short transforms, tails, rare widths. */
void gb_ref_ntt_forward(uint64_t *x, const gb_ntt *t);
void gb_ref_ntt_inverse(uint64_t *out, const uint64_t *in, uint64_t s, const gb_ntt *t);
void gb_ref_pack(uint8_t *packed, const uint64_t *x, size_t n, unsigned bits);
size_t gb_ref_unpack(uint64_t *x, const uint8_t *packed, size_t n, unsigned bits, uint64_t bound);
size_t gb_ref_uniform(uint64_t *out, size_t n, const uint64_t *stream, size_t words, const gb_modulus *m);

#endif
