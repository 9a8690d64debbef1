/* The queue, the threads that look after workers, and who is told what. */
#include <pthread.h>
#include <time.h>

#include "service/job/job.h"

#define POLL_MS 100
#define STOP_SECONDS 2.0 /* a worker that was asked to stop is ended after this; its tiles are kept */
#define TICK_SECONDS 10  /* between the signs of life that watchers get */
#define PROGRESS_SECONDS 0.1

typedef struct slot { /* one thread with at most one worker */
    gb_jobs *jobs;
    gb_ctx *ctx;
    pthread_t thread;
    bool started, busy, cancel;
    gb_id id;
    gb_job_live live;
    double told; /* when watchers last heard of progress */
} slot;

struct gb_job_watch {
    gb_jobs *jobs;
    gb_id id;
    void (*wake)(void *user);
    void *user;
    unsigned news;
    gb_job_watch *next;
};

struct gb_jobs {
    gb_jobs_config config;
    pthread_mutex_t lock; /* all below, and every slot's changing members */
    pthread_cond_t work;
    bool stopping;
    gb_job_watch *watches;
    slot *slots;
    pthread_t ticker;
    bool ticking;
};

/* ---- watching ---- */

/* Under the lock. id NULL: everybody. */
static void tell(gb_jobs *j, const gb_id *id, unsigned news) {
    for (gb_job_watch *w = j->watches; w != NULL; w = w->next) {
        if (id != NULL && strcmp(w->id.s, id->s) != 0) continue;
        w->news |= news;
        w->wake(w->user);
    }
}

static void tell_state(gb_jobs *j, const gb_id *id) {
    pthread_mutex_lock(&j->lock);
    tell(j, id, GB_JOB_NEW_STATE);
    pthread_mutex_unlock(&j->lock);
}

gb_status gb_jobs_watch(gb_job_watch **out, gb_jobs *j, gb_ctx *ctx, const gb_id *id, void (*wake)(void *user),
                        void *user) {
    gb_job_watch *w;
    GB_TRY(gb_alloc_zero(&w, ctx, 1, sizeof *w));
    w->jobs = j;
    w->id = *id;
    w->wake = wake;
    w->user = user;
    w->news = GB_JOB_NEW_STATE;
    pthread_mutex_lock(&j->lock);
    w->next = j->watches;
    j->watches = w;
    pthread_mutex_unlock(&j->lock);
    *out = w;
    return GB_OK;
}

unsigned gb_jobs_watch_news(gb_job_watch *w) {
    pthread_mutex_lock(&w->jobs->lock);
    unsigned news = w->news | (w->jobs->stopping ? GB_JOB_STOPPING : 0u);
    w->news = 0;
    pthread_mutex_unlock(&w->jobs->lock);
    return news;
}

void gb_jobs_unwatch(gb_job_watch *w) {
    if (w == NULL) return;
    gb_jobs *j = w->jobs;
    pthread_mutex_lock(&j->lock);
    for (gb_job_watch **at = &j->watches; *at != NULL; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    pthread_mutex_unlock(&j->lock);
    gb_free(w);
}

void gb_jobs_live(gb_job_live *out, gb_jobs *j, const gb_id *id) {
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&j->lock);
    for (unsigned i = 0; i < j->config.workers; i++)
        if (j->slots[i].busy && strcmp(j->slots[i].id.s, id->s) == 0) *out = j->slots[i].live;
    pthread_mutex_unlock(&j->lock);
}

/* ---- one worker ---- */

typedef enum outcome { RUN_DONE, RUN_ERROR, RUN_CRASHED, RUN_CANCELLED, RUN_STOPPED } outcome;

static void take_progress(slot *s, const gb_job_live *live) {
    gb_jobs *j = s->jobs;
    double now = gb_seconds();
    pthread_mutex_lock(&j->lock);
    bool new_stage = strcmp(s->live.stage, live->stage) != 0;
    s->live = *live;
    if (new_stage || live->done == live->total || now - s->told >= PROGRESS_SECONDS) {
        s->told = now;
        tell(j, &s->id, GB_JOB_NEW_PROGRESS);
    }
    pthread_mutex_unlock(&j->lock);
}

/* Reads one worker to its end. word holds what it said last of done or error. */
static outcome follow(slot *s, gb_runner_run *run, gb_worker_word *word, char why[64]) {
    const gb_runner *runner = s->jobs->config.runner;
    gb_worker_line last = GB_WORKER_OTHER;
    bool cancel = false, stopping = false, killed = false;
    double asked = 0;
    for (;;) {
        char line[GB_RUNNER_LINE];
        gb_worker_word heard;
        gb_runner_event event = runner->next(run, line, POLL_MS);
        if (event == GB_RUNNER_END) break;
        gb_worker_line kind = event == GB_RUNNER_LINE_READ ? gb_worker_parse(&heard, line) : GB_WORKER_OTHER;
        if (kind == GB_WORKER_PROGRESS) take_progress(s, &heard.live);
        if (kind == GB_WORKER_DONE || kind == GB_WORKER_ERROR) {
            last = kind;
            *word = heard;
        }
        pthread_mutex_lock(&s->jobs->lock);
        cancel = s->cancel;
        stopping = s->jobs->stopping;
        pthread_mutex_unlock(&s->jobs->lock);
        if ((cancel || stopping) && asked == 0) {
            asked = gb_seconds();
            runner->stop(run, false);
        } else if (asked != 0 && !killed && gb_seconds() - asked > STOP_SECONDS) {
            killed = true;
            runner->stop(run, true);
        }
    }
    runner->close(run, why);
    if (cancel) return RUN_CANCELLED;
    if (last == GB_WORKER_DONE && why[0] == '\0') return RUN_DONE;
    if (stopping) return RUN_STOPPED;
    if (last == GB_WORKER_ERROR) return RUN_ERROR;
    if (why[0] == '\0') snprintf(why, 64, "no answer");
    return RUN_CRASHED;
}

/* Runs the job's worker, again when it crashes: the tiles it made are kept, so it goes on where it was. */
static outcome run_worker(slot *s, gb_worker_word *word) {
    const gb_jobs_config *c = &s->jobs->config;
    char why[64] = "";
    char *dir = gb_job_folder(c, s->ctx, &s->id);
    outcome result = RUN_CRASHED;
    for (unsigned attempt = 0; dir != NULL && attempt < GB_JOB_ATTEMPTS && result == RUN_CRASHED; attempt++) {
        gb_runner_run *run;
        /* The move to cancelled may have come already; then no further worker is started. */
        gb_status status = gb_meta_job_attempt(c->meta, s->ctx, &s->id);
        if (status == GB_ERR_STATE) result = RUN_CANCELLED;
        if (status == GB_OK) status = c->runner->start(&run, s->ctx, c->runner, dir);
        if (status == GB_OK) {
            result = follow(s, run, word, why);
        } else if (result != RUN_CANCELLED) {
            word->error = status;
            snprintf(word->message, sizeof word->message, "%s", gb_ctx_error(s->ctx));
            result = RUN_ERROR;
        }
        if (result == RUN_CRASHED) gb_log(s->ctx, GB_LOG_WARN, "worker of job %s ended early (%s)", s->id.s, why);
    }
    gb_free(dir);
    if (result == RUN_CRASHED) {
        word->error = GB_ERR_INTERNAL;
        snprintf(word->message, sizeof word->message, "the worker ended early %d times (%s); see the service's log",
                 GB_JOB_ATTEMPTS, why);
    }
    return result;
}

/* Moves a job, again and again while the disk is full or the like: until it is done or the service stops. */
static void move_job(slot *s, gb_job_state to, gb_status error, const char *message) {
    for (;;) {
        gb_status status = gb_meta_job_move(s->jobs->config.meta, s->ctx, &s->id, to, error, message);
        if (status == GB_OK || status == GB_ERR_STATE || status == GB_ERR_NOT_FOUND) return;
        gb_log(s->ctx, GB_LOG_ERROR, "job %s cannot become %s: %s", s->id.s, gb_job_state_name(to),
               gb_ctx_error(s->ctx));
        pthread_mutex_lock(&s->jobs->lock);
        bool stopping = s->jobs->stopping;
        pthread_mutex_unlock(&s->jobs->lock);
        if (stopping) return; /* it is found running at the next start, and goes back to queued */
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    }
}

static void fail_job(slot *s, gb_status error, const char *message) {
    /* The results first: on a full disk this is what makes room for the word that it failed. */
    char text[512];
    size_t n = 0;
    for (; message[n] != '\0' && n + 1 < sizeof text; n++)
        text[n] = message[n] >= ' ' && message[n] <= '~' ? message[n] : '?';
    text[n] = '\0';
    gb_job_folder_remove(&s->jobs->config, &s->id, true);
    move_job(s, GB_JOB_FAILED, error, text);
    gb_log(s->ctx, GB_LOG_WARN, "job %s failed: %s %s", s->id.s, gb_status_name(error), text);
}

static void run_job(slot *s, const gb_job_row *row) {
    const gb_jobs_config *c = &s->jobs->config;
    gb_worker_word word = {.error = GB_OK};
    outcome result;
    gb_status status = gb_job_prepare(c, s->ctx, row);
    if (status == GB_OK) {
        result = run_worker(s, &word);
    } else {
        result = RUN_ERROR;
        word.error = status;
        snprintf(word.message, sizeof word.message, "%s", gb_ctx_error(s->ctx));
    }
    if (result == RUN_DONE) {
        take_progress(s, &(gb_job_live){.stage = "store", .done = 0, .total = 1});
        status = gb_job_collect(c, s->ctx, row, word.seconds);
        if (status != GB_OK && status != GB_ERR_STATE) fail_job(s, status, gb_ctx_error(s->ctx));
    } else if (result == RUN_ERROR || result == RUN_CRASHED) {
        fail_job(s, word.error, word.message);
    } else if (result == RUN_STOPPED) {
        move_job(s, GB_JOB_QUEUED, GB_OK, "");
    }
    if (result != RUN_STOPPED) gb_job_folder_remove(c, &s->id, false);
}

static void *slot_main(void *user) {
    slot *s = user;
    gb_jobs *j = s->jobs;
    pthread_mutex_lock(&j->lock);
    while (!j->stopping) {
        gb_job_row row;
        bool found = false;
        pthread_mutex_unlock(&j->lock);
        gb_status status = gb_meta_job_take(&row, &found, j->config.meta, s->ctx, j->config.threads);
        if (status != GB_OK) gb_log(s->ctx, GB_LOG_ERROR, "the queue cannot be read: %s", gb_ctx_error(s->ctx));
        pthread_mutex_lock(&j->lock);
        if (status == GB_OK && found) {
            s->busy = true;
            s->cancel = false;
            s->id = row.id;
            memset(&s->live, 0, sizeof s->live);
            tell(j, &s->id, GB_JOB_NEW_STATE);
            pthread_mutex_unlock(&j->lock);
            run_job(s, &row);
            pthread_mutex_lock(&j->lock);
            s->busy = false;
            tell(j, &s->id, GB_JOB_NEW_STATE);
        } else if (!j->stopping) {
            /* A job may have been added between the look and the wait: hence the limit. */
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_sec += 1;
            pthread_cond_timedwait(&j->work, &j->lock, &until);
        }
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

static void *ticker_main(void *user) {
    gb_jobs *j = user;
    double last = gb_seconds();
    pthread_mutex_lock(&j->lock);
    while (!j->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        pthread_cond_timedwait(&j->work, &j->lock, &until);
        if (gb_seconds() - last < TICK_SECONDS) continue;
        last = gb_seconds();
        tell(j, NULL, GB_JOB_TICK);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* ---- submit and cancel ---- */

gb_status gb_jobs_submit(gb_job_row *row, gb_jobs *j, gb_ctx *ctx) {
    gb_plan *plan;
    gb_params *params;
    gb_hash key;
    GB_TRY(gb_job_plan(&plan, &params, &key, &j->config, ctx, row));
    gb_plan_free(plan);
    gb_params_free(params);
    GB_TRY(gb_meta_job_add(row, j->config.meta, ctx));
    pthread_mutex_lock(&j->lock);
    pthread_cond_broadcast(&j->work);
    pthread_mutex_unlock(&j->lock);
    return GB_OK;
}

gb_status gb_jobs_cancel(gb_job_row *row, gb_jobs *j, gb_ctx *ctx, const gb_id *id) {
    GB_TRY(gb_meta_job_get(row, j->config.meta, ctx, id));
    if (row->state == GB_JOB_CANCELLED) return GB_OK;
    bool queued = row->state == GB_JOB_QUEUED;
    GB_TRY(gb_meta_job_move(j->config.meta, ctx, id, GB_JOB_CANCELLED, GB_OK, ""));
    pthread_mutex_lock(&j->lock);
    bool busy = false;
    for (unsigned i = 0; i < j->config.workers; i++)
        if (j->slots[i].busy && strcmp(j->slots[i].id.s, id->s) == 0) busy = j->slots[i].cancel = true;
    pthread_mutex_unlock(&j->lock);
    /* A job put back by an earlier stop has a folder; one that runs is cleared by the thread that looks after it. */
    if (queued && !busy) gb_job_folder_remove(&j->config, id, false);
    tell_state(j, id);
    return gb_meta_job_get(row, j->config.meta, ctx, id);
}

/* ---- start and stop ---- */

void gb_jobs_quiesce(gb_jobs *j) {
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_cond_broadcast(&j->work);
    tell(j, NULL, GB_JOB_STOPPING);
    pthread_mutex_unlock(&j->lock);
}

void gb_jobs_free(gb_jobs *j) {
    if (j == NULL) return;
    gb_jobs_quiesce(j);
    if (j->ticking) pthread_join(j->ticker, NULL);
    for (unsigned i = 0; i < j->config.workers; i++) {
        if (j->slots[i].started) pthread_join(j->slots[i].thread, NULL);
        gb_ctx_free(j->slots[i].ctx);
    }
    pthread_cond_destroy(&j->work);
    pthread_mutex_destroy(&j->lock);
    gb_free(j->slots);
    gb_free(j);
}

static gb_status start_threads(gb_jobs *j, gb_ctx *ctx) {
    for (unsigned i = 0; i < j->config.workers; i++) {
        slot *s = &j->slots[i];
        s->jobs = j;
        if (gb_ctx_fork(&s->ctx, j->config.ctx) != GB_OK) return gb_fail(ctx, GB_ERR_MEMORY, "jobs: out of memory");
    }
    j->ticking = pthread_create(&j->ticker, NULL, ticker_main, j) == 0;
    bool good = j->ticking;
    for (unsigned i = 0; good && i < j->config.workers; i++)
        good = j->slots[i].started = pthread_create(&j->slots[i].thread, NULL, slot_main, &j->slots[i]) == 0;
    return good ? GB_OK : gb_fail(ctx, GB_ERR_MEMORY, "jobs: no more threads can be started");
}

gb_status gb_jobs_start(gb_jobs **out, gb_ctx *ctx, const gb_jobs_config *config) {
    *out = NULL;
    size_t recovered = 0;
    GB_TRY(gb_meta_job_recover(config->meta, ctx, &recovered));
    GB_TRY(gb_job_folder_sweep(config, ctx));
    if (recovered > 0) gb_log(ctx, GB_LOG_INFO, "%zu interrupted jobs are queued again", recovered);
    gb_jobs *j;
    GB_TRY(gb_alloc_zero(&j, ctx, 1, sizeof *j));
    j->config = *config;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->work, NULL);
    gb_status status = gb_alloc_zero(&j->slots, ctx, config->workers, sizeof *j->slots);
    if (status != GB_OK) j->config.workers = 0;
    if (status == GB_OK) status = start_threads(j, ctx);
    if (status != GB_OK) {
        gb_jobs_free(j);
        return status;
    }
    *out = j;
    return GB_OK;
}
