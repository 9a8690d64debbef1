/* engine: levels that come back, on the small set that bootstraps. */
#include "rig.h"

static int hook(void *user, const char *stage, uint64_t done, uint64_t total) {
    unsigned *calls = user;
    assert_non_null(stage);
    assert_true(done <= total);
    (*calls)++;
    return *calls == 6; /* two for the keys, then in the middle of the first run */
}

static void test_bootstrap(void **state) {
    (void)state;
    gb_ctx_config config;
    rig r = {0};
    gb_bootstrap_info info;
    gb_params_info set;
    double x[COUNT], want[COUNT];
    unsigned calls = 0;
    uint8_t *data;
    size_t size;
    gb_ctx_config_defaults(&config);
    config.progress = hook;
    config.progress_user = &calls;
    assert_int_equal(gb_ctx_new(&r.ctx, &config), GB_OK);
    ok(&r, gb_engine_new(&r.e, r.ctx, "deep-15", 0));
    ok(&r, gb_engine_info(&set, r.e));
    ok(&r, gb_key_new(&r.secret, &r.key, r.e));
    ok(&r, gb_evalkeys_new(&r.k, r.e));
    ok(&r, gb_cipher_new(&r.a, r.e));
    ok(&r, gb_cipher_new(&r.b, r.e));
    for (int i = 0; i < COUNT; i++) x[i] = sin(i), want[i] = x[i] * x[i] * x[i];
    ok(&r, gb_ckks_encrypt_seeded(r.a, r.e, r.secret, x, NULL, COUNT));
    assert_int_equal(gb_cipher_level(r.e, r.a), set.depth);
    assert_int_equal(gb_cipher_bootstrap(r.b, r.e, r.a, r.k), GB_ERR_KEY);
    ok(&r, gb_engine_bootstrap_info(&info, r.e));
    assert_true(info.failure < -128);
    ok(&r, gb_evalkeys_bootstrap(r.k, r.e, r.secret));
    ok(&r, gb_evalkeys_bootstrap(r.k, r.e, r.secret)); /* there already */
    /* what was told is what they take, over the wire */
    ok(&r, gb_evalkeys_encode(&data, &size, r.e, r.k));
    assert_true(size > info.key_on_wire && size < info.key_on_wire + 200 * info.keys);
    gb_evalkeys_free(r.k);
    assert_int_equal(gb_evalkeys_decode(&r.k, r.e, data, size - 1), GB_ERR_TRUNCATED);
    ok(&r, gb_evalkeys_decode(&r.k, r.e, data, size));
    gb_bytes_free(data);
    ok(&r, gb_evalkeys_multiply(r.k, r.e, r.secret));
    /* down to nothing, cancelled, then up, and on */
    assert_int_equal(calls, 2);
    ok(&r, gb_cipher_lower(r.b, r.e, r.a, 0));
    assert_int_equal(gb_cipher_mul(r.b, r.e, r.b, r.b, r.k), GB_ERR_LEVEL);
    assert_int_equal(gb_cipher_bootstrap(r.b, r.e, r.b, r.k), GB_ERR_CANCELLED);
    ok(&r, gb_cipher_lower(r.b, r.e, r.a, 0));
    ok(&r, gb_cipher_bootstrap(r.b, r.e, r.b, r.k));
    assert_int_equal(gb_cipher_level(r.e, r.b), set.depth);
    within(&r, r.b, x, 1e-3);
    ok(&r, gb_cipher_square(r.b, r.e, r.b, r.k));
    ok(&r, gb_cipher_mul(r.b, r.e, r.b, r.a, r.k));
    within(&r, r.b, want, 1e-2);
    close_rig(&r);
}

static void test_refused(void **state) {
    (void)state;
    rig r;
    gb_bootstrap_info info;
    double x = 0.5;
    open_rig(&r, "leveled-13", 0);
    ok(&r, gb_ckks_encrypt_slots(r.a, r.e, r.key, &x, NULL, 1));
    assert_int_equal(gb_engine_bootstrap_info(&info, r.e), GB_ERR_UNSUPPORTED);
    assert_int_equal(gb_evalkeys_bootstrap(r.k, r.e, r.secret), GB_ERR_UNSUPPORTED);
    assert_int_equal(gb_cipher_bootstrap(r.b, r.e, r.a, r.k), GB_ERR_UNSUPPORTED);
    assert_int_equal(gb_cipher_bootstrap(r.b, r.e, r.a, NULL), GB_ERR_ARGUMENT);
    assert_int_equal(gb_evalkeys_bootstrap(r.k, r.e, NULL), GB_ERR_ARGUMENT);
    close_rig(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("engine-bootstrap", tests, NULL, NULL);
}
