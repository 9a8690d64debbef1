/* The wire form of switching keys: what is written is read again, and nothing else is. The golden file is of version 1
 * of the form; GLOVEBOX_GOLDEN_WRITE=1 makes it anew (only ever for a new version). */
#include "rig.h"

static gb_ctx *ctx;
static gb_params *params;
static gb_switch_key key;
static gb_buffer wire = GB_BUFFER_INIT;

/* The smallest ring that two primes fit, so that keys are small enough to keep and to cut at every byte. The key is
 * made from a seed, not from a secret: its bytes are the same everywhere. */
static int setup(void **state) {
    (void)state;
    gb_seed seed = {{9}};
    gb_params_spec s = rig_spec(11, 24, 24, 1, 26, 1);
    ctx = test_context(1);
    test_ok(ctx, gb_params_new(&params, ctx, &s));
    test_ok(ctx, gb_switch_key_init(&key, ctx, params, 1, 1, 25, &seed));
    for (unsigned j = 0; j < 2; j++) {
        uint64_t x[2048] __attribute__((aligned(GB_ALIGN)));
        gb_sample_uniform(x, 2048, gb_ring_modulus(gb_params_ring(params), j), &seed, 77, j, 0);
        gb_switch_key_put(&key, 0, 0, j, x);
    }
    test_ok(ctx, gb_switch_key_encode(&wire, ctx, &key));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    gb_switch_key_release(&key);
    gb_buffer_release(&wire);
    gb_params_free(params);
    gb_ctx_free(ctx);
    return 0;
}

static void refused(const uint8_t *data, size_t n, gb_status want) {
    gb_switch_key k;
    uint8_t *exact; /* so that a sanitizer sees a read past the end */
    test_ok(ctx, gb_alloc(&exact, ctx, n ? n : 1, 1));
    if (n) memcpy(exact, data, n);
    test_refused(ctx, gb_switch_key_decode(&k, ctx, params, exact, n), want);
    assert_null(k.data);
    gb_free(exact);
}

static void test_round_trip(void **state) {
    (void)state;
    gb_switch_key again;
    gb_buffer b = GB_BUFFER_INIT;
    test_ok(ctx, gb_switch_key_decode(&again, ctx, params, wire.data, wire.size));
    assert_int_equal(again.limbs, 1);
    assert_int_equal(again.digit, 1);
    assert_int_equal(again.galois, 25);
    assert_memory_equal(again.data, key.data, gb_switch_key_bytes(&key)); /* the seeded halves too */
    test_ok(ctx, gb_switch_key_encode(&b, ctx, &again));
    assert_int_equal(b.size, wire.size);
    assert_memory_equal(b.data, wire.data, b.size);
    gb_buffer_release(&b);
    gb_switch_key_release(&again);
}

static void test_golden(void **state) {
    (void)state;
    const char *dir = getenv("GLOVEBOX_GOLDEN");
    char path[4096];
    uint8_t *want;
    size_t n;
    snprintf(path, sizeof path, "%s/tiny.switchkey", dir ? dir : "src/scheme/test/golden");
    if (getenv("GLOVEBOX_GOLDEN_WRITE")) test_ok(ctx, gb_file_write(ctx, path, wire.data, wire.size, 0644));
    test_ok(ctx, gb_file_read(&want, &n, ctx, path, 1 << 20));
    assert_int_equal(n, wire.size);
    assert_memory_equal(want, wire.data, n);
    gb_free(want);
}

static void test_truncations(void **state) {
    (void)state;
    uint8_t longer[16384];
    for (size_t n = 0; n < wire.size; n++) refused(wire.data, n, GB_ERR_TRUNCATED);
    assert_true(wire.size < sizeof longer);
    memcpy(longer, wire.data, wire.size);
    longer[wire.size] = 0;
    refused(longer, wire.size + 1, GB_ERR_FORMAT);
}

/* Header: magic 0..3, hash 4..35, limbs 36, digit 40, Galois element 44..51, seed 52..83, then residues of 24 and of 26
 * bits. */
static void test_fields(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        gb_status want;
    } bad[] = {{0, 'X', GB_ERR_FORMAT},  {3, '3', GB_ERR_FORMAT},  {4, 0, GB_ERR_PARAMS},   {36, 0, GB_ERR_FORMAT},
               {36, 2, GB_ERR_FORMAT},   {39, 255, GB_ERR_FORMAT}, {40, 0, GB_ERR_FORMAT},  {40, 2, GB_ERR_FORMAT},
               {43, 255, GB_ERR_FORMAT}, {44, 24, GB_ERR_FORMAT},  {45, 16, GB_ERR_FORMAT}, {51, 1, GB_ERR_FORMAT}};
    uint8_t copy[16384];
    assert_int_equal(wire.size, 84 + 2048 * 24 / 8 + 2048 * 26 / 8);
    for (size_t i = 0; i < GB_COUNT(bad); i++) {
        memcpy(copy, wire.data, wire.size);
        copy[bad[i].at] = bad[i].at == 4 ? (uint8_t)~copy[4] : bad[i].value;
        refused(copy, wire.size, bad[i].want);
    }
    const size_t rows[] = {84, 84 + 2048 * 3, wire.size - 13}; /* a residue over its prime, first and last */
    for (size_t i = 0; i < 3; i++) {
        memcpy(copy, wire.data, wire.size);
        memset(copy + rows[i], 0xff, 13);
        refused(copy, wire.size, GB_ERR_FORMAT);
    }
}

static void test_other_parameters(void **state) {
    (void)state;
    gb_params *other, *bare;
    gb_switch_key k;
    gb_seed seed = {{1}};
    gb_params_spec s = rig_spec(11, 25, 24, 1, 26, 1);
    test_ok(ctx, gb_params_new(&other, ctx, &s));
    test_refused(ctx, gb_switch_key_decode(&k, ctx, other, wire.data, wire.size), GB_ERR_PARAMS);
    test_ok(ctx, gb_params_named(&bare, ctx, "linear"));
    test_refused(ctx, gb_switch_key_init(&k, ctx, bare, 1, 1, 1, &seed), GB_ERR_PARAMS);
    test_refused(ctx, gb_switch_key_init(&k, ctx, params, 2, 1, 1, &seed), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_switch_key_init(&k, ctx, params, 0, 1, 1, &seed), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_switch_key_init(&k, ctx, params, 1, 0, 1, &seed), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_switch_key_init(&k, ctx, params, 1, 1, 2, &seed), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_switch_key_init(&k, ctx, params, 1, 1, 4097, &seed), GB_ERR_ARGUMENT);
    gb_params_free(bare);
    gb_params_free(other);
}

/* A key that came over the wire works like the one it was made from. */
static void test_use(void **state) {
    (void)state;
    rig r;
    gb_params_spec s = rig_spec(13, 46, 40, 4, 47, 1);
    gb_buffer b = GB_BUFFER_INIT;
    gb_switch_key k;
    gb_eval_keys keys = {0};
    double x[] = {1, -2, 3, 4};
    gb_ct a, want, got;
    rig_init(&r, 1, &s, 0);
    rig_key(&r, gb_galois_rotation(r.p, 1));
    rig_encrypt(&r, &a, x, NULL, 4, 4);
    want = rig_room(&r), got = rig_room(&r);
    test_ok(r.ctx, gb_switch_key_encode(&b, r.ctx, &r.keys.keys[0]));
    test_ok(r.ctx, gb_switch_key_decode(&k, r.ctx, r.p, b.data, b.size));
    test_ok(r.ctx, gb_eval_keys_add(&keys, r.ctx, &k));
    assert_null(k.data); /* taken over */
    test_ok(r.ctx, gb_ckks_rotate(&want, r.e, &a, 1, &r.keys));
    test_ok(r.ctx, gb_ckks_rotate(&got, r.e, &a, 1, &keys));
    assert_memory_equal(got.data, want.data, 2 * 4 * 8192 * sizeof(uint64_t));
    const double turned[] = {-2, 3, 4, 1};
    assert_true(rig_error(&r, &got, turned, NULL, 4) < 1e-6);
    gb_buffer_release(&b);
    gb_eval_keys_release(&keys);
    gb_ct_release(&a);
    gb_ct_release(&want);
    gb_ct_release(&got);
    rig_release(&r);
}

static void test_allocation_failures(void **state) {
    (void)state;
    gb_status status = GB_ERR_MEMORY;
    for (uint64_t n = 1; status != GB_OK; n++) {
        gb_switch_key k;
        gb_alloc_fail_at(n);
        status = gb_switch_key_decode(&k, ctx, params, wire.data, wire.size);
        gb_alloc_fail_at(0);
        assert_true(status == GB_OK || status == GB_ERR_MEMORY);
        assert_true(n < 20);
        gb_switch_key_release(&k);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),          cmocka_unit_test(test_golden),
        cmocka_unit_test(test_truncations),         cmocka_unit_test(test_fields),
        cmocka_unit_test(test_other_parameters),    cmocka_unit_test(test_use),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
