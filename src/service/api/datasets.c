/* Datasets: begun with a draft manifest, filled tile by tile (tiles.c), committed with the final one. */
#include "service/api/api.h"

static gb_status append_dataset(void *list, const gb_dataset_row *row) {
    return json_array_append_new(list, gb_json_dataset(row)) == 0 ? GB_OK : GB_ERR_MEMORY;
}

gb_status gb_api_dataset_list(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id workspace;
    GB_TRY(gb_api_id(&workspace, r, 0, "workspace"));
    json_t *list = json_array();
    gb_status status = gb_meta_dataset_each(a->meta, r->ctx, &workspace, append_dataset, list);
    if (status == GB_OK) return gb_api_json(r, 200, json_pack("{s:o}", "datasets", list));
    json_decref(list);
    return status;
}

static gb_status reply_dataset(gb_http_request *r, int status, const gb_id *id) {
    gb_api *a = r->app;
    gb_dataset_row row;
    GB_TRY(gb_meta_dataset_get(&row, a->meta, r->ctx, id));
    return gb_api_json(r, status, gb_json_dataset(&row));
}

gb_status gb_api_dataset_get(gb_http_request *r) {
    gb_id id;
    GB_TRY(gb_api_id(&id, r, 0, "dataset"));
    return reply_dataset(r, 200, &id);
}

gb_status gb_api_dataset_delete(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id id;
    GB_TRY(gb_api_id(&id, r, 0, "dataset"));
    GB_TRY(gb_meta_dataset_delete(a->meta, r->ctx, &id));
    return gb_http_reply(r, 204, NULL, "", 0);
}

/* ---- the draft ---- */

/* The one encoding of an info with all tile hashes zero: equal infos have equal drafts. */
static gb_status draft_of(gb_buffer *out, uint64_t *tiles, gb_api *a, gb_ctx *ctx, const gb_bundle_info *info) {
    const gb_params *params;
    GB_TRY(gb_api_params(&params, a, ctx, &info->params));
    gb_manifest draft = {.info = *info, .tile_count = gb_bundle_tiles(info, params)};
    if (draft.tile_count > GB_JOB_MANIFEST_MAX / (GB_HASH_BYTES + 4) - 64)
        return gb_fail(ctx, GB_ERR_LIMIT, "manifest: %zu tiles are too many; use more lines a tile", draft.tile_count);
    for (unsigned plane = 0; plane < 2; plane++)
        if (gb_tile_bytes(info, params, plane, 0) > GB_TILE_MAX)
            return gb_fail(ctx, GB_ERR_LIMIT,
                           "manifest: tiles have %zu bytes, the limit is %llu; use fewer lines a tile",
                           gb_tile_bytes(info, params, plane, 0), (unsigned long long)GB_TILE_MAX);
    GB_TRY(gb_alloc_zero(&draft.tiles, ctx, gb_max_size(draft.tile_count, 1), sizeof *draft.tiles));
    *tiles = draft.tile_count;
    gb_status status = gb_manifest_encode(out, ctx, &draft);
    gb_free(draft.tiles);
    return status;
}

/* The workspace has the bundle's key set, and it is of the bundle's parameters. */
static gb_status check_key(gb_api *a, gb_ctx *ctx, const gb_id *workspace, const gb_bundle_info *info) {
    gb_named_row row;
    uint8_t *data;
    size_t n;
    gb_keyset *keyset = NULL;
    gb_status status = gb_meta_named_get(&row, a->meta, ctx, workspace, GB_NAMED_KEYSET, &info->key);
    if (status == GB_ERR_NOT_FOUND) {
        gb_workspace_row there;
        GB_TRY(gb_meta_workspace_get(&there, a->meta, ctx, workspace));
        return gb_fail(ctx, GB_ERR_KEY, "manifest: its key set is not in the workspace; send the key set first");
    }
    GB_TRY(status);
    GB_TRY(gb_store_read(&data, &n, ctx, a->store, &row.object, GB_KEYSET_MAX));
    status = gb_keyset_decode(&keyset, ctx, data, n);
    gb_free(data);
    if (status == GB_OK && !gb_hash_equal(gb_params_hash(gb_keyset_params(keyset)), &info->params))
        status = gb_fail(ctx, GB_ERR_PARAMS, "manifest: its parameters are not those of its key set");
    gb_keyset_free(keyset);
    return status;
}

static gb_status read_nonce(char out[GB_NONCE_MAX + 1], gb_http_request *r) {
    const char *text = gb_http_query(r, "nonce");
    size_t n = text != NULL ? strlen(text) : 0;
    if (n > GB_NONCE_MAX || n % 2 != 0 || (n > 0 && strspn(text, "0123456789abcdef") != n))
        return gb_fail(r->ctx, GB_ERR_ARGUMENT, "nonce: an even number of lower-case hex digits, at most %d",
                       GB_NONCE_MAX);
    memcpy(out, n > 0 ? text : "", n + 1);
    return GB_OK;
}

static gb_status keep_draft(gb_dataset_row *row, bool *made, gb_api *a, gb_ctx *ctx, const gb_buffer *draft) {
    gb_store_put *put;
    GB_TRY(a->store->ops->create(&put, ctx, a->store));
    gb_status status = a->store->ops->write(put, ctx, draft->data, draft->size);
    if (status == GB_OK) status = a->store->ops->seal(put, ctx);
    if (status == GB_OK) {
        gb_publish publish = {gb_store_publish, put};
        row->manifest = put->hash;
        row->manifest_bytes = put->size;
        status = gb_meta_dataset_add(row, made, a->meta, ctx, &publish);
    }
    a->store->ops->discard(put);
    return status;
}

/* Decodes the body as a manifest. */
static gb_status read_body(gb_manifest *out, gb_http_request *r) {
    const uint8_t *data;
    gb_store_put *put = r->state;
    GB_TRY(gb_api_spool_sealed(&data, r));
    gb_status status = gb_manifest_decode(out, NULL, r->ctx, data, put->size);
    gb_store_put_unmap(put, data);
    return status;
}

gb_status gb_api_dataset_make(gb_http_request *r) {
    gb_api *a = r->app;
    gb_manifest manifest = {0};
    gb_buffer draft = GB_BUFFER_INIT;
    gb_dataset_row row = {.tiles = 0};
    bool made = false;
    GB_TRY(gb_api_id(&row.workspace, r, 0, "workspace"));
    GB_TRY(gb_api_label(row.label, r->ctx, gb_http_query(r, "label"), "label"));
    GB_TRY(read_nonce(row.nonce, r));
    GB_TRY(read_body(&manifest, r));
    gb_status status = check_key(a, r->ctx, &row.workspace, &manifest.info);
    if (status == GB_OK) status = draft_of(&draft, &row.tiles, a, r->ctx, &manifest.info);
    row.keyset = manifest.info.key;
    if (status == GB_OK) status = keep_draft(&row, &made, a, r->ctx, &draft);
    gb_buffer_release(&draft);
    gb_manifest_release(&manifest);
    GB_TRY(status);
    return gb_api_json(r, made ? 201 : 200, gb_json_dataset(&row));
}

/* ---- commit ---- */

static gb_status commit(gb_http_request *r, const gb_id *id, const gb_manifest *manifest) {
    gb_api *a = r->app;
    gb_store_put *put = r->state;
    gb_dataset_row row;
    gb_buffer draft = GB_BUFFER_INIT;
    uint64_t tiles = 0;
    GB_TRY(gb_meta_dataset_get(&row, a->meta, r->ctx, id));
    if (row.state == GB_DATASET_UPLOADING) {
        gb_hash hash;
        gb_status status = draft_of(&draft, &tiles, a, r->ctx, &manifest->info);
        if (status == GB_OK) gb_hash_of(&hash, draft.data, draft.size, NULL, 0);
        gb_buffer_release(&draft);
        GB_TRY(status);
        if (!gb_hash_equal(&hash, &row.manifest) || manifest->tile_count != row.tiles)
            return gb_fail(r->ctx, GB_ERR_STATE, "dataset %s was begun with another manifest; begin a new one", id->s);
    }
    gb_publish publish = {gb_store_publish, put};
    return gb_meta_dataset_commit(a->meta, r->ctx, id, &put->hash, put->size, manifest->tiles, &publish);
}

gb_status gb_api_dataset_commit(gb_http_request *r) {
    gb_id id;
    gb_manifest manifest = {0};
    GB_TRY(gb_api_id(&id, r, 0, "dataset"));
    GB_TRY(read_body(&manifest, r));
    gb_status status = commit(r, &id, &manifest);
    gb_manifest_release(&manifest);
    GB_TRY(status);
    return reply_dataset(r, 200, &id);
}

gb_status gb_api_dataset_manifest(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id id;
    gb_dataset_row row;
    GB_TRY(gb_api_id(&id, r, 0, "dataset"));
    GB_TRY(gb_meta_dataset_get(&row, a->meta, r->ctx, &id));
    if (row.state != GB_DATASET_READY)
        return gb_fail(r->ctx, GB_ERR_STATE, "dataset %s is %s; it has a manifest when it is ready", id.s,
                       gb_dataset_state_name(row.state));
    return gb_api_send_object(r, &row.manifest);
}
