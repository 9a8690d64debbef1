/* scheme/core/manifest: a bundle's manifest as protobuf. */
#include "scheme/core/core.h"
#include "wire.pb-c.h"

#define MANIFEST_VERSION 1
/* Everything but the tiles' hashes: 32-byte fields, numbers and up to three axes fit many times over. */
#define MANIFEST_FIXED_MAX 1024
#define MANIFEST_MAX ((size_t)GB_BUNDLE_MAX_TILES * GB_HASH_BYTES + MANIFEST_FIXED_MAX)

/* An allocator for protobuf-c that cannot be made to take more than a known multiple of what was sent. */
typedef struct budget {
    size_t left;
    bool over, no_memory;
} budget;

static void *budget_alloc(void *user, size_t n) {
    budget *b = user;
    void *p;
    if (n > b->left) {
        b->over = true;
        return NULL;
    }
    if (gb_alloc(&p, NULL, n, 1) != GB_OK) {
        b->no_memory = true;
        return NULL;
    }
    b->left -= n;
    return p;
}

static void budget_free(void *user, void *p) { gb_free(p); }

void gb_manifest_release(gb_manifest *m) {
    gb_free(m->tiles);
    *m = (gb_manifest){.tiles = NULL};
}

typedef struct packed {
    Gb__Wire__BundleManifest msg;
    Gb__Wire__Axis axis[GB_BUNDLE_AXES];
    Gb__Wire__Axis *axes[GB_BUNDLE_AXES];
} packed;

/* The message points into m; nothing is copied. */
static void message_of(packed *out, const gb_manifest *m) {
    const gb_bundle_info *b = &m->info;
    gb__wire__bundle_manifest__init(&out->msg);
    Gb__Wire__BundleManifest *msg = &out->msg;
    msg->version = MANIFEST_VERSION;
    msg->params = (ProtobufCBinaryData){GB_HASH_BYTES, (uint8_t *)(uintptr_t)b->params.b};
    msg->key = (ProtobufCBinaryData){GB_HASH_BYTES, (uint8_t *)(uintptr_t)b->key.b};
    msg->n_axes = b->axis_count;
    msg->axes = out->axes;
    for (uint32_t i = 0; i < b->axis_count; i++) {
        gb__wire__axis__init(&out->axis[i]);
        out->axis[i].name = (char *)(uintptr_t)b->axes[i].name;
        out->axis[i].size = b->axes[i].size;
        out->axes[i] = &out->axis[i];
    }
    msg->rows = b->rows;
    msg->copies = b->copies;
    msg->limbs = b->limbs;
    msg->bits0 = b->bits0;
    msg->bits1 = b->bits1;
    msg->scale = b->scale;
    msg->max_abs = b->max_abs;
    msg->lines_per_tile = b->lines_per_tile;
    if (b->seeded) msg->seed = (ProtobufCBinaryData){GB_SEED_BYTES, (uint8_t *)(uintptr_t)b->seed.b};
    msg->tiles = (ProtobufCBinaryData){m->tile_count * GB_HASH_BYTES, (uint8_t *)m->tiles};
}

gb_status gb_manifest_encode(gb_buffer *out, gb_ctx *ctx, const gb_manifest *m) {
    gb_params *params;
    GB_TRY(gb_params_by_hash(&params, ctx, &m->info.params));
    gb_status status = gb_bundle_check(ctx, &m->info, params);
    if (status == GB_OK && m->tile_count != gb_bundle_tiles(&m->info, params))
        status = gb_fail(ctx, GB_ERR_ARGUMENT, "manifest: %zu tiles where the bundle has %zu", m->tile_count,
                         gb_bundle_tiles(&m->info, params));
    gb_params_free(params);
    if (status != GB_OK) return status;
    packed p;
    message_of(&p, m);
    uint8_t *space = gb_write_space(out, gb__wire__bundle_manifest__get_packed_size(&p.msg));
    if (space == NULL) return gb_fail(ctx, GB_ERR_MEMORY, "out of memory: manifest of %zu tiles", m->tile_count);
    gb__wire__bundle_manifest__pack(&p.msg, space);
    return GB_OK;
}

static gb_status take_bytes(uint8_t *out, size_t n, gb_ctx *ctx, const ProtobufCBinaryData *from, const char *what) {
    if (from->len != n)
        return gb_fail(ctx, GB_ERR_FORMAT, "manifest: %s has %zu bytes, must have %zu", what, from->len, n);
    memcpy(out, from->data, n);
    return GB_OK;
}

static gb_status take_info(gb_bundle_info *b, gb_ctx *ctx, const Gb__Wire__BundleManifest *msg) {
    *b = (gb_bundle_info){.axis_count = 0};
    if (msg->version != MANIFEST_VERSION)
        return gb_fail(ctx, GB_ERR_VERSION, "manifest: version %u is not supported; update glovebox", msg->version);
    GB_TRY(take_bytes(b->params.b, sizeof b->params.b, ctx, &msg->params, "the parameters' hash"));
    GB_TRY(take_bytes(b->key.b, sizeof b->key.b, ctx, &msg->key, "the key's id"));
    if (msg->n_axes < 1 || msg->n_axes > GB_BUNDLE_AXES)
        return gb_fail(ctx, GB_ERR_FORMAT, "manifest: %zu axes, must be 1..%d", msg->n_axes, GB_BUNDLE_AXES);
    b->axis_count = (uint32_t)msg->n_axes;
    for (size_t i = 0; i < msg->n_axes; i++) {
        size_t n = strlen(msg->axes[i]->name);
        if (n >= sizeof b->axes[i].name)
            return gb_fail(ctx, GB_ERR_FORMAT, "manifest: the name of axis %zu has %zu bytes, at most 15", i, n);
        memcpy(b->axes[i].name, msg->axes[i]->name, n);
        b->axes[i].size = msg->axes[i]->size;
    }
    b->rows = msg->rows;
    b->copies = msg->copies;
    b->limbs = msg->limbs;
    b->bits0 = msg->bits0;
    b->bits1 = msg->bits1;
    b->scale = msg->scale;
    b->max_abs = msg->max_abs;
    b->lines_per_tile = msg->lines_per_tile;
    b->seeded = msg->seed.len > 0;
    return b->seeded ? take_bytes(b->seed.b, sizeof b->seed.b, ctx, &msg->seed, "the seed") : GB_OK;
}

/* What was sent must be what we would send: no unknown fields, no second encoding of anything. */
static gb_status check_canonical(gb_ctx *ctx, const gb_manifest *m, const uint8_t *data, size_t n) {
    packed p;
    message_of(&p, m);
    size_t size = gb__wire__bundle_manifest__get_packed_size(&p.msg);
    bool same = size == n;
    if (same) {
        uint8_t *again;
        GB_TRY(gb_alloc(&again, ctx, n, 1));
        gb__wire__bundle_manifest__pack(&p.msg, again);
        same = memcmp(again, data, n) == 0;
        gb_free(again);
    }
    return same ? GB_OK : gb_fail(ctx, GB_ERR_FORMAT, "manifest: not in canonical form");
}

static gb_status take_message(gb_manifest *out, gb_params **params, gb_ctx *ctx, const Gb__Wire__BundleManifest *msg,
                              const uint8_t *data, size_t n) {
    GB_TRY(take_info(&out->info, ctx, msg));
    GB_TRY(gb_params_by_hash(params, ctx, &out->info.params));
    GB_TRY(gb_bundle_check(ctx, &out->info, *params));
    size_t tiles = gb_bundle_tiles(&out->info, *params);
    if (msg->tiles.len != tiles * GB_HASH_BYTES)
        return gb_fail(ctx, GB_ERR_FORMAT, "manifest: %zu bytes of tile hashes for %zu tiles, must be %zu",
                       msg->tiles.len, tiles, tiles * GB_HASH_BYTES);
    GB_TRY(gb_alloc(&out->tiles, ctx, tiles, sizeof *out->tiles));
    memcpy(out->tiles, msg->tiles.data, msg->tiles.len);
    out->tile_count = tiles;
    return check_canonical(ctx, out, data, n);
}

gb_status gb_manifest_decode(gb_manifest *out, gb_params **params, gb_ctx *ctx, const uint8_t *data, size_t n) {
    *out = (gb_manifest){.tiles = NULL};
    if (params != NULL) *params = NULL;
    if (n == 0) return gb_fail(ctx, GB_ERR_TRUNCATED, "manifest: empty");
    if (n > MANIFEST_MAX)
        return gb_fail(ctx, GB_ERR_LIMIT, "manifest: %zu bytes, at most %zu", n, (size_t)MANIFEST_MAX);
    /* A proper manifest takes its own bytes and a few small structs; what asks for more is none. */
    budget b = {.left = n + 4096};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &b};
    Gb__Wire__BundleManifest *msg = gb__wire__bundle_manifest__unpack(&allocator, n, data);
    if (msg == NULL) {
        if (b.no_memory) return gb_fail(ctx, GB_ERR_MEMORY, "out of memory: manifest of %zu bytes", n);
        if (b.over) return gb_fail(ctx, GB_ERR_LIMIT, "manifest: more fields than its kind has");
        return gb_fail(ctx, GB_ERR_FORMAT, "manifest: malformed, or ends early");
    }
    gb_params *own = NULL;
    gb_status status = take_message(out, &own, ctx, msg, data, n);
    gb__wire__bundle_manifest__free_unpacked(msg, &allocator);
    if (status != GB_OK || params == NULL)
        gb_params_free(own);
    else
        *params = own;
    if (status != GB_OK) gb_manifest_release(out);
    return status;
}
