/* What the tests of scheme share: contexts, a store of tiles in memory, and plain random numbers. */
#ifndef GB_TEST_SUPPORT_H
#define GB_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "scheme/secret/secret.h"

#include <cmocka.h> /* after stdarg.h and setjmp.h */

static inline gb_ctx *test_context(unsigned threads) {
    gb_ctx_config config;
    gb_ctx *ctx;
    gb_ctx_config_defaults(&config);
    config.threads = threads;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    return ctx;
}

/* Fails with the context's own sentence. */
static inline void test_ok(gb_ctx *ctx, gb_status s) {
    if (s != GB_OK) fail_msg("%s: %s", gb_status_name(s), gb_ctx_error(ctx));
}

static inline void test_refused(gb_ctx *ctx, gb_status got, gb_status want) {
    if (got != want) fail_msg("%s (%s) where %s is due", gb_status_name(got), gb_ctx_error(ctx), gb_status_name(want));
    assert_true(strlen(gb_ctx_error(ctx)) > 10);
    assert_null(strchr(gb_ctx_error(ctx), '\n'));
}

/* Tiles in memory. */
#define TEST_TILES 512
typedef struct test_store {
    uint8_t *data[TEST_TILES];
    size_t size[TEST_TILES];
    _Atomic int writes;
} test_store;

static inline gb_status test_store_read(void *user, gb_ctx *ctx, size_t tile, uint8_t *data, size_t capacity,
                                        size_t *n) {
    test_store *s = user;
    if (tile >= TEST_TILES || s->data[tile] == NULL) return gb_fail(ctx, GB_ERR_NOT_FOUND, "tile %zu is absent", tile);
    if (s->size[tile] > capacity) return gb_fail(ctx, GB_ERR_LIMIT, "tile %zu is too large", tile);
    memcpy(data, s->data[tile], s->size[tile]);
    *n = s->size[tile];
    return GB_OK;
}

static inline bool test_store_has(void *user, size_t tile) { return ((test_store *)user)->data[tile] != NULL; }

static inline gb_status test_store_write(void *user, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n) {
    test_store *s = user;
    uint8_t *copy;
    if (tile >= TEST_TILES) return gb_fail(ctx, GB_ERR_LIMIT, "tile %zu does not fit the test's store", tile);
    GB_TRY(gb_alloc(&copy, ctx, n, 1));
    memcpy(copy, data, n);
    gb_free(s->data[tile]);
    s->data[tile] = copy;
    s->size[tile] = n;
    atomic_fetch_add(&s->writes, 1);
    return GB_OK;
}

static inline gb_tile_source test_source(test_store *s) { return (gb_tile_source){.user = s, .read = test_store_read}; }

static inline gb_tile_sink test_sink(test_store *s) {
    return (gb_tile_sink){.user = s, .has = test_store_has, .write = test_store_write};
}

static inline void test_store_release(test_store *s) {
    for (size_t i = 0; i < TEST_TILES; i++) gb_free(s->data[i]);
    memset(s, 0, sizeof *s);
}

static inline void test_store_same(const test_store *a, const test_store *b) {
    for (size_t i = 0; i < TEST_TILES; i++) {
        assert_int_equal(a->size[i], b->size[i]);
        if (a->size[i] > 0) assert_memory_equal(a->data[i], b->data[i], a->size[i]);
    }
}

/* Repeatable numbers (Vigna's splitmix64). */
static inline uint64_t test_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A bundle of 2 x 5 lines, in groups of four. */
static inline gb_bundle_info test_info(const gb_params *p, const gb_hash *key, uint32_t rows, double scale) {
    gb_bundle_info b = {.params = *gb_params_hash(p),
                        .key = *key,
                        .axis_count = 2,
                        .axes = {{"tilt", 2}, {"x", 5}},
                        .rows = rows,
                        .copies = 1,
                        .limbs = (uint32_t)gb_params_get(p)->data_count,
                        .scale = scale,
                        .max_abs = 1000,
                        .lines_per_tile = 4};
    return b;
}

/* A root that a test can name again. */
static const uint8_t test_root[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

#endif
