/* client/transfer: see transfer.h. */
#include "client/transfer.h"

#include "client/http.h"

#include <pthread.h>
#include <time.h>

#define GB_TRANSFER_MAX 16 /* connections, as gb_client_config allows */

typedef struct task {
    size_t tile, n;
    uint8_t *data;
    gb_hash hash;
    bool put; /* data is ours to free */
} task;

struct gb_transfer {
    char dataset[65];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    task queue[2 * GB_TRANSFER_MAX];
    size_t capacity, first, count, running;
    bool closing;
    atomic_bool stop;
    gb_status status; /* the first error; its sentence is in `failed` */
    gb_ctx *failed;
    uint64_t bytes;
    unsigned named, started; /* threads that took their number; threads to join */
    pthread_t thread[GB_TRANSFER_MAX];
    gb_ctx *ctx[GB_TRANSFER_MAX];
    gb_http *http[GB_TRANSFER_MAX];
};

static gb_status put_tile(gb_transfer *t, gb_ctx *ctx, gb_http *h, const task *k) {
    char path[160], header[96], hex[2 * GB_HASH_BYTES + 1];
    gb_hex(hex, k->hash.b, GB_HASH_BYTES);
    (void)snprintf(path, sizeof path, "/v1/datasets/%s/tiles/%zu", t->dataset, k->tile);
    (void)snprintf(header, sizeof header, "X-Glovebox-Hash: %s", hex);
    gb_buffer reply = GB_BUFFER_INIT;
    const gb_http_request r = {.method = "PUT", .path = path, .body = k->data, .body_size = k->n, .header = header};
    const gb_status s = gb_http_call(&reply, ctx, h, &r);
    gb_buffer_release(&reply);
    return s;
}

static gb_status get_tile(gb_transfer *t, gb_ctx *ctx, gb_http *h, const task *k) {
    char path[160];
    (void)snprintf(path, sizeof path, "/v1/datasets/%s/tiles/%zu", t->dataset, k->tile);
    gb_buffer reply = GB_BUFFER_INIT;
    const gb_http_request r = {.method = "GET", .path = path, .reply_max = k->n};
    gb_status s = gb_http_call(&reply, ctx, h, &r);
    if (s == GB_OK && reply.size != k->n)
        s = gb_fail(ctx, GB_ERR_TRUNCATED, "tile %zu of dataset %s: %zu bytes where %zu belong; try again", k->tile,
                    t->dataset, reply.size, k->n);
    if (s == GB_OK) {
        gb_hash hash;
        gb_hash_of(&hash, reply.data, reply.size, NULL, 0);
        if (gb_hash_equal(&hash, &k->hash))
            memcpy(k->data, reply.data, k->n);
        else
            s = gb_fail(ctx, GB_ERR_HASH,
                        "tile %zu of dataset %s is not what its manifest says; the server's copy is damaged", k->tile,
                        t->dataset);
    }
    gb_buffer_release(&reply);
    return s;
}

/* Lock held. Keeps the first error only; the rest of the queue is not worth sending. */
static void keep_error(gb_transfer *t, gb_status s, gb_ctx *ctx) {
    if (t->status != GB_OK) return;
    t->status = s;
    t->failed = ctx;
    atomic_store(&t->stop, true);
}

static void *work(void *user) {
    gb_transfer *t = user;
    pthread_mutex_lock(&t->lock);
    const unsigned me = t->named++;
    for (;;) {
        while (t->count == 0 && !t->closing) pthread_cond_wait(&t->changed, &t->lock);
        if (t->count == 0 || t->closing) break;
        const task k = t->queue[t->first];
        t->first = (t->first + 1) % t->capacity;
        t->count--;
        t->running++;
        const bool skip = t->status != GB_OK;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
        gb_status s = GB_OK;
        if (!skip) s = k.put ? put_tile(t, t->ctx[me], t->http[me], &k) : get_tile(t, t->ctx[me], t->http[me], &k);
        if (k.put) gb_free(k.data);
        pthread_mutex_lock(&t->lock);
        t->running--;
        if (s != GB_OK)
            keep_error(t, s, t->ctx[me]);
        else if (!skip)
            t->bytes += k.n;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

gb_status gb_transfer_new(gb_transfer **out, gb_client *c, const char *dataset) {
    *out = NULL;
    gb_transfer *t;
    GB_TRY(gb_alloc_zero(&t, c->ctx, 1, sizeof *t));
    t->capacity = 2 * (size_t)c->connections;
    gb_copy_text(t->dataset, sizeof t->dataset, dataset);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    gb_status s = GB_OK;
    for (unsigned i = 0; i < c->connections && s == GB_OK; i++) {
        s = gb_ctx_fork(&t->ctx[i], c->ctx);
        if (s != GB_OK) s = gb_fail(c->ctx, s, "no memory for a transfer");
        if (s == GB_OK) s = gb_http_new(&t->http[i], c->ctx, c->server, c->token, c->retry, &t->stop);
    }
    while (s == GB_OK && t->started < c->connections) {
        if (pthread_create(&t->thread[t->started], NULL, work, t) == 0)
            t->started++;
        else
            s = gb_fail(c->ctx, GB_ERR_MEMORY, "no thread for a transfer could be started");
    }
    if (s == GB_OK) {
        *out = t;
        return GB_OK;
    }
    gb_transfer_free(t);
    return s;
}

/* Lock held; wakes at least five times a second to see whether the user gave up. */
static gb_status wait_a_little(gb_transfer *t, gb_ctx *ctx) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200 * 1000 * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&t->changed, &t->lock, &until);
    return gb_progress(ctx, "waiting for the server", 0, 0);
}

static gb_status enqueue(gb_transfer *t, gb_ctx *ctx, const task *k) {
    gb_status s = GB_OK;
    pthread_mutex_lock(&t->lock);
    while (t->status == GB_OK && s == GB_OK && t->count == t->capacity) s = wait_a_little(t, ctx);
    if (s == GB_OK && t->status != GB_OK) s = gb_fail(ctx, t->status, "%s", gb_ctx_error(t->failed));
    if (s == GB_OK) {
        t->queue[(t->first + t->count) % t->capacity] = *k;
        t->count++;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
    return s;
}

gb_status gb_transfer_put(gb_transfer *t, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n,
                          const gb_hash *hash) {
    task k = {.tile = tile, .n = n, .hash = *hash, .put = true};
    GB_TRY(gb_alloc(&k.data, ctx, n, 1));
    memcpy(k.data, data, n);
    const gb_status s = enqueue(t, ctx, &k);
    if (s != GB_OK) gb_free(k.data);
    return s;
}

gb_status gb_transfer_get(gb_transfer *t, gb_ctx *ctx, size_t tile, uint8_t *data, size_t n, const gb_hash *hash) {
    const task k = {.tile = tile, .n = n, .hash = *hash, .data = data};
    return enqueue(t, ctx, &k);
}

gb_status gb_transfer_wait(gb_transfer *t, gb_ctx *ctx) {
    gb_status s = GB_OK;
    pthread_mutex_lock(&t->lock);
    while (t->count + t->running > 0) {
        const gb_status w = wait_a_little(t, ctx);
        if (w != GB_OK && s == GB_OK) {
            s = w;
            /* Downloads write into the caller's memory: end them before the caller may free it. */
            keep_error(t, s, ctx);
        }
    }
    if (s == GB_OK && t->status != GB_OK) s = gb_fail(ctx, t->status, "%s", gb_ctx_error(t->failed));
    pthread_mutex_unlock(&t->lock);
    return s;
}

uint64_t gb_transfer_bytes(gb_transfer *t) {
    pthread_mutex_lock(&t->lock);
    const uint64_t bytes = t->bytes;
    pthread_mutex_unlock(&t->lock);
    return bytes;
}

void gb_transfer_free(gb_transfer *t) {
    if (!t) return;
    atomic_store(&t->stop, true);
    pthread_mutex_lock(&t->lock);
    t->closing = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 0; i < t->started; i++) pthread_join(t->thread[i], NULL);
    for (; t->count > 0; t->count--, t->first = (t->first + 1) % t->capacity)
        if (t->queue[t->first].put) gb_free(t->queue[t->first].data);
    for (unsigned i = 0; i < GB_TRANSFER_MAX; i++) {
        gb_http_free(t->http[i]);
        gb_ctx_free(t->ctx[i]);
    }
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    gb_free(t);
}
