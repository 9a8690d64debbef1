/* ring against definitions: primes, the NTT against schoolbook products and evaluation at the root, the convolver
 * against direct sums, the switch against wide integers, samplers against their distributions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/arith.h"
#include "ring/ring.h"

static gb_ctx *ctx;

static int setup(void **state) {
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    return gb_ctx_new(&ctx, &config) == GB_OK ? 0 : -1;
}

static int teardown(void **state) {
    gb_ctx_free(ctx);
    return 0;
}

static uint64_t random_word(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t *words(size_t n) {
    uint64_t *p;
    assert_int_equal(gb_alloc_zero(&p, ctx, n, sizeof *p), GB_OK);
    return p;
}

static uint64_t *random_residues(size_t n, uint64_t q, uint64_t seed) {
    uint64_t *p = words(n);
    for (size_t i = 0; i < n; i++) p[i] = random_word(&seed) % q;
    return p;
}

static uint64_t slow_mul(uint64_t a, uint64_t b, uint64_t q) { return (uint64_t)((gb_u128)a * b % q); }

static void test_primes(void **state) {
    static const uint64_t primes[] = {2, 3, 37, 41, 65537, UINT64_C(1125899906842597), UINT64_C(18446744073709551557)};
    static const uint64_t others[] = {0, 1, 4, 25, 1369, 3215031751, UINT64_C(3825123056546413051), UINT64_MAX};
    for (size_t i = 0; i < GB_COUNT(primes); i++) assert_true(gb_is_prime(primes[i]));
    for (size_t i = 0; i < GB_COUNT(others); i++) assert_false(gb_is_prime(others[i]));
    size_t count = 0;
    for (uint64_t n = 0; n < 100000; n++) count += gb_is_prime(n);
    assert_int_equal(count, 9592);
    assert_int_equal(gb_prime_below(100, 8), 97);
    assert_int_equal(gb_prime_below(97, 8), 89);
    assert_int_equal(gb_prime_below(12, 8), 0); /* only 9, which is no prime */
    for (unsigned bits = 20; bits <= 61; bits++) {
        uint64_t p = gb_prime_below(UINT64_C(1) << bits, 4096);
        assert_true(p < UINT64_C(1) << bits && p > UINT64_C(1) << (bits - 1) && p % 4096 == 1 && gb_is_prime(p));
    }
}

static void test_modulus(void **state) {
    gb_modulus m;
    static const uint64_t bad[] = {0, 1, 2, 17, 65536, 65539 * UINT64_C(65543), UINT64_C(1) << 61, UINT64_MAX};
    for (size_t i = 0; i < GB_COUNT(bad); i++) {
        assert_int_equal(gb_modulus_init(&m, ctx, bad[i]), GB_ERR_PARAMS);
        assert_non_null(strstr(gb_ctx_error(ctx), "modulus"));
    }
    uint64_t seed = 7;
    for (unsigned bits = 17; bits <= 61; bits++) {
        uint64_t q = gb_prime_below(UINT64_C(1) << bits, 2);
        assert_int_equal(gb_modulus_init(&m, ctx, q), GB_OK);
        assert_int_equal(m.bits, bits);
        for (int i = 0; i < 200; i++) {
            uint64_t a = i < 4 ? q - 1 - (i & 1) : random_word(&seed) % q,
                     b = i < 4 ? q - 1 - (i >> 1) : random_word(&seed) % q;
            assert_int_equal(gb_mod_mul(a, b, &m), slow_mul(a, b, q));
            if (a) assert_int_equal(slow_mul(a, gb_mod_inv(a, &m), q), 1);
            assert_int_equal(gb_shoup_of(a, &m), gb_shoup64(a, q));
            if (bits <= 50) assert_int_equal(gb_shoup64(a, q) >> 12, gb_shoup52(a, q));
            gb_u128 wide = (gb_u128)random_word(&seed) << 64 | random_word(&seed);
            if (i < 2) wide = ~(gb_u128)0 - (unsigned)i;
            assert_int_equal(gb_reduce128(wide, &m), (uint64_t)(wide % q));
        }
        assert_int_equal(gb_mod_pow(3, 5, &m), 243 % q);
    }
}

static void check_ntt(unsigned log_n, uint64_t q, uint64_t seed) {
    const size_t n = (size_t)1 << log_n;
    gb_ring *r;
    assert_int_equal(gb_ring_new(&r, ctx, log_n, &q, 1), GB_OK);
    const gb_kernels *k = gb_ring_kernels(r);
    const gb_modulus *m = gb_ring_modulus(r, 0);
    const gb_ntt *t = gb_ring_ntt_tables(r, 0);
    uint64_t *a = random_residues(n, q, seed), *b = random_residues(n, q, seed + 1), *c = words(n), *copy = words(n);
    memcpy(copy, a, n * sizeof *a);
    for (size_t i = 0; i < n; i++) /* schoolbook product in Z_q[X]/(X^n + 1) */
        for (size_t j = 0; j < n; j++) {
            uint64_t p = slow_mul(a[i], b[j], q), *to = &c[(i + j) % n];
            *to = (*to + (i + j < n ? p : q - p)) % q;
        }
    gb_ring_forward(r, a, 0, 1);
    gb_ring_forward(r, b, 0, 1);
    /* Entry bitrev(i) is the value at psi^(2i+1); psi is entry bitrev(1) = n/2 of the twiddles. */
    const uint64_t psi = t->w[n / 2];
    assert_int_equal(gb_mod_pow(psi, n, m), q - 1);
    for (size_t i = 0; i < n; i += n / 4) {
        uint64_t at = gb_mod_pow(psi, 2 * i + 1, m), value = 0;
        for (size_t j = n; j-- > 0;) value = (slow_mul(value, at, q) + copy[j]) % q;
        size_t rev = 0;
        for (unsigned s = 0; s < log_n; s++) rev |= (i >> s & 1) << (log_n - 1 - s);
        assert_int_equal(a[rev], value);
    }
    k->mul(a, a, b, n, m);
    gb_ring_inverse(r, a, 0, 1);
    assert_memory_equal(a, c, n * sizeof *a);
    gb_ring_forward(r, copy, 0, 1);
    gb_ring_inverse(r, copy, 0, 1);
    uint64_t *again = random_residues(n, q, seed);
    assert_memory_equal(copy, again, n * sizeof *copy);
    gb_free(a), gb_free(b), gb_free(c), gb_free(copy), gb_free(again);
    gb_ring_free(r);
}

static void test_ntt(void **state) {
    static const unsigned bits[] = {20, 30, 49, 50, 51, 61};
    for (unsigned log_n = 3; log_n <= 10; log_n++)
        for (size_t i = 0; i < GB_COUNT(bits); i++)
            check_ntt(log_n, gb_prime_below(UINT64_C(1) << bits[i], (uint64_t)2 << log_n), log_n * 100 + i);
}

static void test_ring(void **state) {
    uint64_t p[3] = {gb_prime_below(UINT64_C(1) << 50, 16384), 0, 0};
    p[1] = gb_prime_below(p[0], 16384);
    p[2] = p[0];
    gb_ring *r;
    assert_int_equal(gb_ring_new(&r, ctx, 13, p, 3), GB_ERR_PARAMS); /* twice the same */
    assert_null(r);
    assert_int_equal(gb_ring_new(&r, ctx, 14, p, 0), GB_ERR_PARAMS);
    assert_int_equal(gb_ring_new(&r, ctx, 2, p, 1), GB_ERR_PARAMS);
    assert_int_equal(gb_ring_new(&r, ctx, 18, p, 1), GB_ERR_PARAMS);
    uint64_t wrong = gb_prime_below(UINT64_C(1) << 50, 16);
    while (wrong % 16384 == 1) wrong = gb_prime_below(wrong, 16);
    assert_int_equal(gb_ring_new(&r, ctx, 13, &wrong, 1), GB_ERR_PARAMS);
    assert_int_equal(gb_ring_new(&r, ctx, 13, p, 2), GB_OK);
    assert_int_equal(gb_ring_n(r), 8192);
    assert_int_equal(gb_ring_limbs(r), 2);
    assert_true(fabs(gb_ring_log2_q(r, 2) - log2((double)p[0]) - log2((double)p[1])) < 1e-9);
    gb_ring_free(r);
    gb_ring_free(NULL);
    for (uint64_t fail = 1;; fail++) { /* every allocation fails once */
        gb_alloc_fail_at(fail);
        gb_status s = gb_ring_new(&r, ctx, 5, p, 2);
        gb_alloc_fail_at(0);
        if (s == GB_OK) break;
        assert_int_equal(s, GB_ERR_MEMORY);
        assert_null(r);
        assert_true(fail < 10);
    }
    gb_ring_free(r);
}

static void check_convolver(size_t lines, size_t tap_count, uint64_t q, uint64_t seed) {
    const size_t width = 24;
    gb_ring *r;
    assert_int_equal(gb_ring_new(&r, ctx, 3, &q, 1), GB_OK);
    int64_t *taps = (int64_t *)words(tap_count);
    for (size_t i = 0; i < tap_count; i++) taps[i] = (int64_t)random_word(&seed) >> 23;
    gb_convolver *c;
    assert_int_equal(gb_convolver_new(&c, ctx, r, 0, lines, taps, tap_count), GB_OK);
    uint64_t *x = random_residues(lines * width, q, seed), *want = words(lines * width);
    for (size_t i = 0; i < lines; i++)
        for (size_t j = 0; j < lines; j++) {
            int64_t at = (int64_t)i - (int64_t)j + (int64_t)(tap_count / 2);
            if (at < 0 || at >= (int64_t)tap_count) continue;
            uint64_t tap = (uint64_t)(((gb_i128)taps[at] % (gb_i128)q + (gb_i128)q) % (gb_i128)q);
            for (size_t k = 0; k < width; k++)
                want[i * width + k] = (want[i * width + k] + slow_mul(tap, x[j * width + k], q)) % q;
        }
    uint64_t *scratch = words(gb_convolver_rows(c) * width);
    gb_convolver_run(c, x, width, scratch);
    assert_memory_equal(x, want, lines * width * sizeof *x);
    gb_convolver_free(c);
    gb_free(x), gb_free(want), gb_free(scratch), gb_free(taps);
    gb_ring_free(r);
}

static void test_convolver(void **state) {
    static const size_t shape[][2] = {{1, 1},    {1, 9},   {8, 1},    {8, 3}, {8, 101},
                                      {64, 127}, {33, 33}, {100, 57}, {7, 15}};
    static const unsigned bits[] = {30, 50, 60};
    for (size_t i = 0; i < GB_COUNT(shape); i++)
        for (size_t j = 0; j < GB_COUNT(bits); j++)
            check_convolver(shape[i][0], shape[i][1], gb_prime_below(UINT64_C(1) << bits[j], 4096), i * 10 + j);
}

static void test_convolver_refuses(void **state) {
    uint64_t q = gb_prime_below(UINT64_C(1) << 50, 4096);
    while (q % 8192 == 1) q = gb_prime_below(q, 4096);
    gb_ring *r;
    assert_int_equal(gb_ring_new(&r, ctx, 3, &q, 1), GB_OK);
    gb_convolver *c;
    int64_t taps[3] = {1, -2, 1};
    assert_int_equal(gb_convolver_new(&c, ctx, r, 0, 4096, taps, 3), GB_ERR_PARAMS); /* q is not 1 mod 8192 */
    assert_null(c);
    assert_int_equal(gb_convolver_new(&c, ctx, r, 0, 8, taps, 2), GB_ERR_PARAMS);
    assert_int_equal(gb_convolver_new(&c, ctx, r, 0, 0, taps, 3), GB_ERR_PARAMS);
    assert_int_equal(gb_convolver_new(&c, ctx, r, 1, 8, taps, 3), GB_ERR_PARAMS);
    taps[1] = INT64_C(1) << 40;
    assert_int_equal(gb_convolver_new(&c, ctx, r, 0, 8, taps, 3), GB_ERR_RANGE);
    gb_ring_free(r);
}

/* Two limbs: x = a Q in 128 bits, round(2^k x / Q) by long division. */
static void test_switch(void **state) {
    for (unsigned bits = 30; bits <= 52; bits += 22) {
        uint64_t p[2] = {gb_prime_below(UINT64_C(1) << bits, 16), 0};
        p[1] = gb_prime_below(p[0], 16);
        gb_ring *r;
        assert_int_equal(gb_ring_new(&r, ctx, 3, p, 2), GB_OK);
        gb_switch s;
        assert_int_equal(gb_switch_init(&s, ctx, r, 3), GB_ERR_PARAMS);
        assert_int_equal(gb_switch_init(&s, ctx, r, 0), GB_ERR_PARAMS);
        assert_int_equal(gb_switch_init(&s, ctx, r, 2), GB_OK);
        const gb_u128 big = (gb_u128)p[0] * p[1];
        uint64_t *in0 = words(8), *in1 = words(8), *out = words(8), seed = bits;
        const uint64_t *in[2] = {in0, in1};
        for (unsigned k = 1; k <= 48; k++) {
            if (k + 2 * bits > 126 && k > 22) break;
            gb_u128 x[8];
            for (int i = 0; i < 8; i++) {
                x[i] = ((gb_u128)random_word(&seed) << 64 | random_word(&seed)) % big;
                if (i < 2) x[i] = i ? big - 1 : 0;
                in0[i] = (uint64_t)(x[i] % p[0]);
                in1[i] = (uint64_t)(x[i] % p[1]);
            }
            gb_ring_kernels(r)->switch_pow2(out, in, s.m, s.crt_inv, s.crt_inv64, 2, k, 8);
            for (int i = 0; i < 8; i++) {
                uint64_t want = (uint64_t)(((x[i] << k) + big / 2) / big), mask = gb_mask64(k);
                assert_int_equal(out[i] & ~mask, 0);
                assert_true(((out[i] - want + 1) & mask) <= 2);
            }
        }
        gb_free(in0), gb_free(in1), gb_free(out);
        gb_ring_free(r);
    }
}

static void test_uniform(void **state) {
    const size_t n = 64 * 256;
    gb_seed seed = {.b = {1, 2, 3}};
    for (unsigned bits = 17; bits <= 61; bits += 11) {
        gb_modulus m;
        uint64_t q = gb_prime_below((UINT64_C(1) << bits) - (UINT64_C(1) << (bits - 2)), 2);
        assert_int_equal(gb_modulus_init(&m, ctx, q), GB_OK);
        uint64_t *x = words(n), *y = words(n);
        gb_sample_uniform(x, n, &m, &seed, 5, 3, 0);
        gb_sample_uniform(y + 64 * 7, 64 * 9, &m, &seed, 5, 3, 7); /* any block without the others */
        assert_memory_equal(x + 64 * 7, y + 64 * 7, 64 * 9 * sizeof *x);
        gb_sample_uniform(y, 64, &m, &seed, 5, 4, 0); /* another limb */
        assert_memory_not_equal(x, y, 64 * sizeof *x);
        gb_sample_uniform(y, 64, &m, &seed, 6, 3, 0); /* another stream */
        assert_memory_not_equal(x, y, 64 * sizeof *x);
        double count[64] = {0}, chi = 0;
        for (size_t i = 0; i < n; i++) {
            assert_true(x[i] < q);
            count[(size_t)((gb_u128)x[i] * 64 / q)]++;
        }
        for (int i = 0; i < 64; i++) chi += (count[i] - n / 64.0) * (count[i] - n / 64.0) / (n / 64.0);
        assert_true(chi < 63 + 6 * sqrt(2 * 63.0) && chi > 63 - 5 * sqrt(2 * 63.0));
        /* The definition: stream words in order, masked, those below q kept. */
        uint64_t stream[256];
        gb_stream(stream, sizeof stream, &seed, 5, 3u << 24 | 11, 0);
        for (size_t i = 0, made = 0; made < 64; i++) {
            uint64_t v = stream[i] & gb_mask64(bits);
            if (v < q) assert_int_equal(x[64 * 11 + made++], v);
        }
        gb_free(x), gb_free(y);
    }
}

static void test_error_and_ternary(void **state) {
    const size_t n = 1 << 16;
    gb_seed seed = {.b = {9}};
    int8_t *e;
    assert_int_equal(gb_alloc(&e, ctx, n, 1), GB_OK);
    gb_sample_error(e, n, &seed, 1);
    double sum = 0, squares = 0, fourth = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(e[i] >= -21 && e[i] <= 21);
        sum += e[i];
        squares += (double)e[i] * e[i];
        fourth += pow(e[i], 4);
    }
    assert_true(fabs(sum / (double)n) < 5 * sqrt(10.5 / (double)n));
    assert_true(fabs(squares / (double)n - 10.5) < 5 * 10.5 * sqrt(2.0 / (double)n));
    /* Fourth moment of a sum of 42 halves: 3 sigma^4 - 42 / 8. */
    assert_true(fabs(fourth / (double)n - (3 * 10.5 * 10.5 - 5.25)) < 20);
    gb_sample_ternary(e, n, &seed, 2);
    double count[3] = {0}, chi = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(e[i] >= -1 && e[i] <= 1);
        count[e[i] + 1]++;
    }
    for (int i = 0; i < 3; i++) chi += (count[i] - n / 3.0) * (count[i] - n / 3.0) / (n / 3.0);
    assert_true(chi < 30);
    int8_t *f; /* a prefix is the same */
    assert_int_equal(gb_alloc(&f, ctx, n, 1), GB_OK);
    gb_sample_ternary(f, 1000, &seed, 2);
    assert_memory_equal(e, f, 1000);
    gb_free(e), gb_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_primes), cmocka_unit_test(test_modulus),   cmocka_unit_test(test_ntt),
        cmocka_unit_test(test_ring),   cmocka_unit_test(test_convolver), cmocka_unit_test(test_convolver_refuses),
        cmocka_unit_test(test_switch), cmocka_unit_test(test_uniform),   cmocka_unit_test(test_error_and_ternary),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
