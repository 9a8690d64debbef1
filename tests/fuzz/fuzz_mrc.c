/* MRC: whatever the bytes, the reader answers with an error and a sentence, or with pixels that are all finite and lie
 * within the file. */
#include <math.h>

#include "format/format.h"
#include "fuzz.h"

static void read_all(gb_ctx *ctx, gb_image *im, size_t n) {
    const gb_image_info *info = gb_image_get_info(im);
    uint64_t pixels = (uint64_t)info->nx * info->ny * info->nz;
    FUZZ_CLAIM(pixels > 0 && info->offset + pixels * gb_sample_bytes(info->sample) <= n);
    FUZZ_CLAIM(info->file_bytes == n && !strcmp(info->format, "mrc"));
    for (size_t i = 0; i < 3; i++)
        FUZZ_CLAIM(info->pixel[i] >= 0 && isfinite(info->pixel[i]) && isfinite(info->origin[i]));
    float *row;
    if (gb_alloc(&row, ctx, info->nx, sizeof *row) != GB_OK) return;
    uint64_t replaced = 0, rows = 0;
    for (uint32_t z = 0; z < info->nz; z++)
        for (uint32_t y = 0; y < info->ny && rows < 4096; y++, rows++) {
            FUZZ_CLAIM(gb_image_read(row, ctx, im, z, 1, y, 1) == GB_OK);
            for (uint32_t x = 0; x < info->nx; x++) FUZZ_CLAIM(isfinite(row[x]));
            FUZZ_CLAIM(gb_image_replaced(im) - replaced <= info->nx);
            replaced = gb_image_replaced(im);
        }
    gb_free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    gb_ctx *ctx = fuzz_ctx();
    FILE *f = n ? fmemopen((void *)(uintptr_t)data, n, "rb") : NULL;
    if (!f) return 0;
    gb_image *im;
    gb_status s = gb_image_open_stream(&im, ctx, f, "input", GB_NAN_MEAN);
    FUZZ_CLAIM((s == GB_OK) == (im != NULL));
    if (s == GB_OK)
        read_all(ctx, im, n);
    else
        FUZZ_CLAIM(gb_ctx_error(ctx)[0] && !strchr(gb_ctx_error(ctx), '\n'));
    gb_image_close(im);
    return 0;
}
