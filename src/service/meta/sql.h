/* service/meta/sql: the few SQLite calls the other files of this folder are made of. */
#ifndef GB_META_SQL_H
#define GB_META_SQL_H

#include <pthread.h>
#include <sqlite3.h>

#include "service/meta/meta.h"

struct gb_meta {
    sqlite3 *db;
    pthread_mutex_t lock; /* held from gb_meta_begin to gb_meta_end: one connection, one caller */
    void (*drop)(void *user, const gb_hash *object);
    void *drop_user;
    gb_buffer dropped; /* objects to be dropped when the transaction has committed */
};

/* Takes the lock and begins a transaction that may write. On error nothing is held. */
GB_CHECK gb_status gb_meta_begin(gb_meta *m, gb_ctx *ctx);
/* Commits when status is OK, else rolls back; drops what fell to zero references; gives the lock back. Returns status,
 * or why the commit failed. */
GB_CHECK gb_status gb_meta_end(gb_meta *m, gb_ctx *ctx, gb_status status);
gb_status gb_meta_sql_fail(gb_meta *m, gb_ctx *ctx, int code);

/* Statement with arguments bound by type letters: i uint64_t, d double, t const char *, h const gb_hash *. All must
 * live until the statement is closed. */
GB_CHECK gb_status gb_sql_open(sqlite3_stmt **out, gb_meta *m, gb_ctx *ctx, const char *sql, const char *types, ...);
GB_CHECK gb_status gb_sql_next(bool *row, gb_meta *m, gb_ctx *ctx, sqlite3_stmt *s);
void gb_sql_close(sqlite3_stmt *s);
/* Open, run to the end, close. */
GB_CHECK gb_status gb_sql_do(gb_meta *m, gb_ctx *ctx, const char *sql, const char *types, ...);
void gb_sql_text(char *out, size_t capacity, sqlite3_stmt *s, int column);
void gb_sql_hash(gb_hash *out, sqlite3_stmt *s, int column);
uint64_t gb_sql_u64(sqlite3_stmt *s, int column);

/* References to objects, inside a transaction. */
GB_CHECK gb_status gb_object_ref(gb_meta *m, gb_ctx *ctx, const gb_hash *object, uint64_t bytes);
GB_CHECK gb_status gb_object_unref(gb_meta *m, gb_ctx *ctx, const gb_hash *object);
/* NOT_FOUND when there is no such workspace; *key is its row number. */
GB_CHECK gb_status gb_workspace_key(uint64_t *key, gb_meta *m, gb_ctx *ctx, const gb_id *id);
GB_CHECK gb_status gb_dataset_read(gb_dataset_row *out, uint64_t *key, gb_meta *m, gb_ctx *ctx, const gb_id *id);
/* Inserts the row as it is, state and counts included; *key is its row number. */
GB_CHECK gb_status gb_dataset_insert(uint64_t *key, gb_meta *m, gb_ctx *ctx, const gb_dataset_row *row);
GB_CHECK gb_status gb_tile_insert(gb_meta *m, gb_ctx *ctx, uint64_t dataset_key, const gb_tile_row *tile);

#endif
