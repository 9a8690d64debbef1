/* program/plain: the graph in floating point: the expected answer, and the yardstick that encrypted runs are measured
 * against. float gathers by the kernel (weights of 14 bits); double gathers with exact weights, here. */
#include "program/plain.h"

#define REAL float
#define NAME(x) f32_##x
#define FILTER(k) (k)->filter_f32
#include "program/plain_impl.h"
#undef REAL
#undef NAME
#undef FILTER
#define REAL double
#define NAME(x) f64_##x
#define FILTER(k) (k)->filter_f64
#include "program/plain_impl.h"

static void f32_gather(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept) {
    const gb_plain_job *job = w->walk->job;
    const size_t ni = s->def->ni;
    job->gather->f32(out, kept, GB_BLOCK, first / ni, (first + count) / ni, &s->gather, w->scratch);
    if (s->def->factor != 1) f32_times(out, count * GB_BLOCK, s->def->factor);
}

static void f32_scatter(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept) {
    const gb_plain_job *job = w->walk->job;
    const size_t lines = s->def->line_count;
    memset(out, 0, count * GB_BLOCK * sizeof(float));
    job->gather->scatter_f32(out, kept, GB_BLOCK, first / lines, (first + count) / lines, 0, s->def->nk, &s->gather);
    if (s->def->factor != 1) f32_times(out, count * GB_BLOCK, s->def->factor);
}

/* The line a tap reads, or NULL outside. */
static const double *line_at(const double *set, int64_t line, size_t lines) {
    return line >= 0 && line < (int64_t)lines ? set + (size_t)line * GB_BLOCK : NULL;
}

static void f64_gather(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept) {
    const gb_op_node *n = s->def;
    memset(out, 0, count * GB_BLOCK * sizeof(double));
    for (size_t t = 0; t < n->sets; t++) {
        const double *set = (const double *)kept + t * n->line_count * GB_BLOCK;
        for (size_t l = 0; l < count; l++) {
            gb_tap tap = gb_exact_tap(&n->affine[t], (first + l) % n->ni, (first + l) / n->ni, n->nearest);
            double *to = (double *)out + l * GB_BLOCK;
            const double *low = line_at(set, tap.line, n->line_count),
                         *high = line_at(set, tap.line + 1, n->line_count);
            if (low) f64_axpy(to, low, n->factor * (1 - tap.w));
            if (high && tap.w > 0) f64_axpy(to, high, n->factor * tap.w);
        }
    }
}

static void f64_scatter(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept) {
    const gb_op_node *n = s->def;
    const size_t set0 = first / n->line_count, sets = count / n->line_count;
    memset(out, 0, count * GB_BLOCK * sizeof(double));
    for (size_t t = 0; t < sets; t++) {
        double *set = (double *)out + t * n->line_count * GB_BLOCK;
        for (size_t l = 0; l < n->nk * n->ni; l++) {
            gb_tap tap = gb_exact_tap(&n->affine[set0 + t], l % n->ni, l / n->ni, n->nearest);
            const double *from = (const double *)kept + l * GB_BLOCK;
            double *low = (double *)line_at(set, tap.line, n->line_count);
            double *high = (double *)line_at(set, tap.line + 1, n->line_count);
            if (low) f64_axpy(low, from, n->factor * (1 - tap.w));
            if (high && tap.w > 0) f64_axpy(high, from, n->factor * tap.w);
        }
    }
}

#define PLAIN_BACKEND(p, backend_name)                                                                                 \
    {                                                                                                                  \
        .name = backend_name, .line_bytes = p##_line_bytes, .kept_bytes = p##_line_bytes, .load = p##_load,            \
        .store = p##_store, .keep = p##_keep, .fetch = p##_fetch, .add = p##_add, .scale = p##_scale,                  \
        .convolve = p##_convolve, .change = p##_change, .map = p##_map, .gather = p##_gather, .scatter = p##_scatter,  \
        .seen = p##_seen                                                                                               \
    }
const gb_backend gb_backend_plain_f32 = PLAIN_BACKEND(f32, "plain f32");
const gb_backend gb_backend_plain_f64 = PLAIN_BACKEND(f64, "plain f64");

/* Scratch: the padded run of the longest convolution, or what a gather asks for. */
static size_t scratch_of(const gb_plain_job *job, const gb_graph *g, bool wide) {
    size_t most = 0;
    for (size_t i = 0; i < g->count; i++) {
        if (g->step[i].op == GB_OP_CONVOLVE)
            most =
                gb_max_size(most, ((size_t)GB_BLOCK << job->filter[i].log_n) * (wide ? sizeof(double) : sizeof(float)));
        if (g->step[i].op == GB_OP_GATHER && !wide)
            most = gb_max_size(most, gb_gather_scratch_f32(&g->step[i].gather, GB_BLOCK));
    }
    return most;
}

static gb_status prepare(gb_plain_job *job, gb_ctx *ctx, const gb_graph *g, bool wide) {
    GB_TRY(gb_alloc_zero(&job->filter, ctx, g->count, sizeof *job->filter));
    for (size_t i = 0; i < g->count; i++)
        if (g->step[i].op == GB_OP_CONVOLVE)
            GB_TRY(wide ? f64_filter_init(&job->filter[i], ctx, g->step[i].def)
                        : f32_filter_init(&job->filter[i], ctx, g->step[i].def));
    return GB_OK;
}

static gb_status run(gb_ctx *ctx, gb_plain_job *job, const gb_graph *g, bool wide, double *bounds) {
    gb_backend backend = wide ? gb_backend_plain_f64 : gb_backend_plain_f32;
    gb_schedule schedule;
    if (!bounds) backend.seen = NULL;
    GB_TRY(prepare(job, ctx, g, wide));
    GB_TRY(
        gb_schedule_init(&schedule, ctx, g, &backend, scratch_of(job, g, wide), UINT64_MAX >> 1, gb_ctx_threads(ctx)));
    gb_walk walk = {.graph = g,
                    .backend = &backend,
                    .schedule = &schedule,
                    .job = job,
                    .blocks = gb_ceil_div(job->rows, GB_BLOCK),
                    .stage = "plain"};
    gb_status s = GB_OK;
    if (bounds) s = gb_alloc_zero(&job->bounds, ctx, (size_t)schedule.workers * g->count, sizeof *job->bounds);
    if (s == GB_OK) s = gb_walk_run(ctx, &walk);
    for (size_t i = 0; s == GB_OK && bounds && i < g->count; i++) {
        bounds[i] = 0;
        for (size_t w = 0; w < schedule.workers; w++) bounds[i] = fmax(bounds[i], job->bounds[w * g->count + i]);
    }
    gb_schedule_release(&schedule);
    return s;
}

static gb_status run_plain(gb_ctx *ctx, const gb_program *p, const void *const *in, void *const *out, bool wide,
                           double *bounds) {
    GB_TRY(gb_check_complete(ctx, p));
    gb_graph g;
    gb_plain_job job = {.program = p,
                        .in = in,
                        .out = out,
                        .fft = gb_fft_get(gb_cpu_flags()),
                        .gather = gb_gather_get(gb_cpu_flags()),
                        .rows = p->rows};
    gb_status s = gb_graph_plain(&g, ctx, p, GB_PLAIN_WEIGHT_BITS);
    if (s == GB_OK) s = run(ctx, &job, &g, wide, bounds);
    for (size_t i = 0; job.filter && i < g.count; i++) {
        gb_free(job.filter[i].root);
        gb_free(job.filter[i].response);
    }
    gb_free(job.filter);
    gb_free(job.bounds);
    gb_graph_release(&g);
    return s;
}

gb_status gb_run_plain_f32(gb_ctx *ctx, const gb_program *p, const float *const *in, float *const *out,
                           double *bounds) {
    return run_plain(ctx, p, (const void *const *)in, (void *const *)out, false, bounds);
}

gb_status gb_run_plain_f64(gb_ctx *ctx, const gb_program *p, const double *const *in, double *const *out,
                           double *bounds) {
    return run_plain(ctx, p, (const void *const *)in, (void *const *)out, true, bounds);
}
