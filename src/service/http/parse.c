/* Pure functions on what a client may send. */
#include <sodium.h>
#include <strings.h>

#include "service/http/http.h"

/* Compares one path with one pattern, segment by segment. */
static bool match_path(char args[GB_HTTP_ARGS][72], const char *pattern, const char *path) {
    size_t used = 0;
    while (*pattern != '\0') {
        if (pattern[0] == '{' && pattern[1] == '}') {
            size_t n = strcspn(path, "/");
            if (n == 0 || n >= sizeof args[0] || used == GB_HTTP_ARGS) return false;
            memcpy(args[used], path, n);
            args[used++][n] = '\0';
            pattern += 2;
            path += n;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

gb_http_match gb_http_match_route(const gb_http_route **route, char args[GB_HTTP_ARGS][72], char allow[64],
                                  const gb_http_route *routes, size_t count, const char *method, const char *path) {
    allow[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (!match_path(args, routes[i].pattern, path)) continue;
        if (strcmp(routes[i].method, method) == 0) {
            *route = &routes[i];
            return GB_HTTP_FOUND;
        }
        size_t at = strlen(allow);
        snprintf(allow + at, 64 - at, "%s%s", at > 0 ? ", " : "", routes[i].method);
    }
    *route = NULL;
    return allow[0] != '\0' ? GB_HTTP_NO_METHOD : GB_HTTP_NO_ROUTE;
}

/* Digits at *at; false when there is none or the number exceeds max. Leaves *at after them. */
static bool digits(uint64_t *out, const char **at, uint64_t max) {
    uint64_t v = 0;
    const char *p = *at;
    if (*p < '0' || *p > '9') return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t d = (uint64_t)(*p - '0');
        if (v > (max - d) / 10 || d > max) return false;
        v = v * 10 + d;
    }
    *at = p;
    *out = v;
    return true;
}

bool gb_http_parse_number(uint64_t *out, const char *text, uint64_t max) {
    const char *at = text;
    return text != NULL && digits(out, &at, max) && *at == '\0';
}

gb_http_range gb_http_parse_range(uint64_t *first, uint64_t *count, const char *header, uint64_t size) {
    const uint64_t max = INT64_MAX;
    *first = 0;
    *count = size;
    if (header == NULL || strncasecmp(header, "bytes=", 6) != 0) return GB_RANGE_ALL;
    const char *p = header + 6;
    uint64_t a = 0, b = 0;
    if (*p == '-') { /* the last b bytes */
        p++;
        if (!digits(&b, &p, max) || *p != '\0') return GB_RANGE_ALL;
        if (b == 0 || size == 0) return GB_RANGE_BAD;
        *count = b < size ? b : size;
        *first = size - *count;
        return GB_RANGE_PART;
    }
    if (!digits(&a, &p, max) || *p != '-') return GB_RANGE_ALL;
    p++;
    if (*p == '\0') {
        b = max;
    } else if (!digits(&b, &p, max) || *p != '\0' || b < a) {
        return GB_RANGE_ALL; /* several ranges are answered whole, as section 14.2 allows */
    }
    if (a >= size) return GB_RANGE_BAD;
    *first = a;
    *count = (b >= size ? size - 1 : b) - a + 1;
    return GB_RANGE_PART;
}

bool gb_http_bearer_ok(const char *header, const char token[GB_HTTP_TOKEN_HEX + 1]) {
    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0) return false;
    /* The length is public; only the digits are not. */
    return strlen(header + 7) == GB_HTTP_TOKEN_HEX && sodium_memcmp(header + 7, token, GB_HTTP_TOKEN_HEX) == 0;
}

void gb_http_json_escape(char *out, size_t capacity, const char *text) {
    size_t at = 0;
    for (; *text != '\0' && at + 3 <= capacity; text++) {
        if (*text == '"' || *text == '\\') out[at++] = '\\';
        out[at++] = *text >= ' ' && *text <= '~' ? *text : '?';
    }
    if (capacity > 0) out[at] = '\0';
}
