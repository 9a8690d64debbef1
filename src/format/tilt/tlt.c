/* IMOD's .tlt and .rawtlt: one angle in degrees a line, in the order of the images; blank lines are skipped. */
#include "format/filetypes.h"
#include "format/tilt/tilt.h"

static bool tlt_probe(const uint8_t *head, size_t n, uint64_t file_bytes) {
    (void)file_bytes;
    for (size_t i = 0; i < n; i++) {
        char c = (char)head[i];
        if (gb_tilt_space(c) || c == '\r' || c == '\n') continue;
        return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.';
    }
    return false;
}

static gb_status tlt_parse(gb_tilts *out, gb_ctx *ctx, const char *name, const char *text, size_t n) {
    tilt_lines lines = gb_tilt_lines(text, n);
    const char *line;
    size_t length, room = 0;
    while (gb_tilt_next(&lines, &line, &length)) {
        const char *end = line + length;
        while (end > line && gb_tilt_space(end[-1])) end--;
        if (line == end) continue;
        double angle;
        if (!gb_tilt_number(&angle, &line, end) || line != end)
            return gb_fail(ctx, GB_ERR_FORMAT, "%s, line %zu: not a tilt angle; one number a line is expected", name,
                           lines.number);
        GB_TRY(gb_tilt_append(out, &room, ctx, name, lines.number, angle));
    }
    return GB_OK;
}

const gb_filetype gb_filetype_tlt = {
    .name = "tlt",
    .summary = "IMOD .tlt and .rawtlt tilt angles",
    .probe = tlt_probe,
    .tilts = tlt_parse,
};
