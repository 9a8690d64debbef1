/* The loops of kernel/plain.h compiled for AVX2. */
#include "kernel/plain.h"

#include "kernel/tables.h"

void gb_kernels_fill_avx2_plain(gb_kernels *k) { gb_plain_fill(k); }
