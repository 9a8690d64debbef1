/* The worker's sandbox: what is denied, what still works. Each attempt runs in a child that enters the sandbox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "service/test/temp.h"
#include "service/worker/sandbox.h"

static char dir[64], inside[96], outside[96], target[96];

static int setup(void **state) {
    if (!temp_make(dir)) return 1;
    snprintf(outside, sizeof outside, "%s/outside", dir);
    snprintf(inside, sizeof inside, "%s/job", dir);
    snprintf(target, sizeof target, "%s/job/out", dir);
    if (mkdir(inside, 0700) != 0 || mkdir(target, 0700) != 0) return 1;
    snprintf(target, sizeof target, "%s/job/input", dir);
    return gb_file_write(NULL, target, "x", 1, 0600) == GB_OK && gb_file_write(NULL, outside, "x", 1, 0600) == GB_OK
               ? 0
               : 1;
}

static int teardown(void **state) {
    temp_remove(dir);
    return 0;
}

/* Runs attempt in a sandboxed child; its answer, 100 when the sandbox cannot be entered here, 200 + n for signal n. */
static int in_sandbox(int (*attempt)(bool landlock)) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        gb_ctx *ctx;
        bool landlock;
        gb_ctx_config c;
        gb_ctx_config_defaults(&c);
        c.threads = 1;
        if (gb_ctx_new(&ctx, &c) != GB_OK) _exit(101);
        if (gb_sandbox_enter(&landlock, ctx, inside, UINT64_C(1) << 30) != GB_OK) _exit(100);
        _exit(attempt(landlock));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 200 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define DENIED(call) ((call) < 0 && errno == EPERM ? 0 : 1)

static int try_socket(bool landlock) { return DENIED(socket(AF_INET, SOCK_STREAM, 0)); }
static int try_unix(bool landlock) { return DENIED(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int try_fork(bool landlock) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    return pid < 0 ? 0 : 1;
}
static int try_exec(bool landlock) { return DENIED(execl("/bin/true", "true", (char *)NULL)); }
static int try_ptrace(bool landlock) { return DENIED(ptrace(PTRACE_TRACEME, 0, NULL, NULL)); }
static int try_kill(bool landlock) { return DENIED(kill(getppid(), 0)); }
static int try_link(bool landlock) { return DENIED(symlink("/etc/passwd", "x")); }
/* The call itself: the C library (and a sanitizer in its place) would first signal every thread. */
static int try_privilege(bool landlock) { return DENIED(syscall(SYS_setuid, 0)); }

static int try_outside(bool landlock) {
    if (!landlock) return 77;
    if (open(outside, O_RDONLY) >= 0 || errno != EACCES) return 1;
    if (open("/etc/passwd", O_RDONLY) >= 0) return 2;
    return 0;
}
static int try_write_input(bool landlock) {
    if (!landlock) return 77;
    if (open(target, O_WRONLY) >= 0 || errno != EACCES) return 1;
    return unlink(target) == 0;
}

/* What a worker needs still works: reading the folder, writing whole files to out, threads, memory. */
static void *thread_main(void *user) {
    *(int *)user = 1;
    return NULL;
}
static int try_work(bool landlock) {
    uint8_t *data;
    size_t n;
    char path[160];
    gb_ctx *ctx;
    gb_ctx_config c;
    gb_ctx_config_defaults(&c);
    c.threads = 3;
    if (gb_ctx_new(&ctx, &c) != GB_OK) return 1;
    if (gb_file_read(&data, &n, ctx, target, 100) != GB_OK || n != 1) return 2;
    snprintf(path, sizeof path, "%s/out/00000000.tile", inside);
    if (gb_file_write(ctx, path, "tile", 4, 0600) != GB_OK) return 3;
    if (gb_file_read(&data, &n, ctx, path, 100) != GB_OK || n != 4) return 4;
    pthread_t thread;
    int ran = 0;
    if (pthread_create(&thread, NULL, thread_main, &ran) != 0 || pthread_join(thread, NULL) != 0 || ran != 1) return 5;
    void *big;
    if (gb_alloc(&big, ctx, 100 << 20, 1) != GB_OK) return 6;
    memset(big, 1, 100 << 20);
    gb_free(big);
    gb_ctx_free(ctx);
    return 0;
}

static int try_memory(bool landlock) {
    void *big;
    return gb_alloc(&big, NULL, (size_t)3 << 30, 1) == GB_OK; /* over the limit of 1 GiB */
}

static void expect_denied(int (*attempt)(bool landlock)) {
    int answer = in_sandbox(attempt);
    if (answer == 100) {
        print_message("# this kernel takes no system call filter: skipped\n");
        skip();
    }
    if (answer == 77) {
        print_message("# this kernel has no Landlock: skipped\n");
        skip();
    }
    assert_int_equal(answer, 0);
}

static void test_network(void **state) {
    expect_denied(try_socket);
    expect_denied(try_unix);
}
static void test_processes(void **state) {
    expect_denied(try_fork);
    expect_denied(try_exec);
    expect_denied(try_ptrace);
    expect_denied(try_kill);
}
static void test_privileges(void **state) {
    expect_denied(try_link);
    expect_denied(try_privilege);
}
static void test_files(void **state) {
    expect_denied(try_outside);
    expect_denied(try_write_input);
}
static void test_work(void **state) { expect_denied(try_work); }
static void test_memory(void **state) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the limit is not set under a sanitizer */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
    skip();
#endif
#endif
    expect_denied(try_memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_network), cmocka_unit_test(test_processes), cmocka_unit_test(test_privileges),
        cmocka_unit_test(test_files),   cmocka_unit_test(test_work),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
