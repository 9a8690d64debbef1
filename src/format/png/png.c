/* Pictures through libpng's simplified interface, which compresses to memory and returns errors instead of jumping. */
#include <math.h>
#include <png.h>

#include "format/format.h"

gb_status gb_png_write(gb_ctx *ctx, const char *path, const uint8_t *pixels, uint32_t width, uint32_t height,
                       unsigned channels) {
    if (!width || !height || width > 32767 || height > 32767 || (channels != 1 && channels != 3))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: a picture of %u x %u with %u channels cannot be written", path, width,
                       height, channels);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = width, .height = height};
    image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    png_alloc_size_t n = PNG_IMAGE_PNG_SIZE_MAX(image); /* < 2^32 for 32767^2 RGB and libpng's margin */
    uint8_t *data;
    GB_TRY(gb_alloc(&data, ctx, n, 1));
    gb_status s;
    if (png_image_write_to_memory(&image, data, &n, 0, pixels, 0, NULL))
        s = gb_file_write(ctx, path, data, n, 0644);
    else
        s = gb_fail(ctx, GB_ERR_INTERNAL, "%s: libpng could not encode: %s", path, image.message);
    png_image_free(&image);
    gb_free(data);
    return s;
}

void gb_png_grey(uint8_t *out, const float *in, size_t n, double min, double max) {
    double factor = max > min ? 255 / (max - min) : 0;
    for (size_t i = 0; i < n; i++) {
        double v = ((double)in[i] - min) * factor;
        out[i] = v > 0 ? (uint8_t)lrint(v < 255 ? v : 255) : 0; /* false for NaN */
    }
}
