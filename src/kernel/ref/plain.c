/* The loops of kernel/plain.h for any CPU. */
#include "kernel/plain.h"

#include "kernel/tables.h"

void gb_kernels_fill_ref_plain(gb_kernels *k) { gb_plain_fill(k); }
