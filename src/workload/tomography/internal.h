/* What the files of workload/tomography share among themselves. */
#ifndef GB_TOMO_INTERNAL_H
#define GB_TOMO_INTERNAL_H

#include "workload/tomography/tomography.h"

#define GB_TOMO_PI 3.14159265358979323846

/* Sine and cosine of an angle in degrees, exact at multiples of 90. */
void gb_tomo_sincos(double *s, double *c, double degrees);

/* Complex FFT of n = 2^k >= 2 points, in place, natural order: X[j] = sum_i x[i] e^(-+ 2 pi i j / n); neither direction
 * is scaled. z holds n pairs (re, im). w: table from gb_tomo_fft_table, n / 2 pairs for the same n. */
GB_CHECK gb_status gb_tomo_fft_table(double **w, gb_ctx *ctx, size_t n); /* *w is for gb_free */
void gb_tomo_fft(double *z, size_t n, const double *w, bool inverse);
/* Of an ny x nx array of pairs, both powers of two; column holds ny pairs of scratch. */
void gb_tomo_fft2(double *z, size_t nx, size_t ny, const double *wx, const double *wy, double *column, bool inverse);
size_t gb_tomo_pow2(size_t n); /* smallest power of two >= n */

/* Value at (x, y) by bicubic interpolation (Catmull-Rom: Keys' kernel with a = -1/2); outside, border pixels go on. */
double gb_tomo_sample(const float *image, size_t nx, size_t ny, double x, double y);

/* Error: RANGE, naming the first pixel that is not finite. */
GB_CHECK gb_status gb_tomo_check_finite(gb_ctx *ctx, const float *images, size_t nx, size_t ny, size_t count);

/* Median of the image's outermost pixels; scratch holds gb_tomo_border_size floats. */
size_t gb_tomo_border_size(size_t nx, size_t ny);
double gb_tomo_border(float *scratch, const float *image, size_t nx, size_t ny);

/* Coarse alignment, correlate.c: writes to dx, dy (pixels of `images`, which are already free of background) the
 * shifts that bring neighbours in the order of tilts onto each other, from the image nearest to zero tilt (whose shift
 * is 0) outwards. Errors: MEMORY, CANCELLED. */
GB_CHECK gb_status gb_tomo_correlate(double *dx, double *dy, gb_ctx *ctx, const float *images, uint32_t nx, uint32_t ny,
                                     const double *tilts, size_t count, double axis_angle, double max_shift);

#endif
