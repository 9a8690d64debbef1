/* base: what every layer stands on. Knows nothing of moduli, schemes or formats.
 * Depends on libc, pthreads and libsodium (hash, ChaCha20, wiped memory). */
#ifndef GB_BASE_H
#define GB_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "glovebox/status.h"

#define GB_TRY(expr)                                                                                                   \
    do {                                                                                                               \
        gb_status gb_try_status_ = (expr);                                                                             \
        if (gb_try_status_ != GB_OK) return gb_try_status_;                                                            \
    } while (0)
#define GB_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GB_ALIGN 64 /* every bulk buffer starts on a cache line */

static inline size_t gb_min_size(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t gb_max_size(size_t a, size_t b) { return a > b ? a : b; }
static inline size_t gb_ceil_div(size_t a, size_t b) { return a / b + (a % b != 0); }

/* ---- errors: error.c ---- */
/* Records code and sentence in ctx and returns code. ctx may be NULL (nothing is recorded). */
gb_status gb_fail(gb_ctx *ctx, gb_status code, const char *format, ...) GB_PRINTF(3, 4);
/* Copies the error of `from` (a fork) into `to`; returns its code. */
gb_status gb_fail_from(gb_ctx *to, const gb_ctx *from);
void gb_ctx_reset(gb_ctx *ctx); /* forget the last error */
void gb_log(gb_ctx *ctx, gb_log_level level, const char *format, ...) GB_PRINTF(3, 4);
/* Serialised call of the progress hook; GB_ERR_CANCELLED when it says so. */
GB_CHECK gb_status gb_progress(gb_ctx *ctx, const char *stage, uint64_t done, uint64_t total);
unsigned gb_ctx_threads(const gb_ctx *ctx);
uint64_t gb_ctx_memory(const gb_ctx *ctx);

/* ---- memory: memory.c ---- */
/* count * size bytes on a GB_ALIGN boundary, checked for overflow; *out is NULL on error. Free with gb_free. */
GB_CHECK gb_status gb_alloc(void *out, gb_ctx *ctx, size_t count, size_t size);
GB_CHECK gb_status gb_alloc_zero(void *out, gb_ctx *ctx, size_t count, size_t size);
void gb_free(void *p);
/* The same for secrets: guarded pages, locked where the system lets us, wiped on free (libsodium). */
GB_CHECK gb_status gb_alloc_secret(void *out, gb_ctx *ctx, size_t count, size_t size);
void gb_free_secret(void *p);
void gb_wipe(void *p, size_t n);
char *gb_strdup(gb_ctx *ctx, const char *s); /* NULL on error, recorded in ctx */
/* Tests only: the n-th allocation from now fails (0: none). Returns how many were made since the last call. */
uint64_t gb_alloc_fail_at(uint64_t n);
/* Tests only: `seen` is shown every block before gb_free gives it back (NULL: none), to look for secrets left in it. */
void gb_free_watch(void (*seen)(const void *p, size_t n));

/* ---- bytes: bytes.c. Little-endian; a reader never reads past its end, a writer grows ---- */
typedef struct gb_reader {
    const uint8_t *at, *end;
    bool failed; /* sticky: once a read ran out, every further read answers 0 */
} gb_reader;
gb_reader gb_reader_init(const void *data, size_t n);
uint8_t gb_read_u8(gb_reader *r);
uint16_t gb_read_u16(gb_reader *r);
uint32_t gb_read_u32(gb_reader *r);
uint64_t gb_read_u64(gb_reader *r);
double gb_read_f64(gb_reader *r);
const uint8_t *gb_read_bytes(gb_reader *r, size_t n); /* NULL when fewer are left */
size_t gb_reader_left(const gb_reader *r);

typedef struct gb_buffer {
    uint8_t *data;
    size_t size, capacity;
    gb_status status; /* sticky; checked once at the end */
} gb_buffer;
#define GB_BUFFER_INIT                                                                                                 \
    { 0 }
void gb_buffer_release(gb_buffer *b);
void gb_write_u8(gb_buffer *b, uint8_t v);
void gb_write_u16(gb_buffer *b, uint16_t v);
void gb_write_u32(gb_buffer *b, uint32_t v);
void gb_write_u64(gb_buffer *b, uint64_t v);
void gb_write_f64(gb_buffer *b, double v);
void gb_write_bytes(gb_buffer *b, const void *p, size_t n);
uint8_t *gb_write_space(gb_buffer *b, size_t n); /* n bytes to fill in; NULL on failure */
void gb_hex(char *out /* 2n+1 */, const void *bytes, size_t n);
GB_CHECK bool gb_unhex(uint8_t *out, size_t n, const char *hex); /* exactly 2n digits */

/* ---- hash and random streams: crypto.c ---- */
#define GB_HASH_BYTES 32
typedef struct gb_hash {
    uint8_t b[GB_HASH_BYTES];
} gb_hash;
/* BLAKE2b-256. key may be NULL (key_n 0) or 16..64 bytes (a PRF). */
void gb_hash_of(gb_hash *out, const void *data, size_t n, const void *key, size_t key_n);
bool gb_hash_equal(const gb_hash *a, const gb_hash *b);
void gb_random_bytes(void *out, size_t n); /* from the system; never fails after start */

#define GB_SEED_BYTES 32
typedef struct gb_seed {
    uint8_t b[GB_SEED_BYTES];
} gb_seed;
/* ChaCha20 (IETF, 96-bit nonce = stream (64 bit, LE) || lane (32 bit, LE)) keyed by a seed. Writes bytes of keystream
 * from 64-byte block number `block` on. One (seed, stream, lane) an object: never reuse for two purposes. */
void gb_stream(void *out, size_t n, const gb_seed *seed, uint64_t stream, uint32_t lane, uint32_t block);
/* A child seed: BLAKE2b-256 keyed with `seed` over label and number. */
void gb_seed_derive(gb_seed *out, const gb_seed *seed, const char *label, uint64_t number);

/* ---- threads: pool.c ---- */
/* Runs task(user, i, worker) for i in [0, count) on the context's pool; returns when all are done. worker is in
 * [0, gb_ctx_threads(ctx)) and no two running tasks share it, so it indexes scratch. Nested calls run inline.
 * The order is not fixed: a task's result must not depend on it. */
typedef void (*gb_task_fn)(void *user, size_t i, unsigned worker);
void gb_parallel(gb_ctx *ctx, size_t count, gb_task_fn task, void *user);

/* ---- CPU: cpu.c. The one word of global state ---- */
typedef enum gb_cpu {
    GB_CPU_AVX2 = 1u << 0,
    GB_CPU_AVX512 = 1u << 1,
    GB_CPU_IFMA = 1u << 2,
    GB_CPU_VNNI = 1u << 3,
    GB_CPU_VBMI2 = 1u << 4
} gb_cpu;
/* What this machine has, masked by GLOVEBOX_CPU=ref|avx2|ifma and gb_cpu_mask. AVX2 implies FMA and BMI2; AVX512 means
 * F, BW, CD, DQ and VL together. */
uint32_t gb_cpu_flags(void);
void gb_cpu_mask(uint32_t allowed);
uint32_t gb_cpu_named(const char *name); /* "ref" 0, "avx2", "ifma"; UINT32_MAX when unknown */

/* ---- files: file.c ---- */
/* Whole file into *out (gb_free). Errors: NOT_FOUND, IO, LIMIT (over max). */
GB_CHECK gb_status gb_file_read(uint8_t **out, size_t *n, gb_ctx *ctx, const char *path, size_t max);
/* Writes path whole or not at all: temporary beside it, fsync, rename, fsync of the folder. Errors: IO, SPACE. */
GB_CHECK gb_status gb_file_write(gb_ctx *ctx, const char *path, const void *data, size_t n, int mode);
/* Like mkdir -p. */
GB_CHECK gb_status gb_dir_make(gb_ctx *ctx, const char *path, int mode);
gb_status gb_fail_errno(gb_ctx *ctx, const char *what, const char *path); /* IO, SPACE, NOT_FOUND... from errno */
double gb_seconds(void);                                                  /* monotonic clock */
char *gb_format(gb_ctx *ctx, const char *format, ...) GB_PRINTF(2, 3);    /* gb_free; NULL on error, recorded in ctx */

#endif
