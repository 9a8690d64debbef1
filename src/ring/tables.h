/* ring/tables: making and freeing the twiddle tables of one NTT. Private to ring. */
#ifndef GB_RING_TABLES_H
#define GB_RING_TABLES_H

#include "ring/ring.h"

/* Fills t for length 2^log_n modulo m. cyclic: the transform of Z_q[X]/(X^n - 1) that the columns kernels run, q = 1
 * mod n; otherwise that of X^n + 1, q = 1 mod 2n. The root is g^((q-1)/order) for the smallest g >= 2 that gives one
 * of exact order, so that tables are the same everywhere. On error *t holds nothing. Errors: PARAMS, MEMORY. */
GB_CHECK gb_status gb_ntt_init(gb_ntt *t, gb_ctx *ctx, const gb_modulus *m, unsigned log_n, bool cyclic);
void gb_ntt_release(gb_ntt *t);

#endif
