/* Thin layer over SQLite for the storage/db_*.c files: prepared statements are cached per
 * connection. Thread: a struct db is valid inside the catalogue job that got it. */
#ifndef STORAGE_DB_H
#define STORAGE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct db;
struct stmt; /* a cached statement, reset by db_stmt and by stmt_done */

int db_exec(struct db *db, const char *sql, struct err *err);
/* sql must be a string literal (its address is the cache key). NULL with err filled on failure. */
struct stmt *db_stmt(struct db *db, const char *sql, struct err *err);
int64_t db_changes(struct db *db);
int64_t db_changes_ever(struct db *db); /* of this connection */
int64_t db_last_id(struct db *db);

/* The worst the database itself said since this was asked last: ERR_PARSE (damaged), -ENOSPC, -EIO;
 * 0 = nothing of that kind. */
int db_take_failure(struct db *db);

void stmt_bind_text(struct stmt *s, int i, const char *v); /* NULL binds NULL; copied */
void stmt_bind_i64(struct stmt *s, int i, int64_t v);
void stmt_bind_double(struct stmt *s, int i, double v);
void stmt_bind_blob(struct stmt *s, int i, const void *p, size_t n);
void stmt_bind_null(struct stmt *s, int i);
int stmt_params(struct stmt *s); /* the number of its parameters */

/* 1 = a row, 0 = done, < 0 = failed (ERR_CONFLICT for a violated constraint). */
int stmt_step(struct stmt *s, struct err *err);
const char *stmt_text(struct stmt *s, int col); /* "" for NULL; valid until the next step */
int64_t stmt_i64(struct stmt *s, int col);
double stmt_double(struct stmt *s, int col);
const void *stmt_blob(struct stmt *s, int col, size_t *out_n);
void stmt_done(struct stmt *s);
/* Steps a statement that gives one number, or no row: then *out is 0. Resets it; as stmt_step. */
int stmt_number(struct stmt *s, int64_t *out, struct err *err);
/* Steps a statement that gives no rows, and resets it. */
int stmt_run(struct stmt *s, struct err *err);

#endif
