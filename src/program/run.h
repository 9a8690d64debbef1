/* program/run: the walk over a graph that all backends share, and the table of functions a backend is.
 *
 * Coefficients of different blocks never meet, so the walk takes one block of GB_BLOCK coefficients (columns) after the
 * other and evaluates the graph for all lines of it. Values that someone reads out of order are kept whole for the
 * block; everything else follows slab by slab, a slab being a run of lines. Memory is therefore bounded by what is kept
 * of one block and by the slabs, for each worker, and not by the data. */
#ifndef GB_PROGRAM_RUN_H
#define GB_PROGRAM_RUN_H

#include <stdatomic.h>

#include "program/graph.h"

typedef struct gb_walk gb_walk;
typedef struct gb_worker { /* one a thread at work */
    gb_walk *walk;
    gb_ctx *ctx; /* its own, so that an error is its own */
    uint8_t *arena;
    uint8_t *scratch; /* in the arena: scratch_bytes of the backend, 64-byte aligned */
    size_t block;
    gb_status status;
} gb_worker;

/* A backend. Slabs and kept values are opaque to the walk. Lines [first, first + count) are whole runs of the last axis
 * wherever an op needs them so. `s` is the step whose value is made; in and out never overlap. Only load and store may
 * fail. */
typedef struct gb_backend {
    const char *name;
    size_t (*line_bytes)(const gb_step *s); /* of a value in a slab */
    size_t (*kept_bytes)(const gb_step *s); /* a line of a kept value, all its forms */
    gb_status (*load)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *slab);
    bool (*wanted)(gb_worker *w, const gb_step *s, size_t first, size_t count); /* outputs; NULL: always */
    gb_status (*store)(gb_worker *w, const gb_step *s, size_t first, size_t count, const void *slab);
    void (*keep)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *kept, const void *slab);
    void (*fetch)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *slab, const void *kept);
    void (*add)(gb_worker *w, const gb_step *s, size_t count, void *a, const void *b); /* a = a + b */
    void (*scale)(gb_worker *w, const gb_step *s, size_t count, void *x);
    void (*convolve)(gb_worker *w, const gb_step *s, size_t count, void *x);
    void (*change)(gb_worker *w, const gb_step *s, size_t count, void *out, const void *in);
    void (*map)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept);
    void (*gather)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept);
    void (*scatter)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept);
    void (*seen)(gb_worker *w, const gb_step *s, size_t count, const void *slab); /* NULL: nobody looks */
} gb_backend;

extern const gb_backend gb_backend_encrypted, gb_backend_plain_f32, gb_backend_plain_f64;

/* ---- schedule.c ---- */
typedef struct gb_pass { /* the making of one kept value or one output */
    uint32_t step;
    size_t lines, base, slab; /* all lines; least lines at a time; lines at a time, a multiple of base */
    size_t depth, line_bytes; /* slabs alive at once; bytes of a line of the widest */
    bool wide;                /* reads kept values, so that longer slabs pay */
    size_t last_reader;       /* step of the last pass that reads it */
} gb_pass;

typedef struct gb_schedule {
    gb_pass *pass;
    size_t count;
    size_t *kept_at; /* by step: offset in the arena */
    size_t kept_bytes, slab_bytes, scratch_bytes;
    uint64_t worker_bytes; /* of all three */
    unsigned workers;
    uint64_t slabs; /* a block */
} gb_schedule;

/* Divides memory among up to `threads` workers. Errors: LIMIT (with the bytes that one worker needs), UNSUPPORTED. */
GB_CHECK gb_status gb_schedule_init(gb_schedule *out, gb_ctx *ctx, const gb_graph *g, const gb_backend *backend,
                                    size_t scratch_bytes, uint64_t memory, size_t threads);
void gb_schedule_release(gb_schedule *s);

/* Lines that tiles hold: of inputs, and of outputs. */
#define GB_INPUT_TILE_LINES 1024
#define GB_OUTPUT_TILE_LINES 2048

/* ---- walk.c ---- */
struct gb_walk {
    const gb_graph *graph;
    const gb_backend *backend;
    const gb_schedule *schedule;
    void *job; /* of the backend */
    size_t blocks;
    const char *stage; /* for progress */
    _Atomic size_t next;
    _Atomic uint64_t done;
    _Atomic bool stop;
    gb_worker *workers;
};
/* Evaluates every block. The first error stops the others and is the caller's. */
GB_CHECK gb_status gb_walk_run(gb_ctx *ctx, gb_walk *w);

/* ---- what backends share ---- */
static inline size_t gb_round_64(size_t n) { return (n + 63) / 64 * 64; }
/* Bytes of scratch that an encrypted run of this plan needs, for each worker. */
size_t gb_encrypted_scratch(const gb_plan *p);

#endif
