/* base/cpu: which instruction sets may be used. The one word of global state of the library. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/base.h"

/* Bits 0..15: what the machine and GLOVEBOX_CPU allow; bit 15: those bits are filled in; bits 16..31: masked away. */
static _Atomic uint32_t cpu_word;
#define CPU_KNOWN (UINT32_C(1) << 15)
#define CPU_ALL (GB_CPU_AVX2 | GB_CPU_AVX512 | GB_CPU_IFMA | GB_CPU_VNNI | GB_CPU_VBMI2)

static uint32_t detect(void) {
    uint32_t flags = 0;
#if defined(__x86_64__)
    __builtin_cpu_init(); /* the builtins also ask the system whether it saves the wide registers */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        flags |= GB_CPU_AVX2;
    if ((flags & GB_CPU_AVX2) != 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        flags |= GB_CPU_AVX512;
    if ((flags & GB_CPU_AVX512) != 0) {
        if (__builtin_cpu_supports("avx512ifma")) flags |= GB_CPU_IFMA;
        if (__builtin_cpu_supports("avx512vnni")) flags |= GB_CPU_VNNI;
        if (__builtin_cpu_supports("avx512vbmi2")) flags |= GB_CPU_VBMI2;
    }
#endif
    return flags;
}

uint32_t gb_cpu_named(const char *name) {
    if (strcmp(name, "ref") == 0) return 0;
    if (strcmp(name, "avx2") == 0) return GB_CPU_AVX2;
    if (strcmp(name, "ifma") == 0) return CPU_ALL;
    return UINT32_MAX;
}

uint32_t gb_cpu_flags(void) {
    uint32_t word = atomic_load_explicit(&cpu_word, memory_order_relaxed);
    if ((word & CPU_KNOWN) == 0) {
        uint32_t flags = detect();
        const char *name = getenv("GLOVEBOX_CPU");
        /* An unknown name allows everything here (UINT32_MAX); gb_ctx_new is where it is refused. */
        if (name != NULL && *name != 0) flags &= gb_cpu_named(name);
        /* Two threads here at once find the same. */
        word = atomic_fetch_or_explicit(&cpu_word, flags | CPU_KNOWN, memory_order_relaxed) | flags | CPU_KNOWN;
    }
    return word & ~(word >> 16) & CPU_ALL;
}

void gb_cpu_mask(uint32_t allowed) {
    (void)gb_cpu_flags(); /* so that the low half is known and stays */
    uint32_t low = atomic_load_explicit(&cpu_word, memory_order_relaxed) & 0xffff;
    atomic_store_explicit(&cpu_word, low | (~allowed & CPU_ALL) << 16, memory_order_relaxed);
}
