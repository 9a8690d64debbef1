/* HTTP calls against a small server in a thread that answers from a script, one connection an answer. */
#include "client/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct script {
    const char *const *answers; /* "" : close without an answer; ends at NULL */
    int socket, port;
    pthread_t thread;
    char seen[4096]; /* the last request */
} script;

static void *serve(void *user) {
    script *s = user;
    for (size_t i = 0; s->answers[i]; i++) {
        const int c = accept(s->socket, NULL, NULL);
        if (c < 0) break;
        size_t n = 0;
        while (n + 1 < sizeof s->seen) {
            const ssize_t got = read(c, s->seen + n, sizeof s->seen - 1 - n);
            if (got <= 0) break;
            n += (size_t)got;
            s->seen[n] = 0;
            if (strstr(s->seen, "\r\n\r\n")) break;
        }
        const char *a = s->answers[i];
        size_t left = strlen(a);
        while (left) {
            const ssize_t put = write(c, a, left);
            if (put <= 0) break;
            a += put;
            left -= (size_t)put;
        }
        shutdown(c, SHUT_WR);
        while (read(c, s->seen + sizeof s->seen - 2, 1) > 0) {
        }
        close(c);
    }
    return NULL;
}

static void start(script *s, const char *const *answers) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    memset(s, 0, sizeof *s);
    s->answers = answers;
    s->socket = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s->socket >= 0);
    assert_int_equal(bind(s->socket, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->socket, 8), 0);
    assert_int_equal(getsockname(s->socket, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(script *s) {
    shutdown(s->socket, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->socket);
}

static gb_ctx *context(void) {
    gb_ctx_config config;
    gb_ctx *ctx;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    return ctx;
}

/* One call; the reply's text goes to out. */
static gb_status call(char *out, size_t capacity, gb_ctx *ctx, int port, const gb_http_request *r, double retry) {
    char url[64];
    gb_http *h;
    gb_buffer b = GB_BUFFER_INIT;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    assert_int_equal(gb_http_new(&h, ctx, url, "secret-token", retry, NULL), GB_OK);
    const gb_status s = gb_http_call(&b, ctx, h, r);
    const size_t n = gb_min_size(b.size, capacity - 1);
    if (n) memcpy(out, b.data, n);
    out[n] = 0;
    gb_buffer_release(&b);
    gb_http_free(h);
    return s;
}

#define HEAD(status, length) "HTTP/1.1 " status "\r\nContent-Length: " length "\r\nConnection: close\r\n\r\n"

static void good_answer(void **state) {
    static const char *const answers[] = {HEAD("200 OK", "5") "hello", NULL};
    script s;
    char text[64];
    gb_ctx *ctx = context();
    start(&s, answers);
    const gb_http_request r = {
        .method = "PUT", .path = "/v1/x", .body = "abc", .body_size = 3, .header = "X-Glovebox-Hash: 00"};
    assert_int_equal(call(text, sizeof text, ctx, s.port, &r, 1), GB_OK);
    assert_string_equal(text, "hello");
    stop(&s);
    assert_non_null(strstr(s.seen, "PUT /v1/x HTTP/1.1"));
    assert_non_null(strstr(s.seen, "Authorization: Bearer secret-token"));
    assert_non_null(strstr(s.seen, "X-Glovebox-Hash: 00"));
    gb_ctx_free(ctx);
}

static void error_answers(void **state) {
    static const char *const answers[] = {
        HEAD("409 Conflict",
             "70") "{\"error\":{\"code\":\"ERR_STATE\",\"message\":\"3 tiles\\nare missing\"}}                ",
        HEAD("401 Unauthorized", "2") "{}", HEAD("404 Not Found", "6") "<html>", HEAD("500 Oops", "0"), NULL};
    static const gb_status codes[] = {GB_ERR_STATE, GB_ERR_DENIED, GB_ERR_NETWORK, GB_ERR_NETWORK};
    static const char *const words[] = {"server: 3 tiles are missing", "token", "is it a Glovebox server", "500"};
    script s;
    char text[64];
    gb_ctx *ctx = context();
    start(&s, answers);
    const gb_http_request r = {.method = "GET", .path = "/"};
    for (size_t i = 0; i < GB_COUNT(codes); i++) {
        assert_int_equal(call(text, sizeof text, ctx, s.port, &r, 1), codes[i]);
        if (!strstr(gb_ctx_error(ctx), words[i])) fail_msg("'%s' lacks '%s'", gb_ctx_error(ctx), words[i]);
        assert_null(strchr(gb_ctx_error(ctx), '\n'));
    }
    stop(&s);
    gb_ctx_free(ctx);
}

static void retries(void **state) {
    static const char *const answers[] = {"", HEAD("503 Busy", "0"), HEAD("200 OK", "2") "ok", NULL};
    script s;
    char text[64];
    gb_ctx *ctx = context();
    start(&s, answers);
    const gb_http_request r = {.method = "GET", .path = "/"};
    assert_int_equal(call(text, sizeof text, ctx, s.port, &r, 20), GB_OK);
    assert_string_equal(text, "ok");
    stop(&s);
    gb_ctx_free(ctx);
}

/* A request that must not be sent twice is not repeated once it may have arrived. */
static void once_is_once(void **state) {
    static const char *const answers[] = {"", HEAD("200 OK", "2") "ok", NULL};
    script s;
    char text[64];
    gb_ctx *ctx = context();
    start(&s, answers);
    const gb_http_request r = {.method = "POST", .path = "/", .body = "", .once = true};
    assert_int_equal(call(text, sizeof text, ctx, s.port, &r, 20), GB_ERR_NETWORK);
    stop(&s);
    gb_ctx_free(ctx);
}

static void too_large(void **state) {
    static const char *const answers[] = {HEAD("200 OK", "5") "hello", NULL};
    script s;
    char text[64];
    gb_ctx *ctx = context();
    start(&s, answers);
    const gb_http_request r = {.method = "GET", .path = "/", .reply_max = 4};
    assert_int_equal(call(text, sizeof text, ctx, s.port, &r, 1), GB_ERR_LIMIT);
    stop(&s);
    gb_ctx_free(ctx);
}

static void nobody_there(void **state) {
    char text[64];
    gb_ctx *ctx = context();
    const gb_http_request r = {.method = "GET", .path = "/"};
    assert_int_equal(call(text, sizeof text, ctx, 1, &r, 0.3), GB_ERR_NETWORK);
    assert_non_null(strstr(gb_ctx_error(ctx), "is the server running"));
    gb_ctx_free(ctx);
}

static int refuse(void *user, const char *stage, uint64_t done, uint64_t total) { return 1; }

static void cancelled(void **state) {
    gb_ctx_config config;
    gb_ctx *ctx;
    char text[64];
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    config.progress = refuse;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    const gb_http_request r = {.method = "GET", .path = "/"};
    assert_int_equal(call(text, sizeof text, ctx, 1, &r, 60), GB_ERR_CANCELLED);
    gb_ctx_free(ctx);
}

typedef struct heard {
    char text[256];
    size_t count;
} heard;

static gb_status hear(void *user, gb_ctx *ctx, const char *name, const char *data) {
    heard *h = user;
    const size_t n = strlen(h->text);
    (void)snprintf(h->text + n, sizeof h->text - n, "%s=%s;", name, data);
    return ++h->count == 3 ? GB_ERR_STATE : GB_OK;
}

static void events(void **state) {
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n: hi\n\nevent: state\r\ndata: {1}\n\n"
        "event:progress\ndata:{2}\n\nevent: state\ndata: {3}\n\nevent: state\ndata: {4}\n\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nevent: state\ndata: {5}\n\n", NULL};
    script s;
    heard h = {.count = 0};
    char url[64];
    gb_http *http;
    gb_ctx *ctx = context();
    start(&s, answers);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", s.port);
    assert_int_equal(gb_http_new(&http, ctx, url, "t", 1, NULL), GB_OK);
    assert_int_equal(gb_http_events(ctx, http, "/e", hear, &h), GB_ERR_STATE);
    assert_string_equal(h.text, "state={1};progress={2};state={3};");
    assert_int_equal(gb_http_events(ctx, http, "/e", hear, &h), GB_OK);
    gb_http_free(http);
    stop(&s);
    gb_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_answer), cmocka_unit_test(error_answers),
                                       cmocka_unit_test(retries),     cmocka_unit_test(once_is_once),
                                       cmocka_unit_test(too_large),   cmocka_unit_test(nobody_there),
                                       cmocka_unit_test(cancelled),   cmocka_unit_test(events)};
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
