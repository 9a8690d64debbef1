/* Lines to tiles and back; notes; that what breaks the declared range is never encrypted. */
#include "client/note.h"
#include "client/seal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS 70
#define LINES 37

typedef struct fixture {
    gb_ctx *ctx;
    gb_client *c;
    char dir[64];
    gb_bundle_info info;
    float values[LINES * ROWS];
    double got[LINES * ROWS];
} fixture;

static gb_status read_lines(void *user, gb_ctx *ctx, float *out, size_t first, size_t count) {
    const fixture *f = user;
    memcpy(out, f->values + first * ROWS, count * ROWS * sizeof *out);
    return GB_OK;
}

static gb_status write_lines(void *user, gb_ctx *ctx, const double *lines, size_t first, size_t count) {
    fixture *f = user;
    memcpy(f->got + first * ROWS, lines, count * ROWS * sizeof *lines);
    return GB_OK;
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    gb_ctx_config config;
    gb_client_config client;
    gb_params *p;
    gb_ctx_config_defaults(&config);
    config.threads = 2;
    gb_client_config_defaults(&client);
    if (!f || gb_ctx_new(&f->ctx, &config) != GB_OK) return -1;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/glovebox-seal-XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    client.keys = f->dir;
    if (gb_client_new(&f->c, f->ctx, &client) != GB_OK || gb_params_named(&p, f->ctx, "tiny-linear") != GB_OK)
        return -1;
    if (gb_secret_new(&f->c->secret, &f->c->keyset, f->ctx, p) != GB_OK) return -1;
    f->info = (gb_bundle_info){.params = *gb_params_hash(p),
                               .key = *gb_secret_key_id(f->c->secret),
                               .axis_count = 1,
                               .axes = {{"x", LINES}},
                               .rows = ROWS,
                               .copies = 1,
                               .limbs = 1,
                               .scale = 1048576,
                               .max_abs = 4,
                               .lines_per_tile = 10,
                               .seeded = true};
    gb_params_free(p);
    for (size_t i = 0; i < GB_COUNT(f->values); i++) f->values[i] = (float)(sin((double)i) * 4);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    gb_client_free(f->c);
    gb_ctx_free(f->ctx);
    gb_folder_remove(f->dir);
    free(f);
    return 0;
}

static void seal_all(fixture *f, const gb_hash *nonce) {
    const gb_line_source in = {.user = f, .read = read_lines};
    const gb_tile_sink sink = gb_tile_folder_sink(f->dir);
    gb_hash content;
    assert_int_equal(gb_seal_content(&content, f->c, &f->info, &in), GB_OK);
    gb_secret_dataset_seed(&f->info.seed, f->c->secret, nonce, &content);
    assert_int_equal(gb_seal(f->c, &f->info, &in, &sink, "encrypt"), GB_OK);
}

static void there_and_back(void **state) {
    fixture *f = *state;
    const gb_hash nonce = {{1}};
    seal_all(f, &nonce);
    const gb_tile_source source = gb_tile_folder_source(f->dir);
    const gb_line_sink out = {.user = f, .write = write_lines};
    for (size_t g = 0; g < gb_bundle_groups(&f->info); g++)
        assert_int_equal(gb_unseal_group(f->c, &f->info, g, &source, &out), GB_OK);
    /* Fresh noise has standard deviation 3.24: 13.3 of them and the rounding are the 2^-128 bound. */
    for (size_t i = 0; i < GB_COUNT(f->values); i++)
        assert_true(fabs(f->got[i] - (double)f->values[i]) <= (13.3 * 3.24 + 0.5) / f->info.scale);
}

/* What a resumed upload stands on: same key, nonce and content, same bytes; another nonce, other bytes. */
static void same_bytes_again(void **state) {
    fixture *f = *state;
    const gb_hash nonce = {{1}}, other = {{2}};
    char path[128];
    uint8_t *a, *b;
    size_t n, m;
    (void)snprintf(path, sizeof path, "%s/%08d.tile", f->dir, 0);
    seal_all(f, &nonce);
    assert_int_equal(gb_file_read(&a, &n, f->ctx, path, 1 << 24), GB_OK);
    assert_int_equal(unlink(path), 0);
    seal_all(f, &nonce);
    assert_int_equal(gb_file_read(&b, &m, f->ctx, path, 1 << 24), GB_OK);
    assert_true(n == m && memcmp(a, b, n) == 0);
    gb_free(b);
    assert_int_equal(unlink(path), 0);
    seal_all(f, &other);
    assert_int_equal(gb_file_read(&b, &m, f->ctx, path, 1 << 24), GB_OK);
    assert_true(n == m && memcmp(a, b, n) != 0);
    gb_free(a);
    gb_free(b);
}

static void content_tells_everything(void **state) {
    fixture *f = *state;
    const gb_line_source in = {.user = f, .read = read_lines};
    gb_hash a, b;
    assert_int_equal(gb_seal_content(&a, f->c, &f->info, &in), GB_OK);
    f->info.seed.b[0] ^= 1; /* not part of it */
    assert_int_equal(gb_seal_content(&b, f->c, &f->info, &in), GB_OK);
    assert_true(gb_hash_equal(&a, &b));
    f->info.scale *= 2;
    assert_int_equal(gb_seal_content(&b, f->c, &f->info, &in), GB_OK);
    assert_false(gb_hash_equal(&a, &b));
    f->info.scale /= 2;
    f->values[LINES * ROWS - 1] += 0.001f;
    assert_int_equal(gb_seal_content(&b, f->c, &f->info, &in), GB_OK);
    assert_false(gb_hash_equal(&a, &b));
}

static void range_is_checked(void **state) {
    fixture *f = *state;
    static const float bad[] = {4.01f, -4.01f, NAN, INFINITY, -INFINITY};
    const gb_line_source in = {.user = f, .read = read_lines};
    const gb_tile_sink sink = gb_tile_folder_sink(f->dir);
    gb_hash content;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%08d.tile", f->dir, 0);
    for (size_t i = 0; i < GB_COUNT(bad); i++) {
        f->values[5 * ROWS + 7] = bad[i];
        assert_int_equal(gb_seal_content(&content, f->c, &f->info, &in), GB_ERR_RANGE);
        assert_non_null(strstr(gb_ctx_error(f->ctx), "line 5, row 7"));
        assert_null(strstr(gb_ctx_error(f->ctx), "4.01")); /* never the value */
        assert_int_equal(gb_seal(f->c, &f->info, &in, &sink, "encrypt"), GB_ERR_RANGE);
        assert_int_equal(access(path, F_OK), -1);
    }
}

static void notes(void **state) {
    fixture *f = *state;
    gb_note got,
        note = {.kind = GB_NOTE_VOLUME, .sample = 5, .nx = 1, .ny = 2, .nz = 3, .copies = 2, .pixel = {1.5f, 2, 3}};
    char label[GB_NOTE_LABEL_MAX + 1], again[GB_NOTE_LABEL_MAX + 1];
    memset(note.name, 'n', GB_NOTE_NAME_MAX); /* the longest: the label must hold it */
    assert_int_equal(gb_note_seal(label, f->c, &note), GB_OK);
    assert_int_equal(gb_note_seal(again, f->c, &note), GB_OK);
    assert_string_not_equal(label, again);
    assert_true(strlen(label) <= GB_NOTE_LABEL_MAX &&
                strspn(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                              "0123456789-_") == strlen(label));
    assert_int_equal(gb_note_open(&got, f->c, label), GB_OK);
    assert_memory_equal(&got, &note, sizeof note);
    label[40] = label[40] == 'A' ? 'B' : 'A';
    assert_int_equal(gb_note_open(&got, f->c, label), GB_ERR_KEY);
    assert_int_equal(gb_note_open(&got, f->c, "plain text"), GB_ERR_FORMAT);
    assert_int_equal(gb_note_open(&got, f->c, ""), GB_ERR_FORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(there_and_back, setup, teardown),
                                       cmocka_unit_test_setup_teardown(same_bytes_again, setup, teardown),
                                       cmocka_unit_test_setup_teardown(content_tells_everything, setup, teardown),
                                       cmocka_unit_test_setup_teardown(range_is_checked, setup, teardown),
                                       cmocka_unit_test_setup_teardown(notes, setup, teardown)};
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
