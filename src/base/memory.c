/* base/memory: aligned allocation, guarded memory for secrets, and failures on demand for the tests. */
#include <malloc.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/base.h"

static _Atomic uint64_t allocations; /* since the last gb_alloc_fail_at */
static _Atomic uint64_t fail_at;     /* number of the allocation that fails; 0: none */

uint64_t gb_alloc_fail_at(uint64_t n) {
    atomic_store(&fail_at, 0);
    uint64_t made = atomic_exchange(&allocations, 0);
    atomic_store(&fail_at, n);
    return made;
}

static bool refused(void) {
    uint64_t number = atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed) + 1;
    return number == atomic_load_explicit(&fail_at, memory_order_relaxed);
}

/* out is the address of a pointer of any type; memcpy keeps that within the aliasing rules. */
static void put_pointer(void *out, void *p) { memcpy(out, &p, sizeof p); }

static gb_status no_memory(gb_ctx *ctx, size_t count, size_t size) {
    return gb_fail(ctx, GB_ERR_MEMORY, "out of memory: %zu x %zu bytes wanted; lower --memory or close other programs",
                   count, size);
}

/* Bytes to ask for; 0 when count * size, rounded up, does not fit. Empty arrays get a cache line of their own. */
static size_t bytes_of(size_t count, size_t size) {
    size_t n;
    if (__builtin_mul_overflow(count, size, &n) || n > PTRDIFF_MAX - GB_ALIGN) return 0;
    return n == 0 ? GB_ALIGN : n;
}

gb_status gb_alloc(void *out, gb_ctx *ctx, size_t count, size_t size) {
    void *p = NULL;
    put_pointer(out, NULL);
    size_t n = bytes_of(count, size);
    if (n == 0 || refused() || posix_memalign(&p, GB_ALIGN, n) != 0) return no_memory(ctx, count, size);
    put_pointer(out, p);
    return GB_OK;
}

gb_status gb_alloc_zero(void *out, gb_ctx *ctx, size_t count, size_t size) {
    GB_TRY(gb_alloc(out, ctx, count, size));
    void *p;
    memcpy(&p, out, sizeof p);
    memset(p, 0, count * size);
    return GB_OK;
}

static void (*_Atomic free_watch)(const void *p, size_t n);
void gb_free_watch(void (*seen)(const void *p, size_t n)) { atomic_store(&free_watch, seen); }

void gb_free(void *p) {
    void (*seen)(const void *, size_t) = atomic_load_explicit(&free_watch, memory_order_relaxed);
    if (seen != NULL && p != NULL) seen(p, malloc_usable_size(p));
    free(p);
}

gb_status gb_alloc_secret(void *out, gb_ctx *ctx, size_t count, size_t size) {
    put_pointer(out, NULL);
    size_t n = bytes_of(count, size);
    if (n == 0 || refused()) return no_memory(ctx, count, size);
    /* sodium_malloc puts the end of the block at the end of a page: a multiple of GB_ALIGN is aligned to it. */
    void *p = sodium_malloc((n + GB_ALIGN - 1) / GB_ALIGN * GB_ALIGN);
    if (p == NULL)
        return gb_fail(ctx, GB_ERR_MEMORY, "out of locked memory for a key: %zu x %zu bytes wanted; raise ulimit -l",
                       count, size);
    put_pointer(out, p);
    return GB_OK;
}

void gb_free_secret(void *p) { sodium_free(p); }
void gb_wipe(void *p, size_t n) { sodium_memzero(p, n); }

char *gb_strdup(gb_ctx *ctx, const char *s) {
    size_t n = strlen(s) + 1;
    char *copy;
    if (gb_alloc(&copy, ctx, n, 1) != GB_OK) return NULL;
    memcpy(copy, s, n);
    return copy;
}

char *gb_format(gb_ctx *ctx, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        gb_fail(ctx, GB_ERR_INTERNAL, "text could not be formatted");
        return NULL;
    }
    char *text;
    if (gb_alloc(&text, ctx, (size_t)n + 1, 1) != GB_OK) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}
