#include "storage/db_watched.h"

#include <assert.h>
#include <errno.h>

#include "storage/db.h"
#include "storage/db_segments.h"

/* No event is longer than this, so those that touch a range are found by their beginnings. */
#define EVENT_LIMIT_US (INT64_C(86400) * 1000000)

int db_watched_put(struct db *db, const char *camera_id, int64_t from_us, int64_t to_us,
                   struct err *err)
{
    int64_t camera;
    int rc = db_camera_key(db, camera_id, true, &camera, err);
    if (rc < 0)
        return rc;
    struct stmt *s = db_stmt(db,
                             "INSERT INTO watched(camera, from_us, to_us) VALUES(?1, ?2, ?3)"
                             " ON CONFLICT(camera, from_us) DO UPDATE SET to_us = excluded.to_us",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, from_us);
    stmt_bind_i64(s, 3, to_us);
    return stmt_run(s, err);
}

/* The number that a query of (camera, from, to) gives. */
static int ask(struct db *db, const char *sql, const int64_t args[3], int64_t *out, struct err *err)
{
    struct stmt *s = db_stmt(db, sql, err);
    if (s == NULL)
        return -EIO;
    for (int i = 0; i < 3; i++)
        stmt_bind_i64(s, i + 1, args[i]);
    int rc = stmt_number(s, out, err);
    return rc < 0 ? rc : 0;
}

int db_watched_still(struct db *db, int64_t camera, int64_t from_us, int64_t to_us, struct err *err)
{
    /* stretches do not overlap: the newest that began in time, or none */
    static const char watched_sql[] =
        "SELECT coalesce((SELECT to_us FROM watched WHERE camera = ?1 AND from_us <= ?2"
        " ORDER BY from_us DESC LIMIT 1) >= ?3, 0)";
    static const char seen_sql[] =
        "SELECT EXISTS(SELECT 1 FROM events WHERE camera = ?1 AND from_us > ?2 - 86400000000"
        " AND from_us <= ?3 AND (to_us >= ?2 OR open))";
    static_assert(EVENT_LIMIT_US == 86400000000, "the query's");
    const int64_t args[] = {camera, from_us, to_us};
    int64_t is_watched = 0, is_seen = 0;
    int rc = ask(db, watched_sql, args, &is_watched, err);
    if (rc == 0 && is_watched)
        rc = ask(db, seen_sql, args, &is_seen, err);
    return rc < 0 ? rc : is_watched && !is_seen;
}

int db_watched_expire(struct db *db, int64_t before_us, size_t limit, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "DELETE FROM watched WHERE (camera, from_us) IN (SELECT w.camera,"
                             " w.from_us FROM camera_keys k JOIN watched w ON w.camera = k.key"
                             " AND w.from_us < ?1 WHERE w.to_us < ?1 LIMIT ?2)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, before_us);
    stmt_bind_i64(s, 2, (int64_t)limit);
    int rc = stmt_run(s, err);
    return rc < 0 ? rc : (int)db_changes(db);
}
