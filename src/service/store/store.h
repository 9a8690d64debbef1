/* service/store: immutable objects named by the BLAKE2b-256 of their bytes. A seam: another store (S3) is another
 * gb_store_ops and one line in main.
 *
 * An object is written in three steps: create and write (nothing is visible), seal (the bytes are durable, hash and
 * size are known, fd can be read), publish (it appears whole under its hash, durably; publishing what is there already
 * is OK). discard may be called at any step and always must be at the end; what was published stays. Every call may
 * come from any thread; one put belongs to one thread at a time. */
#ifndef GB_STORE_H
#define GB_STORE_H

#include "base/base.h"

typedef struct gb_store gb_store;
typedef struct gb_store_put gb_store_put;

typedef struct gb_store_ops {
    gb_status (*create)(gb_store_put **out, gb_ctx *ctx, gb_store *s);
    /* A put, already sealed, of a file on this machine: the file stays where it is, the bytes are not copied when
     * store and file share a file system. The caller must not change the file afterwards. */
    gb_status (*adopt)(gb_store_put **out, gb_ctx *ctx, gb_store *s, const char *path);
    gb_status (*write)(gb_store_put *p, gb_ctx *ctx, const void *data, size_t n);
    gb_status (*seal)(gb_store_put *p, gb_ctx *ctx);
    /* All of puts[n], which must be of this store; on error some may be published, which harms nobody. */
    gb_status (*publish)(gb_store_put *const *puts, size_t n, gb_ctx *ctx);
    void (*discard)(gb_store_put *p);
    /* The caller closes *fd. NOT_FOUND. */
    gb_status (*open)(int *fd, uint64_t *size, gb_ctx *ctx, gb_store *s, const gb_hash *object);
    /* Makes the object readable at `path` on this machine, without copying where that can be. EXISTS is OK. */
    gb_status (*share)(gb_ctx *ctx, gb_store *s, const gb_hash *object, const char *path);
    void (*remove)(gb_store *s, const gb_hash *object);
    /* Calls each for every object; each may remove the one it is given. */
    gb_status (*list)(gb_ctx *ctx, gb_store *s, gb_status (*each)(void *user, const gb_hash *object), void *user);
    void (*free)(gb_store *s);
} gb_store_ops;

struct gb_store {
    const gb_store_ops *ops;
};

struct gb_store_put {
    gb_store *store;
    gb_hash hash;  /* after seal */
    uint64_t size; /* bytes written so far */
    int fd;        /* after seal: the content, readable; the caller may close it and set -1 */
};

/* Folder store: dir/objects/ab/<64 hex>, temporaries in dir/tmp (emptied here: they are uploads that a crash cut off).
 * dir must exist. Errors: IO, SPACE, MEMORY. */
GB_CHECK gb_status gb_store_directory(gb_store **out, gb_ctx *ctx, const char *dir);
void gb_store_free(gb_store *s);

/* The sealed content in memory, read-only, paged in as it is touched; NULL for an empty object. */
GB_CHECK gb_status gb_store_put_map(const uint8_t **out, gb_store_put *p, gb_ctx *ctx);
void gb_store_put_unmap(gb_store_put *p, const uint8_t *data);
/* A whole object of at most max bytes into memory (gb_free). Errors: NOT_FOUND, LIMIT, IO. */
GB_CHECK gb_status gb_store_read(uint8_t **out, size_t *n, gb_ctx *ctx, gb_store *s, const gb_hash *object, size_t max);
/* gb_publish's shape: user is a gb_store_put. */
GB_CHECK gb_status gb_store_publish(void *put, gb_ctx *ctx);

/* Tests only: the n-th file operation from now fails as on a full disk (0: none). Returns how many there were. */
uint64_t gb_store_fail_at(uint64_t n);

#endif
