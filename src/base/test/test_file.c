/* base: whole files in and out. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

#include <cmocka.h> /* after stdarg.h and setjmp.h */

typedef struct place {
    gb_ctx *ctx;
    char dir[64], path[80];
} place;

static int setup(void **state) {
    static place p;
    strncpy(p.dir, P_tmpdir "/glovebox-file-XXXXXX", sizeof p.dir - 1);
    if (mkdtemp(p.dir) == NULL || gb_ctx_new(&p.ctx, NULL) != GB_OK) return -1;
    snprintf(p.path, sizeof p.path, "%s/f", p.dir);
    *state = &p;
    return 0;
}

static int teardown(void **state) {
    place *p = *state;
    unlink(p->path);
    rmdir(p->dir);
    gb_ctx_free(p->ctx);
    return 0;
}

static int entries(const char *dir) {
    DIR *d = opendir(dir);
    int n = 0;
    while (readdir(d) != NULL) n++;
    closedir(d);
    return n - 2;
}

static void test_write_read(void **state) {
    place *p = *state;
    uint8_t *data;
    size_t n;
    struct stat st;
    assert_int_equal(gb_file_write(p->ctx, p->path, "first", 5, 0600), GB_OK);
    assert_int_equal(gb_file_write(p->ctx, p->path, "second", 6, 0600), GB_OK);
    assert_int_equal(entries(p->dir), 1); /* no temporary is left */
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(gb_file_read(&data, &n, p->ctx, p->path, 6), GB_OK);
    assert_int_equal(n, 6);
    assert_memory_equal(data, "second", 6);
    gb_free(data);
    assert_int_equal(gb_file_read(&data, &n, p->ctx, p->path, 5), GB_ERR_LIMIT);
    assert_null(data);
    assert_int_equal(gb_file_write(p->ctx, p->path, "", 0, 0600), GB_OK);
    assert_int_equal(gb_file_read(&data, &n, p->ctx, p->path, 5), GB_OK);
    assert_int_equal(n, 0);
    assert_non_null(data);
    gb_free(data);
}

static void test_errors(void **state) {
    place *p = *state;
    uint8_t *data;
    size_t n;
    char absent[96];
    snprintf(absent, sizeof absent, "%s/no/file", p->dir);
    assert_int_equal(gb_file_read(&data, &n, p->ctx, absent, 5), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_ctx_error(p->ctx), absent));
    assert_int_equal(gb_file_write(p->ctx, absent, "x", 1, 0600), GB_ERR_NOT_FOUND);
    assert_int_equal(gb_file_read(&data, &n, p->ctx, p->dir, 5), GB_ERR_IO);
    assert_int_equal(gb_file_read(&data, &n, p->ctx, "/dev/zero", 100000), GB_ERR_LIMIT);
    errno = ENOSPC;
    assert_int_equal(gb_fail_errno(p->ctx, "cannot write", "f"), GB_ERR_SPACE);
}

static void test_folders(void **state) {
    place *p = *state;
    char deep[96];
    snprintf(deep, sizeof deep, "%s/a/b", p->dir);
    assert_int_equal(gb_dir_make(p->ctx, deep, 0700), GB_OK);
    assert_int_equal(gb_dir_make(p->ctx, deep, 0700), GB_OK);
    assert_int_equal(rmdir(deep), 0);
    deep[strlen(deep) - 2] = 0;
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(gb_file_write(p->ctx, p->path, "x", 1, 0600), GB_OK);
    snprintf(deep, sizeof deep, "%s/below", p->path);
    assert_true(gb_dir_make(p->ctx, deep, 0700) != GB_OK);
    assert_true(gb_dir_make(p->ctx, p->path, 0700) != GB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_read),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
