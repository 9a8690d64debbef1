/* kernel/fft for ref; see fft_impl.h. */
#define GB_FFT_TABLE gb_fft_ref
#define GB_FFT_ISA "ref"
#include "kernel/fft_table.h"
