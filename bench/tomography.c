/* Group `tomography`: filtered back-projection of 512 (x) x 512 (y) x 61 tilts, -60 to 60 degrees by 2, into
 * 512 x 512 x 128, on one core, as a user gets it: the plain program in float32 against a worker's whole job, tiles to
 * tiles in memory, and the error of what comes back.
 *
 * The data: 400 balls in a slab, projected exactly, with the shot noise of 10,000 electrons at the brightest pixel. Two
 * runs of rows are packed in each ciphertext (point symmetry), so the job computes half of the volume at twice the
 * rows.
 *
 * Group `tomography_large`: 1024 x 1024 x 61 into 1024 x 1024 x 256 in a process of its own, whose peak memory counts.
 */
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "program/program.h"
#include "scheme/secret/secret.h"

enum { TILTS = 61, BALLS = 400 };

typedef struct shape {
    size_t n, nz, copies; /* n x n images, n x n x nz voxels */
} shape;

static double uniform(uint64_t *state) { /* splitmix64, in [0, 1) */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static double angle_of(size_t tilt) { return (-60 + 2 * (double)tilt) * (M_PI / 180); }

/* ---- data: lines (tilt, x) of n rows (y) ---- */
static void add_ball(float *lines, const shape *s, uint64_t *state) {
    double n = (double)s->n, middle = (n - 1) / 2;
    double r = n * (0.01 + 0.06 * uniform(state)), density = 0.2 + 0.8 * uniform(state);
    double x = (uniform(state) - 0.5) * 0.9 * n, y = uniform(state) * n;
    double z = (uniform(state) - 0.5) * ((double)s->nz - 2 * r);
    for (size_t t = 0; t < TILTS; t++) {
        double u = middle + x * cos(angle_of(t)) + z * sin(angle_of(t));
        for (long l = lround(u - r); l <= lround(u + r); l++)
            for (long row = lround(y - r); row <= lround(y + r); row++) {
                double h = r * r - ((double)l - u) * ((double)l - u) - ((double)row - y) * ((double)row - y);
                if (h > 0 && l >= 0 && l < (long)s->n && row >= 0 && row < (long)s->n)
                    lines[(t * s->n + (size_t)l) * s->n + (size_t)row] += (float)(2 * density * sqrt(h));
            }
    }
}

static void make_data(float *lines, const shape *s) {
    const size_t count = TILTS * s->n * s->n;
    uint64_t state = 2026;
    double most = 0;
    memset(lines, 0, count * sizeof *lines);
    for (int b = 0; b < BALLS; b++) add_ball(lines, s, &state);
    for (size_t i = 0; i < count; i++) most = fmax(most, (double)lines[i]);
    for (size_t i = 0; i < count; i++) {
        double electrons = 10000 * (double)lines[i] / most;
        double normal = sqrt(-2 * log(1 - uniform(&state))) * cos(2 * M_PI * uniform(&state));
        lines[i] = (float)(electrons + sqrt(electrons) * normal);
    }
}

/* Rows [0, n) of a line are the image's column x; with two copies, rows [n, 2n) are column n - 1 - x. */
static void pack_line(double *out, const float *lines, const shape *s, size_t line) {
    size_t t = line / s->n, x = line % s->n;
    for (size_t c = 0; c < s->copies; c++) {
        const float *in = lines + (t * s->n + (c ? s->n - 1 - x : x)) * s->n;
        for (size_t r = 0; r < s->n; r++) out[c * s->n + r] = (double)in[r];
    }
}

/* ---- the program: ramp filter, back-projection; nk of the volume's nz ---- */
static gb_status make_program(gb_program **out, gb_ctx *ctx, const shape *s, size_t copies) {
    gb_axis axes[2] = {{"tilt", TILTS}, {"x", (uint32_t)s->n}};
    gb_affine affine[TILTS];
    const size_t count = 2 * s->n - 1;
    double *taps, n = (double)s->n;
    gb_node node;
    for (size_t t = 0; t < TILTS; t++) {
        double c = cos(angle_of(t)), d = sin(angle_of(t));
        affine[t] = (gb_affine){(n - 1) / 2 * (1 - c) - ((double)s->nz - 1) / 2 * d, c, d};
    }
    gb_gather_spec g = {TILTS, s->n, s->n, s->nz / copies, affine, false, M_PI / TILTS, {"z", "x"}};
    GB_TRY(gb_alloc_zero(&taps, ctx, count, sizeof *taps));
    for (size_t i = 0; i < count; i++) { /* Kak and Slaney, Principles of CT Imaging, eq. 61 */
        double k = (double)i - (n - 1);
        taps[i] = k == 0 ? 0.25 : fmod(k, 2) == 0 ? 0 : -1 / (M_PI * M_PI * k * k);
    }
    gb_status status = gb_program_new(out, ctx, "backprojection");
    if (status == GB_OK) status = gb_program_input(&node, ctx, *out, "tilts", axes, 2, (uint32_t)(s->n * copies));
    if (status == GB_OK) status = gb_program_convolve(&node, ctx, *out, node, taps, count);
    if (status == GB_OK) status = gb_program_gather(&node, ctx, *out, node, &g);
    if (status == GB_OK) status = gb_program_output(ctx, *out, "volume", node);
    gb_free(taps);
    return status;
}

/* ---- tiles in memory ---- */
typedef struct tiles {
    size_t count, stride, bytes; /* bytes: of all that was written */
    uint8_t *data;
    size_t *size;
} tiles;

static gb_status tiles_init(tiles *t, gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p) {
    t->count = gb_bundle_tiles(b, p);
    t->stride = gb_max_size(gb_tile_bytes(b, p, 0, 0), gb_tile_bytes(b, p, 1, 0));
    t->bytes = 0;
    GB_TRY(gb_alloc_zero(&t->data, ctx, t->count, t->stride)); /* touched: no page is new in a timed run */
    return gb_alloc_zero(&t->size, ctx, t->count, sizeof *t->size);
}

static void tiles_release(tiles *t) {
    gb_free(t->data);
    gb_free(t->size);
    *t = (tiles){0};
}

static gb_status tiles_read(void *user, gb_ctx *ctx, size_t tile, uint8_t *data, size_t capacity, size_t *n) {
    const tiles *t = user;
    if (t->size[tile] > capacity) return gb_fail(ctx, GB_ERR_LIMIT, "tile %zu: larger than expected", tile);
    memcpy(data, t->data + tile * t->stride, t->size[tile]);
    *n = t->size[tile];
    return GB_OK;
}

static gb_status tiles_write(void *user, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n) {
    tiles *t = user;
    if (n > t->stride) return gb_fail(ctx, GB_ERR_LIMIT, "tile %zu: larger than expected", tile);
    memcpy(t->data + tile * t->stride, data, n);
    t->size[tile] = n;
    return GB_OK;
}

static size_t tiles_total(const tiles *t) {
    size_t total = 0;
    for (size_t i = 0; i < t->count; i++) total += t->size[i];
    return total;
}

/* ---- the two jobs ---- */
typedef struct job {
    gb_ctx *ctx;
    shape s;
    gb_status status; /* of the timed runs */
    float *lines, *volume;
    double *truth; /* float64 */
    gb_program *plain, *program;
    gb_params *params;
    gb_secret *secret;
    gb_keyset *keyset;
    gb_plan *plan;
    gb_bundle_info in_info, out_info;
    tiles in, out;
} job;

static void run_plain(void *user) {
    job *j = user;
    const float *in = j->lines;
    float *out = j->volume;
    if (j->status == GB_OK) j->status = gb_run_plain_f32(j->ctx, j->plain, &in, &out, NULL);
}

static void run_encrypted(void *user) {
    job *j = user;
    gb_run_input in = {&j->in_info, {&j->in, tiles_read}};
    gb_tile_sink out = {&j->out, NULL, tiles_write};
    if (j->status == GB_OK) j->status = gb_run_encrypted(j->ctx, j->plan, &in, &j->out_info, &out);
}

/* Bounds as a client measures them, rounded up by an eighth of an octave at most. */
static gb_status declare(job *j, const float *in, float *out) {
    double bounds[4];
    GB_TRY(gb_run_plain_f32(j->ctx, j->plain, &in, &out, bounds));
    for (gb_node i = 0; i < 4; i++)
        GB_TRY(gb_program_declare(j->ctx, j->program, i, exp2(ceil(log2(bounds[i]) * 8) / 8)));
    return GB_OK;
}

static gb_status encrypt(job *j, const gb_tile_sink *sink) {
    const gb_bundle_info *b = &j->in_info;
    gb_hash nonce = {{1}}, content = {{2}};
    double *line;
    int64_t *values;
    j->in_info = *gb_plan_input(j->plan, 0);
    j->in_info.key = *gb_secret_key_id(j->secret);
    gb_secret_dataset_seed(&j->in_info.seed, j->secret, &nonce, &content);
    GB_TRY(gb_alloc(&line, j->ctx, b->rows, sizeof *line));
    gb_status s = gb_alloc(&values, j->ctx, (size_t)b->lines_per_tile * b->rows, sizeof *values);
    for (size_t g = 0; s == GB_OK && g < gb_bundle_groups(b); g++) {
        size_t first = g * b->lines_per_tile, count = gb_min_size(b->lines_per_tile, gb_bundle_lines(b) - first);
        for (size_t l = 0; l < count; l++) {
            pack_line(line, j->lines, &j->s, first + l);
            for (size_t r = 0; r < b->rows; r++) values[l * b->rows + r] = llrint(line[r] * b->scale);
        }
        s = gb_encrypt_seeded(j->ctx, j->secret, b, g, values, sink);
    }
    gb_free(values);
    gb_free(line);
    return s;
}

/* Relative rms error of the decrypted volume; the second copy holds the voxels mirrored through the centre. */
static gb_status measure(double *error, job *j) {
    const gb_bundle_info *b = &j->out_info;
    gb_tile_source source = {&j->out, tiles_read};
    const size_t n = j->s.n, half = j->s.nz / j->s.copies;
    double *got, squares = 0, all = 0;
    GB_TRY(gb_alloc(&got, j->ctx, (size_t)b->lines_per_tile * b->rows, sizeof *got));
    gb_status s = GB_OK;
    for (size_t g = 0; s == GB_OK && g < gb_bundle_groups(b); g++) {
        s = gb_decrypt(got, j->ctx, j->secret, b, g, &source);
        size_t first = g * b->lines_per_tile, count = gb_min_size(b->lines_per_tile, gb_bundle_lines(b) - first);
        for (size_t l = 0; s == GB_OK && l < count; l++)
            for (size_t c = 0; c < j->s.copies; c++) {
                size_t line = c ? 2 * half * n - 1 - (first + l) : first + l;
                for (size_t r = 0; r < n; r++) {
                    double want = j->truth[line * n + r];
                    squares += pow(got[l * b->rows + c * n + r] - want, 2);
                    all += want * want;
                }
            }
    }
    *error = sqrt(squares / all);
    gb_free(got);
    return s;
}

static gb_status prepare(job *j, gb_precision precision) {
    GB_TRY(gb_params_named(&j->params, j->ctx, gb_precision_params(precision)));
    GB_TRY(gb_secret_new(&j->secret, &j->keyset, j->ctx, j->params));
    return gb_plan_new(&j->plan, j->ctx, j->program, j->params, precision, (uint32_t)j->s.copies);
}

static void unprepare(job *j) {
    gb_plan_free(j->plan);
    gb_secret_free(j->secret);
    gb_keyset_free(j->keyset);
    gb_params_free(j->params);
    tiles_release(&j->in);
    tiles_release(&j->out);
    j->plan = NULL, j->secret = NULL, j->keyset = NULL, j->params = NULL;
}

static void release(job *j) {
    unprepare(j);
    gb_program_free(j->plain);
    gb_program_free(j->program);
    gb_free(j->lines);
    gb_free(j->volume);
    gb_free(j->truth);
    gb_ctx_free(j->ctx);
}

static gb_status compute_truth(job *j) {
    const size_t count = TILTS * j->s.n * j->s.n;
    double *wide;
    GB_TRY(gb_alloc(&wide, j->ctx, count, sizeof *wide));
    for (size_t i = 0; i < count; i++) wide[i] = (double)j->lines[i];
    const double *in = wide;
    double *out = j->truth;
    gb_status s = gb_run_plain_f64(j->ctx, j->plain, &in, &out, NULL);
    gb_free(wide);
    return s;
}

static gb_status init(job *j, const shape *s, uint64_t memory, bool volume) {
    gb_ctx_config config;
    *j = (job){.s = *s};
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    config.memory = memory;
    GB_TRY(gb_ctx_new(&j->ctx, &config));
    GB_TRY(gb_alloc(&j->lines, j->ctx, TILTS * s->n * s->n, sizeof *j->lines));
    make_data(j->lines, s);
    GB_TRY(make_program(&j->plain, j->ctx, s, 1));
    GB_TRY(make_program(&j->program, j->ctx, s, s->copies));
    if (!volume) return GB_OK;
    GB_TRY(gb_alloc_zero(&j->volume, j->ctx, s->n * s->n * s->nz, sizeof *j->volume));
    GB_TRY(gb_alloc(&j->truth, j->ctx, s->n * s->n * s->nz, sizeof *j->truth));
    GB_TRY(declare(j, j->lines, j->volume));
    return compute_truth(j);
}

static gb_status bench_precision(gb_bench *b, job *j, gb_precision precision) {
    const char *p = precision == GB_PRECISION_HIGH ? "high" : "default";
    gb_tile_sink sink = {&j->in, NULL, tiles_write};
    GB_TRY(prepare(j, precision));
    GB_TRY(tiles_init(&j->in, j->ctx, gb_plan_input(j->plan, 0), j->params));
    GB_TRY(tiles_init(&j->out, j->ctx, gb_plan_output(j->plan, 0), j->params));
    GB_TRY(encrypt(j, &sink));
    gb_bench_case cases[] = {{.name = "tomography plain",
                              .parameters = "float32",
                              .isa = "",
                              .peer = "",
                              .unit = "s",
                              .per_second = 1,
                              .threads = 1,
                              .cpu_time = true,
                              .run = run_plain,
                              .user = j},
                             {.name = "tomography encrypted",
                              .parameters = p,
                              .isa = "",
                              .peer = "tomography plain",
                              .unit = "s",
                              .per_second = 1,
                              .threads = 1,
                              .cpu_time = true,
                              .run = run_encrypted,
                              .user = j}};
    gb_bench_run(b, cases, GB_COUNT(cases));
    GB_TRY(j->status);
    double error, raw = (double)(TILTS * j->s.n * j->s.n * 2), wide = (double)(j->s.n * j->s.n * j->s.nz * 4);
    GB_TRY(measure(&error, j));
    gb_bench_add(b, "tomography ratio", cases[1].seconds / cases[0].seconds, "x", p, "", 1, "tomography plain");
    gb_bench_add(b, "tomography error", error, "relative rms", p, "", 1, "float64");
    gb_bench_add(b, "tomography forecast", gb_plan_noise_rms(j->plan, 0), "rms", p, "", 1, "");
    gb_bench_add(b, "tomography uploaded", (double)tiles_total(&j->in) / raw, "x 16-bit raw", p, "", 1, "");
    gb_bench_add(b, "tomography downloaded", (double)tiles_total(&j->out) / wide, "x float32", p, "", 1, "");
    gb_bench_add(b, "tomography memory", (double)gb_plan_memory(j->plan) / 1048576, "MiB planned", p, "", 1, "");
    return GB_OK;
}

gb_status bench_tomography(gb_bench *b, gb_ctx *ctx) {
    shape s = {.n = 512, .nz = 128, .copies = 2};
    job j;
    if (gb_bench_quick(b)) s = (shape){.n = 128, .nz = 32, .copies = 2};
    gb_status status = init(&j, &s, UINT64_C(1) << 30, true);
    for (int p = GB_PRECISION_DEFAULT; status == GB_OK && p <= GB_PRECISION_HIGH; p++) {
        status = bench_precision(b, &j, (gb_precision)p);
        unprepare(&j);
    }
    if (status != GB_OK && j.ctx) gb_fail_from(ctx, j.ctx);
    release(&j);
    return status;
}

/* ---- the large case: what the worker's process holds at most ---- */
static gb_status count_write(void *user, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n) {
    (void)ctx, (void)tile, (void)data;
    __atomic_fetch_add((size_t *)user, n, __ATOMIC_RELAXED);
    return GB_OK;
}

typedef struct large_result { /* through a pipe, from child to parent */
    gb_bundle_info info;
    double seconds, peak, downloaded;
    uint8_t program[1 << 18]; /* with its declared bounds */
    size_t program_size;
    gb_status status;
} large_result;

/* Encrypts the tiles into a folder. The output's bound is above what such data reaches; nothing is decrypted here. */
static gb_status large_prepare(large_result *out, const shape *s, const char *dir) {
    job j;
    gb_buffer program = GB_BUFFER_INIT;
    gb_tile_sink sink = gb_tile_folder_sink(dir);
    gb_status status = init(&j, s, UINT64_C(1) << 30, false);
    double most = 0;
    for (size_t i = 0; status == GB_OK && i < TILTS * s->n * s->n; i++) most = fmax(most, fabs((double)j.lines[i]));
    if (status == GB_OK) status = gb_program_declare(j.ctx, j.program, 0, most);
    if (status == GB_OK) status = gb_program_declare(j.ctx, j.program, 3, most / 8);
    if (status == GB_OK) status = prepare(&j, GB_PRECISION_DEFAULT);
    if (status == GB_OK) status = encrypt(&j, &sink);
    if (status == GB_OK) status = gb_program_encode(&program, j.ctx, j.program);
    if (status == GB_OK && program.size <= sizeof out->program) {
        memcpy(out->program, program.data, program.size);
        out->program_size = program.size;
        out->info = j.in_info;
    }
    gb_buffer_release(&program);
    release(&j);
    return status;
}

static gb_status large_run(large_result *r, const char *dir) {
    gb_ctx *ctx;
    gb_ctx_config config;
    gb_program *program = NULL;
    gb_params *params = NULL;
    gb_plan *plan = NULL;
    size_t written = 0;
    struct rusage usage;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    GB_TRY(gb_ctx_new(&ctx, &config));
    gb_run_input in = {&r->info, gb_tile_folder_source(dir)};
    gb_tile_sink out = {&written, NULL, count_write};
    gb_status s = gb_program_decode(&program, ctx, r->program, r->program_size);
    if (s == GB_OK) s = gb_params_named(&params, ctx, gb_precision_params(GB_PRECISION_DEFAULT));
    if (s == GB_OK) s = gb_plan_new(&plan, ctx, program, params, GB_PRECISION_DEFAULT, r->info.copies);
    double start = gb_seconds();
    if (s == GB_OK) s = gb_run_encrypted(ctx, plan, &in, NULL, &out);
    r->seconds = gb_seconds() - start;
    getrusage(RUSAGE_SELF, &usage);
    r->peak = (double)usage.ru_maxrss / 1024; /* ru_maxrss is in KiB */
    r->downloaded = (double)written;
    gb_plan_free(plan);
    gb_params_free(params);
    gb_program_free(program);
    gb_ctx_free(ctx);
    return s;
}

/* Runs one of the two in a child and reads its result back. */
static gb_status in_child(large_result *r, gb_ctx *ctx, const shape *s, const char *dir, bool run) {
    int fd[2], state = 0;
    if (pipe(fd) != 0) return gb_fail_errno(ctx, "pipe", dir);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        r->status = run ? large_run(r, dir) : large_prepare(r, s, dir);
        const char *at = (const char *)r;
        for (size_t left = sizeof *r; left > 0;) {
            ssize_t n = write(fd[1], at, left);
            if (n <= 0) _exit(1);
            at += n;
            left -= (size_t)n;
        }
        _exit(0);
    }
    close(fd[1]);
    char *at = (char *)r;
    size_t left = sizeof *r;
    for (ssize_t n = 1; pid > 0 && n > 0 && left > 0;) {
        n = read(fd[0], at, left);
        at += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    close(fd[0]);
    if (pid < 0 || waitpid(pid, &state, 0) != pid || left > 0 || !WIFEXITED(state))
        return gb_fail(ctx, GB_ERR_INTERNAL, "tomography_large: its process failed");
    return r->status == GB_OK ? GB_OK : gb_fail(ctx, r->status, "tomography_large: %s", gb_status_text(r->status));
}

gb_status bench_tomography_large(gb_bench *b, gb_ctx *ctx) {
    shape s = {.n = 1024, .nz = 256, .copies = 1};
    large_result *r;
    char dir[] = "/tmp/glovebox-bench-XXXXXX";
    if (gb_bench_quick(b)) s = (shape){.n = 128, .nz = 32, .copies = 1};
    GB_TRY(gb_alloc_zero(&r, ctx, 1, sizeof *r));
    if (!mkdtemp(dir)) {
        gb_free(r);
        return gb_fail_errno(ctx, "make a temporary folder", dir);
    }
    gb_status status = in_child(r, ctx, &s, dir, false);
    size_t tiles_in = 0;
    if (status == GB_OK) {
        tiles_in = (size_t)gb_ceil_div(r->info.rows, GB_BLOCK) * gb_bundle_groups(&r->info);
        status = in_child(r, ctx, &s, dir, true);
    }
    if (status == GB_OK) {
        gb_bench_add(b, "tomography_large encrypted", r->seconds, "s", "1024x1024x61 -> 1024x1024x256", "", 1, "");
        gb_bench_add(b, "tomography_large peak memory", r->peak, "MiB", "1024x1024x61 -> 1024x1024x256", "", 1, "");
    }
    char path[sizeof dir + 32];
    for (size_t i = 0; i < tiles_in; i++) {
        snprintf(path, sizeof path, "%s/%08zu.tile", dir, i);
        unlink(path);
    }
    rmdir(dir);
    gb_free(r);
    return status;
}
