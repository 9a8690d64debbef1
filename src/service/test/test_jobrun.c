/* Jobs with the real service and workers that behave, die, lie or hang. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/test/rig.h"

static rig the_rig;
static rig_case the_case;
static char script[96];

static int setup(void **state) {
    if (!rig_available()) return 0;
    rig_init(&the_rig);
    snprintf(script, sizeof script, "%s/worker", the_rig.dir);
    the_rig.options[0] = "--worker";
    the_rig.options[1] = script;
    char *text = gb_format(NULL, "#!/bin/sh\nexec %s \"$@\"\n", getenv("GLOVEBOX_WORKER"));
    bool good = gb_file_write(the_rig.ctx, script, text, strlen(text), 0700) == GB_OK && rig_start(&the_rig);
    gb_free(text);
    if (!good) return 1;
    rig_case_make(&the_case, &the_rig, 3, 40, 100, 4, 20);
    rig_send_program(&the_case, &the_rig);
    return rig_send_dataset(&the_case, &the_rig, "01") ? 0 : 1;
}

static int teardown(void **state) {
    if (!rig_available()) return 0;
    rig_case_release(&the_case);
    rig_release(&the_rig);
    return 0;
}

/* The worker from now on is this script; REAL in it stands for the real one's path, and D for the job's folder. */
static void set_worker(const char *body) {
    char *text =
        gb_format(NULL, "#!/bin/sh\nREAL=%s\nHERE=%s\nD=$2\n%s\n", getenv("GLOVEBOX_WORKER"), the_rig.dir, body);
    assert_int_equal(gb_file_write(the_rig.ctx, script, text, strlen(text), 0700), GB_OK);
    gb_free(text);
}

/* Runs the job with that worker and expects this end. */
static void expect_end(const char *body, const char *state, const char *code, const char *message, int attempts) {
    char job[40], path[200];
    set_worker(body);
    rig_submit(job, &the_case, &the_rig);
    json_t *a = rig_wait(&the_rig, job, 30);
    assert_non_null(a);
    const json_t *error = json_object_get(a, "error");
    assert_string_equal(rig_text(a, "state"), state);
    assert_string_equal(rig_text(error, "code"), code);
    if (strstr(rig_text(error, "message"), message) == NULL) print_error("message: %s\n", rig_text(error, "message"));
    assert_non_null(strstr(rig_text(error, "message"), message));
    assert_int_equal(rig_number(a, "attempts"), attempts);
    if (strcmp(state, "done") == 0)
        assert_true(
            rig_check(&the_case, &the_rig, json_string_value(json_array_get(json_object_get(a, "outputs"), 0))) < 2e-3);
    json_decref(a);
    snprintf(path, sizeof path, "%s/jobs/%s", the_rig.data, job);
    for (int i = 0; i < 500 && access(path, F_OK) == 0; i++) usleep(10000);
    assert_int_not_equal(access(path, F_OK), 0); /* nothing is left of it */
}

static void test_good(void **state) {
    NEED_RIG();
    expect_end("exec $REAL \"$@\"", "done", "", "", 1);
}

static void test_crashes(void **state) {
    NEED_RIG();
    expect_end("kill -9 $$", "failed", "ERR_INTERNAL", "ended early 3 times (signal 9)", 3);
    expect_end("exit 0", "failed", "ERR_INTERNAL", "no answer", 3);
    expect_end("echo done 1; exit 7", "failed", "ERR_INTERNAL", "exit code 7", 3);
    expect_end("if [ -e $HERE/once ]; then exec $REAL \"$@\"; fi; touch $HERE/once; kill -9 $$", "done", "", "", 2);
}

static void test_errors(void **state) {
    NEED_RIG();
    expect_end("echo error ERR_SPACE no room; exit 1", "failed", "ERR_SPACE", "no room", 1);
    expect_end("echo 'error ERR_NOISE x\377y'; exit 1", "failed", "ERR_NOISE", "x?y", 1);
}

static void test_lies(void **state) {
    NEED_RIG();
    expect_end("echo done 1", "failed", "ERR_INTERNAL", "made no tile 0", 1);
    expect_end("$REAL \"$@\"; rm -f $D/out/00000001.tile", "failed", "ERR_INTERNAL", "made no tile 1", 1);
    expect_end("$REAL \"$@\"; chmod u+w $D/out/*; echo x >> $D/out/00000000.tile", "failed", "ERR_FORMAT", "wrong size",
               1);
    expect_end("$REAL \"$@\"; rm $D/out/00000000.tile; ln -s /etc/passwd $D/out/00000000.tile", "failed", "ERR_IO", "",
               1);
    expect_end("$REAL \"$@\"; head -c $(stat -c %s $D/out/00000000.tile) /dev/zero > $D/t; mv $D/t "
               "$D/out/00000000.tile",
               "failed", "ERR_FORMAT", "", 1);
}

static void test_cancel(void **state) {
    NEED_RIG();
    char job[40], queued[40], path[200];
    int status;
    set_worker("trap '' TERM; echo progress wait 1 2; exec sleep 100");
    rig_submit(job, &the_case, &the_rig);
    rig_submit(queued, &the_case, &the_rig);
    snprintf(path, sizeof path, "/v1/jobs/%s", job);
    for (int i = 0; i < 1000; i++) {
        json_t *a = rig_json(&the_rig, &status, "GET", path, NULL, 0);
        bool there = strcmp(rig_text(a, "stage"), "wait") == 0;
        json_decref(a);
        if (there) break;
        usleep(10000);
    }
    snprintf(path, sizeof path, "/v1/datasets/%s", the_case.dataset);
    json_decref(rig_json(&the_rig, &status, "DELETE", path, NULL, 0));
    assert_int_equal(status, 409); /* the job reads it */
    const char *const both[] = {queued, job};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/v1/jobs/%s/cancel", both[i]);
        json_t *a = rig_json(&the_rig, &status, "POST", path, NULL, 0);
        assert_int_equal(status, 200);
        assert_string_equal(rig_text(a, "state"), "cancelled");
        json_decref(a);
        a = rig_json(&the_rig, &status, "POST", path, NULL, 0);
        assert_int_equal(status, 200); /* again is fine */
        json_decref(a);
    }
    /* the worker, deaf to SIGTERM, is killed after a while, and the next job runs */
    expect_end("exec $REAL \"$@\"", "done", "", "", 1);
}

/* A stop in the middle puts the job back; the next start finishes it. */
static void test_stop_and_go_on(void **state) {
    NEED_RIG();
    char job[40];
    set_worker("echo progress wait 1 2; exec sleep 100");
    rig_submit(job, &the_case, &the_rig);
    usleep(300000);
    int status = rig_stop(&the_rig, SIGTERM);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    set_worker("exec $REAL \"$@\"");
    assert_true(rig_start(&the_rig));
    json_t *a = rig_wait(&the_rig, job, 30);
    assert_non_null(a);
    assert_string_equal(rig_text(a, "state"), "done");
    json_decref(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_crashes), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_lies), cmocka_unit_test(test_cancel),  cmocka_unit_test(test_stop_and_go_on),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
