/* The life of a job, in one place. */
#include "service/meta/meta.h"

static const char *const state_names[GB_JOB_STATES] = {"queued", "running", "done", "failed", "cancelled"};

/* allowed[from] is the set of states that may follow. Final states have none. */
static const unsigned allowed[GB_JOB_STATES] = {
    [GB_JOB_QUEUED] = 1u << GB_JOB_RUNNING | 1u << GB_JOB_CANCELLED | 1u << GB_JOB_FAILED,
    /* back to queued: the service stops, or died and starts again; the tiles already made are kept */
    [GB_JOB_RUNNING] = 1u << GB_JOB_DONE | 1u << GB_JOB_FAILED | 1u << GB_JOB_CANCELLED | 1u << GB_JOB_QUEUED,
};

const char *gb_job_state_name(gb_job_state s) { return (unsigned)s < GB_JOB_STATES ? state_names[s] : "unknown"; }

bool gb_job_state_final(gb_job_state s) { return (unsigned)s < GB_JOB_STATES && allowed[s] == 0; }

bool gb_job_move_allowed(gb_job_state from, gb_job_state to) {
    return (unsigned)from < GB_JOB_STATES && (unsigned)to < GB_JOB_STATES && (allowed[from] >> to & 1u) != 0;
}

const char *gb_dataset_state_name(gb_dataset_state s) {
    static const char *const names[] = {"uploading", "ready", "failed"};
    return (unsigned)s < GB_COUNT(names) ? names[s] : "unknown";
}
