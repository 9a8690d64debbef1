/* client/api: the routes of api/openapi.yaml as calls. Answers are checked as untrusted text. */
#ifndef GB_CLIENT_API_H
#define GB_CLIENT_API_H

#include "client/http.h"
#include "client/internal.h"

typedef struct gb_api_dataset {
    gb_dataset_info info; /* name is left "" */
    char label[256];
    char nonce[130];
} gb_api_dataset;
typedef struct gb_api_job {
    gb_job_info info;
    unsigned threads;
    size_t outputs;
    char output[4][65]; /* the first of them */
} gb_api_job;

/* Connects and finds or makes the workspace; repeated calls do nothing. All calls below begin with it. */
GB_CHECK gb_status gb_api_open(gb_client *c);
/* Makes sure the workspace has the public part of the open key. */
GB_CHECK gb_status gb_api_put_keyset(gb_client *c);
GB_CHECK gb_status gb_api_put_program(char id[65], gb_client *c, const gb_buffer *program);

GB_CHECK gb_status gb_api_create_dataset(gb_api_dataset *out, gb_client *c, const gb_buffer *draft, const char *label,
                                         const char *nonce_hex);
GB_CHECK gb_status gb_api_dataset_get(gb_api_dataset *out, gb_client *c, const char *id);
/* missing[tile] for each of `tiles`; the caller's array. */
GB_CHECK gb_status gb_api_missing(bool *missing, gb_client *c, const char *id, size_t tiles);
GB_CHECK gb_status gb_api_commit(gb_client *c, const char *id, const gb_buffer *manifest);
GB_CHECK gb_status gb_api_manifest(gb_buffer *out, gb_client *c, const char *id);
GB_CHECK gb_status gb_api_remove(gb_client *c, const char *id);
typedef gb_status (*gb_api_dataset_fn)(void *user, const gb_api_dataset *d);
GB_CHECK gb_status gb_api_datasets(gb_client *c, gb_api_dataset_fn each, void *user);

GB_CHECK gb_status gb_api_submit(gb_api_job *out, gb_client *c, const char *program, const char *dataset,
                                 const char *precision, uint32_t copies, const char *label);
GB_CHECK gb_status gb_api_job_get(gb_api_job *out, gb_client *c, const char *id);
/* Follows a job until it is done, failed or cancelled; its progress is reported as `stage`. A server that goes away is
 * waited for as long as client->retry says. */
GB_CHECK gb_status gb_api_watch(gb_api_job *out, gb_client *c, const char *id);

/* Ids go into paths: hex digits only. Error: ARGUMENT. */
GB_CHECK gb_status gb_api_check_id(gb_client *c, const char *id, const char *what);

#endif
