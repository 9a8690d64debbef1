/* engine: functions of encrypted reals, packing and seeded encryption against doubles. */
#include "rig.h"

static void values(double *x, double low, double high) {
    for (int i = 0; i < COUNT; i++) x[i] = low + (high - low) * ((i * 37) % COUNT) / (COUNT - 1);
}

static void test_smooth(void **state) {
    (void)state;
    static const struct {
        gb_function_kind kind;
        double (*f)(double);
        double a, b;
    } cases[] = {{GB_FUNCTION_EXP, exp, -1, 1}, {GB_FUNCTION_LOG, log, 1, 4}, {GB_FUNCTION_SQRT, sqrt, 1, 3}};
    rig r;
    double x[COUNT], want[COUNT];
    open_rig(&r, "leveled-14", 0);
    for (size_t i = 0; i < GB_COUNT(cases); i++) {
        gb_function *f;
        ok(&r, gb_function_new(&f, r.ctx, cases[i].kind, cases[i].a, cases[i].b, 1e-4));
        values(x, cases[i].a, cases[i].b);
        for (int k = 0; k < COUNT; k++) want[k] = cases[i].f(x[k]);
        ok(&r, gb_ckks_encrypt_seeded(r.a, r.e, r.secret, x, NULL, COUNT));
        ok(&r, gb_function_apply(r.a, r.e, f, r.a, r.k));
        within(&r, r.a, want, gb_function_error(f) + 1e-5);
        assert_true(gb_function_error(f) <= 1e-4 && gb_function_degree(f) > 1);
        assert_int_equal(gb_cipher_level(r.e, r.a), 7 - gb_function_levels(f));
        gb_function_free(f);
    }
    /* the logistic function and 1 / x in both ways */
    gb_function *f;
    ok(&r, gb_function_new(&f, r.ctx, GB_FUNCTION_SIGMOID, -6, 6, 1e-3));
    values(x, -6, 6);
    for (int k = 0; k < COUNT; k++) want[k] = 1 / (1 + exp(-x[k]));
    ok(&r, gb_ckks_encrypt_slots(r.a, r.e, r.key, x, NULL, COUNT));
    ok(&r, gb_function_apply(r.b, r.e, f, r.a, r.k));
    within(&r, r.b, want, 1e-3 + 1e-5);
    gb_function_free(f);
    ok(&r, gb_function_new(&f, r.ctx, GB_FUNCTION_INVERSE, 1, 4, 1e-4));
    values(x, 1, 4);
    for (int k = 0; k < COUNT; k++) want[k] = 1 / x[k];
    ok(&r, gb_ckks_encrypt_slots(r.a, r.e, r.key, x, NULL, COUNT));
    ok(&r, gb_function_apply(r.b, r.e, f, r.a, r.k));
    within(&r, r.b, want, 1.1e-4);
    gb_function_free(f);
    const unsigned levels = gb_inverse_levels(1, 4, 1e-4);
    ok(&r, gb_cipher_inverse(r.b, r.e, r.a, 1, 4, 1e-4, r.k));
    assert_int_equal(gb_cipher_level(r.e, r.b), 7 - levels);
    within(&r, r.b, want, 1.1e-4);
    ok(&r, gb_cipher_mul(r.c, r.e, r.b, r.a, r.k)); /* other levels and scales: they meet */
    for (int k = 0; k < COUNT; k++) want[k] = 1;
    within(&r, r.c, want, 5e-4);
    close_rig(&r);
}

static void test_polynomials(void **state) {
    (void)state;
    rig r;
    gb_function *f;
    double x[COUNT], want[COUNT];
    const double c[7] = {0.5, -1, 0, 0.25, 1, 0, 0}; /* of degree 4 */
    open_rig(&r, "leveled-13", 0);
    values(x, -1, 1);
    ok(&r, gb_ckks_encrypt_seeded(r.a, r.e, r.secret, x, NULL, COUNT));
    ok(&r, gb_function_polynomial(&f, r.ctx, GB_BASIS_POWER, c, 6, 0, 0));
    assert_int_equal(gb_function_degree(f), 4);
    assert_int_equal(gb_function_levels(f), 3);
    ok(&r, gb_function_apply(r.b, r.e, f, r.a, r.k));
    for (int k = 0; k < COUNT; k++) want[k] = 0.5 - x[k] + 0.25 * pow(x[k], 3) + pow(x[k], 4);
    near(&r, r.b, want);
    gb_function_free(f);
    ok(&r, gb_function_polynomial(&f, r.ctx, GB_BASIS_CHEBYSHEV, c, 3, -1, 1));
    ok(&r, gb_function_apply(r.b, r.e, f, r.a, r.k));
    for (int k = 0; k < COUNT; k++) want[k] = 0.5 - x[k] + 0.25 * cos(3 * acos(x[k]));
    near(&r, r.b, want);
    ok(&r, gb_cipher_square(r.b, r.e, r.b, r.k));
    for (int k = 0; k < COUNT; k++) want[k] *= want[k];
    near(&r, r.b, want);
    assert_int_equal(gb_function_apply(r.b, r.e, f, r.b, r.k), GB_ERR_LEVEL);
    gb_function_free(f);
    /* what is no function */
    const double bad[2] = {1, NAN}, constant[3] = {1, 0, 0};
    assert_int_equal(gb_function_polynomial(&f, r.ctx, GB_BASIS_POWER, bad, 1, 0, 0), GB_ERR_RANGE);
    assert_int_equal(gb_function_polynomial(&f, r.ctx, GB_BASIS_POWER, constant, 2, 0, 0), GB_ERR_ARGUMENT);
    assert_int_equal(gb_function_polynomial(&f, r.ctx, (gb_basis)7, c, 3, 0, 0), GB_ERR_ARGUMENT);
    assert_int_equal(gb_function_polynomial(&f, r.ctx, GB_BASIS_CHEBYSHEV, c, 3, 1, 1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_function_polynomial(&f, r.ctx, GB_BASIS_POWER, c, 5000, 0, 0), GB_ERR_ARGUMENT);
    assert_int_equal(gb_function_new(&f, r.ctx, GB_FUNCTION_LOG, -1, 1, 0.1), GB_ERR_RANGE);
    assert_int_equal(gb_function_new(&f, r.ctx, GB_FUNCTION_EXP, -1, 1, 0), GB_ERR_ARGUMENT);
    assert_int_equal(gb_function_new(&f, r.ctx, (gb_function_kind)9, -1, 1, 0.1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_function_fit(&f, r.ctx, NULL, NULL, -1, 1, 3), GB_ERR_ARGUMENT);
    assert_null(f);
    assert_int_equal(gb_function_apply(r.b, r.e, NULL, r.a, r.k), GB_ERR_ARGUMENT);
    assert_int_equal(gb_cipher_inverse(r.b, r.e, r.a, 0, 1, 0.1, r.k), GB_ERR_ARGUMENT);
    assert_int_equal(gb_inverse_levels(2, 1, 0.1), 0);
    close_rig(&r);
}

static void test_signs(void **state) {
    (void)state;
    rig r;
    gb_sign *s;
    double x[COUNT], y[COUNT], want[COUNT];
    const double right = 0.0625 + 1e-4;
    open_rig(&r, "leveled-14", 0);
    ok(&r, gb_sign_new(&s, r.ctx, 4));
    assert_true(gb_sign_levels(s) + 1 <= 7 && gb_sign_error(s) <= 0.0625);
    for (int i = 0; i < COUNT; i++) {
        x[i] = (i % 2 ? -1 : 1) * (0.0625 + 0.4 * i / COUNT); /* not closer to 0, or to y, than 2^-4 */
        y[i] = x[i] + (i % 3 ? -1 : 1) * (0.0625 + 0.3 * ((i * 7) % COUNT) / COUNT);
    }
    ok(&r, gb_ckks_encrypt_seeded(r.a, r.e, r.secret, x, NULL, COUNT));
    ok(&r, gb_ckks_encrypt_seeded(r.b, r.e, r.secret, y, NULL, COUNT));
    ok(&r, gb_sign_apply(r.c, r.e, s, r.a, r.k));
    assert_int_equal(gb_cipher_level(r.e, r.c), 7 - gb_sign_levels(s));
    for (int i = 0; i < COUNT; i++) want[i] = x[i] < 0 ? -1 : 1;
    within(&r, r.c, want, right);
    ok(&r, gb_sign_compare(r.c, r.e, s, r.a, r.b, r.k));
    for (int i = 0; i < COUNT; i++) want[i] = x[i] > y[i];
    within(&r, r.c, want, right);
    ok(&r, gb_sign_abs(r.c, r.e, s, r.a, r.k));
    assert_int_equal(gb_cipher_level(r.e, r.c), 7 - gb_sign_levels(s) - 1);
    for (int i = 0; i < COUNT; i++) want[i] = fabs(x[i]);
    within(&r, r.c, want, 2 * right);
    ok(&r, gb_sign_relu(r.c, r.e, s, r.a, r.k));
    for (int i = 0; i < COUNT; i++) want[i] = fmax(x[i], 0);
    within(&r, r.c, want, right);
    ok(&r, gb_sign_max(r.c, r.e, s, r.a, r.b, r.k));
    for (int i = 0; i < COUNT; i++) want[i] = fmax(x[i], y[i]);
    within(&r, r.c, want, right);
    assert_int_equal(gb_sign_relu(r.c, r.e, s, r.c, r.k), GB_ERR_LEVEL);
    ok(&r, gb_sign_min(r.a, r.e, s, r.a, r.b, r.k)); /* in place */
    for (int i = 0; i < COUNT; i++) want[i] = fmin(x[i], y[i]);
    within(&r, r.a, want, right);
    gb_sign_free(s);
    assert_int_equal(gb_sign_new(&s, r.ctx, 0), GB_ERR_ARGUMENT);
    assert_null(s);
    assert_int_equal(gb_sign_compare(r.a, r.e, NULL, r.a, r.b, r.k), GB_ERR_ARGUMENT);
    close_rig(&r);
}

static void test_packed(void **state) {
    (void)state;
    rig r;
    double x[COUNT], y[COUNT], u[COUNT], v[COUNT];
    gb_cipher *d;
    open_rig(&r, "leveled-13", 0);
    ok(&r, gb_cipher_new(&d, r.e));
    ok(&r, gb_evalkeys_conjugate(r.k, r.e, r.secret));
    values(x, -1, 1);
    values(y, -3, 2);
    ok(&r, gb_ckks_encrypt_seeded(r.a, r.e, r.secret, x, NULL, COUNT));
    ok(&r, gb_ckks_encrypt_seeded(r.b, r.e, r.secret, y, NULL, COUNT));
    ok(&r, gb_cipher_lower(r.b, r.e, r.b, 2));
    ok(&r, gb_cipher_pack(r.c, r.e, r.a, r.b)); /* of different levels */
    assert_int_equal(gb_cipher_level(r.e, r.c), 2);
    ok(&r, gb_ckks_decrypt_slots(u, v, COUNT, r.e, r.secret, r.c));
    for (int i = 0; i < COUNT; i++) assert_true(fabs(u[i] - x[i]) + fabs(v[i] - y[i]) < 1e-5);
    ok(&r, gb_cipher_unpack(r.b, d, r.e, r.c, r.k));
    assert_int_equal(gb_cipher_level(r.e, d), 1);
    near(&r, r.b, x);
    near(&r, d, y);
    ok(&r, gb_cipher_mul_packed(r.b, r.e, r.c, r.c, r.k));
    assert_int_equal(gb_cipher_level(r.e, r.b), 0);
    ok(&r, gb_ckks_decrypt_slots(u, v, COUNT, r.e, r.secret, r.b));
    for (int i = 0; i < COUNT; i++) assert_true(fabs(u[i] - x[i] * x[i]) + fabs(v[i] - y[i] * y[i]) < 1e-5);
    assert_int_equal(gb_cipher_unpack(r.a, d, r.e, r.b, r.k), GB_ERR_LEVEL);
    assert_int_equal(gb_cipher_mul_packed(r.a, r.e, r.b, r.c, r.k), GB_ERR_LEVEL);
    assert_int_equal(gb_cipher_unpack(r.a, r.a, r.e, r.c, r.k), GB_ERR_ARGUMENT);
    /* times i, and with complex numbers in the clear: i (x + i y) + (y - i x) = 0; (x + i y)(x - i y) = x^2 + y^2 */
    for (int i = 0; i < COUNT; i++) u[i] = -x[i], v[i] = -y[i];
    ok(&r, gb_cipher_mul_i(r.a, r.e, r.c, 1));
    ok(&r, gb_ckks_add_slots(r.a, r.e, r.a, y, u, COUNT));
    ok(&r, gb_ckks_mul_slots(r.b, r.e, r.c, x, v, COUNT));
    for (int i = 0; i < COUNT; i++) u[i] = 0, v[i] = x[i] * x[i] + y[i] * y[i];
    near(&r, r.a, u);
    near(&r, r.b, v);
    gb_cipher_free(d);
    close_rig(&r);
}

/* Half the bytes; the same numbers; what is computed on is sent whole. */
static void test_seeded(void **state) {
    (void)state;
    rig r;
    double x[COUNT];
    uint8_t *data, *again;
    size_t size, whole, n;
    open_rig(&r, "leveled-13", 0);
    values(x, -1, 1);
    ok(&r, gb_ckks_encrypt_slots(r.a, r.e, r.key, x, NULL, COUNT));
    ok(&r, gb_cipher_encode(&data, &whole, r.e, r.a));
    gb_bytes_free(data);
    ok(&r, gb_ckks_encrypt_seeded(r.a, r.e, r.secret, x, NULL, COUNT));
    ok(&r, gb_cipher_copy(r.b, r.e, r.a));
    ok(&r, gb_cipher_encode(&data, &size, r.e, r.b));
    assert_true(size < whole / 2 + 100);
    ok(&r, gb_cipher_decode(r.c, r.e, data, size));
    near(&r, r.c, x);
    ok(&r, gb_cipher_encode(&again, &n, r.e, r.c));
    assert_true(n == size && memcmp(data, again, n) == 0);
    gb_bytes_free(again);
    for (n = 0; n < size; n += n < 150 ? 1 : 4999) assert_int_not_equal(gb_cipher_decode(r.c, r.e, data, n), GB_OK);
    data[68] ^= 4; /* flags this version does not know */
    assert_int_equal(gb_cipher_decode(r.c, r.e, data, size), GB_ERR_FORMAT);
    data[68] = 0; /* GBC2 without any: GBC1 says that */
    assert_int_equal(gb_cipher_decode(r.c, r.e, data, size), GB_ERR_FORMAT);
    gb_bytes_free(data);
    ok(&r, gb_cipher_neg(r.b, r.e, r.b));
    ok(&r, gb_cipher_encode(&data, &size, r.e, r.b));
    assert_int_equal(size, whole);
    gb_bytes_free(data);
    /* never the same seed twice: else the difference of two would show that of the messages */
    ok(&r, gb_ckks_encrypt_seeded(r.b, r.e, r.secret, x, NULL, COUNT));
    ok(&r, gb_cipher_encode(&data, &size, r.e, r.a));
    ok(&r, gb_cipher_encode(&again, &n, r.e, r.b));
    assert_true(size == n && memcmp(data, again, 88) == 0 && memcmp(data + 92, again + 92, 32) != 0);
    gb_bytes_free(data);
    gb_bytes_free(again);
    assert_int_equal(gb_bfv_encrypt_seeded(r.a, r.e, r.secret, (int64_t[]){1}, 1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_ckks_encrypt_seeded(r.a, r.e, NULL, x, NULL, 1), GB_ERR_ARGUMENT);
    close_rig(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smooth), cmocka_unit_test(test_polynomials), cmocka_unit_test(test_signs),
        cmocka_unit_test(test_packed), cmocka_unit_test(test_seeded),
    };
    return cmocka_run_group_tests_name("engine-reals", tests, NULL, NULL);
}
