/* The SQLite file: opening, transactions, object references, workspaces and named objects. */
#include <sys/stat.h>
#include <time.h>

#include "service/meta/sql.h"

/* Objects are counted here and nowhere else: refs is the number of rows (named, tiles, datasets.manifest) that name
 * the hash. Row keys rise with age, so ORDER BY key is oldest first. */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS objects(hash BLOB PRIMARY KEY, bytes INTEGER NOT NULL, refs INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS workspaces(key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " name TEXT UNIQUE NOT NULL, created REAL NOT NULL);"
    "CREATE TABLE IF NOT EXISTS named(key INTEGER PRIMARY KEY AUTOINCREMENT, workspace INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, name BLOB NOT NULL, object BLOB NOT NULL, bytes INTEGER NOT NULL, created REAL NOT NULL,"
    " UNIQUE(workspace, kind, name));"
    "CREATE TABLE IF NOT EXISTS datasets(key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " workspace INTEGER NOT NULL, label TEXT NOT NULL, nonce TEXT NOT NULL, state INTEGER NOT NULL,"
    " result INTEGER NOT NULL, tiles INTEGER NOT NULL, received INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " created REAL NOT NULL, keyset BLOB NOT NULL, draft BLOB NOT NULL, manifest BLOB NOT NULL,"
    " manifest_bytes INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS datasets_workspace ON datasets(workspace, nonce);"
    "CREATE TABLE IF NOT EXISTS tiles(dataset INTEGER NOT NULL, tile INTEGER NOT NULL, object BLOB NOT NULL,"
    " bytes INTEGER NOT NULL, PRIMARY KEY(dataset, tile)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS jobs(key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " workspace INTEGER NOT NULL, label TEXT NOT NULL, program BLOB NOT NULL, precision INTEGER NOT NULL,"
    " copies INTEGER NOT NULL, state INTEGER NOT NULL, error INTEGER NOT NULL, message TEXT NOT NULL,"
    " created REAL NOT NULL, started REAL NOT NULL, finished REAL NOT NULL, seconds REAL NOT NULL,"
    " threads INTEGER NOT NULL, attempts INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS jobs_state ON jobs(state);"
    "CREATE TABLE IF NOT EXISTS job_data(job INTEGER NOT NULL, output INTEGER NOT NULL, n INTEGER NOT NULL,"
    " dataset INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY(job, output, n)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS job_data_dataset ON job_data(dataset);"
    "PRAGMA user_version=1;";

void gb_id_new(gb_id *out) {
    uint8_t raw[GB_ID_HEX / 2];
    gb_random_bytes(raw, sizeof raw);
    gb_hex(out->s, raw, sizeof raw);
}

bool gb_id_parse(gb_id *out, const char *text) {
    if (text == NULL || strlen(text) != GB_ID_HEX || strspn(text, "0123456789abcdef") != GB_ID_HEX) return false;
    memcpy(out->s, text, sizeof out->s);
    return true;
}

double gb_meta_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- SQL ---- */

gb_status gb_meta_sql_fail(gb_meta *m, gb_ctx *ctx, int code) {
    const char *text = m->db != NULL ? sqlite3_errmsg(m->db) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return gb_fail(ctx, GB_ERR_SPACE, "metadata: no space left; free some and try again");
    case SQLITE_NOMEM:
        return gb_fail(ctx, GB_ERR_MEMORY, "metadata: out of memory");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return gb_fail(ctx, GB_ERR_IO, "metadata: the file is damaged (%s); restore it from a backup", text);
    default:
        return gb_fail(ctx, GB_ERR_IO, "metadata: %s (SQLite code %d)", text, code);
    }
}

static gb_status bind_all(gb_meta *m, gb_ctx *ctx, sqlite3_stmt *s, const char *types, va_list args) {
    int code = SQLITE_OK;
    for (int i = 1; code == SQLITE_OK && types[i - 1] != '\0'; i++) {
        switch (types[i - 1]) {
        case 'i':
            code = sqlite3_bind_int64(s, i, (sqlite3_int64)va_arg(args, uint64_t));
            break;
        case 'd':
            code = sqlite3_bind_double(s, i, va_arg(args, double));
            break;
        case 't':
            code = sqlite3_bind_text(s, i, va_arg(args, const char *), -1, SQLITE_STATIC);
            break;
        default:
            code = sqlite3_bind_blob(s, i, va_arg(args, const gb_hash *)->b, GB_HASH_BYTES, SQLITE_STATIC);
            break;
        }
    }
    return code == SQLITE_OK ? GB_OK : gb_meta_sql_fail(m, ctx, code);
}

static gb_status open_list(sqlite3_stmt **out, gb_meta *m, gb_ctx *ctx, const char *sql, const char *types,
                           va_list args) {
    *out = NULL;
    int code = sqlite3_prepare_v2(m->db, sql, -1, out, NULL);
    if (code != SQLITE_OK) return gb_meta_sql_fail(m, ctx, code);
    gb_status status = bind_all(m, ctx, *out, types, args);
    if (status != GB_OK) {
        sqlite3_finalize(*out);
        *out = NULL;
    }
    return status;
}

gb_status gb_sql_open(sqlite3_stmt **out, gb_meta *m, gb_ctx *ctx, const char *sql, const char *types, ...) {
    va_list args;
    va_start(args, types);
    gb_status status = open_list(out, m, ctx, sql, types, args);
    va_end(args);
    return status;
}

gb_status gb_sql_next(bool *row, gb_meta *m, gb_ctx *ctx, sqlite3_stmt *s) {
    int code = sqlite3_step(s);
    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? GB_OK : gb_meta_sql_fail(m, ctx, code);
}

void gb_sql_close(sqlite3_stmt *s) { sqlite3_finalize(s); }

gb_status gb_sql_do(gb_meta *m, gb_ctx *ctx, const char *sql, const char *types, ...) {
    sqlite3_stmt *s;
    va_list args;
    va_start(args, types);
    gb_status status = open_list(&s, m, ctx, sql, types, args);
    va_end(args);
    bool row = true;
    while (status == GB_OK && row) status = gb_sql_next(&row, m, ctx, s);
    gb_sql_close(s);
    return status;
}

void gb_sql_text(char *out, size_t capacity, sqlite3_stmt *s, int column) {
    const char *text = (const char *)sqlite3_column_text(s, column);
    snprintf(out, capacity, "%s", text != NULL ? text : "");
}

void gb_sql_hash(gb_hash *out, sqlite3_stmt *s, int column) {
    const void *blob = sqlite3_column_blob(s, column);
    memset(out, 0, sizeof *out);
    if (blob != NULL && sqlite3_column_bytes(s, column) == GB_HASH_BYTES) memcpy(out->b, blob, GB_HASH_BYTES);
}

uint64_t gb_sql_u64(sqlite3_stmt *s, int column) { return (uint64_t)sqlite3_column_int64(s, column); }

/* ---- opening and transactions ---- */

gb_status gb_meta_open(gb_meta **out, gb_ctx *ctx, const char *path, void (*drop)(void *user, const gb_hash *object),
                       void *drop_user) {
    *out = NULL;
    gb_meta *m;
    GB_TRY(gb_alloc_zero(&m, ctx, 1, sizeof *m));
    m->drop = drop;
    m->drop_user = drop_user;
    pthread_mutex_init(&m->lock, NULL);
    int code = sqlite3_open_v2(path, &m->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) code = sqlite3_extended_result_codes(m->db, 1);
    if (code == SQLITE_OK)
        code = sqlite3_exec(m->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;", NULL,
                            NULL, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(m->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(m->db, schema, NULL, NULL, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(m->db, "COMMIT", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        gb_status status = gb_meta_sql_fail(m, ctx, code);
        gb_meta_close(m);
        return status;
    }
    *out = m;
    return GB_OK;
}

void gb_meta_close(gb_meta *m) {
    if (m == NULL) return;
    (void)sqlite3_close(m->db);
    pthread_mutex_destroy(&m->lock);
    gb_buffer_release(&m->dropped);
    gb_free(m);
}

gb_status gb_meta_begin(gb_meta *m, gb_ctx *ctx) {
    pthread_mutex_lock(&m->lock);
    gb_buffer_release(&m->dropped);
    int code = sqlite3_exec(m->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK) return GB_OK;
    gb_status status = gb_meta_sql_fail(m, ctx, code);
    pthread_mutex_unlock(&m->lock);
    return status;
}

gb_status gb_meta_end(gb_meta *m, gb_ctx *ctx, gb_status status) {
    if (status == GB_OK) {
        int code = sqlite3_exec(m->db, "COMMIT", NULL, NULL, NULL);
        if (code != SQLITE_OK) status = gb_meta_sql_fail(m, ctx, code);
    }
    if (status != GB_OK && sqlite3_get_autocommit(m->db) == 0) (void)sqlite3_exec(m->db, "ROLLBACK", NULL, NULL, NULL);
    if (status == GB_OK && m->drop != NULL)
        for (size_t at = 0; at + sizeof(gb_hash) <= m->dropped.size; at += sizeof(gb_hash)) {
            gb_hash object;
            memcpy(&object, m->dropped.data + at, sizeof object);
            m->drop(m->drop_user, &object);
        }
    gb_buffer_release(&m->dropped);
    pthread_mutex_unlock(&m->lock);
    return status;
}

gb_status gb_object_ref(gb_meta *m, gb_ctx *ctx, const gb_hash *object, uint64_t bytes) {
    return gb_sql_do(m, ctx,
                     "INSERT INTO objects(hash, bytes, refs) VALUES(?1, ?2, 1)"
                     " ON CONFLICT(hash) DO UPDATE SET refs = refs + 1",
                     "hi", object, bytes);
}

gb_status gb_object_unref(gb_meta *m, gb_ctx *ctx, const gb_hash *object) {
    GB_TRY(gb_sql_do(m, ctx, "UPDATE objects SET refs = refs - 1 WHERE hash = ?1", "h", object));
    GB_TRY(gb_sql_do(m, ctx, "DELETE FROM objects WHERE hash = ?1 AND refs <= 0", "h", object));
    /* When this buffer cannot grow, the object stays as an orphan until the next start. */
    if (sqlite3_changes(m->db) > 0) gb_write_bytes(&m->dropped, object->b, GB_HASH_BYTES);
    return GB_OK;
}

gb_status gb_meta_object_known(bool *out, gb_meta *m, gb_ctx *ctx, const gb_hash *object) {
    GB_TRY(gb_meta_begin(m, ctx));
    sqlite3_stmt *s;
    gb_status status = gb_sql_open(&s, m, ctx, "SELECT 1 FROM objects WHERE hash = ?1", "h", object);
    if (status == GB_OK) status = gb_sql_next(out, m, ctx, s);
    gb_sql_close(s);
    return gb_meta_end(m, ctx, status);
}

/* ---- workspaces ---- */

static void workspace_row(gb_workspace_row *out, sqlite3_stmt *s) {
    memset(out, 0, sizeof *out);
    gb_sql_text(out->id.s, sizeof out->id.s, s, 0);
    gb_sql_text(out->name, sizeof out->name, s, 1);
    out->created = sqlite3_column_double(s, 2);
}

static gb_status workspace_find(gb_workspace_row *out, bool *found, gb_meta *m, gb_ctx *ctx, const char *sql,
                                const char *value) {
    sqlite3_stmt *s;
    gb_status status = gb_sql_open(&s, m, ctx, sql, "t", value);
    if (status == GB_OK) status = gb_sql_next(found, m, ctx, s);
    if (status == GB_OK && *found) workspace_row(out, s);
    gb_sql_close(s);
    return status;
}

gb_status gb_meta_workspace_make(gb_workspace_row *out, bool *made, gb_meta *m, gb_ctx *ctx, const char *name) {
    GB_TRY(gb_meta_begin(m, ctx));
    bool found = false;
    gb_status status =
        workspace_find(out, &found, m, ctx, "SELECT id, name, created FROM workspaces WHERE name = ?1", name);
    *made = status == GB_OK && !found;
    if (*made) {
        memset(out, 0, sizeof *out);
        gb_id_new(&out->id);
        snprintf(out->name, sizeof out->name, "%s", name);
        out->created = gb_meta_now();
        status = gb_sql_do(m, ctx, "INSERT INTO workspaces(id, name, created) VALUES(?1, ?2, ?3)", "ttd", out->id.s,
                           out->name, out->created);
    }
    return gb_meta_end(m, ctx, status);
}

gb_status gb_meta_workspace_get(gb_workspace_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *id) {
    GB_TRY(gb_meta_begin(m, ctx));
    bool found = false;
    gb_status status =
        workspace_find(out, &found, m, ctx, "SELECT id, name, created FROM workspaces WHERE id = ?1", id->s);
    if (status == GB_OK && !found) status = gb_fail(ctx, GB_ERR_NOT_FOUND, "workspace %s does not exist", id->s);
    return gb_meta_end(m, ctx, status);
}

gb_status gb_meta_workspace_each(gb_meta *m, gb_ctx *ctx, gb_workspace_fn each, void *user) {
    GB_TRY(gb_meta_begin(m, ctx));
    sqlite3_stmt *s;
    gb_status status = gb_sql_open(&s, m, ctx, "SELECT id, name, created FROM workspaces ORDER BY key", "");
    bool found = true;
    while (status == GB_OK && (status = gb_sql_next(&found, m, ctx, s)) == GB_OK && found) {
        gb_workspace_row row;
        workspace_row(&row, s);
        status = each(user, &row);
    }
    gb_sql_close(s);
    return gb_meta_end(m, ctx, status);
}

gb_status gb_workspace_key(uint64_t *key, gb_meta *m, gb_ctx *ctx, const gb_id *id) {
    sqlite3_stmt *s;
    bool found = false;
    gb_status status = gb_sql_open(&s, m, ctx, "SELECT key FROM workspaces WHERE id = ?1", "t", id->s);
    if (status == GB_OK) status = gb_sql_next(&found, m, ctx, s);
    if (status == GB_OK && found) *key = gb_sql_u64(s, 0);
    gb_sql_close(s);
    if (status == GB_OK && !found) status = gb_fail(ctx, GB_ERR_NOT_FOUND, "workspace %s does not exist", id->s);
    return status;
}

/* ---- named objects ---- */

static const char *const kind_names[] = {"key set", "program"};

static void named_row(gb_named_row *out, sqlite3_stmt *s) {
    memset(out, 0, sizeof *out);
    gb_sql_hash(&out->name, s, 0);
    gb_sql_hash(&out->object, s, 1);
    out->bytes = gb_sql_u64(s, 2);
    out->created = sqlite3_column_double(s, 3);
}

static gb_status named_find(gb_named_row *out, bool *found, gb_meta *m, gb_ctx *ctx, uint64_t workspace,
                            gb_named_kind kind, const gb_hash *name) {
    sqlite3_stmt *s;
    gb_status status = gb_sql_open(
        &s, m, ctx, "SELECT name, object, bytes, created FROM named WHERE workspace = ?1 AND kind = ?2 AND name = ?3",
        "iih", workspace, (uint64_t)kind, name);
    if (status == GB_OK) status = gb_sql_next(found, m, ctx, s);
    if (status == GB_OK && *found) named_row(out, s);
    gb_sql_close(s);
    return status;
}

static gb_status named_insert(gb_named_row *row, bool *made, gb_meta *m, gb_ctx *ctx, const gb_id *workspace,
                              gb_named_kind kind, const gb_publish *publish) {
    uint64_t key = 0;
    bool found = false;
    gb_hash name = row->name;
    GB_TRY(gb_workspace_key(&key, m, ctx, workspace));
    GB_TRY(named_find(row, &found, m, ctx, key, kind, &name));
    *made = !found;
    if (found) return GB_OK;
    row->created = gb_meta_now();
    GB_TRY(gb_sql_do(m, ctx,
                     "INSERT INTO named(workspace, kind, name, object, bytes, created) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                     "iihhid", key, (uint64_t)kind, &row->name, &row->object, row->bytes, row->created));
    GB_TRY(gb_object_ref(m, ctx, &row->object, row->bytes));
    return publish->run(publish->user, ctx);
}

gb_status gb_meta_named_add(gb_named_row *row, bool *made, gb_meta *m, gb_ctx *ctx, const gb_id *workspace,
                            gb_named_kind kind, const gb_publish *publish) {
    *made = false;
    GB_TRY(gb_meta_begin(m, ctx));
    return gb_meta_end(m, ctx, named_insert(row, made, m, ctx, workspace, kind, publish));
}

gb_status gb_meta_named_get(gb_named_row *out, gb_meta *m, gb_ctx *ctx, const gb_id *workspace, gb_named_kind kind,
                            const gb_hash *name) {
    GB_TRY(gb_meta_begin(m, ctx));
    uint64_t key = 0;
    bool found = false;
    gb_status status = gb_workspace_key(&key, m, ctx, workspace);
    if (status == GB_OK) status = named_find(out, &found, m, ctx, key, kind, name);
    if (status == GB_OK && !found) {
        char hex[2 * GB_HASH_BYTES + 1];
        gb_hex(hex, name->b, GB_HASH_BYTES);
        status = gb_fail(ctx, GB_ERR_NOT_FOUND, "%s %s is not in workspace %s; send it first", kind_names[kind], hex,
                         workspace->s);
    }
    return gb_meta_end(m, ctx, status);
}

gb_status gb_meta_named_each(gb_meta *m, gb_ctx *ctx, const gb_id *workspace, gb_named_kind kind, gb_named_fn each,
                             void *user) {
    GB_TRY(gb_meta_begin(m, ctx));
    uint64_t key = 0;
    sqlite3_stmt *s = NULL;
    gb_status status = gb_workspace_key(&key, m, ctx, workspace);
    if (status == GB_OK)
        status = gb_sql_open(
            &s, m, ctx,
            "SELECT name, object, bytes, created FROM named WHERE workspace = ?1 AND kind = ?2 ORDER BY key", "ii", key,
            (uint64_t)kind);
    bool found = true;
    while (status == GB_OK && (status = gb_sql_next(&found, m, ctx, s)) == GB_OK && found) {
        gb_named_row row;
        named_row(&row, s);
        status = each(user, &row);
    }
    gb_sql_close(s);
    return gb_meta_end(m, ctx, status);
}
