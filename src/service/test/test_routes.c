/* Every route of api/openapi.yaml against the real service, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/test/rig.h"

#define NO_ID "00000000000000000000000000000000"
#define NO_HASH NO_ID NO_ID

static rig the_rig;
static rig_case the_case;

static int setup(void **state) {
    if (!rig_available()) return 0;
    rig_init(&the_rig);
    if (!rig_start(&the_rig)) return 1;
    rig_case_make(&the_case, &the_rig, 3, 40, 100, 4, 20);
    return 0;
}

static int teardown(void **state) {
    if (!rig_available()) return 0;
    rig_case_release(&the_case);
    rig_release(&the_rig);
    return 0;
}

/* One call; its status, and the error code in the answer when code is given. */
static void expect(int status, const char *code, const char *method, const char *path, const char *headers,
                   const void *body, size_t n) {
    reply r;
    rig_call(&the_rig, &r, method, path, headers, body, n);
    if (r.status != status) print_error("%s %s: %d, not %d: %s\n", method, path, r.status, status, r.body);
    assert_int_equal(r.status, status);
    if (code != NULL) assert_non_null(strstr((char *)r.body, code));
    reply_release(&r);
}

static char *ws_path(const char *rest) {
    static char path[400];
    snprintf(path, sizeof path, "/v1/workspaces/%s%s", the_rig.workspace, rest);
    return path;
}

static void test_health(void **state) {
    NEED_RIG();
    reply r;
    client_request(&r, the_rig.port, "GET", "/v1/health", "", NULL, 0); /* without a token */
    assert_int_equal(r.status, 200);
    assert_non_null(strstr((char *)r.body, "\"status\":\"ok\""));
    assert_non_null(strstr((char *)r.body, gb_version()));
    reply_release(&r);
}

static void test_files(void **state) {
    NEED_RIG();
    struct stat info;
    char path[200];
    assert_int_equal(stat(the_rig.data, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/token", the_rig.data);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(strlen(the_rig.token), 64);
}

static void test_token(void **state) {
    NEED_RIG();
    static const char *const wrong[] = {"", "Authorization: Bearer " NO_HASH "\r\n", "Authorization: Bearer\r\n"};
    static const char *const paths[] = {"/v1/workspaces", "/v1/datasets/" NO_ID, "/v1/jobs/" NO_ID};
    for (size_t i = 0; i < GB_COUNT(wrong); i++)
        for (size_t k = 0; k < GB_COUNT(paths); k++) {
            reply r;
            client_request(&r, the_rig.port, "GET", paths[k], wrong[i], NULL, 0);
            assert_int_equal(r.status, 401);
            assert_non_null(strstr((char *)r.body, "ERR_DENIED"));
            reply_release(&r);
        }
}

static void test_unknown(void **state) {
    NEED_RIG();
    expect(404, "ERR_NOT_FOUND", "GET", "/", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v2/health", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/datasets/../../token", "", NULL, 0);
    expect(405, "GET", "DELETE", "/v1/health", "", NULL, 0);
    expect(405, NULL, "PATCH", "/v1/workspaces", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/datasets/" NO_ID, "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/datasets/x", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/datasets/" NO_ID "/missing", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/datasets/" NO_ID "/manifest", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/datasets/" NO_ID "/tiles/0", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "PUT", "/v1/datasets/" NO_ID "/tiles/0", "X-Glovebox-Hash: " NO_HASH "\r\n", "x", 1);
    expect(404, "ERR_NOT_FOUND", "DELETE", "/v1/datasets/" NO_ID, "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/jobs/" NO_ID, "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/jobs/" NO_ID "/events", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "POST", "/v1/jobs/" NO_ID "/cancel", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/workspaces/" NO_ID "/datasets", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/workspaces/" NO_ID "/keysets", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", "/v1/workspaces/" NO_ID "/jobs", "", NULL, 0);
    expect(404, "ERR_NOT_FOUND", "GET", ws_path("/keysets/" NO_HASH), "", NULL, 0);
}

static void test_workspaces(void **state) {
    NEED_RIG();
    int status;
    json_t *a = rig_json(&the_rig, &status, "POST", "/v1/workspaces", "{\"name\":\"\\u00e9\"}", 17);
    assert_int_equal(status, 201);
    json_t *b = rig_json(&the_rig, &status, "POST", "/v1/workspaces", "{\"name\":\"\\u00e9\"}", 17);
    assert_int_equal(status, 200);
    assert_string_equal(rig_text(a, "id"), rig_text(b, "id"));
    json_decref(a);
    json_decref(b);
    a = rig_json(&the_rig, &status, "GET", "/v1/workspaces", NULL, 0);
    assert_int_equal(json_array_size(json_object_get(a, "workspaces")), 2);
    json_decref(a);
    static const char *const bad[] = {"", "{", "[]", "{}", "{\"name\":5}", "{\"name\":\"\"}", "{\"name\":\"\xff\"}"};
    for (size_t i = 0; i < GB_COUNT(bad); i++) expect(400, NULL, "POST", "/v1/workspaces", "", bad[i], strlen(bad[i]));
    char longer[300];
    snprintf(longer, sizeof longer, "{\"name\":\"%0250d\"}", 1);
    expect(400, "ERR_ARGUMENT", "POST", "/v1/workspaces", "", longer, strlen(longer));
    char *huge;
    assert_int_equal(gb_alloc_zero(&huge, NULL, 100000, 1), GB_OK);
    expect(413, "ERR_LIMIT", "POST", "/v1/workspaces", "", huge, 100000);
    gb_free(huge);
}

static void test_keysets(void **state) {
    NEED_RIG();
    gb_buffer bytes = GB_BUFFER_INIT;
    char hex[72], path[200];
    assert_int_equal(gb_keyset_encode(&bytes, the_rig.ctx, the_rig.keyset), GB_OK);
    gb_hex(hex, gb_keyset_id(the_rig.keyset)->b, GB_HASH_BYTES);
    snprintf(path, sizeof path, "/keysets/%s", hex);
    expect(200, hex, "PUT", ws_path(path), "", bytes.data, bytes.size); /* it is there already */
    reply r;
    rig_call(&the_rig, &r, "GET", ws_path(path), "", NULL, 0);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.size, bytes.size);
    assert_memory_equal(r.body, bytes.data, bytes.size);
    reply_release(&r);
    expect(200, hex, "GET", ws_path("/keysets"), "", NULL, 0);
    expect(422, "ERR_KEY", "PUT", ws_path("/keysets/" NO_HASH), "", bytes.data, bytes.size);
    expect(400, NULL, "PUT", ws_path(path), "", bytes.data, bytes.size / 2);
    expect(400, NULL, "PUT", ws_path(path), "", NULL, 0);
    expect(400, NULL, "PUT", ws_path("/keysets/abc"), "", bytes.data, bytes.size);
    bytes.data[bytes.size / 2] ^= 1;
    reply bad;
    rig_call(&the_rig, &bad, "PUT", ws_path(path), "", bytes.data, bytes.size);
    assert_in_range(bad.status, 400, 422);
    reply_release(&bad);
    gb_buffer_release(&bytes);
}

static void test_programs(void **state) {
    NEED_RIG();
    rig_send_program(&the_case, &the_rig);
    gb_hash want;
    char hex[72];
    gb_hash_of(&want, the_case.program_bytes.data, the_case.program_bytes.size, NULL, 0);
    gb_hex(hex, want.b, GB_HASH_BYTES);
    assert_string_equal(the_case.program_id, hex);
    rig_send_program(&the_case, &the_rig);
    reply r;
    rig_call(&the_rig, &r, "PUT", ws_path("/programs"), "", "rubbish", 7);
    assert_in_range(r.status, 400, 422);
    reply_release(&r);
    expect(404, NULL, "PUT", "/v1/workspaces/" NO_ID "/programs", "", the_case.program_bytes.data,
           the_case.program_bytes.size);
}

static void test_draft(void **state) {
    NEED_RIG();
    gb_buffer *draft = &the_case.draft_bytes;
    expect(400, "ERR_ARGUMENT", "POST", ws_path("/datasets?nonce=xyz"), "", draft->data, draft->size);
    expect(400, "ERR_ARGUMENT", "POST", ws_path("/datasets?label=%ff"), "", draft->data, draft->size);
    expect(404, "ERR_NOT_FOUND", "POST", "/v1/workspaces/" NO_ID "/datasets", "", draft->data, draft->size);
    expect(400, NULL, "POST", ws_path("/datasets"), "", "", 0);
    reply r;
    rig_call(&the_rig, &r, "POST", ws_path("/datasets"), "", "\x01\x02\x03", 3);
    assert_in_range(r.status, 400, 422);
    reply_release(&r);
    gb_manifest other = the_case.manifest;
    gb_buffer bytes = GB_BUFFER_INIT;
    gb_random_bytes(other.info.key.b, GB_HASH_BYTES);
    assert_int_equal(gb_manifest_encode(&bytes, the_rig.ctx, &other), GB_OK);
    expect(422, "ERR_KEY", "POST", ws_path("/datasets"), "", bytes.data, bytes.size);
    gb_buffer_release(&bytes);
}

static void test_tiles(void **state) {
    NEED_RIG();
    char path[300], header[128], hex[72];
    int status;
    json_t *a = rig_json(&the_rig, &status, "POST", ws_path("/datasets?label=two%20words&nonce=01"),
                         the_case.draft_bytes.data, the_case.draft_bytes.size);
    assert_int_equal(status, 201);
    snprintf(the_case.dataset, sizeof the_case.dataset, "%s", rig_text(a, "id"));
    assert_string_equal(rig_text(a, "label"), "two words");
    assert_string_equal(rig_text(a, "state"), "uploading");
    assert_int_equal(rig_number(a, "tiles"), the_case.manifest.tile_count);
    json_decref(a);
    const gb_buffer *tile = &the_case.tiles[0];
    gb_hex(hex, the_case.manifest.tiles[0].b, GB_HASH_BYTES);
    snprintf(path, sizeof path, "/v1/datasets/%s/tiles/0", the_case.dataset);
    snprintf(header, sizeof header, "X-Glovebox-Hash: %s\r\n", hex);
    expect(400, "ERR_ARGUMENT", "PUT", path, "", tile->data, tile->size); /* no hash */
    expect(422, "ERR_HASH", "PUT", path, "X-Glovebox-Hash: " NO_HASH "\r\n", tile->data, tile->size);
    expect(400, "ERR_TRUNCATED", "PUT", path, header, tile->data, tile->size - 1);
    /* a byte too much; then the right hash of wrong content: the tile's header is spoilt */
    gb_buffer bad = GB_BUFFER_INIT;
    gb_hash hash;
    gb_write_bytes(&bad, tile->data, tile->size);
    gb_write_u8(&bad, 0);
    expect(413, "ERR_LIMIT", "PUT", path, header, bad.data, bad.size);
    bad.size--;
    bad.data[0] ^= 1;
    gb_hash_of(&hash, bad.data, bad.size, NULL, 0);
    gb_hex(hex, hash.b, GB_HASH_BYTES);
    snprintf(header, sizeof header, "X-Glovebox-Hash: %s\r\n", hex);
    expect(400, "ERR_FORMAT", "PUT", path, header, bad.data, bad.size);
    gb_buffer_release(&bad);
    snprintf(path, sizeof path, "/v1/datasets/%s/missing", the_case.dataset);
    expect(200, "\"missing\":[0,", "GET", path, "", NULL, 0); /* nothing of all that was kept */
    assert_true(rig_send_tile(&the_case, &the_rig, 0, &status));
    assert_true(rig_send_tile(&the_case, &the_rig, 0, &status)); /* repeatable */
    expect(200, "\"missing\":[1", "GET", path, "", NULL, 0);
    snprintf(path, sizeof path, "/v1/datasets/%s/tiles/999999", the_case.dataset);
    expect(404, NULL, "PUT", path, header, "x", 1);
    snprintf(path, sizeof path, "/v1/datasets/%s/tiles/-1", the_case.dataset);
    expect(404, NULL, "PUT", path, header, "x", 1);
    expect(404, NULL, "GET", path, "", NULL, 0);
    snprintf(path, sizeof path, "/v1/datasets/%s/manifest", the_case.dataset);
    expect(409, "ERR_STATE", "GET", path, "", NULL, 0);
}

/* Other tiles for the same place: the same values under another seed. */
static void test_conflict(void **state) {
    NEED_RIG();
    char path[300], header[128], hex[72];
    gb_buffer other = GB_BUFFER_INIT;
    uint64_t *words;
    gb_hash hash;
    const gb_bundle_info *info = &the_case.manifest.info;
    assert_int_equal(gb_alloc(&words, NULL, (size_t)info->limbs * info->lines_per_tile * GB_BLOCK, 8), GB_OK);
    gb_write_space(&other, the_case.tiles[0].size);
    assert_int_equal(gb_tile_decode(words, the_rig.ctx, info, the_rig.params, 0, 0, 0, the_case.tiles[0].data,
                                    the_case.tiles[0].size),
                     GB_OK);
    words[0] = words[0] == 0;
    assert_int_equal(gb_tile_encode(other.data, the_rig.ctx, info, the_rig.params, 0, 0, 0, words), GB_OK);
    gb_hash_of(&hash, other.data, the_case.tiles[0].size, NULL, 0);
    gb_hex(hex, hash.b, GB_HASH_BYTES);
    snprintf(path, sizeof path, "/v1/datasets/%s/tiles/0", the_case.dataset);
    snprintf(header, sizeof header, "X-Glovebox-Hash: %s\r\n", hex);
    expect(409, "ERR_EXISTS", "PUT", path, header, other.data, the_case.tiles[0].size);
    gb_buffer_release(&other);
    gb_free(words);
}

static void test_commit(void **state) {
    NEED_RIG();
    char path[300], first[40];
    snprintf(path, sizeof path, "/v1/datasets/%s/commit", the_case.dataset);
    expect(409, "tiles are missing", "POST", path, "", the_case.manifest_bytes.data, the_case.manifest_bytes.size);
    expect(400, NULL, "POST", path, "", "", 0);
    snprintf(first, sizeof first, "%s", the_case.dataset);
    assert_true(rig_send_dataset(&the_case, &the_rig, "01")); /* found again by its nonce, and finished */
    assert_string_equal(first, the_case.dataset);
    expect(200, "\"ready\"", "POST", path, "", the_case.manifest_bytes.data, the_case.manifest_bytes.size);
    expect(409, "ERR_STATE", "POST", path, "", the_case.draft_bytes.data, the_case.draft_bytes.size);
}

static void test_download(void **state) {
    NEED_RIG();
    char path[300], hex[72], header[128];
    reply r;
    const gb_buffer *tile = &the_case.tiles[1];
    gb_hex(hex, the_case.manifest.tiles[1].b, GB_HASH_BYTES);
    snprintf(path, sizeof path, "/v1/datasets/%s/tiles/1", the_case.dataset);
    rig_call(&the_rig, &r, "GET", path, "", NULL, 0);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.size, tile->size);
    assert_memory_equal(r.body, tile->data, r.size);
    assert_non_null(strstr(reply_header(&r, "ETag"), hex));
    reply_release(&r);
    rig_call(&the_rig, &r, "GET", path, "Range: bytes=10-19\r\n", NULL, 0);
    assert_int_equal(r.status, 206);
    assert_int_equal(r.size, 10);
    assert_memory_equal(r.body, tile->data + 10, 10);
    reply_release(&r);
    snprintf(header, sizeof header, "If-None-Match: \"%s\"\r\n", hex);
    expect(304, NULL, "GET", path, header, NULL, 0);
    expect(416, "ERR_RANGE", "GET", path, "Range: bytes=99999999-\r\n", NULL, 0);
    snprintf(path, sizeof path, "/v1/datasets/%s/manifest", the_case.dataset);
    rig_call(&the_rig, &r, "GET", path, "", NULL, 0);
    assert_int_equal(r.size, the_case.manifest_bytes.size);
    assert_memory_equal(r.body, the_case.manifest_bytes.data, r.size);
    reply_release(&r);
}

static void refuse_job(int status, const char *code, const char *program, const char *input, const char *more) {
    char body[600];
    snprintf(body, sizeof body, "{\"program\":\"%s\",\"inputs\":[%s]%s}", program, input, more);
    expect(status, code, "POST", ws_path("/jobs"), "", body, strlen(body));
}

static void test_job_refusals(void **state) {
    NEED_RIG();
    char input[64], two[140];
    const char *program = the_case.program_id;
    snprintf(input, sizeof input, "\"%s\"", the_case.dataset);
    snprintf(two, sizeof two, "%s,%s", input, input);
    refuse_job(400, "ERR_ARGUMENT", "zz", input, "");
    refuse_job(400, "ERR_ARGUMENT", program, "", "");
    refuse_job(400, "ERR_ARGUMENT", program, "5", "");
    refuse_job(400, "precision", program, input, ",\"precision\":\"wild\"");
    refuse_job(400, "copies", program, input, ",\"copies\":0");
    refuse_job(400, "unknown member", program, input, ",\"colour\":1");
    refuse_job(404, "ERR_NOT_FOUND", NO_HASH, input, "");
    refuse_job(404, "ERR_NOT_FOUND", program, "\"" NO_ID "\"", "");
    refuse_job(400, "inputs", program, two, "");
    refuse_job(422, "ERR_PARAMS", program, input, ",\"precision\":\"high\""); /* it was encrypted for another */
    /* a dataset that is not ready */
    char path[200];
    int status;
    json_t *a = rig_json(&the_rig, &status, "POST", ws_path("/datasets?nonce=02"), the_case.draft_bytes.data,
                         the_case.draft_bytes.size);
    assert_int_equal(status, 201);
    snprintf(input, sizeof input, "\"%s\"", rig_text(a, "id"));
    snprintf(path, sizeof path, "/v1/datasets/%s", rig_text(a, "id"));
    json_decref(a);
    refuse_job(409, "ERR_STATE", program, input, "");
    expect(204, NULL, "DELETE", path, "", NULL, 0);
    expect(404, NULL, "DELETE", path, "", NULL, 0);
    expect(200, "\"jobs\":[]", "GET", ws_path("/jobs"), "", NULL, 0); /* nothing was left */
}

static void test_job_and_events(void **state) {
    NEED_RIG();
    char job[40], path[200];
    rig_submit(job, &the_case, &the_rig);
    reply r;
    snprintf(path, sizeof path, "/v1/jobs/%s/events", job);
    rig_call(&the_rig, &r, "GET", path, "", NULL, 0); /* ends by itself */
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "Content-Type"), "text/event-stream");
    assert_int_equal(strncmp((char *)r.body, "event: state\ndata: {", 20), 0);
    assert_non_null(strstr((char *)r.body, "\"state\":\"done\""));
    reply_release(&r);
    json_t *a = rig_wait(&the_rig, job, 20);
    assert_non_null(a);
    assert_string_equal(rig_text(a, "state"), "done");
    assert_int_equal(json_array_size(json_object_get(a, "outputs")), 1);
    assert_int_equal(rig_number(a, "attempts"), 1);
    assert_true(rig_number(a, "threads") >= 1);
    char output[40];
    snprintf(output, sizeof output, "%s", json_string_value(json_array_get(json_object_get(a, "outputs"), 0)));
    json_decref(a);
    snprintf(path, sizeof path, "/v1/jobs/%s/cancel", job);
    expect(409, "ERR_STATE", "POST", path, "", NULL, 0);
    snprintf(path, sizeof path, "/v1/datasets/%s", output);
    expect(200, "\"kind\":\"result\"", "GET", path, "", NULL, 0);
    expect(200, job, "GET", ws_path("/jobs"), "", NULL, 0);
    expect(200, output, "GET", ws_path("/datasets"), "", NULL, 0);
    assert_true(rig_check(&the_case, &the_rig, output) < 2e-3);
    expect(204, NULL, "DELETE", path, "", NULL, 0);
}

/* A second service on the same folder, a broken option, a worker that is not there. */
static void test_refuses_to_start(void **state) {
    NEED_RIG();
    rig second = the_rig;
    second.pid = fork();
    if (second.pid == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        execl(getenv("GLOVEBOXD"), "gloveboxd", "--data", the_rig.data, "--listen", "127.0.0.1:0", "--worker",
              getenv("GLOVEBOX_WORKER"), (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(second.pid, &status, 0), second.pid);
    assert_int_equal(WEXITSTATUS(status), 1);
    expect(200, NULL, "GET", "/v1/workspaces", "", NULL, 0);
}

static void test_log_is_discreet(void **state) {
    NEED_RIG();
    char path[200];
    uint8_t *text;
    size_t n;
    snprintf(path, sizeof path, "%s/log", the_rig.dir);
    assert_int_equal(gb_file_read(&text, &n, the_rig.ctx, path, 16 << 20), GB_OK);
    assert_null(memmem(text, n, the_rig.token, 64));
    assert_null(memmem(text, n, "two words", 9)); /* a label */
    assert_null(memmem(text, n, the_rig.workspace, 32));
    static const char wanted[] = "\"route\":\"PUT /v1/datasets/{}/tiles/{}\",\"status\":204";
    assert_non_null(memmem(text, n, wanted, sizeof wanted - 1));
    for (size_t at = 0; at < n;) { /* every line is a JSON object */
        size_t end = at;
        while (end < n && text[end] != '\n') end++;
        json_t *line = json_loadb((char *)text + at, end - at, 0, NULL);
        assert_true(json_is_object(line));
        assert_true(json_is_string(json_object_get(line, "ts")) && json_is_string(json_object_get(line, "level")));
        json_decref(line);
        at = end + 1;
    }
    gb_free(text);
}

static void test_stop(void **state) {
    NEED_RIG();
    int status = rig_stop(&the_rig, SIGTERM);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char path[200];
    snprintf(path, sizeof path, "%s/address", the_rig.data);
    assert_int_not_equal(access(path, F_OK), 0);
    char token[72];
    snprintf(token, sizeof token, "%s", the_rig.token);
    assert_true(rig_start(&the_rig));
    assert_string_equal(token, the_rig.token); /* the token stays */
    char dataset[200];
    snprintf(dataset, sizeof dataset, "/v1/datasets/%s", the_case.dataset);
    expect(200, "\"ready\"", "GET", dataset, "", NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_workspaces),
        cmocka_unit_test(test_keysets),
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_draft),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_conflict),
        cmocka_unit_test(test_commit),
        cmocka_unit_test(test_download),
        cmocka_unit_test(test_job_refusals),
        cmocka_unit_test(test_job_and_events),
        cmocka_unit_test(test_refuses_to_start),
        cmocka_unit_test(test_log_is_discreet),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
