/* Coarse alignment: cross-correlation of neighbouring images, as IMOD's tiltxcorr does it: the image of the higher tilt
 * is stretched across the axis by the ratio of the cosines, both are faded out at the edges and band-passed, and the
 * peak's place is refined by a parabola through it and its neighbours. Shifts add up from the lowest tilt outwards. */
#include <math.h>
#include <stdlib.h>

#include "workload/tomography/internal.h"

#define LOW_PASS 0.25    /* standard deviation of the Gaussian low pass, cycles a pixel */
#define MAX_STRETCH 1.15 /* near 90 degrees the cosine rule fails: nothing is that flat */

typedef struct correlator {
    const float *images;
    size_t nx, ny, px, py; /* images; padded to powers of two */
    double axis_sin, axis_cos;
    double *a, *b, *wx, *wy, *column;
} correlator;

static void correlator_release(correlator *k) {
    gb_free(k->a);
    gb_free(k->b);
    gb_free(k->wx);
    gb_free(k->wy);
    gb_free(k->column);
}

static gb_status correlator_init(correlator *k, gb_ctx *ctx) {
    k->px = gb_tomo_pow2(k->nx + k->nx / 2);
    k->py = gb_tomo_pow2(k->ny + k->ny / 2);
    GB_TRY(gb_alloc(&k->a, ctx, 2 * k->px * k->py, sizeof(double)));
    GB_TRY(gb_alloc(&k->b, ctx, 2 * k->px * k->py, sizeof(double)));
    GB_TRY(gb_alloc(&k->column, ctx, 2 * k->py, sizeof(double)));
    GB_TRY(gb_tomo_fft_table(&k->wx, ctx, k->px));
    return gb_tomo_fft_table(&k->wy, ctx, k->py);
}

/* Raised cosine over the outer eighth. */
static double fade(size_t i, size_t n) {
    double edge = (double)(i < n - 1 - i ? i : n - 1 - i) + 0.5, width = (double)n / 8;
    return edge >= width ? 1 : 0.5 - 0.5 * cos(GB_TOMO_PI * edge / width);
}

/* Image t moved by its shift and stretched by `stretch` across the axis about the middle, faded to its mean, into the
 * padded array's real parts; then transformed. */
static void load(double *z, const correlator *k, size_t t, double dx, double dy, double stretch) {
    const float *image = k->images + t * k->nx * k->ny;
    double xc = ((double)k->nx - 1) / 2, yc = ((double)k->ny - 1) / 2, sum = 0, weight = 0;
    memset(z, 0, 2 * k->px * k->py * sizeof *z);
    for (size_t y = 0; y < k->ny; y++)
        for (size_t x = 0; x < k->nx; x++) {
            double vx = (double)x - xc, vy = (double)y - yc;
            /* the part across the axis, shortened: the picture grows */
            double across = (vx * k->axis_cos + vy * k->axis_sin) * (1 / stretch - 1);
            double v = gb_tomo_sample(image, k->nx, k->ny, xc + dx + vx + across * k->axis_cos,
                                      yc + dy + vy + across * k->axis_sin);
            double w = fade(x, k->nx) * fade(y, k->ny);
            z[2 * (y * k->px + x)] = v;
            sum += w * v;
            weight += w;
        }
    for (size_t y = 0; y < k->ny; y++)
        for (size_t x = 0; x < k->nx; x++) {
            double *p = z + 2 * (y * k->px + x);
            *p = (*p - sum / weight) * fade(x, k->nx) * fade(y, k->ny);
        }
    gb_tomo_fft2(z, k->px, k->py, k->wx, k->wy, k->column, false);
}

/* a := low-passed cross-correlation; entry (x, y) is for a shift of b against a by (x, y), modulo the size. */
static void correlation(const correlator *k) {
    for (size_t y = 0; y < k->py; y++)
        for (size_t x = 0; x < k->px; x++) {
            double fx = (double)gb_min_size(x, k->px - x) / (double)k->px;
            double fy = (double)gb_min_size(y, k->py - y) / (double)k->py;
            double gain = exp(-(fx * fx + fy * fy) / (2 * LOW_PASS * LOW_PASS));
            double *p = k->a + 2 * (y * k->px + x), *q = k->b + 2 * (y * k->px + x);
            double re = (p[0] * q[0] + p[1] * q[1]) * gain, im = (p[0] * q[1] - p[1] * q[0]) * gain;
            p[0] = re;
            p[1] = im;
        }
    gb_tomo_fft2(k->a, k->px, k->py, k->wx, k->wy, k->column, true);
}

static double at(const correlator *k, long x, long y) {
    size_t ix = (size_t)(x < 0 ? x + (long)k->px : x) % k->px, iy = (size_t)(y < 0 ? y + (long)k->py : y) % k->py;
    return k->a[2 * (iy * k->px + ix)];
}

static double vertex(double left, double middle, double right) {
    double bend = left - 2 * middle + right;
    return bend < 0 ? fmax(-0.5, fmin(0.5, 0.5 * (left - right) / bend)) : 0;
}

static void peak(double *dx, double *dy, const correlator *k, double max_shift) {
    long mx = (long)(max_shift * (double)k->nx), my = (long)(max_shift * (double)k->ny), bx = 0, by = 0;
    for (long y = -my; y <= my; y++)
        for (long x = -mx; x <= mx; x++)
            if (at(k, x, y) > at(k, bx, by)) {
                bx = x;
                by = y;
            }
    *dx = (double)bx + vertex(at(k, bx - 1, by), at(k, bx, by), at(k, bx + 1, by));
    *dy = (double)by + vertex(at(k, bx, by - 1), at(k, bx, by), at(k, bx, by + 1));
}

typedef struct tilt_order {
    double angle;
    size_t image;
} tilt_order;

static int by_angle(const void *a, const void *b) {
    const tilt_order *p = a, *q = b;
    if (p->angle != q->angle) return p->angle < q->angle ? -1 : 1;
    return p->image < q->image ? -1 : p->image > q->image;
}

static double stretch_between(double low, double high) {
    double s, c0, c1;
    gb_tomo_sincos(&s, &c0, low);
    gb_tomo_sincos(&s, &c1, high);
    if (fabs(c1) < 1e-3) return MAX_STRETCH;
    return fmax(1, fmin(MAX_STRETCH, fabs(c0 / c1)));
}

/* Shift of image `to` from that of its neighbour `from`, which lies nearer to zero tilt. */
static void follow(double *dx, double *dy, const correlator *k, const tilt_order *from, const tilt_order *to,
                   double max_shift) {
    double sx, sy, x = dx[from->image], y = dy[from->image];
    load(k->a, k, from->image, x, y, 1);
    load(k->b, k, to->image, x, y, stretch_between(from->angle, to->angle));
    correlation(k);
    peak(&sx, &sy, k, max_shift);
    dx[to->image] = x + sx;
    dy[to->image] = y + sy;
}

gb_status gb_tomo_correlate(double *dx, double *dy, gb_ctx *ctx, const float *images, uint32_t nx, uint32_t ny,
                            const double *tilts, size_t count, double axis_angle, double max_shift) {
    correlator k = {.images = images, .nx = nx, .ny = ny};
    gb_tomo_sincos(&k.axis_sin, &k.axis_cos, axis_angle);
    tilt_order *order = NULL;
    gb_status status = gb_alloc(&order, ctx, count, sizeof *order);
    if (status == GB_OK) status = correlator_init(&k, ctx);
    if (status == GB_OK) {
        size_t zero = 0;
        for (size_t t = 0; t < count; t++) order[t] = (tilt_order){tilts[t], t};
        qsort(order, count, sizeof *order, by_angle);
        for (size_t i = 0; i < count; i++)
            if (fabs(order[i].angle) < fabs(order[zero].angle)) zero = i;
        uint64_t done = 0;
        for (size_t i = zero + 1; i < count && status == GB_OK; i++) {
            follow(dx, dy, &k, &order[i - 1], &order[i], max_shift);
            status = gb_progress(ctx, "align", ++done, count);
        }
        for (size_t i = zero; i-- > 0 && status == GB_OK;) {
            follow(dx, dy, &k, &order[i + 1], &order[i], max_shift);
            status = gb_progress(ctx, "align", ++done, count);
        }
    }
    correlator_release(&k);
    gb_free(order);
    return status;
}
