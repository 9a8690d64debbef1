/* A real gloveboxd in a child process on a temporary data folder, and a client that makes keys, programs and encrypted
 * datasets: what the tests of routes, jobs and faults drive. The programs are named by GLOVEBOXD and GLOVEBOX_WORKER.
 */
#ifndef GB_TEST_RIG_H
#define GB_TEST_RIG_H

#include <jansson.h>
#include <sys/types.h>

#include "program/program.h"
#include "scheme/secret/secret.h"
#include "service/test/client.h"

typedef struct rig {
    char dir[64];
    char data[128]; /* dir/data */
    pid_t pid;      /* 0: not running */
    uint16_t port;
    char token[72], bearer[128];
    char workspace[40];
    const char *options[8];          /* more arguments for gloveboxd; NULL ends */
    bool (*in_child)(struct rig *r); /* NULL, or run in the child before gloveboxd; false ends it with code 77 */
    gb_ctx *ctx;
    gb_secret *secret;
    gb_keyset *keyset;
    gb_params *params;
} rig;

/* One program of "needle-like" shape with its encrypted input and the answer that is expected. */
typedef struct rig_case {
    gb_program *program;
    gb_buffer program_bytes;
    gb_plan *plan;
    gb_manifest manifest;
    gb_buffer *tiles; /* by number */
    gb_buffer manifest_bytes, draft_bytes;
    float *input, *expected;
    size_t outputs; /* values expected */
    char program_id[72], dataset[40];
} rig_case;

bool rig_available(void); /* are the programs there? */
void rig_init(rig *r);    /* folder, context, key */
void rig_release(rig *r); /* stops and removes all */
/* Starts the service and waits until it answers; false when it does not. Sends workspace and key set the first time. */
bool rig_start(rig *r);
void rig_launch(rig *r);          /* starts it, and no more */
bool rig_attach(rig *r);          /* the rest of rig_start: address, token, workspace */
int rig_stop(rig *r, int signal); /* wait status */

void rig_call(rig *r, reply *out, const char *method, const char *path, const char *headers, const void *body,
              size_t n);
/* Calls and gives the answer as JSON (the caller decrefs; NULL when it is none); *status may be NULL. */
json_t *rig_json(rig *r, int *status, const char *method, const char *path, const void *body, size_t n);
/* A short text of the answer's members, "" when absent: for asserts. */
const char *rig_text(const json_t *object, const char *name);
long long rig_number(const json_t *object, const char *name);

/* sets * lines by rows in, nk * ni lines out. */
void rig_case_make(rig_case *c, rig *r, uint32_t sets, uint32_t lines, uint32_t rows, uint32_t nk, uint32_t ni);
void rig_case_release(rig_case *c);
void rig_send_program(rig_case *c, rig *r);
/* Begins the dataset (or finds it again by nonce), sends what is missing, commits. False when the service went away. */
bool rig_send_dataset(rig_case *c, rig *r, const char *nonce);
bool rig_send_tile(const rig_case *c, rig *r, size_t tile, int *status);
void rig_submit(char job[40], rig_case *c, rig *r);
/* Waits for a final state and gives the job; NULL after `seconds`. */
json_t *rig_wait(rig *r, const char *job, double seconds);
/* Downloads the dataset, decrypts, and gives the largest relative error against what is expected. */
double rig_check(const rig_case *c, rig *r, const char *dataset);

/* At the start of a cmocka test that needs the programs (the file includes cmocka.h). */
#define NEED_RIG()                                                                                                     \
    do {                                                                                                               \
        if (!rig_available()) {                                                                                        \
            print_message("# GLOVEBOXD and GLOVEBOX_WORKER name no programs: skipped\n");                              \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)

#endif
