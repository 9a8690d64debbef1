/* What a worker says, and workers as child processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/stat.h>

#include "service/job/job.h"
#include "service/test/temp.h"

static void test_lines(void **state) {
    gb_worker_word w;
    assert_int_equal(gb_worker_parse(&w, "progress filter 3 10"), GB_WORKER_PROGRESS);
    assert_string_equal(w.live.stage, "filter");
    assert_int_equal(w.live.done, 3);
    assert_int_equal(w.live.total, 10);
    assert_int_equal(gb_worker_parse(&w, "progress x 30 10"), GB_WORKER_PROGRESS);
    assert_int_equal(w.live.done, 10); /* never beyond the total */
    assert_int_equal(gb_worker_parse(&w, "done 1.25"), GB_WORKER_DONE);
    assert_true(w.seconds == 1.25);
    assert_int_equal(gb_worker_parse(&w, "error ERR_SPACE no \x01room"), GB_WORKER_ERROR);
    assert_int_equal(w.error, GB_ERR_SPACE);
    assert_string_equal(w.message, "no ?room");
    assert_int_equal(gb_worker_parse(&w, "error ERR_MADE_UP x"), GB_WORKER_ERROR);
    assert_int_equal(w.error, GB_ERR_INTERNAL);
    assert_int_equal(gb_worker_parse(&w, "error OK x"), GB_WORKER_ERROR);
    assert_int_equal(w.error, GB_ERR_INTERNAL);
    static const char *const other[] = {
        "",
        "progress",
        "progress a",
        "progress a 1",
        "progress a 1 ",
        "progress ",
        "progress a -1 5",
        "progress a 1 99999999999999999999",
        "progress a 1 2 3",
        "done",
        "done ",
        "done x",
        "done 1 2",
        "done nan",
        "done -1",
        "done inf",
        "doner 1",
        "hello",
        "progress aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1 2",
    };
    for (size_t i = 0; i < GB_COUNT(other); i++) assert_int_equal(gb_worker_parse(&w, other[i]), GB_WORKER_OTHER);
}

typedef struct fixture {
    gb_ctx *ctx;
    char dir[64];
    char script[80];
} fixture;

static int setup(void **state) {
    fixture *f;
    gb_ctx_config c;
    gb_ctx_config_defaults(&c);
    c.threads = 1;
    if (gb_alloc_zero(&f, NULL, 1, sizeof *f) != GB_OK || !temp_make(f->dir) || gb_ctx_new(&f->ctx, &c) != GB_OK)
        return 1;
    snprintf(f->script, sizeof f->script, "%s/worker", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    gb_ctx_free(f->ctx);
    temp_remove(f->dir);
    gb_free(f);
    return 0;
}

static gb_runner_run *start(gb_runner **runner, fixture *f, const char *body) {
    gb_runner_run *run;
    char *text = gb_format(NULL, "#!/bin/sh\n%s\n", body);
    assert_int_equal(gb_file_write(f->ctx, f->script, text, strlen(text), 0700), GB_OK);
    gb_free(text);
    assert_int_equal(gb_runner_local(runner, f->ctx, f->script), GB_OK);
    assert_int_equal((*runner)->start(&run, f->ctx, *runner, f->dir), GB_OK);
    return run;
}

/* The lines until END, joined by '|'. */
static void collect(char *out, size_t capacity, const gb_runner *runner, gb_runner_run *run) {
    char line[GB_RUNNER_LINE];
    out[0] = '\0';
    for (;;) {
        gb_runner_event event = runner->next(run, line, 1000);
        if (event == GB_RUNNER_END) return;
        size_t n = strlen(out);
        if (event == GB_RUNNER_LINE_READ) snprintf(out + n, capacity - n, "%.100s|", line);
    }
}

static void test_runner_says(void **state) {
    fixture *f = *state;
    gb_runner *runner;
    char text[512], why[64];
    gb_runner_run *run = start(&runner, f, "echo \"$1 $(basename $2)\"; printf 'a\\nb'; env | grep -c HOME; exit 3");
    collect(text, sizeof text, runner, run);
    runner->close(run, why);
    assert_non_null(strstr(text, "--job gb-test-"));
    assert_non_null(strstr(text, "a|b0|")); /* nothing of our environment */
    assert_string_equal(why, "exit code 3");
    runner->free(runner);
}

static void test_runner_long_line(void **state) {
    fixture *f = *state;
    gb_runner *runner;
    char text[4096], why[64];
    gb_runner_run *run = start(&runner, f, "head -c 2000 /dev/zero | tr '\\0' x; echo; echo end");
    collect(text, sizeof text, runner, run);
    runner->close(run, why);
    assert_non_null(strstr(text, "|end|"));
    assert_string_equal(why, "");
    runner->free(runner);
}

static void test_runner_stop(void **state) {
    fixture *f = *state;
    gb_runner *runner;
    char line[GB_RUNNER_LINE], why[64];
    gb_runner_run *run = start(&runner, f, "trap '' TERM; echo up; exec sleep 100");
    while (runner->next(run, line, 1000) != GB_RUNNER_LINE_READ) {
    }
    assert_int_equal(runner->next(run, line, 10), GB_RUNNER_NOTHING);
    runner->stop(run, false);
    assert_int_equal(runner->next(run, line, 50), GB_RUNNER_NOTHING); /* it ignores that */
    runner->stop(run, true);
    runner->close(run, why);
    assert_string_equal(why, "signal 9");
    runner->free(runner);
}

static void test_runner_missing(void **state) {
    fixture *f = *state;
    gb_runner *runner;
    assert_int_equal(gb_runner_local(&runner, f->ctx, "/nonexistent/worker"), GB_ERR_NOT_FOUND);
    assert_null(runner);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test_setup_teardown(test_runner_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runner_long_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runner_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runner_missing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
