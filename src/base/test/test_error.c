/* base: status table, context, memory. */
#include <setjmp.h>
#include <stdlib.h>

#include "base/base.h"

#include <cmocka.h> /* after stdarg.h and setjmp.h */

static void test_status_table(void **state) {
    assert_string_equal(gb_status_name(GB_OK), "OK");
    assert_string_equal(gb_status_name(GB_ERR_RANGE), "ERR_RANGE");
    assert_int_equal(GB_ERR_RANGE, 21);
    assert_int_equal(gb_status_http(GB_ERR_NOT_FOUND), 404);
    assert_string_equal(gb_status_name((gb_status)9999), "ERR_INTERNAL");
    assert_string_equal(gb_status_text((gb_status)9999), gb_status_text(GB_ERR_INTERNAL));
    assert_true(strlen(gb_version()) > 0);
}

static void keep_line(void *user, gb_log_level level, const char *line) {
    snprintf(user, 128, "%d %s", (int)level, line);
}

static int stop_at(void *user, const char *stage, uint64_t done, uint64_t total) { return done >= *(uint64_t *)user; }

static void test_context(void **state) {
    char line[128] = "";
    uint64_t limit = 5;
    gb_ctx_config config;
    gb_ctx *ctx, *fork;
    gb_ctx_config_defaults(&config);
    assert_true(config.threads >= 1);
    config.threads = 3;
    config.log = keep_line;
    config.log_user = line;
    config.progress = stop_at;
    config.progress_user = &limit;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    assert_string_equal(gb_ctx_error(ctx), "");
    assert_int_equal(gb_ctx_threads(ctx), 3);
    assert_int_equal(gb_ctx_memory(ctx), UINT64_C(1) << 30);
    assert_int_equal(gb_fail(ctx, GB_ERR_FORMAT, "bad name \"%s\"", "a\nb"), GB_ERR_FORMAT);
    assert_string_equal(gb_ctx_error(ctx), "bad name \"a?b\"");
    assert_int_equal(gb_ctx_status(ctx), GB_ERR_FORMAT);
    assert_int_equal(gb_fail(NULL, GB_ERR_IO, "x"), GB_ERR_IO);
    assert_int_equal(gb_ctx_fork(&fork, ctx), GB_OK);
    assert_int_equal(gb_ctx_status(fork), GB_OK);
    gb_ctx_reset(ctx);
    assert_int_equal(gb_ctx_status(ctx), GB_OK);
    assert_int_equal(gb_progress(fork, "load", 4, 9), GB_OK);
    assert_int_equal(gb_progress(fork, "load", 5, 9), GB_ERR_CANCELLED);
    assert_int_equal(gb_fail_from(ctx, fork), GB_ERR_CANCELLED);
    assert_non_null(strstr(gb_ctx_error(ctx), "load"));
    gb_log(fork, GB_LOG_INFO, "tile %d", 7);
    assert_string_equal(line, "2 tile 7");
    gb_ctx_free(fork);
    gb_ctx_free(ctx);
    gb_ctx_free(NULL);
}

static void test_context_refuses(void **state) {
    gb_ctx_config config, bad;
    gb_ctx *ctx;
    gb_ctx_config_defaults(&config);
    bad = config, bad.size = 0;
    assert_int_equal(gb_ctx_new(&ctx, &bad), GB_ERR_ARGUMENT);
    assert_null(ctx);
    bad = config, bad.threads = 0;
    assert_int_equal(gb_ctx_new(&ctx, &bad), GB_ERR_ARGUMENT);
    bad = config, bad.threads = 257;
    assert_int_equal(gb_ctx_new(&ctx, &bad), GB_ERR_ARGUMENT);
    bad = config, bad.memory = 1 << 20;
    assert_int_equal(gb_ctx_new(&ctx, &bad), GB_ERR_ARGUMENT);
    bad = config, bad.cpu = "pentium";
    assert_int_equal(gb_ctx_new(&ctx, &bad), GB_ERR_ARGUMENT);
}

static void test_cpu(void **state) {
    uint32_t all = gb_cpu_flags();
    gb_cpu_mask(gb_cpu_named("avx2"));
    assert_int_equal(gb_cpu_flags(), all & GB_CPU_AVX2);
    gb_cpu_mask(gb_cpu_named("ref"));
    assert_int_equal(gb_cpu_flags(), 0);
    gb_cpu_mask(UINT32_MAX);
    assert_int_equal(gb_cpu_flags(), all);
    assert_int_equal(gb_cpu_named("z80"), UINT32_MAX);
}

static void test_memory(void **state) {
    void *p;
    gb_ctx *ctx;
    assert_int_equal(gb_ctx_new(&ctx, NULL), GB_OK);
    assert_int_equal(gb_alloc(&p, ctx, SIZE_MAX / 2, 3), GB_ERR_MEMORY);
    assert_null(p);
    assert_true(strlen(gb_ctx_error(ctx)) > 0);
    assert_int_equal(gb_alloc_zero(&p, ctx, 5, 13), GB_OK);
    assert_int_equal((uintptr_t)p % GB_ALIGN, 0);
    for (int i = 0; i < 65; i++) assert_int_equal(((uint8_t *)p)[i], 0);
    gb_free(p);
    assert_int_equal(gb_alloc(&p, ctx, 0, 8), GB_OK);
    assert_non_null(p);
    gb_free(p);
    assert_int_equal(gb_alloc_secret(&p, ctx, 3, 7), GB_OK);
    assert_int_equal((uintptr_t)p % GB_ALIGN, 0);
    memset(p, 1, 21);
    gb_wipe(p, 21);
    assert_int_equal(*(uint8_t *)p, 0);
    gb_free_secret(p);
    char *s = gb_format(ctx, "%s-%d", "a", 5);
    assert_string_equal(s, "a-5");
    gb_free(s);
    gb_ctx_free(ctx);
}

/* Each allocation of gb_ctx_new fails in turn; nothing leaks (the address sanitizer's build sees that). */
static void test_allocation_failures(void **state) {
    gb_ctx *ctx;
    gb_status status = GB_ERR_MEMORY;
    uint64_t n = 0;
    while (status != GB_OK) {
        gb_alloc_fail_at(++n);
        status = gb_ctx_new(&ctx, NULL);
        assert_true(status == GB_OK || (status == GB_ERR_MEMORY && ctx == NULL));
        assert_true(n < 100);
    }
    assert_true(gb_alloc_fail_at(0) == n - 1);
    assert_true(n > 2);
    gb_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_table), cmocka_unit_test(test_context), cmocka_unit_test(test_context_refuses),
        cmocka_unit_test(test_cpu),          cmocka_unit_test(test_memory),  cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
