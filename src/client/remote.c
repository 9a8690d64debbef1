/* client/remote: see remote.h. */
#include "client/remote.h"

#include "client/transfer.h"

/* ---- up ---- */

typedef struct upload {
    gb_transfer *transfer; /* NULL: nothing is missing */
    gb_hash *hashes;
    const bool *missing;
} upload;

static gb_status send_tile(void *user, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n) {
    upload *u = user;
    gb_hash_of(&u->hashes[tile], data, n, NULL, 0);
    if (!u->missing[tile]) return GB_OK;
    return gb_transfer_put(u->transfer, ctx, tile, data, n, &u->hashes[tile]);
}

/* A lost server is not a lost upload: say so in the same line. */
static gb_status say_resumable(gb_client *c, gb_status s) {
    if (s != GB_ERR_NETWORK) return s;
    char text[512];
    gb_copy_text(text, sizeof text, gb_ctx_error(c->ctx));
    return gb_fail(c->ctx, s, "%s (the same command goes on where this one stopped)", text);
}

static gb_status send_missing(gb_client *c, const char *id, const gb_bundle_info *info, const gb_line_source *lines,
                              const bool *missing, uint64_t *bytes) {
    upload u = {.missing = missing};
    gb_buffer manifest = GB_BUFFER_INIT;
    gb_status s =
        gb_alloc_zero(&u.hashes, c->ctx, gb_bundle_tiles(info, gb_secret_params(c->secret)), sizeof *u.hashes);
    if (s == GB_OK) s = gb_transfer_new(&u.transfer, c, id);
    const gb_tile_sink sink = {.user = &u, .write = send_tile};
    if (s == GB_OK) s = gb_seal(c, info, lines, &sink, "encrypt and upload");
    if (s == GB_OK) s = gb_transfer_wait(u.transfer, c->ctx);
    if (u.transfer) *bytes += gb_transfer_bytes(u.transfer);
    gb_transfer_free(u.transfer);
    if (s == GB_OK) s = gb_seal_manifest(&manifest, c, info, u.hashes);
    if (s == GB_OK) s = gb_api_commit(c, id, &manifest);
    gb_buffer_release(&manifest);
    gb_free(u.hashes);
    return s;
}

/* Which tiles the server lacks; all of a new dataset. */
static gb_status find_missing(bool **out, gb_client *c, const gb_api_dataset *d, size_t tiles) {
    if (d->info.tiles != tiles)
        return gb_fail(c->ctx, GB_ERR_PARAMS, "server: dataset %s has %llu tiles where %zu were announced", d->info.id,
                       (unsigned long long)d->info.tiles, tiles);
    GB_TRY(gb_alloc(out, c->ctx, tiles, sizeof **out));
    if (d->info.received == 0) {
        memset(*out, 1, tiles * sizeof **out);
        return GB_OK;
    }
    gb_log(c->ctx, GB_LOG_WARN, "going on with an upload that was interrupted: %llu of %zu tiles are there",
           (unsigned long long)d->info.received, tiles);
    const gb_status s = gb_api_missing(*out, c, d->info.id, tiles);
    if (s != GB_OK) {
        gb_free(*out);
        *out = NULL;
    }
    return s;
}

gb_status gb_remote_put(gb_api_dataset *out, gb_journal *journal, gb_client *c, gb_bundle_info *info,
                        const gb_line_source *lines, const gb_note *note, uint64_t *bytes) {
    gb_hash content;
    char nonce[2 * GB_HASH_BYTES + 1], label[GB_NOTE_LABEL_MAX + 1];
    GB_TRY(gb_seal_content(&content, c, info, lines));
    GB_TRY(gb_api_put_keyset(c));
    GB_TRY(gb_note_seal(label, c, note));
    GB_TRY(gb_journal_open(journal, c, &content));
    gb_secret_dataset_seed(&info->seed, c->secret, &journal->nonce, &content);
    gb_hex(nonce, journal->nonce.b, GB_HASH_BYTES);
    gb_buffer draft = GB_BUFFER_INIT;
    bool *missing = NULL;
    gb_status s = gb_seal_manifest(&draft, c, info, NULL);
    if (s == GB_OK) s = gb_api_create_dataset(out, c, &draft, label, nonce);
    if (s == GB_OK && strcmp(out->info.state, "ready") != 0) {
        s = find_missing(&missing, c, out, gb_bundle_tiles(info, gb_secret_params(c->secret)));
        if (s == GB_OK) s = send_missing(c, out->info.id, info, lines, missing, bytes);
        if (s == GB_OK) s = gb_api_dataset_get(out, c, out->info.id);
    }
    gb_free(missing);
    gb_buffer_release(&draft);
    if (s != GB_OK) gb_journal_release(journal);
    return say_resumable(c, s);
}

/* ---- down ---- */

gb_status gb_remote_manifest(gb_manifest *out, gb_params **params, gb_client *c, const char *id) {
    gb_buffer b = GB_BUFFER_INIT;
    memset(out, 0, sizeof *out);
    *params = NULL;
    gb_status s = gb_api_manifest(&b, c, id);
    if (s == GB_OK) s = gb_manifest_decode(out, params, c->ctx, b.data, b.size);
    gb_buffer_release(&b);
    return s;
}

/* The server computed something else than was asked for: never unpack it as if it were the answer. */
static gb_status compare(gb_client *c, const gb_bundle_info *got, const gb_bundle_info *want) {
    bool same = gb_hash_equal(&got->params, &want->params) && got->axis_count == want->axis_count &&
                got->rows == want->rows && got->copies == want->copies && got->limbs == want->limbs &&
                got->bits0 == want->bits0 && got->bits1 == want->bits1 && got->scale == want->scale &&
                got->lines_per_tile == want->lines_per_tile && got->seeded == want->seeded;
    for (uint32_t i = 0; same && i < want->axis_count; i++) same = got->axes[i].size == want->axes[i].size;
    if (same) return GB_OK;
    return gb_fail(c->ctx, GB_ERR_PARAMS,
                   "the server's result has another shape or scale than the program's; are client and "
                   "server of one version?");
}

/* The tiles of one group in memory, as gb_decrypt asks for them. */
typedef struct group_tiles {
    size_t count;
    size_t *tile, *size;
    uint8_t **data;
} group_tiles;

static gb_status read_tile(void *user, gb_ctx *ctx, size_t tile, uint8_t *data, size_t capacity, size_t *n) {
    const group_tiles *g = user;
    for (size_t i = 0; i < g->count; i++) {
        if (g->tile[i] != tile) continue;
        if (g->size[i] > capacity) return gb_fail(ctx, GB_ERR_INTERNAL, "tile %zu does not fit its buffer", tile);
        memcpy(data, g->data[i], g->size[i]);
        *n = g->size[i];
        return GB_OK;
    }
    return gb_fail(ctx, GB_ERR_INTERNAL, "tile %zu was not downloaded", tile);
}

static void drop_group(group_tiles *g) {
    for (size_t i = 0; g->data && i < g->count; i++) gb_free(g->data[i]);
    gb_free(g->tile);
    gb_free(g->size);
    gb_free(g->data);
}

static gb_status fetch_group(group_tiles *g, gb_client *c, gb_transfer *t, const gb_manifest *m, const gb_params *p,
                             size_t group) {
    const size_t blocks[2] = {gb_bundle_blocks0(&m->info), m->info.seeded ? 0 : gb_bundle_blocks1(&m->info, p)};
    *g = (group_tiles){.count = blocks[0] + blocks[1]};
    gb_status s = gb_alloc_zero(&g->data, c->ctx, g->count, sizeof *g->data);
    if (s == GB_OK) s = gb_alloc_zero(&g->tile, c->ctx, g->count, sizeof *g->tile);
    if (s == GB_OK) s = gb_alloc_zero(&g->size, c->ctx, g->count, sizeof *g->size);
    size_t i = 0;
    for (unsigned plane = 0; plane < 2; plane++) {
        for (size_t b = 0; b < blocks[plane] && s == GB_OK; b++, i++) {
            g->tile[i] = gb_bundle_tile(&m->info, plane, b, group);
            g->size[i] = gb_tile_bytes(&m->info, p, plane, group);
            if (g->tile[i] >= m->tile_count)
                s = gb_fail(c->ctx, GB_ERR_FORMAT, "the manifest has no tile %zu; the server's copy is damaged",
                            g->tile[i]);
            if (s == GB_OK) s = gb_alloc(&g->data[i], c->ctx, g->size[i], 1);
            if (s == GB_OK) s = gb_transfer_get(t, c->ctx, g->tile[i], g->data[i], g->size[i], &m->tiles[g->tile[i]]);
        }
    }
    /* Transfers write into our memory: always wait for them, also after an error. */
    const gb_status w = gb_transfer_wait(t, c->ctx);
    return s != GB_OK ? s : w;
}

static gb_status fetch_all(gb_client *c, gb_transfer *t, const gb_manifest *m, const gb_params *p,
                           const gb_line_sink *lines) {
    const size_t groups = gb_bundle_groups(&m->info);
    gb_status s = gb_progress(c->ctx, "download and decrypt", 0, groups);
    for (size_t i = 0; i < groups && s == GB_OK; i++) {
        group_tiles g;
        s = fetch_group(&g, c, t, m, p, i);
        const gb_tile_source source = {.user = &g, .read = read_tile};
        if (s == GB_OK) s = gb_unseal_group(c, &m->info, i, &source, lines);
        drop_group(&g);
        if (s == GB_OK) s = gb_progress(c->ctx, "download and decrypt", i + 1, groups);
    }
    return s;
}

gb_status gb_remote_get(gb_client *c, const char *id, const gb_bundle_info *expect, const gb_line_sink *lines,
                        uint64_t *bytes) {
    gb_manifest m;
    gb_params *p;
    gb_transfer *t = NULL;
    gb_status s = gb_remote_manifest(&m, &p, c, id);
    if (s == GB_OK && expect) s = compare(c, &m.info, expect);
    if (s == GB_OK && !gb_hash_equal(&m.info.key, gb_secret_key_id(c->secret)))
        s = gb_fail(c->ctx, GB_ERR_KEY,
                    "dataset %s is encrypted under another key than '%s'; see glovebox list and key list", id,
                    c->key_name);
    if (s == GB_OK) s = gb_transfer_new(&t, c, id);
    if (s == GB_OK) s = fetch_all(c, t, &m, p, lines);
    if (t) *bytes += gb_transfer_bytes(t);
    gb_transfer_free(t);
    gb_manifest_release(&m);
    gb_params_free(p);
    return say_resumable(c, s);
}
