/* The key store: make, list, show, open, refuse, remove. */
#include "client/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
    gb_ctx *ctx;
    char dir[64];
    const char *pass; /* NULL: none */
    int asked, confirmed;
} fixture;

static int answer(void *user, char *out, size_t capacity, const char *key, int confirm) {
    fixture *f = user;
    f->asked++;
    f->confirmed += confirm;
    if (!f->pass) return 1;
    gb_copy_text(out, capacity, f->pass);
    return 0;
}

static gb_client *client(fixture *f) {
    gb_client_config config;
    gb_client *c;
    gb_client_config_defaults(&config);
    config.keys = f->dir;
    config.passphrase = answer;
    config.passphrase_user = f;
    assert_int_equal(gb_client_new(&c, f->ctx, &config), GB_OK);
    return c;
}

static int setup(void **state) {
    static fixture f;
    f = (fixture){.dir = "/tmp/glovebox-keys-XXXXXX", .pass = "a passphrase"};
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    if (!mkdtemp(f.dir) || gb_ctx_new(&f.ctx, &config) != GB_OK) return -1;
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    gb_ctx_free(f->ctx);
    gb_folder_remove(f->dir);
    return access(f->dir, F_OK) == 0 ? -1 : 0;
}

static char *path_in(const fixture *f, const char *name) {
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return path;
}

static void make_and_open(void **state) {
    fixture *f = *state;
    gb_key_info made, shown;
    struct stat st;
    gb_client *c = client(f);
    assert_int_equal(gb_client_key_new(&made, c, "lab", NULL, GB_KDF_INTERACTIVE), GB_OK);
    assert_int_equal(f->confirmed, 1);
    assert_string_equal(made.params, gb_client_params_of("default"));
    assert_int_equal(strlen(made.id), 64);
    assert_true(made.keyset_bytes > 0 && made.log_n >= 11 && made.security >= 128);
    assert_int_equal(stat(path_in(f, "lab.key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(gb_client_key_show(&shown, c, "lab"), GB_OK);
    assert_memory_equal(&made, &shown, sizeof made);
    gb_client_free(c);

    c = client(f);
    f->asked = 0;
    assert_int_equal(gb_client_key_verify(c, "lab"), GB_OK);
    assert_int_equal(gb_client_key_verify(c, "lab"), GB_OK);
    assert_int_equal(f->asked, 1); /* once a command */
    f->pass = "another one";
    gb_client_free(c);
    c = client(f);
    assert_int_equal(gb_client_key_verify(c, "lab"), GB_ERR_KEY);
    assert_non_null(strstr(gb_ctx_error(f->ctx), "wrong passphrase"));
    f->pass = NULL;
    assert_int_equal(gb_client_key_verify(c, "lab"), GB_ERR_KEY);
    assert_non_null(strstr(gb_ctx_error(f->ctx), "--passphrase-file"));
    gb_client_free(c);
}

static void never_overwrites(void **state) {
    fixture *f = *state;
    uint8_t *before, *after;
    size_t n, m;
    gb_client *c = client(f);
    assert_int_equal(gb_client_key_new(NULL, c, "lab", NULL, GB_KDF_INTERACTIVE), GB_OK);
    assert_int_equal(gb_file_read(&before, &n, f->ctx, path_in(f, "lab.key"), 4096), GB_OK);
    assert_int_equal(gb_client_key_new(NULL, c, "lab", NULL, GB_KDF_INTERACTIVE), GB_ERR_EXISTS);
    /* A stray public part is not overwritten either. */
    assert_int_equal(gb_file_write(f->ctx, path_in(f, "two.keyset"), "x", 1, 0644), GB_OK);
    assert_int_equal(gb_client_key_new(NULL, c, "two", NULL, GB_KDF_INTERACTIVE), GB_ERR_EXISTS);
    assert_int_equal(access(path_in(f, "two.key"), F_OK), -1);
    assert_int_equal(gb_file_read(&after, &m, f->ctx, path_in(f, "lab.key"), 4096), GB_OK);
    assert_true(n == m && memcmp(before, after, n) == 0);
    gb_free(before);
    gb_free(after);
    gb_client_free(c);
}

static void refuses_names(void **state) {
    fixture *f = *state;
    static const char *const bad[] = {
        "", ".hidden", "-x", "a/b", "../x", "a b", "caf\xc3\xa9", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeee"};
    gb_key_info info;
    gb_client *c = client(f);
    for (size_t i = 0; i < GB_COUNT(bad); i++) {
        assert_int_equal(gb_client_key_new(&info, c, bad[i], NULL, GB_KDF_INTERACTIVE), GB_ERR_ARGUMENT);
        assert_int_equal(gb_client_key_show(&info, c, bad[i]), GB_ERR_ARGUMENT);
        assert_int_equal(gb_client_key_remove(c, bad[i]), GB_ERR_ARGUMENT);
    }
    assert_int_equal(gb_client_key_new(&info, c, "x", "no-such-set", GB_KDF_INTERACTIVE), GB_ERR_NOT_FOUND);
    f->pass = "short";
    assert_int_equal(gb_client_key_new(&info, c, "x", NULL, GB_KDF_INTERACTIVE), GB_ERR_KEY);
    assert_int_equal(access(path_in(f, "x.keyset"), F_OK), -1);
    gb_client_free(c);
}

static int count_keys(void *user, const gb_key_info *info) {
    char *names = user;
    (void)strncat(names, info->name, 63 - strlen(names));
    (void)strncat(names, ",", 63 - strlen(names));
    return 0;
}

static void lists_and_picks(void **state) {
    fixture *f = *state;
    char names[64] = "";
    gb_client *c = client(f);
    const char *params = gb_client_params_of("default"), *high = gb_client_params_of("high");
    assert_int_equal(gb_client_key_list(c, count_keys, names), GB_OK);
    assert_string_equal(names, "");
    assert_int_equal(gb_keystore_open_for(c, NULL, params), GB_ERR_KEY);
    assert_int_equal(gb_client_key_new(NULL, c, "b", NULL, GB_KDF_INTERACTIVE), GB_OK);
    assert_int_equal(gb_keystore_open_for(c, NULL, params), GB_OK);
    assert_int_equal(gb_keystore_open_for(c, NULL, high), GB_ERR_KEY);
    assert_int_equal(gb_keystore_open_for(c, "b", high), GB_ERR_PARAMS);
    assert_int_equal(gb_keystore_open_for(c, "a", params), GB_ERR_KEY);
    assert_int_equal(gb_client_key_new(NULL, c, "a", NULL, GB_KDF_INTERACTIVE), GB_OK);
    assert_int_equal(gb_keystore_open_for(c, NULL, params), GB_ERR_KEY); /* which? */
    assert_int_equal(gb_keystore_open_for(c, "a", params), GB_OK);
    assert_int_equal(gb_client_key_list(c, count_keys, names), GB_OK);
    assert_string_equal(names, "a,b,");
    assert_int_equal(gb_client_key_remove(c, "a"), GB_OK);
    assert_int_equal(gb_client_key_remove(c, "a"), GB_ERR_KEY);
    names[0] = 0;
    assert_int_equal(gb_client_key_list(c, count_keys, names), GB_OK);
    assert_string_equal(names, "b,");
    gb_client_free(c);
}

static void damaged_files(void **state) {
    fixture *f = *state;
    gb_key_info info;
    gb_client *c = client(f);
    assert_int_equal(gb_client_key_new(NULL, c, "lab", NULL, GB_KDF_INTERACTIVE), GB_OK);
    assert_int_equal(gb_client_key_new(NULL, c, "two", NULL, GB_KDF_INTERACTIVE), GB_OK);
    /* The public part of another key. */
    assert_int_equal(unlink(path_in(f, "two.keyset")), 0);
    char other[128];
    gb_copy_text(other, sizeof other, path_in(f, "lab.keyset"));
    assert_int_equal(link(other, path_in(f, "two.keyset")), 0);
    assert_int_equal(gb_client_key_verify(c, "two"), GB_ERR_KEY);
    assert_non_null(strstr(gb_ctx_error(f->ctx), "not the public part"));
    /* Cut and foreign secrets. */
    assert_int_equal(truncate(path_in(f, "lab.key"), 100), 0);
    assert_int_equal(gb_client_key_show(&info, c, "lab"), GB_ERR_TRUNCATED);
    assert_int_equal(gb_file_write(f->ctx, path_in(f, "lab.key"), "hello, world", 12, 0600), GB_OK);
    assert_int_equal(gb_client_key_show(&info, c, "lab"), GB_ERR_FORMAT);
    gb_client_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(make_and_open, setup, teardown),
                                       cmocka_unit_test_setup_teardown(never_overwrites, setup, teardown),
                                       cmocka_unit_test_setup_teardown(refuses_names, setup, teardown),
                                       cmocka_unit_test_setup_teardown(lists_and_picks, setup, teardown),
                                       cmocka_unit_test_setup_teardown(damaged_files, setup, teardown)};
    return cmocka_run_group_tests_name("keystore", tests, NULL, NULL);
}
