/* service/api: the routes of api/openapi.yaml, one handler each. Everything a client sends is judged here. */
#ifndef GB_API_ROUTES_H
#define GB_API_ROUTES_H

#include <jansson.h>
#include <pthread.h>

#include "service/http/http.h"
#include "service/job/job.h"
#include "service/meta/meta.h"
#include "service/store/store.h"

#define GB_JSON_MAX ((uint64_t)64 << 10)    /* bytes of a JSON body */
#define GB_TILE_MAX ((uint64_t)64 << 20)    /* bytes of one tile */
#define GB_KEYSET_MAX ((uint64_t)256 << 20) /* bytes of a key set */
#define GB_MISSING_MAX 100000u              /* tile numbers in one answer */
#define GB_INFO_CACHE 32
#define GB_PARAMS_CACHE 16

/* What the handlers share: gb_http_config.app. Zero, then filled in by main; gb_api_release at the end. */
typedef struct gb_api {
    gb_meta *meta;
    gb_store *store;
    gb_jobs *jobs;
    pthread_mutex_t lock; /* of the caches: a tile's upload should not decode the whole manifest again */
    struct {
        gb_id dataset;
        gb_bundle_info info;
    } infos[GB_INFO_CACHE];
    size_t info_next;
    gb_params *params[GB_PARAMS_CACHE]; /* parameter sets are few, shared, and live as long as the service */
} gb_api;
void gb_api_init(gb_api *a);
void gb_api_release(gb_api *a);

extern const gb_http_route gb_api_routes[];
extern const size_t gb_api_route_count;

/* ---- helpers of the handlers ---- */
/* Sends a JSON value, which is taken over also on error; NULL answers MEMORY. */
GB_CHECK gb_status gb_api_json(gb_http_request *r, int status, json_t *value);
GB_CHECK gb_status gb_api_id(gb_id *out, gb_http_request *r, size_t arg, const char *what);
GB_CHECK gb_status gb_api_hash(gb_hash *out, gb_ctx *ctx, const char *text, const char *what);
/* text copied to out[GB_LABEL_MAX + 1]; NULL copies as "". ARGUMENT: too long, or not UTF-8. */
GB_CHECK gb_status gb_api_label(char *out, gb_ctx *ctx, const char *text, const char *what);
GB_CHECK gb_status gb_api_object(json_t **out, gb_ctx *ctx, const void *body, size_t n); /* FORMAT; caller decrefs */
GB_CHECK gb_status gb_api_params(const gb_params **out, gb_api *a, gb_ctx *ctx, const gb_hash *hash);
GB_CHECK gb_status gb_api_info(gb_bundle_info *out, const gb_params **params, gb_api *a, gb_ctx *ctx,
                               const gb_id *dataset);
GB_CHECK gb_status gb_api_send_object(gb_http_request *r, const gb_hash *object);

/* Bodies that go to the store as they come: r->state is a gb_store_put. sealed ends it and maps it. */
gb_status gb_api_spool_begin(gb_http_request *r);
gb_status gb_api_spool_body(gb_http_request *r, const uint8_t *data, size_t n);
GB_CHECK gb_status gb_api_spool_sealed(const uint8_t **data, gb_http_request *r);
void gb_api_spool_finish(gb_http_request *r);

/* ---- JSON forms: NULL when out of memory ---- */
json_t *gb_json_workspace(const gb_workspace_row *row);
json_t *gb_json_named(const gb_named_row *row, bool created);
json_t *gb_json_dataset(const gb_dataset_row *row);
json_t *gb_json_job(const gb_job_row *row, const gb_job_live *live);
/* The body of a submitted job. Errors: FORMAT, ARGUMENT. */
GB_CHECK gb_status gb_json_read_job(gb_job_row *out, gb_ctx *ctx, const void *body, size_t n);

/* ---- handlers ---- */
gb_status gb_api_health(gb_http_request *r);
gb_status gb_api_workspace_list(gb_http_request *r);
gb_status gb_api_workspace_make(gb_http_request *r);
gb_status gb_api_keyset_list(gb_http_request *r);
gb_status gb_api_keyset_put(gb_http_request *r);
gb_status gb_api_keyset_get(gb_http_request *r);
gb_status gb_api_program_put(gb_http_request *r);
gb_status gb_api_dataset_make(gb_http_request *r);
gb_status gb_api_dataset_list(gb_http_request *r);
gb_status gb_api_dataset_get(gb_http_request *r);
gb_status gb_api_dataset_delete(gb_http_request *r);
gb_status gb_api_dataset_missing(gb_http_request *r);
gb_status gb_api_dataset_commit(gb_http_request *r);
gb_status gb_api_dataset_manifest(gb_http_request *r);
gb_status gb_api_tile_begin(gb_http_request *r);
gb_status gb_api_tile_body(gb_http_request *r, const uint8_t *data, size_t n);
gb_status gb_api_tile_put(gb_http_request *r);
void gb_api_tile_finish(gb_http_request *r);
gb_status gb_api_tile_get(gb_http_request *r);
gb_status gb_api_job_submit(gb_http_request *r);
gb_status gb_api_job_list(gb_http_request *r);
gb_status gb_api_job_get(gb_http_request *r);
gb_status gb_api_job_cancel(gb_http_request *r);
gb_status gb_api_job_events(gb_http_request *r);

#endif
