/* A full disk: the data folder is a tiny memory file system in the service's own mount namespace (root only). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/test/rig.h"

#define DISK "size=16m"

static rig the_rig;
static rig_case the_case;
static bool can_mount, running;

static bool mount_small(rig *r) {
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", r->data, "tmpfs", MS_NOSUID | MS_NODEV, DISK ",mode=0700") == 0;
}

/* Where we see what the service sees: its root folder through /proc. */
static void inside(char *out, size_t n, const char *rest) {
    snprintf(out, n, "/proc/%d/root%s/%s", (int)the_rig.pid, the_rig.data, rest);
}

static bool try_mount(void) {
    pid_t pid = fork();
    if (pid == 0) _exit(mount_small(&the_rig) ? 0 : 77);
    int status = 1;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The rig waits for DATA/address, which only the service sees: so the folder is reached through /proc. */
static bool start_on_small_disk(void) {
    the_rig.in_child = mount_small;
    rig_launch(&the_rig);
    for (int i = 0; i < 2000; i++) {
        char path[300];
        uint8_t *text;
        size_t n;
        inside(path, sizeof path, "address");
        if (gb_file_read(&text, &n, the_rig.ctx, path, 100) == GB_OK) {
            gb_free(text);
            char data[sizeof the_rig.data];
            memcpy(data, the_rig.data, sizeof data);
            int length = snprintf(path, sizeof path, "/proc/%d/root%s", (int)the_rig.pid, data);
            assert_true(length < (int)sizeof the_rig.data);
            memcpy(the_rig.data, path, (size_t)length + 1);
            bool good = rig_attach(&the_rig);
            memcpy(the_rig.data, data, sizeof data);
            return good;
        }
        usleep(5000);
    }
    return false;
}

static int setup(void **state) {
    if (!rig_available()) return 0;
    rig_init(&the_rig);
    running = mkdir(the_rig.data, 0700) == 0;
    can_mount = running && try_mount();
    if (!can_mount) return 0;
    if (!start_on_small_disk()) return 1;
    rig_case_make(&the_case, &the_rig, 8, 64, 200, 8, 64);
    return 0;
}

static int teardown(void **state) {
    if (can_mount) rig_case_release(&the_case);
    if (running) rig_release(&the_rig);
    return 0;
}

#define NEED_DISK()                                                                                                    \
    do {                                                                                                               \
        if (!can_mount) {                                                                                              \
            print_message("# no file system can be mounted here (root is needed), or no programs: skipped\n");         \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)

static size_t files_in(const char *folder) {
    char path[300];
    size_t n = 0;
    inside(path, sizeof path, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* Fills the disk but for `left` bytes. */
static void fill(size_t left) {
    char path[300];
    struct statvfs info;
    inside(path, sizeof path, "filler");
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fstatvfs(fileno(f), &info), 0);
    size_t available = (size_t)info.f_bavail * info.f_bsize;
    for (size_t at = 0; at + left + 4096 <= available; at += 4096) {
        char page[4096] = {1};
        if (fwrite(page, 1, sizeof page, f) != sizeof page) break;
    }
    (void)fclose(f);
}

static void empty(void) {
    char path[300];
    inside(path, sizeof path, "filler");
    assert_int_equal(unlink(path), 0);
}

static void test_upload(void **state) {
    NEED_DISK();
    char path[200];
    int status;
    snprintf(path, sizeof path, "/v1/workspaces/%s/datasets?nonce=0a", the_rig.workspace);
    json_t *a = rig_json(&the_rig, &status, "POST", path, the_case.draft_bytes.data, the_case.draft_bytes.size);
    assert_int_equal(status, 201);
    snprintf(the_case.dataset, sizeof the_case.dataset, "%s", rig_text(a, "id"));
    json_decref(a);
    fill(4096); /* room for less than a tile */
    assert_true(the_case.tiles[0].size > 4096);
    assert_false(rig_send_tile(&the_case, &the_rig, 0, &status));
    assert_int_equal(status, 507);
    assert_int_equal(files_in("tmp"), 0); /* nothing is left of it */
    snprintf(path, sizeof path, "/v1/datasets/%s", the_case.dataset);
    a = rig_json(&the_rig, &status, "GET", path, NULL, 0); /* reading still works */
    assert_int_equal(status, 200);
    assert_int_equal(rig_number(a, "received"), 0);
    json_decref(a);
    fill(0);
    a = rig_json(&the_rig, &status, "POST", "/v1/workspaces", "{\"name\":\"x\"}", 12);
    assert_true(status == 507 || status == 201); /* the log of the database may have had a page of room */
    json_decref(a);
    empty();
    assert_true(rig_send_dataset(&the_case, &the_rig, "0a")); /* and with room again it goes on */
}

static void test_job(void **state) {
    NEED_DISK();
    char job[40];
    rig_send_program(&the_case, &the_rig);
    fill(98304); /* for the job's folder and the word that it failed, not for the result */
    rig_submit(job, &the_case, &the_rig);
    json_t *a = rig_wait(&the_rig, job, 60);
    assert_non_null(a);
    assert_string_equal(rig_text(a, "state"), "failed");
    assert_string_equal(rig_text(json_object_get(a, "error"), "code"), "ERR_SPACE");
    json_decref(a);
    for (int i = 0; i < 300 && files_in("jobs") > 0; i++) usleep(10000);
    assert_int_equal(files_in("jobs"), 0);
    assert_int_equal(files_in("tmp"), 0);
    empty();
    rig_submit(job, &the_case, &the_rig);
    a = rig_wait(&the_rig, job, 60);
    assert_non_null(a);
    assert_string_equal(rig_text(a, "state"), "done");
    const char *output = json_string_value(json_array_get(json_object_get(a, "outputs"), 0));
    assert_true(rig_check(&the_case, &the_rig, output) < 2e-3);
    json_decref(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_upload), cmocka_unit_test(test_job)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
