/* Datasets and their tiles. */
#include "service/meta/sql.h"

#define DATASET_COLUMNS                                                                                                \
    "d.id, w.id, d.label, d.nonce, d.state, d.result, d.tiles, d.received, d.bytes, d.created, d.keyset, d.manifest,"  \
    " d.manifest_bytes, d.key, d.draft"
#define DATASET_FROM " FROM datasets d JOIN workspaces w ON w.key = d.workspace "

static void dataset_row(gb_dataset_row *out, sqlite3_stmt *s) {
    memset(out, 0, sizeof *out);
    gb_sql_text(out->id.s, sizeof out->id.s, s, 0);
    gb_sql_text(out->workspace.s, sizeof out->workspace.s, s, 1);
    gb_sql_text(out->label, sizeof out->label, s, 2);
    gb_sql_text(out->nonce, sizeof out->nonce, s, 3);
    out->state = (gb_dataset_state)sqlite3_column_int(s, 4);
    out->result = sqlite3_column_int(s, 5) != 0;
    out->tiles = gb_sql_u64(s, 6);
    out->received = gb_sql_u64(s, 7);
    out->bytes = gb_sql_u64(s, 8);
    out->created = sqlite3_column_double(s, 9);
    gb_sql_hash(&out->keyset, s, 10);
    gb_sql_hash(&out->manifest, s, 11);
    out->manifest_bytes = gb_sql_u64(s, 12);
}

gb_status gb_dataset_read(gb_dataset_row *out, uint64_t *key, gb_meta *m, gb_ctx *ctx, const gb_id *id) {
    sqlite3_stmt *s;
    bool found = false;
    gb_status status = gb_sql_open(&s, m, ctx, "SELECT " DATASET_COLUMNS DATASET_FROM "WHERE d.id = ?1", "t", id->s);
    if (status == GB_OK) status = gb_sql_next(&found, m, ctx, s);
    if (status == GB_OK && found) {
        dataset_row(out, s);
        *key = gb_sql_u64(s, 13);
    }
    gb_sql_close(s);
    if (status == GB_OK && !found) status = gb_fail(ctx, GB_ERR_NOT_FOUND, "dataset %s does not exist", id->s);
    return status;
}

gb_status gb_dataset_insert(uint64_t *key, gb_meta *m, gb_ctx *ctx, const gb_dataset_row *row) {
    uint64_t workspace = 0;
    GB_TRY(gb_workspace_key(&workspace, m, ctx, &row->workspace));
    GB_TRY(gb_sql_do(m, ctx,
                     "INSERT INTO datasets(id, workspace, label, nonce, state, result, tiles, received, bytes, created,"
                     " keyset, draft, manifest, manifest_bytes)"
                     " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                     "titt"
                     "iiiiid"
                     "hhhi",
                     row->id.s, workspace, row->label, row->nonce, (uint64_t)row->state, (uint64_t)row->result,
                     row->tiles, row->received, row->bytes, row->created, &row->keyset, &row->manifest, &row->manifest,
                     row->manifest_bytes));
    *key = (uint64_t)sqlite3_last_insert_rowid(m->db);
    return gb_object_ref(m, ctx, &row->manifest, row->manifest_bytes);
}

/* The dataset that this nonce made before. */
static gb_status find_nonce(bool *found, gb_dataset_row *row, gb_meta *m, gb_ctx *ctx) {
    *found = false;
    if (row->nonce[0] == '\0') return GB_OK;
    sqlite3_stmt *s;
    gb_hash draft = row->manifest, first;
    gb_status status =
        gb_sql_open(&s, m, ctx, "SELECT " DATASET_COLUMNS DATASET_FROM "WHERE w.id = ?1 AND d.nonce = ?2", "tt",
                    row->workspace.s, row->nonce);
    if (status == GB_OK) status = gb_sql_next(found, m, ctx, s);
    if (status == GB_OK && *found) {
        gb_sql_hash(&first, s, 14);
        gb_dataset_row existing;
        dataset_row(&existing, s);
        if (gb_hash_equal(&first, &draft))
            *row = existing;
        else
            status =
                gb_fail(ctx, GB_ERR_EXISTS, "nonce: dataset %s was begun with it and another manifest; use a new nonce",
                        existing.id.s);
    }
    gb_sql_close(s);
    return status;
}

static gb_status dataset_add(gb_dataset_row *row, bool *made, gb_meta *m, gb_ctx *ctx, const gb_publish *publish) {
    bool found = false;
    uint64_t key = 0;
    GB_TRY(gb_workspace_key(&key, m, ctx, &row->workspace));
    GB_TRY(find_nonce(&found, row, m, ctx));
    *made = !found;
    if (found) return GB_OK;
    gb_id_new(&row->id);
    row->created = gb_meta_now();
    row->state = GB_DATASET_UPLOADING;
    row->received = row->bytes = 0;
    row->result = false;
    GB_TRY(gb_dataset_insert(&key, m, ctx, row));
    return publish->run(publish->user, ctx);
}

gb_status gb_meta_dataset_add(gb_dataset_row *row, bool *made, gb_meta *m, gb_ctx *ctx, const gb_publish *publish) {
    *made = false;
    GB_TRY(gb_meta_begin(m, ctx));
    return gb_meta_end(m, ctx, dataset_add(row, made, m, ctx, publish));
}

gb_status gb_meta_dataset_get(gb_dataset_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *id) {
    GB_TRY(gb_meta_begin(m, ctx));
    uint64_t key;
    return gb_meta_end(m, ctx, gb_dataset_read(out, &key, m, ctx, id));
}

gb_status gb_meta_dataset_each(gb_meta *m, gb_ctx *ctx, const gb_id *workspace, gb_dataset_fn each, void *user) {
    GB_TRY(gb_meta_begin(m, ctx));
    uint64_t key = 0;
    sqlite3_stmt *s = NULL;
    gb_status status = gb_workspace_key(&key, m, ctx, workspace);
    if (status == GB_OK)
        status = gb_sql_open(&s, m, ctx, "SELECT " DATASET_COLUMNS DATASET_FROM "WHERE d.workspace = ?1 ORDER BY d.key",
                             "i", key);
    bool found = true;
    while (status == GB_OK && (status = gb_sql_next(&found, m, ctx, s)) == GB_OK && found) {
        gb_dataset_row row;
        dataset_row(&row, s);
        status = each(user, &row);
    }
    gb_sql_close(s);
    return gb_meta_end(m, ctx, status);
}

/* ---- removal ---- */

static gb_status unref_tiles(gb_meta *m, gb_ctx *ctx, uint64_t key) {
    sqlite3_stmt *s;
    bool found = true;
    gb_status status = gb_sql_open(&s, m, ctx, "SELECT object FROM tiles WHERE dataset = ?1", "i", key);
    while (status == GB_OK && (status = gb_sql_next(&found, m, ctx, s)) == GB_OK && found) {
        gb_hash object;
        gb_sql_hash(&object, s, 0);
        status = gb_object_unref(m, ctx, &object);
    }
    gb_sql_close(s);
    return status;
}

static gb_status dataset_delete(gb_meta *m, gb_ctx *ctx, const gb_id *id) {
    gb_dataset_row row;
    uint64_t key = 0;
    GB_TRY(gb_dataset_read(&row, &key, m, ctx, id));
    sqlite3_stmt *s;
    bool used = false;
    gb_status status = gb_sql_open(&s, m, ctx,
                                   "SELECT 1 FROM job_data u JOIN jobs j ON j.key = u.job"
                                   " WHERE u.dataset = ?1 AND j.state IN (?2, ?3)",
                                   "iii", key, (uint64_t)GB_JOB_QUEUED, (uint64_t)GB_JOB_RUNNING);
    if (status == GB_OK) status = gb_sql_next(&used, m, ctx, s);
    gb_sql_close(s);
    GB_TRY(status);
    if (used) return gb_fail(ctx, GB_ERR_STATE, "dataset %s is read by a job; wait for it or cancel it first", id->s);
    GB_TRY(unref_tiles(m, ctx, key));
    GB_TRY(gb_object_unref(m, ctx, &row.manifest));
    GB_TRY(gb_sql_do(m, ctx, "DELETE FROM tiles WHERE dataset = ?1", "i", key));
    GB_TRY(gb_sql_do(m, ctx, "DELETE FROM job_data WHERE output = 1 AND dataset = ?1", "i", key));
    return gb_sql_do(m, ctx, "DELETE FROM datasets WHERE key = ?1", "i", key);
}

gb_status gb_meta_dataset_delete(gb_meta *m, gb_ctx *ctx, const gb_id *id) {
    GB_TRY(gb_meta_begin(m, ctx));
    return gb_meta_end(m, ctx, dataset_delete(m, ctx, id));
}

/* ---- tiles ---- */

gb_status gb_tile_insert(gb_meta *m, gb_ctx *ctx, uint64_t dataset_key, const gb_tile_row *tile) {
    GB_TRY(gb_sql_do(m, ctx, "INSERT INTO tiles(dataset, tile, object, bytes) VALUES(?1, ?2, ?3, ?4)", "iihi",
                     dataset_key, tile->tile, &tile->object, tile->bytes));
    return gb_object_ref(m, ctx, &tile->object, tile->bytes);
}

static gb_status tile_find(gb_tile_row *out, bool *found, gb_meta *m, gb_ctx *ctx, uint64_t key, uint64_t tile) {
    sqlite3_stmt *s;
    gb_status status = gb_sql_open(&s, m, ctx, "SELECT tile, object, bytes FROM tiles WHERE dataset = ?1 AND tile = ?2",
                                   "ii", key, tile);
    if (status == GB_OK) status = gb_sql_next(found, m, ctx, s);
    if (status == GB_OK && *found) {
        out->tile = gb_sql_u64(s, 0);
        gb_sql_hash(&out->object, s, 1);
        out->bytes = gb_sql_u64(s, 2);
    }
    gb_sql_close(s);
    return status;
}

static gb_status tile_add(gb_meta *m, gb_ctx *ctx, const gb_id *dataset, const gb_tile_row *tile,
                          const gb_publish *publish) {
    gb_dataset_row row;
    gb_tile_row there;
    uint64_t key = 0;
    bool found = false;
    GB_TRY(gb_dataset_read(&row, &key, m, ctx, dataset));
    GB_TRY(tile_find(&there, &found, m, ctx, key, tile->tile));
    if (found && gb_hash_equal(&there.object, &tile->object)) return GB_OK;
    if (row.state != GB_DATASET_UPLOADING)
        return gb_fail(ctx, GB_ERR_STATE, "dataset %s is %s and cannot change", dataset->s,
                       gb_dataset_state_name(row.state));
    if (found)
        return gb_fail(ctx, GB_ERR_EXISTS, "dataset %s has another tile %llu; begin a new dataset", dataset->s,
                       (unsigned long long)tile->tile);
    GB_TRY(gb_tile_insert(m, ctx, key, tile));
    GB_TRY(gb_sql_do(m, ctx, "UPDATE datasets SET received = received + 1, bytes = bytes + ?2 WHERE key = ?1", "ii",
                     key, tile->bytes));
    return publish->run(publish->user, ctx);
}

gb_status gb_meta_tile_add(gb_meta *m, gb_ctx *ctx, const gb_id *dataset, const gb_tile_row *tile,
                           const gb_publish *publish) {
    GB_TRY(gb_meta_begin(m, ctx));
    return gb_meta_end(m, ctx, tile_add(m, ctx, dataset, tile, publish));
}

gb_status gb_meta_tile_get(gb_tile_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *dataset, uint64_t tile) {
    GB_TRY(gb_meta_begin(m, ctx));
    gb_dataset_row row;
    uint64_t key = 0;
    bool found = false;
    gb_status status = gb_dataset_read(&row, &key, m, ctx, dataset);
    if (status == GB_OK) status = tile_find(out, &found, m, ctx, key, tile);
    if (status == GB_OK && !found)
        status = gb_fail(ctx, GB_ERR_NOT_FOUND, "dataset %s has no tile %llu", dataset->s, (unsigned long long)tile);
    return gb_meta_end(m, ctx, status);
}

static gb_status tile_each(gb_meta *m, gb_ctx *ctx, uint64_t key, gb_tile_fn each, void *user) {
    sqlite3_stmt *s;
    bool found = true;
    gb_status status =
        gb_sql_open(&s, m, ctx, "SELECT tile, object, bytes FROM tiles WHERE dataset = ?1 ORDER BY tile", "i", key);
    while (status == GB_OK && (status = gb_sql_next(&found, m, ctx, s)) == GB_OK && found) {
        gb_tile_row row = {.tile = gb_sql_u64(s, 0), .bytes = gb_sql_u64(s, 2)};
        gb_sql_hash(&row.object, s, 1);
        status = each(user, &row);
    }
    gb_sql_close(s);
    return status;
}

gb_status gb_meta_tile_each(gb_meta *m, gb_ctx *ctx, const gb_id *dataset, gb_tile_fn each, void *user) {
    GB_TRY(gb_meta_begin(m, ctx));
    gb_dataset_row row;
    uint64_t key = 0;
    gb_status status = gb_dataset_read(&row, &key, m, ctx, dataset);
    if (status == GB_OK) status = tile_each(m, ctx, key, each, user);
    return gb_meta_end(m, ctx, status);
}

/* ---- commit ---- */

typedef struct compare {
    const gb_hash *hashes;
    uint64_t tiles, same;
} compare;

static gb_status compare_tile(void *user, const gb_tile_row *row) {
    compare *c = user;
    if (row->tile < c->tiles && gb_hash_equal(&row->object, &c->hashes[row->tile])) c->same++;
    return GB_OK;
}

static gb_status dataset_commit(gb_meta *m, gb_ctx *ctx, const gb_id *id, const gb_hash *manifest,
                                uint64_t manifest_bytes, const gb_hash *hashes, const gb_publish *publish) {
    gb_dataset_row row;
    uint64_t key = 0;
    GB_TRY(gb_dataset_read(&row, &key, m, ctx, id));
    if (row.state == GB_DATASET_READY && gb_hash_equal(&row.manifest, manifest)) return GB_OK;
    if (row.state != GB_DATASET_UPLOADING)
        return gb_fail(ctx, GB_ERR_STATE, "dataset %s is %s and cannot change", id->s,
                       gb_dataset_state_name(row.state));
    compare c = {.hashes = hashes, .tiles = row.tiles};
    GB_TRY(tile_each(m, ctx, key, compare_tile, &c));
    if (c.same != row.tiles)
        return gb_fail(ctx, GB_ERR_STATE,
                       "dataset %s: %llu of %llu tiles are missing and %llu differ from the manifest; send them first",
                       id->s, (unsigned long long)(row.tiles - row.received), (unsigned long long)row.tiles,
                       (unsigned long long)(row.received - c.same));
    GB_TRY(gb_object_ref(m, ctx, manifest, manifest_bytes));
    GB_TRY(gb_object_unref(m, ctx, &row.manifest));
    GB_TRY(gb_sql_do(m, ctx, "UPDATE datasets SET state = ?2, manifest = ?3, manifest_bytes = ?4 WHERE key = ?1",
                     "iihi", key, (uint64_t)GB_DATASET_READY, manifest, manifest_bytes));
    return publish->run(publish->user, ctx);
}

gb_status gb_meta_dataset_commit(gb_meta *m, gb_ctx *ctx, const gb_id *id, const gb_hash *manifest,
                                 uint64_t manifest_bytes, const gb_hash *hashes, const gb_publish *publish) {
    GB_TRY(gb_meta_begin(m, ctx));
    return gb_meta_end(m, ctx, dataset_commit(m, ctx, id, manifest, manifest_bytes, hashes, publish));
}
