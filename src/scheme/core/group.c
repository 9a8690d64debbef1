/* scheme/core/group: all tiles of one group of lines in memory, to and from sinks and sources. */
#include "scheme/core/core.h"

gb_status gb_group_init(gb_group *g, gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p, size_t group,
                        unsigned planes) {
    *g = (gb_group){.info = b, .params = p, .group = group, .limbs = b->limbs > 0 ? b->limbs : 1};
    if (group >= gb_bundle_groups(b))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "bundle: group %zu of %zu does not exist", group, gb_bundle_groups(b));
    g->lines = gb_group_lines(b, group);
    g->first = group * b->lines_per_tile;
    for (unsigned plane = 0; plane < 2; plane++) {
        if ((planes >> plane & 1) == 0) continue;
        g->blocks[plane] = plane == 0 ? gb_bundle_blocks0(b) : gb_bundle_blocks1(b, p);
        gb_status status =
            gb_alloc(&g->words[plane], ctx, g->blocks[plane] * g->limbs * g->lines * GB_BLOCK, sizeof(uint64_t));
        if (status != GB_OK) {
            gb_group_release(g);
            return status;
        }
    }
    return GB_OK;
}

void gb_group_release(gb_group *g) {
    gb_free(g->words[0]);
    gb_free(g->words[1]);
    g->words[0] = g->words[1] = NULL;
}

static uint64_t *words_at(const gb_group *g, unsigned plane, size_t block, size_t limb, size_t line) {
    return g->words[plane] + ((block * g->limbs + limb) * g->lines + line) * GB_BLOCK;
}

void gb_group_put(gb_group *g, unsigned plane, size_t limb, size_t line, const uint64_t *x) {
    for (size_t b = 0; b < g->blocks[plane]; b++)
        memcpy(words_at(g, plane, b, limb, line), x + b * GB_BLOCK, GB_BLOCK * sizeof *x);
}

void gb_group_get(uint64_t *x, const gb_group *g, unsigned plane, size_t limb, size_t line) {
    for (size_t b = 0; b < g->blocks[plane]; b++)
        memcpy(x + b * GB_BLOCK, words_at(g, plane, b, limb, line), GB_BLOCK * sizeof *x);
}

bool gb_group_written(const gb_bundle_info *b, size_t group, const size_t blocks[2], const gb_tile_sink *sink) {
    if (sink->has == NULL) return false;
    for (unsigned plane = 0; plane < 2; plane++)
        for (size_t block = 0; block < blocks[plane]; block++)
            if (!sink->has(sink->user, gb_bundle_tile(b, plane, block, group))) return false;
    return true;
}

typedef struct tile_job {
    const gb_group *g;
    gb_ctx *ctx;
    const gb_tile_sink *sink;
    uint8_t *bytes;  /* writing: `slot` bytes a worker; reading: a tile */
    size_t slot;     /* largest tile of the group */
    const size_t *n; /* reading: size of each tile */
    _Atomic int failed;
} tile_job;

static void write_task(void *user, size_t i, unsigned worker) {
    tile_job *job = user;
    const gb_group *g = job->g;
    if (atomic_load(&job->failed) != GB_OK) return;
    unsigned plane = i >= g->blocks[0];
    size_t block = plane == 0 ? i : i - g->blocks[0];
    size_t tile = gb_bundle_tile(g->info, plane, block, g->group);
    if (job->sink->has != NULL && job->sink->has(job->sink->user, tile)) return;
    uint8_t *bytes = job->bytes + worker * job->slot;
    gb_status status =
        gb_tile_encode(bytes, job->ctx, g->info, g->params, plane, block, g->group, words_at(g, plane, block, 0, 0));
    if (status == GB_OK)
        status = job->sink->write(job->sink->user, job->ctx, tile, bytes,
                                  gb_tile_bytes(g->info, g->params, plane, g->group));
    gb_first_failure(&job->failed, status);
}

static size_t largest_tile(const gb_group *g) {
    return gb_max_size(gb_tile_bytes(g->info, g->params, 0, g->group), gb_tile_bytes(g->info, g->params, 1, g->group));
}

gb_status gb_group_write(const gb_group *g, gb_ctx *ctx, const gb_tile_sink *sink) {
    tile_job job = {.g = g, .ctx = ctx, .sink = sink, .slot = largest_tile(g), .failed = GB_OK};
    GB_TRY(gb_alloc(&job.bytes, ctx, gb_ctx_threads(ctx), job.slot));
    gb_parallel(ctx, g->blocks[0] + g->blocks[1], write_task, &job);
    gb_free(job.bytes);
    return (gb_status)job.failed;
}

static void decode_task(void *user, size_t i, unsigned worker) {
    tile_job *job = user;
    const gb_group *g = job->g;
    unsigned plane = i >= g->blocks[0];
    size_t block = plane == 0 ? i : i - g->blocks[0];
    gb_first_failure(&job->failed, gb_tile_decode(words_at(g, plane, block, 0, 0), job->ctx, g->info, g->params, plane,
                                                  block, g->group, job->bytes + i * job->slot, job->n[i]));
}

gb_status gb_group_read(gb_group *g, gb_ctx *ctx, const gb_tile_source *source) {
    tile_job job = {.g = g, .ctx = ctx, .slot = largest_tile(g), .failed = GB_OK};
    size_t count = g->blocks[0] + g->blocks[1], *sizes = NULL;
    gb_status status = gb_alloc(&sizes, ctx, count, sizeof *sizes);
    if (status == GB_OK) status = gb_alloc(&job.bytes, ctx, count, job.slot);
    for (size_t i = 0; i < count && status == GB_OK; i++) {
        unsigned plane = i >= g->blocks[0];
        size_t tile = gb_bundle_tile(g->info, plane, plane == 0 ? i : i - g->blocks[0], g->group);
        status = source->read(source->user, ctx, tile, job.bytes + i * job.slot, job.slot, &sizes[i]);
    }
    if (status == GB_OK) {
        job.n = sizes;
        gb_parallel(ctx, count, decode_task, &job);
        status = (gb_status)job.failed;
    }
    gb_free(job.bytes);
    gb_free(sizes);
    return status;
}
