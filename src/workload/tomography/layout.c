/* Layout: images to lines and lines to volume. A line is one column of pixels (all y) of one image, or one column of
 * voxels (all y) of the volume; both directions are transpositions, done in squares that stay in cache. */
#include "workload/tomography/internal.h"

#define BLOCK 16 /* lines transposed together: 16 floats are one cache line of an image row */

typedef struct layout_job {
    const gb_tomo_config *c;
    const void *in;
    void *out;
    const double *weights; /* of tilts; NULL: all 1 */
    size_t first, count;
    bool in_f64, out_f64;
} layout_job;

static gb_status check_range(gb_ctx *ctx, size_t first, size_t count, size_t lines) {
    if (first > lines || count > lines - first)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "lines %zu to %zu: there are only %zu", first, first + count, lines);
    return GB_OK;
}

/* Lines [a, b) of one tilt, columns x0 + (l - a), into out. */
static void pack_lines(float *out, const gb_tomo_config *c, const float *image, size_t x0, size_t n, float weight) {
    size_t rows = gb_tomo_rows(c);
    for (size_t y = 0; y < c->ny; y++) {
        const float *row = image + y * c->nx;
        for (size_t j = 0; j < n; j++) out[j * rows + y] = weight * row[x0 + j];
        if (c->copies == 2)
            for (size_t j = 0; j < n; j++) out[j * rows + c->ny + y] = weight * row[c->nx - 1 - (x0 + j)];
    }
}

static void pack_task(void *user, size_t i, unsigned worker) {
    (void)worker;
    const layout_job *job = user;
    const gb_tomo_config *c = job->c;
    size_t line = job->first + i * BLOCK, end = gb_min_size(line + BLOCK, job->first + job->count);
    while (line < end) {
        size_t t = line / c->nx, x = line % c->nx, n = gb_min_size(end - line, c->nx - x);
        float weight = job->weights ? (float)job->weights[t] : 1;
        pack_lines((float *)job->out + (line - job->first) * gb_tomo_rows(c), c,
                   (const float *)job->in + t * c->ny * c->nx, x, n, weight);
        line += n;
    }
}

gb_status gb_tomo_pack(float *out, gb_ctx *ctx, const gb_tomo_config *c, const float *images, size_t first,
                       size_t count) {
    GB_TRY(gb_tomo_config_check(ctx, c));
    GB_TRY(check_range(ctx, first, count, gb_tomo_lines_in(c)));
    double *weights = NULL;
    if (c->spacing_weights) {
        GB_TRY(gb_alloc(&weights, ctx, c->tilt_count, sizeof *weights));
        gb_status status = gb_tomo_weights(weights, ctx, c);
        if (status != GB_OK) {
            gb_free(weights);
            return status;
        }
    }
    layout_job job = {.c = c, .in = images, .out = out, .weights = weights, .first = first, .count = count};
    gb_parallel(ctx, gb_ceil_div(count, BLOCK), pack_task, &job);
    gb_free(weights);
    return GB_OK;
}

uint32_t gb_tomo_plane_z(const gb_tomo_config *c, uint32_t k, uint32_t copy) {
    if (copy == 0) return k;
    uint32_t z = gb_tomo_nz(c) - 1 - k;
    return z == k ? UINT32_MAX : z;
}

/* Element e of an array of float or double. */
static double get(const void *p, bool f64, size_t e) {
    return f64 ? ((const double *)p)[e] : (double)((const float *)p)[e];
}

static void put(void *p, bool f64, size_t e, double v) {
    if (f64)
        ((double *)p)[e] = v;
    else
        ((float *)p)[e] = (float)v;
}

/* n lines of program row k from column x on; `in` counts from the first of them. The second copy lies mirrored. */
static void unpack_lines(const layout_job *job, size_t in, size_t k, size_t x, size_t n) {
    const gb_tomo_config *c = job->c;
    size_t rows = gb_tomo_rows(c), nx = c->nx, nz = gb_tomo_nz(c);
    for (uint32_t copy = 0; copy < c->copies; copy++) {
        uint32_t z = gb_tomo_plane_z(c, (uint32_t)k, copy);
        if (z == UINT32_MAX) continue;
        for (size_t y = 0; y < c->ny; y++) {
            size_t row = (y * nz + z) * nx;
            for (size_t j = 0; j < n; j++) {
                double v = get(job->in, job->in_f64, (in + j) * rows + copy * c->ny + y);
                put(job->out, job->out_f64, row + (copy ? nx - 1 - (x + j) : x + j), v);
            }
        }
    }
}

static void unpack_task(void *user, size_t i, unsigned worker) {
    (void)worker;
    const layout_job *job = user;
    size_t nx = job->c->nx, line = job->first + i * BLOCK, end = gb_min_size(line + BLOCK, job->first + job->count);
    while (line < end) {
        size_t x = line % nx, n = gb_min_size(end - line, nx - x);
        unpack_lines(job, line - job->first, line / nx, x, n);
        line += n;
    }
}

static gb_status unpack(gb_ctx *ctx, layout_job *job) {
    GB_TRY(gb_tomo_config_check(ctx, job->c));
    GB_TRY(check_range(ctx, job->first, job->count, gb_tomo_lines_out(job->c)));
    gb_parallel(ctx, gb_ceil_div(job->count, BLOCK), unpack_task, job);
    return GB_OK;
}

gb_status gb_tomo_unpack(float *volume, gb_ctx *ctx, const gb_tomo_config *c, const double *lines, size_t first,
                         size_t count) {
    layout_job job = {.c = c, .in = lines, .out = volume, .first = first, .count = count, .in_f64 = true};
    return unpack(ctx, &job);
}

gb_status gb_tomo_unpack_f32(float *volume, gb_ctx *ctx, const gb_tomo_config *c, const float *lines, size_t first,
                             size_t count) {
    layout_job job = {.c = c, .in = lines, .out = volume, .first = first, .count = count};
    return unpack(ctx, &job);
}

gb_status gb_tomo_unpack_f64(double *volume, gb_ctx *ctx, const gb_tomo_config *c, const double *lines, size_t first,
                             size_t count) {
    layout_job job = {
        .c = c, .in = lines, .out = volume, .first = first, .count = count, .in_f64 = true, .out_f64 = true};
    return unpack(ctx, &job);
}

gb_status gb_tomo_unpack_plane(float *plane, gb_ctx *ctx, const gb_tomo_config *c, const double *lines, uint32_t copy) {
    GB_TRY(gb_tomo_config_check(ctx, c));
    if (copy >= c->copies)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "layout: copy %u asked for, there are %u", copy, c->copies);
    size_t rows = gb_tomo_rows(c), nx = c->nx;
    for (size_t y = 0; y < c->ny; y++)
        for (size_t x = 0; x < nx; x++)
            plane[y * nx + (copy ? nx - 1 - x : x)] = (float)lines[x * rows + copy * c->ny + y];
    return GB_OK;
}
