/* check [--seed N] [--bench] [NAME]: the harness. Exit 0 when every variant agrees with C, 1 with the seed and the
 * parameters of the first difference of each op otherwise, 77 when there is nothing but C to check. */
#include <stdlib.h>

#include "check.h"

#define GUARD 16 /* words before and after an array */

/* The harness's arrays: as set up, for the reference, for the variant. */
static uint64_t *memory[3][CHECK_ARRAYS];

uint64_t check_random(state *s) { /* splitmix64 */
    uint64_t z = s->at += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t check_below(state *s, uint64_t bound) { return gb_mulhi(check_random(s), bound); }

uint64_t check_residue(state *s, uint64_t q) {
    switch (s->pattern) {
    case ZERO:
        return 0;
    case TOP:
        return q - 1;
    case EDGES: {
        const uint64_t edge[] = {0, 1, 2, q / 2, q / 2 + 1, q - 2, q - 1};
        return edge[check_below(s, GB_COUNT(edge))];
    }
    default:
        return check_below(s, q);
    }
}

void check_fill(state *s, args *x, unsigned array, size_t words, uint64_t bound) {
    x->words[array] = words;
    for (size_t i = 0; i < words; i++) x->a[array][i] = check_residue(s, bound);
}

bool check_modulus(state *s, gb_modulus *m, uint64_t step) {
    static const unsigned sizes[] = {50, 17, 30, 49, 48, 40, 45, 47, 61, 51, 60, 55, 46, 20};
    const unsigned bits = sizes[s->bench ? 0 : (s->trial / 2 + s->trial / 15) % GB_COUNT(sizes)];
    if (bits > s->table->max_bits) return check_modulus(&(state){.trial = 0, .table = s->table}, m, step);
    const uint64_t top = UINT64_C(1) << bits;
    /* By turns the largest and one near the middle of the size. */
    uint64_t q = gb_prime_below(s->trial % 2 && !s->bench ? top - top / 4 : top, step);
    if (q <= 1 << 16) return false;
    return gb_modulus_init(m, NULL, q) == GB_OK;
}

const gb_ntt *check_ntt(state *s, unsigned log_n, bool cyclic, gb_modulus *m) {
    static gb_ntt t;
    gb_ntt_release(&t);
    if (!check_modulus(s, m, (uint64_t)(cyclic ? 1 : 2) << log_n)) return NULL;
    return gb_ntt_init(&t, NULL, m, log_n, cyclic) == GB_OK ? &t : NULL;
}

static void point_at(args *x, unsigned set) {
    for (unsigned i = 0; i < CHECK_ARRAYS; i++) x->a[i] = memory[set][i] + GUARD;
}

static uint64_t guard_word(unsigned array, size_t i) { return UINT64_C(0xa5a5a5a5a5a5a5a5) ^ (array * 1024 + i); }

/* Copies the arrays of a case from set 0 to `set`, with guards hard against both ends. */
static void copy_case(const args *x, unsigned set) {
    for (unsigned j = 0; j < CHECK_ARRAYS; j++) {
        uint64_t *to = memory[set][j];
        memcpy(to + GUARD, memory[0][j] + GUARD, x->words[j] * sizeof *to);
        for (size_t i = 0; i < GUARD; i++) {
            to[i] = guard_word(j, i);
            to[GUARD + x->words[j] + i] = guard_word(j, GUARD + i);
        }
    }
}

static bool same_case(const args *x, unsigned set, const char **what) {
    for (unsigned j = 0; j < CHECK_ARRAYS; j++) {
        const uint64_t *p = memory[set][j];
        *what = "a guard was overwritten";
        for (size_t i = 0; i < GUARD; i++)
            if (p[i] != guard_word(j, i) || p[GUARD + x->words[j] + i] != guard_word(j, GUARD + i)) return false;
        *what = "results differ";
        if (memcmp(p + GUARD, memory[1][j] + GUARD, x->words[j] * sizeof *p) != 0) return false;
    }
    return true;
}

/* All cases of an op on one table. Answers false at the first difference. */
static bool check_op(const op *o, const gb_kernels *ref, const gb_kernels *k, uint64_t seed, args *x) {
    for (size_t trial = 0;; trial++) {
        state s = {.seed = seed + trial, .table = k, .trial = trial, .pattern = (pattern)(trial * 7 / 5 % PATTERNS)};
        s.at = s.seed * UINT64_C(0x2545f4914f6cdd1d);
        *x = (args){.weight = x->weight, .index = x->index};
        point_at(x, 0);
        if (!o->setup(&s, x)) return true;
        if (x->m[0].q == 0 && x->ntt == NULL && x->words[0] == 0 && x->words[1] == 0) continue; /* no such prime */
        args want = *x, got = *x;
        const char *what = "the numbers answered differ";
        copy_case(x, 1);
        copy_case(x, 2);
        point_at(&want, 1);
        point_at(&got, 2);
        o->run(ref, &want);
        o->run(k, &got);
        if (want.result == got.result && same_case(x, 1, &what) && same_case(x, 2, &what)) continue;
        printf(
            "FAIL %s %s: %s; --seed %llu, trial %zu, pattern %d, q %llu, n %zu, bits %u, parts %u, width %zu, stride "
            "%zu, terms %zu\n",
            k->name, o->name, what, (unsigned long long)seed, trial, (int)s.pattern, (unsigned long long)x->m[0].q,
            x->n, x->bits, x->parts, x->width, x->stride, x->terms);
        return false;
    }
}

static double bench_op(const op *o, const gb_kernels *k, args *x) {
    state s = {.table = k, .bench = true};
    *x = (args){.weight = x->weight, .index = x->index};
    point_at(x, 0);
    if (!o->setup(&s, x)) return 0;
    double best = 1e9;
    for (unsigned round = 0; round < 15; round++) {
        unsigned calls = 0;
        const double start = gb_seconds();
        double now = start;
        for (; now - start < 2e-3; now = gb_seconds(), calls++) o->run(k, x);
        if ((now - start) / calls < best) best = (now - start) / calls;
    }
    return best / (double)o->items(x) * 1e9;
}

static bool allocate(args *x) {
    const size_t words = CHECK_WORDS + 2 * GUARD;
    for (unsigned set = 0; set < 3; set++)
        for (unsigned j = 0; j < CHECK_ARRAYS; j++)
            if (gb_alloc_zero(&memory[set][j], NULL, words, sizeof(uint64_t)) != GB_OK) return false;
    return gb_alloc_zero(&x->weight, NULL, 1 << 14, sizeof *x->weight) == GB_OK &&
           gb_alloc_zero(&x->index, NULL, 1 << 14, sizeof *x->index) == GB_OK;
}

int main(int argc, char **argv) {
    uint64_t seed = 1;
    bool bench = false;
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            bench = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else
            only = argv[i];
    }
    const gb_kernels *tables[8];
    const size_t count = gb_kernels_list(tables, GB_COUNT(tables));
    gb_cpu_mask(GB_CPU_AVX2); /* so that NTT tables hold what the AVX2 set reads beside all the rest */
    args x = {0};
    if (!allocate(&x)) return 1;
    size_t failed = 0, passed = 0;
    for (size_t i = 0; i < check_op_count; i++) {
        const op *o = &check_ops[i];
        if (only && strcmp(only, o->name) != 0) continue;
        if (bench) {
            printf("%-16s", o->name);
            for (size_t t = 0; t < count; t++)
                if (t == 0 || tables[t]->max_bits <= 50)
                    printf(" %6s %8.3f ns", tables[t]->name, bench_op(o, tables[t], &x));
            printf("\n");
            continue;
        }
        for (size_t t = 1; t < count; t++) {
            const bool ok = check_op(o, tables[0], tables[t], seed, &x);
            failed += !ok;
            passed += ok;
        }
    }
    if (!bench)
        printf("%zu checks passed, %zu failed (%zu tables, seed %llu)\n", passed, failed, count,
               (unsigned long long)seed);
    (void)check_ntt(&(state){.table = tables[0]}, 40, false, &x.m[0]); /* too long: only drops what is kept */
    for (unsigned set = 0; set < 3; set++)
        for (unsigned j = 0; j < CHECK_ARRAYS; j++) gb_free(memory[set][j]);
    gb_free(x.weight);
    gb_free(x.index);
    if (failed) return 1;
    return bench || passed ? 0 : 77;
}
