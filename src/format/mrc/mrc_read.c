/* Reading MRC: modes 0, 1, 2, 6 and 12, both byte orders, any extended header (skipped). */
#include <math.h>

#include "format/filetypes.h"
#include "format/mrc/mrc.h"

#define MAX_SIDE (1u << 24)
#define MAX_SECTION (1ull << 30)

struct gb_image_source {
    FILE *stream;
    const char *name; /* the image's; outlives the source */
    uint8_t *raw;     /* one row as stored */
    gb_sample sample;
    bool swapped;
    uint32_t nx, ny;
    uint64_t offset, at; /* of the data; of the stream, UINT64_MAX when unknown */
};

static uint32_t word(const uint8_t *h, size_t at, bool big) {
    const uint8_t *p = h + at;
    return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
               : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static double real(const uint8_t *h, size_t at, bool big) {
    uint32_t bits = word(h, at, big);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Whether dimensions and mode could be those of a real file in this byte order. */
static bool plausible(const uint8_t *h, bool big) {
    for (size_t i = 0; i < 3; i++) {
        uint32_t n = word(h, MRC_NX + 4 * i, big);
        if (n == 0 || n > MAX_SIDE) return false;
    }
    uint32_t mode = word(h, MRC_MODE, big);
    return mode <= 4 || mode == 6 || mode == 12 || mode == 16 || mode == 101;
}

static bool has_map(const uint8_t *h) { return memcmp(h + MRC_MAP, "MAP", 3) == 0; }

static bool mrc_probe(const uint8_t *head, size_t n, uint64_t file_bytes) {
    (void)file_bytes;
    if (n < MRC_MAP + 4) return false;
    return has_map(head) || (n >= MRC_HEADER && (plausible(head, false) || plausible(head, true)));
}

/* Big-endian? The machine stamp decides (0x11 0x11 against 0x44 0x44 or 0x44 0x41), unless it is absent, unknown, or
 * the header makes sense only the other way round. */
static bool is_big(gb_ctx *ctx, const uint8_t *h, const char *name) {
    bool stamp_big = h[MRC_STAMP] == 0x11 && h[MRC_STAMP + 1] == 0x11;
    bool stamp_little = h[MRC_STAMP] == 0x44 && (h[MRC_STAMP + 1] == 0x44 || h[MRC_STAMP + 1] == 0x41);
    bool big = stamp_big || (!stamp_little && !plausible(h, false));
    if (!plausible(h, big) && plausible(h, !big)) {
        if (stamp_big || stamp_little)
            gb_log(ctx, GB_LOG_WARN,
                   "%s: the machine stamp and the header disagree on byte order; the header is believed", name);
        return !big;
    }
    return big;
}

/* Mode 0 is int8 in MRC2014 and uint8 in files of older IMOD: IMOD's flag decides where its stamp is; elsewhere int8,
 * unless the header's own maximum does not fit one. */
static gb_status sample_of(gb_sample *out, gb_ctx *ctx, const uint8_t *h, bool big, const char *name) {
    uint32_t mode = word(h, MRC_MODE, big);
    bool imod = word(h, MRC_IMOD_STAMP_AT, big) == MRC_IMOD_STAMP;
    uint32_t flags = word(h, MRC_IMOD_FLAGS, big);
    const char *why = "an unknown mode";
    switch (mode) {
    case 0:
        if (imod && (flags & MRC_IMOD_NIBBLES)) {
            why = "4-bit pixels";
            break;
        }
        if (imod) {
            *out = flags & MRC_IMOD_SIGNED ? GB_SAMPLE_I8 : GB_SAMPLE_U8;
        } else {
            double min = real(h, MRC_DMIN, big), max = real(h, MRC_DMIN + 4, big);
            *out = min >= 0 && max > 127 && max <= 255 ? GB_SAMPLE_U8 : GB_SAMPLE_I8;
        }
        return GB_OK;
    case 1:
        *out = GB_SAMPLE_I16;
        return GB_OK;
    case 2:
        *out = GB_SAMPLE_F32;
        return GB_OK;
    case 6:
        *out = GB_SAMPLE_U16;
        return GB_OK;
    case 12:
        *out = GB_SAMPLE_F16;
        return GB_OK;
    case 3:
    case 4:
        why = "complex pixels";
        break;
    case 16:
        why = "colour pixels";
        break;
    case 101:
        why = "4-bit pixels";
        break;
    default:
        break;
    }
    return gb_fail(ctx, GB_ERR_UNSUPPORTED,
                   "%s: MRC mode %ld (%s) is not supported; convert it to mode 0, 1, 2, 6 or 12", name,
                   (long)(int32_t)mode, why);
}

/* Cell, axes, origin and statistics: never a reason to refuse, except axes that are not a permutation. */
static gb_status read_extras(gb_image_info *info, gb_ctx *ctx, const uint8_t *h, bool big, const char *name) {
    uint32_t axes[3], seen = 0;
    for (size_t i = 0; i < 3; i++) {
        axes[i] = word(h, MRC_AXES + 4 * i, big);
        if (axes[i] < 4) seen |= 1u << axes[i];
    }
    if (seen == 1 && axes[0] + axes[1] + axes[2] == 0) { /* old files leave them unset */
        for (uint32_t i = 0; i < 3; i++) axes[i] = i + 1;
    } else if (seen != 14) {
        return gb_fail(ctx, GB_ERR_FORMAT, "%s: axes MAPC, MAPR, MAPS are %ld, %ld, %ld, not a permutation of 1, 2, 3",
                       name, (long)(int32_t)axes[0], (long)(int32_t)axes[1], (long)(int32_t)axes[2]);
    }
    for (size_t i = 0; i < 3; i++) {
        size_t at = 4 * (size_t)(axes[i] - 1); /* cell and sampling are given along x, y, z of the crystal */
        double cell = real(h, MRC_CELL + at, big);
        int32_t m = (int32_t)word(h, MRC_MX + at, big);
        info->pixel[i] = isfinite(cell) && cell > 0 && m > 0 ? cell / m : 0;
        double origin = real(h, MRC_ORIGIN + at, big);
        info->origin[i] = isfinite(origin) && has_map(h) ? origin : 0;
    }
    info->min = real(h, MRC_DMIN, big);
    info->max = real(h, MRC_DMIN + 4, big);
    info->mean = real(h, MRC_DMIN + 8, big);
    info->rms = real(h, MRC_RMS, big);
    /* MRC2014: max < min, mean < min or a negative rms mean "not set". */
    info->has_stats = isfinite(info->min) && isfinite(info->max) && isfinite(info->mean) && isfinite(info->rms) &&
                      info->min <= info->max && info->mean >= info->min && info->mean <= info->max && info->rms >= 0;
    return GB_OK;
}

static gb_status check_size(gb_image_info *info, gb_ctx *ctx, const uint8_t *h, bool big, const char *name,
                            uint64_t file_bytes) {
    uint32_t n[3];
    for (size_t i = 0; i < 3; i++) {
        n[i] = word(h, MRC_NX + 4 * i, big);
        if ((int32_t)n[i] <= 0)
            return gb_fail(ctx, GB_ERR_FORMAT, "%s: dimension N%c is %ld; the header is damaged", name, "XYZ"[i],
                           (long)(int32_t)n[i]);
    }
    if (n[0] > MAX_SIDE || n[1] > MAX_SIDE || n[2] > MAX_SIDE || (uint64_t)n[0] * n[1] > MAX_SECTION)
        return gb_fail(ctx, GB_ERR_LIMIT,
                       "%s: dimensions %u x %u x %u are over the limit of 2^24 a side, 2^30 a section", name, n[0],
                       n[1], n[2]);
    int32_t extended = (int32_t)word(h, MRC_NSYMBT, big);
    if (extended < 0)
        return gb_fail(ctx, GB_ERR_FORMAT, "%s: the extended header's length is %ld; the header is damaged", name,
                       (long)extended);
    /* <= 1024 + 2^31 + 2^30 * 2^24 * 4 < 2^57: no overflow */
    info->offset = MRC_HEADER + (uint64_t)extended;
    uint64_t expected = info->offset + (uint64_t)n[0] * n[1] * n[2] * gb_sample_bytes(info->sample);
    if (file_bytes < expected)
        return gb_fail(
            ctx, GB_ERR_TRUNCATED,
            "%s: %u x %u x %u pixels of %s need %llu bytes, the file has %llu; it was cut short or its header "
            "is wrong",
            name, n[0], n[1], n[2], gb_sample_name(info->sample), (unsigned long long)expected,
            (unsigned long long)file_bytes);
    if (file_bytes > expected)
        gb_log(ctx, GB_LOG_WARN, "%s: %llu bytes follow the data and are ignored", name,
               (unsigned long long)(file_bytes - expected));
    info->nx = n[0];
    info->ny = n[1];
    info->nz = n[2];
    return GB_OK;
}

static gb_status mrc_open(gb_image_source **out, gb_image_info *info, gb_ctx *ctx, FILE *stream, const char *name,
                          uint64_t file_bytes) {
    uint8_t h[MRC_HEADER];
    *out = NULL;
    if (file_bytes < MRC_HEADER)
        return gb_fail(ctx, GB_ERR_TRUNCATED, "%s: an MRC header needs %d bytes, the file has %llu", name, MRC_HEADER,
                       (unsigned long long)file_bytes);
    if (fseeko(stream, 0, SEEK_SET) != 0 || fread(h, 1, sizeof h, stream) != sizeof h)
        return gb_fail_errno(ctx, "read the header of", name);
    bool big = is_big(ctx, h, name);
    GB_TRY(sample_of(&info->sample, ctx, h, big, name));
    GB_TRY(check_size(info, ctx, h, big, name, file_bytes));
    GB_TRY(read_extras(info, ctx, h, big, name));
    const uint16_t one = 1;
    info->swapped = big == (*(const uint8_t *)&one == 1);

    gb_image_source *s;
    GB_TRY(gb_alloc_zero(&s, ctx, 1, sizeof *s));
    *s = (gb_image_source){.stream = stream, .name = name, .sample = info->sample, .swapped = info->swapped};
    s->nx = info->nx;
    s->ny = info->ny;
    s->offset = info->offset;
    s->at = MRC_HEADER;
    gb_status status = gb_alloc(&s->raw, ctx, info->nx, gb_sample_bytes(info->sample));
    if (status != GB_OK) {
        gb_free(s);
        return status;
    }
    *out = s;
    return GB_OK;
}

static void swap_row(uint8_t *raw, size_t n, size_t bytes) {
    for (size_t i = 0; i < n * bytes; i += bytes)
        for (size_t a = 0; a < bytes / 2; a++) {
            uint8_t t = raw[i + a];
            raw[i + a] = raw[i + bytes - 1 - a];
            raw[i + bytes - 1 - a] = t;
        }
}

static void convert_row(float *out, const void *raw, size_t n, gb_sample sample) {
    const int8_t *i8 = raw;
    const uint8_t *u8 = raw;
    const int16_t *i16 = raw; /* raw is aligned by gb_alloc */
    const uint16_t *u16 = raw;
    switch (sample) {
    case GB_SAMPLE_I8:
        for (size_t i = 0; i < n; i++) out[i] = i8[i];
        break;
    case GB_SAMPLE_U8:
        for (size_t i = 0; i < n; i++) out[i] = u8[i];
        break;
    case GB_SAMPLE_I16:
        for (size_t i = 0; i < n; i++) out[i] = i16[i];
        break;
    case GB_SAMPLE_U16:
        for (size_t i = 0; i < n; i++) out[i] = u16[i];
        break;
    case GB_SAMPLE_F16:
        for (size_t i = 0; i < n; i++) out[i] = gb_mrc_from_half(u16[i]);
        break;
    case GB_SAMPLE_F32:
        memcpy(out, raw, n * sizeof(float));
        break;
    }
}

static gb_status mrc_read_row(float *out, gb_ctx *ctx, gb_image_source *s, uint32_t z, uint32_t y) {
    size_t bytes = gb_sample_bytes(s->sample), n = s->nx * bytes;
    uint64_t at = s->offset + ((uint64_t)z * s->ny + y) * n;
    /* A seek drops the stream's buffer: rows in order go without. */
    if (s->at != at && fseeko(s->stream, (off_t)at, SEEK_SET) != 0) {
        s->at = UINT64_MAX;
        return gb_fail_errno(ctx, "seek", s->name);
    }
    size_t got = fread(s->raw, 1, n, s->stream);
    s->at = got == n ? at + n : UINT64_MAX;
    if (got != n && ferror(s->stream)) return gb_fail_errno(ctx, "read", s->name);
    if (got != n)
        return gb_fail(ctx, GB_ERR_TRUNCATED, "%s became shorter while it was read: section %u, row %u is missing",
                       s->name, z, y);
    if (s->swapped && bytes > 1) swap_row(s->raw, s->nx, bytes);
    convert_row(out, s->raw, s->nx, s->sample);
    return GB_OK;
}

static void mrc_close(gb_image_source *s) {
    if (!s) return;
    gb_free(s->raw);
    gb_free(s);
}

const gb_filetype gb_filetype_mrc = {
    .name = "mrc",
    .summary = "MRC2014 image stacks and volumes, modes 0, 1, 2, 6, 12",
    .probe = mrc_probe,
    .open = mrc_open,
    .read_row = mrc_read_row,
    .close = mrc_close,
};
