/* Workers as child processes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/job/runner.h"

typedef struct local_runner {
    gb_runner base;
    char *program;
} local_runner;

struct gb_runner_run {
    pid_t pid;
    int fd;
    bool end;
    size_t size; /* of text */
    char text[GB_RUNNER_LINE];
};

static gb_status spawn(pid_t *pid, gb_ctx *ctx, const char *program, const char *dir, int out) {
    /* Only the locale and the CPU choice reach the worker; it needs no other name or secret of our environment. */
    char cpu[32] = "GLOVEBOX_CPU=";
    const char *value = getenv("GLOVEBOX_CPU");
    if (value != NULL) snprintf(cpu, sizeof cpu, "GLOVEBOX_CPU=%.16s", value);
    char *const environment[] = {(char *)(uintptr_t) "LC_ALL=C", cpu, NULL};
    char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--job", (char *)(uintptr_t)dir, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0) return gb_fail(ctx, GB_ERR_MEMORY, "worker: no memory to start it");
    code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        sigemptyset(&none);
        sigfillset(&all);
        code = posix_spawnattr_setsigmask(&attributes, &none);
        if (code == 0) code = posix_spawnattr_setsigdefault(&attributes, &all);
        if (code == 0) code = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (code == 0) code = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        if (code == 0) code = posix_spawn_file_actions_adddup2(&actions, out, 1);
        if (code == 0) code = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        if (code == 0) code = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
        if (code == 0) code = posix_spawn(pid, program, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (code == 0) return GB_OK;
    errno = code;
    return gb_fail(ctx, code == ENOMEM || code == EAGAIN ? GB_ERR_MEMORY : GB_ERR_IO, "worker: cannot start %s: %s",
                   program, strerror(code));
}

static gb_status local_start(gb_runner_run **out, gb_ctx *ctx, gb_runner *base, const char *dir) {
    local_runner *r = (local_runner *)((char *)base - offsetof(local_runner, base));
    *out = NULL;
    gb_runner_run *run;
    GB_TRY(gb_alloc_zero(&run, ctx, 1, sizeof *run));
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        gb_free(run);
        return gb_fail_errno(ctx, "cannot make", "the worker's pipe");
    }
    gb_status status = spawn(&run->pid, ctx, r->program, dir, ends[1]);
    close(ends[1]);
    if (status != GB_OK) {
        close(ends[0]);
        gb_free(run);
        return status;
    }
    run->fd = ends[0];
    (void)fcntl(run->fd, F_SETFL, O_NONBLOCK);
    *out = run;
    return GB_OK;
}

/* Takes the first line out of the text; a full buffer without an end counts as a line. */
static bool take_line(gb_runner_run *run, char line[GB_RUNNER_LINE]) {
    char *end = memchr(run->text, '\n', run->size);
    size_t n = end != NULL ? (size_t)(end - run->text) : run->size;
    if (end == NULL && run->size < GB_RUNNER_LINE - 1 && !(run->end && run->size > 0)) return false;
    memcpy(line, run->text, n);
    line[n] = '\0';
    size_t used = end != NULL ? n + 1 : n;
    run->size -= used;
    memmove(run->text, run->text + used, run->size);
    return true;
}

static gb_runner_event local_next(gb_runner_run *run, char line[GB_RUNNER_LINE], int ms) {
    if (take_line(run, line)) return GB_RUNNER_LINE_READ;
    if (run->end) return GB_RUNNER_END;
    struct pollfd p = {.fd = run->fd, .events = POLLIN};
    if (poll(&p, 1, ms) <= 0) return GB_RUNNER_NOTHING;
    ssize_t got = read(run->fd, run->text + run->size, GB_RUNNER_LINE - 1 - run->size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return GB_RUNNER_NOTHING;
    if (got <= 0) run->end = true;
    if (got > 0) run->size += (size_t)got;
    if (take_line(run, line)) return GB_RUNNER_LINE_READ;
    return run->end ? GB_RUNNER_END : GB_RUNNER_NOTHING;
}

static void local_stop(gb_runner_run *run, bool now) { (void)kill(run->pid, now ? SIGKILL : SIGTERM); }

static void local_close(gb_runner_run *run, char why[64]) {
    int status = 0;
    why[0] = '\0';
    close(run->fd);
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status))
        snprintf(why, 64, "signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(why, 64, "exit code %d", WEXITSTATUS(status));
    gb_free(run);
}

static void local_free(gb_runner *base) {
    local_runner *r = (local_runner *)((char *)base - offsetof(local_runner, base));
    gb_free(r->program);
    gb_free(r);
}

gb_status gb_runner_local(gb_runner **out, gb_ctx *ctx, const char *program) {
    *out = NULL;
    if (access(program, X_OK) != 0) return gb_fail_errno(ctx, "worker: cannot run", program);
    local_runner *r;
    GB_TRY(gb_alloc_zero(&r, ctx, 1, sizeof *r));
    r->base = (gb_runner){local_start, local_next, local_stop, local_close, local_free};
    r->program = gb_strdup(ctx, program);
    if (r->program == NULL) {
        gb_free(r);
        return GB_ERR_MEMORY;
    }
    *out = &r->base;
    return GB_OK;
}
