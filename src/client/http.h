/* client/http: requests to one server, over libcurl. Retries what may be retried; knows nothing of datasets or jobs. */
#ifndef GB_CLIENT_HTTP_H
#define GB_CLIENT_HTTP_H

#include "base/base.h"

#include <stdatomic.h>

typedef struct gb_http gb_http; /* one connection; one thread at a time */
/* retry: seconds to go on trying when the server does not answer. stop (may be NULL): another thread's wish to end. */
GB_CHECK gb_status gb_http_new(gb_http **out, gb_ctx *ctx, const char *server, const char *token, double retry,
                               atomic_bool *stop);
void gb_http_free(gb_http *h); /* NULL is allowed */

typedef struct gb_http_request {
    const char *method; /* GET, PUT, POST, DELETE */
    const char *path;   /* "/v1/..." */
    const void *body;
    size_t body_size;
    const char *type;   /* of the body; NULL: application/octet-stream */
    const char *header; /* one more header line, or NULL */
    size_t reply_max;   /* most bytes of an answer; 0: 16 MiB */
    double patience;    /* retry no longer than this, seconds; 0: as long as gb_http_new was told */
    bool once;          /* not repeatable: retried only where the connection could not be made */
} gb_http_request;

/* Sends and waits; the answer's body goes into *reply (appended; the caller releases it, also on error). Any answer but
 * 2xx is an error with the server's code and sentence. Errors: NETWORK, DENIED, LIMIT, CANCELLED, and the server's. */
GB_CHECK gb_status gb_http_call(gb_buffer *reply, gb_ctx *ctx, gb_http *h, const gb_http_request *request);
/* GET of a stream of server-sent events: event(user, name, data) for each; other than GB_OK ends the stream and is what
 * this answers (GB_ERR_STATE: seen enough, no error recorded). GB_OK: the server ended the stream. Does not retry. */
typedef gb_status (*gb_http_event_fn)(void *user, gb_ctx *ctx, const char *name, const char *data);
GB_CHECK gb_status gb_http_events(gb_ctx *ctx, gb_http *h, const char *path, gb_http_event_fn event, void *user);
/* Sleeps; CANCELLED when the user gives up meanwhile. */
GB_CHECK gb_status gb_http_nap(gb_ctx *ctx, const gb_http *h, double seconds);

#endif
