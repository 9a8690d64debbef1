/* base/error: the status table, and the caller's context with its one error sentence. */
#include "base/context.h"

#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdlib.h>

typedef struct status_row {
    gb_status status;
    int http;
    const char *name, *text;
} status_row;

static const status_row status_rows[] = {
#define GB_STATUS(name, value, http, text) {GB_##name, http, #name, text},
#include "glovebox/status.def"
#undef GB_STATUS
};

static const status_row *row_of(gb_status s) {
    const status_row *internal = &status_rows[0];
    for (size_t i = 0; i < GB_COUNT(status_rows); i++) {
        if (status_rows[i].status == s) return &status_rows[i];
        if (status_rows[i].status == GB_ERR_INTERNAL) internal = &status_rows[i];
    }
    return internal;
}

const char *gb_status_name(gb_status s) { return row_of(s)->name; }
const char *gb_status_text(gb_status s) { return row_of(s)->text; }
int gb_status_http(gb_status s) { return row_of(s)->http; }
const char *gb_version(void) { return GB_VERSION; }

/* CPUs this process may use: its affinity mask, not the machine's size. */
static unsigned usable_cpus(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > GB_MAX_THREADS ? GB_MAX_THREADS : (unsigned)n;
}

void gb_ctx_config_defaults(gb_ctx_config *config) {
    *config = (gb_ctx_config){.size = sizeof *config, .threads = usable_cpus(), .memory = UINT64_C(1) << 30};
}

/* There is no context yet to hold the sentence, so the log hook is the only place that can say it. */
static gb_status refuse(const gb_ctx_config *c, gb_status code, const char *line) {
    if (c->log != NULL) c->log(c->log_user, GB_LOG_ERROR, line);
    return code;
}

static gb_status config_check(const gb_ctx_config *c) {
    if (c->size != sizeof *c)
        return refuse(c, GB_ERR_ARGUMENT, "context: config has another size; set it with gb_ctx_config_defaults");
    if (c->threads < 1 || c->threads > GB_MAX_THREADS)
        return refuse(c, GB_ERR_ARGUMENT, "context: threads must be 1..256");
    if (c->memory < (UINT64_C(64) << 20)) return refuse(c, GB_ERR_ARGUMENT, "context: memory must be 64 MiB or more");
    if (c->cpu != NULL && gb_cpu_named(c->cpu) == UINT32_MAX)
        return refuse(c, GB_ERR_ARGUMENT, "context: cpu must be ref, avx2 or ifma");
    const char *named = getenv("GLOVEBOX_CPU");
    if (named != NULL && *named != 0 && gb_cpu_named(named) == UINT32_MAX)
        return refuse(c, GB_ERR_ARGUMENT, "context: GLOVEBOX_CPU must be ref, avx2 or ifma");
    return GB_OK;
}

static gb_status ctx_alloc(gb_ctx **out) {
    gb_ctx *ctx;
    GB_TRY(gb_alloc_zero(&ctx, NULL, 1, sizeof *ctx));
    if (pthread_mutex_init(&ctx->lock, NULL) != 0) {
        gb_free(ctx);
        return GB_ERR_MEMORY;
    }
    *out = ctx;
    return GB_OK;
}

static void shared_free(gb_shared *s) {
    gb_pool_free(s->pool);
    pthread_mutex_destroy(&s->progress_lock);
    gb_free(s);
}

static gb_status shared_new(gb_shared **out, const gb_ctx_config *config) {
    gb_shared *s;
    GB_TRY(gb_alloc_zero(&s, NULL, 1, sizeof *s));
    s->config = *config;
    s->config.cpu = NULL; /* applied already; the caller's string is not kept */
    if (pthread_mutex_init(&s->progress_lock, NULL) != 0) {
        gb_free(s);
        return GB_ERR_MEMORY;
    }
    gb_status status = gb_pool_new(&s->pool, config->threads);
    if (status != GB_OK) {
        shared_free(s);
        return status;
    }
    *out = s;
    return GB_OK;
}

gb_status gb_ctx_new(gb_ctx **out, const gb_ctx_config *config) {
    *out = NULL;
    gb_ctx_config defaults;
    if (config == NULL) {
        gb_ctx_config_defaults(&defaults);
        config = &defaults;
    }
    GB_TRY(config_check(config));
    if (sodium_init() < 0) return refuse(config, GB_ERR_INTERNAL, "context: the system gives no random bytes");
    gb_ctx *ctx;
    GB_TRY(ctx_alloc(&ctx));
    gb_status status = shared_new(&ctx->shared, config);
    if (status != GB_OK) {
        gb_ctx_free(ctx);
        return status;
    }
    if (config->cpu != NULL) gb_cpu_mask(gb_cpu_named(config->cpu));
    ctx->origin = true;
    *out = ctx;
    return GB_OK;
}

gb_status gb_ctx_fork(gb_ctx **out, gb_ctx *ctx) {
    *out = NULL;
    gb_ctx *fork;
    if (ctx_alloc(&fork) != GB_OK) return gb_fail(ctx, GB_ERR_MEMORY, "context: no memory for a fork");
    fork->shared = ctx->shared;
    *out = fork;
    return GB_OK;
}

void gb_ctx_free(gb_ctx *ctx) {
    if (ctx == NULL) return;
    if (ctx->origin) shared_free(ctx->shared);
    pthread_mutex_destroy(&ctx->lock);
    gb_free(ctx);
}

const char *gb_ctx_error(const gb_ctx *ctx) { return ctx->text; }
gb_status gb_ctx_status(const gb_ctx *ctx) { return ctx->status; }

/* One line whatever was put into it: a path or a name from outside may hold newlines or escapes. */
static void one_line(char *text) {
    for (char *p = text; *p != 0; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
}

gb_status gb_fail(gb_ctx *ctx, gb_status code, const char *format, ...) {
    if (ctx == NULL) return code;
    va_list args;
    va_start(args, format);
    /* Tasks of one gb_parallel may fail at once on the same context: the lock keeps code and sentence together. */
    pthread_mutex_lock(&ctx->lock);
    vsnprintf(ctx->text, sizeof ctx->text, format, args);
    one_line(ctx->text);
    ctx->status = code;
    pthread_mutex_unlock(&ctx->lock);
    va_end(args);
    return code;
}

gb_status gb_fail_from(gb_ctx *to, const gb_ctx *from) { return gb_fail(to, from->status, "%s", from->text); }

void gb_ctx_reset(gb_ctx *ctx) {
    pthread_mutex_lock(&ctx->lock);
    ctx->text[0] = 0;
    ctx->status = GB_OK;
    pthread_mutex_unlock(&ctx->lock);
}

void gb_log(gb_ctx *ctx, gb_log_level level, const char *format, ...) {
    if (ctx == NULL || ctx->shared->config.log == NULL) return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    one_line(line);
    ctx->shared->config.log(ctx->shared->config.log_user, level, line);
}

gb_status gb_progress(gb_ctx *ctx, const char *stage, uint64_t done, uint64_t total) {
    gb_shared *s = ctx->shared;
    if (s->config.progress == NULL) return GB_OK;
    pthread_mutex_lock(&s->progress_lock);
    int stop = s->config.progress(s->config.progress_user, stage, done, total);
    pthread_mutex_unlock(&s->progress_lock);
    return stop == 0 ? GB_OK : gb_fail(ctx, GB_ERR_CANCELLED, "%s: cancelled by the caller", stage);
}

unsigned gb_ctx_threads(const gb_ctx *ctx) { return ctx->shared->config.threads; }
uint64_t gb_ctx_memory(const gb_ctx *ctx) { return ctx->shared->config.memory; }
