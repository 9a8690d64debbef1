/* The metadata: references, uploads, jobs and their table of states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/meta/meta.h"
#include "service/test/temp.h"

typedef struct fixture {
    gb_ctx *ctx;
    gb_meta *meta;
    gb_id workspace;
    char dir[64];
    char *path;
    size_t published, dropped;
    gb_hash last_dropped;
    bool refuse; /* publish fails */
} fixture;

static void drop(void *user, const gb_hash *object) {
    fixture *f = user;
    f->dropped++;
    f->last_dropped = *object;
}

static gb_status publish_run(void *user, gb_ctx *ctx) {
    fixture *f = user;
    if (f->refuse) return gb_fail(ctx, GB_ERR_SPACE, "full");
    f->published++;
    return GB_OK;
}

static int setup(void **state) {
    fixture *f;
    gb_ctx_config c;
    gb_ctx_config_defaults(&c);
    c.threads = 1;
    if (gb_alloc_zero(&f, NULL, 1, sizeof *f) != GB_OK || !temp_make(f->dir)) return 1;
    f->path = gb_format(NULL, "%s/meta.sqlite", f->dir);
    gb_workspace_row row;
    bool made;
    if (gb_ctx_new(&f->ctx, &c) != GB_OK || gb_meta_open(&f->meta, f->ctx, f->path, drop, f) != GB_OK) return 1;
    if (gb_meta_workspace_make(&row, &made, f->meta, f->ctx, "lab") != GB_OK || !made) return 1;
    f->workspace = row.id;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    gb_meta_close(f->meta);
    gb_ctx_free(f->ctx);
    temp_remove(f->dir);
    gb_free(f->path);
    gb_free(f);
    return 0;
}

static gb_hash hash_no(unsigned n) {
    gb_hash h;
    gb_hash_of(&h, &n, sizeof n, NULL, 0);
    return h;
}

static gb_dataset_row draft(const fixture *f, const char *nonce, unsigned manifest, uint64_t tiles) {
    gb_dataset_row row = {.workspace = f->workspace, .tiles = tiles, .keyset = hash_no(1), .manifest_bytes = 9};
    row.manifest = hash_no(manifest);
    snprintf(row.nonce, sizeof row.nonce, "%s", nonce);
    snprintf(row.label, sizeof row.label, "label");
    return row;
}

static gb_status add_tile(fixture *f, const gb_id *id, uint64_t n, unsigned hash) {
    gb_tile_row tile = {.tile = n, .object = hash_no(hash), .bytes = 10};
    gb_publish publish = {publish_run, f};
    return gb_meta_tile_add(f->meta, f->ctx, id, &tile, &publish);
}

/* A ready dataset of two tiles. */
static gb_id ready_dataset(fixture *f, unsigned seed) {
    gb_publish publish = {publish_run, f};
    bool made;
    gb_dataset_row row = draft(f, "", seed, 2);
    gb_hash tiles[2] = {hash_no(seed + 1), hash_no(seed + 2)}, final = hash_no(seed + 3);
    assert_int_equal(gb_meta_dataset_add(&row, &made, f->meta, f->ctx, &publish), GB_OK);
    assert_int_equal(add_tile(f, &row.id, 0, seed + 1), GB_OK);
    assert_int_equal(add_tile(f, &row.id, 1, seed + 2), GB_OK);
    assert_int_equal(gb_meta_dataset_commit(f->meta, f->ctx, &row.id, &final, 9, tiles, &publish), GB_OK);
    return row.id;
}

static void test_ids(void **state) {
    gb_id a, b;
    gb_id_new(&a);
    gb_id_new(&b);
    assert_string_not_equal(a.s, b.s);
    assert_true(gb_id_parse(&b, a.s));
    assert_false(gb_id_parse(&b, NULL));
    assert_false(gb_id_parse(&b, ""));
    assert_false(gb_id_parse(&b, "../../../../../../../../../../etc"));
    assert_false(gb_id_parse(&b, "ABCDEF00112233445566778899AABBCC"));
}

static void test_workspace_by_name(void **state) {
    fixture *f = *state;
    gb_workspace_row row;
    bool made;
    assert_int_equal(gb_meta_workspace_make(&row, &made, f->meta, f->ctx, "lab"), GB_OK);
    assert_false(made);
    assert_string_equal(row.id.s, f->workspace.s);
    assert_int_equal(gb_meta_workspace_make(&row, &made, f->meta, f->ctx, "x'; DROP TABLE jobs; --"), GB_OK);
    assert_true(made);
    gb_id other;
    gb_id_new(&other);
    assert_int_equal(gb_meta_workspace_get(&row, f->meta, f->ctx, &other), GB_ERR_NOT_FOUND);
}

static void test_named(void **state) {
    fixture *f = *state;
    gb_publish publish = {publish_run, f};
    bool made;
    gb_named_row row = {.name = hash_no(5), .object = hash_no(6), .bytes = 3}, got;
    f->refuse = true;
    assert_int_equal(gb_meta_named_add(&row, &made, f->meta, f->ctx, &f->workspace, GB_NAMED_KEYSET, &publish),
                     GB_ERR_SPACE);
    f->refuse = false;
    assert_int_equal(gb_meta_named_get(&got, f->meta, f->ctx, &f->workspace, GB_NAMED_KEYSET, &row.name),
                     GB_ERR_NOT_FOUND); /* rolled back */
    assert_int_equal(gb_meta_named_add(&row, &made, f->meta, f->ctx, &f->workspace, GB_NAMED_KEYSET, &publish), GB_OK);
    assert_true(made);
    row.object = hash_no(7);
    assert_int_equal(gb_meta_named_add(&row, &made, f->meta, f->ctx, &f->workspace, GB_NAMED_KEYSET, &publish), GB_OK);
    assert_false(made);
    gb_hash first = hash_no(6);
    assert_true(gb_hash_equal(&row.object, &first));
    assert_int_equal(gb_meta_named_get(&got, f->meta, f->ctx, &f->workspace, GB_NAMED_PROGRAM, &row.name),
                     GB_ERR_NOT_FOUND); /* another kind */
}

static void test_upload(void **state) {
    fixture *f = *state;
    gb_publish publish = {publish_run, f};
    bool made;
    gb_dataset_row row = draft(f, "aa", 10, 3), again = draft(f, "aa", 10, 3), other = draft(f, "aa", 11, 3);
    assert_int_equal(gb_meta_dataset_add(&row, &made, f->meta, f->ctx, &publish), GB_OK);
    assert_true(made);
    assert_int_equal(gb_meta_dataset_add(&again, &made, f->meta, f->ctx, &publish), GB_OK);
    assert_false(made);
    assert_string_equal(again.id.s, row.id.s);
    assert_int_equal(gb_meta_dataset_add(&other, &made, f->meta, f->ctx, &publish), GB_ERR_EXISTS);
    size_t before = f->published;
    f->refuse = true;
    assert_int_equal(add_tile(f, &row.id, 0, 20), GB_ERR_SPACE);
    f->refuse = false;
    assert_int_equal(add_tile(f, &row.id, 0, 20), GB_OK);
    assert_int_equal(add_tile(f, &row.id, 0, 20), GB_OK); /* repeated */
    assert_int_equal(f->published, before + 1);
    assert_int_equal(add_tile(f, &row.id, 0, 21), GB_ERR_EXISTS);
    assert_int_equal(add_tile(f, &row.id, 2, 20), GB_OK); /* the same bytes may be two tiles */
    gb_hash tiles[3] = {hash_no(20), hash_no(22), hash_no(20)}, final = hash_no(30);
    assert_int_equal(gb_meta_dataset_commit(f->meta, f->ctx, &row.id, &final, 9, tiles, &publish), GB_ERR_STATE);
    assert_non_null(strstr(gb_ctx_error(f->ctx), "1 of 3 tiles are missing"));
    assert_int_equal(add_tile(f, &row.id, 1, 23), GB_OK);
    assert_int_equal(gb_meta_dataset_commit(f->meta, f->ctx, &row.id, &final, 9, tiles, &publish), GB_ERR_STATE);
    tiles[1] = hash_no(23);
    assert_int_equal(f->dropped, 0);
    assert_int_equal(gb_meta_dataset_commit(f->meta, f->ctx, &row.id, &final, 9, tiles, &publish), GB_OK);
    assert_int_equal(f->dropped, 1); /* the draft */
    assert_int_equal(gb_meta_dataset_commit(f->meta, f->ctx, &row.id, &final, 9, tiles, &publish), GB_OK);
    assert_int_equal(add_tile(f, &row.id, 1, 24), GB_ERR_STATE);
    assert_int_equal(add_tile(f, &row.id, 1, 23), GB_OK);
    assert_int_equal(gb_meta_dataset_get(&row, f->meta, f->ctx, &row.id), GB_OK);
    assert_int_equal(row.received, 3);
    assert_int_equal(row.bytes, 30);
}

static void test_references(void **state) {
    fixture *f = *state;
    gb_publish publish = {publish_run, f};
    bool made, known;
    gb_dataset_row a = draft(f, "", 10, 2), b = draft(f, "", 11, 2);
    assert_int_equal(gb_meta_dataset_add(&a, &made, f->meta, f->ctx, &publish), GB_OK);
    assert_int_equal(gb_meta_dataset_add(&b, &made, f->meta, f->ctx, &publish), GB_OK);
    assert_int_equal(add_tile(f, &a.id, 0, 20), GB_OK);
    assert_int_equal(add_tile(f, &a.id, 1, 21), GB_OK);
    assert_int_equal(add_tile(f, &b.id, 0, 20), GB_OK);
    assert_int_equal(gb_meta_dataset_delete(f->meta, f->ctx, &a.id), GB_OK);
    assert_int_equal(f->dropped, 2); /* tile 21 and a's draft; tile 20 is b's too */
    gb_hash shared = hash_no(20), gone = hash_no(21);
    assert_int_equal(gb_meta_object_known(&known, f->meta, f->ctx, &shared), GB_OK);
    assert_true(known);
    assert_int_equal(gb_meta_object_known(&known, f->meta, f->ctx, &gone), GB_OK);
    assert_false(known);
    assert_int_equal(gb_meta_dataset_delete(f->meta, f->ctx, &b.id), GB_OK);
    assert_int_equal(f->dropped, 4);
    assert_int_equal(gb_meta_dataset_delete(f->meta, f->ctx, &b.id), GB_ERR_NOT_FOUND);
}

static void test_job_table(void **state) {
    static const bool want[GB_JOB_STATES][GB_JOB_STATES] = {
        /* to:                queued running done   failed cancelled */
        [GB_JOB_QUEUED] = {false, true, false, true, true},
        [GB_JOB_RUNNING] = {true, false, true, true, true},
    };
    for (int from = 0; from < GB_JOB_STATES; from++) {
        for (int to = 0; to < GB_JOB_STATES; to++)
            assert_int_equal(gb_job_move_allowed((gb_job_state)from, (gb_job_state)to), want[from][to]);
        assert_int_equal(gb_job_state_final((gb_job_state)from), from >= GB_JOB_DONE);
    }
    assert_false(gb_job_move_allowed((gb_job_state)77, GB_JOB_DONE));
    assert_false(gb_job_move_allowed(GB_JOB_QUEUED, (gb_job_state)-1));
    assert_string_equal(gb_job_state_name((gb_job_state)77), "unknown");
}

static gb_job_row submit(fixture *f, const gb_id *input) {
    gb_job_row row = {.workspace = f->workspace, .program = hash_no(2), .copies = 1, .input_count = 1};
    row.inputs[0] = *input;
    assert_int_equal(gb_meta_job_add(&row, f->meta, f->ctx), GB_OK);
    return row;
}

static void test_job_life(void **state) {
    fixture *f = *state;
    gb_publish publish = {publish_run, f};
    gb_id input = ready_dataset(f, 100);
    gb_job_row a = submit(f, &input), b = submit(f, &input), taken;
    bool found;
    assert_int_equal(gb_meta_dataset_delete(f->meta, f->ctx, &input), GB_ERR_STATE); /* in use */
    assert_int_equal(gb_meta_job_take(&taken, &found, f->meta, f->ctx, 3), GB_OK);
    assert_true(found);
    assert_string_equal(taken.id.s, a.id.s); /* the oldest first */
    assert_int_equal(taken.threads, 3);
    assert_int_equal(gb_meta_job_attempt(f->meta, f->ctx, &a.id), GB_OK);
    assert_int_equal(gb_meta_job_attempt(f->meta, f->ctx, &b.id), GB_ERR_STATE);
    gb_dataset_row result = draft(f, "", 200, 2);
    gb_hash tiles[2] = {hash_no(201), hash_no(202)};
    uint64_t bytes[2] = {5, 6};
    f->refuse = true;
    assert_int_equal(gb_meta_job_finish(f->meta, f->ctx, &a.id, 1.5, &result, tiles, bytes, &publish), GB_ERR_SPACE);
    f->refuse = false;
    assert_int_equal(gb_meta_job_get(&taken, f->meta, f->ctx, &a.id), GB_OK);
    assert_int_equal(taken.state, GB_JOB_RUNNING); /* all or nothing */
    assert_int_equal(taken.output_count, 0);
    assert_int_equal(gb_meta_job_finish(f->meta, f->ctx, &a.id, 1.5, &result, tiles, bytes, &publish), GB_OK);
    assert_int_equal(gb_meta_job_get(&taken, f->meta, f->ctx, &a.id), GB_OK);
    assert_int_equal(taken.state, GB_JOB_DONE);
    assert_int_equal(taken.output_count, 1);
    assert_int_equal(taken.attempts, 1);
    assert_true(taken.seconds == 1.5 && taken.finished >= taken.started && taken.started >= taken.created);
    assert_int_equal(gb_meta_dataset_get(&result, f->meta, f->ctx, &taken.outputs[0]), GB_OK);
    assert_true(result.result && result.state == GB_DATASET_READY && result.bytes == 11);
    assert_int_equal(gb_meta_job_move(f->meta, f->ctx, &a.id, GB_JOB_CANCELLED, GB_OK, ""), GB_ERR_STATE);
    assert_int_equal(gb_meta_job_move(f->meta, f->ctx, &b.id, GB_JOB_CANCELLED, GB_OK, ""), GB_OK);
    assert_int_equal(gb_meta_dataset_delete(f->meta, f->ctx, &input), GB_OK); /* nobody reads it any more */
    assert_int_equal(gb_meta_job_get(&taken, f->meta, f->ctx, &a.id), GB_OK);
    assert_int_equal(taken.input_count, 1); /* what it read stays known */
}

/* As after kill -9: the file is opened by another connection while the first still holds it. */
static void test_recovery(void **state) {
    fixture *f = *state;
    gb_id input = ready_dataset(f, 100);
    gb_job_row a = submit(f, &input), row;
    bool found;
    size_t count;
    assert_int_equal(gb_meta_job_take(&row, &found, f->meta, f->ctx, 1), GB_OK);
    gb_meta *second;
    assert_int_equal(gb_meta_open(&second, f->ctx, f->path, drop, f), GB_OK);
    assert_int_equal(gb_meta_job_recover(second, f->ctx, &count), GB_OK);
    assert_int_equal(count, 1);
    assert_int_equal(gb_meta_job_get(&row, second, f->ctx, &a.id), GB_OK);
    assert_int_equal(row.state, GB_JOB_QUEUED);
    gb_meta_close(second);
    assert_int_equal(gb_meta_job_move(f->meta, f->ctx, &a.id, GB_JOB_FAILED, GB_ERR_SPACE, "full"), GB_OK);
    assert_int_equal(gb_meta_job_get(&row, f->meta, f->ctx, &a.id), GB_OK);
    assert_int_equal(row.error, GB_ERR_SPACE);
    assert_string_equal(row.message, "full");
}

static void test_job_wants_ready_inputs(void **state) {
    fixture *f = *state;
    gb_publish publish = {publish_run, f};
    bool made, found;
    gb_dataset_row row = draft(f, "", 10, 2);
    assert_int_equal(gb_meta_dataset_add(&row, &made, f->meta, f->ctx, &publish), GB_OK);
    gb_job_row job = {.workspace = f->workspace, .copies = 1, .input_count = 1};
    job.inputs[0] = row.id;
    assert_int_equal(gb_meta_job_add(&job, f->meta, f->ctx), GB_ERR_STATE);
    assert_int_equal(gb_meta_job_take(&job, &found, f->meta, f->ctx, 1), GB_OK);
    assert_false(found); /* nothing was left of it */
}

static void test_damaged_file(void **state) {
    fixture *f = *state;
    char *path = gb_format(NULL, "%s/other", f->dir);
    gb_meta *m;
    assert_int_equal(gb_file_write(f->ctx, path, "this is not a database at all, not even nearly", 46, 0600), GB_OK);
    assert_int_equal(gb_meta_open(&m, f->ctx, path, NULL, NULL), GB_ERR_IO);
    assert_null(m);
    gb_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test_setup_teardown(test_workspace_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_references, setup, teardown),
        cmocka_unit_test(test_job_table),
        cmocka_unit_test_setup_teardown(test_job_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recovery, setup, teardown),
        cmocka_unit_test_setup_teardown(test_job_wants_ready_inputs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
