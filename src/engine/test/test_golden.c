/* Bytes of version 1 of the C library's wire forms are read as they were written, and written the same again.
 * GLOVEBOX_GOLDEN_WRITE=1 makes the files anew (only ever for a new version): a key, and what is under it. */
#include "rig.h"

#include <stdlib.h>

#define SIZE_MAX_FILE ((size_t)1 << 20)
static const int64_t numbers[5] = {1, -2, 3, -40000, 500000};
static const double reals[3] = {1.5, -0.25, 3.0625};

static const char *path_of(char path[4096], const char *name) {
    const char *dir = getenv("GLOVEBOX_GOLDEN");
    (void)snprintf(path, 4096, "%s/%s", dir ? dir : "src/engine/test/golden", name);
    return path;
}

static void take(uint8_t **data, size_t *size, rig *r, const char *name) {
    char path[4096];
    ok(r, gb_file_read(data, size, r->ctx, path_of(path, name), SIZE_MAX_FILE));
}

static void put(rig *r, const char *name, const uint8_t *data, size_t size) {
    char path[4096];
    ok(r, gb_file_write(r->ctx, path_of(path, name), data, size, 0644));
}

static void put_cipher(rig *r, const char *name) {
    uint8_t *data;
    size_t size;
    ok(r, gb_cipher_encode(&data, &size, r->e, r->a));
    put(r, name, data, size);
    gb_bytes_free(data);
}

static void write_all(rig *r) {
    uint8_t saved[GB_KEY_BYTES], *data;
    size_t size;
    ok(r, gb_key_save(saved, r->e, r->secret));
    put(r, "exact-12.secret", saved, sizeof saved); /* of this test, and of nothing else */
    ok(r, gb_bfv_encrypt_slots(r->a, r->e, r->key, numbers, 5));
    put_cipher(r, "exact-12.cipher");
    ok(r, gb_bfv_encrypt_seeded(r->a, r->e, r->secret, numbers, 5));
    put_cipher(r, "exact-12.seeded");
    ok(r, gb_bfv_encrypt_fixed(r->a, r->e, r->key, reals, 3, 4, 4));
    put_cipher(r, "exact-12.fixed");
    ok(r, gb_evalkeys_encode(&data, &size, r->e, r->k));
    put(r, "exact-12.evalkeys", data, size);
    gb_bytes_free(data);
}

/* r->a = what is in the file; the same bytes come out again. */
static void read_cipher(rig *r, const char *name) {
    uint8_t *data, *again;
    size_t size, n;
    take(&data, &size, r, name);
    ok(r, gb_cipher_decode(r->a, r->e, data, size));
    ok(r, gb_cipher_encode(&again, &n, r->e, r->a));
    assert_int_equal(n, size);
    assert_memory_equal(data, again, n);
    gb_bytes_free(again);
    gb_free(data);
}

static void integers_are(rig *r, const gb_cipher *c, bool squares) {
    int64_t got[5];
    const int64_t t = (int64_t)gb_engine_modulus(r->e);
    ok(r, gb_bfv_decrypt_slots(got, 5, r->e, r->secret, c));
    for (int i = 0; i < 5; i++) assert_int_equal((got[i] - (squares ? numbers[i] * numbers[i] : numbers[i])) % t, 0);
}

static void test_golden(void **state) {
    (void)state;
    rig r;
    uint8_t *data, *again;
    size_t size, n;
    double got[3];
    open_rig(&r, "exact-12", 0);
    if (getenv("GLOVEBOX_GOLDEN_WRITE")) write_all(&r);
    take(&data, &size, &r, "exact-12.secret");
    assert_int_equal(size, GB_KEY_BYTES);
    gb_key_free(r.secret);
    gb_key_free_public(r.key);
    gb_evalkeys_free(r.k);
    ok(&r, gb_key_load(&r.secret, &r.key, r.e, data));
    gb_free(data);
    take(&data, &size, &r, "exact-12.evalkeys");
    ok(&r, gb_evalkeys_decode(&r.k, r.e, data, size));
    ok(&r, gb_evalkeys_encode(&again, &n, r.e, r.k));
    assert_true(n == size && memcmp(data, again, n) == 0);
    gb_bytes_free(again);
    gb_free(data);
    read_cipher(&r, "exact-12.seeded");
    integers_are(&r, r.a, false);
    read_cipher(&r, "exact-12.cipher");
    integers_are(&r, r.a, false);
    ok(&r, gb_cipher_mul(r.b, r.e, r.a, r.a, r.k));
    integers_are(&r, r.b, true);
    read_cipher(&r, "exact-12.fixed");
    ok(&r, gb_bfv_decrypt_fixed(got, 3, r.e, r.secret, r.a));
    assert_memory_equal(got, reals, sizeof reals);
    close_rig(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests_name("engine-golden", tests, NULL, NULL);
}
