/* The folder of a job. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/job/job.h"

char *gb_job_folder(const gb_jobs_config *c, gb_ctx *ctx, const gb_id *id) {
    return gb_format(ctx, "%s/jobs/%s", c->dir, id->s);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at) {
    (void)info;
    (void)at;
    (void)(kind == FTW_DP ? rmdir(path) : unlink(path));
    return 0;
}

void gb_job_folder_remove(const gb_jobs_config *c, const gb_id *id, bool only_results) {
    char *path = gb_format(NULL, "%s/jobs/%s%s", c->dir, id->s, only_results ? "/out" : "");
    if (path != NULL) (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    gb_free(path);
}

/* ---- preparation ---- */

/* Copies a stored object into the folder, whole or not at all. */
static gb_status copy_object(const gb_jobs_config *c, gb_ctx *ctx, const gb_hash *object, const char *path) {
    uint8_t *data;
    size_t n;
    GB_TRY(gb_store_read(&data, &n, ctx, c->store, object, GB_JOB_MANIFEST_MAX));
    gb_status status = gb_file_write(ctx, path, data, n, 0400);
    gb_free(data);
    return status;
}

typedef struct sharing {
    const gb_jobs_config *c;
    gb_ctx *ctx;
    const char *dir;
} sharing;

static gb_status share_tile(void *user, const gb_tile_row *row) {
    sharing *s = user;
    char *path = gb_format(s->ctx, "%s/%08zu.tile", s->dir, (size_t)row->tile);
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = s->c->store->ops->share(s->ctx, s->c->store, &row->object, path);
    gb_free(path);
    return status;
}

static gb_status prepare_input(const gb_jobs_config *c, gb_ctx *ctx, const gb_id *dataset, const char *dir) {
    gb_dataset_row row;
    GB_TRY(gb_meta_dataset_get(&row, c->meta, ctx, dataset));
    GB_TRY(gb_dir_make(ctx, dir, 0700));
    sharing s = {c, ctx, dir};
    GB_TRY(gb_meta_tile_each(c->meta, ctx, dataset, share_tile, &s));
    char *path = gb_format(ctx, "%s/manifest.bin", dir);
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = copy_object(c, ctx, &row.manifest, path);
    gb_free(path);
    return status;
}

static gb_status write_spec(const gb_jobs_config *c, gb_ctx *ctx, const gb_job_row *row, const char *path) {
    json_t *spec =
        json_pack("{s:s, s:I, s:I, s:I, s:I}", "precision", row->precision == GB_PRECISION_HIGH ? "high" : "default",
                  "copies", (json_int_t)row->copies, "memory", (json_int_t)c->memory, "threads", (json_int_t)c->threads,
                  "inputs", (json_int_t)row->input_count);
    char *text = spec != NULL ? json_dumps(spec, JSON_COMPACT) : NULL;
    json_decref(spec);
    if (text == NULL) return gb_fail(ctx, GB_ERR_MEMORY, "no memory for a job's description");
    gb_status status = gb_file_write(ctx, path, text, strlen(text), 0400);
    free(text);
    return status;
}

gb_status gb_job_prepare(const gb_jobs_config *c, gb_ctx *ctx, const gb_job_row *row) {
    gb_named_row program;
    GB_TRY(gb_meta_named_get(&program, c->meta, ctx, &row->workspace, GB_NAMED_PROGRAM, &row->program));
    gb_status status = GB_OK;
    for (size_t i = 0; status == GB_OK && i < row->input_count; i++) {
        char *dir = gb_format(ctx, "%s/jobs/%s/inputs/%zu", c->dir, row->id.s, i);
        status = dir != NULL ? prepare_input(c, ctx, &row->inputs[i], dir) : GB_ERR_MEMORY;
        gb_free(dir);
    }
    GB_TRY(status);
    char *out = gb_format(ctx, "%s/jobs/%s/out", c->dir, row->id.s);
    char *bin = gb_format(ctx, "%s/jobs/%s/program.bin", c->dir, row->id.s);
    char *spec = gb_format(ctx, "%s/jobs/%s/spec.json", c->dir, row->id.s);
    status = out != NULL && bin != NULL && spec != NULL ? gb_dir_make(ctx, out, 0700) : GB_ERR_MEMORY;
    if (status == GB_OK) status = copy_object(c, ctx, &program.object, bin);
    if (status == GB_OK) status = write_spec(c, ctx, row, spec);
    gb_free(out);
    gb_free(bin);
    gb_free(spec);
    return status;
}

/* ---- at start ---- */

gb_status gb_job_folder_sweep(const gb_jobs_config *c, gb_ctx *ctx) {
    char *path = gb_format(ctx, "%s/jobs", c->dir);
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = gb_dir_make(ctx, path, 0700);
    DIR *dir = status == GB_OK ? opendir(path) : NULL;
    if (status == GB_OK && dir == NULL) status = gb_fail_errno(ctx, "cannot list", path);
    struct dirent *entry;
    while (status == GB_OK && (entry = readdir(dir)) != NULL) {
        gb_id id;
        gb_job_row row;
        if (!gb_id_parse(&id, entry->d_name)) continue;
        gb_status found = gb_meta_job_get(&row, c->meta, ctx, &id);
        if (found == GB_ERR_NOT_FOUND || (found == GB_OK && gb_job_state_final(row.state)))
            gb_job_folder_remove(c, &id, false);
        else
            status = found;
    }
    if (dir != NULL) closedir(dir);
    gb_free(path);
    return status;
}
