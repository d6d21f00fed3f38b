#include "storage/db_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#include <sqlite3.h>

#include "base/mem.h"

struct stmt {
    sqlite3_stmt *raw;
    struct db *db;
};

static sqlite3_stmt *raw(struct stmt *s)
{
    return s->raw;
}

/* Open addressing by the literal's address; statements of a program are some dozens. */
enum { CACHE_SLOTS = 512 };

struct db {
    sqlite3 *handle;
    size_t n_cached;
    int failure; /* see db_take_failure */
    struct {
        const char *sql;
        struct stmt stmt;
    } cache[CACHE_SLOTS];
};

static int code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_PARSE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return -EACCES;
    default:
        return -EIO;
    }
}

static int fail(struct db *db, int rc, struct err *err)
{
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        db->failure = ERR_PARSE;
        break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
        if (db->failure == 0)
            db->failure = code_of(rc);
    }
    int code = code_of(rc);
    const char *why = sqlite3_errmsg(db->handle);
    if (code == -ENOSPC)
        return err_say(err, code, "catalogue_full", "catalogue: %s", why);
    if (code == ERR_PARSE)
        return err_say(err, code, "catalogue_damaged", "catalogue: %s", why);
    if (code == -EIO)
        return err_say(err, code, "catalogue_failed", "catalogue: %s", why);
    return err_text(err, code, "catalogue: %s", why);
}

int db_take_failure(struct db *db)
{
    int code = db->failure;
    db->failure = 0;
    return code;
}

int db__open(const char *path, bool is_reader, struct db **out, struct err *err)
{
    int rc;
    struct db *db = xcalloc(1, sizeof *db);
    int flags = SQLITE_OPEN_NOMUTEX | (is_reader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    if (!is_reader) {
        /* SQLite would create it readable by everybody */
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
        if (fd < 0) {
            rc = err_set(err, -errno, "open catalogue %s", path);
            goto fail;
        }
        close(fd);
    }
    rc = sqlite3_open_v2(path, &db->handle, flags, NULL);
    if (rc != SQLITE_OK) {
        rc = err_text(err, code_of(rc), "open catalogue %s: %s", path, sqlite3_errmsg(db->handle));
        goto fail;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, 5000);
    /* Rows of one stream lie apart, because all cameras write at once: a span costs as many reads
     * as pages, and few large ones are faster. Of effect where the file is made. */
    rc = is_reader ? db_exec(db, "PRAGMA cache_size = -4096; PRAGMA query_only = 1;", err)
                   : db_exec(db,
                             "PRAGMA page_size = 16384;"
                             "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                             "PRAGMA foreign_keys = 1; PRAGMA recursive_triggers = 1;"
                             "PRAGMA cache_size = -16384;"
                             "PRAGMA journal_size_limit = 67108864;",
                             err);
    if (rc < 0) {
        err_wrap(err, rc, "open %s", path);
        goto fail;
    }
    *out = db;
    return 0;

fail:
    db__close(&db);
    return rc;
}

void db__close(struct db **db)
{
    if (*db == NULL)
        return;
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        sqlite3_finalize((*db)->cache[i].stmt.raw);
    sqlite3_close((*db)->handle);
    FREE(db);
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail(db, rc, err);
}

struct stmt *db_stmt(struct db *db, const char *sql, struct err *err)
{
    size_t i = ((uintptr_t)sql >> 3) % CACHE_SLOTS;
    while (db->cache[i].sql != NULL && db->cache[i].sql != sql)
        i = (i + 1) % CACHE_SLOTS;
    if (db->cache[i].sql == NULL) {
        sqlite3_stmt *stmt;
        int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
        if (rc != SQLITE_OK) {
            fail(db, rc, err);
            return NULL;
        }
        assert(db->n_cached < CACHE_SLOTS / 2 && "statements must be literals");
        db->n_cached++;
        db->cache[i].sql = sql;
        db->cache[i].stmt = (struct stmt){stmt, db};
    }
    stmt_done(&db->cache[i].stmt);
    return &db->cache[i].stmt;
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t db_changes_ever(struct db *db)
{
    return sqlite3_total_changes64(db->handle);
}

int64_t db_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

/* A value for a parameter that the statement does not have would go unnoticed. */
static void expect_bound(int rc)
{
    assert(rc != SQLITE_RANGE && "the statement has no such parameter");
    (void)rc;
}

void stmt_bind_text(struct stmt *s, int i, const char *v)
{
    expect_bound(sqlite3_bind_text(raw(s), i, v, -1, SQLITE_TRANSIENT));
}

void stmt_bind_i64(struct stmt *s, int i, int64_t v)
{
    expect_bound(sqlite3_bind_int64(raw(s), i, v));
}

void stmt_bind_double(struct stmt *s, int i, double v)
{
    expect_bound(sqlite3_bind_double(raw(s), i, v));
}

void stmt_bind_blob(struct stmt *s, int i, const void *p, size_t n)
{
    expect_bound(sqlite3_bind_blob64(raw(s), i, p, n, SQLITE_TRANSIENT));
}

void stmt_bind_null(struct stmt *s, int i)
{
    expect_bound(sqlite3_bind_null(raw(s), i));
}

int stmt_params(struct stmt *s)
{
    return sqlite3_bind_parameter_count(raw(s));
}

int stmt_step(struct stmt *s, struct err *err)
{
    int rc = sqlite3_step(raw(s));
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    rc = fail(s->db, rc, err);
    sqlite3_reset(raw(s));
    return rc;
}

const char *stmt_text(struct stmt *s, int col)
{
    const unsigned char *t = sqlite3_column_text(raw(s), col);
    return t != NULL ? (const char *)t : "";
}

int64_t stmt_i64(struct stmt *s, int col)
{
    return sqlite3_column_int64(raw(s), col);
}

double stmt_double(struct stmt *s, int col)
{
    return sqlite3_column_double(raw(s), col);
}

const void *stmt_blob(struct stmt *s, int col, size_t *out_n)
{
    const void *p = sqlite3_column_blob(raw(s), col);
    *out_n = (size_t)sqlite3_column_bytes(raw(s), col);
    return p;
}

void stmt_done(struct stmt *s)
{
    sqlite3_reset(raw(s));
    sqlite3_clear_bindings(raw(s));
}

int stmt_number(struct stmt *s, int64_t *out, struct err *err)
{
    int rc = stmt_step(s, err);
    *out = rc == 1 ? stmt_i64(s, 0) : 0;
    stmt_done(s);
    return rc;
}

int stmt_run(struct stmt *s, struct err *err)
{
    int rc = stmt_step(s, err);
    assert(rc != 1 && "the statement gives rows");
    stmt_done(s);
    return rc;
}

int db__copy_to(struct db *db, const char *path, struct err *err)
{
    struct stmt *s = db_stmt(db, "VACUUM INTO ?1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, path);
    return stmt_run(s, err);
}
