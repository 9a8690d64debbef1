/* The folder store. Durable at publish: bytes fsynced, link made, folder fsynced; a link is made or not, so nobody ever
 * sees a part of an object. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/store/store.h"

#define HEX (2 * GB_HASH_BYTES)

/* What error sentences call this place: they reach clients, who have no use for our paths. */
static const char place[] = "the object store";

typedef struct folder_store {
    gb_store base;
    char *objects, *tmp;
    atomic_ullong serial; /* of temporaries */
} folder_store;

typedef struct folder_put {
    gb_store_put base;
    char *path; /* the temporary */
    crypto_generichash_state state;
    bool sealed;
} folder_put;

/* ---- file operations that tests can make fail ---- */

static atomic_ullong op_count, op_fail;

uint64_t gb_store_fail_at(uint64_t n) {
    atomic_store(&op_fail, n);
    return atomic_exchange(&op_count, 0);
}

/* Counts an operation; true when it is the one that must fail. */
static bool failing(void) {
    if (atomic_fetch_add(&op_count, 1) + 1 != atomic_load(&op_fail)) return false;
    errno = ENOSPC;
    return true;
}

static gb_status sync_fd(gb_ctx *ctx, int fd) {
    if (failing() || fsync(fd) != 0) return gb_fail_errno(ctx, "cannot write", place);
    return GB_OK;
}

static gb_status sync_dir(gb_ctx *ctx, const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return gb_fail_errno(ctx, "cannot open", place);
    gb_status status = sync_fd(ctx, fd);
    close(fd);
    return status;
}

/* ---- paths ---- */

/* objects/ab/<hex>; the folder alone when file is false. The buffers are PATH_MAX, dir is checked to leave room. */
static void object_path(char *out, const folder_store *s, const gb_hash *object, bool file) {
    char hex[HEX + 1];
    gb_hex(hex, object->b, GB_HASH_BYTES);
    if (file)
        snprintf(out, PATH_MAX, "%s/%.2s/%s", s->objects, hex, hex);
    else
        snprintf(out, PATH_MAX, "%s/%.2s", s->objects, hex);
}

/* ---- writing ---- */

static folder_put *put_of(gb_store_put *p) { return (folder_put *)((char *)p - offsetof(folder_put, base)); }
static folder_store *store_of(gb_store *s) { return (folder_store *)((char *)s - offsetof(folder_store, base)); }

static void put_discard(gb_store_put *put) {
    if (put == NULL) return;
    folder_put *p = put_of(put);
    if (put->fd >= 0) close(put->fd);
    if (p->path != NULL) (void)unlink(p->path);
    gb_free(p->path);
    gb_free(p);
}

static gb_status put_new(folder_put **out, gb_ctx *ctx, gb_store *store) {
    folder_store *s = store_of(store);
    folder_put *p;
    GB_TRY(gb_alloc_zero(&p, ctx, 1, sizeof *p));
    p->base.store = store;
    p->base.fd = -1;
    crypto_generichash_init(&p->state, NULL, 0, GB_HASH_BYTES);
    p->path = gb_format(ctx, "%s/%llu", s->tmp, (unsigned long long)atomic_fetch_add(&s->serial, 1));
    if (p->path == NULL) {
        gb_free(p);
        return GB_ERR_MEMORY;
    }
    *out = p;
    return GB_OK;
}

static gb_status folder_create(gb_store_put **out, gb_ctx *ctx, gb_store *store) {
    *out = NULL;
    folder_put *p;
    GB_TRY(put_new(&p, ctx, store));
    if (!failing()) p->base.fd = open(p->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (p->base.fd < 0) {
        gb_status status = gb_fail_errno(ctx, "cannot write", place);
        put_discard(&p->base);
        return status;
    }
    *out = &p->base;
    return GB_OK;
}

static gb_status folder_write(gb_store_put *put, gb_ctx *ctx, const void *data, size_t n) {
    folder_put *p = put_of(put);
    const uint8_t *at = data;
    crypto_generichash_update(&p->state, at, n);
    while (n > 0) {
        ssize_t done = failing() ? -1 : write(put->fd, at, n);
        if (done < 0) {
            if (errno == EINTR) continue;
            return gb_fail_errno(ctx, "cannot write", place);
        }
        at += done;
        n -= (size_t)done;
        put->size += (uint64_t)done;
    }
    return GB_OK;
}

static gb_status folder_seal(gb_store_put *put, gb_ctx *ctx) {
    folder_put *p = put_of(put);
    GB_TRY(sync_fd(ctx, put->fd));
    if (failing() || fchmod(put->fd, 0400) != 0) return gb_fail_errno(ctx, "cannot write", place);
    crypto_generichash_final(&p->state, put->hash.b, GB_HASH_BYTES);
    p->sealed = true;
    return GB_OK;
}

/* Hash of a file that is there already. */
static gb_status hash_file(folder_put *p, gb_ctx *ctx) {
    static const size_t step = (size_t)64 << 10;
    uint8_t *block;
    GB_TRY(gb_alloc(&block, ctx, step, 1));
    gb_status status = GB_OK;
    for (;;) {
        ssize_t got = read(p->base.fd, block, step);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = gb_fail_errno(ctx, "cannot read", place);
        if (got <= 0) break;
        crypto_generichash_update(&p->state, block, (size_t)got);
        p->base.size += (uint64_t)got;
    }
    gb_free(block);
    return status;
}

static gb_status folder_adopt(gb_store_put **out, gb_ctx *ctx, gb_store *store, const char *path) {
    *out = NULL;
    folder_put *p;
    GB_TRY(put_new(&p, ctx, store));
    gb_status status = GB_OK;
    struct stat info;
    /* The file may come from a worker we do not trust: neither a symbolic link nor a pipe may be followed or wait. */
    if (failing() || link(path, p->path) != 0 ||
        (p->base.fd = open(p->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) < 0 ||
        fstat(p->base.fd, &info) != 0)
        status = gb_fail_errno(ctx, "cannot take into", place);
    else if (!S_ISREG(info.st_mode))
        status = gb_fail(ctx, GB_ERR_FORMAT, "%s is not a regular file", path);
    if (status == GB_OK) status = hash_file(p, ctx);
    if (status == GB_OK) status = folder_seal(&p->base, ctx);
    if (status != GB_OK) {
        put_discard(&p->base);
        return status;
    }
    *out = &p->base;
    return GB_OK;
}

static gb_status folder_publish(gb_store_put *const *puts, size_t n, gb_ctx *ctx) {
    bool touched[256] = {false};
    char path[PATH_MAX];
    for (size_t i = 0; i < n; i++) {
        const folder_put *p = put_of(puts[i]);
        if (!p->sealed) return gb_fail(ctx, GB_ERR_INTERNAL, "an object was published before it was sealed");
        object_path(path, store_of(puts[i]->store), &puts[i]->hash, true);
        /* link, not rename: the temporary stays until discard, so a failure after this point can be tried again. */
        if (failing() || (link(p->path, path) != 0 && errno != EEXIST))
            return gb_fail_errno(ctx, "cannot write", place);
        touched[puts[i]->hash.b[0]] = true;
    }
    for (unsigned i = 0; n > 0 && i < 256; i++) {
        gb_hash first = {{(uint8_t)i}};
        if (!touched[i]) continue;
        object_path(path, store_of(puts[0]->store), &first, false);
        GB_TRY(sync_dir(ctx, path));
    }
    return GB_OK;
}

/* ---- reading and removing ---- */

static gb_status folder_open(int *fd, uint64_t *size, gb_ctx *ctx, gb_store *store, const gb_hash *object) {
    char path[PATH_MAX];
    struct stat info;
    object_path(path, store_of(store), object, true);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return gb_fail_errno(ctx, "cannot read", place);
    if (fstat(*fd, &info) != 0) {
        gb_status status = gb_fail_errno(ctx, "cannot read", place);
        close(*fd);
        return status;
    }
    *size = (uint64_t)info.st_size;
    return GB_OK;
}

static gb_status folder_share(gb_ctx *ctx, gb_store *store, const gb_hash *object, const char *path) {
    char from[PATH_MAX];
    object_path(from, store_of(store), object, true);
    if (failing() || (link(from, path) != 0 && errno != EEXIST)) return gb_fail_errno(ctx, "cannot read", place);
    return GB_OK;
}

static void folder_remove(gb_store *store, const gb_hash *object) {
    char path[PATH_MAX];
    object_path(path, store_of(store), object, true);
    (void)unlink(path); /* what could not be removed is an orphan, and tried again at the next start */
}

static gb_status list_folder(gb_ctx *ctx, const char *path, gb_status (*each)(void *user, const gb_hash *object),
                             void *user) {
    DIR *dir = opendir(path);
    if (dir == NULL) return gb_fail_errno(ctx, "cannot list", path);
    gb_status status = GB_OK;
    struct dirent *entry;
    while (status == GB_OK && (entry = readdir(dir)) != NULL) {
        gb_hash object;
        if (strlen(entry->d_name) == HEX && gb_unhex(object.b, GB_HASH_BYTES, entry->d_name))
            status = each(user, &object);
    }
    closedir(dir);
    return status;
}

static gb_status folder_list(gb_ctx *ctx, gb_store *store, gb_status (*each)(void *user, const gb_hash *object),
                             void *user) {
    gb_hash first = {{0}};
    char path[PATH_MAX];
    for (unsigned i = 0; i < 256; i++) {
        first.b[0] = (uint8_t)i;
        object_path(path, store_of(store), &first, false);
        GB_TRY(list_folder(ctx, path, each, user));
    }
    return GB_OK;
}

static void folder_free(gb_store *store) {
    folder_store *s = store_of(store);
    gb_free(s->objects);
    gb_free(s->tmp);
    gb_free(s);
}

static const gb_store_ops folder_ops = {
    .create = folder_create,
    .adopt = folder_adopt,
    .write = folder_write,
    .seal = folder_seal,
    .publish = folder_publish,
    .discard = put_discard,
    .open = folder_open,
    .share = folder_share,
    .remove = folder_remove,
    .list = folder_list,
    .free = folder_free,
};

/* ---- opening ---- */

static gb_status empty_tmp(gb_ctx *ctx, const char *path) {
    DIR *dir = opendir(path);
    if (dir == NULL) return gb_fail_errno(ctx, "cannot list", path);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.') (void)unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    return GB_OK;
}

static gb_status make_folders(gb_ctx *ctx, const folder_store *s) {
    char path[PATH_MAX];
    gb_hash first = {{0}};
    GB_TRY(gb_dir_make(ctx, s->objects, 0700));
    GB_TRY(gb_dir_make(ctx, s->tmp, 0700));
    for (unsigned i = 0; i < 256; i++) {
        first.b[0] = (uint8_t)i;
        object_path(path, s, &first, false);
        if (mkdir(path, 0700) != 0 && errno != EEXIST) return gb_fail_errno(ctx, "cannot make", path);
    }
    GB_TRY(sync_dir(ctx, s->objects));
    return empty_tmp(ctx, s->tmp);
}

gb_status gb_store_directory(gb_store **out, gb_ctx *ctx, const char *dir) {
    *out = NULL;
    if (strlen(dir) > PATH_MAX - 128) return gb_fail(ctx, GB_ERR_ARGUMENT, "data folder: the path is too long");
    folder_store *s;
    GB_TRY(gb_alloc_zero(&s, ctx, 1, sizeof *s));
    s->base.ops = &folder_ops;
    s->objects = gb_format(ctx, "%s/objects", dir);
    s->tmp = gb_format(ctx, "%s/tmp", dir);
    gb_status status = s->objects == NULL || s->tmp == NULL ? gb_ctx_status(ctx) : make_folders(ctx, s);
    if (status != GB_OK) {
        folder_free(&s->base);
        return status;
    }
    *out = &s->base;
    return GB_OK;
}
