/* client/http: see http.h. */
#include "client/http.h"

#include <curl/curl.h>
#include <jansson.h>
#include <math.h>
#include <time.h>

#define GB_REPLY_MAX ((size_t)16 << 20)
#define GB_EVENT_MAX ((size_t)64 << 10)

struct gb_http {
    CURL *curl;
    char *server, *bearer;
    double retry;
    atomic_bool *stop;
    bool loopback;
    char curl_error[CURL_ERROR_SIZE];
};

static bool is_loopback(const char *server) {
    const char *host = strstr(server, "://");
    host = host ? host + 3 : server;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 || strncmp(host, "[::1]", 5) == 0;
}

gb_status gb_http_new(gb_http **out, gb_ctx *ctx, const char *server, const char *token, double retry,
                      atomic_bool *stop) {
    *out = NULL;
    if (!server)
        return gb_fail(ctx, GB_ERR_ARGUMENT,
                       "no server: give --server URL or --data DIR, set GLOVEBOX_SERVER, or work "
                       "without one (--local)");
    gb_http *h;
    GB_TRY(gb_alloc_zero(&h, ctx, 1, sizeof *h));
    h->retry = retry;
    h->stop = stop;
    h->loopback = is_loopback(server);
    h->server = gb_strdup(ctx, server);
    if (token) h->bearer = gb_format(ctx, "Authorization: Bearer %s", token);
    if (h->server && (!token || h->bearer)) {
        if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) h->curl = curl_easy_init();
        if (h->curl) {
            *out = h;
            return GB_OK;
        }
        (void)gb_fail(ctx, GB_ERR_MEMORY, "the HTTP library could not be started");
    }
    const gb_status s = gb_ctx_status(ctx);
    gb_http_free(h);
    return s;
}

void gb_http_free(gb_http *h) {
    if (!h) return;
    if (h->curl) curl_easy_cleanup(h->curl);
    if (h->bearer) gb_wipe(h->bearer, strlen(h->bearer));
    gb_free(h->bearer);
    gb_free(h->server);
    gb_free(h);
}

/* ---- one exchange ---- */

typedef struct exchange {
    gb_ctx *ctx;
    gb_http *h;
    gb_buffer *reply;
    size_t max;
    bool too_large, cancelled;
    gb_http_event_fn event; /* NULL: not a stream of events */
    void *user;
    gb_status event_status;
    char name[32]; /* of the event being read */
} exchange;

static gb_status check_cancel(gb_ctx *ctx, const gb_http *h) {
    if (h->stop && atomic_load(h->stop)) return gb_fail(ctx, GB_ERR_CANCELLED, "cancelled");
    return gb_progress(ctx, "waiting for the server", 0, 0);
}

static int on_wait(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    exchange *x = user;
    x->cancelled = check_cancel(x->ctx, x->h) != GB_OK;
    return x->cancelled;
}

/* Takes whole lines off the front of the buffer: "event: NAME" and "data: TEXT"; an event ends at its data line. */
static bool take_events(exchange *x) {
    gb_buffer *b = x->reply;
    size_t at = 0;
    while (at < b->size) {
        char *line = (char *)b->data + at, *end = memchr(line, '\n', b->size - at);
        if (!end) break;
        at = (size_t)((uint8_t *)end - b->data) + 1;
        if (end > line && end[-1] == '\r') end--;
        *end = 0;
        if (strncmp(line, "event:", 6) == 0) {
            const char *name = line + 6 + (line[6] == ' ');
            const size_t n = gb_min_size(strlen(name), sizeof x->name - 1);
            memcpy(x->name, name, n);
            x->name[n] = 0;
        } else if (strncmp(line, "data:", 5) == 0) {
            x->event_status = x->event(x->user, x->ctx, x->name, line + 5 + (line[5] == ' '));
            if (x->event_status != GB_OK) return false;
        }
    }
    memmove(b->data, b->data + at, b->size - at);
    b->size -= at;
    return true;
}

static size_t on_data(char *data, size_t size, size_t count, void *user) {
    exchange *x = user;
    const size_t n = size * count;
    if (n > x->max - gb_min_size(x->max, x->reply->size)) {
        x->too_large = true;
        return 0;
    }
    gb_write_bytes(x->reply, data, n);
    if (x->reply->status != GB_OK) return 0;
    long status = 0;
    curl_easy_getinfo(x->h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (x->event && status == 200 && !take_events(x)) return 0;
    return n;
}

static struct curl_slist *headers_of(const gb_http *h, const gb_http_request *r) {
    struct curl_slist *list = NULL;
    const char *const lines[] = {h->bearer, r->header, "Expect:"};
    for (size_t i = 0; i < GB_COUNT(lines); i++) {
        if (!lines[i]) continue;
        struct curl_slist *more = curl_slist_append(list, lines[i]);
        if (!more) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = more;
    }
    char type[96];
    (void)snprintf(type, sizeof type, "Content-Type: %s", r->type ? r->type : "application/octet-stream");
    struct curl_slist *all = r->body || strcmp(r->method, "GET") != 0 ? curl_slist_append(list, type) : list;
    if (!all) curl_slist_free_all(list);
    return all;
}

static void set_options(CURL *c, exchange *x, const gb_http_request *r) {
    curl_easy_reset(c); /* options only: the connection stays */
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->h->curl_error);
    if (x->h->loopback) curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_USERAGENT, "glovebox/" GB_VERSION);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L); /* a server that went silent: a minute without a byte */
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
    if (strcmp(r->method, "PUT") == 0 || strcmp(r->method, "POST") == 0) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body ? r->body : "");
    }
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_wait);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, x);
}

static gb_status by_name(const char *name) {
#define GB_STATUS(code, value, http, text)                                                                             \
    if (strcmp(name, #code) == 0) return GB_##code;
#include "glovebox/status.def"
#undef GB_STATUS
    return GB_ERR_INTERNAL;
}

/* An answer that is not 2xx, as an error. Control characters of a stranger's text never reach the terminal. */
static gb_status refused(gb_ctx *ctx, const gb_http *h, long status, const gb_buffer *reply) {
    gb_status code = GB_ERR_INTERNAL;
    char text[400] = "";
    json_t *o = reply->data ? json_loadb((const char *)reply->data, reply->size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *name = NULL, *message = NULL;
    if (o && json_unpack(o, "{s:{s:s,s:s}}", "error", "code", &name, "message", &message) == 0) {
        code = by_name(name);
        size_t n = 0;
        for (const char *p = message; *p && n + 1 < sizeof text; p++)
            text[n++] = (char)((unsigned char)*p < 32 ? ' ' : *p);
        text[n] = 0;
    }
    json_decref(o);
    if (status == 401)
        return gb_fail(ctx, GB_ERR_DENIED,
                       "%s refused the token; give --token-file FILE (the file 'token' in the server's "
                       "data folder), --data DIR or GLOVEBOX_TOKEN",
                       h->server);
    if (!name)
        return gb_fail(ctx, GB_ERR_NETWORK, "%s answered %ld without a Glovebox error; is it a Glovebox server?",
                       h->server, status);
    return gb_fail(ctx, code, "server: %s", text);
}

/* Whether another try may help, and is safe. */
static bool worth_another(const gb_http_request *r, CURLcode code, long status) {
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) return true;
    if (r->once) return false;
    if (code == CURLE_OK) return status == 502 || status == 503 || status == 504;
    return code == CURLE_OPERATION_TIMEDOUT || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE || code == CURLE_HTTP2 ||
           code == CURLE_SSL_CONNECT_ERROR;
}

/* One try. *again says whether another may help. */
static gb_status try_once(bool *again, exchange *x, const gb_http_request *r) {
    gb_http *h = x->h;
    *again = false;
    char *url = gb_format(x->ctx, "%s%s", h->server, r->path);
    if (!url) return gb_ctx_status(x->ctx);
    struct curl_slist *headers = headers_of(h, r);
    if (!headers) {
        gb_free(url);
        return gb_fail(x->ctx, GB_ERR_MEMORY, "out of memory for a request");
    }
    h->curl_error[0] = 0;
    set_options(h->curl, x, r);
    if (x->event) curl_easy_setopt(h->curl, CURLOPT_LOW_SPEED_TIME, 120L);
    curl_easy_setopt(h->curl, CURLOPT_URL, url);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    const CURLcode code = curl_easy_perform(h->curl);
    long status = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    gb_free(url);
    if (x->cancelled) return gb_ctx_status(x->ctx);
    if (x->event_status != GB_OK) return x->event_status;
    if (x->reply->status != GB_OK) return gb_fail(x->ctx, GB_ERR_MEMORY, "out of memory for the server's answer");
    if (x->too_large)
        return gb_fail(x->ctx, GB_ERR_LIMIT, "%s answered more than the %zu bytes that are right here", h->server,
                       x->max);
    *again = worth_another(r, code, status);
    if (code != CURLE_OK)
        return gb_fail(x->ctx, GB_ERR_NETWORK, "%s: %s; is the server running, and the address right?", h->server,
                       *h->curl_error ? h->curl_error : curl_easy_strerror(code));
    return status >= 200 && status < 300 ? GB_OK : refused(x->ctx, h, status, x->reply);
}

gb_status gb_http_nap(gb_ctx *ctx, const gb_http *h, double seconds) {
    const double until = gb_seconds() + seconds;
    while (gb_seconds() < until) {
        const struct timespec nap = {.tv_nsec = 50 * 1000 * 1000};
        (void)nanosleep(&nap, NULL);
        GB_TRY(check_cancel(ctx, h));
    }
    return GB_OK;
}

/* Waits a moment before another try, longer each time; NETWORK, with no new sentence, once patience is over. */
static gb_status pause_between(gb_ctx *ctx, const gb_http *h, double since, double patience, unsigned attempt) {
    const double wait = attempt < 5 ? 0.1 * (double)(1u << attempt) : 3.0;
    if (gb_seconds() + wait - since > patience) return GB_ERR_NETWORK;
    return gb_http_nap(ctx, h, wait);
}

gb_status gb_http_call(gb_buffer *reply, gb_ctx *ctx, gb_http *h, const gb_http_request *r) {
    const double since = gb_seconds();
    const size_t before = reply->size;
    const double patience = r->patience > 0 ? fmin(r->patience, h->retry) : h->retry;
    for (unsigned attempt = 0;; attempt++) {
        exchange x = {.ctx = ctx, .h = h, .reply = reply};
        x.max = before + (r->reply_max ? r->reply_max : GB_REPLY_MAX);
        reply->size = before;
        bool again;
        const gb_status s = try_once(&again, &x, r);
        if (s == GB_OK || !again) return s;
        const gb_status p = pause_between(ctx, h, since, patience, attempt);
        if (p != GB_OK) return p == GB_ERR_NETWORK ? s : p;
        if (attempt == 2) gb_log(ctx, GB_LOG_INFO, "%s does not answer, trying for %.0f seconds", h->server, patience);
    }
}

gb_status gb_http_events(gb_ctx *ctx, gb_http *h, const char *path, gb_http_event_fn event, void *user) {
    gb_buffer buffer = GB_BUFFER_INIT;
    exchange x = {.ctx = ctx, .h = h, .reply = &buffer, .max = GB_EVENT_MAX, .event = event, .user = user};
    const gb_http_request r = {.method = "GET", .path = path};
    bool again;
    const gb_status s = try_once(&again, &x, &r);
    gb_buffer_release(&buffer);
    return s;
}
