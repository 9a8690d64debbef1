/* kernel/fft for avx2; see fft_impl.h. */
#define GB_FFT_TABLE gb_fft_avx2
#define GB_FFT_ISA "avx2"
#include "kernel/fft_table.h"
