/* The tables: C first, then overwritten by rising instruction set. Filled once, constant ever after. */
#include <pthread.h>

#include "kernel/tables.h"

/* In rising order of speed. wide: any modulus below 2^61; narrow: below 2^50. */
enum { REF, AVX2_WIDE, AVX2_NARROW, IFMA_NARROW, TABLES };

static gb_kernels tables[TABLES];
static uint32_t needs[TABLES]; /* CPU flags without which a table cannot run */
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static void fill_ref(gb_kernels *k) {
    *k = (gb_kernels){.name = "ref", .max_bits = 61};
    gb_kernels_fill_ref_ntt(k);
    gb_kernels_fill_ref_pointwise(k);
    gb_kernels_fill_ref_bits(k);
    gb_kernels_fill_ref_sample(k);
    gb_kernels_fill_ref_plain(k);
    gb_kernels_fill_ref_chacha(k);
}

/* Overwrites by rising instruction set; `which` says how far to go. */
static void fill(gb_kernels *k, int which) {
    fill_ref(k);
#if defined(__x86_64__)
    if (which < AVX2_WIDE) return;
    k->name = "avx2";
    needs[which] = GB_CPU_AVX2;
    gb_kernels_fill_avx2_plain(k);
    gb_kernels_fill_avx2_chacha(k);
    gb_kernels_fill_avx2_wide(k);
    if (which < AVX2_NARROW) return;
    k->max_bits = 50;
    k->centred = true;
    gb_kernels_fill_avx2_pointwise(k);
    gb_kernels_fill_avx2_ntt(k);
    if (which < IFMA_NARROW) return;
    k->name = "ifma";
    k->centred = false;
    needs[which] = GB_CPU_AVX2 | GB_CPU_AVX512 | GB_CPU_IFMA | GB_CPU_VBMI2;
    gb_kernels_fill_avx512_plain(k);
    gb_kernels_fill_avx512_chacha(k);
    gb_kernels_fill_avx512_bits(k);
    gb_kernels_fill_ifma_pointwise(k);
    gb_kernels_fill_ifma_ntt(k);
#endif
}

static void fill_all(void) {
    for (int i = 0; i < TABLES; i++) fill(&tables[i], i);
}

/* A table that needs nothing is the reference (all of them, on another architecture). */
const gb_kernels *gb_kernels_get(uint32_t cpu_flags, unsigned max_bits) {
    pthread_once(&filled, fill_all);
    for (size_t i = TABLES; i-- > 1;)
        if (max_bits <= tables[i].max_bits && needs[i] && (cpu_flags & needs[i]) == needs[i]) return &tables[i];
    return &tables[REF];
}

size_t gb_kernels_list(const gb_kernels **out, size_t max) {
    pthread_once(&filled, fill_all);
    const uint32_t flags = gb_cpu_flags();
    size_t n = 0;
    for (size_t i = 0; i < TABLES && n < max; i++)
        if (i == REF || (needs[i] && (flags & needs[i]) == needs[i])) out[n++] = &tables[i];
    return n;
}
