/* service/job/runner: where worker processes run. A seam: Slurm is another gb_runner. A run has a folder (see job.h)
 * and answers in lines of text, which are not to be trusted. */
#ifndef GB_RUNNER_H
#define GB_RUNNER_H

#include "base/base.h"

#define GB_RUNNER_LINE 512

typedef struct gb_runner gb_runner;
typedef struct gb_runner_run gb_runner_run;
typedef enum gb_runner_event { GB_RUNNER_LINE_READ, GB_RUNNER_NOTHING, GB_RUNNER_END } gb_runner_event;

struct gb_runner {
    /* Starts a worker on the folder dir. Must be called, and the run closed, by one thread that lives as long. */
    gb_status (*start)(gb_runner_run **out, gb_ctx *ctx, gb_runner *r, const char *dir);
    /* The next line (without its end; cut at GB_RUNNER_LINE - 1), or NOTHING after about ms milliseconds, or END. */
    gb_runner_event (*next)(gb_runner_run *run, char line[GB_RUNNER_LINE], int ms);
    /* Asks the worker to stop, or ends it at once. */
    void (*stop)(gb_runner_run *run, bool now);
    /* Waits for the end (after END or stop(now)) and frees. why is empty when the worker ended by itself without
     * complaint, else a few words: "signal 9". */
    void (*close)(gb_runner_run *run, char why[64]);
    void (*free)(gb_runner *r);
};

/* Child processes of this one: `program --job DIR`, nothing inherited but the answer pipe. */
GB_CHECK gb_status gb_runner_local(gb_runner **out, gb_ctx *ctx, const char *program);

#endif
