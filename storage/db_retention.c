/* What retention asks and writes. Rows of one stream are clustered by time, so the oldest of each
 * of some thousand streams is found by as many short look-ups, without an index over all segments.
 */
#include "storage/db_segments.h"

#include <errno.h>

#include "base/str.h"
#include "storage/db.h"
#include "storage/db_ledger.h"

/* Evidence is never a candidate. */
#define NOT_HELD                                                                                   \
    " AND NOT EXISTS(SELECT 1 FROM holds h WHERE h.camera = s.camera AND h.released_us = 0"        \
    " AND h.from_us < s.to_us AND h.to_us > s.from_us)"

int db_streams_kept(struct db *db, int default_days, stream_kept_fn *fn, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT k.key, coalesce(cam.retention_days, 0) FROM camera_keys k"
                             " LEFT JOIN cameras cam ON cam.id = k.camera_id",
                             err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        int64_t days = stmt_i64(s, 1) > 0 ? stmt_i64(s, 1) : default_days;
        fn(ctx, stmt_i64(s, 0), days);
    }
    stmt_done(s);
    return rc;
}

int db_camera_max(struct db *db, int64_t *out_key, struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT max(key) FROM camera_keys", err);
    int rc = s != NULL ? stmt_step(s, err) : -EIO;
    if (rc < 0)
        return rc;
    *out_key = rc == 1 ? stmt_i64(s, 0) : 0;
    stmt_done(s);
    return 0;
}

int db_segments_deletable(struct db *db, const struct deletable_query *q, segment_row_fn *fn,
                          void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT s.from_us, s.n, s.to_us, s.volume, s.bytes, s.thinned,"
                             " k.camera_id FROM segments s JOIN camera_keys k ON k.key = ?1"
                             " WHERE s.camera = ?1 AND s.stream = ?2"
                             " AND (s.from_us, s.n) >= (?3, ?4)"
                             " AND (?5 = 0 OR s.volume = ?5) AND (?7 = 0 OR s.thinned = 0)" NOT_HELD
                             " ORDER BY s.from_us, s.n LIMIT ?6",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, q->camera);
    stmt_bind_i64(s, 2, q->stream);
    stmt_bind_i64(s, 3, q->from_us);
    stmt_bind_i64(s, 4, q->from_n);
    stmt_bind_i64(s, 5, q->volume);
    stmt_bind_i64(s, 6, (int64_t)q->limit);
    stmt_bind_i64(s, 7, q->is_whole);
    int rc, n = 0;
    while ((rc = stmt_step(s, err)) == 1) {
        struct segment_row row = {.camera = q->camera,
                                  .id.stream = (enum stream_kind)q->stream,
                                  .id.from_us = stmt_i64(s, 0),
                                  .id.n = stmt_i64(s, 1),
                                  .to_us = stmt_i64(s, 2),
                                  .volume = stmt_i64(s, 3),
                                  .bytes = stmt_i64(s, 4),
                                  .is_thinned = stmt_i64(s, 5) != 0,
                                  .is_recorded = true};
        str_copy(row.id.camera_id, sizeof row.id.camera_id, stmt_text(s, 6));
        rc = fn(ctx, &row);
        if (rc < 0)
            break;
        n++;
    }
    stmt_done(s);
    return rc < 0 ? rc : n;
}

static void bind_name(struct stmt *s, const struct segment_row *row)
{
    stmt_bind_i64(s, 1, row->camera);
    stmt_bind_i64(s, 2, row->id.stream);
    stmt_bind_i64(s, 3, row->id.from_us);
    stmt_bind_i64(s, 4, row->id.n);
}

/* 1, or 0: it is held, or gone. */
static int take_away(struct db *db, const struct segment_row *row, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "INSERT OR REPLACE INTO open_segments(camera, stream, from_us, n,"
                             " volume, began, doomed) SELECT camera, stream, from_us, n, volume,"
                             " began, 1 FROM segments s WHERE camera = ?1 AND stream = ?2"
                             " AND from_us = ?3 AND n = ?4" NOT_HELD,
                             err);
    if (s == NULL)
        return -EIO;
    bind_name(s, row);
    int rc = stmt_run(s, err);
    if (rc < 0 || db_changes(db) == 0)
        return rc;
    s = db_stmt(db,
                "DELETE FROM segments WHERE camera = ?1 AND stream = ?2 AND from_us = ?3"
                " AND n = ?4",
                err);
    if (s == NULL)
        return -EIO;
    bind_name(s, row);
    rc = stmt_run(s, err);
    return rc < 0 ? rc : 1;
}

int db_segment_doom(struct db *db, const struct segment_row *row, const char *why, int64_t now_us,
                    struct err *err)
{
    int rc = take_away(db, row, err);
    if (rc <= 0)
        return rc;
    rc = db_ledger_add(db, row, why, now_us, err);
    return rc < 0 ? rc : 1;
}

/* --- thinning --- */

int db_segment_announce(struct db *db, const struct segment_row *twin, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "INSERT INTO open_segments(camera, stream, from_us, n, volume, began,"
                             " doomed) VALUES(?1, ?2, ?3, ?4, ?5, ?6, 1)",
                             err);
    if (s == NULL)
        return -EIO;
    bind_name(s, twin);
    stmt_bind_i64(s, 5, twin->volume);
    stmt_bind_i64(s, 6, twin->began);
    return stmt_run(s, err);
}

int db_segment_replace(struct db *db, const struct segment_row *whole, struct segment_row *twin,
                       int64_t now_us, struct err *err)
{
    int rc = take_away(db, whole, err);
    if (rc <= 0)
        return rc;
    rc = db_segment_finish(db, twin, err);
    struct segment_row freed = *whole;
    freed.bytes = whole->bytes - twin->bytes;
    if (rc >= 0)
        rc = db_ledger_add(db, &freed, "thinned", now_us, err);
    return rc < 0 ? rc : 1;
}

int db_segment_mark_thinned(struct db *db, const struct segment_row *row, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "UPDATE segments SET thinned = 1 WHERE camera = ?1 AND stream = ?2"
                             " AND from_us = ?3 AND n = ?4",
                             err);
    if (s == NULL)
        return -EIO;
    bind_name(s, row);
    return stmt_run(s, err);
}
