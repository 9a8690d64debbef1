/* kernel/fft for avx512; see fft_impl.h. */
#define GB_FFT_TABLE gb_fft_avx512
#define GB_FFT_ISA "avx512"
#include "kernel/fft_table.h"
