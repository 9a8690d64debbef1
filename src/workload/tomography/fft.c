/* A small complex FFT in double for alignment and filter design: radix 2, decimation in time, natural order. Speed
 * matters little here; it is for images of the client, not for the encrypted path. */
#include <math.h>

#include "workload/tomography/internal.h"

size_t gb_tomo_pow2(size_t n) {
    size_t p = 1;
    while (p < n) p *= 2;
    return p;
}

gb_status gb_tomo_fft_table(double **w, gb_ctx *ctx, size_t n) {
    GB_TRY(gb_alloc(w, ctx, n, sizeof **w));
    for (size_t k = 0; k < n / 2; k++) {
        (*w)[2 * k] = cos(2 * GB_TOMO_PI * (double)k / (double)n);
        (*w)[2 * k + 1] = -sin(2 * GB_TOMO_PI * (double)k / (double)n);
    }
    return GB_OK;
}

static void swap_pairs(double *z, size_t i, size_t j) {
    double re = z[2 * i], im = z[2 * i + 1];
    z[2 * i] = z[2 * j];
    z[2 * i + 1] = z[2 * j + 1];
    z[2 * j] = re;
    z[2 * j + 1] = im;
}

void gb_tomo_fft(double *z, size_t n, const double *w, bool inverse) {
    for (size_t i = 1, j = 0; i < n; i++) {
        size_t bit = n >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) swap_pairs(z, i, j);
    }
    double sign = inverse ? -1 : 1;
    for (size_t half = 1; half < n; half *= 2) {
        size_t step = n / (2 * half);
        for (size_t base = 0; base < n; base += 2 * half)
            for (size_t k = 0; k < half; k++) {
                double wr = w[2 * k * step], wi = sign * w[2 * k * step + 1];
                double *a = z + 2 * (base + k), *b = a + 2 * half;
                double re = b[0] * wr - b[1] * wi, im = b[0] * wi + b[1] * wr;
                b[0] = a[0] - re;
                b[1] = a[1] - im;
                a[0] += re;
                a[1] += im;
            }
    }
}

void gb_tomo_fft2(double *z, size_t nx, size_t ny, const double *wx, const double *wy, double *column, bool inverse) {
    for (size_t y = 0; y < ny; y++) gb_tomo_fft(z + 2 * y * nx, nx, wx, inverse);
    for (size_t x = 0; x < nx; x++) {
        for (size_t y = 0; y < ny; y++) {
            column[2 * y] = z[2 * (y * nx + x)];
            column[2 * y + 1] = z[2 * (y * nx + x) + 1];
        }
        gb_tomo_fft(column, ny, wy, inverse);
        for (size_t y = 0; y < ny; y++) {
            z[2 * (y * nx + x)] = column[2 * y];
            z[2 * (y * nx + x) + 1] = column[2 * y + 1];
        }
    }
}
