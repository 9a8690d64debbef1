/* bench: side-by-side timings in one run. A group is a file bench/<group>.c with one function
 * bench_<group>, named in groups.def and listed in meson.build. */
#ifndef GB_BENCH_H
#define GB_BENCH_H

#include "base/base.h"

typedef struct gb_bench gb_bench;

/* One variant of a measurement. The strings must outlive the run (literals, or kept by the group). */
typedef struct gb_bench_case {
    const char *name;       /* "ntt_forward" */
    const char *parameters; /* "N=16384 bits=50" */
    const char *isa;        /* "ref", "avx2", "ifma"; "" when it does not apply */
    const char *peer;       /* what it is measured against: another library or variant; "" */
    const char *unit;       /* "us", "ns/coefficient" */
    double per_second;      /* value = seconds of one call * per_second: 1e6 for us, 1e9 / n for ns an item */
    unsigned threads;
    bool cpu_time; /* count the CPU seconds of the calling thread: for short kernels, whatever else the machine does */
    void (*run)(void *user);
    void *user;
    double seconds; /* out: the median of one call */
} gb_bench_case;

/* Times the variants by turns (a, b, c, a, b, c, ..) over several rounds, at least 2 ms a turn, and records each
 * variant's median. Long calls (over 50 ms) get fewer rounds. */
void gb_bench_run(gb_bench *b, gb_bench_case *cases, size_t count);
/* Records one figure: a ratio, a size, an error, a time taken elsewhere. */
void gb_bench_add(gb_bench *b, const char *name, double value, const char *unit, const char *parameters,
                  const char *isa, unsigned threads, const char *peer);
bool gb_bench_quick(const gb_bench *b); /* --quick: fewer rounds and smaller cases, to see that it runs */
/* A copy of a formatted string that lives until the program ends; "" when memory is short. */
const char *gb_bench_text(gb_bench *b, const char *format, ...) GB_PRINTF(2, 3);

typedef gb_status (*gb_bench_group_fn)(gb_bench *b, gb_ctx *ctx);
#define BENCH_GROUP(name, what) gb_status bench_##name(gb_bench *b, gb_ctx *ctx);
#include "bench/groups.def"
#undef BENCH_GROUP

#endif
