/* Constant time of the samplers, and of the kernels that see secrets, one by one, as an instruction set chooses them
 * for moduli of every width: no report, and every word that comes out is marked as what went in. See ct.h. */
#include "ct.h"

#define LOG_N 12
#define N (1 << LOG_N)

static uint64_t *a, *b, *c;
static int8_t *small;

static void mark(void) {
    uint64_t *rows[3] = {a, b, c};
    for (unsigned i = 0; i < 3; i++) {
        memset(rows[i], 0, N * sizeof **rows); /* zeros are reduced modulo every prime */
        gb_classify(rows[i], N * sizeof **rows);
    }
    memset(small, 0, N);
    gb_classify(small, N);
}

static void expect(const gb_kernels *k, const gb_modulus *m, const char *name) {
    char what[100];
    snprintf(what, sizeof what, "%s/%s at %u bits", k->name, name, m->bits);
    ct_secret_words(a, N * sizeof *a, what);
    mark();
}

static void table(const gb_kernels *k, const gb_modulus *m, const gb_ntt *t) {
    mark();
    k->ntt_forward(a, t), expect(k, m, "ntt_forward");
    k->ntt_inverse(a, a, 1, t), expect(k, m, "ntt_inverse");
    k->add(a, b, c, N, m), expect(k, m, "add");
    k->sub(a, b, c, N, m), expect(k, m, "sub");
    k->neg(a, b, N, m), expect(k, m, "neg");
    k->mul(a, b, c, N, m), expect(k, m, "mul");
    k->mul_add(a, b, c, N, m), expect(k, m, "mul_add");
    k->mul_scalar(a, b, 12345, N, m), expect(k, m, "mul_scalar");
    k->lift8(a, small, N, m), expect(k, m, "lift8");
    k->lift64(a, (const int64_t *)b, N, m), expect(k, m, "lift64");
    k->binomial((int8_t *)a, N, b), expect(k, m, "binomial");
}

static void samplers(void) {
    gb_seed seed = {{1}};
    gb_classify(&seed, sizeof seed);
    gb_sample_ternary(small, N, &seed, 0), ct_secret_words(small, N, "gb_sample_ternary");
    gb_sample_error(small, N, &seed, 1), ct_secret_words(small, N, "gb_sample_error");
    gb_sample_sparse(small, N, 64, &seed, 2), ct_secret_words(small, N, "gb_sample_sparse");
}

static void check(void) {
    static const unsigned bits[] = {30, 40, 45, 48, 50, 55, 60};
    ct_need(gb_alloc(&a, ct_ctx, N, sizeof *a), "memory");
    ct_need(gb_alloc(&b, ct_ctx, N, sizeof *b), "memory");
    ct_need(gb_alloc(&c, ct_ctx, N, sizeof *c), "memory");
    ct_need(gb_alloc(&small, ct_ctx, N, 1), "memory");
    samplers();
    for (size_t i = 0; i < GB_COUNT(bits); i++) {
        gb_ring *r;
        uint64_t prime = gb_prime_below(UINT64_C(1) << bits[i], 2 * N);
        ct_need(gb_ring_new(&r, ct_ctx, LOG_N, &prime, 1), "ring");
        table(gb_ring_kernels(r), gb_ring_modulus(r, 0), gb_ring_ntt_tables(r, 0));
        gb_ring_free(r);
    }
    gb_free(small);
    gb_free(c);
    gb_free(b);
    gb_free(a);
}

int main(int argc, char **argv) { return ct_main(argc, argv, check); }
