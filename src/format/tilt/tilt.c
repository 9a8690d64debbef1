/* Tilt angles: which parser, the checks common to all, lines and numbers. */
#include <math.h>

#include "format/filetypes.h"
#include "format/tilt/tilt.h"

#define MAX_FILE ((size_t)64 << 20)

tilt_lines gb_tilt_lines(const char *text, size_t n) {
    size_t skip = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    return (tilt_lines){.at = text + skip, .end = text + n};
}

bool gb_tilt_next(tilt_lines *l, const char **line, size_t *n) {
    if (l->at == l->end) return false;
    const char *feed = memchr(l->at, '\n', (size_t)(l->end - l->at)), *stop = feed ? feed : l->end;
    *line = l->at;
    *n = (size_t)(stop - l->at);
    if (*n && stop[-1] == '\r') --*n;
    l->at = feed ? feed + 1 : l->end;
    l->number++;
    return true;
}

bool gb_tilt_space(char c) { return c == ' ' || c == '\t'; }

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* Digits into a whole number of at most 19 digits; those beyond only move the decimal point. */
static bool read_digits(const char **at, const char *end, uint64_t *whole, int *point) {
    const char *p = *at;
    bool any = false, dot = false;
    for (; p < end && (digit(*p) || (*p == '.' && !dot)); p++) {
        if (*p == '.') {
            dot = true;
            continue;
        }
        any = true;
        bool fits = *whole < 1000000000000000000u; /* then 10 * whole + 9 < 2^64 */
        if (fits) *whole = *whole * 10 + (uint64_t)(*p - '0');
        *point += (int)!fits - (int)dot; /* at most 64 Mi steps: the file's limit */
    }
    *at = p;
    return any;
}

bool gb_tilt_number(double *out, const char **at, const char *end) {
    const char *p = *at;
    while (p < end && gb_tilt_space(*p)) p++;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    uint64_t whole = 0;
    int point = 0;
    if (!read_digits(&p, end, &whole, &point)) return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool down = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+')) p++;
        if (p == end || !digit(*p)) return false;
        int exponent = 0;
        for (; p < end && digit(*p); p++) exponent = exponent < 10000 ? exponent * 10 + (*p - '0') : exponent;
        point += down ? -exponent : exponent;
    }
    double v = (double)whole;
    if (whole) v = point < 0 ? v / pow(10, -point) : v * pow(10, point);
    *out = negative ? -v : v;
    *at = p;
    return isfinite(*out);
}

gb_status gb_tilt_append(gb_tilts *out, size_t *room, gb_ctx *ctx, const char *name, size_t line, double angle) {
    if (!(fabs(angle) <= 180))
        return gb_fail(ctx, GB_ERR_RANGE, "%s, line %zu: tilt angle %g is outside -180..180 degrees", name, line,
                       angle);
    if (out->count == TILT_MAX_ANGLES)
        return gb_fail(ctx, GB_ERR_LIMIT, "%s, line %zu: more than %zu tilt angles", name, line, TILT_MAX_ANGLES);
    if (out->count == *room) {
        size_t more = *room ? *room * 2 : 128;
        double *angles;
        GB_TRY(gb_alloc(&angles, ctx, more, sizeof *angles));
        if (out->count) memcpy(angles, out->angles, out->count * sizeof *angles);
        gb_free(out->angles);
        out->angles = angles;
        *room = more;
    }
    out->angles[out->count++] = angle;
    return GB_OK;
}

gb_status gb_tilts_parse(gb_tilts *out, gb_ctx *ctx, const char *name, const char *text, size_t n, size_t images) {
    *out = (gb_tilts){0};
    const gb_filetype *type = gb_filetype_find((const uint8_t *)text, gb_min_size(n, GB_PROBE_BYTES), n);
    if (type && !type->tilts)
        return gb_fail(ctx, GB_ERR_FORMAT, "%s holds images (%s), not tilt angles; give a .rawtlt, .tlt or .mdoc file",
                       name, type->name);
    if (!type) type = &gb_filetype_tlt; /* its error names the line */
    gb_status s = type->tilts(out, ctx, name, text, n);
    if (s == GB_OK && out->count == 0)
        s = gb_fail(ctx, GB_ERR_FORMAT, "%s has no tilt angle; one a line is expected", name);
    if (s == GB_OK && images && out->count != images)
        s = gb_fail(ctx, GB_ERR_PARAMS, "%s has %zu tilt angles, the stack has %zu images; give one angle an image",
                    name, out->count, images);
    if (s != GB_OK) gb_tilts_release(out);
    return s;
}

gb_status gb_tilts_read(gb_tilts *out, gb_ctx *ctx, const char *path, size_t images) {
    *out = (gb_tilts){0};
    uint8_t *text;
    size_t n;
    GB_TRY(gb_file_read(&text, &n, ctx, path, MAX_FILE));
    gb_status s = gb_tilts_parse(out, ctx, path, (const char *)text, n, images);
    gb_free(text);
    return s;
}

void gb_tilts_release(gb_tilts *t) {
    gb_free(t->angles);
    *t = (gb_tilts){0};
}
