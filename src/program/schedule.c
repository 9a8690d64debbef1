/* program/schedule: which values are made in which pass, how long slabs are, and where kept values lie. */
#include "program/run.h"

/* What a slab aims at: half of a second-level cache for values that pass by; more where a pass reads kept values, so
 * that each reading of them serves more lines. */
#define SLAB_BYTES ((size_t)1 << 20)
#define WIDE_SLAB_BYTES ((size_t)16 << 20)

typedef struct chain { /* what evaluating a step's lines on demand takes */
    size_t depth, line_bytes;
    bool runs, wide; /* whole runs of the last axis only; reads kept values */
} chain;

static bool is_kept(const gb_step *s) { return s->keep_words || s->keep_digits; }
static bool is_pass(const gb_step *s) { return s->op == GB_OP_OUTPUT || is_kept(s); }

static chain read_chain(const gb_graph *g, const chain *c, const gb_backend *b, uint32_t step) {
    if (is_kept(&g->step[step])) return (chain){.depth = 1, .line_bytes = b->line_bytes(&g->step[step])};
    return c[step];
}

static chain chain_of(const gb_graph *g, const chain *c, const gb_backend *b, const gb_step *s) {
    chain own = {.depth = 1, .line_bytes = b->line_bytes(s)};
    if (s->op == GB_OP_INPUT) return own;
    if (gb_ops[s->op].reads != GB_READ_STREAM) {
        own.wide = true;
        own.runs = s->op != GB_OP_MAP;
        return own;
    }
    chain x = read_chain(g, c, b, s->arg[0]);
    if (s->op == GB_OP_ADD) {
        chain y = read_chain(g, c, b, s->arg[1]);
        x = (chain){gb_max_size(x.depth, 1 + y.depth), gb_max_size(x.line_bytes, y.line_bytes), x.runs || y.runs,
                    x.wide || y.wide};
    }
    if (s->op == GB_OP_SWITCH) x.depth++;
    if (s->op == GB_OP_CONVOLVE) x.runs = true;
    x.line_bytes = gb_max_size(x.line_bytes, own.line_bytes);
    return x;
}

/* Fills c[], and owner[]: the step of the pass that evaluates each step, SIZE_MAX for those nobody needs. */
static void trace(const gb_graph *g, const gb_backend *b, chain *c, size_t *owner, size_t *last_reader) {
    for (size_t i = 0; i < g->count; i++) {
        c[i] = chain_of(g, c, b, &g->step[i]);
        owner[i] = SIZE_MAX;
        last_reader[i] = 0;
    }
    for (size_t i = g->count; i-- > 0;) {
        const gb_step *s = &g->step[i];
        if (s->op == GB_OP_OUTPUT) owner[i] = i;
        if (owner[i] == SIZE_MAX) continue;
        for (unsigned a = 0; a < gb_ops[s->op].args; a++) {
            uint32_t arg = s->arg[a];
            owner[arg] = is_kept(&g->step[arg]) ? arg : owner[i];
            last_reader[arg] = gb_max_size(last_reader[arg], owner[i]);
        }
    }
}

static gb_status add_pass(gb_schedule *s, gb_ctx *ctx, const gb_graph *g, const chain *c, size_t step, size_t reader) {
    const gb_step *x = &g->step[step];
    bool output = x->op == GB_OP_OUTPUT;
    gb_pass *p = &s->pass[s->count++];
    *p = (gb_pass){.step = (uint32_t)step,
                   .lines = x->def->lines,
                   .depth = c[step].depth,
                   .line_bytes = c[step].line_bytes,
                   .wide = c[step].wide,
                   .last_reader = reader};
    p->base = gb_min_size(gb_tile_lines(x->def, output ? GB_OUTPUT_TILE_LINES : GB_INPUT_TILE_LINES), p->lines);
    if (c[step].runs && x->def->last > GB_TILE_MAX_RUN) {
        if (output)
            return gb_fail(ctx, GB_ERR_UNSUPPORTED, "output %s: its last axis has %zu lines, at most %d after this op",
                           x->def->name, x->def->last, GB_TILE_MAX_RUN);
        p->base = x->def->last;
    }
    return GB_OK;
}

/* Kept values live from their pass to their last reader's: each is put at the lowest place that is free for so long. */
static void place(gb_schedule *s, const gb_graph *g, const gb_backend *b) {
    for (size_t i = 0; i < s->count; i++) {
        const gb_pass *p = &s->pass[i];
        if (!is_kept(&g->step[p->step])) continue;
        size_t size = gb_round_64(b->kept_bytes(&g->step[p->step]) * p->lines), at = 0;
        bool moved = true;
        while (moved) {
            moved = false;
            for (size_t j = 0; j < i; j++) {
                const gb_pass *q = &s->pass[j];
                if (!is_kept(&g->step[q->step]) || q->last_reader < p->step) continue;
                size_t from = s->kept_at[q->step];
                size_t to = from + gb_round_64(b->kept_bytes(&g->step[q->step]) * q->lines);
                if (at < to && from < at + size) {
                    at = to;
                    moved = true;
                }
            }
        }
        s->kept_at[p->step] = at;
        s->kept_bytes = gb_max_size(s->kept_bytes, at + size);
    }
}

/* Bytes of slabs when each pass may use up to `room`; every pass takes its least at any rate. */
static size_t slabs_within(gb_schedule *s, size_t room) {
    size_t most = 0;
    s->slabs = 0;
    for (size_t i = 0; i < s->count; i++) {
        gb_pass *p = &s->pass[i];
        size_t line = p->depth * p->line_bytes;
        size_t aim = gb_min_size(room, p->wide ? WIDE_SLAB_BYTES : SLAB_BYTES);
        p->slab = gb_max_size(1, aim / line / p->base) * p->base;
        p->slab = gb_min_size(p->slab, p->lines);
        most = gb_max_size(most, p->depth * gb_round_64(p->slab * p->line_bytes));
        s->slabs += gb_ceil_div(p->lines, p->slab);
    }
    return most;
}

static gb_status share(gb_schedule *s, gb_ctx *ctx, uint64_t memory, size_t threads) {
    uint64_t fixed = (uint64_t)s->kept_bytes + s->scratch_bytes;
    uint64_t least = fixed + slabs_within(s, 0);
    if (least > memory)
        return gb_fail(
            ctx, GB_ERR_LIMIT,
            "this program needs %.0f MiB of memory for one block of coefficients and may use %.0f MiB; raise "
            "the memory limit or split the data",
            (double)least / 1048576, (double)memory / 1048576);
    uint64_t workers = memory / least;
    s->workers = (unsigned)(workers < threads ? workers : threads);
    uint64_t room = memory / s->workers - fixed;
    s->slab_bytes = slabs_within(s, room > SIZE_MAX ? SIZE_MAX : (size_t)room);
    s->worker_bytes = fixed + s->slab_bytes;
    return GB_OK;
}

gb_status gb_schedule_init(gb_schedule *out, gb_ctx *ctx, const gb_graph *g, const gb_backend *backend,
                           size_t scratch_bytes, uint64_t memory, size_t threads) {
    *out = (gb_schedule){.scratch_bytes = gb_round_64(scratch_bytes)};
    chain *c = NULL;
    size_t *owner = NULL;
    gb_status s = gb_alloc_zero(&out->pass, ctx, g->count, sizeof *out->pass);
    if (s == GB_OK) s = gb_alloc_zero(&out->kept_at, ctx, g->count, sizeof *out->kept_at);
    if (s == GB_OK) s = gb_alloc(&c, ctx, g->count, sizeof *c);
    if (s == GB_OK) s = gb_alloc(&owner, ctx, 2 * g->count, sizeof *owner);
    if (s == GB_OK) {
        trace(g, backend, c, owner, owner + g->count);
        for (size_t i = 0; s == GB_OK && i < g->count; i++)
            if (owner[i] == i && is_pass(&g->step[i])) s = add_pass(out, ctx, g, c, i, owner[g->count + i]);
        if (s == GB_OK) {
            place(out, g, backend);
            s = share(out, ctx, memory, gb_max_size(threads, 1));
        }
    }
    gb_free(c);
    gb_free(owner);
    if (s != GB_OK) gb_schedule_release(out);
    return s;
}

void gb_schedule_release(gb_schedule *s) {
    gb_free(s->pass);
    gb_free(s->kept_at);
    *s = (gb_schedule){0};
}
