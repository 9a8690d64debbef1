/* What a client or a worker may say to the service: path, Range, numbers, bearer token, error text, the body of a job,
 * ids, labels, a worker's line. The first byte chooses, the rest is the text. */
#include <math.h>

#include "service/api/api.h"

#include "fuzz.h"

static void fuzz_path(const char *text) {
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD"};
    const gb_http_route *route;
    char args[GB_HTTP_ARGS][72], allow[64];
    for (size_t i = 0; i < GB_COUNT(methods); i++) {
        gb_http_match found =
            gb_http_match_route(&route, args, allow, gb_api_routes, gb_api_route_count, methods[i], text);
        FUZZ_CLAIM((found == GB_HTTP_FOUND) == (route != NULL));
        FUZZ_CLAIM((found == GB_HTTP_NO_METHOD) == (allow[0] != '\0') || found == GB_HTTP_FOUND);
        FUZZ_CLAIM(strlen(allow) < sizeof allow);
        if (found != GB_HTTP_FOUND) continue;
        FUZZ_CLAIM(text[0] == '/' && strcmp(route->method, methods[i]) == 0);
        size_t used = 0;
        for (const char *p = route->pattern; (p = strstr(p, "{}")) != NULL; p += 2, used++) {
            FUZZ_CLAIM(args[used][0] != '\0' && strlen(args[used]) < sizeof args[0]);
            FUZZ_CLAIM(strchr(args[used], '/') == NULL && strstr(text, args[used]) != NULL);
        }
    }
}

static void fuzz_range(const char *text) {
    static const uint64_t sizes[] = {0, 1, 10, 4096, INT64_MAX};
    for (size_t i = 0; i < GB_COUNT(sizes); i++) {
        uint64_t first, count;
        gb_http_range kind = gb_http_parse_range(&first, &count, text, sizes[i]);
        if (kind == GB_RANGE_PART) FUZZ_CLAIM(first < sizes[i] && count >= 1 && count <= sizes[i] - first);
        if (kind == GB_RANGE_ALL) FUZZ_CLAIM(first == 0 && count == sizes[i]);
    }
}

static void fuzz_text(const char *text) {
    static const char token[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    uint64_t v;
    char small[8], again[32];
    if (gb_http_parse_number(&v, text, 1000)) {
        FUZZ_CLAIM(v <= 1000);
        snprintf(again, sizeof again, "%llu", (unsigned long long)v);
        FUZZ_CLAIM(strcmp(again, text + gb_min_size(strspn(text, "0"), strlen(text) - 1)) == 0);
    }
    if (gb_http_bearer_ok(text, token)) FUZZ_CLAIM(strcmp(text + 7, token) == 0);
    gb_http_json_escape(small, sizeof small, text);
    FUZZ_CLAIM(strlen(small) < sizeof small);
    gb_id id;
    if (gb_id_parse(&id, text)) FUZZ_CLAIM(strcmp(id.s, text) == 0);
    gb_hash hash;
    if (gb_api_hash(&hash, fuzz_ctx(), text, "it") == GB_OK) FUZZ_CLAIM(strlen(text) == 2 * GB_HASH_BYTES);
    char label[GB_LABEL_MAX + 1];
    if (gb_api_label(label, fuzz_ctx(), text, "it") == GB_OK) FUZZ_CLAIM(strcmp(label, text) == 0);
}

static void fuzz_job(const char *text, size_t n) {
    gb_job_row row;
    if (gb_json_read_job(&row, fuzz_ctx(), text, n) != GB_OK) {
        FUZZ_CLAIM(gb_ctx_error(fuzz_ctx())[0] != '\0');
        return;
    }
    FUZZ_CLAIM(row.input_count >= 1 && row.input_count <= GB_JOB_INPUTS && row.copies >= 1 && row.copies <= 1024);
    gb_job_live live = {"stage", 1, 2};
    json_t *json = gb_json_job(&row, &live); /* what was read can be shown */
    FUZZ_CLAIM(json != NULL);
    json_decref(json);
}

static void fuzz_worker(const char *text) {
    gb_worker_word word;
    gb_worker_line kind = gb_worker_parse(&word, text);
    FUZZ_CLAIM(strlen(word.live.stage) < sizeof word.live.stage && strlen(word.message) < sizeof word.message);
    if (kind == GB_WORKER_PROGRESS) FUZZ_CLAIM(word.live.done <= word.live.total && word.live.total <= INT64_MAX);
    if (kind == GB_WORKER_DONE) FUZZ_CLAIM(isfinite(word.seconds) && word.seconds >= 0);
    if (kind == GB_WORKER_ERROR) FUZZ_CLAIM(word.error != GB_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 4096) return 0;
    char *text;
    FUZZ_CLAIM(gb_alloc(&text, fuzz_ctx(), size, 1) == GB_OK);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 5 == 0) fuzz_path(text);
    if (data[0] % 5 == 1) fuzz_range(text);
    if (data[0] % 5 == 2 && text[0] != '\0') fuzz_text(text);
    if (data[0] % 5 == 3) fuzz_job(text, size - 1);
    if (data[0] % 5 == 4) fuzz_worker(text);
    gb_free(text);
    return 0;
}
