#include "storage/db_volumes.h"

#include <errno.h>

#include "base/str.h"
#include "storage/db.h"

int db_volume_put(struct db *db, const char *uuid, const char *path, int64_t *out_key,
                  struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "INSERT INTO volumes(uuid, path) VALUES(?1, ?2)"
                             " ON CONFLICT(uuid) DO UPDATE SET path = excluded.path",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, uuid);
    stmt_bind_text(s, 2, path);
    int rc = stmt_run(s, err);
    if (rc < 0)
        return rc;
    s = db_stmt(db, "SELECT key FROM volumes WHERE uuid = ?1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, uuid);
    rc = stmt_number(s, out_key, err);
    return rc == 1 ? 0 : rc < 0 ? rc : -EIO;
}

int db_volume_of(struct db *db, const char *uuid, int64_t *out_key, char *path, size_t cap,
                 struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT key, path FROM volumes WHERE uuid = ?1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, uuid);
    int rc = stmt_step(s, err);
    *out_key = rc == 1 ? stmt_i64(s, 0) : 0;
    str_copy(path, cap, rc == 1 ? stmt_text(s, 1) : "");
    stmt_done(s);
    return rc == 0 ? ERR_NOT_FOUND : rc < 0 ? rc : 0;
}

int db_volume_find(struct db *db, const char *path, int64_t *out_key, struct err *err)
{
    struct stmt *s =
        db_stmt(db, "SELECT key FROM volumes WHERE path = ?1 ORDER BY key DESC LIMIT 1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, path);
    int rc = stmt_number(s, out_key, err);
    return rc == 0 ? ERR_NOT_FOUND : rc < 0 ? rc : 0;
}

int db_volume_totals(struct db *db, int64_t key, const char *path, struct segment_totals *out,
                     struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT segments, bytes FROM volumes WHERE key = ?1 OR"
                             " (?1 = 0 AND path = ?2) ORDER BY key DESC LIMIT 1",
                             err);
    *out = (struct segment_totals){0};
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, key);
    stmt_bind_text(s, 2, path);
    int rc = stmt_step(s, err);
    if (rc == 1) {
        out->n = stmt_i64(s, 0);
        out->bytes = stmt_i64(s, 1);
    }
    stmt_done(s);
    return rc < 0 ? rc : 0;
}
