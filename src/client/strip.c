/* client/strip: see strip.h. */
#include "client/strip.h"

#include <math.h>
#include <sys/stat.h>
#include <time.h>

/* Largest share of memory that one part of the comparison takes, bytes. */
#define GB_COMPARE_BYTES ((size_t)256 << 20)

static double processor_seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* All lines of the program's input, as gb_run_plain takes them. */
static gb_status pack_all(float **out, gb_ctx *ctx, const gb_tomo_config *config, const float *images) {
    const size_t lines = gb_tomo_lines_in(config);
    GB_TRY(gb_alloc(out, ctx, lines * gb_tomo_rows(config), sizeof **out));
    const gb_status s = gb_tomo_pack(*out, ctx, config, images, 0, lines);
    if (s != GB_OK) {
        gb_free(*out);
        *out = NULL;
    }
    return s;
}

/* ---- plain ---- */

/* images -> result lines through the float path; the seconds of the run alone are added to *seconds: the processor's
 * for a runner of its own (the comparison), the clock's otherwise. */
static gb_status run_f32(float **out, gb_ctx *ctx, gb_ctx *runner, const gb_tomo_config *config, const float *images,
                         double *seconds) {
    gb_program *p;
    float *in = NULL;
    *out = NULL;
    GB_TRY(gb_tomo_program(&p, ctx, config));
    gb_status s = pack_all(&in, ctx, config, images);
    if (s == GB_OK) s = gb_alloc(out, ctx, gb_tomo_lines_out(config) * gb_tomo_rows(config), sizeof **out);
    if (s == GB_OK) {
        const float *const ins[] = {in};
        float *const outs[] = {*out};
        const bool own = runner != ctx;
        const double start = own ? processor_seconds() : gb_seconds();
        s = gb_run_plain_f32(runner, p, ins, outs, NULL);
        *seconds += (own ? processor_seconds() : gb_seconds()) - start;
        if (s != GB_OK && own) s = gb_fail_from(ctx, runner);
    }
    gb_free(in);
    gb_program_free(p);
    return s;
}

gb_status gb_strip_plain(gb_strip *s) {
    gb_ctx *ctx = s->c->ctx;
    float *lines;
    gb_status status = run_f32(&lines, ctx, ctx, &s->config, s->images, &s->report->seconds_compute);
    if (status == GB_OK)
        status = gb_tomo_unpack_f32(s->volume, ctx, &s->config, lines, 0, gb_tomo_lines_out(&s->config));
    gb_free(lines);
    return status;
}

/* ---- comparison ---- */

static gb_status run_f64(double *volume, gb_ctx *ctx, const gb_tomo_config *config, const float *images) {
    gb_program *p;
    float *in = NULL;
    double *wide = NULL, *out = NULL;
    const size_t values = gb_tomo_lines_in(config) * gb_tomo_rows(config);
    GB_TRY(gb_tomo_program(&p, ctx, config));
    gb_status s = pack_all(&in, ctx, config, images);
    if (s == GB_OK) s = gb_alloc(&wide, ctx, values, sizeof *wide);
    if (s == GB_OK) s = gb_alloc(&out, ctx, gb_tomo_lines_out(config) * gb_tomo_rows(config), sizeof *out);
    if (s == GB_OK) {
        for (size_t i = 0; i < values; i++) wide[i] = (double)in[i];
        const double *const ins[] = {wide};
        double *const outs[] = {out};
        s = gb_run_plain_f64(ctx, p, ins, outs, NULL);
    }
    if (s == GB_OK) s = gb_tomo_unpack_f64(volume, ctx, config, out, 0, gb_tomo_lines_out(config));
    gb_free(in);
    gb_free(wide);
    gb_free(out);
    gb_program_free(p);
    return s;
}

/* Rows [first, first + config->ny) of the strip; config is the strip's with fewer rows and one copy. */
static gb_status compare_rows(gb_comparison *sum, gb_strip *s, gb_ctx *single, const gb_tomo_config *config,
                              uint32_t first, gb_montage *montage) {
    gb_ctx *ctx = s->c->ctx;
    const size_t nx = config->nx, section = (size_t)s->config.ny * nx, part = (size_t)config->ny * nx;
    const size_t voxels = part * gb_tomo_nz(config);
    float *images = NULL, *lines = NULL;
    double *truth = NULL;
    gb_status status = gb_alloc(&images, ctx, config->tilt_count * part, sizeof *images);
    if (status == GB_OK) status = gb_alloc(&truth, ctx, voxels, sizeof *truth);
    for (size_t t = 0; status == GB_OK && t < config->tilt_count; t++)
        memcpy(images + t * part, s->images + t * section + first * nx, part * sizeof *images);
    if (status == GB_OK) status = run_f32(&lines, ctx, single, config, images, &sum->plain_seconds);
    gb_free(lines);
    if (status == GB_OK) status = run_f64(truth, ctx, config, images);
    gb_free(images);
    float *reference = NULL;
    if (status == GB_OK) status = gb_alloc(&reference, ctx, voxels, sizeof *reference);
    if (status == GB_OK) {
        const float *got = s->volume + first * (voxels / config->ny);
        for (size_t i = 0; i < voxels; i++) {
            const double d = (double)got[i] - truth[i];
            sum->error += d * d;
            sum->signal += truth[i] * truth[i];
            reference[i] = (float)truth[i];
        }
        if (montage) gb_montage_add(montage, 1, reference, s->y0 + first, config->ny);
    }
    gb_free(reference);
    gb_free(truth);
    return status;
}

gb_status gb_strip_compare(gb_comparison *sum, gb_strip *s, gb_montage *montage) {
    gb_ctx *ctx = s->c->ctx, *single;
    gb_ctx_config one;
    gb_ctx_config_defaults(&one);
    one.threads = 1;
    if (gb_ctx_new(&single, &one) != GB_OK) return gb_fail(ctx, GB_ERR_MEMORY, "out of memory for the comparison");
    gb_tomo_config config = s->config;
    config.copies = 1;
    const size_t a_row = 8 * 2 * config.nx * (config.tilt_count + gb_tomo_nz(&config));
    const size_t most = gb_max_size(GB_COMPARE_BYTES / a_row, 1);
    /* Whole blocks of 64 rows where there is room: what the float path is fastest with. */
    const uint32_t rows = (uint32_t)(most >= 64 ? most / 64 * 64 : most), all = s->config.ny;
    gb_status status = GB_OK;
    for (uint32_t y = 0; y < all && status == GB_OK; y += rows) {
        config.ny = all - y < rows ? all - y : rows;
        status = compare_rows(sum, s, single, &config, y, montage);
    }
    gb_ctx_free(single);
    return status;
}

/* ---- encrypted ---- */

static gb_status read_lines(void *user, gb_ctx *ctx, float *out, size_t first, size_t count) {
    const gb_strip *s = user;
    return gb_tomo_pack(out, ctx, &s->config, s->images, first, count);
}

static gb_status write_lines(void *user, gb_ctx *ctx, const double *lines, size_t first, size_t count) {
    const gb_strip *s = user;
    return gb_tomo_unpack(s->volume, ctx, &s->config, lines, first, count);
}

/* Bytes of all tiles: what travels when nothing was sent before. */
static uint64_t bundle_bytes(const gb_bundle_info *info, const gb_params *p) {
    uint64_t bytes = 0;
    const size_t groups = gb_bundle_groups(info), blocks0 = gb_bundle_blocks0(info);
    const size_t blocks1 = info->seeded ? 0 : gb_bundle_blocks1(info, p);
    for (size_t g = 0; g < groups; g++) {
        bytes += blocks0 * (uint64_t)gb_tile_bytes(info, p, 0, g);
        if (blocks1) bytes += blocks1 * (uint64_t)gb_tile_bytes(info, p, 1, g);
    }
    return bytes;
}

static gb_status encrypt_local(gb_strip *s, gb_bundle_info *info, const char *in) {
    const gb_line_source lines = {.user = s, .read = read_lines};
    gb_hash content, nonce;
    gb_random_bytes(nonce.b, sizeof nonce.b);
    GB_TRY(gb_seal_content(&content, s->c, info, &lines));
    gb_secret_dataset_seed(&info->seed, s->c->secret, &nonce, &content);
    const gb_tile_sink sink = gb_tile_folder_sink(in);
    return gb_seal(s->c, info, &lines, &sink, "encrypt");
}

static gb_status decrypt_local(gb_strip *s, const gb_bundle_info *info, const char *out) {
    const gb_tile_source source = gb_tile_folder_source(out);
    const gb_line_sink lines = {.user = s, .write = write_lines};
    const size_t groups = gb_bundle_groups(info);
    for (size_t g = 0; g < groups; g++) {
        GB_TRY(gb_unseal_group(s->c, info, g, &source, &lines));
        GB_TRY(gb_progress(s->c->ctx, "decrypt", g + 1, groups));
    }
    return GB_OK;
}

static gb_status run_local(gb_strip *s, const gb_plan *plan, gb_bundle_info *info, const char *in, const char *out) {
    gb_report *r = s->report;
    gb_bundle_info result;
    double start = gb_seconds();
    GB_TRY(encrypt_local(s, info, in));
    r->seconds_encrypt += gb_seconds() - start;
    r->bytes_uploaded += bundle_bytes(info, s->params);
    const gb_run_input input = {.info = info, .source = gb_tile_folder_source(in)};
    const gb_tile_sink sink = gb_tile_folder_sink(out);
    start = gb_seconds();
    const double processor = processor_seconds();
    GB_TRY(gb_run_encrypted(s->c->ctx, plan, &input, &result, &sink));
    r->seconds_compute += gb_seconds() - start;
    r->encrypted_seconds += processor_seconds() - processor;
    r->job_threads = gb_ctx_threads(s->c->ctx);
    start = gb_seconds();
    GB_TRY(decrypt_local(s, &result, out));
    r->seconds_decrypt += gb_seconds() - start;
    r->bytes_downloaded += bundle_bytes(&result, s->params);
    return GB_OK;
}

static gb_status strip_local(gb_strip *s, const gb_plan *plan, gb_bundle_info *info) {
    gb_ctx *ctx = s->c->ctx;
    char *dir = gb_folder_beside(ctx, s->options->output);
    if (!dir) return gb_ctx_status(ctx);
    char *in = gb_format(ctx, "%s/in", dir), *out = gb_format(ctx, "%s/out", dir);
    gb_status status = in && out ? gb_dir_make(ctx, in, 0700) : gb_ctx_status(ctx);
    if (status == GB_OK) status = gb_dir_make(ctx, out, 0700);
    if (status == GB_OK) status = run_local(s, plan, info, in, out);
    gb_folder_remove(dir);
    gb_free(in);
    gb_free(out);
    gb_free(dir);
    return status;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The job that the journal knows, where it still serves; else a new one. */
static gb_status find_or_submit(gb_api_job *job, gb_strip *s, gb_journal *j, const gb_program *p, const char *dataset) {
    gb_client *c = s->c;
    if (*j->job && gb_api_job_get(job, c, j->job) == GB_OK && strcmp(job->info.state, "failed") != 0 &&
        strcmp(job->info.state, "cancelled") != 0)
        return GB_OK;
    gb_ctx_reset(c->ctx);
    gb_buffer wire = GB_BUFFER_INIT;
    char program[65], label[GB_NOTE_LABEL_MAX + 1];
    gb_note note = {.kind = GB_NOTE_VOLUME,
                    .nx = s->config.nx,
                    .ny = s->config.ny,
                    .nz = gb_tomo_nz(&s->config),
                    .copies = s->config.copies,
                    .pixel = {s->pixel, s->pixel, s->pixel}};
    gb_copy_text(note.name, sizeof note.name, base_name(s->options->output));
    gb_status status = gb_program_encode(&wire, c->ctx, p);
    if (status == GB_OK) status = gb_api_put_program(program, c, &wire);
    if (status == GB_OK) status = gb_note_seal(label, c, &note);
    if (status == GB_OK)
        status = gb_api_submit(job, c, program, dataset, s->options->precision, s->config.copies, label);
    if (status == GB_OK) {
        gb_copy_text(j->job, sizeof j->job, job->info.id);
        status = gb_journal_save(j, c);
    }
    gb_buffer_release(&wire);
    return status;
}

static gb_status finish_job(gb_api_job *job, gb_strip *s) {
    gb_client *c = s->c;
    char id[65];
    gb_copy_text(id, sizeof id, job->info.id);
    gb_copy_text(s->report->job, sizeof s->report->job, id);
    GB_TRY(gb_api_watch(job, c, id));
    if (strcmp(job->info.state, "done") != 0)
        return gb_fail(c->ctx, strcmp(job->info.error_code, "ERR_SPACE") == 0 ? GB_ERR_SPACE : GB_ERR_STATE,
                       "job %s %s%s%s", id, job->info.state, *job->info.error ? ": " : "", job->info.error);
    if (job->outputs != 1)
        return gb_fail(c->ctx, GB_ERR_STATE, "job %s has %zu results, one was expected", id, job->outputs);
    s->report->encrypted_seconds += job->info.seconds;
    s->report->job_threads = job->threads;
    return GB_OK;
}

/* Input and result are of no more use once the volume is written; what cannot be removed is said, not an error. */
static void tidy(gb_strip *s, const char *dataset, const char *result) {
    gb_report *r = s->report;
    if (s->options->keep) {
        gb_copy_text(r->dataset, sizeof r->dataset, dataset);
        gb_copy_text(r->result, sizeof r->result, result);
        return;
    }
    const char *const ids[] = {dataset, result};
    for (size_t i = 0; i < 2; i++)
        if (gb_api_remove(s->c, ids[i]) != GB_OK)
            gb_log(s->c->ctx, GB_LOG_WARN, "dataset %s stays at the server: %s", ids[i], gb_ctx_error(s->c->ctx));
    gb_ctx_reset(s->c->ctx);
}

static gb_status strip_server(gb_strip *s, const gb_program *p, const gb_plan *plan, gb_bundle_info *info) {
    gb_client *c = s->c;
    gb_report *r = s->report;
    const gb_line_source in = {.user = s, .read = read_lines};
    const gb_line_sink out = {.user = s, .write = write_lines};
    gb_note note = {.kind = GB_NOTE_STACK,
                    .sample = GB_SAMPLE_F32,
                    .nx = s->config.nx,
                    .ny = s->config.ny,
                    .nz = (uint32_t)s->config.tilt_count,
                    .copies = s->config.copies,
                    .pixel = {s->pixel, s->pixel, 0}};
    gb_copy_text(note.name, sizeof note.name, base_name(s->options->input));
    gb_api_dataset dataset;
    gb_api_job job;
    gb_journal journal;
    double start = gb_seconds();
    GB_TRY(gb_remote_put(&dataset, &journal, c, info, &in, &note, &r->bytes_uploaded));
    r->seconds_encrypt += gb_seconds() - start;
    start = gb_seconds();
    gb_status status = find_or_submit(&job, s, &journal, p, dataset.info.id);
    if (status == GB_OK) status = finish_job(&job, s);
    r->seconds_compute += gb_seconds() - start;
    start = gb_seconds();
    if (status == GB_OK)
        status = gb_remote_get(c, job.info.result, gb_plan_output(plan, 0), &out, &r->bytes_downloaded);
    r->seconds_decrypt += gb_seconds() - start;
    if (status == GB_OK) {
        gb_journal_remove(&journal);
        tidy(s, dataset.info.id, job.info.result);
    } else {
        gb_journal_release(&journal);
    }
    return status;
}

/* Declares the measured bounds and plans. */
static gb_status plan_strip(gb_program **program, gb_plan **plan, gb_strip *s) {
    gb_ctx *ctx = s->c->ctx;
    float *in = NULL;
    *plan = NULL;
    GB_TRY(gb_tomo_program(program, ctx, &s->config));
    gb_status status = pack_all(&in, ctx, &s->config, s->images);
    if (status == GB_OK) status = gb_tomo_measure(NULL, ctx, &s->config, *program, in);
    gb_free(in);
    if (status == GB_OK) status = gb_plan_new(plan, ctx, *program, s->params, s->precision, s->config.copies);
    return status;
}

gb_status gb_strip_encrypted(gb_strip *s) {
    gb_program *program = NULL;
    gb_plan *plan = NULL;
    const double start = gb_seconds();
    s->config.copies = gb_tomo_copies(&s->config, gb_ring_n(gb_params_ring(s->params)));
    s->report->copies = s->config.copies;
    s->report->rows = gb_tomo_rows(&s->config);
    s->report->room = (uint32_t)gb_ring_n(gb_params_ring(s->params));
    gb_status status = plan_strip(&program, &plan, s);
    s->report->seconds_measure += gb_seconds() - start;
    if (status == GB_OK) {
        gb_bundle_info info = *gb_plan_input(plan, 0);
        info.params = *gb_params_hash(s->params);
        info.key = *gb_secret_key_id(s->c->secret);
        const double noise = gb_plan_noise_rms(plan, 0);
        if (noise > s->report->predicted_rms_error) s->report->predicted_rms_error = noise;
        status =
            s->options->where == GB_TOMO_LOCAL ? strip_local(s, plan, &info) : strip_server(s, program, plan, &info);
    }
    gb_plan_free(plan);
    gb_program_free(program);
    return status;
}
