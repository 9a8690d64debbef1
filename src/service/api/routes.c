/* The table of routes. A new route is a line here, a handler, and its words in api/openapi.yaml. */
#include "service/api/api.h"

#define MANIFEST_MAX ((uint64_t)GB_JOB_MANIFEST_MAX)
#define SPOOL gb_api_spool_begin, gb_api_spool_body
#define PLAIN NULL, NULL

const gb_http_route gb_api_routes[] = {
    {"GET", "/v1/health", true, 0, PLAIN, gb_api_health, NULL},
    {"GET", "/v1/workspaces", false, 0, PLAIN, gb_api_workspace_list, NULL},
    {"POST", "/v1/workspaces", false, GB_JSON_MAX, PLAIN, gb_api_workspace_make, NULL},
    {"GET", "/v1/workspaces/{}/keysets", false, 0, PLAIN, gb_api_keyset_list, NULL},
    {"PUT", "/v1/workspaces/{}/keysets/{}", false, GB_KEYSET_MAX, SPOOL, gb_api_keyset_put, gb_api_spool_finish},
    {"GET", "/v1/workspaces/{}/keysets/{}", false, 0, PLAIN, gb_api_keyset_get, NULL},
    {"PUT", "/v1/workspaces/{}/programs", false, MANIFEST_MAX, SPOOL, gb_api_program_put, gb_api_spool_finish},
    {"GET", "/v1/workspaces/{}/datasets", false, 0, PLAIN, gb_api_dataset_list, NULL},
    {"POST", "/v1/workspaces/{}/datasets", false, MANIFEST_MAX, SPOOL, gb_api_dataset_make, gb_api_spool_finish},
    {"GET", "/v1/datasets/{}", false, 0, PLAIN, gb_api_dataset_get, NULL},
    {"DELETE", "/v1/datasets/{}", false, 0, PLAIN, gb_api_dataset_delete, NULL},
    {"GET", "/v1/datasets/{}/missing", false, 0, PLAIN, gb_api_dataset_missing, NULL},
    {"POST", "/v1/datasets/{}/commit", false, MANIFEST_MAX, SPOOL, gb_api_dataset_commit, gb_api_spool_finish},
    {"GET", "/v1/datasets/{}/manifest", false, 0, PLAIN, gb_api_dataset_manifest, NULL},
    {"PUT", "/v1/datasets/{}/tiles/{}", false, GB_TILE_MAX, gb_api_tile_begin, gb_api_tile_body, gb_api_tile_put,
     gb_api_tile_finish},
    {"GET", "/v1/datasets/{}/tiles/{}", false, 0, PLAIN, gb_api_tile_get, NULL},
    {"GET", "/v1/workspaces/{}/jobs", false, 0, PLAIN, gb_api_job_list, NULL},
    {"POST", "/v1/workspaces/{}/jobs", false, GB_JSON_MAX, PLAIN, gb_api_job_submit, NULL},
    {"GET", "/v1/jobs/{}", false, 0, PLAIN, gb_api_job_get, NULL},
    {"POST", "/v1/jobs/{}/cancel", false, GB_JSON_MAX, PLAIN, gb_api_job_cancel, NULL},
    {"GET", "/v1/jobs/{}/events", false, 0, PLAIN, gb_api_job_events, NULL},
};
const size_t gb_api_route_count = GB_COUNT(gb_api_routes);
