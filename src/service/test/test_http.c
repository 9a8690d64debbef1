/* Parsing, and the server over real sockets with routes of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/http/http.h"
#include "service/test/client.h"

#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"

/* ---- parsing ---- */

static void test_number(void **state) {
    uint64_t v;
    assert_true(gb_http_parse_number(&v, "0", 10) && v == 0);
    assert_true(gb_http_parse_number(&v, "18446744073709551615", UINT64_MAX) && v == UINT64_MAX);
    const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "99999999999999999999999"};
    for (size_t i = 0; i < GB_COUNT(bad); i++) assert_false(gb_http_parse_number(&v, bad[i], UINT64_MAX));
    assert_false(gb_http_parse_number(&v, "11", 10));
    assert_false(gb_http_parse_number(&v, "9", 3));
    assert_false(gb_http_parse_number(&v, NULL, 10));
}

static void test_range(void **state) {
    static const struct {
        const char *header;
        uint64_t size;
        gb_http_range want;
        uint64_t first, count;
    } cases[] = {
        {NULL, 10, GB_RANGE_ALL, 0, 10},
        {"bytes=0-3", 10, GB_RANGE_PART, 0, 4},
        {"bytes=4-", 10, GB_RANGE_PART, 4, 6},
        {"bytes=-3", 10, GB_RANGE_PART, 7, 3},
        {"bytes=-30", 10, GB_RANGE_PART, 0, 10},
        {"bytes=9-99", 10, GB_RANGE_PART, 9, 1},
        {"bytes=0-9223372036854775807", 10, GB_RANGE_PART, 0, 10},
        {"bytes=10-", 10, GB_RANGE_BAD, 0, 10},
        {"bytes=0-", 0, GB_RANGE_BAD, 0, 0},
        {"bytes=-0", 10, GB_RANGE_BAD, 0, 10},
        {"bytes=3-1", 10, GB_RANGE_ALL, 0, 10},
        {"bytes=0-1,3-4", 10, GB_RANGE_ALL, 0, 10},
        {"bytes=a-b", 10, GB_RANGE_ALL, 0, 10},
        {"lines=0-1", 10, GB_RANGE_ALL, 0, 10},
        {"bytes=99999999999999999999-", 10, GB_RANGE_ALL, 0, 10},
    };
    for (size_t i = 0; i < GB_COUNT(cases); i++) {
        uint64_t first, count;
        assert_int_equal(gb_http_parse_range(&first, &count, cases[i].header, cases[i].size), cases[i].want);
        if (cases[i].want == GB_RANGE_BAD) continue;
        assert_int_equal(first, cases[i].first);
        assert_int_equal(count, cases[i].count);
    }
}

static void test_bearer(void **state) {
    assert_true(gb_http_bearer_ok("Bearer " TOKEN, TOKEN));
    assert_true(gb_http_bearer_ok("bearer " TOKEN, TOKEN));
    assert_false(gb_http_bearer_ok(NULL, TOKEN));
    assert_false(gb_http_bearer_ok("", TOKEN));
    assert_false(gb_http_bearer_ok("Bearer ", TOKEN));
    assert_false(gb_http_bearer_ok("Bearer " TOKEN "0", TOKEN));
    assert_false(gb_http_bearer_ok("Basic " TOKEN, TOKEN));
    assert_false(gb_http_bearer_ok("Bearer 10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", TOKEN));
}

static void test_escape(void **state) {
    char out[16];
    gb_http_json_escape(out, sizeof out, "a\"b\\c\n\xff");
    assert_string_equal(out, "a\\\"b\\\\c??");
    gb_http_json_escape(out, 4, "abcdef"); /* cut, never over */
    assert_true(strlen(out) < 4);
    gb_http_json_escape(out, 4, "\"\"\"\"");
    assert_true(strlen(out) < 4);
}

/* ---- a server ---- */

static atomic_int finished, logged_status;
static _Atomic(gb_http_stream *) the_stream;
static atomic_int stream_step, stream_closed;

static gb_status echo(gb_http_request *r) {
    const char *say = gb_http_query(r, "say");
    char *text = gb_format(r->ctx, "%s|%s|%.*s", r->args[0], say != NULL ? say : "-", (int)r->body.size,
                           r->body.data != NULL ? (char *)r->body.data : "");
    if (text == NULL) return GB_ERR_MEMORY;
    gb_status status = gb_http_reply(r, 200, "text/plain", text, strlen(text));
    gb_free(text);
    return status;
}

static gb_status fails(gb_http_request *r) { return gb_fail(r->ctx, GB_ERR_SPACE, "disk \"full\""); }
static gb_status silent(gb_http_request *r) { return GB_OK; }

static gb_status count_begin(gb_http_request *r) {
    if (strcmp(r->args[0], "no") == 0) return gb_fail(r->ctx, GB_ERR_STATE, "not now");
    return gb_alloc_zero(&r->state, r->ctx, 1, sizeof(uint64_t));
}
static gb_status count_body(gb_http_request *r, const uint8_t *data, size_t n) {
    uint64_t *sum = r->state;
    for (size_t i = 0; i < n; i++) *sum += data[i];
    if (strcmp(r->args[0], "mid") == 0 && *sum > 1000) return gb_fail(r->ctx, GB_ERR_SPACE, "no room");
    return GB_OK;
}
static gb_status count_end(gb_http_request *r) {
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)*(uint64_t *)r->state);
    return gb_http_reply(r, 200, "text/plain", text, strlen(text));
}
static void count_finish(gb_http_request *r) {
    gb_free(r->state);
    atomic_fetch_add(&finished, 1);
}

static gb_status send_file(gb_http_request *r) {
    char path[] = "/tmp/gb-http-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)unlink(path);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    return gb_http_reply_file(r, fd, 10, "tag");
}

static ssize_t stream_next(void *user, char *out, size_t max) {
    int step = atomic_load(&stream_step);
    int *seen = user;
    if (step > 2) return -1;
    if (*seen == step) return 0;
    *seen = step;
    out[0] = (char)('0' + step);
    return 1;
}
static void stream_close(void *user) {
    atomic_store(&the_stream, NULL);
    atomic_fetch_add(&stream_closed, 1);
    gb_free(user);
}
static gb_status stream(gb_http_request *r) {
    static const gb_http_stream_ops ops = {stream_next, stream_close};
    int *seen;
    gb_http_stream *s;
    GB_TRY(gb_alloc_zero(&seen, r->ctx, 1, sizeof *seen));
    GB_TRY(gb_http_reply_stream(&s, r, "text/event-stream", &ops, seen));
    atomic_store(&the_stream, s);
    return GB_OK;
}

static const gb_http_route routes[] = {
    {"GET", "/open", true, 0, NULL, NULL, echo, NULL},
    {"GET", "/echo/{}", false, 0, NULL, NULL, echo, NULL},
    {"POST", "/echo/{}", false, 100, NULL, NULL, echo, NULL},
    {"GET", "/fails", false, 0, NULL, NULL, fails, NULL},
    {"GET", "/silent", false, 0, NULL, NULL, silent, NULL},
    {"PUT", "/count/{}", false, 3 << 20, count_begin, count_body, count_end, count_finish},
    {"GET", "/file", false, 0, NULL, NULL, send_file, NULL},
    {"GET", "/stream", false, 0, NULL, NULL, stream, NULL},
};

static void log_one(void *app, const char *method, const char *route, int status, double ms) {
    atomic_store(&logged_status, status);
}

typedef struct fixture {
    gb_ctx *ctx;
    gb_http *http;
    uint16_t port;
} fixture;

static int setup(void **state) {
    fixture *f;
    if (gb_alloc_zero(&f, NULL, 1, sizeof *f) != GB_OK) return 1;
    gb_ctx_config c;
    gb_ctx_config_defaults(&c);
    c.threads = 1;
    gb_http_config h = {.host = "127.0.0.1",
                        .threads = 4,
                        .connections = 64,
                        .token = TOKEN,
                        .routes = routes,
                        .route_count = GB_COUNT(routes),
                        .log = log_one};
    if (gb_ctx_new(&f->ctx, &c) != GB_OK || gb_http_start(&f->http, f->ctx, &h) != GB_OK) return 1;
    f->port = gb_http_port(f->http);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    gb_http_stop(f->http, 2);
    gb_ctx_free(f->ctx);
    gb_free(f);
    return 0;
}

static void expect(fixture *f, const char *method, const char *path, const char *headers, const char *body, size_t n,
                   int status, const char *text) {
    reply r;
    client_request(&r, f->port, method, path, headers, body, n);
    if (r.status != status) print_error("%s %s answered %d: %s\n", method, path, r.status, r.body);
    assert_int_equal(r.status, status);
    if (text != NULL) assert_non_null(strstr((char *)r.body, text));
    reply_release(&r);
}

static void test_routes(void **state) {
    fixture *f = *state;
    expect(f, "GET", "/open", "", NULL, 0, 200, "|-|");
    expect(f, "GET", "/echo/x?say=a%20b", BEARER, NULL, 0, 200, "x|a b|");
    expect(f, "POST", "/echo/x", BEARER, "hello", 5, 200, "x|-|hello");
    expect(f, "GET", "/echo/x", "", NULL, 0, 401, "ERR_DENIED");
    expect(f, "GET", "/echo/x", "Authorization: Bearer 0\r\n", NULL, 0, 401, "ERR_DENIED");
    expect(f, "GET", "/nothing", BEARER, NULL, 0, 404, "ERR_NOT_FOUND");
    expect(f, "GET", "/echo/", BEARER, NULL, 0, 404, NULL);
    expect(f, "GET", "/echo/a/b", BEARER, NULL, 0, 404, NULL);
    expect(f, "GET", "/fails", BEARER, NULL, 0, 507, "disk \\\"full\\\"");
    expect(f, "GET", "/silent", BEARER, NULL, 0, 500, "ERR_INTERNAL");
    reply r;
    client_request(&r, f->port, "DELETE", "/echo/x", BEARER, NULL, 0);
    assert_int_equal(r.status, 405);
    assert_string_equal(reply_header(&r, "Allow"), "GET, POST");
    reply_release(&r);
    char longer[200] = "/echo/";
    memset(longer + 6, 'a', 100);
    expect(f, "GET", longer, BEARER, NULL, 0, 404, NULL);
}

static void test_bodies(void **state) {
    fixture *f = *state;
    char *big;
    assert_int_equal(gb_alloc(&big, NULL, 4 << 20, 1), GB_OK);
    memset(big, 1, 4 << 20);
    expect(f, "POST", "/echo/x", BEARER, big, 101, 413, "ERR_LIMIT");
    expect(f, "PUT", "/count/x", BEARER, big, 3 << 20, 200, "3145728");
    expect(f, "PUT", "/count/x", BEARER, big, 4 << 20, 413, "ERR_LIMIT"); /* refused before the body is sent */
    expect(f, "PUT", "/count/no", BEARER, big, 1 << 19, 409, "not now");  /* drained */
    expect(f, "PUT", "/count/no", BEARER, big, 2 << 20, 409, "not now");  /* not drained */
    expect(f, "PUT", "/count/mid", BEARER, big, 2 << 20, 507, "no room"); /* fails in the middle */
    expect(f, "PUT", "/count/x", BEARER, NULL, 0, 200, "0");
    expect(f, "GET", "/echo/x", BEARER, big, 10, 413, NULL);
    static const char chunked[] = "PUT /count/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" BEARER
                                  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    reply r;
    client_raw(&r, f->port, chunked, sizeof chunked - 1);
    assert_int_equal(r.status, 200);
    assert_string_equal((char *)r.body, "495");
    reply_release(&r);
    gb_free(big);
}

/* A client that goes away in the middle of a body must leave nothing: finish is called. */
static void test_broken_upload(void **state) {
    fixture *f = *state;
    int before = atomic_load(&finished);
    static const char half[] = "PUT /count/x HTTP/1.1\r\nHost: a\r\n" BEARER "Content-Length: 1000\r\n\r\nabc";
    int fd = client_connect(f->port);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, half, sizeof half - 1), sizeof half - 1);
    usleep(50000);
    close(fd);
    for (int i = 0; i < 200 && atomic_load(&finished) == before; i++) usleep(10000);
    assert_int_equal(atomic_load(&finished), before + 1);
    static const char *const rubbish[] = {"\r\n\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02", "GET / HTTP/9.9\r\n\r\n",
                                          "PUT /count/x HTTP/1.1\r\nHost: a\r\n" BEARER "Content-Length: -5\r\n\r\n"};
    for (size_t i = 0; i < GB_COUNT(rubbish); i++) {
        fd = client_connect(f->port);
        assert_true(fd >= 0);
        assert_true(write(fd, rubbish[i], strlen(rubbish[i])) > 0);
        close(fd);
    }
    expect(f, "GET", "/open", "", NULL, 0, 200, NULL);
}

static void test_file(void **state) {
    fixture *f = *state;
    reply r;
    client_request(&r, f->port, "GET", "/file", BEARER "Range: bytes=2-4\r\n", NULL, 0);
    assert_int_equal(r.status, 206);
    assert_string_equal((char *)r.body, "234");
    assert_string_equal(reply_header(&r, "Content-Range"), "bytes 2-4/10");
    assert_string_equal(reply_header(&r, "ETag"), "\"tag\"");
    reply_release(&r);
    expect(f, "GET", "/file", BEARER, NULL, 0, 200, "0123456789");
    expect(f, "GET", "/file", BEARER "Range: bytes=10-\r\n", NULL, 0, 416, "ERR_RANGE");
    expect(f, "GET", "/file", BEARER "If-None-Match: \"tag\"\r\n", NULL, 0, 304, NULL);
    expect(f, "GET", "/file", BEARER "If-None-Match: \"other\"\r\n", NULL, 0, 200, NULL);
}

static void *stream_client(void *user) {
    static reply r;
    client_request(&r, *(uint16_t *)user, "GET", "/stream", BEARER, NULL, 0);
    return &r;
}

static void wake(void) {
    gb_http_stream *s = atomic_load(&the_stream);
    if (s != NULL) gb_http_stream_wake(s);
}

static void test_stream(void **state) {
    fixture *f = *state;
    pthread_t thread;
    void *result;
    atomic_store(&stream_step, 0);
    assert_int_equal(pthread_create(&thread, NULL, stream_client, &f->port), 0);
    for (int i = 0; i < 500 && atomic_load(&the_stream) == NULL; i++) usleep(2000);
    assert_non_null(atomic_load(&the_stream));
    for (int step = 1; step <= 3; step++) {
        usleep(20000);
        atomic_store(&stream_step, step);
        wake();
    }
    assert_int_equal(pthread_join(thread, &result), 0);
    reply *r = result;
    assert_int_equal(r->status, 200);
    assert_string_equal((char *)r->body, "12");
    reply_release(r);
    for (int i = 0; i < 500 && atomic_load(&stream_closed) == 0; i++) usleep(2000);
    assert_int_equal(atomic_load(&stream_closed), 1);
}

static void test_start_refused(void **state) {
    fixture *f = *state;
    gb_http *h;
    gb_http_config c = {.host = "127.0.0.1", .port = f->port, .threads = 1, .connections = 4, .token = TOKEN};
    assert_int_equal(gb_http_start(&h, f->ctx, &c), GB_ERR_IO);
    assert_null(h);
    c.host = "localhost";
    assert_int_equal(gb_http_start(&h, f->ctx, &c), GB_ERR_ARGUMENT);
    c.host = "127.0.0.1";
    c.token = "short";
    assert_int_equal(gb_http_start(&h, f->ctx, &c), GB_ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),        cmocka_unit_test(test_range),  cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_escape),        cmocka_unit_test(test_routes), cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_broken_upload), cmocka_unit_test(test_file),   cmocka_unit_test(test_stream),
        cmocka_unit_test(test_start_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
