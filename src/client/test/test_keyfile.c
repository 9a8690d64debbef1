/* The key file: round trip, every kind of damage, wrong passphrase. */
#include "client/keyfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct fixture {
    gb_ctx *ctx;
    gb_keyfile file;
    uint8_t bytes[GB_KEYFILE_BYTES], root[GB_KEYFILE_ROOT];
} fixture;

static int setup(void **state) {
    static fixture f;
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    assert_int_equal(gb_ctx_new(&f.ctx, &config), GB_OK);
    f.file = (gb_keyfile){.ops = 1, .memory = 64 * 1024, .created = 1700000000};
    memset(f.file.params.b, 0x11, GB_HASH_BYTES);
    memset(f.file.key.b, 0x22, GB_HASH_BYTES);
    for (unsigned i = 0; i < GB_KEYFILE_ROOT; i++) f.root[i] = (uint8_t)(i * 7);
    assert_int_equal(gb_keyfile_seal(&f.file, f.ctx, f.root, "correct horse"), GB_OK);
    gb_keyfile_encode(f.bytes, &f.file);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    gb_ctx_free(((fixture *)*state)->ctx);
    return 0;
}

static void round_trip(void **state) {
    fixture *f = *state;
    gb_keyfile got;
    uint8_t root[GB_KEYFILE_ROOT], again[GB_KEYFILE_BYTES];
    assert_int_equal(gb_keyfile_decode(&got, f->ctx, "k", f->bytes, sizeof f->bytes), GB_OK);
    gb_keyfile_encode(again, &got);
    assert_memory_equal(again, f->bytes, sizeof again);
    assert_int_equal(gb_keyfile_open(root, f->ctx, &got, "correct horse"), GB_OK);
    assert_memory_equal(root, f->root, sizeof root);
    assert_int_equal(got.created, 1700000000);
}

static void wrong_passphrase(void **state) {
    fixture *f = *state;
    uint8_t root[GB_KEYFILE_ROOT];
    assert_int_equal(gb_keyfile_open(root, f->ctx, &f->file, "correct horsf"), GB_ERR_KEY);
    assert_non_null(strstr(gb_ctx_error(f->ctx), "wrong passphrase"));
    for (unsigned i = 0; i < sizeof root; i++) assert_int_equal(root[i], 0);
}

static void short_passphrase(void **state) {
    fixture *f = *state;
    gb_keyfile k = f->file;
    assert_int_equal(gb_keyfile_seal(&k, f->ctx, f->root, "1234567"), GB_ERR_KEY);
    assert_int_equal(gb_keyfile_seal(&k, f->ctx, f->root, ""), GB_ERR_KEY);
}

/* Every changed byte is noticed: by the parser, or by the authentication of header and secret. */
static void every_byte_counts(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < sizeof f->bytes; i++) {
        /* The cost bytes: a changed cost that parses would make this test slow, not wrong. */
        if (i >= 16 && i < 32 && i != 16 && i != 31) continue;
        uint8_t bad[GB_KEYFILE_BYTES], root[GB_KEYFILE_ROOT];
        gb_keyfile got;
        memcpy(bad, f->bytes, sizeof bad);
        bad[i] ^= 0x02;
        gb_status s = gb_keyfile_decode(&got, f->ctx, "k", bad, sizeof bad);
        if (s == GB_OK) s = gb_keyfile_open(root, f->ctx, &got, "correct horse");
        if (s == GB_OK) fail_msg("a change of byte %zu was not noticed", i);
    }
}

static void every_length(void **state) {
    fixture *f = *state;
    gb_keyfile got;
    uint8_t longer[GB_KEYFILE_BYTES + 1] = {0};
    for (size_t n = 0; n < sizeof f->bytes; n++)
        assert_int_equal(gb_keyfile_decode(&got, f->ctx, "k", f->bytes, n), GB_ERR_TRUNCATED);
    memcpy(longer, f->bytes, sizeof f->bytes);
    assert_int_equal(gb_keyfile_decode(&got, f->ctx, "k", longer, sizeof longer), GB_ERR_FORMAT);
}

static void costs_are_bounded(void **state) {
    fixture *f = *state;
    static const uint64_t ops[] = {0, GB_KEYFILE_OPS_MAX + 1, UINT64_MAX};
    static const uint64_t memory[] = {0, 8191, GB_KEYFILE_MEMORY_MAX + 1, UINT64_MAX};
    gb_keyfile k, got;
    uint8_t bytes[GB_KEYFILE_BYTES];
    for (size_t i = 0; i < GB_COUNT(ops); i++) {
        k = f->file;
        k.ops = ops[i];
        gb_keyfile_encode(bytes, &k);
        assert_int_equal(gb_keyfile_decode(&got, f->ctx, "k", bytes, sizeof bytes), GB_ERR_FORMAT);
    }
    for (size_t i = 0; i < GB_COUNT(memory); i++) {
        k = f->file;
        k.memory = memory[i];
        gb_keyfile_encode(bytes, &k);
        assert_int_equal(gb_keyfile_decode(&got, f->ctx, "k", bytes, sizeof bytes), GB_ERR_FORMAT);
    }
}

static void other_version(void **state) {
    fixture *f = *state;
    gb_keyfile got;
    uint8_t bytes[GB_KEYFILE_BYTES];
    memcpy(bytes, f->bytes, sizeof bytes);
    bytes[8] = 2;
    assert_int_equal(gb_keyfile_decode(&got, f->ctx, "k", bytes, sizeof bytes), GB_ERR_VERSION);
    assert_int_equal(gb_keyfile_decode(&got, f->ctx, "k", (const uint8_t *)"not a key file at all", 21), GB_ERR_FORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip),       cmocka_unit_test(wrong_passphrase),
                                       cmocka_unit_test(short_passphrase), cmocka_unit_test(every_byte_counts),
                                       cmocka_unit_test(every_length),     cmocka_unit_test(costs_are_bounded),
                                       cmocka_unit_test(other_version)};
    return cmocka_run_group_tests_name("keyfile", tests, setup, teardown);
}
