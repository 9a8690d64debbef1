/* kernel/fft: the table for what a machine can do. */
#include "kernel/fft.h"

const gb_fft_kernels *gb_fft_get(uint32_t cpu_flags) {
#if defined(__x86_64__)
    if (cpu_flags & GB_CPU_AVX512) return &gb_fft_avx512;
    if (cpu_flags & GB_CPU_AVX2) return &gb_fft_avx2;
#endif
    (void)cpu_flags;
    return &gb_fft_ref;
}

size_t gb_fft_list(const gb_fft_kernels **out, size_t max) {
    size_t n = 0;
    if (n < max) out[n++] = &gb_fft_ref;
#if defined(__x86_64__)
    if (n < max && gb_cpu_flags() & GB_CPU_AVX2) out[n++] = &gb_fft_avx2;
    if (n < max && gb_cpu_flags() & GB_CPU_AVX512) out[n++] = &gb_fft_avx512;
#endif
    return n;
}
