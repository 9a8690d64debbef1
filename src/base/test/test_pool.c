/* base: the thread pool. */
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/base.h"

#include <cmocka.h> /* after stdarg.h and setjmp.h */

#define TASKS 10000

typedef struct counts {
    gb_ctx *ctx;
    _Atomic int done[TASKS];
    _Atomic int running[256]; /* by worker: must never exceed one */
    _Atomic int bad;
} counts;

static void count_task(void *user, size_t i, unsigned worker) {
    counts *c = user;
    if (worker >= gb_ctx_threads(c->ctx) || atomic_fetch_add(&c->running[worker], 1) != 0) atomic_fetch_add(&c->bad, 1);
    atomic_fetch_add(&c->done[i], 1);
    atomic_fetch_sub(&c->running[worker], 1);
}

static gb_ctx *context(unsigned threads) {
    gb_ctx_config config;
    gb_ctx *ctx;
    gb_ctx_config_defaults(&config);
    config.threads = threads;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    return ctx;
}

static void test_every_task_once(void **state) {
    for (unsigned threads = 1; threads <= 8; threads *= 2) {
        static counts c;
        memset(&c, 0, sizeof c);
        c.ctx = context(threads);
        for (int round = 0; round < 3; round++) gb_parallel(c.ctx, TASKS, count_task, &c);
        for (int i = 0; i < TASKS; i++) assert_int_equal(c.done[i], 3);
        assert_int_equal(c.bad, 0);
        gb_parallel(c.ctx, 0, count_task, NULL);
        gb_ctx_free(c.ctx);
    }
}

typedef struct nest {
    gb_ctx *ctx;
    _Atomic int sum, bad;
} nest;
typedef struct inner {
    nest *n;
    unsigned outer;
} inner;

static void inner_task(void *user, size_t i, unsigned worker) {
    inner *in = user;
    if (worker != in->outer) atomic_fetch_add(&in->n->bad, 1); /* inline, as the same worker */
    atomic_fetch_add(&in->n->sum, 1);
}

static void outer_task(void *user, size_t i, unsigned worker) {
    inner in = {user, worker};
    gb_parallel(in.n->ctx, 10, inner_task, &in);
}

static void test_nested(void **state) {
    nest n = {context(4), 0, 0};
    gb_parallel(n.ctx, 50, outer_task, &n);
    assert_int_equal(n.sum, 500);
    assert_int_equal(n.bad, 0);
    gb_ctx_free(n.ctx);
}

static void add_task(void *user, size_t i, unsigned worker) { atomic_fetch_add(&((nest *)user)->sum, 1); }

static void *forked_thread(void *arg) {
    nest *n = arg;
    gb_ctx *fork;
    if (gb_ctx_fork(&fork, n->ctx) != GB_OK) return NULL;
    for (int i = 0; i < 200; i++) gb_parallel(fork, 20, add_task, n);
    gb_ctx_free(fork);
    return NULL;
}

static void test_forks_share_the_pool(void **state) {
    nest n = {context(3), 0, 0};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, forked_thread, &n), 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    assert_int_equal(n.sum, 3 * 200 * 20);
    gb_ctx_free(n.ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_once),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_forks_share_the_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
