/* The server: libmicrohttpd's callbacks turned into a route's begin, body, handle and finish. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "service/http/http.h"

/* A refused body up to this size is read and thrown away, so that the client sees our answer and not a reset. */
#define DRAIN_MAX ((uint64_t)1 << 20)
#define BUFFER_BYTES ((size_t)256 << 10)

struct gb_http {
    gb_http_config config;
    char token[GB_HTTP_TOKEN_HEX + 1];
    gb_ctx *ctx;
    struct MHD_Daemon *daemon;
    uint16_t port;
    atomic_uint active; /* requests between their headers and their last byte */
};

typedef struct gb_http_exchange {
    gb_http_request r;
    gb_http *server;
    struct MHD_Connection *connection;
    bool begun, replied;
    gb_status failed; /* why the body is being thrown away; OK while it is wanted */
    uint64_t received;
    int code; /* of the reply */
    char allow[64];
    double start;
} gb_http_exchange;

struct gb_http_stream {
    struct MHD_Connection *connection;
    const gb_http_stream_ops *ops;
    void *user;
    pthread_mutex_t lock;
    bool suspended, woken;
};

/* ---- replies ---- */

static gb_status queue(gb_http_request *r, int status, struct MHD_Response *response) {
    gb_http_exchange *x = r->exchange;
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, x->allow);
    if (status == MHD_HTTP_UNAUTHORIZED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    enum MHD_Result ok = MHD_queue_response(x->connection, (unsigned)status, response);
    MHD_destroy_response(response);
    if (ok != MHD_YES) return gb_fail(r->ctx, GB_ERR_INTERNAL, "the reply could not be queued");
    x->code = status;
    x->replied = true;
    return GB_OK;
}

gb_status gb_http_reply(gb_http_request *r, int status, const char *type, const void *data, size_t n) {
    /* The library copies the bytes and does not write through the pointer; its type only lacks the const. */
    struct MHD_Response *response = MHD_create_response_from_buffer(n, (void *)(uintptr_t)data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) return gb_fail(r->ctx, GB_ERR_MEMORY, "no memory for a reply");
    if (type != NULL) (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    return queue(r, status, response);
}

gb_status gb_http_reply_file(gb_http_request *r, int fd, uint64_t size, const char *etag) {
    char quoted[80] = "", range[96];
    if (etag != NULL) snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    const char *none = gb_http_header(r, MHD_HTTP_HEADER_IF_NONE_MATCH);
    uint64_t first, count;
    gb_http_range part = gb_http_parse_range(&first, &count, gb_http_header(r, MHD_HTTP_HEADER_RANGE), size);
    int status = part == GB_RANGE_PART ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK;
    if (none != NULL && quoted[0] != '\0' && strcmp(none, quoted) == 0) status = MHD_HTTP_NOT_MODIFIED;
    struct MHD_Response *response = NULL;
    if (part == GB_RANGE_BAD && status != MHD_HTTP_NOT_MODIFIED) {
        static const char text[] = "{\"error\":{\"code\":\"ERR_RANGE\",\"message\":\"Range: outside the content\"}}";
        status = MHD_HTTP_RANGE_NOT_SATISFIABLE;
        response = MHD_create_response_from_buffer(sizeof text - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
        close(fd);
    } else if (status == MHD_HTTP_NOT_MODIFIED || count == 0) {
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        close(fd);
    } else {
        response = MHD_create_response_from_fd_at_offset64(count, fd, first);
        if (response == NULL) close(fd);
    }
    if (response == NULL) return gb_fail(r->ctx, GB_ERR_MEMORY, "no memory for a reply");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  status == MHD_HTTP_RANGE_NOT_SATISFIABLE ? "application/json"
                                                                           : "application/octet-stream");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    if (quoted[0] != '\0') (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, quoted);
    if (status == MHD_HTTP_PARTIAL_CONTENT)
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)first,
                 (unsigned long long)(first + count - 1), (unsigned long long)size);
    else if (status == MHD_HTTP_RANGE_NOT_SATISFIABLE)
        snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)size);
    else
        range[0] = '\0';
    if (range[0] != '\0') (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
    return queue(r, status, response);
}

static ssize_t stream_read(void *user, uint64_t at, char *out, size_t max) {
    gb_http_stream *s = user;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        s->woken = false;
        pthread_mutex_unlock(&s->lock);
        ssize_t n = s->ops->next(s->user, out, max);
        if (n < 0) return MHD_CONTENT_READER_END_OF_STREAM;
        if (n > 0) return n;
        /* Nothing to say. Sleep, unless a wake came between next's look and now. */
        pthread_mutex_lock(&s->lock);
        bool woken = s->woken;
        if (!woken) {
            s->suspended = true;
            MHD_suspend_connection(s->connection);
        }
        pthread_mutex_unlock(&s->lock);
        if (!woken) return 0;
    }
}

static void stream_free(void *user) {
    gb_http_stream *s = user;
    s->ops->close(s->user);
    pthread_mutex_destroy(&s->lock);
    gb_free(s);
}

void gb_http_stream_wake(gb_http_stream *s) {
    pthread_mutex_lock(&s->lock);
    s->woken = true;
    if (s->suspended) {
        s->suspended = false;
        MHD_resume_connection(s->connection);
    }
    pthread_mutex_unlock(&s->lock);
}

gb_status gb_http_reply_stream(gb_http_stream **out, gb_http_request *r, const char *type,
                               const gb_http_stream_ops *ops, void *user) {
    gb_http_stream *s;
    *out = NULL;
    gb_status status = gb_alloc_zero(&s, r->ctx, 1, sizeof *s);
    if (status != GB_OK) {
        ops->close(user);
        return status;
    }
    s->connection = r->exchange->connection;
    s->ops = ops;
    s->user = user;
    pthread_mutex_init(&s->lock, NULL);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 << 10, stream_read, s, stream_free);
    if (response == NULL) {
        stream_free(s);
        return gb_fail(r->ctx, GB_ERR_MEMORY, "no memory for a stream");
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    GB_TRY(queue(r, MHD_HTTP_OK, response)); /* the response owns the stream: a failure has closed it */
    *out = s;
    return GB_OK;
}

/* The reply of a refused request. `code` 0 means the one of the status. */
static enum MHD_Result refuse(gb_http_exchange *x, gb_status status, int code) {
    char message[512], text[640];
    const char *why = x->r.ctx != NULL && gb_ctx_status(x->r.ctx) == status ? gb_ctx_error(x->r.ctx) : "";
    gb_http_json_escape(message, sizeof message, why[0] != '\0' ? why : gb_status_text(status));
    int n = snprintf(text, sizeof text, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", gb_status_name(status),
                     message);
    if (code == 0) code = gb_status_http(status);
    struct MHD_Response *response = MHD_create_response_from_buffer((size_t)n, text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return queue(&x->r, code, response) == GB_OK ? MHD_YES : MHD_NO;
}

/* ---- request parts ---- */

static const char *lookup(const gb_http_request *r, enum MHD_ValueKind kind, const char *name) {
    const char *value = NULL;
    size_t n = 0;
    if (MHD_lookup_connection_value_n(r->exchange->connection, kind, name, strlen(name), &value, &n) != MHD_YES)
        return NULL;
    return value != NULL && strlen(value) == n ? value : NULL;
}

const char *gb_http_query(const gb_http_request *r, const char *name) { return lookup(r, MHD_GET_ARGUMENT_KIND, name); }

const char *gb_http_header(const gb_http_request *r, const char *name) { return lookup(r, MHD_HEADER_KIND, name); }

/* ---- the life of a request ---- */

/* Headers are there: route, token and size are judged. Sets x->failed and x->code (0: the status's own). */
static void open_request(gb_http_exchange *x, const char *url, const char *method) {
    gb_http *h = x->server;
    gb_http_request *r = &x->r;
    gb_http_match found =
        gb_http_match_route(&r->route, r->args, x->allow, h->config.routes, h->config.route_count, method, url);
    const char *length = gb_http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    r->length = gb_http_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL ? UINT64_MAX : 0;
    if (length != NULL && !gb_http_parse_number(&r->length, length, INT64_MAX)) r->length = UINT64_MAX;
    if (found == GB_HTTP_NO_ROUTE) {
        x->failed = gb_fail(r->ctx, GB_ERR_NOT_FOUND, "no such route; see the API description");
    } else if (found == GB_HTTP_NO_METHOD) {
        x->failed = gb_fail(r->ctx, GB_ERR_ARGUMENT, "this route allows %s", x->allow);
        x->code = MHD_HTTP_METHOD_NOT_ALLOWED;
    } else if (!r->route->open && !gb_http_bearer_ok(gb_http_header(r, MHD_HTTP_HEADER_AUTHORIZATION), h->token)) {
        x->failed = gb_fail(r->ctx, GB_ERR_DENIED, "Authorization: a valid bearer token is needed");
    } else if (r->length != UINT64_MAX && r->length > r->route->max_body) {
        x->failed = gb_fail(r->ctx, GB_ERR_LIMIT, "the body has %llu bytes, the limit is %llu",
                            (unsigned long long)r->length, (unsigned long long)r->route->max_body);
    } else if (r->route->begin != NULL) {
        x->begun = true;
        x->failed = r->route->begin(r);
    }
}

static enum MHD_Result first_call(gb_http *h, struct MHD_Connection *connection, const char *url, const char *method,
                                  void **state) {
    gb_http_exchange *x;
    if (gb_alloc_zero(&x, NULL, 1, sizeof *x) != GB_OK) return MHD_NO;
    x->server = h;
    x->connection = connection;
    x->start = gb_seconds();
    x->r.app = h->config.app;
    x->r.exchange = x;
    atomic_fetch_add(&h->active, 1);
    *state = x;
    if (gb_ctx_fork(&x->r.ctx, h->ctx) != GB_OK) {
        x->r.ctx = NULL;
        return refuse(x, GB_ERR_MEMORY, 0);
    }
    open_request(x, url, method);
    if (x->failed == GB_OK) return MHD_YES;
    bool expects = gb_http_header(&x->r, MHD_HTTP_HEADER_EXPECT) != NULL;
    if (x->r.length > DRAIN_MAX || expects) return refuse(x, x->failed, x->code);
    return MHD_YES; /* a small body is read and thrown away first */
}

static enum MHD_Result take_body(gb_http_exchange *x, const uint8_t *data, size_t n) {
    gb_http_request *r = &x->r;
    x->received += n;
    if (x->failed != GB_OK) return x->received <= (r->length != UINT64_MAX ? r->length : DRAIN_MAX) ? MHD_YES : MHD_NO;
    if (x->received > r->route->max_body) {
        x->failed = gb_fail(r->ctx, GB_ERR_LIMIT, "the body exceeds the limit of %llu bytes",
                            (unsigned long long)r->route->max_body);
        x->received = 0; /* from here on the bytes thrown away are counted */
        r->length = UINT64_MAX;
    } else if (r->route->body != NULL) {
        x->failed = r->route->body(r, data, n);
    } else {
        gb_write_bytes(&r->body, data, n);
        if (r->body.status != GB_OK) x->failed = gb_fail(r->ctx, r->body.status, "no memory for a request body");
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *n, void **state) {
    gb_http *h = user;
    gb_http_exchange *x = *state;
    if (x == NULL) return first_call(h, connection, url, method, state);
    if (*n > 0) {
        size_t got = *n;
        *n = 0;
        return take_body(x, (const uint8_t *)data, got);
    }
    if (x->replied) return MHD_YES;
    if (x->failed == GB_OK) x->failed = x->r.route->handle(&x->r);
    if (x->failed != GB_OK && !x->replied) return refuse(x, x->failed, x->code);
    if (!x->replied) {
        x->failed = gb_fail(x->r.ctx, GB_ERR_INTERNAL, "a handler gave no reply");
        return refuse(x, x->failed, 0);
    }
    return MHD_YES;
}

static void on_completed(void *user, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why) {
    gb_http *h = user;
    gb_http_exchange *x = *state;
    if (x == NULL) return;
    *state = NULL;
    gb_http_request *r = &x->r;
    if (x->begun && r->route->finish != NULL) r->route->finish(r);
    if (h->config.log != NULL)
        h->config.log(h->config.app, r->route != NULL ? r->route->method : "-",
                      r->route != NULL ? r->route->pattern : "-",
                      why == MHD_REQUEST_TERMINATED_COMPLETED_OK ? x->code : 0, (gb_seconds() - x->start) * 1e3);
    gb_buffer_release(&r->body);
    gb_ctx_free(r->ctx);
    gb_free(x);
    atomic_fetch_sub(&h->active, 1);
}

/* libmicrohttpd's own lines say nothing a log line of ours does not, and may hold parts of a request. */
static void drop_log(void *user, const char *format, va_list args) {
    (void)user;
    (void)format;
    (void)args;
}

static gb_status bind_socket(int *out, uint16_t *port, gb_ctx *ctx, const char *host, uint16_t wanted) {
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    socklen_t n;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(wanted);
        n = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(wanted);
        n = sizeof *v6;
    } else {
        return gb_fail(ctx, GB_ERR_ARGUMENT, "listen address %.64s: give a numeric IPv4 or IPv6 address", host);
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, n) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &n) != 0) {
        gb_status status = gb_fail(ctx, GB_ERR_IO, "cannot listen on %.64s port %u: %s; choose another with --listen",
                                   host, wanted, strerror(errno));
        if (fd >= 0) close(fd);
        return status;
    }
    *port = ntohs(address.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
    *out = fd;
    return GB_OK;
}

gb_status gb_http_start(gb_http **out, gb_ctx *ctx, const gb_http_config *config) {
    *out = NULL;
    if (strlen(config->token) != GB_HTTP_TOKEN_HEX) return gb_fail(ctx, GB_ERR_ARGUMENT, "the token has a wrong size");
    gb_http *h;
    GB_TRY(gb_alloc_zero(&h, ctx, 1, sizeof *h));
    h->config = *config;
    memcpy(h->token, config->token, sizeof h->token);
    h->ctx = ctx;
    int fd = -1;
    gb_status status = bind_socket(&fd, &h->port, ctx, config->host, config->port);
    if (status == GB_OK) {
        h->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
                                     NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, drop_log, NULL,
                                     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, config->threads,
                                     MHD_OPTION_CONNECTION_LIMIT, config->connections, MHD_OPTION_CONNECTION_TIMEOUT,
                                     60u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, BUFFER_BYTES, MHD_OPTION_NOTIFY_COMPLETED,
                                     on_completed, h, MHD_OPTION_END);
        if (h->daemon == NULL) {
            close(fd);
            status = gb_fail(ctx, GB_ERR_IO, "the HTTP server did not start; are there enough threads and files?");
        }
    }
    if (status != GB_OK) {
        gb_free(h);
        return status;
    }
    *out = h;
    return GB_OK;
}

uint16_t gb_http_port(const gb_http *h) { return h->port; }

void gb_http_stop(gb_http *h, double seconds) {
    if (h == NULL) return;
    int fd = MHD_quiesce_daemon(h->daemon);
    if (fd >= 0) close(fd);
    double until = gb_seconds() + seconds;
    while (atomic_load(&h->active) > 0 && gb_seconds() < until) nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    MHD_stop_daemon(h->daemon);
    gb_free(h);
}
