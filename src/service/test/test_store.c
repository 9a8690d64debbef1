/* The folder store, also with every file operation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "service/store/store.h"
#include "service/test/temp.h"

typedef struct fixture {
    gb_ctx *ctx;
    gb_store *store;
    char dir[64];
} fixture;

static int setup(void **state) {
    fixture *f;
    gb_ctx_config c;
    gb_ctx_config_defaults(&c);
    c.threads = 1;
    if (gb_alloc_zero(&f, NULL, 1, sizeof *f) != GB_OK || !temp_make(f->dir)) return 1;
    if (gb_ctx_new(&f->ctx, &c) != GB_OK || gb_store_directory(&f->store, f->ctx, f->dir) != GB_OK) return 1;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    gb_store_fail_at(0);
    gb_store_free(f->store);
    gb_ctx_free(f->ctx);
    temp_remove(f->dir);
    gb_free(f);
    return 0;
}

/* All three steps; hash gets the name. */
static gb_status put(gb_hash *hash, fixture *f, const void *data, size_t n) {
    gb_store_put *p;
    const gb_store_ops *ops = f->store->ops;
    GB_TRY(ops->create(&p, f->ctx, f->store));
    gb_status status = ops->write(p, f->ctx, data, n / 2);
    if (status == GB_OK) status = ops->write(p, f->ctx, (const char *)data + n / 2, n - n / 2);
    if (status == GB_OK) status = ops->seal(p, f->ctx);
    if (status == GB_OK) *hash = p->hash;
    if (status == GB_OK) status = gb_store_publish(p, f->ctx);
    ops->discard(p);
    return status;
}

static gb_status count_one(void *user, const gb_hash *object) {
    (void)object;
    (*(size_t *)user)++;
    return GB_OK;
}

static size_t count(fixture *f) {
    size_t n = 0;
    assert_int_equal(f->store->ops->list(f->ctx, f->store, count_one, &n), GB_OK);
    return n;
}

static size_t files_in(const fixture *f, const char *name) {
    char *command = gb_format(NULL, "%s/%s", f->dir, name);
    size_t n = 0;
    DIR *dir = opendir(command);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) n += e->d_name[0] != '.';
    closedir(dir);
    gb_free(command);
    return n;
}

static void test_round_trip(void **state) {
    fixture *f = *state;
    gb_hash name, want;
    uint8_t *data;
    size_t n;
    assert_int_equal(put(&name, f, "hello", 5), GB_OK);
    gb_hash_of(&want, "hello", 5, NULL, 0);
    assert_true(gb_hash_equal(&name, &want));
    assert_int_equal(put(&name, f, "hello", 5), GB_OK); /* again is fine */
    assert_int_equal(count(f), 1);
    assert_int_equal(gb_store_read(&data, &n, f->ctx, f->store, &name, 5), GB_OK);
    assert_int_equal(n, 5);
    assert_memory_equal(data, "hello", 5);
    gb_free(data);
    assert_int_equal(gb_store_read(&data, &n, f->ctx, f->store, &name, 4), GB_ERR_LIMIT);
    assert_null(data);
    f->store->ops->remove(f->store, &name);
    assert_int_equal(gb_store_read(&data, &n, f->ctx, f->store, &name, 5), GB_ERR_NOT_FOUND);
    assert_int_equal(files_in(f, "tmp"), 0);
}

static void test_not_visible_before_publish(void **state) {
    fixture *f = *state;
    gb_store_put *p;
    const uint8_t *map;
    const gb_store_ops *ops = f->store->ops;
    assert_int_equal(ops->create(&p, f->ctx, f->store), GB_OK);
    assert_int_equal(ops->write(p, f->ctx, "abc", 3), GB_OK);
    gb_store_put *const puts[] = {p};
    assert_int_equal(ops->publish(puts, 1, f->ctx), GB_ERR_INTERNAL); /* not sealed */
    assert_int_equal(ops->seal(p, f->ctx), GB_OK);
    assert_int_equal(count(f), 0);
    assert_int_equal(gb_store_put_map(&map, p, f->ctx), GB_OK);
    assert_memory_equal(map, "abc", 3);
    gb_store_put_unmap(p, map);
    ops->discard(p);
    assert_int_equal(count(f), 0);
    assert_int_equal(files_in(f, "tmp"), 0);
}

static void test_adopt_and_share(void **state) {
    fixture *f = *state;
    const gb_store_ops *ops = f->store->ops;
    char *file = gb_format(NULL, "%s/file", f->dir), *other = gb_format(NULL, "%s/other", f->dir);
    char *bad = gb_format(NULL, "%s/bad", f->dir);
    gb_store_put *p;
    gb_hash want;
    assert_int_equal(gb_file_write(f->ctx, file, "tile", 4, 0600), GB_OK);
    assert_int_equal(ops->adopt(&p, f->ctx, f->store, file), GB_OK);
    gb_hash_of(&want, "tile", 4, NULL, 0);
    assert_true(gb_hash_equal(&p->hash, &want));
    assert_int_equal(p->size, 4);
    assert_int_equal(gb_store_publish(p, f->ctx), GB_OK);
    ops->discard(p);
    assert_int_equal(access(file, F_OK), 0); /* the file stays */
    assert_int_equal(ops->share(f->ctx, f->store, &want, other), GB_OK);
    assert_int_equal(ops->share(f->ctx, f->store, &want, other), GB_OK);
    /* neither a link nor a pipe is followed or waited for */
    assert_int_equal(symlink("/etc/passwd", bad), 0);
    assert_int_not_equal(ops->adopt(&p, f->ctx, f->store, bad), GB_OK);
    assert_null(p);
    assert_int_equal(unlink(bad), 0);
    assert_int_equal(mkfifo(bad, 0600), 0);
    assert_int_equal(ops->adopt(&p, f->ctx, f->store, bad), GB_ERR_FORMAT);
    assert_int_equal(ops->adopt(&p, f->ctx, f->store, "/nonexistent/x"), GB_ERR_NOT_FOUND);
    assert_int_equal(files_in(f, "tmp"), 0);
    gb_free(file);
    gb_free(other);
    gb_free(bad);
}

/* Fail operation 1, 2, 3... until the case passes: each failure is ERR_SPACE and leaves no temporary; what is listed is
 * whole. */
static void test_every_failure(void **state) {
    fixture *f = *state;
    char *file = gb_format(NULL, "%s/file", f->dir);
    for (int kind = 0; kind < 2; kind++) {
        char text[16];
        gb_status status = GB_ERR_SPACE;
        for (uint64_t k = 1; status != GB_OK; k++) {
            assert_true(k < 50);
            int n = snprintf(text, sizeof text, "%d-%llu", kind, (unsigned long long)k);
            assert_int_equal(gb_file_write(f->ctx, file, text, (size_t)n, 0600), GB_OK);
            gb_hash name;
            gb_store_fail_at(0);
            gb_store_fail_at(k);
            if (kind == 0) {
                status = put(&name, f, text, (size_t)n);
            } else {
                gb_store_put *p;
                status = f->store->ops->adopt(&p, f->ctx, f->store, file);
                if (status == GB_OK) status = gb_store_publish(p, f->ctx);
                f->store->ops->discard(p);
            }
            gb_store_fail_at(0);
            assert_true(status == GB_OK || status == GB_ERR_SPACE);
            assert_int_equal(files_in(f, "tmp"), 0);
            uint8_t *data;
            size_t size;
            gb_hash_of(&name, text, (size_t)n, NULL, 0);
            gb_status there = gb_store_read(&data, &size, f->ctx, f->store, &name, 100);
            assert_true(there == GB_OK || (there == GB_ERR_NOT_FOUND && status != GB_OK));
            if (there == GB_OK) assert_int_equal(size, n);
            gb_free(there == GB_OK ? data : NULL);
        }
    }
    gb_free(file);
}

static void test_start_empties_tmp(void **state) {
    fixture *f = *state;
    char *left = gb_format(NULL, "%s/tmp/7", f->dir);
    gb_hash name;
    assert_int_equal(put(&name, f, "kept", 4), GB_OK);
    assert_int_equal(gb_file_write(f->ctx, left, "half", 4, 0600), GB_OK);
    gb_store_free(f->store);
    assert_int_equal(gb_store_directory(&f->store, f->ctx, f->dir), GB_OK);
    assert_int_equal(files_in(f, "tmp"), 0);
    assert_int_equal(count(f), 1);
    gb_free(left);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_visible_before_publish, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_and_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_empties_tmp, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
