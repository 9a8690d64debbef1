/* Jobs. Every change of state goes through move(), which asks the table. */
#include "service/meta/sql.h"

#define JOB_COLUMNS                                                                                                    \
    "j.id, w.id, j.label, j.program, j.precision, j.copies, j.state, j.error, j.message, j.created, j.started,"        \
    " j.finished, j.seconds, j.threads, j.attempts, j.key"
#define JOB_FROM " FROM jobs j JOIN workspaces w ON w.key = j.workspace "

static gb_status job_data(gb_job_row *out, gb_meta *m, gb_ctx *ctx, uint64_t key) {
    sqlite3_stmt *s;
    bool found = true;
    gb_status status =
        gb_sql_open(&s, m, ctx, "SELECT output, id FROM job_data WHERE job = ?1 ORDER BY output, n", "i", key);
    while (status == GB_OK && (status = gb_sql_next(&found, m, ctx, s)) == GB_OK && found) {
        bool output = sqlite3_column_int(s, 0) != 0;
        size_t *n = output ? &out->output_count : &out->input_count;
        if (*n == GB_JOB_INPUTS) continue;
        gb_id *id = output ? &out->outputs[*n] : &out->inputs[*n];
        gb_sql_text(id->s, sizeof id->s, s, 1);
        (*n)++;
    }
    gb_sql_close(s);
    return status;
}

static gb_status job_row(gb_job_row *out, uint64_t *key, gb_meta *m, gb_ctx *ctx, sqlite3_stmt *s) {
    memset(out, 0, sizeof *out);
    gb_sql_text(out->id.s, sizeof out->id.s, s, 0);
    gb_sql_text(out->workspace.s, sizeof out->workspace.s, s, 1);
    gb_sql_text(out->label, sizeof out->label, s, 2);
    gb_sql_hash(&out->program, s, 3);
    out->precision = sqlite3_column_int(s, 4);
    out->copies = (uint32_t)sqlite3_column_int64(s, 5);
    out->state = (gb_job_state)sqlite3_column_int(s, 6);
    out->error = (gb_status)sqlite3_column_int(s, 7);
    gb_sql_text(out->message, sizeof out->message, s, 8);
    out->created = sqlite3_column_double(s, 9);
    out->started = sqlite3_column_double(s, 10);
    out->finished = sqlite3_column_double(s, 11);
    out->seconds = sqlite3_column_double(s, 12);
    out->threads = (unsigned)sqlite3_column_int64(s, 13);
    out->attempts = (unsigned)sqlite3_column_int64(s, 14);
    *key = gb_sql_u64(s, 15);
    return job_data(out, m, ctx, *key);
}

static gb_status job_read(gb_job_row *out, uint64_t *key, gb_meta *m, gb_ctx *ctx, const gb_id *id) {
    sqlite3_stmt *s;
    bool found = false;
    gb_status status = gb_sql_open(&s, m, ctx, "SELECT " JOB_COLUMNS JOB_FROM "WHERE j.id = ?1", "t", id->s);
    if (status == GB_OK) status = gb_sql_next(&found, m, ctx, s);
    if (status == GB_OK && found) status = job_row(out, key, m, ctx, s);
    gb_sql_close(s);
    if (status == GB_OK && !found) status = gb_fail(ctx, GB_ERR_NOT_FOUND, "job %s does not exist", id->s);
    return status;
}

static gb_status add_data(gb_meta *m, gb_ctx *ctx, uint64_t job, bool output, size_t n, uint64_t dataset,
                          const gb_id *id) {
    return gb_sql_do(m, ctx, "INSERT INTO job_data(job, output, n, dataset, id) VALUES(?1, ?2, ?3, ?4, ?5)", "iiiit",
                     job, (uint64_t)output, (uint64_t)n, dataset, id->s);
}

static gb_status job_add(gb_job_row *row, gb_meta *m, gb_ctx *ctx) {
    uint64_t workspace = 0;
    GB_TRY(gb_workspace_key(&workspace, m, ctx, &row->workspace));
    gb_id_new(&row->id);
    row->created = gb_meta_now();
    row->state = GB_JOB_QUEUED;
    GB_TRY(
        gb_sql_do(m, ctx,
                  "INSERT INTO jobs(id, workspace, label, program, precision, copies, state, error, message, created,"
                  " started, finished, seconds, threads, attempts)"
                  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, '', ?8, 0, 0, 0, 0, 0)",
                  "tithiiid", row->id.s, workspace, row->label, &row->program, (uint64_t)row->precision,
                  (uint64_t)row->copies, (uint64_t)row->state, row->created));
    uint64_t key = (uint64_t)sqlite3_last_insert_rowid(m->db);
    for (size_t i = 0; i < row->input_count; i++) {
        gb_dataset_row dataset;
        uint64_t dataset_key = 0;
        GB_TRY(gb_dataset_read(&dataset, &dataset_key, m, ctx, &row->inputs[i]));
        if (dataset.state != GB_DATASET_READY)
            return gb_fail(ctx, GB_ERR_STATE, "dataset %s is %s; commit it first", dataset.id.s,
                           gb_dataset_state_name(dataset.state));
        GB_TRY(add_data(m, ctx, key, false, i, dataset_key, &row->inputs[i]));
    }
    return GB_OK;
}

gb_status gb_meta_job_add(gb_job_row *row, gb_meta *m, gb_ctx *ctx) {
    GB_TRY(gb_meta_begin(m, ctx));
    return gb_meta_end(m, ctx, job_add(row, m, ctx));
}

gb_status gb_meta_job_get(gb_job_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *id) {
    GB_TRY(gb_meta_begin(m, ctx));
    uint64_t key;
    return gb_meta_end(m, ctx, job_read(out, &key, m, ctx, id));
}

gb_status gb_meta_job_each(gb_meta *m, gb_ctx *ctx, const gb_id *workspace, gb_job_fn each, void *user) {
    GB_TRY(gb_meta_begin(m, ctx));
    uint64_t key = 0;
    sqlite3_stmt *s = NULL;
    gb_status status = workspace != NULL ? gb_workspace_key(&key, m, ctx, workspace) : GB_OK;
    if (status == GB_OK)
        status = gb_sql_open(
            &s, m, ctx, "SELECT " JOB_COLUMNS JOB_FROM "WHERE ?1 = 0 OR j.workspace = ?1 ORDER BY j.key", "i", key);
    bool found = true;
    while (status == GB_OK && (status = gb_sql_next(&found, m, ctx, s)) == GB_OK && found) {
        gb_job_row row;
        status = job_row(&row, &key, m, ctx, s);
        if (status == GB_OK) status = each(user, &row);
    }
    gb_sql_close(s);
    return gb_meta_end(m, ctx, status);
}

/* The one place where a state changes, inside a transaction. */
static gb_status move(gb_meta *m, gb_ctx *ctx, const gb_job_row *row, gb_job_state to) {
    if (!gb_job_move_allowed(row->state, to))
        return gb_fail(ctx, GB_ERR_STATE, "job %s is %s and cannot become %s", row->id.s, gb_job_state_name(row->state),
                       gb_job_state_name(to));
    GB_TRY(gb_sql_do(m, ctx, "UPDATE jobs SET state = ?2 WHERE id = ?1", "ti", row->id.s, (uint64_t)to));
    if (gb_job_state_final(to))
        return gb_sql_do(m, ctx, "UPDATE jobs SET finished = ?2 WHERE id = ?1", "td", row->id.s, gb_meta_now());
    return GB_OK;
}

static gb_status job_take(gb_job_row *out, bool *found, gb_meta *m, gb_ctx *ctx, unsigned threads) {
    sqlite3_stmt *s;
    gb_id id = {{0}};
    gb_status status = gb_sql_open(&s, m, ctx, "SELECT id FROM jobs WHERE state = ?1 ORDER BY key LIMIT 1", "i",
                                   (uint64_t)GB_JOB_QUEUED);
    if (status == GB_OK) status = gb_sql_next(found, m, ctx, s);
    if (status == GB_OK && *found) gb_sql_text(id.s, sizeof id.s, s, 0);
    gb_sql_close(s);
    if (status != GB_OK || !*found) return status;
    uint64_t key;
    GB_TRY(job_read(out, &key, m, ctx, &id));
    GB_TRY(move(m, ctx, out, GB_JOB_RUNNING));
    out->state = GB_JOB_RUNNING;
    out->started = gb_meta_now();
    out->threads = threads;
    return gb_sql_do(m, ctx, "UPDATE jobs SET started = ?2, threads = ?3 WHERE key = ?1", "idi", key, out->started,
                     (uint64_t)threads);
}

gb_status gb_meta_job_take(gb_job_row *out, bool *found, gb_meta *m, gb_ctx *ctx, unsigned threads) {
    *found = false;
    GB_TRY(gb_meta_begin(m, ctx));
    return gb_meta_end(m, ctx, job_take(out, found, m, ctx, threads));
}

gb_status gb_meta_job_move(gb_meta *m, gb_ctx *ctx, const gb_id *id, gb_job_state to, gb_status error,
                           const char *message) {
    GB_TRY(gb_meta_begin(m, ctx));
    gb_job_row row;
    uint64_t key;
    gb_status status = job_read(&row, &key, m, ctx, id);
    if (status == GB_OK) status = move(m, ctx, &row, to);
    if (status == GB_OK && error != GB_OK)
        status = gb_sql_do(m, ctx, "UPDATE jobs SET error = ?2, message = ?3 WHERE id = ?1", "tit", id->s,
                           (uint64_t)error, message);
    return gb_meta_end(m, ctx, status);
}

gb_status gb_meta_job_attempt(gb_meta *m, gb_ctx *ctx, const gb_id *id) {
    GB_TRY(gb_meta_begin(m, ctx));
    gb_status status = gb_sql_do(m, ctx, "UPDATE jobs SET attempts = attempts + 1 WHERE id = ?1 AND state = ?2", "ti",
                                 id->s, (uint64_t)GB_JOB_RUNNING);
    if (status == GB_OK && sqlite3_changes(m->db) == 0)
        status = gb_fail(ctx, GB_ERR_STATE, "job %s is not running any more", id->s);
    return gb_meta_end(m, ctx, status);
}

static gb_status job_finish(gb_meta *m, gb_ctx *ctx, const gb_id *id, double seconds, gb_dataset_row *dataset,
                            const gb_hash *tiles, const uint64_t *tile_bytes, const gb_publish *publish) {
    gb_job_row row;
    uint64_t job = 0, key = 0;
    GB_TRY(job_read(&row, &job, m, ctx, id));
    GB_TRY(move(m, ctx, &row, GB_JOB_DONE));
    gb_id_new(&dataset->id);
    dataset->workspace = row.workspace;
    dataset->created = gb_meta_now();
    dataset->state = GB_DATASET_READY;
    dataset->result = true;
    dataset->received = dataset->tiles;
    dataset->bytes = 0;
    for (uint64_t i = 0; i < dataset->tiles; i++) dataset->bytes += tile_bytes[i];
    GB_TRY(gb_dataset_insert(&key, m, ctx, dataset));
    for (uint64_t i = 0; i < dataset->tiles; i++) {
        gb_tile_row tile = {.tile = i, .object = tiles[i], .bytes = tile_bytes[i]};
        GB_TRY(gb_tile_insert(m, ctx, key, &tile));
    }
    GB_TRY(add_data(m, ctx, job, true, 0, key, &dataset->id));
    GB_TRY(gb_sql_do(m, ctx, "UPDATE jobs SET seconds = ?2 WHERE key = ?1", "id", job, seconds));
    return publish->run(publish->user, ctx);
}

gb_status gb_meta_job_finish(gb_meta *m, gb_ctx *ctx, const gb_id *id, double seconds, gb_dataset_row *dataset,
                             const gb_hash *tiles, const uint64_t *tile_bytes, const gb_publish *publish) {
    GB_TRY(gb_meta_begin(m, ctx));
    return gb_meta_end(m, ctx, job_finish(m, ctx, id, seconds, dataset, tiles, tile_bytes, publish));
}

gb_status gb_meta_job_recover(gb_meta *m, gb_ctx *ctx, size_t *count) {
    GB_TRY(gb_meta_begin(m, ctx));
    *count = 0;
    gb_status status = GB_OK;
    /* One by one through move(), so that even recovery obeys the table. */
    for (;;) {
        sqlite3_stmt *s;
        gb_job_row row = {.state = GB_JOB_RUNNING};
        bool found = false;
        status = gb_sql_open(&s, m, ctx, "SELECT id FROM jobs WHERE state = ?1 LIMIT 1", "i", (uint64_t)GB_JOB_RUNNING);
        if (status == GB_OK) status = gb_sql_next(&found, m, ctx, s);
        if (status == GB_OK && found) gb_sql_text(row.id.s, sizeof row.id.s, s, 0);
        gb_sql_close(s);
        if (status != GB_OK || !found) break;
        status = move(m, ctx, &row, GB_JOB_QUEUED);
        if (status != GB_OK) break;
        (*count)++;
    }
    return gb_meta_end(m, ctx, status);
}
