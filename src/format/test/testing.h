/* What the tests of format share: a context, files in memory, the shared data. */
#ifndef GB_FORMAT_TESTING_H
#define GB_FORMAT_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/format.h"

static inline gb_ctx *test_ctx(void) {
    gb_ctx_config config;
    gb_ctx *ctx;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    return ctx;
}

/* Path of a file of the shared data; skips the test where it is absent. */
static inline const char *test_data(const char *file) {
    static char path[4096];
    const char *root = getenv("GLOVEBOX_SHARED");
    snprintf(path, sizeof path, "%s/data/tomography/%s", root ? root : "../shared", file);
    if (access(path, R_OK) != 0) {
        print_message("# skipped: no %s\n", path);
        skip();
    }
    return path;
}

#define assert_says(ctx, words) assert_non_null(strstr(gb_ctx_error(ctx), words))

#endif
