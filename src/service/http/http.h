/* service/http: requests, routes and replies over libmicrohttpd. Knows no domain words.
 *
 * A request runs on one thread of a pool: begin (headers are known), body pieces as they arrive, handle (body
 * complete), finish (always, once begin was called). Bodies are never gathered unless a route has no `body` callback,
 * and then only up to its max_body. Any callback refuses by returning a status with its sentence in r->ctx; the client
 * gets
 * {"error":{"code","message"}} with gb_status_http of it. */
#ifndef GB_HTTP_H
#define GB_HTTP_H

#include <sys/types.h>

#include "base/base.h"

#define GB_HTTP_ARGS 4       /* path arguments a route may have */
#define GB_HTTP_TOKEN_HEX 64 /* digits of the bearer token */

typedef struct gb_http gb_http;
typedef struct gb_http_request gb_http_request;

/* One method of one path. The pattern's "{}" stands for one non-empty segment; its text becomes args[i]. */
typedef struct gb_http_route {
    const char *method;
    const char *pattern;
    bool open;         /* answers without a token */
    uint64_t max_body; /* bytes of body accepted; 0: none */
    gb_status (*begin)(gb_http_request *r);
    gb_status (*body)(gb_http_request *r, const uint8_t *data, size_t n); /* NULL: the body is gathered in r->body */
    gb_status (*handle)(gb_http_request *r);
    void (*finish)(gb_http_request *r); /* releases r->state; begin may have failed half-way */
} gb_http_route;

struct gb_http_request {
    gb_ctx *ctx; /* of this request alone */
    void *app;   /* gb_http_config.app */
    const gb_http_route *route;
    char args[GB_HTTP_ARGS][72]; /* longer segments match no route */
    uint64_t length;             /* declared by the client; UINT64_MAX when it did not say */
    gb_buffer body;
    void *state; /* the route's own */
    struct gb_http_exchange *exchange;
};

typedef struct gb_http_config {
    const char *host; /* numeric IPv4 or IPv6 address */
    uint16_t port;    /* 0: any */
    unsigned threads; /* 1..256 */
    unsigned connections;
    const char *token; /* GB_HTTP_TOKEN_HEX digits; copied */
    const gb_http_route *routes;
    size_t route_count;
    void *app;
    /* One line of log for each request: route is the pattern, never the path. May be called from any thread. */
    void (*log)(void *app, const char *method, const char *route, int status, double ms);
} gb_http_config;

/* Starts listening. Errors: ARGUMENT (address), IO (port taken), MEMORY. ctx must outlive the server. */
GB_CHECK gb_status gb_http_start(gb_http **out, gb_ctx *ctx, const gb_http_config *config);
uint16_t gb_http_port(const gb_http *h);
/* Accepts no more, lets running requests end for at most `seconds`, then stops. Streams must have been told to end. */
void gb_http_stop(gb_http *h, double seconds);

/* ---- request parts ---- */
/* Decoded query argument or header; NULL when absent or when it holds a NUL byte. Lives as long as the request. */
const char *gb_http_query(const gb_http_request *r, const char *name);
const char *gb_http_header(const gb_http_request *r, const char *name);

/* ---- replies: exactly one a request ---- */
GB_CHECK gb_status gb_http_reply(gb_http_request *r, int status, const char *type, const void *data, size_t n);
/* fd is owned from the call on, also on error. etag (may be NULL) is the bare text. Serves Range and If-None-Match. */
GB_CHECK gb_status gb_http_reply_file(gb_http_request *r, int fd, uint64_t size, const char *etag);

/* A reply that is made as time goes on. next fills at most max bytes: > 0 bytes made, 0 nothing now (called again after
 * gb_http_stream_wake), -1 the end. close is called once, when the connection is over; no wake may follow it. */
typedef struct gb_http_stream gb_http_stream;
typedef struct gb_http_stream_ops {
    ssize_t (*next)(void *user, char *out, size_t max);
    void (*close)(void *user);
} gb_http_stream_ops;
/* user belongs to the stream from the call on, also on error (close was called then). *out is valid until close; next
 * is not called before the handler has returned. */
GB_CHECK gb_status gb_http_reply_stream(gb_http_stream **out, gb_http_request *r, const char *type,
                                        const gb_http_stream_ops *ops, void *user);
void gb_http_stream_wake(gb_http_stream *s); /* any thread, not from inside next */

/* ---- parsing, on its own for tests and fuzzing: parse.c ---- */
typedef enum gb_http_match { GB_HTTP_FOUND, GB_HTTP_NO_ROUTE, GB_HTTP_NO_METHOD } gb_http_match;
/* Fills *route and args. On NO_METHOD allow gets the methods of that path, "GET, PUT". */
gb_http_match gb_http_match_route(const gb_http_route **route, char args[GB_HTTP_ARGS][72], char allow[64],
                                  const gb_http_route *routes, size_t count, const char *method, const char *path);
typedef enum gb_http_range { GB_RANGE_ALL, GB_RANGE_PART, GB_RANGE_BAD } gb_http_range;
/* RFC 9110 section 14, one range of bytes. ALL: absent, of another unit, or malformed (to be ignored); BAD: cannot be
 * satisfied (416). For PART: *first < size, 1 <= *count <= size - *first. */
gb_http_range gb_http_parse_range(uint64_t *first, uint64_t *count, const char *header, uint64_t size);
/* Decimal without sign or leading blanks; false when it is not that or exceeds max. */
bool gb_http_parse_number(uint64_t *out, const char *text, uint64_t max);
/* Is `header` "Bearer <token>"? The comparison takes the same time wherever they differ. */
bool gb_http_bearer_ok(const char *header, const char token[GB_HTTP_TOKEN_HEX + 1]);
/* text as the inside of a JSON string; bytes that are not printable ASCII become '?'. */
void gb_http_json_escape(char *out, size_t capacity, const char *text);

#endif
