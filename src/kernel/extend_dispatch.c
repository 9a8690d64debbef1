/* Chooses the table of kernel/extend.h by CPU and by the widest modulus. */
#include "kernel/ref/extend.h"

typedef struct choice {
    const gb_extend_kernels *table;
    unsigned max_bits;
    uint32_t needs; /* the same as of the tables of dispatch.c: lazy words pass between the two */
} choice;

/* In rising order of speed. */
static const choice choices[] = {
    {&gb_extend_ref, 61, 0},
#if defined(__x86_64__)
    {&gb_extend_avx2, 50, GB_CPU_AVX2},
    {&gb_extend_ifma, 50, GB_CPU_AVX2 | GB_CPU_AVX512 | GB_CPU_IFMA | GB_CPU_VBMI2},
#endif
};

const gb_extend_kernels *gb_extend_get(uint32_t cpu_flags, unsigned max_bits) {
    const gb_extend_kernels *best = &gb_extend_ref;
    for (size_t i = 0; i < GB_COUNT(choices); i++)
        if (max_bits <= choices[i].max_bits && (cpu_flags & choices[i].needs) == choices[i].needs)
            best = choices[i].table;
    return best;
}

size_t gb_extend_list(const gb_extend_kernels **out, size_t max) {
    const uint32_t flags = gb_cpu_flags();
    size_t n = 0;
    for (size_t i = 0; i < GB_COUNT(choices) && n < max; i++)
        if ((flags & choices[i].needs) == choices[i].needs) out[n++] = choices[i].table;
    return n;
}
