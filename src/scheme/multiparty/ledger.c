/* scheme/multiparty/ledger: entries in memory and in a file that only grows. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scheme/multiparty/internal.h"

gb_status gb_ledger_lookup(gb_buffer *out, gb_ctx *ctx, const gb_ledger *l, const gb_hash *subject,
                           const gb_hash *request, bool *found) {
    gb_hash had;
    gb_buffer share = GB_BUFFER_INIT;
    *found = false;
    gb_status status = l->find(l->user, ctx, subject, found, &had, &share);
    if (status == GB_OK && *found && !gb_hash_equal(&had, request))
        status = gb_fail(ctx, GB_ERR_STATE,
                         "this party has answered another request for this ciphertext; a second share would give its "
                         "secret away: evaluate the result anew from fresh inputs");
    if (status == GB_OK && *found) {
        gb_write_bytes(out, share.data, share.size);
        if (out->status != GB_OK) status = gb_fail(ctx, out->status, "out of memory answering from the ledger");
    }
    gb_buffer_release(&share);
    return status;
}

/* ---- the index both share ---- */
typedef struct entry {
    gb_hash subject, request;
    uint64_t at; /* of the share: offset in the file, or address */
    uint64_t size;
    bool damaged; /* the share is not what was written: the subject stays closed */
} entry;

typedef struct ledger_index {
    entry *entries;
    size_t count, capacity;
} ledger_index;

static const entry *index_find(const ledger_index *x, const gb_hash *subject) {
    for (size_t i = 0; i < x->count; i++)
        if (gb_hash_equal(&x->entries[i].subject, subject)) return &x->entries[i];
    return NULL;
}

static gb_status index_reserve(ledger_index *x, gb_ctx *ctx) {
    if (x->count < x->capacity) return GB_OK;
    entry *bigger;
    size_t capacity = x->capacity ? 2 * x->capacity : 16;
    GB_TRY(gb_alloc(&bigger, ctx, capacity, sizeof *bigger));
    if (x->count) memcpy(bigger, x->entries, x->count * sizeof *bigger);
    gb_free(x->entries);
    x->entries = bigger;
    x->capacity = capacity;
    return GB_OK;
}

static gb_status have_already(gb_ctx *ctx) {
    return gb_fail(ctx, GB_ERR_EXISTS, "the ledger has an answer for this ciphertext");
}

/* ---- in memory ---- */
struct gb_ledger_memory {
    pthread_mutex_t lock;
    ledger_index index;
};

gb_status gb_ledger_memory_new(gb_ledger_memory **out, gb_ctx *ctx) {
    GB_TRY(gb_alloc_zero(out, ctx, 1, sizeof **out));
    pthread_mutex_init(&(*out)->lock, NULL);
    return GB_OK;
}

void gb_ledger_memory_free(gb_ledger_memory *m) {
    if (!m) return;
    for (size_t i = 0; i < m->index.count; i++) gb_free((void *)(uintptr_t)m->index.entries[i].at);
    gb_free(m->index.entries);
    pthread_mutex_destroy(&m->lock);
    gb_free(m);
}

static gb_status memory_find(void *user, gb_ctx *ctx, const gb_hash *subject, bool *found, gb_hash *request,
                             gb_buffer *share) {
    gb_ledger_memory *m = user;
    pthread_mutex_lock(&m->lock);
    const entry *e = index_find(&m->index, subject);
    *found = e != NULL;
    if (e) {
        *request = e->request;
        gb_write_bytes(share, (const void *)(uintptr_t)e->at, e->size);
    }
    pthread_mutex_unlock(&m->lock);
    return share->status == GB_OK ? GB_OK : gb_fail(ctx, share->status, "out of memory reading the ledger");
}

static gb_status memory_add(gb_ledger_memory *m, gb_ctx *ctx, const gb_hash *subject, const gb_hash *request,
                            const uint8_t *share, size_t n) {
    uint8_t *copy;
    if (index_find(&m->index, subject)) return have_already(ctx);
    GB_TRY(index_reserve(&m->index, ctx));
    GB_TRY(gb_alloc(&copy, ctx, n, 1));
    memcpy(copy, share, n);
    m->index.entries[m->index.count++] = (entry){*subject, *request, (uint64_t)(uintptr_t)copy, n, false};
    return GB_OK;
}

static gb_status memory_record(void *user, gb_ctx *ctx, const gb_hash *subject, const gb_hash *request,
                               const uint8_t *share, size_t n) {
    gb_ledger_memory *m = user;
    pthread_mutex_lock(&m->lock);
    gb_status status = memory_add(m, ctx, subject, request, share, n);
    pthread_mutex_unlock(&m->lock);
    return status;
}

gb_ledger gb_ledger_of_memory(gb_ledger_memory *m) { return (gb_ledger){m, memory_find, memory_record}; }

/* ---- in a file ----
 * "GBLEDGR1", then entries: head = "GBLE", subject, request, bytes of the share (64 bits), hash of the head so far;
 * the share; its hash. Head and share have hashes of their own so that damage to a share leaves its subject known. */
static const uint8_t file_magic[8] = {'G', 'B', 'L', 'E', 'D', 'G', 'R', '1'}, entry_magic[4] = {'G', 'B', 'L', 'E'};
#define HEAD_TEXT (4 + 2 * GB_HASH_BYTES + 8)
#define HEAD (HEAD_TEXT + GB_HASH_BYTES)
#define SHARE_MAX (UINT64_C(1) << 34)

struct gb_ledger_file {
    pthread_mutex_t lock;
    int fd;
    char *path;
    uint64_t end;  /* everything before is whole */
    bool unusable; /* a write failed and could not be taken back */
    ledger_index index;
};

static gb_status read_at(gb_ledger_file *f, gb_ctx *ctx, void *out, size_t n, uint64_t at) {
    for (uint8_t *to = out; n > 0;) {
        ssize_t got = pread(f->fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return gb_fail_errno(ctx, "cannot read ledger", f->path);
        if (got == 0) return gb_fail(ctx, GB_ERR_TRUNCATED, "ledger %s ends early", f->path);
        to += got, n -= (size_t)got, at += (uint64_t)got;
    }
    return GB_OK;
}

static gb_status write_at(gb_ledger_file *f, gb_ctx *ctx, const void *data, size_t n, uint64_t at) {
    for (const uint8_t *from = data; n > 0;) {
        ssize_t put = pwrite(f->fd, from, n, (off_t)at);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return gb_fail_errno(ctx, "cannot write ledger", f->path);
        from += put, n -= (size_t)put, at += (uint64_t)put;
    }
    return GB_OK;
}

/* The share at `at` and its hash; *whole says whether they agree. */
static gb_status read_share(gb_ledger_file *f, gb_ctx *ctx, gb_buffer *out, uint64_t at, uint64_t size, bool *whole) {
    gb_hash want, have;
    size_t before = out->size;
    uint8_t *space = gb_write_space(out, size);
    if (!space) return gb_fail(ctx, out->status, "out of memory reading ledger %s", f->path);
    GB_TRY(read_at(f, ctx, space, size, at));
    GB_TRY(read_at(f, ctx, &want, sizeof want, at + size));
    gb_hash_of(&have, out->data + before, size, NULL, 0);
    *whole = gb_hash_equal(&want, &have);
    return GB_OK;
}

/* Nothing but zeros from `at` to the end: space that a crash left behind before its content was written. */
static gb_status only_zeros(gb_ledger_file *f, gb_ctx *ctx, uint64_t at, uint64_t size, bool *zeros) {
    uint8_t block[4096], any = 0;
    while (at < size && !any) {
        size_t n = (size_t)(size - at < sizeof block ? size - at : sizeof block);
        GB_TRY(read_at(f, ctx, block, n, at));
        for (size_t i = 0; i < n; i++) any |= block[i];
        at += n;
    }
    *zeros = !any;
    return GB_OK;
}

/* Reads the entry at f->end. *more: there was a whole one, and f->end stands behind it. */
static gb_status read_entry(gb_ledger_file *f, gb_ctx *ctx, uint64_t size, bool *more) {
    uint8_t head[HEAD];
    gb_hash h;
    bool whole = false, zeros;
    *more = false;
    if (size - f->end < HEAD) return GB_OK; /* cut short: it never left */
    GB_TRY(read_at(f, ctx, head, HEAD, f->end));
    gb_hash_of(&h, head, HEAD_TEXT, NULL, 0);
    gb_reader in = gb_reader_init(head + 4 + 2 * GB_HASH_BYTES, 8);
    uint64_t n = gb_read_u64(&in);
    if (memcmp(head, entry_magic, 4) != 0 || memcmp(head + HEAD_TEXT, h.b, GB_HASH_BYTES) != 0 || n > SHARE_MAX) {
        GB_TRY(only_zeros(f, ctx, f->end, size, &zeros));
        if (zeros) return GB_OK;
        return gb_fail(ctx, GB_ERR_FORMAT,
                       "ledger %s is damaged at byte %llu; what it knew is lost: replace the joint key", f->path,
                       (unsigned long long)f->end);
    }
    if (size - f->end - HEAD < n + GB_HASH_BYTES) return GB_OK;
    GB_TRY(index_reserve(&f->index, ctx));
    entry *e = &f->index.entries[f->index.count];
    memcpy(e->subject.b, head + 4, GB_HASH_BYTES);
    memcpy(e->request.b, head + 4 + GB_HASH_BYTES, GB_HASH_BYTES);
    e->at = f->end + HEAD;
    e->size = n;
    gb_buffer share = GB_BUFFER_INIT;
    gb_status status = read_share(f, ctx, &share, e->at, n, &whole);
    gb_buffer_release(&share);
    GB_TRY(status);
    e->damaged = !whole;
    f->index.count++;
    f->end += HEAD + n + GB_HASH_BYTES;
    *more = true;
    return GB_OK;
}

static gb_status sync_folder_of(gb_ctx *ctx, const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? gb_format(ctx, "%.*s", (int)(slash == path ? 1 : slash - path), path) : gb_strdup(ctx, ".");
    if (!folder) return GB_ERR_MEMORY;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gb_status status = GB_OK;
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL)) status = gb_fail_errno(ctx, "cannot sync folder", folder);
    if (fd >= 0) close(fd);
    gb_free(folder);
    return status;
}

/* The file is ours: reads all entries and drops what a crash left at the end. */
static gb_status load(gb_ledger_file *f, gb_ctx *ctx) {
    struct stat st;
    uint8_t mark[sizeof file_magic];
    bool more = true;
    if (fstat(f->fd, &st) != 0) return gb_fail_errno(ctx, "cannot read ledger", f->path);
    uint64_t size = (uint64_t)st.st_size;
    f->end = sizeof file_magic;
    if (size < sizeof mark) { /* new, or cut short before its first entry */
        if (ftruncate(f->fd, 0) != 0) return gb_fail_errno(ctx, "cannot write ledger", f->path);
        GB_TRY(write_at(f, ctx, file_magic, sizeof file_magic, 0));
        if (fsync(f->fd) != 0) return gb_fail_errno(ctx, "cannot write ledger", f->path);
        return sync_folder_of(ctx, f->path);
    }
    GB_TRY(read_at(f, ctx, mark, sizeof mark, 0));
    if (memcmp(mark, file_magic, sizeof mark) != 0)
        return gb_fail(ctx, GB_ERR_FORMAT, "%s is not a ledger of this version", f->path);
    while (more && f->end < size) GB_TRY(read_entry(f, ctx, size, &more));
    if (f->end == size) return GB_OK;
    if (ftruncate(f->fd, (off_t)f->end) != 0 || fsync(f->fd) != 0)
        return gb_fail_errno(ctx, "cannot write ledger", f->path);
    return GB_OK;
}

gb_status gb_ledger_file_open(gb_ledger_file **out, gb_ctx *ctx, const char *path) {
    gb_ledger_file *f;
    *out = NULL;
    GB_TRY(gb_alloc_zero(&f, ctx, 1, sizeof *f));
    pthread_mutex_init(&f->lock, NULL);
    f->fd = -1;
    f->path = gb_strdup(ctx, path);
    gb_status status = f->path ? GB_OK : GB_ERR_MEMORY;
    if (status == GB_OK) {
        f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (f->fd < 0) status = gb_fail_errno(ctx, "cannot open ledger", path);
    }
    if (status == GB_OK && flock(f->fd, LOCK_EX | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK ? gb_fail(ctx, GB_ERR_STATE, "ledger %s is in use by another process", path)
                                      : gb_fail_errno(ctx, "cannot lock ledger", path);
    if (status == GB_OK) status = load(f, ctx);
    if (status != GB_OK) {
        gb_ledger_file_close(f);
        return status;
    }
    *out = f;
    return GB_OK;
}

void gb_ledger_file_close(gb_ledger_file *f) {
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    gb_free(f->path);
    gb_free(f->index.entries);
    pthread_mutex_destroy(&f->lock);
    gb_free(f);
}

static gb_status file_find(void *user, gb_ctx *ctx, const gb_hash *subject, bool *found, gb_hash *request,
                           gb_buffer *share) {
    gb_ledger_file *f = user;
    bool whole = true;
    gb_status status = GB_OK;
    pthread_mutex_lock(&f->lock);
    const entry *e = index_find(&f->index, subject);
    *found = e != NULL;
    if (e) {
        *request = e->request;
        status = read_share(f, ctx, share, e->at, e->size, &whole);
        if (status == GB_OK && (e->damaged || !whole))
            status = gb_fail(ctx, GB_ERR_HASH,
                             "ledger %s: the share for this ciphertext is damaged, and no other may be "
                             "made; evaluate the result anew",
                             f->path);
    }
    pthread_mutex_unlock(&f->lock);
    return status;
}

static gb_status append(gb_ledger_file *f, gb_ctx *ctx, const gb_buffer *b) {
    gb_status status = write_at(f, ctx, b->data, b->size, f->end);
    if (status == GB_OK && fsync(f->fd) != 0) status = gb_fail_errno(ctx, "cannot write ledger", f->path);
    /* What is there in part must not be followed by anything; after a failed sync nothing about the file is sure. */
    if (status != GB_OK && (ftruncate(f->fd, (off_t)f->end) != 0 || fsync(f->fd) != 0)) f->unusable = true;
    return status;
}

static gb_status file_add(gb_ledger_file *f, gb_ctx *ctx, const gb_hash *subject, const gb_hash *request,
                          const uint8_t *share, size_t n) {
    gb_buffer b = GB_BUFFER_INIT;
    gb_hash h;
    if (f->unusable) return gb_fail(ctx, GB_ERR_IO, "ledger %s failed to write before; open it again", f->path);
    if (index_find(&f->index, subject)) return have_already(ctx);
    if (n > SHARE_MAX) return gb_fail(ctx, GB_ERR_LIMIT, "a share of %zu bytes is over the ledger's limit", n);
    GB_TRY(index_reserve(&f->index, ctx));
    gb_write_bytes(&b, entry_magic, sizeof entry_magic);
    gb_write_bytes(&b, subject->b, GB_HASH_BYTES);
    gb_write_bytes(&b, request->b, GB_HASH_BYTES);
    gb_write_u64(&b, n);
    if (b.status == GB_OK) gb_hash_of(&h, b.data, HEAD_TEXT, NULL, 0);
    gb_write_bytes(&b, h.b, GB_HASH_BYTES);
    gb_write_bytes(&b, share, n);
    gb_hash_of(&h, share, n, NULL, 0);
    gb_write_bytes(&b, h.b, GB_HASH_BYTES);
    gb_status status = b.status == GB_OK ? append(f, ctx, &b) : gb_fail(ctx, b.status, "out of memory: ledger");
    if (status == GB_OK) {
        f->index.entries[f->index.count++] = (entry){*subject, *request, f->end + HEAD, n, false};
        f->end += b.size;
    }
    gb_buffer_release(&b);
    return status;
}

static gb_status file_record(void *user, gb_ctx *ctx, const gb_hash *subject, const gb_hash *request,
                             const uint8_t *share, size_t n) {
    gb_ledger_file *f = user;
    pthread_mutex_lock(&f->lock);
    gb_status status = file_add(f, ctx, subject, request, share, n);
    pthread_mutex_unlock(&f->lock);
    return status;
}

gb_ledger gb_ledger_of_file(gb_ledger_file *f) { return (gb_ledger){f, file_find, file_record}; }
