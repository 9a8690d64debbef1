/* Helper of peer_mrcfile.py: reads an MRC file and writes it again with another sample type.
 * mrc_copy IN OUT int8|int16|uint16|float16|float32 [rows]; "rows" reads and writes row k of every section at a time.
 */
#include <stdlib.h>

#include "format/format.h"

static gb_status copy(gb_ctx *ctx, gb_image *in, gb_mrc_writer *w, bool by_rows) {
    const gb_image_info *info = gb_image_get_info(in);
    size_t box = (size_t)info->nx * (by_rows ? info->nz : info->ny);
    float *data;
    GB_TRY(gb_alloc(&data, ctx, box, sizeof *data));
    gb_status s = GB_OK;
    for (uint32_t i = 0; s == GB_OK && i < (by_rows ? info->ny : info->nz); i++) {
        uint32_t z = by_rows ? 0 : i, cz = by_rows ? info->nz : 1, y = by_rows ? i : 0, cy = by_rows ? 1 : info->ny;
        s = gb_image_read(data, ctx, in, z, cz, y, cy);
        if (s == GB_OK) s = gb_mrc_write(ctx, w, data, z, cz, y, cy);
    }
    gb_free(data);
    return s;
}

static gb_status run(gb_ctx *ctx, char **argv, bool by_rows) {
    gb_image *in;
    gb_mrc_writer *w;
    GB_TRY(gb_image_open(&in, ctx, argv[1], GB_NAN_MEAN));
    const gb_image_info *info = gb_image_get_info(in);
    gb_mrc_spec spec = {.nx = info->nx, .ny = info->ny, .nz = info->nz, .volume = true, .labels = {"copied by a test"}};
    for (int s = 0; s <= GB_SAMPLE_F32; s++)
        if (strcmp(gb_sample_name((gb_sample)s), argv[3]) == 0) spec.sample = (gb_sample)s;
    for (size_t i = 0; i < 3; i++) {
        spec.pixel[i] = info->pixel[i];
        spec.origin[i] = info->origin[i];
    }
    gb_status s = gb_mrc_create(&w, ctx, argv[2], &spec);
    if (s == GB_OK) {
        s = copy(ctx, in, w, by_rows);
        if (s == GB_OK)
            s = gb_mrc_finish(ctx, w);
        else
            gb_mrc_abandon(w);
    }
    gb_image_close(in);
    return s;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    gb_ctx_config config;
    gb_ctx *ctx;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    if (gb_ctx_new(&ctx, &config) != GB_OK) return 1;
    gb_status s = run(ctx, argv, argc > 4 && strcmp(argv[4], "rows") == 0);
    if (s != GB_OK) fprintf(stderr, "%s: %s\n", gb_status_name(s), gb_ctx_error(ctx));
    gb_ctx_free(ctx);
    return s == GB_OK ? 0 : 1;
}
