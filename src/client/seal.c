/* client/seal: see seal.h. */
#include "client/seal.h"

#include <math.h>
#include <sodium.h>

static size_t group_lines(const gb_bundle_info *info, size_t group, size_t *first) {
    const size_t lines = gb_bundle_lines(info);
    *first = group * info->lines_per_tile;
    return gb_min_size(info->lines_per_tile, lines - *first);
}

typedef struct group_buffer {
    float *values;
    int64_t *scaled;
    size_t rows, lines; /* lines of a full group */
} group_buffer;

static void release(group_buffer *b) {
    if (b->values) gb_wipe(b->values, b->rows * b->lines * sizeof *b->values);
    if (b->scaled) gb_wipe(b->scaled, b->rows * b->lines * sizeof *b->scaled);
    gb_free(b->values);
    gb_free(b->scaled);
}

static gb_status reserve(group_buffer *b, gb_ctx *ctx, const gb_bundle_info *info) {
    *b = (group_buffer){.rows = info->rows, .lines = gb_min_size(info->lines_per_tile, gb_bundle_lines(info))};
    gb_status s = gb_alloc(&b->values, ctx, b->rows * b->lines, sizeof *b->values);
    if (s == GB_OK) s = gb_alloc(&b->scaled, ctx, b->rows * b->lines, sizeof *b->scaled);
    if (s != GB_OK) release(b);
    return s;
}

/* Values of one group as scaled integers. |value| <= max_abs holds for every one of them afterwards (NaN fails it), and
 * the plan has made max_abs * scale < Q / 4. */
static gb_status load(group_buffer *b, gb_ctx *ctx, const gb_bundle_info *info, size_t group,
                      const gb_line_source *lines) {
    size_t first;
    const size_t count = group_lines(info, group, &first);
    GB_TRY(lines->read(lines->user, ctx, b->values, first, count));
    size_t bad = SIZE_MAX;
    for (size_t i = 0; i < count * b->rows; i++) {
        const double v = (double)b->values[i];
        if (!(fabs(v) <= info->max_abs)) {
            bad = i;
            break;
        }
        b->scaled[i] = llrint(v * info->scale);
    }
    if (bad == SIZE_MAX) return GB_OK;
    return gb_fail(ctx, GB_ERR_RANGE,
                   "line %zu, row %zu: a value is not within the declared range; the result could not be "
                   "decrypted exactly, so nothing was encrypted; declare a larger range",
                   first + bad / b->rows, bad % b->rows);
}

gb_status gb_seal_manifest(gb_buffer *out, gb_client *c, const gb_bundle_info *info, const gb_hash *hashes) {
    gb_manifest m = {.info = *info};
    gb_hash *zeros = NULL;
    m.tile_count = gb_bundle_tiles(info, gb_secret_params(c->secret));
    if (!hashes) GB_TRY(gb_alloc_zero(&zeros, c->ctx, m.tile_count, sizeof *zeros));
    m.tiles = hashes ? (gb_hash *)hashes : zeros;
    const gb_status s = gb_manifest_encode(out, c->ctx, &m);
    gb_free(zeros);
    return s;
}

gb_status gb_seal_content(gb_hash *out, gb_client *c, const gb_bundle_info *info, const gb_line_source *lines) {
    gb_buffer head = GB_BUFFER_INIT;
    group_buffer b;
    gb_bundle_info unseeded = *info;
    unseeded.seed = (gb_seed){{0}};
    GB_TRY(reserve(&b, c->ctx, info));
    gb_status s = gb_seal_manifest(&head, c, &unseeded, NULL);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, GB_HASH_BYTES);
    if (s == GB_OK) crypto_generichash_update(&state, head.data, head.size);
    const size_t groups = gb_bundle_groups(info);
    for (size_t g = 0; g < groups && s == GB_OK; g++) {
        size_t first;
        const size_t count = group_lines(info, g, &first);
        s = load(&b, c->ctx, info, g, lines);
        if (s == GB_OK) crypto_generichash_update(&state, (const uint8_t *)b.scaled, count * b.rows * sizeof *b.scaled);
        if (s == GB_OK) s = gb_progress(c->ctx, "check ranges", g + 1, groups);
    }
    crypto_generichash_final(&state, out->b, GB_HASH_BYTES);
    gb_wipe(&state, sizeof state);
    gb_buffer_release(&head);
    release(&b);
    return s;
}

gb_status gb_seal(gb_client *c, const gb_bundle_info *info, const gb_line_source *lines, const gb_tile_sink *sink,
                  const char *stage) {
    group_buffer b;
    GB_TRY(reserve(&b, c->ctx, info));
    const size_t groups = gb_bundle_groups(info);
    gb_status s = gb_progress(c->ctx, stage, 0, groups);
    for (size_t g = 0; g < groups && s == GB_OK; g++) {
        s = load(&b, c->ctx, info, g, lines);
        if (s == GB_OK) s = gb_encrypt_seeded(c->ctx, c->secret, info, g, b.scaled, sink);
        if (s == GB_OK) s = gb_progress(c->ctx, stage, g + 1, groups);
    }
    release(&b);
    return s;
}

gb_status gb_unseal_group(gb_client *c, const gb_bundle_info *info, size_t group, const gb_tile_source *source,
                          const gb_line_sink *lines) {
    size_t first;
    const size_t count = group_lines(info, group, &first);
    double *values;
    GB_TRY(gb_alloc(&values, c->ctx, count * info->rows, sizeof *values));
    gb_status s = gb_decrypt(values, c->ctx, c->secret, info, group, source);
    if (s == GB_OK) s = lines->write(lines->user, c->ctx, values, first, count);
    gb_wipe(values, count * info->rows * sizeof *values);
    gb_free(values);
    return s;
}
