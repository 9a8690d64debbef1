/* Tiles. */
#include "service/api/api.h"

/* ---- missing ---- */

typedef struct gaps {
    json_t *list;
    uint64_t next; /* the first tile not looked at */
    size_t count;
    bool failed;
} gaps;

static void add_gap(gaps *g, uint64_t end) {
    for (; g->next < end && g->count < GB_MISSING_MAX && !g->failed; g->next++, g->count++)
        g->failed = json_array_append_new(g->list, json_integer((json_int_t)g->next)) != 0;
}

static gb_status see_tile(void *user, const gb_tile_row *row) {
    gaps *g = user;
    add_gap(g, row->tile);
    if (g->next <= row->tile) g->next = row->tile + 1;
    return GB_OK;
}

gb_status gb_api_dataset_missing(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id id;
    gb_dataset_row row;
    GB_TRY(gb_api_id(&id, r, 0, "dataset"));
    GB_TRY(gb_meta_dataset_get(&row, a->meta, r->ctx, &id));
    gaps g = {.list = json_array()};
    gb_status status = gb_meta_tile_each(a->meta, r->ctx, &id, see_tile, &g);
    if (status == GB_OK) {
        add_gap(&g, row.tiles);
        if (g.failed) status = gb_fail(r->ctx, GB_ERR_MEMORY, "no memory for a reply");
    }
    if (status == GB_OK) return gb_api_json(r, 200, json_pack("{s:o}", "missing", g.list));
    json_decref(g.list);
    return status;
}

/* ---- putting ---- */

typedef struct upload {
    gb_id dataset;
    gb_tile_row tile;
    gb_bundle_info info;
    const gb_params *params;
    unsigned plane;
    size_t block, group, size;
    gb_store_put *put;
} upload;

/* Plane, block and group of a tile number: the inverse of gb_bundle_tile, which numbers groups fastest. */
static gb_status locate(upload *u, gb_ctx *ctx) {
    size_t groups = gb_bundle_groups(&u->info), blocks0 = gb_bundle_blocks0(&u->info);
    if (u->tile.tile >= gb_bundle_tiles(&u->info, u->params))
        return gb_fail(ctx, GB_ERR_NOT_FOUND, "dataset %s has %zu tiles, there is no %llu", u->dataset.s,
                       gb_bundle_tiles(&u->info, u->params), (unsigned long long)u->tile.tile);
    size_t block = (size_t)u->tile.tile / groups;
    u->group = (size_t)u->tile.tile % groups;
    u->plane = block >= blocks0;
    u->block = u->plane ? block - blocks0 : block;
    if (gb_bundle_tile(&u->info, u->plane, u->block, u->group) != u->tile.tile)
        return gb_fail(ctx, GB_ERR_INTERNAL, "tile numbers do not agree");
    u->size = gb_tile_bytes(&u->info, u->params, u->plane, u->group);
    return GB_OK;
}

gb_status gb_api_tile_begin(gb_http_request *r) {
    gb_api *a = r->app;
    upload *u;
    GB_TRY(gb_alloc_zero(&u, r->ctx, 1, sizeof *u));
    r->state = u;
    GB_TRY(gb_api_id(&u->dataset, r, 0, "dataset"));
    if (!gb_http_parse_number(&u->tile.tile, r->args[1], INT64_MAX))
        return gb_fail(r->ctx, GB_ERR_NOT_FOUND, "tile: its number is needed");
    GB_TRY(gb_api_hash(&u->tile.object, r->ctx, gb_http_header(r, "X-Glovebox-Hash"), "X-Glovebox-Hash"));
    GB_TRY(gb_api_info(&u->info, &u->params, a, r->ctx, &u->dataset));
    GB_TRY(locate(u, r->ctx));
    u->tile.bytes = u->size;
    if (r->length != UINT64_MAX && r->length < u->size)
        return gb_fail(r->ctx, GB_ERR_TRUNCATED, "tile %llu has %zu bytes, the body %llu",
                       (unsigned long long)u->tile.tile, u->size, (unsigned long long)r->length);
    if (r->length != UINT64_MAX && r->length > u->size)
        return gb_fail(r->ctx, GB_ERR_LIMIT, "tile %llu has %zu bytes, the body %llu", (unsigned long long)u->tile.tile,
                       u->size, (unsigned long long)r->length);
    return a->store->ops->create(&u->put, r->ctx, a->store);
}

gb_status gb_api_tile_body(gb_http_request *r, const uint8_t *data, size_t n) {
    upload *u = r->state;
    if (n > u->size - u->put->size)
        return gb_fail(r->ctx, GB_ERR_LIMIT, "tile %llu has %zu bytes, the body more", (unsigned long long)u->tile.tile,
                       u->size);
    return u->put->store->ops->write(u->put, r->ctx, data, n);
}

/* Every residue is looked at before anybody may compute with it. */
static gb_status check_content(upload *u, gb_ctx *ctx) {
    const uint8_t *data;
    uint64_t *words;
    size_t limbs = gb_max_size(u->info.limbs, 1);
    GB_TRY(gb_alloc(&words, ctx, limbs * u->info.lines_per_tile * GB_BLOCK, sizeof *words));
    gb_status status = gb_store_put_map(&data, u->put, ctx);
    if (status == GB_OK) {
        status = gb_tile_decode(words, ctx, &u->info, u->params, u->plane, u->block, u->group, data, u->size);
        gb_store_put_unmap(u->put, data);
    }
    gb_free(words);
    return status;
}

gb_status gb_api_tile_put(gb_http_request *r) {
    gb_api *a = r->app;
    upload *u = r->state;
    if (u->put->size != u->size)
        return gb_fail(r->ctx, GB_ERR_TRUNCATED, "tile %llu has %zu bytes, the body %llu",
                       (unsigned long long)u->tile.tile, u->size, (unsigned long long)u->put->size);
    GB_TRY(a->store->ops->seal(u->put, r->ctx));
    if (!gb_hash_equal(&u->put->hash, &u->tile.object))
        return gb_fail(r->ctx, GB_ERR_HASH, "tile %llu: the body is not of the hash in X-Glovebox-Hash; send it again",
                       (unsigned long long)u->tile.tile);
    GB_TRY(check_content(u, r->ctx));
    gb_publish publish = {gb_store_publish, u->put};
    GB_TRY(gb_meta_tile_add(a->meta, r->ctx, &u->dataset, &u->tile, &publish));
    return gb_http_reply(r, 204, NULL, "", 0);
}

void gb_api_tile_finish(gb_http_request *r) {
    gb_api *a = r->app;
    upload *u = r->state;
    if (u == NULL) return;
    a->store->ops->discard(u->put);
    gb_free(u);
    r->state = NULL;
}

/* ---- getting ---- */

gb_status gb_api_tile_get(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id id;
    uint64_t tile;
    gb_tile_row row;
    GB_TRY(gb_api_id(&id, r, 0, "dataset"));
    if (!gb_http_parse_number(&tile, r->args[1], INT64_MAX))
        return gb_fail(r->ctx, GB_ERR_NOT_FOUND, "tile: its number is needed");
    GB_TRY(gb_meta_tile_get(&row, a->meta, r->ctx, &id, tile));
    return gb_api_send_object(r, &row.object);
}
