/* program/walk: evaluates a graph block by block on any backend. */
#include "program/run.h"

static uint8_t *kept(const gb_worker *w, uint32_t step) { return w->arena + w->walk->schedule->kept_at[step]; }

static uint8_t *slab_at(const gb_worker *w, const gb_pass *p, size_t depth) {
    return w->arena + w->walk->schedule->kept_bytes + depth * gb_round_64(p->slab * p->line_bytes);
}

static gb_status value(gb_worker *w, const gb_pass *p, uint32_t step, size_t first, size_t count, size_t depth);

/* Lines of an argument that is streamed, into slab `depth`. */
static gb_status read_lines(gb_worker *w, const gb_pass *p, uint32_t step, size_t first, size_t count, size_t depth) {
    const gb_step *s = &w->walk->graph->step[step];
    if (!s->keep_words && !s->keep_digits) return value(w, p, step, first, count, depth);
    w->walk->backend->fetch(w, s, first, count, slab_at(w, p, depth), kept(w, step));
    return GB_OK;
}

/* Makes lines [first, first + count) of a step in slab `depth`; deeper slabs are free for its arguments. Recursion goes
 * as deep as a chain of streamed steps, at most GB_PROGRAM_MAX_NODES and the switches. */
static gb_status value(gb_worker *w, const gb_pass *p, uint32_t step, size_t first, size_t count, size_t depth) {
    const gb_backend *b = w->walk->backend;
    const gb_step *s = &w->walk->graph->step[step];
    uint8_t *slab = slab_at(w, p, depth);
    switch (s->op) {
    case GB_OP_INPUT:
        GB_TRY(b->load(w, s, first, count, slab));
        break;
    case GB_OP_MAP:
        b->map(w, s, first, count, slab, kept(w, s->arg[0]));
        break;
    case GB_OP_GATHER:
        b->gather(w, s, first, count, slab, kept(w, s->arg[0]));
        break;
    case GB_OP_SCATTER:
        b->scatter(w, s, first, count, slab, kept(w, s->arg[0]));
        break;
    case GB_OP_SWITCH:
        GB_TRY(read_lines(w, p, s->arg[0], first, count, depth + 1));
        b->change(w, s, count, slab, slab_at(w, p, depth + 1));
        break;
    case GB_OP_ADD:
        GB_TRY(read_lines(w, p, s->arg[0], first, count, depth));
        GB_TRY(read_lines(w, p, s->arg[1], first, count, depth + 1));
        b->add(w, s, count, slab, slab_at(w, p, depth + 1));
        break;
    default: /* in place: scale, convolve, output */
        GB_TRY(read_lines(w, p, s->arg[0], first, count, depth));
        if (s->op == GB_OP_SCALE) b->scale(w, s, count, slab);
        if (s->op == GB_OP_CONVOLVE) b->convolve(w, s, count, slab);
        break;
    }
    if (b->seen) b->seen(w, s, count, slab);
    return GB_OK;
}

static gb_status finish_slab(gb_worker *w, const gb_pass *p, size_t first, size_t count) {
    const gb_backend *b = w->walk->backend;
    const gb_step *s = &w->walk->graph->step[p->step];
    if (s->op == GB_OP_OUTPUT) return b->store(w, s, first, count, slab_at(w, p, 0));
    b->keep(w, s, first, count, kept(w, p->step), slab_at(w, p, 0));
    return GB_OK;
}

static gb_status advance(gb_worker *w, uint64_t slabs) {
    gb_walk *k = w->walk;
    uint64_t done = atomic_fetch_add(&k->done, slabs) + slabs;
    return gb_progress(w->ctx, k->stage, done, k->schedule->slabs * k->blocks);
}

static gb_status run_pass(gb_worker *w, const gb_pass *p) {
    const gb_backend *b = w->walk->backend;
    const gb_step *s = &w->walk->graph->step[p->step];
    for (size_t first = 0; first < p->lines; first += p->slab) {
        size_t count = gb_min_size(p->slab, p->lines - first);
        if (s->op != GB_OP_OUTPUT || !b->wanted || b->wanted(w, s, first, count)) {
            GB_TRY(value(w, p, p->step, first, count, 0));
            GB_TRY(finish_slab(w, p, first, count));
        }
        GB_TRY(advance(w, 1));
        if (atomic_load_explicit(&w->walk->stop, memory_order_relaxed)) return GB_OK;
    }
    return GB_OK;
}

static bool block_wanted(gb_worker *w) {
    const gb_schedule *s = w->walk->schedule;
    if (!w->walk->backend->wanted) return true;
    for (size_t i = 0; i < s->count; i++) {
        const gb_step *step = &w->walk->graph->step[s->pass[i].step];
        if (step->op == GB_OP_OUTPUT && w->walk->backend->wanted(w, step, 0, s->pass[i].lines)) return true;
    }
    return false;
}

static gb_status run_block(gb_worker *w) {
    const gb_schedule *s = w->walk->schedule;
    if (!block_wanted(w)) return advance(w, s->slabs);
    for (size_t i = 0; i < s->count; i++) {
        GB_TRY(run_pass(w, &s->pass[i]));
        if (atomic_load_explicit(&w->walk->stop, memory_order_relaxed)) return GB_OK;
    }
    return GB_OK;
}

static void work(void *user, size_t i, unsigned number) {
    gb_walk *k = user;
    gb_worker *w = &k->workers[i];
    (void)number;
    while (w->status == GB_OK && !atomic_load(&k->stop)) {
        w->block = atomic_fetch_add(&k->next, 1);
        if (w->block >= k->blocks) return;
        w->status = run_block(w);
    }
    if (w->status != GB_OK) atomic_store(&k->stop, true);
}

static gb_status worker_init(gb_worker *w, gb_ctx *ctx, gb_walk *k) {
    const gb_schedule *s = k->schedule;
    w->walk = k;
    gb_status status = gb_ctx_fork(&w->ctx, ctx);
    if (status != GB_OK) return gb_fail(ctx, status, "program: no memory for another worker");
    GB_TRY(gb_alloc(&w->arena, ctx, (size_t)s->worker_bytes, 1));
    w->scratch = w->arena + s->kept_bytes + s->slab_bytes;
    memset(w->scratch, 0, s->scratch_bytes);
    return GB_OK;
}

gb_status gb_walk_run(gb_ctx *ctx, gb_walk *k) {
    unsigned count = (unsigned)gb_min_size(k->schedule->workers, k->blocks);
    gb_status s = gb_alloc_zero(&k->workers, ctx, count, sizeof *k->workers);
    for (unsigned i = 0; s == GB_OK && i < count; i++) s = worker_init(&k->workers[i], ctx, k);
    if (s == GB_OK) {
        gb_parallel(ctx, count, work, k);
        for (unsigned i = 0; s == GB_OK && i < count; i++)
            if (k->workers[i].status != GB_OK) s = gb_fail_from(ctx, k->workers[i].ctx);
    }
    for (unsigned i = 0; k->workers && i < count; i++) {
        gb_free(k->workers[i].arena);
        gb_ctx_free(k->workers[i].ctx);
    }
    gb_free(k->workers);
    k->workers = NULL;
    return s;
}
