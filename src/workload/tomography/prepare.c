/* Preparation of images on the owner's machine: background, edges, and resampling onto the tilt axis. */
#include <math.h>
#include <stdlib.h>

#include "workload/tomography/internal.h"

static int by_value(const void *a, const void *b) {
    float p = *(const float *)a, q = *(const float *)b;
    return p < q ? -1 : p > q;
}

static double image_mean(const float *image, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)image[i];
    return sum / (double)n;
}

size_t gb_tomo_border_size(size_t nx, size_t ny) { return 2 * nx + 2 * ny; }

double gb_tomo_border(float *scratch, const float *image, size_t nx, size_t ny) {
    size_t n = 0;
    for (size_t x = 0; x < nx; x++) {
        scratch[n++] = image[x];
        scratch[n++] = image[(ny - 1) * nx + x];
    }
    for (size_t y = 0; y < ny; y++) {
        scratch[n++] = image[y * nx];
        scratch[n++] = image[y * nx + nx - 1];
    }
    qsort(scratch, n, sizeof *scratch, by_value);
    return (double)scratch[n / 2];
}

gb_status gb_tomo_check_finite(gb_ctx *ctx, const float *images, size_t nx, size_t ny, size_t count) {
    for (size_t i = 0; i < count * ny * nx; i++)
        if (!isfinite(images[i]))
            return gb_fail(ctx, GB_ERR_RANGE, "image %zu: the pixel at y %zu, x %zu is not a finite number",
                           i / (nx * ny), i / nx % ny, i % nx);
    return GB_OK;
}

static void taper_rows(float *image, size_t nx, size_t ny, size_t taper) {
    for (size_t x = 0; x < taper; x++) {
        float w = (float)(0.5 - 0.5 * cos(GB_TOMO_PI * ((double)x + 0.5) / (double)taper));
        for (size_t y = 0; y < ny; y++) {
            image[y * nx + x] *= w;
            image[y * nx + nx - 1 - x] *= w;
        }
    }
}

gb_status gb_tomo_normalise(float *images, gb_ctx *ctx, uint32_t nx, uint32_t ny, size_t count, gb_tomo_normal normal,
                            uint32_t taper) {
    if (nx < 1 || ny < 1 || taper > nx / 2)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "taper of %u pixels in images of %u x %u: at most half the width", taper,
                       nx, ny);
    GB_TRY(gb_tomo_check_finite(ctx, images, nx, ny, count));
    size_t pixels = (size_t)nx * ny;
    float *scratch;
    GB_TRY(gb_alloc(&scratch, ctx, gb_tomo_border_size(nx, ny), sizeof *scratch));
    for (size_t t = 0; t < count; t++) {
        float *image = images + t * pixels;
        double level = 0;
        if (normal == GB_TOMO_SUBTRACT_MEAN) level = image_mean(image, pixels);
        if (normal == GB_TOMO_SUBTRACT_BORDER) level = gb_tomo_border(scratch, image, nx, ny);
        if (normal != GB_TOMO_KEEP)
            for (size_t i = 0; i < pixels; i++) image[i] = (float)((double)image[i] - level);
        taper_rows(image, nx, ny, taper);
    }
    gb_free(scratch);
    return GB_OK;
}

/* Keys' weights for a sample at distance t, 0 <= t < 1, past the second of four neighbours; they sum to 1. */
static void cubic_weights(double w[4], double t) {
    w[0] = ((-0.5 * t + 1) * t - 0.5) * t;
    w[1] = (1.5 * t - 2.5) * t * t + 1;
    w[2] = ((-1.5 * t + 2) * t + 0.5) * t;
    w[3] = (0.5 * t - 0.5) * t * t;
}

static ptrdiff_t clamp(ptrdiff_t i, size_t n) { return i < 0 ? 0 : i >= (ptrdiff_t)n ? (ptrdiff_t)n - 1 : i; }

/* Floor of a position, held within a million pixels of the image: far outside all is border. */
static ptrdiff_t floor_of(double x) {
    x = x < -1e6 ? -1e6 : x > 1e6 ? 1e6 : x;
    ptrdiff_t i = (ptrdiff_t)x;
    return i - ((double)i > x);
}

double gb_tomo_sample(const float *image, size_t nx, size_t ny, double x, double y) {
    ptrdiff_t fx = floor_of(x), fy = floor_of(y), ix[4];
    double wx[4], wy[4], sum = 0;
    cubic_weights(wx, x - (double)fx);
    cubic_weights(wy, y - (double)fy);
    for (int i = 0; i < 4; i++) ix[i] = clamp(fx + i - 1, nx);
    for (int j = 0; j < 4; j++) {
        const float *row = image + clamp(fy + j - 1, ny) * (ptrdiff_t)nx;
        sum += wy[j] * (wx[0] * (double)row[ix[0]] + wx[1] * (double)row[ix[1]] + wx[2] * (double)row[ix[2]] +
                        wx[3] * (double)row[ix[3]]);
    }
    return sum;
}

void gb_tomo_apply_size(uint32_t *out_nx, uint32_t *out_ny, uint32_t nx, uint32_t ny, double axis_angle) {
    double s, c;
    gb_tomo_sincos(&s, &c, axis_angle);
    bool swap = fabs(s) > fabs(c);
    *out_nx = swap ? ny : nx;
    *out_ny = swap ? nx : ny;
}

typedef struct apply_job {
    const float *images;
    float *out;
    size_t nx, ny;
    uint32_t out_nx, out_ny;
    const gb_tomo_alignment *a;
} apply_job;

static void apply_task(void *user, size_t t, unsigned worker) {
    (void)worker;
    const apply_job *job = user;
    const float *image = job->images + t * job->nx * job->ny;
    float *out = job->out + t * job->out_nx * job->out_ny;
    double s, c, x0 = ((double)job->nx - 1) / 2 + job->a->dx[t], y0 = ((double)job->ny - 1) / 2 + job->a->dy[t];
    gb_tomo_sincos(&s, &c, job->a->axis_angle);
    for (size_t y = 0; y < job->out_ny; y++)
        for (size_t x = 0; x < job->out_nx; x++) {
            double vx = (double)x - (job->out_nx - 1) / 2.0, vy = (double)y - (job->out_ny - 1) / 2.0;
            *out++ = (float)gb_tomo_sample(image, job->nx, job->ny, x0 + vx * c - vy * s, y0 + vx * s + vy * c);
        }
}

gb_status gb_tomo_apply(float *out, gb_ctx *ctx, const float *images, uint32_t nx, uint32_t ny,
                        const gb_tomo_alignment *a) {
    if (nx < 1 || ny < 1 || !isfinite(a->axis_angle))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "alignment: images of %u x %u, axis angle %g", nx, ny, a->axis_angle);
    for (size_t t = 0; t < a->count; t++)
        if (!isfinite(a->dx[t]) || !isfinite(a->dy[t]))
            return gb_fail(ctx, GB_ERR_ARGUMENT, "alignment: the shift of image %zu is not a finite number", t);
    apply_job job = {.images = images, .out = out, .nx = nx, .ny = ny, .a = a};
    gb_tomo_apply_size(&job.out_nx, &job.out_ny, nx, ny, a->axis_angle);
    gb_parallel(ctx, a->count, apply_task, &job);
    return GB_OK;
}
