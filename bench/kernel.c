/* Group kernel: every table this CPU can run, side by side, with the ratios that the project holds itself to. */
#include <stdlib.h>

#include "bench/bench.h"
#include "ring/ring.h"

#define BITS 50
#define MOST_TABLES 4

typedef struct job {
    const gb_kernels *k;
    const gb_ntt *t;
    uint64_t *x, *y, *out;
    size_t n, width;
    unsigned bits;
} job;

static void run_forward(void *user) {
    job *j = user;
    j->k->ntt_forward(j->x, j->t);
}
static void run_inverse(void *user) {
    job *j = user;
    j->k->ntt_inverse(j->x, j->x, 1, j->t);
}
static void run_columns(void *user) {
    job *j = user;
    j->k->columns_forward(j->x, j->width, j->width, j->t);
    j->k->columns_inverse(j->x, j->width, j->width, j->t);
}
static void run_mul(void *user) {
    job *j = user;
    j->k->mul(j->out, j->x, j->y, j->n, &j->t->m);
}
static void run_mul_add(void *user) {
    job *j = user;
    j->k->mul_add(j->x, j->x, j->y, j->n, &j->t->m);
}
static void run_pack(void *user) {
    job *j = user;
    j->k->pack((uint8_t *)j->out, j->x, j->n, j->bits);
}
static void run_unpack(void *user) {
    job *j = user;
    (void)j->k->unpack(j->x, (const uint8_t *)j->out, j->n, j->bits, j->t->m.q);
}
static void run_uniform(void *user) {
    job *j = user;
    (void)j->k->uniform(j->out, j->n, j->y, j->n, &j->t->m);
}

/* One measurement on all tables; then how many times faster each is than the one before and than C. */
static void all_tables(gb_bench *b, const char *name, const char *parameters, const char *unit, double per_second,
                       void (*run)(void *), const job *like, const gb_kernels *const *tables, size_t count) {
    gb_bench_case cases[MOST_TABLES];
    job jobs[MOST_TABLES];
    for (size_t i = 0; i < count; i++) {
        jobs[i] = *like;
        jobs[i].k = tables[i];
        cases[i] = (gb_bench_case){.name = name,
                                   .parameters = parameters,
                                   .isa = tables[i]->name,
                                   .peer = "",
                                   .unit = unit,
                                   .per_second = per_second,
                                   .threads = 1,
                                   .cpu_time = true,
                                   .run = run,
                                   .user = &jobs[i]};
    }
    gb_bench_run(b, cases, count);
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            gb_bench_add(b, name, cases[j].seconds / cases[i].seconds, "times faster", parameters, tables[i]->name, 1,
                         tables[j]->name);
}

static gb_status bench_transforms(gb_bench *b, gb_ctx *ctx, job *j, const gb_kernels *const *tables, size_t count) {
    for (unsigned log_n = 11; log_n <= 16; log_n++) {
        gb_modulus m;
        gb_ntt t;
        GB_TRY(gb_modulus_init(&m, ctx, gb_prime_below(UINT64_C(1) << BITS, (uint64_t)2 << log_n)));
        GB_TRY(gb_ntt_init(&t, ctx, &m, log_n, false));
        j->t = &t;
        for (size_t i = 0; i < (size_t)1 << log_n; i++) j->x[i] %= m.q;
        const char *parameters = gb_bench_text(b, "N=2^%u bits=%d", log_n, BITS);
        all_tables(b, "ntt_forward", parameters, "us", 1e6, run_forward, j, tables, count);
        all_tables(b, "ntt_inverse", parameters, "us", 1e6, run_inverse, j, tables, count);
        gb_ntt_release(&t);
    }
    return GB_OK;
}

static gb_status bench_rest(gb_bench *b, gb_ctx *ctx, job *j, const gb_kernels *const *tables, size_t count) {
    const unsigned log_rows = 11;
    gb_modulus m;
    gb_ntt t;
    GB_TRY(gb_modulus_init(&m, ctx, gb_prime_below(UINT64_C(1) << BITS, 4096)));
    GB_TRY(gb_ntt_init(&t, ctx, &m, log_rows, true));
    j->t = &t;
    j->n = 4096;
    j->bits = BITS;
    j->width = 32;
    for (size_t i = 0; i < (size_t)1 << 16; i++) {
        j->x[i] %= m.q;
        j->y[i] %= m.q;
    }
    const double each = 1e9 / (double)j->n, cell = 1e9 / (double)(j->width << log_rows);
    const char *parameters = gb_bench_text(b, "rows=2^%u width=%zu", log_rows, j->width);
    all_tables(b, "columns_there_and_back", parameters, "ns/word", cell, run_columns, j, tables, count);
    parameters = gb_bench_text(b, "n=%zu bits=%d", j->n, BITS);
    all_tables(b, "mul", parameters, "ns/word", each, run_mul, j, tables, count);
    all_tables(b, "mul_add", parameters, "ns/word", each, run_mul_add, j, tables, count);
    all_tables(b, "pack", parameters, "ns/word", each, run_pack, j, tables, count);
    all_tables(b, "unpack", parameters, "ns/word", each, run_unpack, j, tables, count);
    all_tables(b, "uniform", parameters, "ns/word", each, run_uniform, j, tables, count);
    gb_ntt_release(&t);
    return GB_OK;
}

typedef struct expansion {
    uint64_t *out;
    size_t n;
    gb_modulus m;
    gb_seed seed;
} expansion;

static void run_expansion(void *user) {
    expansion *e = user;
    gb_sample_uniform(e->out, e->n, &e->m, &e->seed, 1, 0, 0);
}

/* The expansion of a seeded polynomial, ChaCha20 included, with the kernels that a ring would choose. */
static gb_status bench_expansion(gb_bench *b, gb_ctx *ctx, uint64_t *out) {
    expansion e = {.out = out, .n = 4096};
    GB_TRY(gb_modulus_init(&e.m, ctx, gb_prime_below(UINT64_C(1) << BITS, 8192)));
    gb_bench_case c = {.name = "sample_uniform",
                       .parameters = "N=2^12 bits=50",
                       .isa = gb_kernels_get(gb_cpu_flags(), BITS)->name,
                       .peer = "",
                       .unit = "ns/coefficient",
                       .per_second = 1e9 / 4096,
                       .threads = 1,
                       .cpu_time = true,
                       .run = run_expansion,
                       .user = &e};
    gb_bench_run(b, &c, 1);
    return GB_OK;
}

gb_status bench_kernel(gb_bench *b, gb_ctx *ctx) {
    const gb_kernels *all[8], *tables[MOST_TABLES];
    const size_t have = gb_kernels_list(all, GB_COUNT(all));
    const uint32_t flags = gb_cpu_flags();
    size_t count = 0;
    for (size_t i = 0; i < have && count < MOST_TABLES; i++) /* the narrow tables: those that shipped moduli use */
        if (i == 0 || all[i]->max_bits <= BITS) tables[count++] = all[i];
    job j = {0};
    const size_t words = (size_t)1 << 16;
    GB_TRY(gb_alloc(&j.x, ctx, words * 3, sizeof *j.x));
    j.y = j.x + words;
    j.out = j.y + words;
    gb_random_bytes(j.x, words * 3 * sizeof *j.x);
    gb_cpu_mask(GB_CPU_AVX2); /* tables for the AVX2 set hold everything that the other sets read, too */
    gb_status s = bench_transforms(b, ctx, &j, tables, count);
    if (s == GB_OK) s = bench_rest(b, ctx, &j, tables, count);
    gb_cpu_mask(flags);
    if (s == GB_OK) s = bench_expansion(b, ctx, j.out);
    gb_free(j.x);
    return s;
}
