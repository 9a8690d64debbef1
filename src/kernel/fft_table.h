/* kernel/fft: one instruction set's table; define GB_FFT_TABLE and GB_FFT_ISA before including. */
#include "kernel/fft.h"

#define GB_FFT_REAL float
#define GB_FFT_NAME(x) f32_##x
#include "kernel/fft_impl.h"
#undef GB_FFT_REAL
#undef GB_FFT_NAME
#define GB_FFT_REAL double
#define GB_FFT_NAME(x) f64_##x
#include "kernel/fft_impl.h"

static void f64_spectrum(double *x, unsigned log_n, const double *root) { f64_filter(x, log_n, root, NULL); }

const gb_fft_kernels GB_FFT_TABLE = {GB_FFT_ISA, f32_filter, f64_filter, f64_spectrum};
