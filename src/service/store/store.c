/* What every store shares. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/store/store.h"

void gb_store_free(gb_store *s) {
    if (s != NULL) s->ops->free(s);
}

gb_status gb_store_put_map(const uint8_t **out, gb_store_put *p, gb_ctx *ctx) {
    *out = NULL;
    if (p->size == 0) return GB_OK;
    void *map = mmap(NULL, p->size, PROT_READ, MAP_PRIVATE, p->fd, 0);
    if (map == MAP_FAILED) return gb_fail_errno(ctx, "cannot map", "a stored object");
    *out = map;
    return GB_OK;
}

void gb_store_put_unmap(gb_store_put *p, const uint8_t *data) {
    if (data != NULL) (void)munmap((void *)(uintptr_t)data, p->size);
}

gb_status gb_store_read(uint8_t **out, size_t *n, gb_ctx *ctx, gb_store *s, const gb_hash *object, size_t max) {
    int fd;
    uint64_t size;
    *out = NULL;
    *n = 0;
    GB_TRY(s->ops->open(&fd, &size, ctx, s, object));
    gb_status status = GB_OK;
    if (size > max)
        status = gb_fail(ctx, GB_ERR_LIMIT, "a stored object has %llu bytes, the limit is %zu",
                         (unsigned long long)size, max);
    if (status == GB_OK) status = gb_alloc(out, ctx, size > 0 ? size : 1, 1);
    while (status == GB_OK && *n < size) {
        ssize_t got = pread(fd, *out + *n, size - *n, (off_t)*n);
        if (got > 0)
            *n += (size_t)got;
        else if (got == 0)
            status = gb_fail(ctx, GB_ERR_IO, "a stored object became shorter; is the disk sound?");
        else if (errno != EINTR)
            status = gb_fail_errno(ctx, "cannot read", "a stored object");
    }
    close(fd);
    if (status != GB_OK) {
        gb_free(*out);
        *out = NULL;
    }
    return status;
}

gb_status gb_store_publish(void *put, gb_ctx *ctx) {
    gb_store_put *p = put;
    return p->store->ops->publish(&p, 1, ctx);
}
