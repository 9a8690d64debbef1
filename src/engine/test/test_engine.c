/* engine: the C library against plain arithmetic; what it refuses; wire forms. */
#include "rig.h"

static double bump(double x, void *user) { return 1 / (1 + *(double *)user * x * x); }

static void test_reals(void **state) {
    (void)state;
    rig r;
    open_rig(&r, "leveled-13", 0);
    double x[COUNT], y[COUNT], want[COUNT];
    for (int i = 0; i < COUNT; i++) {
        x[i] = sin(i);
        y[i] = cos(3 * i);
    }
    ok(&r, gb_ckks_encrypt_slots(r.a, r.e, r.key, x, NULL, COUNT));
    ok(&r, gb_ckks_encrypt_slots(r.b, r.e, r.key, y, NULL, COUNT));
    assert_int_equal(gb_cipher_level(r.e, r.a), 3);
    near(&r, r.a, x);
    /* x y + x - 2 y + 1: terms of different levels meet */
    ok(&r, gb_cipher_mul(r.c, r.e, r.a, r.b, r.k));
    ok(&r, gb_cipher_add(r.c, r.e, r.c, r.a));
    ok(&r, gb_ckks_mul_number(r.b, r.e, r.b, 2));
    ok(&r, gb_cipher_sub(r.c, r.e, r.c, r.b));
    ok(&r, gb_ckks_add_number(r.c, r.e, r.c, 1));
    assert_int_equal(gb_cipher_level(r.e, r.c), 2);
    for (int i = 0; i < COUNT; i++) want[i] = x[i] * y[i] + x[i] - 2 * y[i] + 1;
    near(&r, r.c, want);
    /* in place: (c^2) y, - */
    ok(&r, gb_cipher_mul(r.c, r.e, r.c, r.c, r.k));
    ok(&r, gb_ckks_mul_slots(r.c, r.e, r.c, y, NULL, COUNT));
    ok(&r, gb_cipher_neg(r.c, r.e, r.c));
    ok(&r, gb_ckks_add_slots(r.c, r.e, r.c, x, NULL, COUNT));
    for (int i = 0; i < COUNT; i++) want[i] = x[i] - want[i] * want[i] * y[i];
    near(&r, r.c, want);
    assert_int_equal(gb_cipher_level(r.e, r.c), 0);
    assert_int_equal(gb_cipher_mul(r.c, r.e, r.c, r.a, r.k), GB_ERR_LEVEL);
    /* rotation and sum go around within the count */
    const int step = 5;
    ok(&r, gb_evalkeys_rotate(r.k, r.e, r.secret, &step, 1));
    ok(&r, gb_cipher_rotate(r.c, r.e, r.a, 5, r.k));
    for (int i = 0; i < COUNT; i++) want[i] = x[(i + 5) % COUNT];
    near(&r, r.c, want);
    assert_int_equal(gb_cipher_rotate(r.c, r.e, r.a, 6, r.k), GB_ERR_KEY);
    ok(&r, gb_evalkeys_sum(r.k, r.e, r.secret, 8));
    ok(&r, gb_cipher_sum(r.c, r.e, r.a, 8, r.k));
    for (int i = 0; i < COUNT; i++) {
        want[i] = 0;
        for (int j = 0; j < 8; j++) want[i] += x[(i + j) % COUNT];
    }
    near(&r, r.c, want);
    close_rig(&r);
}

/* f on [a, b], degree 31, of x. */
static gb_status function_of(gb_cipher *out, rig *r, const gb_cipher *x, double *steep, double a, double b) {
    gb_function *f;
    ok(r, gb_function_fit(&f, r->ctx, bump, steep, a, b, 31));
    assert_int_equal(gb_function_levels(f), b - a == 2 ? 5 : 6);
    const gb_status s = gb_function_apply(out, r->e, f, x, r->k);
    gb_function_free(f);
    return s;
}

static void test_matrix_and_function(void **state) {
    (void)state;
    rig r;
    open_rig(&r, "leveled-14", 0);
    static double m[COUNT * COUNT];
    double x[COUNT], im[COUNT], want[COUNT] = {0}, steep = 3;
    for (int i = 0; i < COUNT; i++) {
        x[i] = sin(i);
        for (int j = 0; j < COUNT; j++) {
            m[i * COUNT + j] = cos(i * 7 + j * j) / 8;
            want[i] += m[i * COUNT + j] * sin(j);
        }
    }
    gb_matrix *matrix;
    ok(&r, gb_matrix_new(&matrix, r.e, m, COUNT, 4, 0));
    ok(&r, gb_evalkeys_matrix(r.k, r.e, r.secret, matrix));
    ok(&r, gb_evalkeys_conjugate(r.k, r.e, r.secret));
    ok(&r, gb_ckks_encrypt_slots(r.a, r.e, r.key, x, NULL, COUNT));
    ok(&r, gb_matrix_apply(r.b, r.e, matrix, r.a, r.k)); /* from level 7: lowered to 4 first */
    assert_int_equal(gb_cipher_level(r.e, r.b), 3);
    near(&r, r.b, want);
    assert_int_equal(gb_matrix_apply(r.c, r.e, matrix, r.b, r.k), GB_ERR_LEVEL);
    const size_t all = gb_matrix_keys(matrix);
    gb_matrix_free(matrix);
    /* the same with fewer keys and less memory */
    ok(&r, gb_matrix_new(&matrix, r.e, m, COUNT, 2, GB_MATRIX_FEWEST_KEYS | GB_MATRIX_COMPACT));
    assert_true(gb_matrix_keys(matrix) <= 3 && all > 3);
    ok(&r, gb_evalkeys_matrix(r.k, r.e, r.secret, matrix));
    ok(&r, gb_matrix_apply(r.c, r.e, matrix, r.a, r.k));
    near(&r, r.c, want);
    gb_matrix_free(matrix);
    ok(&r, gb_matrix_new(&matrix, r.e, m, COUNT, 2, GB_MATRIX_FEW_KEYS));
    assert_true(gb_matrix_keys(matrix) <= all);
    ok(&r, gb_evalkeys_matrix(r.k, r.e, r.secret, matrix));
    ok(&r, gb_matrix_apply(r.c, r.e, matrix, r.a, r.k));
    near(&r, r.c, want);
    gb_matrix_free(matrix);
    assert_int_equal(gb_matrix_new(&matrix, r.e, m, COUNT, 2, 8), GB_ERR_ARGUMENT);
    ok(&r, function_of(r.c, &r, r.a, &steep, -1, 1));
    for (int i = 0; i < COUNT; i++) want[i] = bump(x[i], &steep);
    near(&r, r.c, want);
    assert_int_equal(gb_cipher_level(r.e, r.c), 2);
    ok(&r, function_of(r.c, &r, r.a, &steep, -2, 1));
    assert_int_equal(gb_cipher_level(r.e, r.c), 1);
    assert_int_equal(function_of(r.c, &r, r.c, &steep, -1, 1), GB_ERR_LEVEL);
    ok(&r, gb_ckks_encrypt_slots(r.a, r.e, r.key, x, x, COUNT));
    ok(&r, gb_cipher_conjugate(r.a, r.e, r.a, r.k));
    ok(&r, gb_ckks_decrypt_slots(want, im, COUNT, r.e, r.secret, r.a));
    for (int i = 0; i < COUNT; i++) assert_true(fabs(want[i] - x[i]) < 1e-5 && fabs(im[i] + x[i]) < 1e-5);
    x[3] = NAN;
    assert_int_equal(gb_ckks_encrypt_slots(r.a, r.e, r.key, x, NULL, COUNT), GB_ERR_RANGE);
    close_rig(&r);
}

static void test_integers(void **state) {
    (void)state;
    rig r;
    open_rig(&r, "exact-13", 0);
    const int64_t t = (int64_t)gb_engine_modulus(r.e);
    int64_t x[COUNT], y[COUNT], got[COUNT];
    for (int i = 0; i < COUNT; i++) {
        x[i] = i * 37 - 900;
        y[i] = 5 - i;
    }
    ok(&r, gb_bfv_encrypt_slots(r.a, r.e, r.key, x, COUNT));
    ok(&r, gb_bfv_encrypt_slots(r.b, r.e, r.key, y, COUNT));
    ok(&r, gb_cipher_mul(r.c, r.e, r.a, r.b, r.k));
    ok(&r, gb_cipher_sub(r.c, r.e, r.c, r.a));
    ok(&r, gb_bfv_add_slots(r.c, r.e, r.c, y, COUNT));
    ok(&r, gb_bfv_mul_slots(r.c, r.e, r.c, y, COUNT));
    ok(&r, gb_bfv_decrypt_slots(got, COUNT, r.e, r.secret, r.c));
    for (int i = 0; i < COUNT; i++) {
        int64_t want = ((x[i] * y[i] - x[i] + y[i]) * y[i]) % t;
        want -= want > t / 2 ? t : want < -t / 2 ? -t : 0;
        assert_int_equal(got[i], want);
    }
    const int step = 1;
    ok(&r, gb_evalkeys_rotate(r.k, r.e, r.secret, &step, 1));
    ok(&r, gb_cipher_rotate(r.c, r.e, r.a, 1, r.k));
    ok(&r, gb_bfv_decrypt_slots(got, COUNT - 1, r.e, r.secret, r.c));
    for (int i = 0; i + 1 < COUNT; i++) assert_int_equal(got[i], x[i + 1]);
    /* products until refused: the last one before is still right (1 stays 1) */
    for (int i = 0; i < COUNT; i++) x[i] = 1;
    ok(&r, gb_bfv_encrypt_slots(r.a, r.e, r.key, x, COUNT));
    unsigned depth = 0;
    assert_int_equal(gb_cipher_level(r.e, r.a), r.info.depth);
    gb_status s;
    while ((s = gb_cipher_mul(r.a, r.e, r.a, r.a, r.k)) == GB_OK) depth++;
    assert_int_equal(s, GB_ERR_NOISE);
    assert_int_equal(depth, r.info.depth);
    ok(&r, gb_bfv_decrypt_slots(got, COUNT, r.e, r.secret, r.a));
    for (int i = 0; i < COUNT; i++) assert_int_equal(got[i], 1);
    close_rig(&r);
}

static void test_refused(void **state) {
    (void)state;
    rig r;
    gb_engine *other;
    double x = 1;
    int64_t v = 1;
    open_rig(&r, "exact-12", 0);
    assert_int_equal(gb_engine_new(&other, r.ctx, "leveled-13", 20), GB_ERR_ARGUMENT);
    assert_int_equal(gb_engine_new(&other, r.ctx, "exact-12", 61), GB_ERR_ARGUMENT);
    assert_int_equal(gb_engine_new(&other, r.ctx, "tiny-linear", 0), GB_ERR_UNSUPPORTED);
    assert_int_equal(gb_engine_new(&other, r.ctx, "nothing", 0), GB_ERR_NOT_FOUND);
    assert_null(other);
    assert_int_equal(gb_cipher_add(r.c, r.e, r.a, r.b), GB_ERR_STATE); /* empty */
    assert_int_equal(gb_cipher_add(r.c, r.e, NULL, r.b), GB_ERR_ARGUMENT);
    assert_int_equal(gb_cipher_add(r.c, NULL, r.a, r.b), GB_ERR_ARGUMENT);
    assert_int_equal(gb_ckks_encrypt_slots(r.a, r.e, r.key, &x, NULL, 1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_bfv_encrypt_slots(r.a, r.e, r.key, &v, 4097), GB_ERR_ARGUMENT);
    ok(&r, gb_engine_new(&other, r.ctx, "leveled-13", 0));
    gb_cipher *c;
    ok(&r, gb_cipher_new(&c, other));
    assert_int_equal(gb_ckks_encrypt_slots(c, other, r.key, &x, NULL, 1), GB_ERR_PARAMS);
    ok(&r, gb_bfv_encrypt_slots(r.a, r.e, r.key, &v, 1));
    assert_int_equal(gb_cipher_neg(c, r.e, r.a), GB_ERR_PARAMS);
    assert_int_equal(gb_cipher_neg(c, other, r.a), GB_ERR_PARAMS);
    assert_int_equal(gb_evalkeys_multiply(r.k, other, r.secret), GB_ERR_PARAMS);
    gb_cipher_free(c);
    gb_engine_free(other);
    close_rig(&r);
}

/* No engine, or nothing but an engine: an error, and nothing is touched. */
static void test_null_handles(void **state) {
    (void)state;
    rig r;
    open_rig(&r, "exact-12", 0);
    for (int i = 0; i < 2; i++) {
        gb_engine *e = i ? r.e : NULL;
        const gb_status all[] = {
            gb_cipher_copy(NULL, e, NULL),
            gb_cipher_square(NULL, e, NULL, NULL),
            gb_cipher_lower(NULL, e, NULL, 0),
            gb_cipher_rotate(NULL, e, NULL, 1, NULL),
            gb_cipher_sum(NULL, e, NULL, 2, NULL),
            gb_cipher_encode(NULL, NULL, e, NULL),
            gb_cipher_decode(NULL, e, NULL, 0),
            gb_ckks_encrypt_seeded(NULL, e, NULL, NULL, NULL, 1),
            gb_ckks_mul_slots(NULL, e, NULL, NULL, NULL, 1),
            gb_cipher_pack(NULL, e, NULL, NULL),
            gb_cipher_unpack(NULL, NULL, e, NULL, NULL),
            gb_cipher_mul_packed(NULL, e, NULL, NULL, NULL),
            gb_cipher_mul_i(NULL, e, NULL, 1),
            gb_matrix_new(NULL, e, NULL, 2, 1, 0),
            gb_evalkeys_matrix(NULL, e, NULL, NULL),
            gb_matrix_apply(NULL, e, NULL, NULL, NULL),
            gb_function_apply(NULL, e, NULL, NULL, NULL),
            gb_cipher_inverse(NULL, e, NULL, 1, 2, 0.1, NULL),
            gb_sign_apply(NULL, e, NULL, NULL, NULL),
            gb_sign_compare(NULL, e, NULL, NULL, NULL, NULL),
            gb_sign_abs(NULL, e, NULL, NULL, NULL),
            gb_sign_relu(NULL, e, NULL, NULL, NULL),
            gb_sign_max(NULL, e, NULL, NULL, NULL, NULL),
            gb_sign_min(NULL, e, NULL, NULL, NULL, NULL),
            gb_engine_bootstrap_info(NULL, e),
            gb_evalkeys_bootstrap(NULL, e, NULL),
            gb_cipher_bootstrap(NULL, e, NULL, NULL),
            gb_bfv_encrypt_seeded(NULL, e, NULL, NULL, 1),
            gb_bfv_add_number(NULL, e, NULL, 1),
            gb_bfv_mul_number(NULL, e, NULL, 1),
            gb_table_new(NULL, e, 0, NULL, 1),
            gb_table_equal(NULL, e, 1),
            gb_table_less(NULL, e, 1),
            gb_table_within(NULL, e, 0, 1, 0, 0),
            gb_table_apply(NULL, e, NULL, NULL, NULL),
            gb_bfv_encrypt_fixed(NULL, e, NULL, NULL, 1, 0, 1),
            gb_bfv_decrypt_fixed(NULL, 1, e, NULL, NULL),
            gb_threshold_new(NULL, e, 2, 2, NULL),
            gb_holder_new(NULL, e, NULL, 0, NULL),
            gb_holder_load(NULL, e, NULL, 0, NULL, NULL),
            gb_holder_save(NULL, e, NULL),
            gb_holder_deal(NULL, 0, e, NULL, 0),
            gb_holder_collect(NULL, e, NULL, 0),
            gb_session_public(NULL, e, NULL, 0),
            gb_session_multiply(NULL, e, NULL, 0),
            gb_session_rotate(NULL, e, NULL, 0, 1),
            gb_session_conjugate(NULL, e, NULL, 0),
            gb_session_decrypt(NULL, e, NULL, 0, NULL, NULL),
            gb_session_switch(NULL, e, NULL, 0, NULL, NULL, NULL),
            gb_session_refresh(NULL, e, NULL, 0, NULL, NULL),
            gb_holder_answer(NULL, NULL, e, NULL, NULL),
            gb_session_add(NULL, e, NULL, 0),
            gb_session_key(NULL, e, NULL),
            gb_session_evalkey(NULL, e, NULL),
            gb_session_integers(NULL, 1, e, NULL),
            gb_session_reals(NULL, NULL, 1, e, NULL),
            gb_session_cipher(NULL, e, NULL),
        };
        for (size_t k = 0; k < GB_COUNT(all); k++)
            if (all[k] != GB_ERR_ARGUMENT) fail_msg("call %zu answers %s", k, gb_status_name(all[k]));
    }
    assert_int_equal(gb_function_new(NULL, r.ctx, GB_FUNCTION_EXP, 0, 1, 0.1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_function_polynomial(NULL, r.ctx, GB_BASIS_POWER, NULL, 1, 0, 0), GB_ERR_ARGUMENT);
    assert_int_equal(gb_sign_new(NULL, r.ctx, 4), GB_ERR_ARGUMENT);
    gb_function_free(NULL);
    gb_sign_free(NULL);
    gb_table_free(NULL);
    gb_threshold_free(NULL);
    gb_holder_free(NULL);
    gb_session_free(NULL);
    close_rig(&r);
}

/* What is under one key is not mistaken for what is under another: operands, evaluation keys, secrets. */
static void test_other_key(void **state) {
    (void)state;
    rig r;
    gb_secret *secret;
    gb_keyset *key;
    gb_evalkeys *k;
    uint8_t *data;
    size_t size;
    int64_t got[3];
    const int64_t v[3] = {1, -2, 3};
    open_rig(&r, "exact-12", 0);
    ok(&r, gb_key_new(&secret, &key, r.e));
    ok(&r, gb_evalkeys_new(&k, r.e));
    ok(&r, gb_evalkeys_multiply(k, r.e, secret));
    ok(&r, gb_bfv_encrypt_slots(r.a, r.e, r.key, v, 3));
    ok(&r, gb_bfv_encrypt_seeded(r.b, r.e, secret, v, 3));
    assert_int_equal(gb_bfv_decrypt_slots(got, 3, r.e, secret, r.a), GB_ERR_KEY);
    assert_non_null(strstr(gb_ctx_error(r.ctx), "under the key"));
    assert_int_equal(gb_cipher_add(r.c, r.e, r.a, r.b), GB_ERR_KEY);
    assert_int_equal(gb_cipher_mul(r.c, r.e, r.a, r.a, k), GB_ERR_KEY);
    assert_int_equal(gb_evalkeys_conjugate(k, r.e, r.secret), GB_ERR_KEY); /* half of a set, half of another */
    ok(&r, gb_cipher_mul(r.c, r.e, r.b, r.b, k));
    assert_int_equal(gb_bfv_decrypt_slots(got, 3, r.e, r.secret, r.c), GB_ERR_KEY); /* a result is as its operands */
    ok(&r, gb_bfv_decrypt_slots(got, 3, r.e, secret, r.c));
    ok(&r, gb_evalkeys_encode(&data, &size, r.e, k)); /* bytes carry it too */
    gb_evalkeys_free(k);
    ok(&r, gb_evalkeys_decode(&k, r.e, data, size));
    assert_int_equal(gb_cipher_mul(r.c, r.e, r.a, r.a, k), GB_ERR_KEY);
    gb_bytes_free(data);
    gb_evalkeys_free(k);
    gb_key_free(secret);
    gb_key_free_public(key);
    close_rig(&r);
}

/* Round trips; every truncation and a flipped byte of each part is refused or harmless, never read past the end. */
static void test_wire(void **state) {
    (void)state;
    rig r;
    open_rig(&r, "exact-12", 0);
    uint8_t *data, *again, saved[GB_KEY_BYTES];
    size_t size, size_again;
    const int64_t v[3] = {1, -2, 3};
    int64_t got[3];
    ok(&r, gb_bfv_encrypt_slots(r.a, r.e, r.key, v, 3));
    ok(&r, gb_cipher_encode(&data, &size, r.e, r.a));
    ok(&r, gb_cipher_decode(r.b, r.e, data, size));
    ok(&r, gb_cipher_encode(&again, &size_again, r.e, r.b));
    assert_true(size == size_again && memcmp(data, again, size) == 0);
    gb_bytes_free(again);
    for (size_t n = 0; n < size; n += n < 120 ? 1 : 997)
        assert_int_not_equal(gb_cipher_decode(r.b, r.e, data, n), GB_OK);
    assert_int_equal(gb_cipher_encode(&again, &size_again, r.e, r.b), GB_ERR_STATE); /* a refused one holds nothing */
    for (size_t i = 0; i < 88; i++) {                                                /* the header */
        const bool key = i >= 36 && i < 68, noise = i >= 80;                         /* may be others */
        data[i] ^= 0x80;
        if (!key && !noise) assert_int_not_equal(gb_cipher_decode(r.b, r.e, data, size), GB_OK);
        if (key) ok(&r, gb_cipher_decode(r.b, r.e, data, size));
        if (key) assert_int_equal(gb_bfv_decrypt_slots(got, 3, r.e, r.secret, r.b), GB_ERR_KEY);
        data[i] ^= 0x80;
    }
    memset(data + 88, 0xff, 64); /* residues over the prime */
    assert_int_equal(gb_cipher_decode(r.b, r.e, data, size), GB_ERR_FORMAT);
    gb_bytes_free(data);
    /* keys: evaluation keys sent over compute as those made here; the secret comes back */
    gb_evalkeys *k;
    ok(&r, gb_evalkeys_encode(&data, &size, r.e, r.k));
    for (size_t n = 0; n < size; n += n < 100 ? 1 : 9973)
        assert_int_not_equal(gb_evalkeys_decode(&k, r.e, data, n), GB_OK);
    ok(&r, gb_evalkeys_decode(&k, r.e, data, size));
    gb_bytes_free(data);
    ok(&r, gb_cipher_mul(r.c, r.e, r.a, r.a, k));
    gb_evalkeys_free(k);
    ok(&r, gb_key_save(saved, r.e, r.secret));
    gb_key_free(r.secret);
    gb_keyset *key;
    ok(&r, gb_key_load(&r.secret, &key, r.e, saved));
    ok(&r, gb_bfv_decrypt_slots(got, 3, r.e, r.secret, r.c));
    assert_true(got[0] == 1 && got[1] == 4 && got[2] == 9);
    gb_key_free_public(r.key);
    ok(&r, gb_key_encode(&data, &size, r.e, key));
    gb_key_free_public(key);
    ok(&r, gb_key_decode(&r.key, r.e, data, size));
    gb_bytes_free(data);
    ok(&r, gb_bfv_encrypt_slots(r.a, r.e, r.key, v, 3));
    ok(&r, gb_bfv_decrypt_slots(got, 3, r.e, r.secret, r.a));
    assert_int_equal(got[1], -2);
    close_rig(&r);
}

/* One piece of work, each of whose allocations fails in turn: an error every time, nothing lost. */
static gb_status work(gb_ctx *ctx) {
    gb_engine *e = NULL;
    gb_secret *secret = NULL;
    gb_keyset *key = NULL;
    gb_evalkeys *k = NULL;
    gb_cipher *c = NULL;
    uint8_t *data = NULL;
    size_t size;
    int64_t v = 3, got = 0;
    gb_status s = gb_engine_new(&e, ctx, "exact-12", 0);
    if (s == GB_OK) s = gb_key_new(&secret, &key, e);
    if (s == GB_OK) s = gb_evalkeys_new(&k, e);
    if (s == GB_OK) s = gb_evalkeys_multiply(k, e, secret);
    if (s == GB_OK) s = gb_cipher_new(&c, e);
    if (s == GB_OK) s = gb_bfv_encrypt_slots(c, e, key, &v, 1);
    if (s == GB_OK) s = gb_cipher_mul(c, e, c, c, k);
    if (s == GB_OK) s = gb_cipher_encode(&data, &size, e, c);
    if (s == GB_OK) s = gb_cipher_decode(c, e, data, size);
    if (s == GB_OK) s = gb_bfv_decrypt_slots(&got, 1, e, secret, c);
    if (s == GB_OK) assert_int_equal(got, 9);
    gb_bytes_free(data);
    gb_cipher_free(c);
    gb_evalkeys_free(k);
    gb_key_free_public(key);
    gb_key_free(secret);
    gb_engine_free(e);
    return s;
}

/* The same of what else integers can. */
static gb_status work_integers(gb_ctx *ctx) {
    gb_engine *e = NULL;
    gb_secret *secret = NULL;
    gb_keyset *key = NULL;
    gb_evalkeys *k = NULL;
    gb_cipher *c = NULL;
    gb_table *t = NULL;
    uint8_t *data = NULL;
    size_t size;
    const int64_t v = 1;
    const double x = 0.5;
    double half = 0;
    gb_status s = gb_engine_new(&e, ctx, "exact-12", 17);
    if (s == GB_OK) s = gb_key_new(&secret, &key, e);
    if (s == GB_OK) s = gb_evalkeys_new(&k, e);
    if (s == GB_OK) s = gb_evalkeys_multiply(k, e, secret);
    if (s == GB_OK) s = gb_cipher_new(&c, e);
    if (s == GB_OK) s = gb_bfv_encrypt_seeded(c, e, secret, &v, 1);
    if (s == GB_OK) s = gb_cipher_encode(&data, &size, e, c);
    if (s == GB_OK) s = gb_cipher_decode(c, e, data, size);
    if (s == GB_OK) s = gb_table_new(&t, e, 0, (int64_t[]){0, 1}, 2);
    if (s == GB_OK) s = gb_table_apply(c, e, t, c, k);
    if (s == GB_OK) s = gb_cipher_lower(c, e, c, 0);
    if (s == GB_OK) s = gb_bfv_encrypt_fixed(c, e, key, &x, 1, 3, 1);
    if (s == GB_OK) s = gb_cipher_add(c, e, c, c);
    if (s == GB_OK) s = gb_bfv_decrypt_fixed(&half, 1, e, secret, c);
    if (s == GB_OK) assert_true(half == 1);
    gb_bytes_free(data);
    gb_table_free(t);
    gb_cipher_free(c);
    gb_evalkeys_free(k);
    gb_key_free_public(key);
    gb_key_free(secret);
    gb_engine_free(e);
    return s;
}

/* And of reals. */
static gb_status work_reals(gb_ctx *ctx) {
    gb_engine *e = NULL;
    gb_secret *secret = NULL;
    gb_keyset *key = NULL;
    gb_evalkeys *k = NULL;
    gb_cipher *a = NULL, *b = NULL;
    gb_function *f = NULL;
    gb_sign *sign = NULL;
    gb_matrix *m = NULL;
    const double x[2] = {0.5, -0.5}, one[4] = {1, 2, 2, 1};
    double got[2] = {0};
    gb_status s = gb_engine_new(&e, ctx, "leveled-13", 0);
    if (s == GB_OK) s = gb_key_new(&secret, &key, e);
    if (s == GB_OK) s = gb_evalkeys_new(&k, e);
    if (s == GB_OK) s = gb_evalkeys_multiply(k, e, secret);
    if (s == GB_OK) s = gb_evalkeys_conjugate(k, e, secret);
    if (s == GB_OK) s = gb_cipher_new(&a, e);
    if (s == GB_OK) s = gb_cipher_new(&b, e);
    if (s == GB_OK) s = gb_ckks_encrypt_seeded(a, e, secret, x, NULL, 2);
    if (s == GB_OK) s = gb_function_new(&f, ctx, GB_FUNCTION_EXP, -1, 1, 0.1);
    if (s == GB_OK) s = gb_function_apply(b, e, f, a, k);
    if (s == GB_OK) s = gb_sign_new(&sign, ctx, 1);
    if (s == GB_OK) s = gb_sign_max(b, e, sign, a, a, k);
    if (s == GB_OK) s = gb_cipher_inverse(b, e, a, 0.1, 1, 0.9, k);
    if (s == GB_OK) s = gb_cipher_mul_packed(b, e, a, a, k);
    if (s == GB_OK) s = gb_matrix_new(&m, e, one, 2, 2, GB_MATRIX_FEW_KEYS);
    if (s == GB_OK) s = gb_evalkeys_matrix(k, e, secret, m);
    if (s == GB_OK) s = gb_matrix_apply(b, e, m, a, k);
    if (s == GB_OK) s = gb_ckks_decrypt_slots(got, NULL, 2, e, secret, b);
    if (s == GB_OK) assert_true(fabs(got[0] + 0.5) < 1e-5 && fabs(got[1] - 0.5) < 1e-5);
    gb_matrix_free(m);
    gb_sign_free(sign);
    gb_function_free(f);
    gb_cipher_free(b);
    gb_cipher_free(a);
    gb_evalkeys_free(k);
    gb_key_free_public(key);
    gb_key_free(secret);
    gb_engine_free(e);
    return s;
}

static void starve(gb_ctx *ctx, gb_status (*of)(gb_ctx *ctx)) {
    uint64_t n = 1;
    for (gb_status s = GB_ERR_MEMORY; s != GB_OK; n++) {
        (void)gb_alloc_fail_at(n);
        s = of(ctx);
        if (s != GB_OK && s != GB_ERR_MEMORY) print_error("allocation %u: %s\n", (unsigned)n, gb_ctx_error(ctx));
        assert_true(s == GB_OK || s == GB_ERR_MEMORY);
    }
    (void)gb_alloc_fail_at(0);
    assert_true(n > 30);
}

static void test_out_of_memory(void **state) {
    (void)state;
    gb_ctx_config config;
    gb_ctx *ctx;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    starve(ctx, work);
    starve(ctx, work_integers);
    starve(ctx, work_reals);
    gb_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reals),   cmocka_unit_test(test_matrix_and_function), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_null_handles),        cmocka_unit_test(test_other_key),
        cmocka_unit_test(test_wire),    cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
