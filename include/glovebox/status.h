/* Glovebox: status codes and the caller's context. C99.
 *
 * Every fallible function returns gb_status. The sentence that says what, where and what to do is written once, where
 * the fault is seen, into the caller's gb_ctx; it never holds plaintext or key values. A context belongs to one thread
 * at a time; objects made with it (rings, key sets, programs) are immutable after creation and may be shared freely. */
#ifndef GLOVEBOX_STATUS_H
#define GLOVEBOX_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GB_API __attribute__((visibility("default")))
#define GB_CHECK __attribute__((warn_unused_result))
#define GB_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define GB_API
#define GB_CHECK
#define GB_PRINTF(a, b)
#endif

typedef enum gb_status {
#define GB_STATUS(name, value, http, text) GB_##name = value,
#include "glovebox/status.def"
#undef GB_STATUS
} gb_status;

/* Name ("ERR_RANGE"), sentence and HTTP status of a code; unknown codes answer as ERR_INTERNAL. */
GB_API const char *gb_status_name(gb_status s);
GB_API const char *gb_status_text(gb_status s);
GB_API int gb_status_http(gb_status s);

typedef struct gb_ctx gb_ctx;

typedef enum gb_log_level { GB_LOG_ERROR = 0, GB_LOG_WARN, GB_LOG_INFO, GB_LOG_DEBUG } gb_log_level;
typedef void (*gb_log_fn)(void *user, gb_log_level level, const char *line);

/* Called from time to time during long work; done <= total, in units of the work. Return 0 to go on, other to cancel
 * (the work then answers GB_ERR_CANCELLED). May be called from any thread, never from two at once. */
typedef int (*gb_progress_fn)(void *user, const char *stage, uint64_t done, uint64_t total);

typedef struct gb_ctx_config {
    size_t size;      /* sizeof(gb_ctx_config), set by gb_ctx_config_defaults */
    unsigned threads; /* 1..256; default: CPUs this process may use */
    uint64_t memory;  /* bytes that streaming work may hold, >= 64 MiB; default 1 GiB */
    const char *cpu;  /* highest instruction set to use: "ref", "avx2", "ifma"; NULL: GLOVEBOX_CPU or the best */
    gb_log_fn log;    /* NULL: silent */
    void *log_user;
    gb_progress_fn progress; /* NULL: none */
    void *progress_user;
} gb_ctx_config;

GB_API void gb_ctx_config_defaults(gb_ctx_config *config);

/* Makes a context. Errors: ARGUMENT (a field out of its range), MEMORY. *out is NULL on error. */
GB_API GB_CHECK gb_status gb_ctx_new(gb_ctx **out, const gb_ctx_config *config);
/* A second context that shares the first's thread pool and settings, for use in another thread. */
GB_API GB_CHECK gb_status gb_ctx_fork(gb_ctx **out, gb_ctx *ctx);
GB_API void gb_ctx_free(gb_ctx *ctx); /* NULL is allowed; forks must be freed before their origin */

/* The sentence of the last failed call on this context ("" when none failed), and its code. */
GB_API const char *gb_ctx_error(const gb_ctx *ctx);
GB_API gb_status gb_ctx_status(const gb_ctx *ctx);

GB_API const char *gb_version(void);

#ifdef __cplusplus
}
#endif
#endif
