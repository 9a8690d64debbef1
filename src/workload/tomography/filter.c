/* Filters as real taps. A line has nx pixels and is zero outside, so 2 nx - 1 taps give exactly the infinite
 * convolution at every pixel: no wrap-around, no padding, and the response of the whole infinite kernel is the formula
 * in the header.
 *
 * Sources: ramp, Kak & Slaney, "Principles of Computerized Tomographic Imaging" (1988), eq. 3.61; Shepp & Logan, "The
 * Fourier reconstruction of a head section", IEEE Trans. Nucl. Sci. 21 (1974); the Hamming window is 0.54 + 0.46 cos.
 * SIRT-like: a ramp times 1 - (1 - alpha/f)^m is the filter that m Landweber iterations amount to (Zeng, "A filtered
 * backprojection algorithm with characteristics of the iterative Landweber algorithm", Med. Phys. 39 (2012) 603);
 * alpha, the 0.3 and the scaling of m beyond 15 and 30 are what IMOD's `tilt -FakeSIRTiterations` uses, fitted there
 * to real SIRT. */
#include <math.h>

#include "workload/tomography/internal.h"

#define SIRT_ALPHA 0.00195 /* cycles a pixel: below it the filter is the ramp */

static const char *const filter_names[] = {"ramp", "shepp-logan", "hamming", "sirt", "none"};

const char *gb_tomo_filter_name(gb_tomo_filter filter) {
    return (size_t)filter < GB_COUNT(filter_names) ? filter_names[filter] : "unknown";
}

/* "sirt:N"; N of one to three digits. */
static bool parse_sirt(uint32_t *iterations, const char *name) {
    if (strncmp(name, "sirt:", 5) != 0) return false;
    uint32_t n = 0;
    size_t digits = 0;
    for (const char *s = name + 5; *s; s++, digits++) {
        if (*s < '0' || *s > '9' || digits == 3) return false;
        n = 10 * n + (uint32_t)(*s - '0');
    }
    *iterations = n;
    return digits > 0 && n >= 1 && n <= 200;
}

gb_status gb_tomo_filter_parse(gb_ctx *ctx, gb_tomo_config *c, const char *name) {
    for (size_t i = 0; i < GB_COUNT(filter_names); i++)
        if (i != GB_TOMO_SIRT && strcmp(name, filter_names[i]) == 0) {
            c->filter = (gb_tomo_filter)i;
            return GB_OK;
        }
    uint32_t iterations;
    if (!parse_sirt(&iterations, name))
        return gb_fail(ctx, GB_ERR_ARGUMENT,
                       "filter: \"%.40s\" is unknown; use ramp, shepp-logan, hamming, sirt:N (N from 1 to 200) or none",
                       name);
    c->filter = GB_TOMO_SIRT;
    c->iterations = iterations;
    return GB_OK;
}

static double ramp_tap(double d) {
    if (d == 0) return 0.25;
    return fmod(fabs(d), 2) == 1 ? -1 / (GB_TOMO_PI * GB_TOMO_PI * d * d) : 0;
}

static double shepp_logan_tap(double d) { return 2 / (GB_TOMO_PI * GB_TOMO_PI * (1 - 4 * d * d)); }

/* Multiplication of the spectrum by cos(2 pi f) averages the two neighbours. */
static double hamming_tap(double d) { return 0.54 * ramp_tap(d) + 0.23 * (ramp_tap(d - 1) + ramp_tap(d + 1)); }

static double sirt_exponent(uint32_t iterations) {
    double m = iterations;
    if (m > 30) return 27 + 0.6 * (m - 30) + 0.3;
    if (m > 15) return 15 + 0.8 * (m - 15) + 0.3;
    return m + 0.3;
}

/* What the SIRT-like filter takes away from the ramp, |f| (1 - alpha/|f|)^m above alpha, has no closed form: its taps
 * are an inverse DFT of M samples, M >= 2^16 and >= 16 nx. Samples alias taps M apart, which are below
 * 1 / (pi^2 (M - nx)^2) < 3e-11. */
static gb_status sirt_taps(double *half, gb_ctx *ctx, const gb_tomo_config *c) {
    size_t m = gb_tomo_pow2(gb_max_size(65536, 16 * (size_t)c->nx));
    double *z, *w, power = sirt_exponent(c->iterations);
    GB_TRY(gb_alloc_zero(&z, ctx, 2 * m, sizeof *z));
    gb_status status = gb_tomo_fft_table(&w, ctx, m);
    if (status != GB_OK) {
        gb_free(z);
        return status;
    }
    for (size_t j = 0; j < m; j++) {
        double f = (double)(j <= m / 2 ? j : m - j) / (double)m;
        if (f > SIRT_ALPHA) z[2 * j] = f * pow(1 - SIRT_ALPHA / f, power);
    }
    gb_tomo_fft(z, m, w, true);
    for (size_t d = 0; d < c->nx; d++) half[d] = ramp_tap((double)d) - z[2 * d] / (double)m;
    gb_free(w);
    gb_free(z);
    return GB_OK;
}

gb_status gb_tomo_taps(double *taps, gb_ctx *ctx, const gb_tomo_config *c) {
    GB_TRY(gb_tomo_config_check(ctx, c));
    size_t n = c->nx;
    double *half = taps + n - 1; /* distances 0..nx - 1; the other side is its mirror */
    if (c->filter == GB_TOMO_SIRT) {
        GB_TRY(sirt_taps(half, ctx, c));
    } else {
        for (size_t d = 0; d < n; d++) switch (c->filter) {
            case GB_TOMO_RAMP:
                half[d] = ramp_tap((double)d);
                break;
            case GB_TOMO_SHEPP_LOGAN:
                half[d] = shepp_logan_tap((double)d);
                break;
            case GB_TOMO_HAMMING:
                half[d] = hamming_tap((double)d);
                break;
            default:
                half[d] = d == 0;
                break;
            }
    }
    for (size_t d = 1; d < n; d++) taps[n - 1 - d] = half[d];
    return GB_OK;
}
