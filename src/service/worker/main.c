/* glovebox-worker: runs the one job whose folder it is given (service/job/job.h says what is in it) and says on
 * standard output how it goes: "progress STAGE DONE TOTAL", then "done SECONDS" or "error CODE TEXT". Everything it
 * reads may be hostile; it has no network, no keys, and writes only into the folder's out/. Tiles that are there
 * already from a run that was cut off are kept, so starting it again goes on. */
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "program/program.h"
#include "service/worker/sandbox.h"

#define FILE_MAX ((size_t)64 << 20) /* bytes of a program or manifest */
#define INPUT_MAX 64
#define PROGRESS_SECONDS 0.1
#define MEMORY_SLACK ((uint64_t)512 << 20)       /* code, programs, plans, manifests beside the streamed tiles */
#define THREAD_MEMORY ((uint64_t)(8 + 64) << 20) /* a thread's stack and allocator arena */

static const char help[] = "usage: glovebox-worker --job DIR\n"
                           "\n"
                           "Runs the job that gloveboxd has laid out in DIR. Not for use by hand.\n"
                           "Exit codes: 0 done, 1 failed, 2 usage.\n";

typedef struct spec {
    gb_precision precision;
    uint32_t copies;
    uint64_t memory;
    unsigned threads;
    size_t inputs;
} spec;

typedef struct work {
    const char *dir;
    spec spec;
    gb_program *program;
    gb_params *params;
    gb_plan *plan;
    gb_manifest manifests[INPUT_MAX];
    char *dirs[INPUT_MAX]; /* of the tiles: the sources point here */
    gb_run_input inputs[INPUT_MAX];
} work;

static volatile sig_atomic_t stop_asked;

static void on_signal(int number) {
    (void)number;
    stop_asked = 1;
}

/* ---- what it says ---- */

typedef struct speaker {
    char stage[32];
    double last;
} speaker;

static int say_progress(void *user, const char *stage, uint64_t done, uint64_t total) {
    speaker *s = user;
    double now = gb_seconds();
    if (strcmp(s->stage, stage) != 0 || done == total || now - s->last >= PROGRESS_SECONDS) {
        s->last = now;
        snprintf(s->stage, sizeof s->stage, "%s", stage);
        char word[32];
        snprintf(word, sizeof word, "%s", stage);
        for (char *c = word; *c != '\0'; c++)
            if (*c <= ' ' || *c > '~') *c = '-'; /* one word on the line */
        printf("progress %s %llu %llu\n", word[0] != '\0' ? word : "run", (unsigned long long)done,
               (unsigned long long)total);
        fflush(stdout);
    }
    return stop_asked;
}

static int say_error(gb_status status, const char *text) {
    printf("error %s %.300s\n", gb_status_name(status), text[0] != '\0' ? text : gb_status_text(status));
    fflush(stdout);
    return 1;
}

/* ---- what it reads ---- */

static bool read_number(uint64_t *out, const json_t *object, const char *name, uint64_t min, uint64_t max) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (uint64_t)json_integer_value(value);
    return *out >= min && *out <= max;
}

static gb_status read_spec(spec *out, gb_ctx *ctx, const char *dir) {
    uint8_t *data;
    size_t n;
    char *path = gb_format(ctx, "%s/spec.json", dir);
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = gb_file_read(&data, &n, ctx, path, 4096);
    gb_free(path);
    GB_TRY(status);
    json_t *object = json_loadb((const char *)data, n, JSON_REJECT_DUPLICATES, NULL);
    gb_free(data);
    const char *precision = json_string_value(json_object_get(object, "precision"));
    uint64_t copies = 0, threads = 0, inputs = 0;
    bool good = precision != NULL && read_number(&copies, object, "copies", 1, 1024) &&
                read_number(&out->memory, object, "memory", (uint64_t)64 << 20, UINT64_C(1) << 44) &&
                read_number(&threads, object, "threads", 1, 256) &&
                read_number(&inputs, object, "inputs", 1, INPUT_MAX);
    out->precision = good && strcmp(precision, "high") == 0 ? GB_PRECISION_HIGH : GB_PRECISION_DEFAULT;
    out->copies = (uint32_t)copies;
    out->threads = (unsigned)threads;
    out->inputs = (size_t)inputs;
    json_decref(object);
    return good ? GB_OK : gb_fail(ctx, GB_ERR_FORMAT, "spec.json: not a job's description");
}

static gb_status read_file(uint8_t **data, size_t *n, gb_ctx *ctx, const char *dir, const char *name) {
    char *path = gb_format(ctx, "%s/%s", dir, name);
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = gb_file_read(data, n, ctx, path, FILE_MAX);
    gb_free(path);
    return status;
}

static gb_status read_program(work *w, gb_ctx *ctx) {
    uint8_t *data;
    size_t n;
    GB_TRY(read_file(&data, &n, ctx, w->dir, "program.bin"));
    gb_status status = gb_program_decode(&w->program, ctx, data, n);
    gb_free(data);
    if (status == GB_OK) status = gb_params_named(&w->params, ctx, gb_precision_params(w->spec.precision));
    if (status == GB_OK) status = gb_plan_new(&w->plan, ctx, w->program, w->params, w->spec.precision, w->spec.copies);
    return status;
}

static gb_status read_input(work *w, gb_ctx *ctx, size_t i) {
    uint8_t *data;
    size_t n;
    w->dirs[i] = gb_format(ctx, "%s/inputs/%zu", w->dir, i);
    if (w->dirs[i] == NULL) return GB_ERR_MEMORY;
    GB_TRY(read_file(&data, &n, ctx, w->dirs[i], "manifest.bin"));
    gb_status status = gb_manifest_decode(&w->manifests[i], NULL, ctx, data, n);
    gb_free(data);
    w->inputs[i].info = &w->manifests[i].info;
    w->inputs[i].source = gb_tile_folder_source(w->dirs[i]);
    return status;
}

/* ---- what it does ---- */

/* Of all threads: what a job costs, whatever else the machine is doing and however long its disk takes. */
static double processor_seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static gb_status run(work *w, gb_ctx *ctx, double *seconds) {
    GB_TRY(read_program(w, ctx));
    for (size_t i = 0; i < w->spec.inputs; i++) GB_TRY(read_input(w, ctx, i));
    if (gb_program_inputs(w->program) != w->spec.inputs || gb_program_outputs(w->program) != 1)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "the program wants another number of inputs or outputs");
    char *out = gb_format(ctx, "%s/out", w->dir);
    if (out == NULL) return GB_ERR_MEMORY;
    gb_tile_sink sink = gb_tile_folder_sink(out);
    double start = processor_seconds();
    gb_status status = gb_run_encrypted(ctx, w->plan, w->inputs, NULL, &sink);
    *seconds = processor_seconds() - start;
    gb_free(out);
    return status;
}

static void release(work *w) {
    for (size_t i = 0; i < INPUT_MAX; i++) {
        gb_manifest_release(&w->manifests[i]);
        gb_free(w->dirs[i]);
    }
    gb_plan_free(w->plan);
    gb_params_free(w->params);
    gb_program_free(w->program);
    gb_free(w);
}

/* The description is our own service's; all that comes from others is read after the doors are shut. */
static gb_status shut_doors(work *w, const char *dir) {
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    gb_ctx *ctx;
    bool landlock;
    GB_TRY(gb_ctx_new(&ctx, &config));
    gb_status status = read_spec(&w->spec, ctx, dir);
    if (status == GB_OK)
        status = gb_sandbox_enter(&landlock, ctx, dir, w->spec.memory + MEMORY_SLACK + w->spec.threads * THREAD_MEMORY);
    if (status != GB_OK) say_error(status, gb_ctx_error(ctx));
    gb_ctx_free(ctx);
    return status;
}

static int work_on(const char *dir) {
    work *w;
    if (gb_alloc_zero(&w, NULL, 1, sizeof *w) != GB_OK) return say_error(GB_ERR_MEMORY, "");
    w->dir = dir;
    if (shut_doors(w, dir) != GB_OK) {
        release(w);
        return 1;
    }
    speaker voice = {.last = 0};
    gb_ctx *ctx;
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = w->spec.threads;
    config.memory = w->spec.memory;
    config.progress = say_progress;
    config.progress_user = &voice;
    gb_status status = gb_ctx_new(&ctx, &config);
    double seconds = 0;
    if (status == GB_OK) status = run(w, ctx, &seconds);
    if (status != GB_OK) {
        say_error(status, ctx != NULL ? gb_ctx_error(ctx) : "");
    } else {
        printf("done %.6f\n", seconds);
        fflush(stdout);
    }
    release(w);
    gb_ctx_free(ctx);
    return status == GB_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return fputs(help, stdout) < 0;
    if (argc == 2 && strcmp(argv[1], "--version") == 0) return printf("glovebox-worker %s\n", gb_version()) < 0;
    if (argc != 3 || strcmp(argv[1], "--job") != 0) {
        fputs(help, stderr);
        return 2;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
    umask(077);
    return work_on(argv[2]);
}
