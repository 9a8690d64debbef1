/* The sandbox. Sources: Linux Documentation/userspace-api/seccomp_filter.rst and landlock.rst. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/worker/sandbox.h"

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "the worker's system call filter knows x86-64 and arm64; add this machine's audit architecture"
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if SANITIZED
/* The leak checker needs ptrace, which the filter denies; it would turn every end into a failure. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return 1; }
#endif

/* ---- system calls ---- */

static const unsigned allowed[] = {
    /* files already open or below the folder */
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_openat,
    SYS_close,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_lseek,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ftruncate,
    SYS_fchmod,
    SYS_renameat,
    SYS_renameat2,
    SYS_unlinkat,
    SYS_getdents64,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_fcntl,
    SYS_mkdirat,
    SYS_umask,
    /* memory */
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_membarrier,
    /* threads of this process (clone is looked at below) and signals to itself */
    SYS_futex,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_gettid,
    SYS_getpid,
    SYS_getppid,
    SYS_tgkill,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
    /* clocks, randomness, machine */
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_getrusage,
    SYS_sysinfo,
    SYS_uname,
    SYS_getcpu,
#if defined(__x86_64__)
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_rename,
    SYS_unlink,
    SYS_mkdir,
    SYS_chmod,
    SYS_time,
#endif
};

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define DENY (SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA))
#define HEAD 13 /* instructions before the list */
#define SECCOMP_LENGTH (HEAD + 2 * GB_COUNT(allowed) + 1)

/* Little-endian: the low word of an argument comes first. */
#define ARGUMENT_LOW(n) (offsetof(struct seccomp_data, args) + 8 * (n))

static gb_status filter_calls(gb_ctx *ctx) {
    struct sock_filter code[SECCOMP_LENGTH] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1), /* the x32 numbers of x86-64 */
        RETURN(SECCOMP_RET_KILL_PROCESS),
        /* clone3 keeps its flags in memory, where a filter cannot look: the C library then falls back to clone */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | (ENOSYS & SECCOMP_RET_DATA)),
        /* clone makes threads only: argument 0 has CLONE_THREAD */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT_LOW(0)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(DENY),
    };
    size_t at = HEAD;
    for (size_t i = 0; i < GB_COUNT(allowed); i++) {
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
        code[at++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    }
    code[at++] = (struct sock_filter)RETURN(DENY);
    struct sock_fprog program = {.len = (unsigned short)at, .filter = code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        return gb_fail(ctx, GB_ERR_UNSUPPORTED,
                       "worker: the kernel takes no system call filter (%s); run it on one "
                       "with seccomp",
                       strerror(errno));
    return GB_OK;
}

/* ---- files ---- */

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define RIGHTS_V1 ((UINT64_C(1) << 13) - 1) /* execute .. make_sym */
#define RIGHT_REFER (UINT64_C(1) << 13)     /* version 2 */
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)  /* version 3 */

static gb_status allow_path(gb_ctx *ctx, int rules, const char *path, uint64_t rights) {
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights};
    beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (beneath.parent_fd < 0) return gb_fail_errno(ctx, "worker: cannot open", path);
    long code = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    gb_status status = code == 0 ? GB_OK : gb_fail_errno(ctx, "worker: cannot restrict itself to", path);
    close(beneath.parent_fd);
    return status;
}

static gb_status restrict_files(bool *done, gb_ctx *ctx, const char *dir) {
    *done = false;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return GB_OK; /* not in this kernel */
    uint64_t truncate = version >= 3 ? RIGHT_TRUNCATE : 0;
    struct landlock_ruleset_attr all = {.handled_access_fs = RIGHTS_V1 | truncate | (version >= 2 ? RIGHT_REFER : 0)};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0) return gb_fail_errno(ctx, "worker: cannot restrict itself to", dir);
    char *out = gb_format(ctx, "%s/out", dir);
    gb_status status = out != NULL ? allow_path(ctx, rules, dir, READ_RIGHTS) : GB_ERR_MEMORY;
    if (status == GB_OK) status = allow_path(ctx, rules, out, READ_RIGHTS | WRITE_RIGHTS | truncate);
    if (status == GB_OK && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        status = gb_fail_errno(ctx, "worker: cannot restrict itself to", dir);
    close(rules);
    gb_free(out);
    *done = status == GB_OK;
    return status;
}

/* ---- limits ---- */

static gb_status limit(gb_ctx *ctx, int which, uint64_t value) {
    struct rlimit now;
    if (getrlimit(which, &now) != 0) return gb_fail_errno(ctx, "worker: cannot read", "its limits");
    if (now.rlim_max != RLIM_INFINITY && value > now.rlim_max) value = now.rlim_max;
    struct rlimit wanted = {value, value};
    return setrlimit(which, &wanted) == 0 ? GB_OK : gb_fail_errno(ctx, "worker: cannot set", "its limits");
}

gb_status gb_sandbox_enter(bool *landlock, gb_ctx *ctx, const char *dir, uint64_t memory) {
    pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0) != 0)
        return gb_fail_errno(ctx, "worker: cannot set", "its privileges");
    if (getppid() != parent) return gb_fail(ctx, GB_ERR_CANCELLED, "worker: its service is gone");
    GB_TRY(limit(ctx, RLIMIT_CORE, 0));
    GB_TRY(limit(ctx, RLIMIT_NOFILE, 256));
    if (!SANITIZED) GB_TRY(limit(ctx, RLIMIT_DATA, memory)); /* a sanitizer's shadow is larger than any machine */
    GB_TRY(restrict_files(landlock, ctx, dir));
    return filter_calls(ctx);
}
