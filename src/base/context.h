/* base/context: the inside of gb_ctx. Private to base. */
#ifndef GB_CONTEXT_H
#define GB_CONTEXT_H

#include <pthread.h>

#include "base/base.h"

#define GB_MAX_THREADS 256
#define GB_ERROR_TEXT 512

typedef struct gb_pool gb_pool;

/* What a context and its forks share; owned by the origin. */
typedef struct gb_shared {
    gb_ctx_config config;
    gb_pool *pool;
    pthread_mutex_t progress_lock;
} gb_shared;

struct gb_ctx {
    gb_shared *shared;
    bool origin; /* owns shared */
    pthread_mutex_t lock;
    gb_status status;
    char text[GB_ERROR_TEXT];
};

/* A pool of threads - 1 sleeping workers (the caller of gb_parallel is the last one). Error: MEMORY. */
GB_CHECK gb_status gb_pool_new(gb_pool **out, unsigned threads);
void gb_pool_free(gb_pool *p);

#endif
