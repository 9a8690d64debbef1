/* kernel/fft: real filtering down the columns of a matrix, in floating point: the plaintext side of the exact
 * number-theoretic convolution. A row holds GB_FFT_COLUMNS real columns; column c and column c + GB_FFT_COLUMNS / 2 are
 * taken as real and imaginary part of one complex column, which a real filter leaves apart. All variants do the same
 * operations in the same order, so they agree bit for bit. */
#ifndef GB_FFT_H
#define GB_FFT_H

#include "base/base.h"

#define GB_FFT_COLUMNS 64

typedef struct gb_fft_kernels {
    const char *name;
    /* x: 2^log_n rows, log_n >= 1. root: 2^log_n complex numbers (re, im), root[k] = exp(-2 pi i k / 2^log_n).
     * response: one complex number a row, in the order that `spectrum` leaves: x = inverse(response * forward(x)) with
     * no 1 / 2^log_n (the response has it). */
    void (*filter_f32)(float *x, unsigned log_n, const float *root, const float *response);
    void (*filter_f64)(double *x, unsigned log_n, const double *root, const double *response);
    /* The forward transform alone, rows in the order that filter wants its response in. */
    void (*spectrum_f64)(double *x, unsigned log_n, const double *root);
} gb_fft_kernels;

const gb_fft_kernels *gb_fft_get(uint32_t cpu_flags);
size_t gb_fft_list(const gb_fft_kernels **out, size_t max); /* those this machine can run */

extern const gb_fft_kernels gb_fft_ref, gb_fft_avx2, gb_fft_avx512;

#endif
