/* service/meta: what the service knows about its objects: workspaces, key sets, programs, datasets, tiles, jobs and how
 * often each stored object is referred to. One SQLite file in WAL mode with synchronous=FULL: a call that answered OK
 * has survived kill -9 and power loss, a call that did not has changed nothing.
 *
 * Every function may be called from any thread; calls are serialised. Functions that make objects visible take a
 * `publish` callback, run inside the transaction just before commit: the bytes appear under their hash before the row
 * that names them, and no removal can come between. Bytes whose row was not committed are orphans, removed at start. */
#ifndef GB_META_H
#define GB_META_H

#include "base/base.h"

#define GB_ID_HEX 32
#define GB_LABEL_MAX 200 /* bytes of a label or workspace name */
#define GB_NONCE_MAX 128 /* hex digits */
#define GB_JOB_INPUTS 64

typedef struct gb_id {
    char s[GB_ID_HEX + 1]; /* 32 lower-case hex digits */
} gb_id;
void gb_id_new(gb_id *out);
GB_CHECK bool gb_id_parse(gb_id *out, const char *text);

typedef struct gb_meta gb_meta;
/* drop is called after a commit for each object that nothing refers to any more, before any other call can begin. */
GB_CHECK gb_status gb_meta_open(gb_meta **out, gb_ctx *ctx, const char *path,
                                void (*drop)(void *user, const gb_hash *object), void *drop_user);
void gb_meta_close(gb_meta *m);
double gb_meta_now(void); /* seconds since 1970 */

typedef struct gb_publish {
    gb_status (*run)(void *user, gb_ctx *ctx);
    void *user;
} gb_publish;

/* ---- objects ---- */
GB_CHECK gb_status gb_meta_object_known(bool *out, gb_meta *m, gb_ctx *ctx, const gb_hash *object);

/* ---- workspaces ---- */
typedef struct gb_workspace_row {
    gb_id id;
    char name[GB_LABEL_MAX + 1];
    double created;
} gb_workspace_row;
/* Finds by name or makes. */
GB_CHECK gb_status gb_meta_workspace_make(gb_workspace_row *out, bool *made, gb_meta *m, gb_ctx *ctx, const char *name);
GB_CHECK gb_status gb_meta_workspace_get(gb_workspace_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *id);
typedef gb_status (*gb_workspace_fn)(void *user, const gb_workspace_row *row);
GB_CHECK gb_status gb_meta_workspace_each(gb_meta *m, gb_ctx *ctx, gb_workspace_fn each, void *user);

/* ---- named objects of a workspace: key sets (name = key id) and programs (name = hash of the bytes) ---- */
typedef enum gb_named_kind { GB_NAMED_KEYSET = 0, GB_NAMED_PROGRAM = 1 } gb_named_kind;
typedef struct gb_named_row {
    gb_hash name, object;
    uint64_t bytes;
    double created;
} gb_named_row;
/* *made is false when the name was there (row is the one there, publish is not run). NOT_FOUND: no such workspace. */
GB_CHECK gb_status gb_meta_named_add(gb_named_row *row, bool *made, gb_meta *m, gb_ctx *ctx, const gb_id *workspace,
                                     gb_named_kind kind, const gb_publish *publish);
GB_CHECK gb_status gb_meta_named_get(gb_named_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *workspace,
                                     gb_named_kind kind, const gb_hash *name);
typedef gb_status (*gb_named_fn)(void *user, const gb_named_row *row);
GB_CHECK gb_status gb_meta_named_each(gb_meta *m, gb_ctx *ctx, const gb_id *workspace, gb_named_kind kind,
                                      gb_named_fn each, void *user);

/* ---- datasets ---- */
typedef enum gb_dataset_state {
    GB_DATASET_UPLOADING = 0,
    GB_DATASET_READY = 1,
    GB_DATASET_FAILED = 2
} gb_dataset_state;
const char *gb_dataset_state_name(gb_dataset_state s);
typedef struct gb_dataset_row {
    gb_id id, workspace;
    char label[GB_LABEL_MAX + 1], nonce[GB_NONCE_MAX + 1];
    gb_dataset_state state;
    bool result; /* made by a job */
    uint64_t tiles, received, bytes;
    double created;
    gb_hash keyset, manifest; /* object of the draft, then of the final manifest */
    uint64_t manifest_bytes;
} gb_dataset_row;
typedef struct gb_tile_row {
    uint64_t tile;
    gb_hash object;
    uint64_t bytes;
} gb_tile_row;
/* Adds row (its id is made here). When the workspace has a dataset of this nonce (not empty), answers that one with
 * *made false and does not publish; EXISTS when its draft was another. NOT_FOUND: workspace. */
GB_CHECK gb_status gb_meta_dataset_add(gb_dataset_row *row, bool *made, gb_meta *m, gb_ctx *ctx,
                                       const gb_publish *publish);
GB_CHECK gb_status gb_meta_dataset_get(gb_dataset_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *id);
typedef gb_status (*gb_dataset_fn)(void *user, const gb_dataset_row *row);
GB_CHECK gb_status gb_meta_dataset_each(gb_meta *m, gb_ctx *ctx, const gb_id *workspace, gb_dataset_fn each,
                                        void *user);
/* STATE when a queued or running job reads it. */
GB_CHECK gb_status gb_meta_dataset_delete(gb_meta *m, gb_ctx *ctx, const gb_id *id);
/* Adds a tile of an uploading dataset. The same tile again is OK and publishes nothing; EXISTS for another hash; STATE
 * when the dataset is ready. */
GB_CHECK gb_status gb_meta_tile_add(gb_meta *m, gb_ctx *ctx, const gb_id *dataset, const gb_tile_row *tile,
                                    const gb_publish *publish);
GB_CHECK gb_status gb_meta_tile_get(gb_tile_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *dataset, uint64_t tile);
typedef gb_status (*gb_tile_fn)(void *user, const gb_tile_row *row);
/* In rising order of tile. */
GB_CHECK gb_status gb_meta_tile_each(gb_meta *m, gb_ctx *ctx, const gb_id *dataset, gb_tile_fn each, void *user);
/* Uploading -> ready, with `manifest` in the draft's place. The dataset has `tiles` tiles and tile i must be there with
 * hashes[i], else STATE. Ready with the same manifest: OK. */
GB_CHECK gb_status gb_meta_dataset_commit(gb_meta *m, gb_ctx *ctx, const gb_id *id, const gb_hash *manifest,
                                          uint64_t manifest_bytes, const gb_hash *hashes, const gb_publish *publish);

/* ---- jobs. The one table of allowed moves: jobstate.c ---- */
typedef enum gb_job_state {
    GB_JOB_QUEUED = 0,
    GB_JOB_RUNNING = 1,
    GB_JOB_DONE = 2,
    GB_JOB_FAILED = 3,
    GB_JOB_CANCELLED = 4
} gb_job_state;
#define GB_JOB_STATES 5
const char *gb_job_state_name(gb_job_state s);
bool gb_job_state_final(gb_job_state s);
bool gb_job_move_allowed(gb_job_state from, gb_job_state to);

typedef struct gb_job_row {
    gb_id id, workspace;
    char label[GB_LABEL_MAX + 1];
    gb_hash program;
    int precision;
    uint32_t copies;
    gb_job_state state;
    gb_status error; /* OK: none */
    char message[512];
    double created, started, finished; /* 0: not yet */
    double seconds;
    unsigned threads, attempts;
    size_t input_count, output_count;
    gb_id inputs[GB_JOB_INPUTS], outputs[GB_JOB_INPUTS];
} gb_job_row;
/* Adds a queued job (its id is made here). STATE: an input is not ready or gone. */
GB_CHECK gb_status gb_meta_job_add(gb_job_row *row, gb_meta *m, gb_ctx *ctx);
GB_CHECK gb_status gb_meta_job_get(gb_job_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *id);
typedef gb_status (*gb_job_fn)(void *user, const gb_job_row *row);
/* workspace NULL: all. */
GB_CHECK gb_status gb_meta_job_each(gb_meta *m, gb_ctx *ctx, const gb_id *workspace, gb_job_fn each, void *user);
/* The oldest queued job becomes running; *found false when there is none. */
GB_CHECK gb_status gb_meta_job_take(gb_job_row *out, bool *found, gb_meta *m, gb_ctx *ctx, unsigned threads);
/* Moves a job; error and message are kept with it (failed). STATE when the table does not allow the move. */
GB_CHECK gb_status gb_meta_job_move(gb_meta *m, gb_ctx *ctx, const gb_id *id, gb_job_state to, gb_status error,
                                    const char *message);
/* One more worker process was started for a running job; STATE when it is not running any more. */
GB_CHECK gb_status gb_meta_job_attempt(gb_meta *m, gb_ctx *ctx, const gb_id *id);
/* Running -> done, in one transaction with the dataset it made (dataset->id is made here) and all tiles. */
GB_CHECK gb_status gb_meta_job_finish(gb_meta *m, gb_ctx *ctx, const gb_id *id, double seconds, gb_dataset_row *dataset,
                                      const gb_hash *tiles, const uint64_t *tile_bytes, const gb_publish *publish);
/* At start: running -> queued. */
GB_CHECK gb_status gb_meta_job_recover(gb_meta *m, gb_ctx *ctx, size_t *count);

#endif
