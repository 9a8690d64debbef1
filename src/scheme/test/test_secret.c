/* scheme/secret: keys, seeded and public encryption of bundles, decryption modulo primes and powers of two. */
#include <math.h>

#include "support.h"

typedef struct fixture {
    gb_ctx *ctx;
    gb_params *params;
    gb_secret *secret;
    gb_keyset *keyset;
    gb_bundle_info info;
    int64_t *values; /* lines x rows, up to 1000 * scale */
    size_t lines, rows;
} fixture;

static void start(fixture *f, const char *set, uint32_t rows, unsigned threads) {
    f->ctx = test_context(threads);
    test_ok(f->ctx, gb_params_named(&f->params, f->ctx, set));
    test_ok(f->ctx, gb_secret_restore(&f->secret, &f->keyset, f->ctx, f->params, test_root));
    f->info = test_info(f->params, gb_secret_key_id(f->secret), rows, 256);
    f->lines = gb_bundle_lines(&f->info);
    f->rows = rows;
    gb_hash nonce = {{1}}, content = {{2}};
    gb_secret_dataset_seed(&f->info.seed, f->secret, &nonce, &content);
    f->info.seeded = true;
    test_ok(f->ctx, gb_alloc(&f->values, f->ctx, f->lines * rows, sizeof *f->values));
    uint64_t state = 7;
    for (size_t i = 0; i < f->lines * rows; i++) f->values[i] = (int64_t)(test_random(&state) % 512001) - 256000;
}

static void stop(fixture *f) {
    gb_free(f->values);
    gb_keyset_free(f->keyset);
    gb_secret_free(f->secret);
    gb_params_free(f->params);
    gb_ctx_free(f->ctx);
}

static void encrypt_all(fixture *f, test_store *store) {
    gb_tile_sink sink = test_sink(store);
    for (size_t g = 0; g < gb_bundle_groups(&f->info); g++) {
        const int64_t *values = f->values + g * f->info.lines_per_tile * f->rows;
        if (f->info.seeded)
            test_ok(f->ctx, gb_encrypt_seeded(f->ctx, f->secret, &f->info, g, values, &sink));
        else
            test_ok(f->ctx, gb_encrypt_public(f->ctx, f->keyset, &f->info, g, values, &sink));
    }
}

/* Standard deviation and largest of (decrypted - values), in integer units. */
static void measure(fixture *f, test_store *store, double *deviation, double *largest) {
    gb_tile_source source = test_source(store);
    double *out, sum = 0;
    *largest = 0;
    test_ok(f->ctx, gb_alloc(&out, f->ctx, f->lines * f->rows, sizeof *out));
    for (size_t g = 0; g < gb_bundle_groups(&f->info); g++)
        test_ok(f->ctx,
                gb_decrypt(out + g * f->info.lines_per_tile * f->rows, f->ctx, f->secret, &f->info, g, &source));
    for (size_t i = 0; i < f->lines * f->rows; i++) {
        double d = out[i] * f->info.scale - (double)f->values[i];
        sum += d * d;
        *largest = fmax(*largest, fabs(d));
    }
    *deviation = sqrt(sum / (double)(f->lines * f->rows));
    gb_free(out);
}

static void check_seeded(const char *set, uint32_t rows) {
    fixture f;
    test_store store = {.writes = 0};
    double deviation, largest;
    start(&f, set, rows, 2);
    encrypt_all(&f, &store);
    assert_int_equal(store.writes, gb_bundle_tiles(&f.info, f.params));
    measure(&f, &store, &deviation, &largest);
    /* Centred binomial, k = 21: 3.240; thousands of samples are within a tenth of it. */
    assert_true(deviation > 3.14 && deviation < 3.34);
    assert_true(largest <= 21);
    int before = store.writes;
    encrypt_all(&f, &store); /* all there: nothing is written again */
    assert_int_equal(store.writes, before);
    test_store_release(&store);
    stop(&f);
}

static void test_seeded(void **state) {
    check_seeded("tiny-linear", 1000);
    check_seeded("tiny-linear", 2048);
    check_seeded("linear", 1500);
    check_seeded("leveled-13", 500);
}

static void check_public(const char *set) {
    fixture f;
    test_store store = {.writes = 0};
    double deviation, largest;
    start(&f, set, 700, 2);
    f.info.seeded = false;
    encrypt_all(&f, &store);
    assert_int_equal(store.writes, gb_bundle_tiles(&f.info, f.params));
    measure(&f, &store, &deviation, &largest);
    /* e u + e0 + e1 s: variance 10.5 (4/3 N + 1). */
    double expected = sqrt(10.5 * (4.0 / 3 * (double)gb_ring_n(gb_params_ring(f.params)) + 1));
    assert_true(deviation > 0.9 * expected && deviation < 1.1 * expected);
    test_store_release(&store);
    stop(&f);
}

static void test_public(void **state) {
    check_public("tiny-linear");
    check_public("linear");
}

/* The same bytes for every thread count and instruction set. */
static void test_deterministic(void **state) {
    static const char *const cpus[] = {"ref", "avx2", "ifma"};
    test_store first = {.writes = 0};
    for (unsigned i = 0; i < 3; i++) {
        gb_cpu_mask(gb_cpu_named(cpus[i]));
        fixture f;
        test_store store = {.writes = 0};
        start(&f, "linear", 300, i + 1);
        encrypt_all(&f, i == 0 ? &first : &store);
        if (i > 0) test_store_same(&first, &store);
        test_store_release(&store);
        stop(&f);
    }
    gb_cpu_mask(UINT32_MAX);
    test_store_release(&first);
}

static void test_wrong_key(void **state) {
    fixture f;
    test_store store = {.writes = 0};
    gb_secret *other;
    gb_keyset *other_set;
    double out[4 * 64];
    start(&f, "tiny-linear", 64, 1);
    gb_tile_source source = test_source(&store);
    gb_tile_sink sink = test_sink(&store);
    encrypt_all(&f, &store);
    test_ok(f.ctx, gb_secret_new(&other, &other_set, f.ctx, f.params));
    assert_false(gb_hash_equal(gb_secret_key_id(other), gb_secret_key_id(f.secret)));
    assert_true(gb_hash_equal(gb_secret_key_id(other), gb_keyset_id(other_set)));
    test_refused(f.ctx, gb_decrypt(out, f.ctx, other, &f.info, 0, &source), GB_ERR_KEY);
    test_refused(f.ctx, gb_encrypt_seeded(f.ctx, other, &f.info, 0, f.values, &sink), GB_ERR_KEY);
    gb_bundle_info unseeded = f.info;
    unseeded.seeded = false;
    test_refused(f.ctx, gb_encrypt_public(f.ctx, other_set, &unseeded, 0, f.values, &sink), GB_ERR_KEY);
    /* A lying key id decrypts to noise, not to values: the key is what protects, not the id. */
    gb_bundle_info lying = f.info;
    lying.key = *gb_secret_key_id(other);
    test_ok(f.ctx, gb_decrypt(out, f.ctx, other, &lying, 0, &source));
    double far = 0;
    for (size_t i = 0; i < 256; i++) far = fmax(far, fabs(out[i]));
    assert_true(far > 1e9);
    gb_secret_free(other);
    gb_keyset_free(other_set);
    test_store_release(&store);
    stop(&f);
}

static void test_range(void **state) {
    fixture f;
    test_store store = {.writes = 0};
    start(&f, "tiny-linear", 64, 1);
    gb_tile_sink sink = test_sink(&store);
    const int64_t bad[] = {256002, -256002, INT64_MAX, INT64_MIN, INT64_C(1) << 48};
    for (size_t i = 0; i < GB_COUNT(bad); i++) {
        f.values[4 * 64 + 70] = bad[i]; /* group 1 starts at line 4: line 5, row 6 */
        test_refused(f.ctx, gb_encrypt_seeded(f.ctx, f.secret, &f.info, 1, f.values + 4 * 64, &sink), GB_ERR_RANGE);
        assert_non_null(strstr(gb_ctx_error(f.ctx), "line 5, row 6"));
        assert_null(strstr(gb_ctx_error(f.ctx), "256002"));
    }
    assert_int_equal(store.writes, 0);
    f.values[4 * 64 + 70] = 256000;
    test_ok(f.ctx, gb_encrypt_seeded(f.ctx, f.secret, &f.info, 1, f.values + 4 * 64, &sink));
    f.info.scale = 1e15; /* beyond the modulus */
    test_refused(f.ctx, gb_encrypt_seeded(f.ctx, f.secret, &f.info, 1, f.values + 4 * 64, &sink), GB_ERR_PARAMS);
    test_store_release(&store);
    stop(&f);
}

/* Reads every block of one plane of one group into whole polynomials: words[line][limb][N]. */
static uint64_t *polynomials(fixture *f, test_store *store, unsigned plane) {
    const gb_ring *r = gb_params_ring(f->params);
    size_t n = gb_ring_n(r), limbs = f->info.limbs, lines = f->info.lines_per_tile;
    uint64_t *all, *tile;
    test_ok(f->ctx, gb_alloc_zero(&all, f->ctx, lines * limbs * n, 8));
    test_ok(f->ctx, gb_alloc(&tile, f->ctx, lines * limbs * GB_BLOCK, 8));
    for (size_t l = 0; plane == 1 && f->info.seeded && l < lines; l++)
        for (size_t j = 0; j < limbs; j++)
            gb_sample_uniform(all + (l * limbs + j) * n, n, gb_ring_modulus(r, j), &f->info.seed, l, (uint32_t)j, 0);
    for (size_t b = 0; plane == 0 && b < gb_bundle_blocks0(&f->info); b++) {
        size_t t = gb_bundle_tile(&f->info, 0, b, 0);
        test_ok(f->ctx, gb_tile_decode(tile, f->ctx, &f->info, f->params, 0, b, 0, store->data[t], store->size[t]));
        for (size_t l = 0; l < lines; l++)
            for (size_t j = 0; j < limbs; j++)
                memcpy(all + (l * limbs + j) * n + b * GB_BLOCK, tile + (j * lines + l) * GB_BLOCK, GB_BLOCK * 8);
    }
    gb_free(tile);
    return all;
}

/* A linear map across lines by the ring's kernel, then modulo powers of two of different widths, then decryption. */
static void check_map(const char *set, uint32_t bits0, uint32_t bits1) {
    static const uint32_t index[] = {3, 0, 2};
    static const int32_t weight[] = {1000, -700, 33};
    fixture f;
    test_store store = {.writes = 0}, result = {.writes = 0};
    start(&f, set, 200, 2);
    const gb_ring *r = gb_params_ring(f.params);
    const gb_kernels *k = gb_ring_kernels(r);
    size_t n = gb_ring_n(r), limbs = f.info.limbs;
    encrypt_all(&f, &store);
    gb_bundle_info out = f.info;
    out.axis_count = 1;
    out.axes[0].size = 1;
    out.limbs = 0;
    out.bits0 = bits0;
    out.bits1 = bits1;
    out.seeded = false;
    out.lines_per_tile = 1;
    uint32_t most = bits0 > bits1 ? bits0 : bits1;
    out.scale = exp2((double)most - gb_ring_log2_q(r, limbs)) * f.info.scale;
    out.max_abs = 2e6;
    gb_switch sw;
    test_ok(f.ctx, gb_switch_init(&sw, f.ctx, r, limbs));
    for (unsigned plane = 0; plane < 2; plane++) {
        uint64_t *x = polynomials(&f, &store, plane), *sum, *rounded;
        test_ok(f.ctx, gb_alloc(&sum, f.ctx, limbs * n, 8));
        test_ok(f.ctx, gb_alloc(&rounded, f.ctx, n, 8));
        const uint64_t *in[8];
        for (size_t j = 0; j < limbs; j++) {
            k->mac_across(sum + j * n, x + j * n, limbs * n, index, weight, 3, n, gb_ring_modulus(r, j));
            in[j] = sum + j * n;
        }
        uint32_t bits = plane == 0 ? bits0 : bits1;
        k->switch_pow2(rounded, in, sw.m, sw.crt_inv, sw.crt_inv64, sw.limbs, bits, n);
        size_t blocks = plane == 0 ? gb_bundle_blocks0(&out) : gb_bundle_blocks1(&out, f.params);
        for (size_t i = out.rows; plane == 0 && i < blocks * GB_BLOCK; i++) rounded[i] = 0;
        for (size_t b = 0; b < blocks; b++) {
            size_t size = gb_tile_bytes(&out, f.params, plane, 0);
            uint8_t *bytes;
            test_ok(f.ctx, gb_alloc(&bytes, f.ctx, size, 1));
            test_ok(f.ctx, gb_tile_encode(bytes, f.ctx, &out, f.params, plane, b, 0, rounded + b * GB_BLOCK));
            test_ok(f.ctx, test_store_write(&result, f.ctx, gb_bundle_tile(&out, plane, b, 0), bytes, size));
            gb_free(bytes);
        }
        gb_free(x);
        gb_free(sum);
        gb_free(rounded);
    }
    double values[200], sum = 0;
    gb_tile_source source = test_source(&result);
    test_ok(f.ctx, gb_decrypt(values, f.ctx, f.secret, &out, 0, &source));
    for (size_t i = 0; i < 200; i++) {
        double want = 0;
        for (size_t t = 0; t < 3; t++) want += weight[t] * (double)f.values[index[t] * 200 + i];
        double d = (values[i] - want / f.info.scale) * out.scale; /* in units of the last bit kept of the wider plane */
        sum += d * d;
    }
    /* Fresh noise times the weights' norm, rounding of c1 (times s: variance 2N/3 / 12) and of c0. */
    double down = out.scale / f.info.scale, unit1 = exp2((double)(most - bits1)), unit0 = exp2((double)(most - bits0));
    double norm = sqrt(1000.0 * 1000 + 700 * 700 + 33 * 33);
    double expected = sqrt(pow(3.24 * norm * down, 2) + unit1 * unit1 * (double)n * 2 / 3 / 12 + unit0 * unit0 / 12);
    double deviation = sqrt(sum / 200);
    assert_true(deviation > 0.8 * expected && deviation < 1.25 * expected);
    test_store_release(&store);
    test_store_release(&result);
    stop(&f);
}

static void test_map_and_switch(void **state) {
    check_map("tiny-linear", 45, 45); /* c1 in two digits */
    check_map("tiny-linear", 36, 30);
    check_map("tiny-linear", 30, 38);
    check_map("linear", 44, 48); /* three digits of 19 bits */
    check_map("linear", 28, 24);
}

static void test_roots(void **state) {
    fixture f;
    gb_secret *again;
    uint8_t root[32];
    start(&f, "linear", 64, 1);
    gb_secret_root(root, f.secret);
    assert_memory_equal(root, test_root, 32);
    test_ok(f.ctx, gb_secret_restore(&again, NULL, f.ctx, f.params, root));
    assert_true(gb_hash_equal(gb_secret_key_id(again), gb_secret_key_id(f.secret)));
    assert_true(gb_hash_equal(gb_params_hash(gb_secret_params(again)), gb_params_hash(f.params)));
    gb_hash nonce = {{1}}, one = {{2}}, two = {{3}};
    gb_seed a, b, c;
    gb_secret_dataset_seed(&a, again, &nonce, &one);
    gb_secret_dataset_seed(&b, f.secret, &nonce, &one);
    gb_secret_dataset_seed(&c, f.secret, &nonce, &two);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
    gb_secret_free(again);
    gb_secret_free(NULL);
    stop(&f);
}

/* Each allocation fails in turn until encryption and decryption pass; nothing is left behind on the way. */
static void test_allocation_failures(void **state) {
    fixture f;
    test_store store = {.writes = 0};
    double out[4 * 64];
    start(&f, "tiny-linear", 64, 2);
    gb_tile_source source = test_source(&store);
    gb_tile_sink sink = test_sink(&store);
    for (int what = 0; what < 4; what++) {
        gb_status status = GB_ERR_MEMORY;
        uint64_t n = 0;
        gb_bundle_info unseeded = f.info;
        unseeded.seeded = false;
        while (status != GB_OK) {
            gb_secret *s = NULL;
            gb_keyset *k = NULL;
            gb_alloc_fail_at(++n);
            if (what == 0) status = gb_encrypt_seeded(f.ctx, f.secret, &f.info, 0, f.values, &sink);
            if (what == 1) status = gb_decrypt(out, f.ctx, f.secret, &f.info, 0, &source);
            if (what == 2) status = gb_encrypt_public(f.ctx, f.keyset, &unseeded, 0, f.values, &sink);
            if (what == 3) status = gb_secret_new(&s, &k, f.ctx, f.params);
            gb_alloc_fail_at(0);
            assert_true(status == GB_OK || status == GB_ERR_MEMORY);
            assert_true((what == 3 && status == GB_OK) == (s != NULL && k != NULL));
            assert_true(n < 400);
            gb_secret_free(s);
            gb_keyset_free(k);
        }
        assert_true(n > 3);
        if (what == 1) test_store_release(&store); /* the public bundle has other tiles */
    }
    test_store_release(&store);
    stop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeded),        cmocka_unit_test(test_public),
        cmocka_unit_test(test_deterministic), cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_range),         cmocka_unit_test(test_map_and_switch),
        cmocka_unit_test(test_roots),         cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
