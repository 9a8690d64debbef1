/* client/series: see series.h. */
#include "client/series.h"

#include <math.h>

static gb_status open_files(gb_series *s, gb_ctx *ctx, const gb_tomo_options *o) {
    GB_TRY(gb_image_open(&s->file, ctx, o->input, o->nan == GB_PIXELS_MEAN ? GB_NAN_MEAN : GB_NAN_REFUSE));
    const gb_image_info *info = gb_image_get_info(s->file);
    s->nx = info->nx;
    s->ny = info->ny;
    s->count = info->nz;
    s->bytes_raw = (uint64_t)info->nx * info->ny * info->nz * gb_sample_bytes(info->sample);
    GB_TRY(gb_tilts_read(&s->tilts, ctx, o->tilts, s->count));
    s->pixel = info->pixel[0] > 0 ? info->pixel[0] : s->tilts.pixel;
    return GB_OK;
}

static double axis_of(const gb_series *s, const gb_tomo_options *o) {
    if (!isnan(o->axis_angle)) return o->axis_angle;
    return s->tilts.has_axis ? s->tilts.axis : 0;
}

/* Turns and shifts the raw images into s->images so that the axis runs along y through the middle. */
static gb_status apply(gb_series *s, gb_ctx *ctx, const float *raw, const gb_tomo_alignment *a) {
    uint32_t nx, ny;
    gb_tomo_apply_size(&nx, &ny, s->nx, s->ny, a->axis_angle);
    GB_TRY(gb_alloc(&s->images, ctx, s->count * nx * ny, sizeof *s->images));
    GB_TRY(gb_tomo_apply(s->images, ctx, raw, s->nx, s->ny, a));
    s->nx = nx;
    s->ny = ny;
    return GB_OK;
}

static gb_status align(gb_series *s, gb_ctx *ctx, const float *raw, const gb_tomo_options *o, double angle) {
    gb_tomo_alignment a = {.count = s->count, .axis_angle = angle};
    gb_status status;
    if (o->align) {
        gb_tomo_align_config config;
        gb_tomo_align_defaults(&config);
        config.axis_angle = angle;
        config.find_angle = o->find_angle;
        status = gb_tomo_align(&a, ctx, raw, s->nx, s->ny, s->tilts.angles, s->count, &config);
        if (status == GB_OK)
            gb_log(ctx, GB_LOG_INFO, "aligned: axis at %.2f degrees, correlation %.3f", a.axis_angle, a.score);
    } else {
        status = gb_alloc_zero(&a.dx, ctx, s->count, sizeof *a.dx);
        if (status == GB_OK) status = gb_alloc_zero(&a.dy, ctx, s->count, sizeof *a.dy);
    }
    if (status == GB_OK) status = apply(s, ctx, raw, &a);
    gb_tomo_alignment_release(&a);
    return status;
}

static gb_status read_rows(float *out, gb_ctx *ctx, gb_series *s, uint32_t y0, uint32_t cy) {
    const size_t section = (size_t)cy * s->nx;
    for (size_t z = 0; z < s->count; z++) {
        GB_TRY(gb_image_read(out + z * section, ctx, s->file, (uint32_t)z, 1, y0, cy));
        GB_TRY(gb_progress(ctx, "read", z + 1, s->count));
    }
    return GB_OK;
}

static gb_status background_of(gb_tomo_normal *out, gb_ctx *ctx, const char *name) {
    *out = strcmp(name, "mean") == 0     ? GB_TOMO_SUBTRACT_MEAN
           : strcmp(name, "border") == 0 ? GB_TOMO_SUBTRACT_BORDER
                                         : GB_TOMO_KEEP;
    if (*out != GB_TOMO_KEEP || strcmp(name, "keep") == 0) return GB_OK;
    return gb_fail(ctx, GB_ERR_ARGUMENT, "background '%s': want keep, mean or border", name);
}

gb_status gb_series_open(gb_series *s, double seconds[2], gb_ctx *ctx, const gb_tomo_options *o) {
    const double start = gb_seconds();
    gb_tomo_normal normal;
    memset(s, 0, sizeof *s);
    GB_TRY(background_of(&normal, ctx, o->background));
    GB_TRY(open_files(s, ctx, o));
    const double angle = axis_of(s, o);
    const bool turn = o->align || fabs(angle) > 1e-9;
    if (!turn && normal == GB_TOMO_KEEP && o->taper == 0 && s->ny > 1 && s->bytes_raw > (UINT64_C(1) << 30))
        return GB_OK;
    float *raw;
    GB_TRY(gb_alloc(&raw, ctx, s->count * s->ny * s->nx, sizeof *raw));
    gb_status status = read_rows(raw, ctx, s, 0, s->ny);
    s->replaced = gb_image_replaced(s->file);
    seconds[0] += gb_seconds() - start;
    const double aligning = gb_seconds();
    if (status == GB_OK && turn) {
        status = align(s, ctx, raw, o, angle);
        gb_free(raw);
    } else {
        s->images = raw;
    }
    if (status == GB_OK) status = gb_tomo_normalise(s->images, ctx, s->nx, s->ny, s->count, normal, o->taper);
    seconds[turn ? 1 : 0] += gb_seconds() - aligning;
    return status;
}

gb_status gb_series_strip(float *out, gb_ctx *ctx, gb_series *s, uint32_t y0, uint32_t cy) {
    if (!s->images) {
        const uint64_t before = gb_image_replaced(s->file);
        GB_TRY(read_rows(out, ctx, s, y0, cy));
        s->replaced += gb_image_replaced(s->file) - before;
        return GB_OK;
    }
    const size_t row = s->nx;
    for (size_t t = 0; t < s->count; t++)
        memcpy(out + t * cy * row, s->images + (t * s->ny + y0) * row, cy * row * sizeof *out);
    return GB_OK;
}

void gb_series_release(gb_series *s) {
    gb_image_close(s->file);
    gb_tilts_release(&s->tilts);
    gb_free(s->images);
    memset(s, 0, sizeof *s);
}
