#include "storage/db_holds.h"

#include <errno.h>

#include "base/str.h"
#include "storage/db.h"
#include "storage/db_segments.h"

int db_hold_add(struct db *db, const struct hold_row *row, struct err *err)
{
    int64_t camera;
    int rc = db_camera_key(db, row->camera_id, true, &camera, err);
    if (rc < 0)
        return rc;
    struct stmt *s = db_stmt(db,
                             "INSERT INTO holds(id, camera, from_us, to_us, user, reason,"
                             " created_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, row->id);
    stmt_bind_i64(s, 2, camera);
    stmt_bind_i64(s, 3, row->from_us);
    stmt_bind_i64(s, 4, row->to_us);
    stmt_bind_text(s, 5, row->user);
    stmt_bind_text(s, 6, row->reason);
    stmt_bind_i64(s, 7, row->created_us);
    return stmt_run(s, err);
}

static int no_such_hold(const char *id, struct err *err)
{
    return err_say(err, ERR_NOT_FOUND, "unknown_thing", "there is no %s %.64s", "hold", id);
}

static int ignore(void *ctx, const struct hold_row *row)
{
    (void)ctx;
    (void)row;
    return 0;
}

int db_hold_release(struct db *db, const char *id, const char *by, const char *reason,
                    int64_t now_us, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "UPDATE holds SET released_us = ?2, released_by = ?3,"
                             " released_reason = ?4 WHERE id = ?1 AND released_us = 0",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, id);
    stmt_bind_i64(s, 2, now_us);
    stmt_bind_text(s, 3, by);
    stmt_bind_text(s, 4, reason);
    int rc = stmt_run(s, err);
    if (rc < 0 || db_changes(db) > 0)
        return rc;
    rc = db_hold_get(db, id, ignore, NULL, err);
    return rc < 0 ? rc
                  : err_say(err, ERR_CONFLICT, "hold_released",
                            "the hold %.64s was released before", id);
}

/* --- listing --- */

/* A segment touches the range; none is longer than SEGMENT_LIMIT_US. */
static int range_bytes(struct db *db, int64_t camera, int64_t from_us, int64_t to_us, int64_t *out,
                       struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT coalesce(sum(bytes), 0) FROM segments WHERE camera = ?1"
                             " AND stream IN (0, 1) AND from_us > ?4 AND from_us < ?3"
                             " AND to_us > ?2",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, from_us);
    stmt_bind_i64(s, 3, to_us);
    stmt_bind_i64(s, 4, from_us - SEGMENT_LIMIT_US);
    int rc = stmt_number(s, out, err);
    return rc < 0 ? rc : 0;
}

#define SELECT_HOLDS                                                                               \
    "SELECT h.id, k.camera_id, h.from_us, h.to_us, h.user, h.reason, h.created_us,"                \
    " h.released_us, h.released_by, h.released_reason, h.camera FROM holds h"                      \
    " JOIN camera_keys k ON k.key = h.camera "

static int each_hold(struct db *db, struct stmt *s, hold_row_fn *fn, void *ctx, struct err *err)
{
    int rc, n = 0;
    while ((rc = stmt_step(s, err)) == 1) {
        struct hold_row row = {.id = stmt_text(s, 0),
                               .camera_id = stmt_text(s, 1),
                               .from_us = stmt_i64(s, 2),
                               .to_us = stmt_i64(s, 3),
                               .user = stmt_text(s, 4),
                               .reason = stmt_text(s, 5),
                               .created_us = stmt_i64(s, 6),
                               .released_us = stmt_i64(s, 7),
                               .released_by = stmt_text(s, 8),
                               .released_reason = stmt_text(s, 9)};
        rc = range_bytes(db, stmt_i64(s, 10), row.from_us, row.to_us, &row.bytes, err);
        if (rc >= 0)
            rc = fn(ctx, &row);
        if (rc < 0)
            break;
        n++;
    }
    stmt_done(s);
    return rc < 0 ? rc : n;
}

int db_hold_get(struct db *db, const char *id, hold_row_fn *fn, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db, SELECT_HOLDS "WHERE h.id = ?1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, id);
    int rc = each_hold(db, s, fn, ctx, err);
    return rc == 0 ? no_such_hold(id, err) : rc < 0 ? rc : 0;
}

int db_holds_find(struct db *db, const struct hold_query *q, hold_row_fn *fn, void *ctx,
                  struct err *err)
{
    struct stmt *s = db_stmt(db,
                             SELECT_HOLDS "WHERE (?1 IS NULL OR k.camera_id = ?1)"
                                          " AND (?2 < 0 OR (h.released_us = 0) = ?2)"
                                          " AND (h.created_us, h.id) < (?3, ?4)"
                                          " ORDER BY h.created_us DESC, h.id DESC",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, q->camera_id);
    stmt_bind_i64(s, 2, q->is_active);
    stmt_bind_i64(s, 3, q->before_created_us != 0 ? q->before_created_us : INT64_MAX);
    stmt_bind_text(s, 4, q->before_id != NULL ? q->before_id : "");
    int rc = each_hold(db, s, fn, ctx, err);
    return rc < 0 ? rc : 0;
}

/* --- what they keep --- */

/* Segments whose beginning lies behind `after_us`, which moves on, so that holds that overlap or
 * share a segment count it once. */
static int add_stream(struct db *db, int64_t camera, int stream, const int64_t range[2],
                      int64_t volume, int64_t *after_us, int64_t *sum, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT coalesce(sum(CASE WHEN ?6 = 0 OR volume = ?6 THEN bytes ELSE 0"
                             " END), 0), coalesce(max(from_us), ?3) FROM segments"
                             " WHERE camera = ?1 AND stream = ?2 AND from_us > ?3 AND from_us < ?5"
                             " AND to_us > ?4",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, stream);
    stmt_bind_i64(s, 3, MAX(*after_us, range[0] - SEGMENT_LIMIT_US));
    stmt_bind_i64(s, 4, range[0]);
    stmt_bind_i64(s, 5, range[1]);
    stmt_bind_i64(s, 6, volume);
    int rc = stmt_step(s, err);
    if (rc == 1) {
        *sum += stmt_i64(s, 0);
        *after_us = MAX(*after_us, stmt_i64(s, 1));
    }
    stmt_done(s);
    return rc < 0 ? rc : 0;
}

int db_holds_bytes(struct db *db, int64_t volume, int64_t *out, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT camera, from_us, to_us FROM holds WHERE released_us = 0"
                             " ORDER BY camera, from_us",
                             err);
    if (s == NULL)
        return -EIO;
    int64_t camera = 0, after_us[2] = {INT64_MIN, INT64_MIN};
    int rc;
    *out = 0;
    while ((rc = stmt_step(s, err)) == 1) {
        if (stmt_i64(s, 0) != camera)
            after_us[0] = after_us[1] = INT64_MIN;
        camera = stmt_i64(s, 0);
        const int64_t range[2] = {stmt_i64(s, 1), stmt_i64(s, 2)};
        for (int stream = 0; stream < 2 && rc >= 0; stream++)
            rc = add_stream(db, camera, stream, range, volume, &after_us[stream], out, err);
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc < 0 ? rc : 0;
}
