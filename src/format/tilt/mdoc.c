/* SerialEM's .mdoc (https://bio3d.colorado.edu/SerialEM/hlp/html/about_formats.htm): "key = value" lines, a header,
 * then one [ZValue = n] section an image of the stack. Title lines [T = ...] may hold the tilt axis angle. Other
 * sections
 * ([MontSection = n], [FrameSet = n]) are skipped. */
#include <math.h>

#include "format/filetypes.h"
#include "format/tilt/tilt.h"

typedef struct mdoc {
    gb_ctx *ctx;
    const char *name;
    gb_tilts *out;
    size_t *order; /* section number of each angle, as read; room entries */
    size_t room, order_room;
    bool other;    /* within a section that is skipped */
    bool in_image; /* within an image's section */
    bool has_angle;
    size_t z, section_line;
} mdoc;

/* If the line begins with `key` and "=", gives what follows. */
static bool value_of(const char *key, const char *line, const char *end, const char **value) {
    size_t n = strlen(key);
    if ((size_t)(end - line) < n || memcmp(line, key, n) != 0) return false;
    line += n;
    while (line < end && gb_tilt_space(*line)) line++;
    if (line == end || *line != '=') return false;
    *value = line + 1;
    return true;
}

static bool mdoc_probe(const uint8_t *head, size_t n, uint64_t file_bytes) {
    (void)file_bytes;
    tilt_lines lines = gb_tilt_lines((const char *)head, n);
    const char *line, *value;
    size_t length;
    while (gb_tilt_next(&lines, &line, &length))
        if (value_of("[ZValue", line, line + length, &value) || value_of("[T", line, line + length, &value))
            return true;
    return false;
}

static gb_status end_section(mdoc *m) {
    if (m->in_image && !m->has_angle)
        return gb_fail(m->ctx, GB_ERR_FORMAT, "%s, line %zu: [ZValue = %zu] has no TiltAngle", m->name, m->section_line,
                       m->z);
    m->in_image = m->has_angle = false;
    m->other = true;
    return GB_OK;
}

static gb_status begin_section(mdoc *m, const char *value, const char *end, size_t line) {
    double z;
    if (!gb_tilt_number(&z, &value, end) || z != floor(z) || z < 0 || z >= (double)TILT_MAX_ANGLES)
        return gb_fail(m->ctx, GB_ERR_FORMAT, "%s, line %zu: ZValue is not a whole number in 0..%zu", m->name, line,
                       TILT_MAX_ANGLES - 1);
    m->z = (size_t)z;
    m->section_line = line;
    m->in_image = true;
    m->other = false;
    return GB_OK;
}

static gb_status add_angle(mdoc *m, const char *value, const char *end, size_t line) {
    double angle;
    if (m->has_angle || !gb_tilt_number(&angle, &value, end))
        return gb_fail(m->ctx, GB_ERR_FORMAT, "%s, line %zu: TiltAngle is %s", m->name, line,
                       m->has_angle ? "given twice in a section" : "not a number");
    m->has_angle = true;
    GB_TRY(gb_tilt_append(m->out, &m->room, m->ctx, m->name, line, angle));
    if (m->order_room < m->room) {
        size_t *order;
        GB_TRY(gb_alloc(&order, m->ctx, m->room, sizeof *order));
        if (m->order) memcpy(order, m->order, m->order_room * sizeof *order);
        gb_free(m->order);
        m->order = order;
        m->order_room = m->room;
    }
    m->order[m->out->count - 1] = m->z;
    return GB_OK;
}

/* "[T =     Tilt axis angle = 82.9, binning = 1 ...]" */
static void read_title(mdoc *m, const char *line, const char *end) {
    static const char words[] = "Tilt axis angle";
    const char *at = memmem(line, (size_t)(end - line), words, sizeof words - 1), *value;
    double axis;
    if (at && value_of(words, at, end, &value) && gb_tilt_number(&axis, &value, end) && fabs(axis) <= 360) {
        m->out->axis = axis;
        m->out->has_axis = true;
    }
}

static void read_header(mdoc *m, const char *line, const char *end) {
    const char *value;
    double x, y;
    if (value_of("PixelSpacing", line, end, &value)) {
        if (m->out->pixel == 0 && gb_tilt_number(&x, &value, end) && x > 0) m->out->pixel = x;
    } else if (value_of("ImageSize", line, end, &value)) {
        if (gb_tilt_number(&x, &value, end) && gb_tilt_number(&y, &value, end) && x >= 1 && y >= 1 && x <= UINT32_MAX &&
            y <= UINT32_MAX) {
            m->out->image[0] = (uint32_t)x;
            m->out->image[1] = (uint32_t)y;
        }
    }
}

static gb_status read_line(mdoc *m, const char *line, const char *end, size_t number) {
    const char *value;
    if (line < end && *line == '[') {
        if (value_of("[T", line, end, &value)) {
            read_title(m, value, end);
            return GB_OK;
        }
        GB_TRY(end_section(m));
        return value_of("[ZValue", line, end, &value) ? begin_section(m, value, end, number) : GB_OK;
    }
    if (m->in_image && value_of("TiltAngle", line, end, &value)) return add_angle(m, value, end, number);
    if (m->in_image || !m->other) read_header(m, line, end);
    return GB_OK;
}

/* The angles into the order of the sections' numbers, which must be 0 .. count - 1, each once. */
static gb_status put_in_order(mdoc *m) {
    size_t count = m->out->count;
    double *sorted;
    if (count == 0) return GB_OK;
    GB_TRY(gb_alloc(&sorted, m->ctx, count, sizeof *sorted));
    for (size_t i = 0; i < count; i++) sorted[i] = NAN;
    gb_status s = GB_OK;
    for (size_t i = 0; i < count && s == GB_OK; i++) {
        size_t z = m->order[i];
        if (z >= count)
            s = gb_fail(m->ctx, GB_ERR_FORMAT,
                        "%s: %zu sections, but one has ZValue = %zu; they must run from 0 without gap", m->name, count,
                        z);
        else if (!isnan(sorted[z]))
            s = gb_fail(m->ctx, GB_ERR_FORMAT, "%s: two sections have ZValue = %zu", m->name, z);
        else
            sorted[z] = m->out->angles[i];
    }
    if (s == GB_OK) memcpy(m->out->angles, sorted, count * sizeof *sorted);
    gb_free(sorted);
    return s;
}

static gb_status mdoc_parse(gb_tilts *out, gb_ctx *ctx, const char *name, const char *text, size_t n) {
    mdoc m = {.ctx = ctx, .name = name, .out = out};
    tilt_lines lines = gb_tilt_lines(text, n);
    const char *line;
    size_t length;
    gb_status s = GB_OK;
    while (s == GB_OK && gb_tilt_next(&lines, &line, &length)) s = read_line(&m, line, line + length, lines.number);
    if (s == GB_OK) s = end_section(&m);
    if (s == GB_OK) s = put_in_order(&m);
    gb_free(m.order);
    return s;
}

const gb_filetype gb_filetype_mdoc = {
    .name = "mdoc",
    .summary = "SerialEM .mdoc metadata of a tilt series",
    .probe = mdoc_probe,
    .tilts = mdoc_parse,
};
