/* client/api: see api.h. */
#include "client/api.h"

#include <jansson.h>
#include <stdlib.h>

gb_status gb_api_check_id(gb_client *c, const char *id, const char *what) {
    const size_t n = strlen(id);
    if ((n == 32 || n == 64) && strspn(id, "0123456789abcdef") == n) return GB_OK;
    return gb_fail(c->ctx, GB_ERR_ARGUMENT, "'%.70s' is not the id of a %s: want 32 hex digits, as glovebox %s prints",
                   id, what, strcmp(what, "job") == 0 ? "job list" : "list");
}

/* ---- answers ---- */

static gb_status strange(gb_client *c, const char *what) {
    return gb_fail(c->ctx, GB_ERR_NETWORK, "%s: the answer about %s is not understood; is its version %s?", c->server,
                   what, gb_version());
}

/* One call whose answer is JSON; *out is the caller's. */
static gb_status call_json(json_t **out, gb_client *c, const gb_http_request *r, const char *what) {
    gb_buffer reply = GB_BUFFER_INIT;
    *out = NULL;
    gb_status s = gb_http_call(&reply, c->ctx, c->http, r);
    if (s == GB_OK) {
        *out = json_loadb((const char *)reply.data, reply.size, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(*out)) {
            json_decref(*out);
            *out = NULL;
            s = strange(c, what);
        }
    }
    gb_buffer_release(&reply);
    return s;
}

static gb_status call_nothing(gb_client *c, const gb_http_request *r) {
    gb_buffer reply = GB_BUFFER_INIT;
    const gb_status s = gb_http_call(&reply, c->ctx, c->http, r);
    gb_buffer_release(&reply);
    return s;
}

static const char *text_of(const json_t *o, const char *name) {
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

static uint64_t count_of(const json_t *o, const char *name) {
    const json_int_t v = json_integer_value(json_object_get(o, name));
    return v > 0 ? (uint64_t)v : 0;
}

/* Text of a stranger for a terminal: control characters become spaces. */
static void copy_clean(char *out, size_t capacity, const char *text) {
    gb_copy_text(out, capacity, text);
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127) *p = ' ';
}

static bool is_id(const char *id) {
    const size_t n = strlen(id);
    return n > 0 && n <= 64 && strspn(id, "0123456789abcdef") == n;
}

static bool take_dataset(gb_api_dataset *out, const json_t *o) {
    memset(out, 0, sizeof *out);
    if (!is_id(text_of(o, "id"))) return false;
    gb_copy_text(out->info.id, sizeof out->info.id, text_of(o, "id"));
    copy_clean(out->info.state, sizeof out->info.state, text_of(o, "state"));
    copy_clean(out->info.kind, sizeof out->info.kind, text_of(o, "kind"));
    copy_clean(out->info.key, sizeof out->info.key, text_of(o, "keyset"));
    gb_time_text(out->info.created, json_number_value(json_object_get(o, "created")));
    out->info.tiles = count_of(o, "tiles");
    out->info.received = count_of(o, "received");
    out->info.bytes = count_of(o, "bytes");
    gb_copy_text(out->label, sizeof out->label, text_of(o, "label"));
    gb_copy_text(out->nonce, sizeof out->nonce, text_of(o, "nonce"));
    return true;
}

static bool take_job(gb_api_job *out, const json_t *o) {
    memset(out, 0, sizeof *out);
    gb_job_info *j = &out->info;
    if (!is_id(text_of(o, "id"))) return false;
    gb_copy_text(j->id, sizeof j->id, text_of(o, "id"));
    copy_clean(j->state, sizeof j->state, text_of(o, "state"));
    copy_clean(j->stage, sizeof j->stage, text_of(o, "stage"));
    j->done = count_of(o, "done");
    j->total = count_of(o, "total");
    gb_time_text(j->created, json_number_value(json_object_get(o, "created")));
    gb_time_text(j->started, json_number_value(json_object_get(o, "started")));
    gb_time_text(j->finished, json_number_value(json_object_get(o, "finished")));
    j->seconds = json_number_value(json_object_get(o, "seconds"));
    out->threads = (unsigned)count_of(o, "threads");
    const json_t *error = json_object_get(o, "error"), *outputs = json_object_get(o, "outputs");
    copy_clean(j->error_code, sizeof j->error_code, text_of(error, "code"));
    copy_clean(j->error, sizeof j->error, text_of(error, "message"));
    for (size_t i = 0; i < json_array_size(outputs) && i < GB_COUNT(out->output); i++) {
        const char *id = json_string_value(json_array_get(outputs, i));
        if (!id || !is_id(id)) return false;
        gb_copy_text(out->output[i], sizeof out->output[i], id);
        out->outputs = i + 1;
    }
    gb_copy_text(j->result, sizeof j->result, out->output[0]);
    return true;
}

static bool job_over(const gb_job_info *j) {
    return strcmp(j->state, "done") == 0 || strcmp(j->state, "failed") == 0 || strcmp(j->state, "cancelled") == 0;
}

/* ---- workspace, keys, programs ---- */

gb_status gb_api_open(gb_client *c) {
    if (*c->workspace_id) return GB_OK;
    if (!c->http) GB_TRY(gb_http_new(&c->http, c->ctx, c->server, c->token, c->retry, NULL));
    if (!c->token)
        return gb_fail(c->ctx, GB_ERR_DENIED,
                       "no token for %s: give --token-file FILE (the file 'token' in the server's data "
                       "folder), --data DIR or GLOVEBOX_TOKEN",
                       c->server);
    json_t *body = json_pack("{s:s}", "name", c->workspace), *o = NULL;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text) return gb_fail(c->ctx, GB_ERR_ARGUMENT, "workspace: its name must be UTF-8");
    /* The first contact: a wrong address is told soon, a server that is just starting is waited for. */
    const gb_http_request r = {.method = "POST",
                               .path = "/v1/workspaces",
                               .body = text,
                               .body_size = strlen(text),
                               .type = "application/json",
                               .patience = 3};
    gb_status s = call_json(&o, c, &r, "the workspace");
    if (s == GB_OK && !is_id(text_of(o, "id"))) s = strange(c, "the workspace");
    if (s == GB_OK) gb_copy_text(c->workspace_id, sizeof c->workspace_id, text_of(o, "id"));
    free(text);
    json_decref(o);
    return s;
}

gb_status gb_api_put_keyset(gb_client *c) {
    GB_TRY(gb_api_open(c));
    char path[256], id[2 * GB_HASH_BYTES + 1];
    gb_hex(id, gb_keyset_id(c->keyset)->b, GB_HASH_BYTES);
    (void)snprintf(path, sizeof path, "/v1/workspaces/%s/keysets/%s", c->workspace_id, id);
    gb_buffer body = GB_BUFFER_INIT;
    gb_status s = gb_keyset_encode(&body, c->ctx, c->keyset);
    const gb_http_request r = {.method = "PUT", .path = path, .body = body.data, .body_size = body.size};
    if (s == GB_OK) s = call_nothing(c, &r);
    gb_buffer_release(&body);
    return s;
}

gb_status gb_api_put_program(char id[65], gb_client *c, const gb_buffer *program) {
    GB_TRY(gb_api_open(c));
    char path[160];
    (void)snprintf(path, sizeof path, "/v1/workspaces/%s/programs", c->workspace_id);
    const gb_http_request r = {.method = "PUT", .path = path, .body = program->data, .body_size = program->size};
    json_t *o;
    GB_TRY(call_json(&o, c, &r, "the program"));
    gb_status s = is_id(text_of(o, "id")) ? GB_OK : strange(c, "the program");
    gb_copy_text(id, 65, text_of(o, "id"));
    json_decref(o);
    return s;
}

/* ---- datasets ---- */

static gb_status call_dataset(gb_api_dataset *out, gb_client *c, const gb_http_request *r) {
    json_t *o;
    GB_TRY(call_json(&o, c, r, "the dataset"));
    const gb_status s = take_dataset(out, o) ? GB_OK : strange(c, "the dataset");
    json_decref(o);
    return s;
}

gb_status gb_api_create_dataset(gb_api_dataset *out, gb_client *c, const gb_buffer *draft, const char *label,
                                const char *nonce_hex) {
    GB_TRY(gb_api_open(c));
    char *path = gb_format(c->ctx, "/v1/workspaces/%s/datasets?label=%s&nonce=%s", c->workspace_id, label, nonce_hex);
    if (!path) return gb_ctx_status(c->ctx);
    const gb_http_request r = {.method = "POST", .path = path, .body = draft->data, .body_size = draft->size};
    const gb_status s = call_dataset(out, c, &r);
    gb_free(path);
    return s;
}

gb_status gb_api_dataset_get(gb_api_dataset *out, gb_client *c, const char *id) {
    GB_TRY(gb_api_check_id(c, id, "dataset"));
    GB_TRY(gb_api_open(c));
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/datasets/%s", id);
    const gb_http_request r = {.method = "GET", .path = path};
    return call_dataset(out, c, &r);
}

gb_status gb_api_missing(bool *missing, gb_client *c, const char *id, size_t tiles) {
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/datasets/%s/missing", id);
    const gb_http_request r = {.method = "GET", .path = path};
    json_t *o;
    GB_TRY(call_json(&o, c, &r, "missing tiles"));
    const json_t *list = json_object_get(o, "missing");
    gb_status s = json_is_array(list) ? GB_OK : strange(c, "missing tiles");
    memset(missing, 0, tiles * sizeof *missing);
    size_t last = 0;
    for (size_t i = 0; s == GB_OK && i < json_array_size(list); i++) {
        const json_int_t n = json_integer_value(json_array_get(list, i));
        if (n < 0 || (uint64_t)n >= tiles)
            s = strange(c, "missing tiles");
        else
            missing[last = (size_t)n] = true;
    }
    /* The list is ascending and may be cut: what lies beyond its end is sent again, which does no harm. */
    if (s == GB_OK && json_array_size(list) >= 100000)
        for (size_t i = last; i < tiles; i++) missing[i] = true;
    json_decref(o);
    return s;
}

gb_status gb_api_commit(gb_client *c, const char *id, const gb_buffer *manifest) {
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/datasets/%s/commit", id);
    const gb_http_request r = {.method = "POST", .path = path, .body = manifest->data, .body_size = manifest->size};
    return call_nothing(c, &r);
}

gb_status gb_api_manifest(gb_buffer *out, gb_client *c, const char *id) {
    GB_TRY(gb_api_check_id(c, id, "dataset"));
    GB_TRY(gb_api_open(c));
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/datasets/%s/manifest", id);
    const gb_http_request r = {.method = "GET", .path = path, .reply_max = (size_t)1 << 30};
    return gb_http_call(out, c->ctx, c->http, &r);
}

gb_status gb_api_remove(gb_client *c, const char *id) {
    GB_TRY(gb_api_check_id(c, id, "dataset"));
    GB_TRY(gb_api_open(c));
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/datasets/%s", id);
    const gb_http_request r = {.method = "DELETE", .path = path};
    return call_nothing(c, &r);
}

/* GET of a list of the workspace: route and member share their name. */
static gb_status call_list(json_t **out, gb_client *c, const char *name) {
    GB_TRY(gb_api_open(c));
    char path[160];
    (void)snprintf(path, sizeof path, "/v1/workspaces/%s/%s", c->workspace_id, name);
    const gb_http_request r = {.method = "GET", .path = path, .reply_max = (size_t)256 << 20};
    GB_TRY(call_json(out, c, &r, name));
    if (json_is_array(json_object_get(*out, name))) return GB_OK;
    json_decref(*out);
    return strange(c, name);
}

gb_status gb_api_datasets(gb_client *c, gb_api_dataset_fn each, void *user) {
    json_t *o;
    GB_TRY(call_list(&o, c, "datasets"));
    const json_t *list = json_object_get(o, "datasets");
    gb_status s = GB_OK;
    for (size_t i = 0; s == GB_OK && i < json_array_size(list); i++) {
        gb_api_dataset d;
        s = take_dataset(&d, json_array_get(list, i)) ? each(user, &d) : strange(c, "a dataset");
    }
    json_decref(o);
    return s;
}

/* ---- jobs ---- */

static gb_status call_job(gb_api_job *out, gb_client *c, const gb_http_request *r) {
    json_t *o;
    GB_TRY(call_json(&o, c, r, "the job"));
    const gb_status s = take_job(out, o) ? GB_OK : strange(c, "the job");
    json_decref(o);
    return s;
}

gb_status gb_api_submit(gb_api_job *out, gb_client *c, const char *program, const char *dataset, const char *precision,
                        uint32_t copies, const char *label) {
    GB_TRY(gb_api_open(c));
    char path[160];
    (void)snprintf(path, sizeof path, "/v1/workspaces/%s/jobs", c->workspace_id);
    json_t *body = json_pack("{s:s,s:[s],s:s,s:i,s:s}", "program", program, "inputs", dataset, "precision", precision,
                             "copies", (int)copies, "label", label);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text) return gb_fail(c->ctx, GB_ERR_MEMORY, "out of memory for a request");
    const gb_http_request r = {.method = "POST",
                               .path = path,
                               .body = text,
                               .body_size = strlen(text),
                               .type = "application/json",
                               .once = true};
    const gb_status s = call_job(out, c, &r);
    free(text);
    return s;
}

gb_status gb_api_job_get(gb_api_job *out, gb_client *c, const char *id) {
    GB_TRY(gb_api_check_id(c, id, "job"));
    GB_TRY(gb_api_open(c));
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    const gb_http_request r = {.method = "GET", .path = path};
    return call_job(out, c, &r);
}

typedef struct watch {
    gb_api_job *job;
} watch;

static gb_status on_event(void *user, gb_ctx *ctx, const char *name, const char *data) {
    watch *w = user;
    json_t *o = json_loads(data, 0, NULL);
    gb_status s = GB_OK;
    if (json_is_object(o) && strcmp(name, "state") == 0) {
        gb_api_job job;
        if (take_job(&job, o) && strcmp(job.info.id, w->job->info.id) == 0) *w->job = job;
        if (job_over(&w->job->info)) s = GB_ERR_STATE; /* seen enough */
    } else if (json_is_object(o) && strcmp(name, "progress") == 0) {
        copy_clean(w->job->info.stage, sizeof w->job->info.stage, text_of(o, "stage"));
        w->job->info.done = count_of(o, "done");
        w->job->info.total = count_of(o, "total");
    }
    json_decref(o);
    const gb_job_info *j = &w->job->info;
    if (s == GB_OK && j->total && j->done <= j->total && *j->stage) s = gb_progress(ctx, j->stage, j->done, j->total);
    return s;
}

gb_status gb_api_watch(gb_api_job *out, gb_client *c, const char *id) {
    GB_TRY(gb_api_job_get(out, c, id));
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/events", id);
    watch w = {.job = out};
    while (!job_over(&out->info)) {
        const gb_status s = gb_http_events(c->ctx, c->http, path, on_event, &w);
        if (s == GB_ERR_CANCELLED) return s;
        if (job_over(&out->info)) break;
        /* The stream ended early (a restart, a proxy): ask, and listen again. */
        GB_TRY(gb_http_nap(c->ctx, c->http, 0.3));
        GB_TRY(gb_api_job_get(out, c, id));
    }
    return GB_OK;
}

/* ---- the public calls on jobs ---- */

gb_status gb_client_job_list(gb_client *c, gb_job_fn each, void *user) {
    json_t *o;
    GB_TRY(call_list(&o, c, "jobs"));
    const json_t *list = json_object_get(o, "jobs");
    gb_status s = GB_OK;
    for (size_t i = 0; s == GB_OK && i < json_array_size(list); i++) {
        gb_api_job job;
        if (!take_job(&job, json_array_get(list, i)))
            s = strange(c, "a job");
        else if (each(user, &job.info) != 0)
            s = gb_fail(c->ctx, GB_ERR_CANCELLED, "cancelled");
    }
    json_decref(o);
    return s;
}

gb_status gb_client_job_show(gb_job_info *out, gb_client *c, const char *id) {
    gb_api_job job;
    GB_TRY(gb_api_job_get(&job, c, id));
    *out = job.info;
    return GB_OK;
}

gb_status gb_client_job_watch(gb_job_info *out, gb_client *c, const char *id) {
    gb_api_job job;
    GB_TRY(gb_api_watch(&job, c, id));
    *out = job.info;
    return GB_OK;
}

gb_status gb_client_job_cancel(gb_client *c, const char *id) {
    GB_TRY(gb_api_check_id(c, id, "job"));
    GB_TRY(gb_api_open(c));
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/cancel", id);
    const gb_http_request r = {.method = "POST", .path = path};
    return call_nothing(c, &r);
}
