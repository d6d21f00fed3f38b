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

struct candidates {
    struct segment_row *rows;
    size_t n, cap;
};

static int add_rows(struct stmt *s, struct candidates *c, struct err *err)
{
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        if (c->n == c->cap) {
            c->cap = MAX(64, c->cap * 2);
            c->rows = xrealloc(c->rows, c->cap * sizeof *c->rows);
        }
        struct segment_row *row = &c->rows[c->n++];
        *row = (struct segment_row){.camera = stmt_i64(s, 0),
                                    .id.stream = (enum stream_kind)stmt_i64(s, 1),
                                    .id.from_us = stmt_i64(s, 2),
                                    .id.n = stmt_i64(s, 3),
                                    .to_us = stmt_i64(s, 4),
                                    .volume = stmt_i64(s, 5),
                                    .bytes = stmt_i64(s, 6),
                                    .is_recorded = true};
        str_copy(row->id.camera_id, sizeof row->id.camera_id, stmt_text(s, 7));
    }
    stmt_done(s);
    return rc;
}

static int oldest_first(const void *pa, const void *pb)
{
    const struct segment_row *a = pa, *b = pb;
    return (a->id.from_us > b->id.from_us) - (a->id.from_us < b->id.from_us);
}

static int give(struct candidates *c, size_t limit, segment_row_fn *fn, void *ctx)
{
    int rc = 0;
    if (c->n > 0)
        qsort(c->rows, c->n, sizeof *c->rows, oldest_first);
    for (size_t i = 0; i < c->n && i < limit && rc >= 0; i++)
        rc = fn(ctx, &c->rows[i]);
    free(c->rows);
    return rc < 0 ? rc : (int)MIN(c->n, limit);
}

/* Runs `sql` (parameters: camera, stream, bound, limit) for every stream that has segments. */
static int each_stream(struct db *db, const char *sql, bool is_age, int64_t bound, int default_days,
                       struct candidates *c, struct err *err)
{
    struct stmt *streams = db_stmt(db,
                                   "SELECT k.key, m.stream, coalesce(cam.retention_days, 0)"
                                   " FROM camera_keys k"
                                   " JOIN (SELECT 0 AS stream UNION ALL SELECT 1) m"
                                   " LEFT JOIN cameras cam ON cam.id = k.camera_id",
                                   err);
    if (streams == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(streams, err)) == 1) {
        struct stmt *s = db_stmt(db, sql, err);
        if (s == NULL) {
            rc = -EIO;
            break;
        }
        int64_t days = stmt_i64(streams, 2) > 0 ? stmt_i64(streams, 2) : default_days;
        stmt_bind_i64(s, 1, stmt_i64(streams, 0));
        stmt_bind_i64(s, 2, stmt_i64(streams, 1));
        stmt_bind_i64(s, 3, is_age ? bound - days * 86400 * INT64_C(1000000) : bound);
        rc = add_rows(s, c, err);
        if (rc < 0)
            break;
    }
    stmt_done(streams);
    return rc;
}

int db_segments_expired(struct db *db, int64_t now_us, int default_days, size_t limit,
                        segment_row_fn *fn, void *ctx, struct err *err)
{
    static const char sql[] = "SELECT s.camera, s.stream, s.from_us, s.n, s.to_us, s.volume,"
                              " s.bytes, k.camera_id FROM segments s"
                              " JOIN camera_keys k ON k.key = s.camera"
                              " WHERE s.camera = ?1 AND s.stream = ?2 AND s.from_us < ?3"
                              " AND s.to_us <= ?3" NOT_HELD " ORDER BY s.from_us LIMIT 64";
    struct candidates c = {0};
    int rc = each_stream(db, sql, true, now_us, default_days, &c, err);
    if (rc < 0) {
        free(c.rows);
        return rc;
    }
    return give(&c, limit, fn, ctx);
}

int db_segments_oldest(struct db *db, int64_t volume, size_t limit, segment_row_fn *fn, void *ctx,
                       struct err *err)
{
    static const char sql[] = "SELECT s.camera, s.stream, s.from_us, s.n, s.to_us, s.volume,"
                              " s.bytes, k.camera_id FROM segments s"
                              " JOIN camera_keys k ON k.key = s.camera"
                              " WHERE s.camera = ?1 AND s.stream = ?2 AND s.volume = ?3" NOT_HELD
                              " ORDER BY s.from_us LIMIT 8";
    struct candidates c = {0};
    int rc = each_stream(db, sql, false, volume, 0, &c, err);
    if (rc < 0) {
        free(c.rows);
        return rc;
    }
    return give(&c, limit, fn, ctx);
}

int db_segment_doom(struct db *db, const struct segment_row *row, const char *why, int64_t now_us,
                    struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "INSERT OR REPLACE INTO open_segments(camera, stream, from_us, n,"
                             " volume, began, doomed) SELECT camera, stream, from_us, n, volume,"
                             " began, 1 FROM segments s WHERE camera = ?1 AND stream = ?2"
                             " AND from_us = ?3 AND n = ?4" NOT_HELD,
                             err);
    if (s == NULL)
        return -EIO;
    const int64_t key[] = {row->camera, row->id.stream, row->id.from_us, row->id.n};
    for (int i = 0; i < (int)ARRAY_LEN(key); i++)
        stmt_bind_i64(s, i + 1, key[i]);
    int rc = stmt_run(s, err);
    if (rc < 0 || db_changes(db) == 0)
        return rc;
    s = db_stmt(db,
                "DELETE FROM segments WHERE camera = ?1 AND stream = ?2 AND from_us = ?3"
                " AND n = ?4",
                err);
    if (s == NULL)
        return -EIO;
    for (int i = 0; i < (int)ARRAY_LEN(key); i++)
        stmt_bind_i64(s, i + 1, key[i]);
    rc = stmt_run(s, err);
    if (rc == 0)
        rc = db_ledger_add(db, row, why, now_us, err);
    return rc < 0 ? rc : 1;
}
