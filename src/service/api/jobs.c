/* Jobs and their events. */
#include <stdatomic.h>
#include <stdlib.h>

#include "service/api/api.h"

static gb_status reply_job(gb_http_request *r, int status, const gb_job_row *row) {
    gb_api *a = r->app;
    gb_job_live live;
    gb_jobs_live(&live, a->jobs, &row->id);
    return gb_api_json(r, status, gb_json_job(row, &live));
}

gb_status gb_api_job_submit(gb_http_request *r) {
    gb_api *a = r->app;
    gb_job_row row;
    gb_id workspace;
    gb_workspace_row there;
    GB_TRY(gb_api_id(&workspace, r, 0, "workspace"));
    GB_TRY(gb_meta_workspace_get(&there, a->meta, r->ctx, &workspace));
    GB_TRY(gb_json_read_job(&row, r->ctx, r->body.data, r->body.size));
    row.workspace = workspace;
    GB_TRY(gb_jobs_submit(&row, a->jobs, r->ctx));
    return reply_job(r, 202, &row);
}

typedef struct job_list {
    gb_api *api;
    json_t *list;
} job_list;

static gb_status append_job(void *user, const gb_job_row *row) {
    job_list *l = user;
    gb_job_live live;
    gb_jobs_live(&live, l->api->jobs, &row->id);
    return json_array_append_new(l->list, gb_json_job(row, &live)) == 0 ? GB_OK : GB_ERR_MEMORY;
}

gb_status gb_api_job_list(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id workspace;
    GB_TRY(gb_api_id(&workspace, r, 0, "workspace"));
    job_list l = {a, json_array()};
    gb_status status = gb_meta_job_each(a->meta, r->ctx, &workspace, append_job, &l);
    if (status == GB_OK) return gb_api_json(r, 200, json_pack("{s:o}", "jobs", l.list));
    json_decref(l.list);
    return status;
}

gb_status gb_api_job_get(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id id;
    gb_job_row row;
    GB_TRY(gb_api_id(&id, r, 0, "job"));
    GB_TRY(gb_meta_job_get(&row, a->meta, r->ctx, &id));
    return reply_job(r, 200, &row);
}

gb_status gb_api_job_cancel(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id id;
    gb_job_row row;
    GB_TRY(gb_api_id(&id, r, 0, "job"));
    GB_TRY(gb_jobs_cancel(&row, a->jobs, r->ctx, &id));
    return reply_job(r, 200, &row);
}

/* ---- events ---- */

typedef struct events {
    gb_api *api;
    gb_ctx *ctx; /* its own: the connection may outlive the request's */
    gb_id id;
    _Atomic(gb_http_stream *) stream; /* NULL until the reply is queued; news is kept for its first look */
    gb_job_watch *watch;
    bool over;
    char *text; /* an event on its way; malloc'ed by the JSON library's rules */
    size_t size, sent;
} events;

static void events_wake(void *user) {
    events *e = user;
    gb_http_stream *stream = atomic_load(&e->stream);
    if (stream != NULL) gb_http_stream_wake(stream);
}

/* Makes the text of one event; over when it cannot. */
static void set_event(events *e, const char *name, json_t *value) {
    char *data = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    e->text = data != NULL ? gb_format(NULL, "event: %s\ndata: %s\n\n", name, data) : NULL;
    free(data);
    e->over = e->over || e->text == NULL;
    e->size = e->text != NULL ? strlen(e->text) : 0;
    e->sent = 0;
}

/* What is new, as text; nothing new leaves text NULL. */
static void next_event(events *e) {
    unsigned news = gb_jobs_watch_news(e->watch);
    gb_job_live live;
    gb_jobs_live(&live, e->api->jobs, &e->id);
    if ((news & GB_JOB_NEW_STATE) != 0) {
        gb_job_row row;
        if (gb_meta_job_get(&row, e->api->meta, e->ctx, &e->id) != GB_OK) {
            e->over = true;
            return;
        }
        e->over = gb_job_state_final(row.state);
        set_event(e, "state", gb_json_job(&row, &live));
    } else if ((news & GB_JOB_NEW_PROGRESS) != 0 && live.stage[0] != '\0') {
        set_event(e, "progress",
                  json_pack("{s:s, s:I, s:I}", "stage", live.stage, "done", (json_int_t)live.done, "total",
                            (json_int_t)live.total));
    } else if ((news & GB_JOB_TICK) != 0) {
        e->text = gb_format(NULL, ": still here\n\n");
        e->size = e->text != NULL ? strlen(e->text) : 0;
        e->sent = 0;
    }
    if ((news & GB_JOB_STOPPING) != 0) e->over = true;
}

static ssize_t events_next(void *user, char *out, size_t max) {
    events *e = user;
    if (e->text == NULL && e->over) return -1;
    if (e->text == NULL) next_event(e);
    if (e->text == NULL) return e->over ? -1 : 0;
    size_t n = gb_min_size(max, e->size - e->sent);
    memcpy(out, e->text + e->sent, n);
    e->sent += n;
    if (e->sent == e->size) {
        gb_free(e->text);
        e->text = NULL;
    }
    return (ssize_t)n;
}

static void events_close(void *user) {
    events *e = user;
    gb_jobs_unwatch(e->watch);
    gb_free(e->text);
    gb_ctx_free(e->ctx);
    gb_free(e);
}

gb_status gb_api_job_events(gb_http_request *r) {
    static const gb_http_stream_ops ops = {events_next, events_close};
    gb_api *a = r->app;
    gb_id id;
    gb_job_row row;
    events *e;
    GB_TRY(gb_api_id(&id, r, 0, "job"));
    GB_TRY(gb_meta_job_get(&row, a->meta, r->ctx, &id));
    GB_TRY(gb_alloc_zero(&e, r->ctx, 1, sizeof *e));
    e->api = a;
    e->id = id;
    gb_status status = gb_ctx_fork(&e->ctx, r->ctx);
    if (status == GB_OK) status = gb_jobs_watch(&e->watch, a->jobs, r->ctx, &id, events_wake, e);
    if (status != GB_OK) {
        events_close(e);
        return status;
    }
    gb_http_stream *stream;
    GB_TRY(gb_http_reply_stream(&stream, r, "text/event-stream", &ops, e));
    atomic_store(&e->stream, stream);
    return GB_OK;
}
