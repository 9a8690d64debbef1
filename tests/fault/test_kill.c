/* kill -9 of the service and of workers, at random moments: nothing that was answered is lost, nothing half-written can
 * be seen, and the job finishes with the right result. The seed is printed; GLOVEBOX_FAULT_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "service/test/rig.h"

#define UPLOAD_KILLS 12
#define JOB_KILLS 8
#define WORKER_KILLS 2 /* fewer than a job's attempts */

static rig the_rig;
static rig_case the_case;
static gb_seed seed;
static uint64_t drawn;

/* 0 <= x < limit, from the seed. */
static unsigned draw(unsigned limit) {
    uint32_t x;
    gb_stream(&x, sizeof x, &seed, drawn++, 0, 0);
    return x % limit;
}

static int setup(void **state) {
    if (!rig_available()) return 0;
    const char *given = getenv("GLOVEBOX_FAULT_SEED");
    uint64_t number = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    memcpy(seed.b, &number, sizeof number);
    print_message("# GLOVEBOX_FAULT_SEED=%llu\n", (unsigned long long)number);
    rig_init(&the_rig);
    if (!rig_start(&the_rig)) return 1;
    rig_case_make(&the_case, &the_rig, 31, 256, 300, 64, 256);
    return 0;
}

static int teardown(void **state) {
    if (!rig_available()) return 0;
    rig_case_release(&the_case);
    rig_release(&the_rig);
    return 0;
}

/* A child that kills the service after `ms`. */
static pid_t killer(unsigned ms) {
    pid_t victim = the_rig.pid, pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) return pid;
    usleep(ms * 1000);
    kill(victim, SIGKILL);
    _exit(0);
}

static void await_kill(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(waitpid(the_rig.pid, &status, 0), the_rig.pid);
    the_rig.pid = 0;
}

/* Every file in objects/ is named by the hash of its bytes. When the service is idle, tmp/ is empty too (a job that has
 * just ended stores its result through it). Answers how many objects there are: orphans are found by counting. */
static size_t check_objects(bool idle) {
    size_t count = 0;
    char path[400];
    for (unsigned i = 0; i < 256; i++) {
        snprintf(path, sizeof path, "%s/objects/%02x", the_rig.data, i);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir)) != NULL;) {
            uint8_t *data;
            size_t n;
            gb_hash hash;
            char hex[72], file[700];
            if (e->d_name[0] == '.') continue;
            snprintf(file, sizeof file, "%s/%s", path, e->d_name);
            assert_int_equal(gb_file_read(&data, &n, the_rig.ctx, file, 1 << 26), GB_OK);
            gb_hash_of(&hash, data, n, NULL, 0);
            gb_hex(hex, hash.b, GB_HASH_BYTES);
            assert_string_equal(hex, e->d_name);
            gb_free(data);
            count++;
        }
        closedir(dir);
    }
    if (!idle) return count;
    snprintf(path, sizeof path, "%s/tmp", the_rig.data);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) assert_int_equal(e->d_name[0], '.');
    closedir(dir);
    return count;
}

/* Sends tiles until the service dies; marks those that were answered. True when all are there. */
static bool send_some(bool *answered) {
    size_t n = the_case.manifest.tile_count;
    for (size_t i = 0; i < n; i++) {
        int status;
        if (answered[i]) continue;
        if (!rig_send_tile(&the_case, &the_rig, i, &status)) return false;
        answered[i] = true;
    }
    return true;
}

static void test_kills_during_upload(void **state) {
    NEED_RIG();
    size_t n = the_case.manifest.tile_count;
    bool *answered;
    char path[200];
    int status;
    assert_int_equal(gb_alloc_zero(&answered, NULL, n, 1), GB_OK);
    snprintf(path, sizeof path, "/v1/workspaces/%s/datasets?nonce=f0", the_rig.workspace);
    json_t *a = rig_json(&the_rig, &status, "POST", path, the_case.draft_bytes.data, the_case.draft_bytes.size);
    assert_int_equal(status, 201);
    snprintf(the_case.dataset, sizeof the_case.dataset, "%s", rig_text(a, "id"));
    json_decref(a);
    for (int kill_number = 0; kill_number < UPLOAD_KILLS; kill_number++) {
        pid_t pid = killer(draw(60));
        if (send_some(answered)) memset(answered, 0, n); /* all there: send them again, which must be harmless */
        await_kill(pid);
        assert_true(rig_start(&the_rig));
        (void)check_objects(true);
        snprintf(path, sizeof path, "/v1/datasets/%s/missing", the_case.dataset);
        a = rig_json(&the_rig, &status, "GET", path, NULL, 0);
        assert_int_equal(status, 200);
        const json_t *missing = json_object_get(a, "missing");
        for (size_t i = 0; i < json_array_size(missing); i++) /* what was answered is there */
            assert_false(answered[json_integer_value(json_array_get(missing, i))]);
        json_decref(a);
    }
    gb_free(answered);
    assert_true(rig_send_dataset(&the_case, &the_rig, "f0"));
    for (size_t i = 0; i < n; i++) { /* byte for byte */
        reply r;
        snprintf(path, sizeof path, "/v1/datasets/%s/tiles/%zu", the_case.dataset, i);
        rig_call(&the_rig, &r, "GET", path, "", NULL, 0);
        assert_int_equal(r.status, 200);
        assert_int_equal(r.size, the_case.tiles[i].size);
        assert_memory_equal(r.body, the_case.tiles[i].data, r.size);
        reply_release(&r);
    }
}

static void finish_and_check(const char *job, int attempts_at_least) {
    json_t *a = rig_wait(&the_rig, job, 60);
    assert_non_null(a);
    if (strcmp(rig_text(a, "state"), "done") != 0)
        print_error("job: %s\n", rig_text(json_object_get(a, "error"), "message"));
    assert_string_equal(rig_text(a, "state"), "done");
    assert_true(rig_number(a, "attempts") >= attempts_at_least);
    const json_t *outputs = json_object_get(a, "outputs");
    assert_int_equal(json_array_size(outputs), 1); /* once, however often it was begun */
    assert_true(rig_check(&the_case, &the_rig, json_string_value(json_array_get(outputs, 0))) < 2e-3);
    json_decref(a);
}

static void test_kills_during_job(void **state) {
    NEED_RIG();
    char job[40];
    rig_send_program(&the_case, &the_rig);
    assert_true(rig_send_dataset(&the_case, &the_rig, "f0"));
    rig_submit(job, &the_case, &the_rig);
    for (int kill_number = 0; kill_number < JOB_KILLS; kill_number++) {
        await_kill(killer(draw(250)));
        assert_true(rig_start(&the_rig));
        (void)check_objects(false);
    }
    finish_and_check(job, 1);
}

/* The worker of the service, 0 when there is none now: the process whose parent it is. */
static pid_t find_worker(void) {
    DIR *dir = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *e; dir != NULL && found == 0 && (e = readdir(dir)) != NULL;) {
        char path[300], state;
        int pid = 0, parent = 0;
        if (e->d_name[0] < '1' || e->d_name[0] > '9') continue;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *f = fopen(path, "re");
        if (f == NULL) continue;
        if (fscanf(f, "%d (%*[^)]) %c %d", &pid, &state, &parent) == 3 && parent == the_rig.pid && state != 'Z')
            found = pid;
        fclose(f);
    }
    if (dir != NULL) closedir(dir);
    return found;
}

static void test_kills_of_worker(void **state) {
    NEED_RIG();
    char job[40];
    rig_send_program(&the_case, &the_rig);
    assert_true(rig_send_dataset(&the_case, &the_rig, "f0"));
    rig_submit(job, &the_case, &the_rig);
    int killed = 0;
    for (int i = 0; i < 2000 && killed < WORKER_KILLS; i++) {
        pid_t worker = find_worker();
        if (worker > 0 && kill(worker, SIGKILL) == 0) {
            killed++;
            usleep(50000);
        }
        usleep(2000);
    }
    assert_int_equal(killed, WORKER_KILLS);
    finish_and_check(job, 1 + WORKER_KILLS);
}

/* When all that refers to them is deleted, no objects are left but key set and program. */
static void test_nothing_is_left(void **state) {
    NEED_RIG();
    char path[200];
    int status;
    snprintf(path, sizeof path, "/v1/workspaces/%s/datasets", the_rig.workspace);
    json_t *a = rig_json(&the_rig, &status, "GET", path, NULL, 0);
    const json_t *list = json_object_get(a, "datasets");
    assert_int_equal(json_array_size(list), 3);
    for (size_t i = 0; i < json_array_size(list); i++) {
        snprintf(path, sizeof path, "/v1/datasets/%s", rig_text(json_array_get(list, i), "id"));
        json_decref(rig_json(&the_rig, &status, "DELETE", path, NULL, 0));
        assert_int_equal(status, 204);
    }
    json_decref(a);
    assert_int_equal(check_objects(true), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kills_during_upload),
        cmocka_unit_test(test_kills_during_job),
        cmocka_unit_test(test_kills_of_worker),
        cmocka_unit_test(test_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
