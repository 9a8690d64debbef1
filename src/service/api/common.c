/* What the handlers share. */
#include <stdlib.h>

#include "service/api/api.h"

void gb_api_init(gb_api *a) {
    memset(a, 0, sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
}

void gb_api_release(gb_api *a) {
    for (size_t i = 0; i < GB_PARAMS_CACHE; i++) gb_params_free(a->params[i]);
    pthread_mutex_destroy(&a->lock);
}

gb_status gb_api_json(gb_http_request *r, int status, json_t *value) {
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    if (text == NULL) return gb_fail(r->ctx, GB_ERR_MEMORY, "no memory for a reply");
    gb_status result = gb_http_reply(r, status, "application/json", text, strlen(text));
    free(text);
    return result;
}

gb_status gb_api_id(gb_id *out, gb_http_request *r, size_t arg, const char *what) {
    if (gb_id_parse(out, r->args[arg])) return GB_OK;
    return gb_fail(r->ctx, GB_ERR_NOT_FOUND, "%s: an id has %d lower-case hex digits", what, GB_ID_HEX);
}

gb_status gb_api_hash(gb_hash *out, gb_ctx *ctx, const char *text, const char *what) {
    if (text != NULL && strlen(text) == (size_t)2 * GB_HASH_BYTES && gb_unhex(out->b, GB_HASH_BYTES, text))
        return GB_OK;
    return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: %d hex digits are needed", what, 2 * GB_HASH_BYTES);
}

gb_status gb_api_label(char *out, gb_ctx *ctx, const char *text, const char *what) {
    if (text == NULL) text = "";
    size_t n = strlen(text);
    if (n > GB_LABEL_MAX) return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: at most %d bytes", what, GB_LABEL_MAX);
    json_t *check = json_string(text); /* refuses what is not UTF-8 */
    if (check == NULL) return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: must be UTF-8", what);
    json_decref(check);
    memcpy(out, text, n + 1);
    return GB_OK;
}

gb_status gb_api_object(json_t **out, gb_ctx *ctx, const void *body, size_t n) {
    json_error_t error;
    *out = json_loadb(n > 0 ? body : "", n, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL)
        return gb_fail(ctx, GB_ERR_FORMAT, "body: not JSON (line %d, column %d)", error.line, error.column);
    if (json_is_object(*out)) return GB_OK;
    json_decref(*out);
    *out = NULL;
    return gb_fail(ctx, GB_ERR_FORMAT, "body: a JSON object is needed");
}

/* ---- caches ---- */

gb_status gb_api_params(const gb_params **out, gb_api *a, gb_ctx *ctx, const gb_hash *hash) {
    gb_status status = GB_OK;
    size_t i = 0;
    *out = NULL;
    pthread_mutex_lock(&a->lock);
    while (i < GB_PARAMS_CACHE && a->params[i] != NULL && !gb_hash_equal(gb_params_hash(a->params[i]), hash)) i++;
    if (i == GB_PARAMS_CACHE)
        status = gb_fail(ctx, GB_ERR_LIMIT, "more than %d parameter sets are in use", GB_PARAMS_CACHE);
    else if (a->params[i] == NULL)
        status = gb_params_by_hash(&a->params[i], ctx, hash);
    if (status == GB_OK) *out = a->params[i];
    pthread_mutex_unlock(&a->lock);
    return status;
}

/* Reads the info of a dataset from its manifest. */
static gb_status load_info(gb_bundle_info *out, gb_api *a, gb_ctx *ctx, const gb_id *dataset) {
    gb_dataset_row row;
    gb_manifest manifest = {0};
    uint8_t *data;
    size_t n;
    GB_TRY(gb_meta_dataset_get(&row, a->meta, ctx, dataset));
    GB_TRY(gb_store_read(&data, &n, ctx, a->store, &row.manifest, GB_JOB_MANIFEST_MAX));
    gb_status status = gb_manifest_decode(&manifest, NULL, ctx, data, n);
    if (status == GB_OK) *out = manifest.info;
    gb_manifest_release(&manifest);
    gb_free(data);
    return status;
}

gb_status gb_api_info(gb_bundle_info *out, const gb_params **params, gb_api *a, gb_ctx *ctx, const gb_id *dataset) {
    bool found = false;
    /* An info never changes, so an entry can be stale only by its dataset being gone, which the metadata tells. */
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < GB_INFO_CACHE && !found; i++)
        if (strcmp(a->infos[i].dataset.s, dataset->s) == 0) {
            *out = a->infos[i].info;
            found = true;
        }
    pthread_mutex_unlock(&a->lock);
    if (!found) {
        GB_TRY(load_info(out, a, ctx, dataset));
        pthread_mutex_lock(&a->lock);
        a->infos[a->info_next].dataset = *dataset;
        a->infos[a->info_next].info = *out;
        a->info_next = (a->info_next + 1) % GB_INFO_CACHE;
        pthread_mutex_unlock(&a->lock);
    }
    return gb_api_params(params, a, ctx, &out->params);
}

/* ---- bodies and objects ---- */

gb_status gb_api_spool_begin(gb_http_request *r) {
    gb_api *a = r->app;
    gb_store_put *put;
    GB_TRY(a->store->ops->create(&put, r->ctx, a->store));
    r->state = put;
    return GB_OK;
}

gb_status gb_api_spool_body(gb_http_request *r, const uint8_t *data, size_t n) {
    gb_store_put *put = r->state;
    return put->store->ops->write(put, r->ctx, data, n);
}

gb_status gb_api_spool_sealed(const uint8_t **data, gb_http_request *r) {
    gb_store_put *put = r->state;
    *data = NULL;
    if (put->size == 0) return gb_fail(r->ctx, GB_ERR_TRUNCATED, "body: empty");
    GB_TRY(put->store->ops->seal(put, r->ctx));
    return gb_store_put_map(data, put, r->ctx);
}

void gb_api_spool_finish(gb_http_request *r) {
    gb_store_put *put = r->state;
    if (put != NULL) put->store->ops->discard(put);
    r->state = NULL;
}

gb_status gb_api_send_object(gb_http_request *r, const gb_hash *object) {
    gb_api *a = r->app;
    char hex[2 * GB_HASH_BYTES + 1];
    int fd;
    uint64_t size;
    gb_hex(hex, object->b, GB_HASH_BYTES);
    GB_TRY(a->store->ops->open(&fd, &size, r->ctx, a->store, object));
    return gb_http_reply_file(r, fd, size, hex);
}
