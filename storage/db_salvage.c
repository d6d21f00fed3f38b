/* Reading what is left of a damaged database. */
#include "storage/db_health.h"

#include <errno.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "base/str.h"

enum { MAX_COLUMNS = 64, SQL_BYTES = 4096, MAX_TABLES = 64, NAME_BYTES = 64 };

struct salvage {
    sqlite3 *old, *new;
    char tables[MAX_TABLES][NAME_BYTES];
    size_t n_tables;
};

/* One table on its way. */
struct table {
    const char *name;
    char columns[MAX_COLUMNS][NAME_BYTES]; /* that both have */
    size_t n_columns;
    char key[SQL_BYTES / 4]; /* "a DESC, b DESC": the primary key backwards; empty = by rowid */
    int64_t n_saved;
    bool is_whole;
};

static void put(char *dst, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void put(char *dst, size_t cap, const char *fmt, ...)
{
    size_t n = strlen(dst);
    va_list args;
    va_start(args, fmt);
    vsnprintf(dst + n, cap - n, fmt, args);
    va_end(args);
}

static int exec(sqlite3 *db, const char *sql, struct err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return err_text(err, -EIO, "save what is left of the catalogue: %s", sqlite3_errmsg(db));
}

/* --- what there is --- */

static int list_tables(struct salvage *v, struct err *err)
{
    sqlite3_stmt *s = NULL;
    sqlite3_prepare_v2(v->new,
                       "SELECT name FROM sqlite_schema WHERE type = 'table'"
                       " AND name NOT LIKE 'sqlite_%' AND name NOT IN ('segments', 'chains')"
                       " ORDER BY rowid",
                       -1, &s, NULL);
    while (s != NULL && sqlite3_step(s) == SQLITE_ROW && v->n_tables < MAX_TABLES)
        str_copy(v->tables[v->n_tables++], NAME_BYTES, (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    return v->n_tables > 0 ? 0 : err_text(err, -EIO, "save what is left: no schema");
}

static bool has_column(sqlite3 *db, const char *table, const char *column)
{
    return sqlite3_table_column_metadata(db, NULL, table, column, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

static void describe(struct salvage *v, struct table *t)
{
    char sql[128] = "";
    sqlite3_stmt *s = NULL;
    int pk_columns = 0;
    put(sql, sizeof sql, "SELECT name, pk, type FROM pragma_table_info('%s') ORDER BY pk", t->name);
    sqlite3_prepare_v2(v->new, sql, -1, &s, NULL);
    while (s != NULL && sqlite3_step(s) == SQLITE_ROW && t->n_columns < MAX_COLUMNS) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        if (!has_column(v->old, t->name, name))
            continue;
        str_copy(t->columns[t->n_columns++], NAME_BYTES, name);
        if (sqlite3_column_int(s, 1) > 0)
            put(t->key, sizeof t->key, "%s%s DESC", pk_columns++ > 0 ? ", " : "", name);
    }
    sqlite3_finalize(s);
}

/* --- rows --- */

static sqlite3_stmt *prepare_insert(struct salvage *v, const struct table *t)
{
    char sql[SQL_BYTES] = "";
    sqlite3_stmt *s = NULL;
    put(sql, sizeof sql, "INSERT OR IGNORE INTO %s(", t->name);
    for (size_t i = 0; i < t->n_columns; i++)
        put(sql, sizeof sql, "%s%s", i > 0 ? ", " : "", t->columns[i]);
    put(sql, sizeof sql, ") VALUES(?");
    for (size_t i = 1; i < t->n_columns; i++)
        put(sql, sizeof sql, ", ?");
    put(sql, sizeof sql, ")");
    sqlite3_prepare_v2(v->new, sql, -1, &s, NULL);
    return s;
}

static sqlite3_stmt *prepare_select(struct salvage *v, const struct table *t, bool is_backwards)
{
    char sql[SQL_BYTES] = "SELECT ";
    sqlite3_stmt *s = NULL;
    for (size_t i = 0; i < t->n_columns; i++)
        put(sql, sizeof sql, "%s%s", i > 0 ? ", " : "", t->columns[i]);
    put(sql, sizeof sql, " FROM %s", t->name);
    if (is_backwards && t->key[0] != '\0')
        put(sql, sizeof sql, " ORDER BY %s", t->key);
    sqlite3_prepare_v2(v->old, sql, -1, &s, NULL);
    return s;
}

/* Up to the first row that cannot be read; whether that was the end. */
static bool copy_rows(struct salvage *v, struct table *t, bool is_backwards)
{
    sqlite3_stmt *from = prepare_select(v, t, is_backwards), *to = prepare_insert(v, t);
    int rc = from != NULL && to != NULL ? SQLITE_ROW : SQLITE_ERROR;
    while (rc == SQLITE_ROW && (rc = sqlite3_step(from)) == SQLITE_ROW) {
        for (int i = 0; i < (int)t->n_columns; i++)
            sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
        if (sqlite3_step(to) == SQLITE_DONE)
            t->n_saved += sqlite3_changes(v->new);
        sqlite3_reset(to);
    }
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    return rc == SQLITE_DONE;
}

static void copy_table(struct salvage *v, struct table *t)
{
    describe(v, t);
    if (t->n_columns == 0)
        return;
    t->is_whole = copy_rows(v, t, false);
    if (!t->is_whole)
        copy_rows(v, t, true);
}

/* --- making sense of it --- */

/* A number of a camera that is not known any more would become the number of another one. */
static int tidy(struct salvage *v, struct err *err)
{
    return exec(v->new,
                "INSERT OR IGNORE INTO townships(id, name)"
                " SELECT DISTINCT township_id, township_id FROM institutions;"
                "INSERT OR IGNORE INTO townships(id, name) SELECT 'saved', 'saved'"
                " WHERE NOT EXISTS(SELECT 1 FROM townships)"
                " AND EXISTS(SELECT 1 FROM cameras);"
                "INSERT OR IGNORE INTO institutions(id, name, township_id)"
                " SELECT DISTINCT institution_id, institution_id,"
                " (SELECT min(id) FROM townships) FROM cameras;"
                "DELETE FROM sessions;"
                "DELETE FROM tokens WHERE user NOT IN (SELECT name FROM users);"
                "DELETE FROM open_segments WHERE camera NOT IN (SELECT key FROM camera_keys);"
                "DELETE FROM holds WHERE camera NOT IN (SELECT key FROM camera_keys);"
                "DELETE FROM deletions WHERE camera NOT IN (SELECT key FROM camera_keys);"
                "DELETE FROM states WHERE camera NOT IN (SELECT key FROM camera_keys);"
                "DELETE FROM events WHERE camera NOT IN (SELECT key FROM camera_keys);"
                "UPDATE volumes SET segments = 0, bytes = 0;",
                err);
}

static int open_both(struct salvage *v, const char *old_path, const char *new_path, struct err *err)
{
    if (sqlite3_open_v2(old_path, &v->old, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(v->old, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK)
        return err_text(err, ERR_PARSE, "nothing can be read of %s: %s", old_path,
                        sqlite3_errmsg(v->old));
    if (sqlite3_open_v2(new_path, &v->new, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return err_text(err, -EIO, "open %s: %s", new_path, sqlite3_errmsg(v->new));
    return 0;
}

/* What was entered by hand, and no file tells. */
static bool is_of_people(const char *table)
{
    return strcmp(table, "cameras") == 0 || strcmp(table, "institutions") == 0 ||
           strcmp(table, "users") == 0;
}

int db_salvage(const char *old_path, const char *new_path, db_salvage_fn *fn, void *ctx,
               struct err *err)
{
    struct salvage v = {0};
    bool is_worthless = true;
    int rc = open_both(&v, old_path, new_path, err);
    if (rc == 0)
        rc = list_tables(&v, err);
    if (rc == 0)
        rc = exec(v.new, "PRAGMA foreign_keys = 0; BEGIN", err);
    for (size_t i = 0; i < v.n_tables && rc == 0; i++) {
        struct table *t = xcalloc(1, sizeof *t);
        t->name = v.tables[i];
        copy_table(&v, t);
        if (is_of_people(t->name))
            is_worthless &= t->n_saved == 0 && !t->is_whole;
        if (fn != NULL)
            fn(ctx, t->name, t->n_saved, t->is_whole);
        free(t);
    }
    if (rc == 0 && is_worthless)
        rc = err_text(err, ERR_PARSE, "no camera and no user can be read of %s", old_path);
    if (rc == 0)
        rc = tidy(&v, err);
    if (rc == 0)
        rc = exec(v.new, "COMMIT", err);
    sqlite3_close(v.old);
    sqlite3_close(v.new);
    return rc;
}
