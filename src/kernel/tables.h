/* kernel/tables: who fills which part of a gb_kernels table. Private to kernel. Each filler overwrites the entries it
 * has a faster exact variant for and sets the name; entries it leaves stay with the slower set. */
#ifndef GB_KERNEL_TABLES_H
#define GB_KERNEL_TABLES_H

#include "kernel/kernel.h"

void gb_kernels_fill_ref_ntt(gb_kernels *k);
void gb_kernels_fill_ref_pointwise(gb_kernels *k);
void gb_kernels_fill_ref_bits(gb_kernels *k);
void gb_kernels_fill_ref_sample(gb_kernels *k);

#endif
