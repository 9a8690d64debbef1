/* The truth in clear, straight from the formulas in the header: direct sums, one voxel at a time, in double. */
#include <math.h>

#include "workload/tomography/internal.h"

/* The taps of one look: pixels u and u + 1 with weights 1 - w and w. */
typedef struct look {
    double u, w;
} look;

static look look_at(const gb_tomo_config *c, size_t t, size_t x, size_t z) {
    double s, co, xc = (c->nx - 1) / 2.0, zc = (gb_tomo_nz(c) - 1) / 2.0;
    gb_tomo_sincos(&s, &co, c->tilts[t]);
    double p = ((double)x - xc) * co - ((double)z - zc) * s + xc + c->axis_offset;
    if (c->nearest) return (look){floor(p + 0.5), 0};
    return (look){floor(p), p - floor(p)};
}

static bool inside(double u, size_t n) { return u >= 0 && u < (double)n; }

/* out[x] = sum over x' of taps at distance x - x' times line[x']. */
static void filter_line(double *out, const double *line, const double *taps, size_t n) {
    for (size_t x = 0; x < n; x++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) sum += taps[n - 1 + x - j] * line[j];
        out[x] = sum;
    }
}

typedef struct direct_job {
    const gb_tomo_config *c;
    const float *images;
    const double *weights, *taps;
    double *filtered, *volume;
} direct_job;

static void filter_task(void *user, size_t i, unsigned worker) {
    (void)worker;
    const direct_job *job = user;
    size_t n = job->c->nx, t = i / job->c->ny;
    double *out = job->filtered + i * n, *line = job->volume + i * n; /* the line's place in a scratch of that size */
    for (size_t x = 0; x < n; x++) line[x] = job->weights[t] * (double)job->images[i * n + x];
    filter_line(out, line, job->taps, n);
}

static void back_task(void *user, size_t z, unsigned worker) {
    (void)worker;
    const direct_job *job = user;
    const gb_tomo_config *c = job->c;
    size_t nx = c->nx, ny = c->ny, nz = gb_tomo_nz(c);
    double factor = gb_tomo_factor(c);
    for (size_t y = 0; y < ny; y++) memset(job->volume + (y * nz + z) * nx, 0, nx * sizeof(double));
    for (size_t t = 0; t < c->tilt_count; t++)
        for (size_t x = 0; x < nx; x++) {
            look l = look_at(c, t, x, z);
            for (size_t y = 0; y < ny; y++) {
                const double *line = job->filtered + (t * ny + y) * nx;
                double v = inside(l.u, nx) ? (1 - l.w) * line[(size_t)l.u] : 0;
                if (l.w > 0 && inside(l.u + 1, nx)) v += l.w * line[(size_t)(l.u + 1)];
                job->volume[(y * nz + z) * nx + x] += factor * v;
            }
        }
}

gb_status gb_tomo_direct(double *volume, gb_ctx *ctx, const gb_tomo_config *c, const float *images) {
    GB_TRY(gb_tomo_config_check(ctx, c));
    size_t lines = c->tilt_count * c->ny;
    double *filtered = NULL, *scratch = NULL, *weights = NULL, *taps = NULL;
    gb_status status = gb_alloc(&filtered, ctx, lines * c->nx, sizeof *filtered);
    if (status == GB_OK) status = gb_alloc(&scratch, ctx, lines * c->nx, sizeof *scratch);
    if (status == GB_OK) status = gb_alloc(&weights, ctx, c->tilt_count, sizeof *weights);
    if (status == GB_OK) status = gb_alloc(&taps, ctx, 2 * (size_t)c->nx - 1, sizeof *taps);
    if (status == GB_OK) status = gb_tomo_taps(taps, ctx, c);
    if (status == GB_OK) status = gb_tomo_weights(weights, ctx, c);
    if (status == GB_OK) {
        if (!c->spacing_weights)
            for (size_t t = 0; t < c->tilt_count; t++) weights[t] = 1;
        direct_job job = {c, images, weights, taps, filtered, scratch};
        gb_parallel(ctx, lines, filter_task, &job);
        job.volume = volume;
        gb_parallel(ctx, gb_tomo_nz(c), back_task, &job);
    }
    gb_free(taps);
    gb_free(weights);
    gb_free(scratch);
    gb_free(filtered);
    return status;
}

gb_status gb_tomo_direct_project(double *images, gb_ctx *ctx, const gb_tomo_config *c, const double *volume) {
    GB_TRY(gb_tomo_config_check(ctx, c));
    size_t nx = c->nx, ny = c->ny, nz = gb_tomo_nz(c);
    memset(images, 0, c->tilt_count * ny * nx * sizeof *images);
    for (size_t t = 0; t < c->tilt_count; t++)
        for (size_t z = 0; z < nz; z++)
            for (size_t x = 0; x < nx; x++) {
                look l = look_at(c, t, x, z);
                for (size_t y = 0; y < ny; y++) {
                    double v = volume[(y * nz + z) * nx + x], *line = images + (t * ny + y) * nx;
                    if (inside(l.u, nx)) line[(size_t)l.u] += (1 - l.w) * v;
                    if (l.w > 0 && inside(l.u + 1, nx)) line[(size_t)(l.u + 1)] += l.w * v;
                }
            }
    return GB_OK;
}
