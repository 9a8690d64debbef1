/* program/plain: what the two plain backends share: their job and the taps of an exact (unrounded) gather. */
#ifndef GB_PROGRAM_PLAIN_H
#define GB_PROGRAM_PLAIN_H

#include <math.h>

#include "kernel/fft.h"
#include "program/run.h"

#define GB_PLAIN_WEIGHT_BITS 14 /* the finest that gather.h's float form has: 3e-5 of a line's step */

typedef struct gb_plain_filter { /* of one convolve step; f32 or f64 arrays as the backend wants */
    unsigned log_n;
    void *root, *response;
} gb_plain_filter;

typedef struct gb_plain_job {
    const gb_program *program;
    const void *const *in;
    void *const *out;
    gb_plain_filter *filter; /* by step */
    const gb_fft_kernels *fft;
    const gb_gather_kernels *gather;
    double *bounds; /* NULL, or [worker][step] */
    size_t rows;
} gb_plain_job;

typedef struct gb_tap {
    int64_t line; /* reads lines `line` and, with weight w, `line` + 1 */
    double w;
} gb_tap;

/* gather.h's positions, evaluated in its order, with the weight left as it is. */
static inline gb_tap gb_exact_tap(const gb_affine *a, size_t i, size_t k, bool nearest) {
    double p = a->origin + (double)i * a->step_i + (double)k * a->step_k;
    double u = nearest ? floor(p + 0.5) : floor(p);
    return (gb_tap){(int64_t)u, nearest ? 0 : p - u};
}

static inline size_t gb_plain_columns(const gb_worker *w) {
    const gb_plain_job *job = w->walk->job;
    return gb_min_size(GB_BLOCK, job->rows - w->block * GB_BLOCK);
}

static inline double *gb_plain_bounds(const gb_worker *w) {
    const gb_plain_job *job = w->walk->job;
    return job->bounds + (size_t)(w - w->walk->workers) * w->walk->graph->count;
}

#endif
