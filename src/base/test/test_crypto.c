/* base: BLAKE2b, ChaCha20 and derivation against published vectors. */
#include <setjmp.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/base.h"

#include <cmocka.h> /* after stdarg.h and setjmp.h */

static void expect_hash(const char *data, size_t n, const char *hex) {
    gb_hash h;
    char text[2 * GB_HASH_BYTES + 1];
    gb_hash_of(&h, data, n, NULL, 0);
    gb_hex(text, h.b, sizeof h.b);
    assert_string_equal(text, hex);
}

static void test_hash(void **state) {
    expect_hash(NULL, 0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    expect_hash("abc", 3, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    gb_hash a, b;
    gb_hash_of(&a, "abc", 3, "0123456789abcdef", 16);
    gb_hash_of(&b, "abc", 3, NULL, 0);
    assert_false(gb_hash_equal(&a, &b));
    assert_true(gb_hash_equal(&a, &a));
}

/* One field, "name:<tab>hex", of a vector file; answers its length in bytes or -1. */
static int field(uint8_t *out, size_t max, const char *line, const char *name) {
    size_t skip = strlen(name);
    if (strncmp(line, name, skip) != 0) return -1;
    const char *hex = line + skip + strspn(line + skip, ":\t ");
    char digits[1024];
    size_t n = strcspn(hex, "\r\n");
    if (n / 2 > max || n >= sizeof digits) return -1;
    memcpy(digits, hex, n);
    digits[n] = 0;
    return gb_unhex(out, n / 2, digits) ? (int)(n / 2) : -1;
}

/* The published keyed vectors are of the 64-byte hash: they check the primitive we stand on. */
static void test_blake2_vectors(void **state) {
    const char *shared = getenv("GLOVEBOX_SHARED");
    char path[4096], line[1024];
    snprintf(path, sizeof path, "%s/data/crypto/blake2/blake2b-kat.txt", shared == NULL ? "../shared" : shared);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        print_message("%s is absent\n", path);
        skip();
    }
    uint8_t in[512], key[64], want[64], got[64];
    int in_n = -1, key_n = -1, n, checked = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        if ((n = field(in, sizeof in, line, "in")) >= 0) in_n = n;
        if ((n = field(key, sizeof key, line, "key")) >= 0) key_n = n;
        if (field(want, sizeof want, line, "hash") != 64) continue;
        assert_true(in_n >= 0 && key_n == 64);
        crypto_generichash(got, sizeof got, in, (size_t)in_n, key, (size_t)key_n);
        assert_memory_equal(got, want, sizeof got);
        checked++;
    }
    fclose(f);
    assert_int_equal(checked, 256);
}

/* RFC 8439, section 2.3.2: key 00..1f, nonce 000000090000004a00000000, block 1. */
static void test_stream(void **state) {
    static const char want[] = "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
                               "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e";
    gb_seed seed;
    uint8_t out[200], again[200];
    char text[129];
    for (uint8_t i = 0; i < 32; i++) seed.b[i] = i;
    gb_stream(out, 64, &seed, UINT64_C(0x4a00000009000000), 0, 1);
    gb_hex(text, out, 64);
    assert_string_equal(text, want);
    gb_stream(out, sizeof out, &seed, 7, 8, 0);
    gb_stream(again, 136, &seed, 7, 8, 1); /* the same stream from its second block */
    assert_memory_equal(out + 64, again, 136);
    gb_stream(again, sizeof again, &seed, 7, 9, 0);
    assert_memory_not_equal(out, again, sizeof out);
}

static void test_derive(void **state) {
    gb_seed root = {{1, 2, 3}}, a, b;
    gb_hash h;
    gb_seed_derive(&a, &root, "secret", 1);
    gb_seed_derive(&b, &root, "secret", 2);
    assert_memory_not_equal(&a, &b, sizeof a);
    gb_hash_of(&h, "secret\0\1\0\0\0\0\0\0\0", 15, root.b, sizeof root.b);
    assert_memory_equal(a.b, h.b, sizeof a.b);
    uint8_t x[32] = {0}, y[32] = {0};
    gb_random_bytes(x, sizeof x);
    gb_random_bytes(y, sizeof y);
    assert_memory_not_equal(x, y, sizeof x);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_blake2_vectors),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_derive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
