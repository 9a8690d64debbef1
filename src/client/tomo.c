/* client/tomo: the reconstruction of a tilt series from file to file. */
#include "client/report.h"
#include "client/strip.h"

#include <math.h>
#include <unistd.h>

void gb_tomo_options_defaults(gb_tomo_options *o) {
    *o = (gb_tomo_options){.size = sizeof *o,
                           .precision = "default",
                           .filter = "ramp",
                           .interpolation = "linear",
                           .background = "keep",
                           .axis_angle = (double)NAN};
}

typedef struct work {
    gb_client *c;
    const gb_tomo_options *o;
    gb_report *r;
    gb_precision precision;
    gb_params *params; /* of the precision; in plain mode only for the size of strips */
    gb_series series;
    gb_tomo_config config; /* of the whole series */
    gb_mrc_writer *writer;
    gb_montage montage;
    bool compare, picture;
    gb_comparison sums;
} work;

static gb_status check_options(gb_ctx *ctx, const gb_tomo_options *o) {
    if (o->size != sizeof *o)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "gb_tomo_options: size %zu, want %zu; call gb_tomo_options_defaults first",
                       o->size, sizeof *o);
    if (!o->input || !o->tilts || !o->output)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "input, tilts and output are required");
    if (!gb_client_params_of(o->precision))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "precision '%s': want default or high", o->precision);
    if (strcmp(o->interpolation, "linear") != 0 && strcmp(o->interpolation, "nearest") != 0)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "interpolation '%s': want linear or nearest", o->interpolation);
    return GB_OK;
}

/* The geometry, checked before anything is computed. */
static gb_status configure(work *w) {
    gb_tomo_config *t = &w->config;
    gb_tomo_config_defaults(t);
    t->nx = w->series.nx;
    t->ny = w->series.ny;
    t->nz = w->o->thickness;
    t->tilt_count = w->series.count;
    t->tilts = w->series.tilts.angles;
    t->axis_offset = w->o->axis_offset;
    t->nearest = strcmp(w->o->interpolation, "nearest") == 0;
    t->spacing_weights = w->o->spacing_weights != 0;
    GB_TRY(gb_tomo_filter_parse(w->c->ctx, t, w->o->filter));
    GB_TRY(gb_tomo_config_check(w->c->ctx, t));
    gb_report *r = w->r;
    r->nx = t->nx;
    r->ny = t->ny;
    r->tilts = (uint32_t)t->tilt_count;
    r->volume_x = t->nx;
    r->volume_y = t->ny;
    r->volume_z = gb_tomo_nz(t);
    r->bytes_raw = w->series.bytes_raw;
    return GB_OK;
}

static gb_status begin_output(work *w) {
    const gb_tomo_config *t = &w->config;
    char *label = gb_format(w->c->ctx, "Glovebox " GB_VERSION ": weighted back-projection, filter %s", w->o->filter);
    if (!label) return gb_ctx_status(w->c->ctx);
    const gb_mrc_spec spec = {.nx = t->nx,
                              .ny = gb_tomo_nz(t),
                              .nz = t->ny,
                              .sample = GB_SAMPLE_F32,
                              .pixel = {w->series.pixel, w->series.pixel, w->series.pixel},
                              .volume = true,
                              .labels = {label}};
    const gb_status s = gb_mrc_create(&w->writer, w->c->ctx, w->o->output, &spec);
    gb_free(label);
    return s;
}

static gb_status do_strip(work *w, uint32_t index, uint32_t strips) {
    const uint32_t y0 = (uint32_t)((uint64_t)w->config.ny * index / strips);
    const uint32_t y1 = (uint32_t)((uint64_t)w->config.ny * (index + 1) / strips);
    const size_t nx = w->config.nx, nz = gb_tomo_nz(&w->config);
    gb_strip s = {.c = w->c,
                  .options = w->o,
                  .report = w->r,
                  .params = w->params,
                  .precision = w->precision,
                  .config = w->config,
                  .y0 = y0,
                  .pixel = (float)w->series.pixel};
    s.config.ny = y1 - y0;
    double start = gb_seconds();
    gb_status status = gb_alloc(&s.images, w->c->ctx, w->config.tilt_count * s.config.ny * nx, sizeof *s.images);
    if (status == GB_OK) status = gb_alloc(&s.volume, w->c->ctx, s.config.ny * nz * nx, sizeof *s.volume);
    if (status == GB_OK) status = gb_series_strip(s.images, w->c->ctx, &w->series, y0, s.config.ny);
    w->r->seconds_read += gb_seconds() - start;
    if (status == GB_OK) status = w->o->where == GB_TOMO_PLAIN ? gb_strip_plain(&s) : gb_strip_encrypted(&s);
    start = gb_seconds();
    if (status == GB_OK) status = gb_mrc_write(w->c->ctx, w->writer, s.volume, y0, s.config.ny, 0, (uint32_t)nz);
    w->r->seconds_write += gb_seconds() - start;
    start = gb_seconds();
    if (status == GB_OK && w->picture) gb_montage_add(&w->montage, 0, s.volume, y0, s.config.ny);
    if (status == GB_OK && w->compare) status = gb_strip_compare(&w->sums, &s, w->picture ? &w->montage : NULL);
    w->r->seconds_compare += gb_seconds() - start;
    gb_free(s.images);
    gb_free(s.volume);
    return status;
}

/* What the comparison found, in the report. */
static void judge(work *w) {
    gb_report *r = w->r;
    if (!w->compare) return;
    r->relative_rms_error = w->sums.signal > 0 ? sqrt(w->sums.error / w->sums.signal) : 0;
    r->plain_seconds = w->sums.plain_seconds;
    if (w->o->where != GB_TOMO_PLAIN && r->plain_seconds > 0) r->ratio = r->encrypted_seconds / r->plain_seconds;
}

static gb_status finish_output(work *w) {
    const double start = gb_seconds();
    gb_mrc_writer *writer = w->writer;
    w->writer = NULL;
    GB_TRY(gb_mrc_finish(w->c->ctx, writer));
    if (w->o->montage)
        GB_TRY(gb_montage_write(w->c->ctx, &w->montage, w->o->where == GB_TOMO_PLAIN ? "32-bit floats" : "encrypted",
                                w->o->montage));
    w->r->seconds_write += gb_seconds() - start;
    return GB_OK;
}

static gb_status reconstruct(work *w) {
    gb_ctx *ctx = w->c->ctx;
    gb_report *r = w->r;
    double seconds[2] = {0, 0};
    GB_TRY(check_options(ctx, w->o));
    w->precision = strcmp(w->o->precision, "high") == 0 ? GB_PRECISION_HIGH : GB_PRECISION_DEFAULT;
    GB_TRY(gb_params_named(&w->params, ctx, gb_precision_params(w->precision)));
    gb_copy_text(r->precision, sizeof r->precision, w->o->precision);
    if (w->o->where != GB_TOMO_PLAIN) gb_copy_text(r->params, sizeof r->params, gb_precision_params(w->precision));
    const gb_status opened = gb_series_open(&w->series, seconds, ctx, w->o);
    r->seconds_read = seconds[0];
    r->seconds_align = seconds[1];
    if (opened != GB_OK) return opened;
    GB_TRY(configure(w));
    GB_TRY(begin_output(w));
    if (w->o->where == GB_TOMO_SERVER) GB_TRY(gb_api_open(w->c));
    if (w->o->where != GB_TOMO_PLAIN) GB_TRY(gb_keystore_open_for(w->c, w->o->key, r->params));
    w->picture = w->o->montage != NULL;
    w->compare = w->o->compare || w->picture;
    if (w->picture) GB_TRY(gb_montage_init(&w->montage, ctx, r->volume_x, r->volume_y, r->volume_z));
    const size_t n = gb_ring_n(gb_params_ring(w->params));
    const uint32_t strips = (uint32_t)gb_ceil_div(w->config.ny, n);
    for (uint32_t i = 0; i < strips; i++) GB_TRY(do_strip(w, i, strips));
    judge(w);
    r->pixels_replaced = w->series.replaced;
    return finish_output(w);
}

gb_status gb_tomo_reconstruct(gb_report *out, gb_client *c, const gb_tomo_options *options) {
    gb_report scratch, *r = out ? out : &scratch;
    const double start = gb_seconds();
    *r = (gb_report){.size = sizeof *r, .relative_rms_error = -1, .plain_seconds = -1, .ratio = -1};
    static const char *const where[] = {"server", "local", "plain"};
    if ((unsigned)options->where < GB_COUNT(where)) gb_copy_text(r->where, sizeof r->where, where[options->where]);
    r->threads = gb_ctx_threads(c->ctx);
    work w = {.c = c, .o = options, .r = r};
    gb_status s = reconstruct(&w);
    gb_mrc_abandon(w.writer);
    gb_montage_release(&w.montage);
    gb_series_release(&w.series);
    gb_params_free(w.params);
    r->seconds_total = gb_seconds() - start;
    if (s == GB_OK && options->report) s = gb_report_write(c, r, options->report);
    return s;
}
