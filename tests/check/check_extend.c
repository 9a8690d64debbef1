/* Every table of kernel/extend.h this CPU can run against the C reference, on random, zero, largest and edge data, with
 * guards around outputs and outputs over inputs where the contract allows it; and the reference against 128-bit
 * arithmetic. check_extend [--seed N]: exit 0 when all agree, 1 with the first difference, 77 when there is nothing but
 * C. */
#include <stdlib.h>

#include "kernel/arith.h"
#include "kernel/extend.h"
#include "ring/ring.h"

#define N 128
#define GUARD 8
#define ROWS (3 * GB_EXTEND_TERMS)

typedef unsigned __int128 u128;
typedef uint64_t row[N + 2 * GUARD] __attribute__((aligned(GB_ALIGN)));

static row in[ROWS], want[3], got[3];
static uint64_t state;

static uint64_t next(void) { /* splitmix64 */
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* One word below bound by the pattern of the trial. */
static uint64_t draw(unsigned pattern, uint64_t bound) {
    const uint64_t edge[] = {0, 1, bound / 2, bound / 2 + 1, bound - 2, bound - 1};
    if (pattern == 0) return 0;
    if (pattern == 1) return bound - 1;
    return pattern == 2 ? edge[next() % GB_COUNT(edge)] : next() % bound;
}

static void fill(unsigned pattern, uint64_t bound) {
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < N; k++) in[i][GUARD + k] = draw(pattern, bound);
}

typedef struct trial {
    gb_modulus m;
    unsigned max_bits, pattern, terms;
    const uint64_t *x[GB_EXTEND_TERMS], *b[GB_EXTEND_TERMS], *a[GB_EXTEND_TERMS];
    uint64_t weight[GB_EXTEND_TERMS];
    double inverse[GB_EXTEND_TERMS];
    uint32_t index[N] __attribute__((aligned(GB_ALIGN)));
    size_t n;
} trial;

enum {
    EXTEND,
    INNER2,
    INNER2_BYTES,
    SUB_MUL,
    SUB_MUL_OVER,
    SUB_MUL_ADD,
    SUB_MUL_ADD_OVER,
    SCALE_ADD,
    SCALE_ADD_OVER,
    TENSOR,
    TENSOR_OVER,
    PERMUTE,
    QUOTIENT,
    REDUCE,
    EXTEND_LAZY,
    INNER2_LAZY,
    SUB_MUL_LAZY,
    OPS
};
static const char *const names[] = {"extend",
                                    "inner2",
                                    "inner2_bytes",
                                    "sub_mul",
                                    "sub_mul in place",
                                    "sub_mul_add",
                                    "sub_mul_add in place",
                                    "scale_add",
                                    "scale_add in place",
                                    "tensor",
                                    "tensor in place",
                                    "permute",
                                    "quotient",
                                    "reduce",
                                    "extend_lazy",
                                    "inner2 of lazy words",
                                    "sub_mul of lazy words"};

/* Which words an op takes: residues of m, or anything below 2^max_bits. */
static uint64_t bound_of(unsigned op, const trial *t) {
    bool wide = op == EXTEND || op == EXTEND_LAZY || op == QUOTIENT || op == REDUCE;
    return wide ? UINT64_C(1) << t->max_bits : t->m.q;
}

/* n words of `bytes` bytes each, one row after the other, with nothing after the last. */
static const uint8_t *in_bytes(uint8_t *out, const uint64_t *x, unsigned bytes, size_t n) {
    for (size_t k = 0; k < n; k++) memcpy(out + k * bytes, &x[k], bytes); /* little-endian, as the product is */
    return out;
}

static void run_bytes(const gb_extend_kernels *k, const trial *t, uint64_t *o0, uint64_t *o1) {
    static uint8_t room[2 * GB_EXTEND_TERMS * N * sizeof(uint64_t)];
    const uint8_t *b[GB_EXTEND_TERMS], *a[GB_EXTEND_TERMS];
    const unsigned bytes = t->m.bits <= 32 ? 4 : (t->m.bits + 7) / 8;
    uint8_t *end = room + sizeof room; /* what is read past a row's end is past the array's for the first of them */
    for (unsigned i = 0; i < t->terms; i++) {
        b[i] = in_bytes(end -= bytes * t->n, t->b[i], bytes, t->n);
        a[i] = in_bytes(end -= bytes * t->n, t->a[i], bytes, t->n);
    }
    k->inner2_bytes(o0, o1, t->x, b, a, bytes, t->terms, t->n, &t->m);
}

/* Rows as ntt_forward_lazy may leave them to this variant: below 70 q in the low 52 bits, and any bits above. */
static void run_lazy(const gb_extend_kernels *k, unsigned op, const trial *t, uint64_t *o0, uint64_t *o1) {
    static row lazy[GB_EXTEND_TERMS];
    const uint64_t *x[GB_EXTEND_TERMS], q = t->m.q, mask = t->max_bits <= 50 ? gb_mask64(52) : UINT64_MAX;
    const bool own = strcmp(k->name, "ifma") == 0 && t->m.bits <= 45;
    for (size_t i = 0; i < t->terms; i++) {
        for (size_t j = 0; j < t->n; j++)
            lazy[i][j] = t->x[i][j] + (own ? (i + j) % 70 * q + ((uint64_t)((i ^ j) % 9) << 52) : 0);
        x[i] = lazy[i];
    }
    if (op == INNER2_LAZY) k->inner2(o0, o1, x, t->b, t->a, t->terms, t->n, &t->m);
    if (op == SUB_MUL_LAZY) {
        k->sub_mul(o0, t->a[0], x[0], t->weight[0], t->n, &t->m);
        k->sub_mul_add(o1, t->a[0], x[0], t->weight[0], t->b[0], t->n, &t->m);
    }
    if (op != EXTEND_LAZY) return;
    k->extend_lazy(o0, t->x, t->weight, t->terms, t->n, &t->m);
    for (size_t j = 0; j < t->n; j++) {
        o1[j] = (o0[j] & mask) >= (own ? 16 : 1) * q;
        o0[j] = (o0[j] & mask) % q;
    }
}

static void run(const gb_extend_kernels *k, unsigned op, const trial *t, row *out) {
    uint64_t *o0 = out[0] + GUARD, *o1 = out[1] + GUARD, *o2 = out[2] + GUARD;
    const uint64_t *r[4] = {in[0] + GUARD, in[1] + GUARD, in[2] + GUARD, in[3] + GUARD};
    size_t n = t->n;
    switch (op) {
    case EXTEND:
        k->extend(o0, t->x, t->weight, t->terms, n, &t->m);
        break;
    case INNER2:
        k->inner2(o0, o1, t->x, t->b, t->a, t->terms, n, &t->m);
        break;
    case INNER2_BYTES:
        run_bytes(k, t, o0, o1);
        break;
    case SUB_MUL:
        k->sub_mul(o0, r[0], r[1], t->weight[0], n, &t->m);
        break;
    case SUB_MUL_OVER:
        memcpy(o0, r[0], n * sizeof *o0);
        memcpy(o1, r[1], n * sizeof *o1);
        k->sub_mul(o0, o0, o1, t->weight[0], n, &t->m);
        k->sub_mul(o1, o0, o1, t->weight[0], n, &t->m);
        break;
    case SUB_MUL_ADD:
        k->sub_mul_add(o0, r[0], r[1], t->weight[0], r[2], n, &t->m);
        break;
    case SUB_MUL_ADD_OVER: /* over a, over b, over c */
        memcpy(o0, r[0], n * sizeof *o0);
        memcpy(o1, r[1], n * sizeof *o1);
        memcpy(o2, r[2], n * sizeof *o2);
        k->sub_mul_add(o0, o0, o1, t->weight[0], o2, n, &t->m);
        k->sub_mul_add(o1, o0, o1, t->weight[0], o2, n, &t->m);
        k->sub_mul_add(o2, o0, o1, t->weight[0], o2, n, &t->m);
        break;
    case SCALE_ADD:
        k->scale_add(o0, r[0], t->weight[0], r[2], n, &t->m);
        break;
    case SCALE_ADD_OVER: /* over a, over c */
        memcpy(o0, r[0], n * sizeof *o0);
        memcpy(o1, r[1], n * sizeof *o1);
        k->scale_add(o0, o0, t->weight[0], o1, n, &t->m);
        k->scale_add(o1, o0, t->weight[0], o1, n, &t->m);
        break;
    case TENSOR:
        k->tensor(o0, o1, o2, r[0], r[1], r[2], r[3], n, &t->m);
        break;
    case TENSOR_OVER:
        memcpy(o0, r[0], n * sizeof *o0);
        memcpy(o1, r[1], n * sizeof *o1);
        k->tensor(o0, o1, o2, o0, o1, r[2], r[3], n, &t->m);
        break;
    case PERMUTE:
        k->permute(o0, r[0], t->index, n);
        break;
    case QUOTIENT:
        k->quotient(o0, t->x, t->inverse, t->terms, n);
        break;
    case REDUCE:
        k->reduce(o0, r[0], n, &t->m);
        break;
    default:
        run_lazy(k, op, t, o0, o1);
    }
}

static void guard(row *out) {
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < N + 2 * GUARD; k++) out[i][k] = UINT64_C(0xa5a5a5a5a5a5a5a5) + k;
}

/* The definitions, for the ops that have sums in them. */
static bool defined(unsigned op, const trial *t) {
    const gb_modulus *m = &t->m;
    for (size_t k = 0; k < t->n; k++) {
        uint64_t s0 = 0, s1 = 0;
        for (size_t i = 0; i < t->terms; i++) {
            uint64_t x = t->x[i][k];
            uint64_t w0 = op == EXTEND || op == EXTEND_LAZY ? t->weight[i] : t->b[i][k],
                     w1 = op == EXTEND || op == EXTEND_LAZY ? 0 : t->a[i][k];
            s0 = (uint64_t)((s0 + (u128)x * w0) % m->q);
            s1 = (uint64_t)((s1 + (u128)x * w1) % m->q);
        }
        if (op == SUB_MUL || op == SUB_MUL_ADD) {
            uint64_t d = (in[0][GUARD + k] + m->q - in[1][GUARD + k] % m->q) % m->q;
            u128 plus = op == SUB_MUL_ADD ? in[2][GUARD + k] : 0;
            s0 = (uint64_t)(((u128)d * t->weight[0] + plus) % m->q);
        }
        if (op == SCALE_ADD) s0 = (uint64_t)(((u128)in[0][GUARD + k] * t->weight[0] + in[2][GUARD + k]) % m->q);
        if (op == REDUCE) s0 = in[0][GUARD + k] % m->q;
        if (want[0][GUARD + k] != s0) return false;
        if ((op == INNER2 || op == INNER2_BYTES || op == INNER2_LAZY) && want[1][GUARD + k] != s1) return false;
    }
    return true;
}

static bool make(trial *t, uint64_t number, unsigned max_bits) {
    static const unsigned sizes[] = {50, 17, 24, 30, 36, 40, 45, 49, 61, 60, 55, 51};
    static const unsigned terms[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 30, 31, 33, 47, 48, 49, 63, 64};
    unsigned bits = sizes[number % (max_bits <= 50 ? 8 : GB_COUNT(sizes))];
    uint64_t top = UINT64_C(1) << bits, q = gb_prime_below(number & 1 ? top - top / 4 : top, 256);
    t->max_bits = max_bits;
    t->pattern = (unsigned)(number / 3 % 5);
    t->terms = terms[number % GB_COUNT(terms)];
    t->n = number % 2 ? N : 8 * (1 + number % (N / 8));
    if (q <= 1 << 16 || gb_modulus_init(&t->m, NULL, q) != GB_OK) return false;
    for (size_t i = 0; i < GB_EXTEND_TERMS; i++) {
        t->x[i] = in[i] + GUARD, t->b[i] = in[GB_EXTEND_TERMS + i] + GUARD,
        t->a[i] = in[2 * GB_EXTEND_TERMS + i] + GUARD;
        t->weight[i] = draw(t->pattern, q);
        t->inverse[i] = 1.0 / (double)((UINT64_C(1) << (max_bits <= 50 ? 50 : 61)) - next() % 1000000);
    }
    for (size_t k = 0; k < t->n; k += 8) { /* eight neighbours in any order, from anywhere */
        const uint32_t from = (uint32_t)(next() % (t->n / 8)) * 8, turn = (uint32_t)next();
        for (uint32_t j = 0; j < 8; j++) t->index[k + j] = from + ((j * (turn | 1) + (turn >> 8)) & 7);
    }
    return true;
}

static bool check(const gb_extend_kernels *ref, const gb_extend_kernels *k, uint64_t seed, uint64_t number,
                  unsigned max_bits) {
    static trial t;
    state = seed * UINT64_C(0x2545f4914f6cdd1d) + number;
    if (!make(&t, number, max_bits)) return true;
    for (unsigned op = 0; op < OPS; op++) {
        fill(t.pattern, bound_of(op, &t));
        guard(want);
        guard(got);
        run(ref, op, &t, want);
        run(k, op, &t, got);
        bool has_definition = op <= SUB_MUL || op == SUB_MUL_ADD || op == SCALE_ADD || op == REDUCE ||
                              op == EXTEND_LAZY || op == INNER2_LAZY;
        const char *what = memcmp(want, got, sizeof want) != 0 ? "results or guards differ" : NULL;
        if (!what && has_definition && !defined(op, &t)) what = "the reference is not the definition";
        if (!what) continue;
        printf("FAIL %s %s: %s; --seed %llu, trial %llu, q %llu, n %zu, terms %u, pattern %u\n", k->name, names[op],
               what, (unsigned long long)seed, (unsigned long long)number, (unsigned long long)t.m.q, t.n, t.terms,
               t.pattern);
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    const gb_extend_kernels *tables[8];
    size_t count = gb_extend_list(tables, GB_COUNT(tables));
    uint64_t seed = argc == 3 && strcmp(argv[1], "--seed") == 0 ? strtoull(argv[2], NULL, 10) : 1;
    for (uint64_t number = 0; number < 240; number++) {
        if (!check(tables[0], tables[0], seed, number, 61)) return 1; /* the definition, for wide moduli too */
        for (size_t i = 0; i < count; i++)
            if (!check(tables[0], tables[i], seed, number, 50)) return 1;
    }
    printf("%zu tables agree (seed %llu)\n", count, (unsigned long long)seed);
    return count > 1 ? 0 : 77;
}
