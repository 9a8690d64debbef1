/* Writing MRC: a temporary file beside the target, boxes in any order, statistics of what was stored, rename at the
 * end. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/mrc/mrc.h"

#define CHUNK (1u << 20) /* bytes converted between two writes, or one row if that is more */

struct gb_mrc_writer {
    gb_mrc_spec spec;
    int fd;
    char *path, *temporary, *labels[MRC_LABELS];
    uint8_t *raw;
    size_t chunk_rows;
    uint8_t *written; /* one bit a row */
    uint64_t rows_left;
    /* Statistics about the first value, so that a large mean does not cost the rms its digits. */
    bool begun;
    double shift, min, max, sum, sum2;
};

static uint32_t mode_of(gb_sample s) {
    switch (s) {
    case GB_SAMPLE_I8:
        return 0;
    case GB_SAMPLE_I16:
        return 1;
    case GB_SAMPLE_F32:
        return 2;
    case GB_SAMPLE_U16:
        return 6;
    case GB_SAMPLE_F16:
        return 12;
    case GB_SAMPLE_U8:
        break;
    }
    return UINT32_MAX;
}

static gb_status check_spec(gb_ctx *ctx, const gb_mrc_spec *s, const char *path) {
    if (mode_of(s->sample) == UINT32_MAX)
        return gb_fail(ctx, GB_ERR_ARGUMENT,
                       "%s: MRC has no mode for %s; choose int8, int16, uint16, float16 or float32", path,
                       gb_sample_name(s->sample));
    if (!s->nx || !s->ny || !s->nz)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: %u x %u x %u pixels; no dimension may be 0", path, s->nx, s->ny,
                       s->nz);
    if (s->nx > 1u << 24 || s->ny > 1u << 24 || s->nz > 1u << 24 || (uint64_t)s->nx * s->ny > 1ull << 30)
        return gb_fail(ctx, GB_ERR_LIMIT, "%s: %u x %u x %u pixels are over the limit of 2^24 a side, 2^30 a section",
                       path, s->nx, s->ny, s->nz);
    for (size_t i = 0; i < 3; i++)
        if (!(s->pixel[i] >= 0) || !isfinite(s->pixel[i]) || !isfinite(s->origin[i]))
            return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: pixel size or origin along %c is not a usable number", path,
                           "xyz"[i]);
    return GB_OK;
}

static size_t row_bytes(const gb_mrc_writer *w) { return w->spec.nx * gb_sample_bytes(w->spec.sample); }

/* <= 1024 + 2^30 * 2^24 * 4 < 2^57 */
static uint64_t file_bytes(const gb_mrc_writer *w) {
    return MRC_HEADER + (uint64_t)row_bytes(w) * w->spec.ny * w->spec.nz;
}

static gb_status open_temporary(gb_ctx *ctx, gb_mrc_writer *w) {
    uint8_t salt[6];
    char hex[2 * sizeof salt + 1];
    gb_random_bytes(salt, sizeof salt);
    gb_hex(hex, salt, sizeof salt);
    w->temporary = gb_format(ctx, "%s.%s.part", w->path, hex);
    if (!w->temporary) return GB_ERR_MEMORY;
    w->fd = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        gb_status s = gb_fail_errno(ctx, "create a file beside", w->path);
        gb_free(w->temporary); /* nothing of ours to remove */
        w->temporary = NULL;
        return s;
    }
    /* Where the file system cannot reserve, the length alone is set and a full disk shows while writing. */
    int failed = fallocate(w->fd, 0, 0, (off_t)file_bytes(w));
    if (failed && (errno == EOPNOTSUPP || errno == ENOSYS)) failed = ftruncate(w->fd, (off_t)file_bytes(w));
    return failed ? gb_fail_errno(ctx, "reserve room for", w->path) : GB_OK;
}

static gb_status create(gb_ctx *ctx, gb_mrc_writer *w, const char *path) {
    uint64_t rows = (uint64_t)w->spec.ny * w->spec.nz;
    w->path = gb_strdup(ctx, path);
    if (!w->path) return GB_ERR_MEMORY;
    for (size_t i = 0; i < MRC_LABELS && w->spec.labels[i]; i++) { /* copies: the caller's strings may go */
        w->labels[i] = gb_strdup(ctx, w->spec.labels[i]);
        if (!w->labels[i]) return GB_ERR_MEMORY;
    }
    w->chunk_rows = gb_max_size(1, CHUNK / row_bytes(w));
    w->rows_left = rows;
    GB_TRY(gb_alloc(&w->raw, ctx, w->chunk_rows, row_bytes(w)));
    GB_TRY(gb_alloc_zero(&w->written, ctx, gb_ceil_div(rows, 8), 1));
    return open_temporary(ctx, w);
}

gb_status gb_mrc_create(gb_mrc_writer **out, gb_ctx *ctx, const char *path, const gb_mrc_spec *spec) {
    *out = NULL;
    GB_TRY(check_spec(ctx, spec, path));
    gb_mrc_writer *w;
    GB_TRY(gb_alloc_zero(&w, ctx, 1, sizeof *w));
    w->fd = -1;
    w->spec = *spec;
    gb_status s = create(ctx, w, path);
    if (s != GB_OK) {
        gb_mrc_abandon(w);
        return s;
    }
    *out = w;
    return GB_OK;
}

/* Stores v as the sample and gives back what the stored bytes mean; false: not finite, or does not fit. */
static bool store(uint8_t *raw, double *kept, float v, gb_sample sample) {
    if (!isfinite(v)) return false;
    double r = sample == GB_SAMPLE_F32 || sample == GB_SAMPLE_F16 ? (double)v : nearbyint((double)v);
    switch (sample) {
    case GB_SAMPLE_F32:
        memcpy(raw, &v, sizeof v);
        break;
    case GB_SAMPLE_F16: {
        uint16_t h = gb_mrc_to_half(v);
        r = (double)gb_mrc_from_half(h);
        if (!isfinite(r)) return false;
        memcpy(raw, &h, sizeof h);
        break;
    }
    case GB_SAMPLE_I16: {
        if (r < INT16_MIN || r > INT16_MAX) return false;
        int16_t i = (int16_t)r;
        memcpy(raw, &i, sizeof i);
        break;
    }
    case GB_SAMPLE_U16: {
        if (r < 0 || r > UINT16_MAX) return false;
        uint16_t u = (uint16_t)r;
        memcpy(raw, &u, sizeof u);
        break;
    }
    default: /* GB_SAMPLE_I8: check_spec allows no other */
        if (r < INT8_MIN || r > INT8_MAX) return false;
        *raw = (uint8_t)(int8_t)r;
        break;
    }
    *kept = r;
    return true;
}

static gb_status write_all(gb_ctx *ctx, gb_mrc_writer *w, const uint8_t *data, size_t n, uint64_t at) {
    while (n) {
        ssize_t k = pwrite(w->fd, data, n, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return gb_fail_errno(ctx, "write", w->path);
        data += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return GB_OK;
}

/* `rows` <= chunk_rows rows of section z, from y on: checked, converted, counted, written. */
static gb_status write_rows(gb_ctx *ctx, gb_mrc_writer *w, const float *data, uint32_t z, uint32_t y, uint32_t rows) {
    size_t bytes = gb_sample_bytes(w->spec.sample), count = (size_t)rows * w->spec.nx;
    uint64_t first = (uint64_t)z * w->spec.ny + y;
    for (uint64_t r = first; r < first + rows; r++) {
        if (w->written[r / 8] & 1u << r % 8)
            return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: row %llu of section %u was written before", w->path,
                           (unsigned long long)(r - (uint64_t)z * w->spec.ny), z);
    }
    double min = w->min, max = w->max, sum = 0, sum2 = 0;
    if (!w->begun) w->shift = isfinite(data[0]) ? (double)data[0] : 0;
    for (size_t i = 0; i < count; i++) {
        double v;
        if (!store(w->raw + i * bytes, &v, data[i], w->spec.sample))
            return gb_fail(ctx, GB_ERR_RANGE,
                           "%s: the value at section %u, y %zu, x %zu is not finite or does not fit %s; write float32",
                           w->path, z, y + i / w->spec.nx, i % w->spec.nx, gb_sample_name(w->spec.sample));
        if (!w->begun) { /* the first value as stored */
            min = max = v;
            w->begun = true;
        }
        min = v < min ? v : min;
        max = v > max ? v : max;
        sum += v - w->shift;
        sum2 += (v - w->shift) * (v - w->shift);
    }
    GB_TRY(write_all(ctx, w, w->raw, count * bytes, MRC_HEADER + first * row_bytes(w)));
    for (uint64_t r = first; r < first + rows; r++) w->written[r / 8] |= (uint8_t)(1u << r % 8);
    w->rows_left -= rows;
    w->min = min;
    w->max = max;
    w->sum += sum;
    w->sum2 += sum2;
    return GB_OK;
}

gb_status gb_mrc_write(gb_ctx *ctx, gb_mrc_writer *w, const float *data, uint32_t z0, uint32_t cz, uint32_t y0,
                       uint32_t cy) {
    const gb_mrc_spec *s = &w->spec;
    if (z0 > s->nz || cz > s->nz - z0 || y0 > s->ny || cy > s->ny - y0)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%s has %u sections of %u rows; asked to write sections %u+%u, rows %u+%u",
                       w->path, s->nz, s->ny, z0, cz, y0, cy);
    for (uint32_t z = z0; z < z0 + cz; z++)
        for (uint32_t y = 0; y < cy;) {
            uint32_t rows = (uint32_t)gb_min_size(w->chunk_rows, cy - y);
            GB_TRY(write_rows(ctx, w, data, z, y0 + y, rows));
            data += (size_t)rows * s->nx;
            y += rows;
        }
    return GB_OK;
}

static void put_word(uint8_t *h, size_t at, uint32_t v) { /* in this machine's order; the stamp says which */
    memcpy(h + at, &v, sizeof v);
}

static void put_real(uint8_t *h, size_t at, double v) {
    float f = (float)v;
    memcpy(h + at, &f, sizeof f);
}

static void fill_header(uint8_t *h, const gb_mrc_writer *w) {
    const gb_mrc_spec *s = &w->spec;
    const uint32_t n[3] = {s->nx, s->ny, s->nz};
    double count = (double)s->nx * s->ny * s->nz;
    memset(h, 0, MRC_HEADER);
    for (size_t i = 0; i < 3; i++) {
        uint32_t m = i == 2 && !s->volume ? 1 : n[i];
        put_word(h, MRC_NX + 4 * i, n[i]);
        put_word(h, MRC_MX + 4 * i, m);
        put_real(h, MRC_CELL + 4 * i, s->pixel[i] * m);
        put_real(h, MRC_ANGLES + 4 * i, 90);
        put_word(h, MRC_AXES + 4 * i, (uint32_t)i + 1);
        put_real(h, MRC_ORIGIN + 4 * i, s->origin[i]);
    }
    put_word(h, MRC_MODE, mode_of(s->sample));
    double mean = w->sum / count, variance = w->sum2 / count - mean * mean;
    put_real(h, MRC_DMIN, w->min);
    put_real(h, MRC_DMIN + 4, w->max);
    put_real(h, MRC_DMIN + 8, w->shift + mean);
    put_real(h, MRC_RMS, variance > 0 ? sqrt(variance) : 0);
    put_word(h, MRC_ISPG, s->volume);
    put_word(h, MRC_NVERSION, 20141);
    if (s->sample == GB_SAMPLE_I8) { /* else IMOD would read unsigned bytes */
        put_word(h, MRC_IMOD_STAMP_AT, MRC_IMOD_STAMP);
        put_word(h, MRC_IMOD_FLAGS, MRC_IMOD_SIGNED);
    }
    memcpy(h + MRC_MAP, "MAP ", 4);
    const uint16_t one = 1;
    memset(h + MRC_STAMP, *(const uint8_t *)&one == 1 ? 0x44 : 0x11, 2);
    uint32_t labels = 0;
    for (; labels < MRC_LABELS && w->labels[labels]; labels++) {
        uint8_t *label = h + MRC_LABEL + MRC_LABEL_BYTES * labels;
        const char *text = w->labels[labels];
        memset(label, ' ', MRC_LABEL_BYTES);
        for (size_t i = 0; text[i] && i < MRC_LABEL_BYTES - 1; i++)
            label[i] = text[i] >= ' ' && text[i] <= '~' ? (uint8_t)text[i] : '?';
    }
    put_word(h, MRC_NLABL, labels);
}

/* Makes a rename last: the folder's entry is data of the folder. */
static gb_status sync_folder(gb_ctx *ctx, const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? gb_format(ctx, "%.*s", slash == path ? 1 : (int)(slash - path), path) : gb_strdup(ctx, ".");
    if (!folder) return GB_ERR_MEMORY;
    gb_status s = GB_OK;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL)) s = gb_fail_errno(ctx, "fsync", folder);
    if (fd >= 0) close(fd);
    gb_free(folder);
    return s;
}

static gb_status finish(gb_ctx *ctx, gb_mrc_writer *w) {
    if (w->rows_left)
        return gb_fail(ctx, GB_ERR_STATE, "%s: %llu rows were never written; the file is dropped", w->path,
                       (unsigned long long)w->rows_left);
    uint8_t header[MRC_HEADER];
    fill_header(header, w);
    GB_TRY(write_all(ctx, w, header, sizeof header, 0));
    if (fsync(w->fd) != 0) return gb_fail_errno(ctx, "fsync", w->path);
    int closed = close(w->fd);
    w->fd = -1;
    if (closed != 0) return gb_fail_errno(ctx, "close", w->path);
    if (rename(w->temporary, w->path) != 0) return gb_fail_errno(ctx, "rename into", w->path);
    gb_free(w->temporary); /* it is the file itself now */
    w->temporary = NULL;
    return sync_folder(ctx, w->path);
}

gb_status gb_mrc_finish(gb_ctx *ctx, gb_mrc_writer *w) {
    gb_status s = finish(ctx, w);
    gb_mrc_abandon(w);
    return s;
}

void gb_mrc_abandon(gb_mrc_writer *w) {
    if (!w) return;
    if (w->fd >= 0) close(w->fd);
    if (w->temporary) unlink(w->temporary);
    for (size_t i = 0; i < MRC_LABELS; i++) gb_free(w->labels[i]);
    gb_free(w->temporary);
    gb_free(w->path);
    gb_free(w->raw);
    gb_free(w->written);
    gb_free(w);
}
