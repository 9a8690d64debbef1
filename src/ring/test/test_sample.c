/* Samplers against their distributions: chi-square over every value, over pairs of neighbours and over the bits that a
 * biased reduction would show, and moments. Seeds are fixed, so a result never changes by chance; bounds are those that
 * one right sampler in 10^6 would miss. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/ring.h"

#define N (1 << 16)

static const char *const cpus[] = {"ref", "avx2", "ifma"};
static int8_t small[N];
static _Alignas(64) uint64_t words[N];

/* Chi-square against expected counts (each large), as standard deviations from its mean: by Wilson and Hilferty's cube
 * root, nearly a normal number. */
static double deviation(const double *count, const double *expected, size_t cells) {
    double chi = 0, free = (double)cells - 1, ninth = 2 / (9 * free);
    for (size_t i = 0; i < cells; i++) {
        assert_true(expected[i] >= 5);
        chi += (count[i] - expected[i]) * (count[i] - expected[i]) / expected[i];
    }
    return (cbrt(chi / free) - (1 - ninth)) / sqrt(ninth);
}

static void expect_even(const double *count, size_t cells, double total, const char *what) {
    double expected[4096], z;
    for (size_t i = 0; i < cells; i++) expected[i] = total / (double)cells;
    z = deviation(count, expected, cells);
    if (!(fabs(z) < 5)) fail_msg("%s: chi-square is %.1f standard deviations off", what, z);
}

/* Residues modulo a prime near 2^bits, 3/4 2^bits and just above 2^(bits - 1), where rejection works hardest. */
static void test_uniform(void **state) {
    static const unsigned widths[] = {17, 30, 40, 50, 60};
    gb_seed seed = {{1, 2, 3}};
    (void)state;
    for (size_t w = 0; w < 3 * sizeof widths / sizeof *widths; w++) {
        const uint64_t top = UINT64_C(1) << widths[w / 3];
        const uint64_t q = gb_prime_below(w % 3 == 0 ? top : w % 3 == 1 ? top - top / 4 : top / 2 + top / 64, 2);
        double high[256] = {0}, low[64] = {0}, pair[256] = {0}, sum = 0, squares = 0;
        gb_modulus m;
        assert_int_equal(gb_modulus_init(&m, NULL, q), GB_OK);
        gb_sample_uniform(words, N, &m, &seed, 1, (uint32_t)w, 0);
        for (size_t i = 0; i < N; i++) {
            const double u = (double)words[i] / (double)q;
            assert_true(words[i] < q);
            high[(size_t)(u * 256)]++;
            low[words[i] & 63]++;
            if (i % 2) pair[(size_t)(u * 16) * 16 + (size_t)((double)words[i - 1] / (double)q * 16)]++;
            sum += u;
            squares += u * u;
        }
        expect_even(high, 256, N, "uniform, high bits");
        expect_even(low, 64, N, "uniform, low bits");
        expect_even(pair, 256, N / 2, "uniform, pairs");
        assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
        assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    }
}

static void test_ternary(void **state) {
    gb_seed seed = {{4}};
    double one[3] = {0}, pair[9] = {0}, far[9] = {0};
    (void)state;
    gb_sample_ternary(small, N, &seed, 1);
    for (size_t i = 0; i < N; i++) {
        assert_true(small[i] >= -1 && small[i] <= 1);
        one[small[i] + 1]++;
        if (i % 2) pair[3 * (small[i] + 1) + small[i - 1] + 1]++;
        if (i >= N / 2) far[3 * (small[i] + 1) + small[i - N / 2] + 1]++;
    }
    expect_even(one, 3, N, "ternary");
    expect_even(pair, 9, N / 2, "ternary, pairs");
    expect_even(far, 9, N / 2, "ternary, half a polynomial apart");
}

/* All values of the centred binomial: P(v) = C(42, 21 + v) / 2^42, tails together; moments two, four and six; signs of
 * neighbours; no correlation. */
static void test_error(void **state) {
    gb_seed seed = {{5}};
    double choose[43] = {1}, count[23] = {0}, expected[23] = {0}, sign[4] = {0};
    double sum = 0, moment[4] = {0}, exact[4] = {0}, lag = 0;
    (void)state;
    for (int i = 1; i <= 42; i++) choose[i] = choose[i - 1] * (43 - i) / i;
    for (int i = 0; i <= 42; i++) {
        const double p = choose[i] * 0x1p-42, v = i - 21;
        const int cell = (int)fmin(fmax(v, -11), 11) + 11; /* beyond 11 fewer than 5 are expected */
        expected[cell] += p * N;
        exact[1] += p * v * v;
        exact[2] += p * pow(v, 4);
        exact[3] += p * pow(v, 6);
    }
    assert_true(fabs(exact[1] - 10.5) < 1e-9);
    gb_sample_error(small, N, &seed, 1);
    for (size_t i = 0; i < N; i++) {
        const double v = small[i];
        assert_true(v >= -21 && v <= 21);
        count[(int)fmin(fmax(v, -11), 11) + 11]++;
        sum += v;
        for (int k = 1; k < 4; k++) moment[k] += pow(v, 2 * k) / N;
        if (i) lag += v * small[i - 1];
        if (i % 2 && small[i] && small[i - 1]) sign[2 * (small[i] > 0) + (small[i - 1] > 0)]++;
    }
    assert_true(fabs(deviation(count, expected, 23)) < 5);
    expect_even(sign, 4, sign[0] + sign[1] + sign[2] + sign[3], "error, signs of neighbours");
    assert_true(fabs(sum / N) < 5 * sqrt(10.5 / N));
    assert_true(fabs(lag / N) < 5 * 10.5 / sqrt(N));
    assert_true(fabs(moment[1] / exact[1] - 1) < 5 * sqrt((exact[2] / exact[1] / exact[1] - 1) / N));
    assert_true(fabs(moment[2] / exact[2] - 1) < 0.05); /* standard deviations: 0.013, 0.03 */
    assert_true(fabs(moment[3] / exact[3] - 1) < 0.15);
}

/* Fixed weight: exact, places and signs even, and no place is favoured by the order in which they were drawn. */
static void test_sparse(void **state) {
    static const unsigned weights[] = {32, 192};
    const size_t n = 1 << 12;
    gb_seed seed = {{6}};
    (void)state;
    for (unsigned w = 0; w < 2; w++) {
        double place[64] = {0}, sign[2] = {0}, both = 0;
        const unsigned draws = 8192 / weights[w];
        for (unsigned i = 0; i < draws; i++) {
            unsigned weight = 0;
            gb_sample_sparse(small, n, weights[w], &seed, i);
            for (size_t j = 0; j < n; j++) {
                assert_true(small[j] >= -1 && small[j] <= 1);
                if (!small[j]) continue;
                weight++;
                place[j / 64]++;
                sign[small[j] > 0]++;
                if (j && small[j - 1]) both++;
            }
            assert_int_equal(weight, weights[w]);
        }
        const double total = (double)draws * weights[w], near = total * (weights[w] - 1) / (double)n;
        expect_even(place, 64, total, "sparse, places");
        expect_even(sign, 2, total, "sparse, signs");
        assert_true(fabs(both - near) < 5 * sqrt(near) + 1);
    }
}

/* The same numbers on every instruction set; other streams and seeds give others. */
static void test_every_instruction_set(void **state) {
    static int8_t first[3][N], again[N];
    static uint64_t residues[N];
    gb_seed seed = {{7}}, other = {{8}};
    gb_modulus m;
    (void)state;
    assert_int_equal(gb_modulus_init(&m, NULL, gb_prime_below(UINT64_C(3) << 38, 2)), GB_OK);
    for (unsigned c = 0; c < 3; c++) {
        gb_cpu_mask(gb_cpu_named(cpus[c]));
        gb_sample_uniform(words, N, &m, &seed, 3, 0, 0);
        if (c == 0) memcpy(residues, words, sizeof words);
        assert_memory_equal(words, residues, sizeof words);
        for (unsigned kind = 0; kind < 3; kind++) {
            if (kind == 0) gb_sample_ternary(small, N, &seed, 3);
            if (kind == 1) gb_sample_error(small, N, &seed, 3);
            if (kind == 2) gb_sample_sparse(small, N, 64, &seed, 3);
            if (c == 0) memcpy(first[kind], small, N);
            assert_memory_equal(small, first[kind], N);
        }
    }
    gb_cpu_mask(UINT32_MAX);
    gb_sample_ternary(again, N, &seed, 4);
    assert_memory_not_equal(again, first[0], N);
    gb_sample_error(again, N, &other, 3);
    assert_memory_not_equal(again, first[1], N);
    gb_sample_sparse(again, N, 64, &other, 3);
    assert_memory_not_equal(again, first[2], N);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_uniform), cmocka_unit_test(test_ternary),
                                       cmocka_unit_test(test_error), cmocka_unit_test(test_sparse),
                                       cmocka_unit_test(test_every_instruction_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
