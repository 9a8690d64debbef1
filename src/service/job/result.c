/* From a job to its plan, and from a worker's tiles to a dataset. */
#include <unistd.h>

#include "service/job/job.h"

/* ---- plan ---- */

static bool same_axes(const gb_bundle_info *a, const gb_bundle_info *b) {
    if (a->axis_count != b->axis_count) return false;
    for (uint32_t i = 0; i < a->axis_count && i < GB_BUNDLE_AXES; i++)
        if (a->axes[i].size != b->axes[i].size || strcmp(a->axes[i].name, b->axes[i].name) != 0) return false;
    return true;
}

/* Everything but key and seed, which are the client's. */
static bool same_info(const gb_bundle_info *a, const gb_bundle_info *b) {
    return gb_hash_equal(&a->params, &b->params) && same_axes(a, b) && a->rows == b->rows && a->copies == b->copies &&
           a->limbs == b->limbs && a->bits0 == b->bits0 && a->bits1 == b->bits1 && a->scale == b->scale &&
           a->max_abs == b->max_abs && a->lines_per_tile == b->lines_per_tile;
}

static gb_status read_manifest(gb_manifest *out, const gb_jobs_config *c, gb_ctx *ctx, const gb_dataset_row *row) {
    uint8_t *data;
    size_t n;
    GB_TRY(gb_store_read(&data, &n, ctx, c->store, &row->manifest, GB_JOB_MANIFEST_MAX));
    gb_status status = gb_manifest_decode(out, NULL, ctx, data, n);
    gb_free(data);
    return status;
}

/* Input i is there, ready, of the job's workspace and of one key with the others, and as the plan wants it. */
static gb_status check_input(gb_hash *key, const gb_jobs_config *c, gb_ctx *ctx, const gb_job_row *row, size_t i,
                             const gb_plan *plan) {
    gb_dataset_row dataset;
    gb_manifest manifest = {0};
    GB_TRY(gb_meta_dataset_get(&dataset, c->meta, ctx, &row->inputs[i]));
    if (strcmp(dataset.workspace.s, row->workspace.s) != 0)
        return gb_fail(ctx, GB_ERR_NOT_FOUND, "dataset %s is not in workspace %s", dataset.id.s, row->workspace.s);
    if (dataset.state != GB_DATASET_READY)
        return gb_fail(ctx, GB_ERR_STATE, "dataset %s is %s; commit it first", dataset.id.s,
                       gb_dataset_state_name(dataset.state));
    GB_TRY(read_manifest(&manifest, c, ctx, &dataset));
    gb_status status = GB_OK;
    if (i == 0)
        *key = manifest.info.key;
    else if (!gb_hash_equal(key, &manifest.info.key))
        status = gb_fail(ctx, GB_ERR_KEY, "dataset %s is of another key than the job's first", dataset.id.s);
    if (status == GB_OK && !same_info(&manifest.info, gb_plan_input(plan, i)))
        status = gb_fail(ctx, GB_ERR_PARAMS,
                         "dataset %s is not what input %zu of the plan wants (shape, scale or modulus); encrypt it for "
                         "this program and precision",
                         dataset.id.s, i);
    gb_manifest_release(&manifest);
    return status;
}

static gb_status make_plan(gb_plan **plan, gb_params **params, const gb_jobs_config *c, gb_ctx *ctx,
                           const gb_job_row *row) {
    gb_named_row named;
    uint8_t *data;
    size_t n;
    gb_program *program = NULL;
    GB_TRY(gb_meta_named_get(&named, c->meta, ctx, &row->workspace, GB_NAMED_PROGRAM, &row->program));
    GB_TRY(gb_store_read(&data, &n, ctx, c->store, &named.object, GB_JOB_MANIFEST_MAX));
    gb_status status = gb_program_decode(&program, ctx, data, n);
    gb_free(data);
    gb_precision precision = row->precision == GB_PRECISION_HIGH ? GB_PRECISION_HIGH : GB_PRECISION_DEFAULT;
    if (status == GB_OK) status = gb_params_named(params, ctx, gb_precision_params(precision));
    if (status == GB_OK && gb_program_inputs(program) != row->input_count)
        status = gb_fail(ctx, GB_ERR_ARGUMENT, "inputs: the program has %zu, the job gives %zu",
                         gb_program_inputs(program), row->input_count);
    if (status == GB_OK && gb_program_outputs(program) != 1)
        status = gb_fail(ctx, GB_ERR_UNSUPPORTED, "program: %zu outputs; exactly one can be run as a job",
                         gb_program_outputs(program));
    if (status == GB_OK) status = gb_plan_new(plan, ctx, program, *params, precision, row->copies);
    gb_program_free(program);
    return status;
}

gb_status gb_job_plan(gb_plan **plan, gb_params **params, gb_hash *key, const gb_jobs_config *c, gb_ctx *ctx,
                      const gb_job_row *row) {
    *plan = NULL;
    *params = NULL;
    memset(key, 0, sizeof *key);
    gb_status status = make_plan(plan, params, c, ctx, row);
    for (size_t i = 0; status == GB_OK && i < row->input_count; i++) status = check_input(key, c, ctx, row, i, *plan);
    if (status != GB_OK) {
        gb_plan_free(*plan);
        gb_params_free(*params);
        *plan = NULL;
        *params = NULL;
    }
    return status;
}

/* ---- result ---- */

typedef struct collection {
    const gb_jobs_config *c;
    const char *dir;
    gb_bundle_info info;
    gb_params *params;
    size_t tiles;
    gb_store_put **puts; /* tiles, then the manifest */
    gb_hash *hashes;
    uint64_t *bytes;
    uint64_t *words; /* one decoded tile */
} collection;

static gb_status check_tile(collection *k, gb_ctx *ctx, size_t tile, unsigned plane, size_t block, size_t group) {
    gb_store_put *put = k->puts[tile];
    const uint8_t *data;
    GB_TRY(gb_store_put_map(&data, put, ctx));
    gb_status status = put->size == gb_tile_bytes(&k->info, k->params, plane, group)
                           ? gb_tile_decode(k->words, ctx, &k->info, k->params, plane, block, group, data, put->size)
                           : gb_fail(ctx, GB_ERR_FORMAT, "the worker made tile %zu of a wrong size", tile);
    gb_store_put_unmap(put, data);
    close(put->fd);
    put->fd = -1;
    return status;
}

static gb_status collect_tile(collection *k, gb_ctx *ctx, unsigned plane, size_t block, size_t group) {
    size_t tile = gb_bundle_tile(&k->info, plane, block, group);
    if (tile >= k->tiles || k->puts[tile] != NULL)
        return gb_fail(ctx, GB_ERR_INTERNAL, "tile numbers of a result do not agree");
    char *path = gb_format(ctx, "%s/out/%08zu.tile", k->dir, tile);
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = k->c->store->ops->adopt(&k->puts[tile], ctx, k->c->store, path);
    gb_free(path);
    if (status == GB_ERR_NOT_FOUND)
        status = gb_fail(ctx, GB_ERR_INTERNAL, "the worker said it was done, but made no tile %zu", tile);
    GB_TRY(status);
    GB_TRY(check_tile(k, ctx, tile, plane, block, group));
    k->hashes[tile] = k->puts[tile]->hash;
    k->bytes[tile] = k->puts[tile]->size;
    return GB_OK;
}

static gb_status collect_tiles(collection *k, gb_ctx *ctx) {
    size_t groups = gb_bundle_groups(&k->info);
    size_t blocks[2] = {gb_bundle_blocks0(&k->info), k->info.seeded ? 0 : gb_bundle_blocks1(&k->info, k->params)};
    for (unsigned plane = 0; plane < 2; plane++)
        for (size_t block = 0; block < blocks[plane]; block++)
            for (size_t group = 0; group < groups; group++) GB_TRY(collect_tile(k, ctx, plane, block, group));
    return GB_OK;
}

static gb_status make_manifest(collection *k, gb_ctx *ctx) {
    gb_store *store = k->c->store;
    gb_store_put **put = &k->puts[k->tiles];
    gb_manifest manifest = {.info = k->info, .tile_count = k->tiles, .tiles = k->hashes};
    gb_buffer bytes = GB_BUFFER_INIT;
    gb_status status = gb_manifest_encode(&bytes, ctx, &manifest);
    if (status == GB_OK) status = store->ops->create(put, ctx, store);
    if (status == GB_OK) status = store->ops->write(*put, ctx, bytes.data, bytes.size);
    if (status == GB_OK) status = store->ops->seal(*put, ctx);
    gb_buffer_release(&bytes);
    return status;
}

static gb_status publish_all(void *user, gb_ctx *ctx) {
    collection *k = user;
    return k->c->store->ops->publish(k->puts, k->tiles + 1, ctx);
}

static gb_status collect(collection *k, gb_ctx *ctx, const gb_job_row *row, double seconds) {
    size_t limbs = gb_max_size(k->info.limbs, 1);
    GB_TRY(gb_alloc_zero(&k->puts, ctx, k->tiles + 1, sizeof *k->puts));
    GB_TRY(gb_alloc_zero(&k->hashes, ctx, gb_max_size(k->tiles, 1), sizeof *k->hashes));
    GB_TRY(gb_alloc_zero(&k->bytes, ctx, gb_max_size(k->tiles, 1), sizeof *k->bytes));
    GB_TRY(gb_alloc(&k->words, ctx, limbs * k->info.lines_per_tile * GB_BLOCK, sizeof *k->words));
    GB_TRY(collect_tiles(k, ctx));
    GB_TRY(make_manifest(k, ctx));
    gb_dataset_row dataset = {
        .tiles = k->tiles,
        .keyset = k->info.key,
        .manifest = k->puts[k->tiles]->hash,
        .manifest_bytes = k->puts[k->tiles]->size,
    };
    memcpy(dataset.label, row->label, sizeof dataset.label);
    gb_publish publish = {publish_all, k};
    return gb_meta_job_finish(k->c->meta, ctx, &row->id, seconds, &dataset, k->hashes, k->bytes, &publish);
}

gb_status gb_job_collect(const gb_jobs_config *c, gb_ctx *ctx, const gb_job_row *row, double seconds) {
    gb_plan *plan;
    gb_hash key;
    collection k = {.c = c};
    GB_TRY(gb_job_plan(&plan, &k.params, &key, c, ctx, row));
    k.info = *gb_plan_output(plan, 0);
    k.info.key = key;
    k.tiles = gb_bundle_tiles(&k.info, k.params);
    char *dir = gb_job_folder(c, ctx, &row->id);
    k.dir = dir;
    gb_status status = dir != NULL ? collect(&k, ctx, row, seconds) : GB_ERR_MEMORY;
    for (size_t i = 0; k.puts != NULL && i <= k.tiles; i++) c->store->ops->discard(k.puts[i]);
    gb_free(k.puts);
    gb_free(k.hashes);
    gb_free(k.bytes);
    gb_free(k.words);
    gb_free(dir);
    gb_params_free(k.params);
    gb_plan_free(plan);
    return status;
}
