/* Chooses the table of kernel/extend.h by CPU and by the widest modulus. */
#include "kernel/ref/extend.h"

#if defined(__x86_64__)
#define HAVE_X86 1
#else
#define HAVE_X86 0
#endif

static bool ifma_usable(uint32_t cpu_flags, unsigned max_bits) {
    uint32_t need = GB_CPU_AVX512 | GB_CPU_IFMA;
    return HAVE_X86 && max_bits <= 50 && (cpu_flags & need) == need;
}

const gb_extend_kernels *gb_extend_get(uint32_t cpu_flags, unsigned max_bits) {
#if HAVE_X86
    if (ifma_usable(cpu_flags, max_bits)) return &gb_extend_ifma;
#endif
    return &gb_extend_ref;
}

size_t gb_extend_list(const gb_extend_kernels **out, size_t max) {
    const gb_extend_kernels *best = gb_extend_get(gb_cpu_flags(), 50);
    size_t n = 0;
    if (n < max) out[n++] = &gb_extend_ref;
    if (best != &gb_extend_ref && n < max) out[n++] = best;
    return n;
}
