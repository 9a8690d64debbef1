/* base/pool: one parallel loop at a time over sleeping workers. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/context.h"

typedef struct pool_worker {
    gb_pool *pool;
    pthread_t thread;
    unsigned number; /* 1..threads-1; the caller is 0 */
} pool_worker;

struct gb_pool {
    unsigned threads;
    unsigned started; /* workers that run, to be joined */
    pool_worker *workers;
    pthread_mutex_t job_lock; /* held by the caller whose loop runs */
    pthread_mutex_t lock;     /* guards what follows, but not next */
    pthread_cond_t wake, done;
    uint64_t generation; /* number of loops so far */
    unsigned busy;       /* workers that have not left the current loop */
    bool stop;
    gb_task_fn task;
    void *user;
    size_t count;
    _Atomic size_t next;
};

/* Which pool's loop this thread is in, and as whom: a nested loop runs inline under the same number. */
static _Thread_local gb_pool *inside_pool;
static _Thread_local unsigned inside_number;

static void take_tasks(gb_pool *p, unsigned number) {
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (i >= p->count) return;
        p->task(p->user, i, number);
    }
}

static void *worker_main(void *arg) {
    pool_worker *w = arg;
    gb_pool *p = w->pool;
    uint64_t seen = 0;
    inside_pool = p;
    inside_number = w->number;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && p->generation == seen) pthread_cond_wait(&p->wake, &p->lock);
        if (p->stop) break;
        seen = p->generation;
        pthread_mutex_unlock(&p->lock);
        take_tasks(p, w->number);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0) pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

gb_status gb_pool_new(gb_pool **out, unsigned threads) {
    *out = NULL;
    gb_pool *p;
    GB_TRY(gb_alloc_zero(&p, NULL, 1, sizeof *p));
    p->threads = threads;
    pthread_mutex_init(&p->job_lock, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    gb_status status = gb_alloc_zero(&p->workers, NULL, threads, sizeof *p->workers);
    for (unsigned i = 1; status == GB_OK && i < threads; i++) {
        pool_worker *w = &p->workers[i];
        *w = (pool_worker){.pool = p, .number = i};
        if (pthread_create(&w->thread, NULL, worker_main, w) == 0)
            p->started++;
        else
            status = GB_ERR_MEMORY;
    }
    if (status != GB_OK) {
        gb_pool_free(p);
        return status;
    }
    *out = p;
    return GB_OK;
}

void gb_pool_free(gb_pool *p) {
    if (p == NULL) return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 1; i <= p->started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->job_lock);
    gb_free(p->workers);
    gb_free(p);
}

static void run_loop(gb_pool *p, size_t count, gb_task_fn task, void *user) {
    pthread_mutex_lock(&p->lock);
    p->task = task;
    p->user = user;
    p->count = count;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    p->busy = p->started;
    p->generation++;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);

    gb_pool *outer_pool = inside_pool;
    unsigned outer_number = inside_number;
    inside_pool = p;
    inside_number = 0;
    take_tasks(p, 0);
    inside_pool = outer_pool;
    inside_number = outer_number;

    pthread_mutex_lock(&p->lock);
    while (p->busy > 0) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void gb_parallel(gb_ctx *ctx, size_t count, gb_task_fn task, void *user) {
    gb_pool *p = ctx->shared->pool;
    bool nested = inside_pool == p;
    /* A second context that finds the pool taken works on its own instead of waiting. */
    if (!nested && p->started > 0 && count > 1 && pthread_mutex_trylock(&p->job_lock) == 0) {
        run_loop(p, count, task, user);
        pthread_mutex_unlock(&p->job_lock);
        return;
    }
    for (size_t i = 0; i < count; i++) task(user, i, nested ? inside_number : 0);
}
