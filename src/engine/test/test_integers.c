/* engine: tables, fixed point, modulus switching and seeded encryption of integers. */
#include "rig.h"

static void expect(rig *r, const gb_cipher *c, const int64_t *want) {
    int64_t got[COUNT];
    ok(r, gb_bfv_decrypt_slots(got, COUNT, r->e, r->secret, c));
    for (int i = 0; i < COUNT; i++) assert_int_equal(got[i], want[i]);
}

static void test_tables(void **state) {
    (void)state;
    rig r;
    gb_table *t;
    int64_t x[COUNT], y[COUNT], want[COUNT], squares[16];
    open_rig(&r, "exact-14", 17);
    for (int i = 0; i < COUNT; i++) x[i] = i % 8, y[i] = (i / 8) % 8;
    ok(&r, gb_bfv_encrypt_seeded(r.a, r.e, r.secret, x, COUNT));
    ok(&r, gb_bfv_encrypt_seeded(r.b, r.e, r.secret, y, COUNT));
    ok(&r, gb_cipher_sub(r.c, r.e, r.a, r.b));
    ok(&r, gb_table_equal(&t, r.e, 7));
    assert_int_equal(gb_table_levels(t), 4);
    ok(&r, gb_table_apply(r.c, r.e, t, r.c, r.k));
    for (int i = 0; i < COUNT; i++) want[i] = x[i] == y[i];
    expect(&r, r.c, want);
    gb_table_free(t);
    ok(&r, gb_cipher_mul(r.c, r.e, r.c, r.a, r.k)); /* a result can be computed on */
    for (int i = 0; i < COUNT; i++) want[i] *= x[i];
    expect(&r, r.c, want);
    ok(&r, gb_cipher_sub(r.c, r.e, r.a, r.b));
    ok(&r, gb_table_less(&t, r.e, 7));
    ok(&r, gb_table_apply(r.c, r.e, t, r.c, r.k));
    for (int i = 0; i < COUNT; i++) want[i] = x[i] < y[i];
    expect(&r, r.c, want);
    gb_table_free(t);
    ok(&r, gb_table_within(&t, r.e, 0, 7, 2, 4));
    ok(&r, gb_table_apply(r.c, r.e, t, r.a, r.k));
    for (int i = 0; i < COUNT; i++) want[i] = x[i] >= 2 && x[i] <= 4;
    expect(&r, r.c, want);
    gb_table_free(t);
    for (int i = 0; i < 16; i++) squares[i] = (i - 8) * (i - 8) * (i - 8);
    ok(&r, gb_table_new(&t, r.e, -8, squares, 16));
    ok(&r, gb_table_apply(r.c, r.e, t, r.a, r.k));
    for (int i = 0; i < COUNT; i++) want[i] = x[i] * x[i] * x[i];
    expect(&r, r.c, want);
    /* too deep for what is left, and made for another modulus */
    gb_status s = GB_OK;
    for (int i = 0; i < 8 && s == GB_OK; i++) s = gb_table_apply(r.c, r.e, t, r.c, r.k);
    assert_int_equal(s, GB_ERR_NOISE);
    gb_engine *other;
    ok(&r, gb_engine_new(&other, r.ctx, "exact-14", 20));
    ok(&r, gb_bfv_encrypt_seeded(r.c, other, r.secret, x, COUNT));
    assert_int_equal(gb_table_apply(r.c, other, t, r.c, r.k), GB_ERR_PARAMS);
    gb_engine_free(other);
    gb_table_free(t);
    assert_int_equal(gb_table_new(&t, r.e, 0, squares, 0), GB_ERR_ARGUMENT);
    assert_int_equal(gb_table_equal(&t, r.e, 5000), GB_ERR_ARGUMENT);
    assert_null(t);
    assert_int_equal(gb_table_apply(r.c, r.e, NULL, r.a, r.k), GB_ERR_ARGUMENT);
    close_rig(&r);
}

static void test_fixed(void **state) {
    (void)state;
    rig r;
    double x[COUNT], y[COUNT], got[COUNT];
    int64_t v[COUNT];
    uint8_t *data, *again;
    size_t size, n;
    open_rig(&r, "exact-14", 40);
    for (int i = 0; i < COUNT; i++) {
        x[i] = ldexp((i * 1237) % 4001 - 2000, -8); /* on the grid of 8 bits, below 8 */
        y[i] = ldexp((i * 991) % 513 - 256, -4);
        v[i] = i;
    }
    ok(&r, gb_bfv_encrypt_fixed(r.a, r.e, r.key, x, COUNT, 8, 8));
    ok(&r, gb_bfv_encrypt_fixed(r.b, r.e, r.key, y, COUNT, 4, 16));
    ok(&r, gb_cipher_mul(r.c, r.e, r.a, r.b, r.k));
    ok(&r, gb_cipher_sub(r.c, r.e, r.c, r.a)); /* 12 bits after the point and 8 */
    ok(&r, gb_cipher_add(r.c, r.e, r.b, r.c));
    ok(&r, gb_cipher_neg(r.c, r.e, r.c));
    ok(&r, gb_cipher_encode(&data, &size, r.e, r.c));
    ok(&r, gb_cipher_decode(r.c, r.e, data, size));
    ok(&r, gb_cipher_encode(&again, &n, r.e, r.c));
    assert_true(size == n && memcmp(data, again, n) == 0);
    gb_bytes_free(data);
    gb_bytes_free(again);
    ok(&r, gb_bfv_decrypt_fixed(got, COUNT, r.e, r.secret, r.c));
    for (int i = 0; i < COUNT; i++) assert_true(got[i] == -(x[i] * y[i] - x[i] + y[i]));
    /* what could reach t/2 */
    assert_int_equal(gb_bfv_encrypt_fixed(r.c, r.e, r.key, x, COUNT, 38, 8), GB_ERR_RANGE);
    assert_int_equal(gb_bfv_encrypt_fixed(r.c, r.e, r.key, x, COUNT, 8, 1), GB_ERR_RANGE);
    ok(&r, gb_bfv_encrypt_fixed(r.c, r.e, r.key, x, COUNT, 20, 256));
    assert_int_equal(gb_cipher_mul(r.c, r.e, r.c, r.c, r.k), GB_ERR_RANGE);
    /* integers and fixed point do not mix */
    ok(&r, gb_bfv_encrypt_slots(r.c, r.e, r.key, v, COUNT));
    assert_int_equal(gb_cipher_add(r.c, r.e, r.c, r.a), GB_ERR_ARGUMENT);
    ok(&r, gb_bfv_encrypt_slots(r.c, r.e, r.key, v, COUNT));
    assert_int_equal(gb_cipher_mul(r.c, r.e, r.a, r.c, r.k), GB_ERR_ARGUMENT);
    assert_int_equal(gb_bfv_add_slots(r.c, r.e, r.a, v, COUNT), GB_ERR_ARGUMENT);
    assert_int_equal(gb_bfv_mul_number(r.c, r.e, r.a, 3), GB_ERR_ARGUMENT);
    ok(&r, gb_bfv_encrypt_slots(r.c, r.e, r.key, v, COUNT));
    assert_int_equal(gb_bfv_decrypt_fixed(got, COUNT, r.e, r.secret, r.c), GB_ERR_ARGUMENT);
    close_rig(&r);
}

/* Fewer primes hold the same integers, travel in fewer bytes, and meet others again. */
static void test_lower(void **state) {
    (void)state;
    rig r;
    int64_t x[COUNT], want[COUNT];
    uint8_t *data;
    size_t size, small;
    open_rig(&r, "exact-14", 20);
    for (int i = 0; i < COUNT; i++) x[i] = i - 30;
    ok(&r, gb_bfv_encrypt_slots(r.a, r.e, r.key, x, COUNT));
    ok(&r, gb_cipher_encode(&data, &size, r.e, r.a));
    gb_bytes_free(data);
    ok(&r, gb_cipher_lower(r.b, r.e, r.a, 0));
    ok(&r, gb_cipher_encode(&data, &small, r.e, r.b));
    assert_true(small < size / 3);
    ok(&r, gb_cipher_decode(r.b, r.e, data, small));
    gb_bytes_free(data);
    expect(&r, r.b, x);
    ok(&r, gb_cipher_lower(r.c, r.e, r.a, 2));
    assert_true(gb_cipher_level(r.e, r.c) >= 2 && gb_cipher_level(r.e, r.c) < r.info.depth);
    ok(&r, gb_cipher_square(r.c, r.e, r.c, r.k));
    ok(&r, gb_cipher_mul(r.c, r.e, r.a, r.c, r.k)); /* of different moduli */
    for (int i = 0; i < COUNT; i++) want[i] = x[i] * x[i] * x[i];
    expect(&r, r.c, want);
    ok(&r, gb_cipher_add(r.c, r.e, r.b, r.c));
    ok(&r, gb_bfv_mul_number(r.c, r.e, r.c, -5));
    ok(&r, gb_bfv_add_number(r.c, r.e, r.c, 1 - (int64_t)gb_engine_modulus(r.e)));
    for (int i = 0; i < COUNT; i++) want[i] = 1 - 5 * (want[i] + x[i]);
    const int64_t t = (int64_t)gb_engine_modulus(r.e);
    for (int i = 0; i < COUNT; i++) want[i] -= want[i] > t / 2 ? t : want[i] < -(t / 2) ? -t : 0;
    expect(&r, r.c, want);
    assert_int_equal(gb_cipher_lower(r.c, r.e, r.a, 99), GB_ERR_LEVEL);
    /* products until refused, after switching down as far as each allows */
    for (int i = 0; i < COUNT; i++) x[i] = want[i] = 1;
    ok(&r, gb_bfv_encrypt_seeded(r.a, r.e, r.secret, x, COUNT));
    gb_status s = GB_OK;
    unsigned depth = 0;
    for (; s == GB_OK; depth++) {
        const unsigned left = gb_cipher_level(r.e, r.a);
        ok(&r, gb_cipher_lower(r.b, r.e, r.a, left));
        expect(&r, r.b, want);
        s = gb_cipher_mul(r.a, r.e, r.b, r.b, r.k);
    }
    assert_int_equal(s, GB_ERR_NOISE);
    assert_true(depth > r.info.depth);
    close_rig(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_lower),
    };
    return cmocka_run_group_tests_name("engine-integers", tests, NULL, NULL);
}
