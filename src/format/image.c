/* Reading of image stacks, whatever the format: opening by content, rows to boxes, pixels that are not finite. */
#include <errno.h>
#include <math.h>
#include <sys/stat.h>

#include "format/format.h"

struct gb_image {
    const gb_filetype *type;
    gb_image_source *source;
    FILE *stream;
    char *name;
    gb_image_info info;
    gb_nan nan;
    uint64_t replaced;
    float *row;      /* scratch for the mean of a section, nx values */
    bool mean_known; /* mean is that of section mean_section */
    uint32_t mean_section;
    float mean;
};

/* Length and first bytes of a stream, which is left at an undefined position. */
static gb_status probe_stream(uint8_t *head, size_t *n, uint64_t *bytes, gb_ctx *ctx, FILE *stream, const char *name) {
    int fd = fileno(stream); /* -1 for a stream in memory */
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%s is not a regular file; name a file with images", name);
    off_t end;
    if (fseeko(stream, 0, SEEK_END) != 0 || (end = ftello(stream)) < 0 || fseeko(stream, 0, SEEK_SET) != 0)
        return gb_fail_errno(ctx, "seek", name);
    *bytes = (uint64_t)end;
    *n = fread(head, 1, GB_PROBE_BYTES, stream);
    return ferror(stream) ? gb_fail_errno(ctx, "read", name) : GB_OK;
}

static gb_status open_image(gb_image *im, gb_ctx *ctx, const char *name) {
    uint8_t head[GB_PROBE_BYTES];
    size_t n = 0;
    uint64_t bytes = 0;
    im->name = gb_strdup(ctx, name);
    if (!im->name) return GB_ERR_MEMORY;
    GB_TRY(probe_stream(head, &n, &bytes, ctx, im->stream, name));
    if (bytes == 0) return gb_fail(ctx, GB_ERR_TRUNCATED, "%s is empty; nothing can be read from it", name);
    im->type = gb_filetype_find(head, n, bytes);
    if (!im->type || !im->type->open)
        return gb_fail(ctx, GB_ERR_UNSUPPORTED,
                       "%s (%llu bytes) is not an image file of a known format; give an MRC file", name,
                       (unsigned long long)bytes);
    im->info.format = im->type->name;
    im->info.file_bytes = bytes;
    GB_TRY(im->type->open(&im->source, &im->info, ctx, im->stream, im->name, bytes));
    return gb_alloc(&im->row, ctx, im->info.nx, sizeof(float));
}

gb_status gb_image_open_stream(gb_image **out, gb_ctx *ctx, FILE *stream, const char *name, gb_nan nan) {
    *out = NULL;
    gb_image *im;
    gb_status s = gb_alloc_zero(&im, ctx, 1, sizeof *im);
    if (s != GB_OK) {
        fclose(stream);
        return s;
    }
    im->stream = stream;
    im->nan = nan;
    s = open_image(im, ctx, name);
    if (s != GB_OK) {
        gb_image_close(im);
        return s;
    }
    *out = im;
    return GB_OK;
}

gb_status gb_image_open(gb_image **out, gb_ctx *ctx, const char *path, gb_nan nan) {
    *out = NULL;
    FILE *f = fopen(path, "rbe");
    if (!f) return gb_fail_errno(ctx, "open", path);
    return gb_image_open_stream(out, ctx, f, path, nan);
}

const gb_image_info *gb_image_get_info(const gb_image *image) { return &image->info; }

uint64_t gb_image_replaced(const gb_image *image) { return image->replaced; }

void gb_image_close(gb_image *image) {
    if (!image) return;
    if (image->type && image->type->close) image->type->close(image->source);
    fclose(image->stream);
    gb_free(image->name);
    gb_free(image->row);
    gb_free(image);
}

/* Mean of the finite pixels of section z: a pass over the section, kept for the next row of it. Sums in double of at
 * most 2^30 floats: relative error below 2^-22, under half a unit of the float it becomes. */
static gb_status section_mean(float *out, gb_ctx *ctx, gb_image *im, uint32_t z) {
    if (!im->mean_known || im->mean_section != z) {
        double sum = 0;
        uint64_t count = 0;
        for (uint32_t y = 0; y < im->info.ny; y++) {
            GB_TRY(im->type->read_row(im->row, ctx, im->source, z, y));
            for (uint32_t x = 0; x < im->info.nx; x++)
                if (isfinite(im->row[x])) {
                    sum += im->row[x];
                    count++;
                }
        }
        im->mean = count ? (float)(sum / (double)count) : 0;
        im->mean_section = z;
        im->mean_known = true;
    }
    *out = im->mean;
    return GB_OK;
}

static gb_status read_row(float *out, gb_ctx *ctx, gb_image *im, uint32_t z, uint32_t y) {
    GB_TRY(im->type->read_row(out, ctx, im->source, z, y));
    for (uint32_t x = 0; x < im->info.nx; x++) {
        if (isfinite(out[x])) continue;
        if (im->nan == GB_NAN_REFUSE)
            return gb_fail(ctx, GB_ERR_RANGE,
                           "%s: pixel at section %u, y %u, x %u is %s; mend it or replace such pixels by the image's "
                           "mean (--nan mean)",
                           im->name, z, y, x, isnan(out[x]) ? "not a number" : "infinite");
        GB_TRY(section_mean(&out[x], ctx, im, z));
        im->replaced++;
    }
    return GB_OK;
}

gb_status gb_image_read(float *out, gb_ctx *ctx, gb_image *image, uint32_t z0, uint32_t cz, uint32_t y0, uint32_t cy) {
    const gb_image_info *info = &image->info;
    if (z0 > info->nz || cz > info->nz - z0 || y0 > info->ny || cy > info->ny - y0)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%s has %u sections of %u rows; asked for sections %u+%u, rows %u+%u",
                       image->name, info->nz, info->ny, z0, cz, y0, cy);
    for (uint32_t z = z0; z < z0 + cz; z++)
        for (uint32_t y = y0; y < y0 + cy; y++, out += info->nx) GB_TRY(read_row(out, ctx, image, z, y));
    return GB_OK;
}
