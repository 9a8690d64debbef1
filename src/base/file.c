/* base/file: whole files in, whole files out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

gb_status gb_fail_errno(gb_ctx *ctx, const char *what, const char *path) {
    int error = errno;
    gb_status code = GB_ERR_IO;
    if (error == ENOENT || error == ENOTDIR) code = GB_ERR_NOT_FOUND;
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) code = GB_ERR_SPACE;
    if (error == EEXIST) code = GB_ERR_EXISTS;
    if (error == ENOMEM) code = GB_ERR_MEMORY;
    char text[128];
    return gb_fail(ctx, code, "%s %s: %s", what, path, strerror_r(error, text, sizeof text));
}

static gb_status read_all(gb_buffer *out, gb_ctx *ctx, int fd, const char *path, size_t max) {
    struct stat st;
    if (fstat(fd, &st) != 0) return gb_fail_errno(ctx, "cannot read", path);
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
        return gb_fail(ctx, GB_ERR_LIMIT, "%s has %lld bytes, over the limit of %zu", path, (long long)st.st_size, max);
    /* One byte more than expected shows the end of an unchanged file without growing. */
    size_t want = S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : 65536;
    for (;;) {
        size_t have = out->size;
        uint8_t *space = gb_write_space(out, want);
        if (space == NULL) return gb_fail(ctx, GB_ERR_MEMORY, "out of memory: %s, %zu bytes", path, have + want);
        ssize_t got = read(fd, space, want);
        out->size = have + (got > 0 ? (size_t)got : 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return gb_fail_errno(ctx, "cannot read", path);
        if (got == 0) return GB_OK;
        if (out->size > max) return gb_fail(ctx, GB_ERR_LIMIT, "%s has more bytes than the limit of %zu", path, max);
        want = gb_max_size(want - (size_t)got, 1);
        if (!S_ISREG(st.st_mode)) want = 65536;
    }
}

gb_status gb_file_read(uint8_t **out, size_t *n, gb_ctx *ctx, const char *path, size_t max) {
    *out = NULL;
    *n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return gb_fail_errno(ctx, "cannot read", path);
    gb_buffer b = GB_BUFFER_INIT;
    gb_status status = read_all(&b, ctx, fd, path, max);
    close(fd);
    if (status != GB_OK) {
        gb_buffer_release(&b);
        return status;
    }
    *out = b.data;
    *n = b.size;
    return GB_OK;
}

static gb_status write_all(gb_ctx *ctx, int fd, const char *path, const uint8_t *data, size_t n) {
    while (n > 0) {
        ssize_t put = write(fd, data, n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return gb_fail_errno(ctx, "cannot write", path);
        data += put;
        n -= (size_t)put;
    }
    if (fsync(fd) != 0) return gb_fail_errno(ctx, "cannot write", path);
    return GB_OK;
}

/* A rename is durable once the folder that holds the name is on disk. */
static gb_status sync_folder(gb_ctx *ctx, const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? gb_strdup(ctx, ".")
                   : slash == path ? gb_strdup(ctx, "/")
                                   : gb_format(ctx, "%.*s", (int)(slash - path), path);
    if (folder == NULL) return GB_ERR_MEMORY;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gb_status status = GB_OK;
    /* Some file systems cannot sync a folder (EINVAL); there is nothing more to be done on those. */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL)) status = gb_fail_errno(ctx, "cannot sync folder", folder);
    if (fd >= 0) close(fd);
    gb_free(folder);
    return status;
}

gb_status gb_file_write(gb_ctx *ctx, const char *path, const void *data, size_t n, int mode) {
    uint8_t random[8];
    char tail[2 * sizeof random + 1];
    gb_random_bytes(random, sizeof random);
    gb_hex(tail, random, sizeof random);
    char *temporary = gb_format(ctx, "%s.tmp-%s", path, tail);
    if (temporary == NULL) return GB_ERR_MEMORY;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0) {
        gb_status status = gb_fail_errno(ctx, "cannot write", path);
        gb_free(temporary);
        return status;
    }
    gb_status status = write_all(ctx, fd, path, data, n);
    if (close(fd) != 0 && status == GB_OK) status = gb_fail_errno(ctx, "cannot write", path);
    if (status == GB_OK && rename(temporary, path) != 0) status = gb_fail_errno(ctx, "cannot write", path);
    if (status != GB_OK)
        unlink(temporary);
    else
        status = sync_folder(ctx, path);
    gb_free(temporary);
    return status;
}

gb_status gb_dir_make(gb_ctx *ctx, const char *path, int mode) {
    char *part = gb_strdup(ctx, path);
    if (part == NULL) return GB_ERR_MEMORY;
    gb_status status = GB_OK;
    for (char *p = part + (*part == '/'); status == GB_OK; p++) {
        if (*p != '/' && *p != 0) continue;
        char end = *p;
        *p = 0;
        struct stat st;
        if (*part != 0 && mkdir(part, (mode_t)mode) != 0 &&
            (errno != EEXIST || stat(part, &st) != 0 || !S_ISDIR(st.st_mode)))
            status = gb_fail_errno(ctx, "cannot make folder", part);
        *p = end;
        if (end == 0) break;
    }
    gb_free(part);
    return status;
}

double gb_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
