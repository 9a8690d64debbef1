/* Group kernel: every table this CPU can run, side by side, with the ratios that the project holds itself to. */
#include <stdlib.h>

#include "bench/bench.h"
#include "kernel/extend.h"
#include "ring/ring.h"

#define BITS 50
#define MOST_TABLES 4
#define TERMS 5 /* of a basis extension, and of a product with a key */

typedef struct job {
    const gb_kernels *k;
    const gb_extend_kernels *e;
    const uint64_t *rows[3 * TERMS];
    const gb_ntt *t;
    uint64_t *x, *y, *out;
    size_t n, width;
    unsigned bits;
} job;

static void run_forward(void *user) {
    job *j = user;
    j->k->ntt_forward(j->x, j->t);
}
static void run_forward_lazy(void *user) { /* always of the same words: lazy ones may not be transformed again */
    job *j = user;
    memcpy(j->x, j->y, j->n * sizeof *j->x);
    j->k->ntt_forward_lazy(j->x, j->t);
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

static void run_extend(void *user) {
    job *j = user;
    j->e->extend(j->out, j->rows, j->y, TERMS, j->n, &j->t->m);
}
static void run_extend_lazy(void *user) {
    job *j = user;
    j->e->extend_lazy(j->out, j->rows, j->y, TERMS, j->n, &j->t->m);
}
static void run_inner2(void *user) {
    job *j = user;
    j->e->inner2(j->out, j->x, j->rows, j->rows + TERMS, j->rows + 2 * TERMS, TERMS, j->n, &j->t->m);
}
static void run_sub_mul_add(void *user) {
    job *j = user;
    j->e->sub_mul_add(j->out, j->rows[0], j->rows[1], j->y[0], j->rows[2], j->n, &j->t->m);
}

/* Tables of the same instruction sets, one after the other. */
typedef struct tables {
    const gb_kernels *k[MOST_TABLES];
    const gb_extend_kernels *e[MOST_TABLES];
    size_t count;
} tables;

/* One measurement on all tables; then how many times faster each is than the one before and than C. */
static void all_tables(gb_bench *b, const char *name, const char *parameters, const char *unit, double per_second,
                       void (*run)(void *), const job *like, const tables *t) {
    gb_bench_case cases[MOST_TABLES];
    job jobs[MOST_TABLES];
    for (size_t i = 0; i < t->count; i++) {
        jobs[i] = *like;
        jobs[i].k = t->k[i];
        jobs[i].e = t->e[i];
        cases[i] = (gb_bench_case){.name = name,
                                   .parameters = parameters,
                                   .isa = t->k[i]->name,
                                   .peer = "",
                                   .unit = unit,
                                   .per_second = per_second,
                                   .threads = 1,
                                   .cpu_time = true,
                                   .run = run,
                                   .user = &jobs[i]};
    }
    gb_bench_run(b, cases, t->count);
    for (size_t i = 1; i < t->count; i++)
        for (size_t j = 0; j < i; j++)
            gb_bench_add(b, name, cases[j].seconds / cases[i].seconds, "times faster", parameters, t->k[i]->name, 1,
                         t->k[j]->name);
}

/* 40 bits are those of most data primes, 50 those of the primes that keys are scaled by. */
static gb_status bench_transforms(gb_bench *b, gb_ctx *ctx, job *j, const tables *all) {
    static const unsigned sizes[] = {40, BITS};
    for (unsigned i = 0; i < 6 * GB_COUNT(sizes); i++) {
        const unsigned log_n = 11 + i / GB_COUNT(sizes), bits = sizes[i % GB_COUNT(sizes)];
        gb_modulus m;
        gb_ntt t;
        GB_TRY(gb_modulus_init(&m, ctx, gb_prime_below(UINT64_C(1) << bits, (uint64_t)2 << log_n)));
        GB_TRY(gb_ntt_init(&t, ctx, &m, log_n, false));
        j->t = &t;
        j->n = (size_t)1 << log_n;
        for (size_t k = 0; k < j->n; k++) j->x[k] = j->y[k] %= m.q;
        const char *parameters = gb_bench_text(b, "N=2^%u bits=%u", log_n, bits);
        all_tables(b, "ntt_forward", parameters, "us", 1e6, run_forward, j, all);
        all_tables(b, "ntt_inverse", parameters, "us", 1e6, run_inverse, j, all);
        if (bits == 40) all_tables(b, "copy+ntt_forward_lazy", parameters, "us", 1e6, run_forward_lazy, j, all);
        gb_ntt_release(&t);
    }
    return GB_OK;
}

/* The inner loops of key switching on a tile in the first-level cache. */
static gb_status bench_extend(gb_bench *b, gb_ctx *ctx, job *j, const tables *all) {
    for (unsigned bits = 40; bits <= BITS; bits += 10) {
        gb_ntt t = {0};
        GB_TRY(gb_modulus_init(&t.m, ctx, gb_prime_below(UINT64_C(1) << bits, 4096)));
        j->t = &t;
        j->n = 256;
        for (size_t i = 0; i < GB_COUNT(j->rows); i++) j->rows[i] = j->y + i * j->n;
        for (size_t i = 0; i < GB_COUNT(j->rows) * j->n; i++) j->y[i] %= t.m.q;
        const double each = 1e9 / (double)j->n;
        const char *parameters = gb_bench_text(b, "n=%zu bits=%u terms=%d", j->n, bits, TERMS);
        all_tables(b, "extend", parameters, "ns/word", each, run_extend, j, all);
        all_tables(b, "extend_lazy", parameters, "ns/word", each, run_extend_lazy, j, all);
        all_tables(b, "inner2", parameters, "ns/word", each, run_inner2, j, all);
        all_tables(b, "sub_mul_add", parameters, "ns/word", each, run_sub_mul_add, j, all);
    }
    return GB_OK;
}

static gb_status bench_rest(gb_bench *b, gb_ctx *ctx, job *j, const tables *all) {
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
    all_tables(b, "columns_there_and_back", parameters, "ns/word", cell, run_columns, j, all);
    parameters = gb_bench_text(b, "n=%zu bits=%d", j->n, BITS);
    all_tables(b, "mul", parameters, "ns/word", each, run_mul, j, all);
    all_tables(b, "mul_add", parameters, "ns/word", each, run_mul_add, j, all);
    all_tables(b, "pack", parameters, "ns/word", each, run_pack, j, all);
    all_tables(b, "unpack", parameters, "ns/word", each, run_unpack, j, all);
    all_tables(b, "uniform", parameters, "ns/word", each, run_uniform, j, all);
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

/* Reference and the narrow tables, those that shipped moduli use. */
static tables tables_here(void) {
    const gb_kernels *all[8];
    const size_t have = gb_kernels_list(all, GB_COUNT(all));
    tables t = {.count = 0};
    for (size_t i = 0; i < have && t.count < MOST_TABLES; i++)
        if (i == 0 || all[i]->max_bits <= BITS) t.k[t.count++] = all[i];
    for (size_t i = 0; i < t.count; i++) t.e[i] = gb_extend_get(gb_cpu_named(t.k[i]->name) & gb_cpu_flags(), BITS);
    return t;
}

gb_status bench_kernel(gb_bench *b, gb_ctx *ctx) {
    const tables here = tables_here();
    const uint32_t flags = gb_cpu_flags();
    job j = {0};
    const size_t words = (size_t)1 << 16;
    GB_TRY(gb_alloc(&j.x, ctx, words * 3, sizeof *j.x));
    j.y = j.x + words;
    j.out = j.y + words;
    gb_random_bytes(j.x, words * 3 * sizeof *j.x);
    gb_cpu_mask(GB_CPU_AVX2); /* tables for the AVX2 set hold everything that the other sets read, too */
    gb_status s = bench_transforms(b, ctx, &j, &here);
    if (s == GB_OK) s = bench_extend(b, ctx, &j, &here);
    if (s == GB_OK) s = bench_rest(b, ctx, &j, &here);
    gb_cpu_mask(flags);
    if (s == GB_OK) s = bench_expansion(b, ctx, j.out);
    gb_free(j.x);
    return s;
}
