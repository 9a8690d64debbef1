/* The tables: C first, then overwritten by rising instruction set. Filled once, constant ever after. */
#include <pthread.h>

#include "kernel/tables.h"

enum { TABLE_REF, TABLE_COUNT };

static gb_kernels tables[TABLE_COUNT];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static void fill_ref(gb_kernels *k) {
    k->name = "ref";
    k->max_bits = 61;
    gb_kernels_fill_ref_ntt(k);
    gb_kernels_fill_ref_pointwise(k);
    gb_kernels_fill_ref_bits(k);
    gb_kernels_fill_ref_sample(k);
}

static void fill_all(void) { fill_ref(&tables[TABLE_REF]); }

const gb_kernels *gb_kernels_get(uint32_t cpu_flags, unsigned max_bits) {
    pthread_once(&filled, fill_all);
    return &tables[TABLE_REF];
}

size_t gb_kernels_list(const gb_kernels **out, size_t max) {
    pthread_once(&filled, fill_all);
    size_t n = 0;
    if (n < max) out[n++] = &tables[TABLE_REF];
    return n;
}
