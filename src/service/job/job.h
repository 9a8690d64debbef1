/* service/job: takes queued jobs, has a worker run them, and turns what the worker made into a dataset.
 *
 * The folder of a job, DATA/jobs/<id>/, is all a worker sees:
 *   program.bin               the program's wire form
 *   spec.json                 {"precision","copies","memory","threads","inputs"}
 *   inputs/<i>/manifest.bin   the final manifest of input i
 *   inputs/<i>/%08zu.tile     its tiles (hard links of stored objects: read-only)
 *   out/%08zu.tile            result, whole tiles only; kept when a run is cut off, so the next goes on from there
 * and it answers on standard output with lines: "progress STAGE DONE TOTAL", then "done SECONDS" or "error CODE TEXT".
 * Nothing a worker says or writes is trusted: the result's info comes from our own plan, and every tile is decoded. */
#ifndef GB_JOB_H
#define GB_JOB_H

#include "program/program.h"
#include "service/job/runner.h"
#include "service/meta/meta.h"
#include "service/store/store.h"

#define GB_JOB_ATTEMPTS 3                      /* worker processes a job may cost before it fails */
#define GB_JOB_MANIFEST_MAX ((size_t)64 << 20) /* bytes of a manifest or a program: 2 million tiles */
#define GB_JOB_STAGE_MAX 32

typedef struct gb_jobs gb_jobs;
typedef struct gb_jobs_config {
    gb_meta *meta;
    gb_store *store;
    gb_runner *runner;
    const char *dir;  /* the data folder */
    unsigned workers; /* jobs at once, 1..64 */
    unsigned threads; /* of each worker */
    uint64_t memory;  /* bytes each worker may hold while it streams */
    gb_ctx *ctx;      /* outlives the jobs; its memory and threads are those of a worker, so plans agree */
} gb_jobs_config;

/* Recovers (running -> queued, folders of jobs that are over are removed) and starts. */
GB_CHECK gb_status gb_jobs_start(gb_jobs **out, gb_ctx *ctx, const gb_jobs_config *config);
/* Streams of events end; workers are asked to stop and their jobs go back to queued. Does not wait. */
void gb_jobs_quiesce(gb_jobs *j);
void gb_jobs_free(gb_jobs *j); /* waits for the workers to be gone */

/* Everything a job needs, checked: program and inputs of one workspace, ready, of one key set, as the plan wants them.
 * row: workspace, label, program, precision, copies, inputs are given; the rest is filled in. */
GB_CHECK gb_status gb_jobs_submit(gb_job_row *row, gb_jobs *j, gb_ctx *ctx);
/* row gets the job as it is then. STATE when it is done or failed. */
GB_CHECK gb_status gb_jobs_cancel(gb_job_row *row, gb_jobs *j, gb_ctx *ctx, const gb_id *id);

typedef struct gb_job_live {
    char stage[GB_JOB_STAGE_MAX];
    uint64_t done, total;
} gb_job_live;
/* What the worker said last; zeros for a job that does not run here. */
void gb_jobs_live(gb_job_live *out, gb_jobs *j, const gb_id *id);

/* Someone who wants to know. wake is called from other threads when there is something new, and every ten seconds. */
typedef struct gb_job_watch gb_job_watch;
enum { GB_JOB_NEW_STATE = 1, GB_JOB_NEW_PROGRESS = 2, GB_JOB_TICK = 4, GB_JOB_STOPPING = 8 };
GB_CHECK gb_status gb_jobs_watch(gb_job_watch **out, gb_jobs *j, gb_ctx *ctx, const gb_id *id, void (*wake)(void *user),
                                 void *user);
/* What is new since the last call, as a set of the bits above. */
unsigned gb_jobs_watch_news(gb_job_watch *w);
void gb_jobs_unwatch(gb_job_watch *w); /* no wake comes after this returned */

/* ---- the worker's lines, on their own for tests and fuzzing: lines.c ---- */
typedef enum gb_worker_line { GB_WORKER_PROGRESS, GB_WORKER_DONE, GB_WORKER_ERROR, GB_WORKER_OTHER } gb_worker_line;
typedef struct gb_worker_word {
    gb_job_live live;
    double seconds;
    gb_status error;
    char message[384]; /* printable ASCII */
} gb_worker_word;
gb_worker_line gb_worker_parse(gb_worker_word *out, const char *line);

/* ---- between the files of this folder ---- */
/* folder.c: the job's folder as described above, made or completed. */
GB_CHECK gb_status gb_job_prepare(const gb_jobs_config *c, gb_ctx *ctx, const gb_job_row *row);
void gb_job_folder_remove(const gb_jobs_config *c, const gb_id *id, bool only_results);
char *gb_job_folder(const gb_jobs_config *c, gb_ctx *ctx, const gb_id *id); /* gb_free; NULL on error */
GB_CHECK gb_status gb_job_folder_sweep(const gb_jobs_config *c, gb_ctx *ctx);
/* result.c: plan of a job; checks row's inputs against it. The caller frees *plan and *params. */
GB_CHECK gb_status gb_job_plan(gb_plan **plan, gb_params **params, gb_hash *key, const gb_jobs_config *c, gb_ctx *ctx,
                               const gb_job_row *row);
/* Checks the worker's tiles, stores them, makes the dataset, and moves the job to done. */
GB_CHECK gb_status gb_job_collect(const gb_jobs_config *c, gb_ctx *ctx, const gb_job_row *row, double seconds);

#endif
