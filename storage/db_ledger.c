#include "storage/db_ledger.h"

#include <errno.h>

#include "base/map.h"
#include "storage/db.h"

static void bind_entry(struct stmt *s, const struct segment_row *row, const char *why,
                       int64_t now_us)
{
    stmt_bind_i64(s, 1, row->camera);
    stmt_bind_i64(s, 2, row->id.stream);
    stmt_bind_i64(s, 3, row->id.from_us);
    stmt_bind_i64(s, 4, row->to_us);
    stmt_bind_i64(s, 5, now_us);
    stmt_bind_i64(s, 6, row->bytes);
    stmt_bind_text(s, 7, why);
}

/* Deletion goes from old to new, so a stream's newest entry of a reason grows instead of becoming
 * many. It may grow over an entry of another reason (thinned, then expired). */
static int extend(struct db *db, const struct segment_row *row, const char *why, int64_t now_us,
                  struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "UPDATE OR REPLACE deletions SET to_us = ?4, at_us = ?5,"
                             " segments = segments + 1, bytes = bytes + ?6"
                             " WHERE camera = ?1 AND stream = ?2 AND why = ?7 AND to_us = ?3"
                             " AND from_us = (SELECT from_us FROM deletions WHERE camera = ?1"
                             " AND stream = ?2 AND from_us <= ?3 AND why = ?7"
                             " ORDER BY from_us DESC LIMIT 1)",
                             err);
    if (s == NULL)
        return -EIO;
    bind_entry(s, row, why, now_us);
    int rc = stmt_run(s, err);
    return rc < 0 ? rc : db_changes(db) > 0;
}

int db_ledger_add(struct db *db, const struct segment_row *row, const char *why, int64_t now_us,
                  struct err *err)
{
    int rc = extend(db, row, why, now_us, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    struct stmt *s = db_stmt(db,
                             "INSERT OR REPLACE INTO deletions(camera, stream, from_us, to_us,"
                             " at_us, segments, bytes, why) VALUES(?1, ?2, ?3, ?4, ?5, 1, ?6, ?7)",
                             err);
    if (s == NULL)
        return -EIO;
    bind_entry(s, row, why, now_us);
    return stmt_run(s, err);
}

/* --- finding --- */

#define SELECT_ENTRIES                                                                             \
    "SELECT d.camera, k.camera_id, d.stream, d.from_us, d.to_us, d.at_us, d.segments, d.bytes,"    \
    " d.why FROM deletions d JOIN camera_keys k ON k.key = d.camera "
#define NEWEST_FIRST " ORDER BY d.at_us DESC, d.camera, d.stream, d.from_us, d.to_us"
/* Behind the row of the cursor, in that order. */
#define IN_PAGE                                                                                    \
    "d.to_us > ?1 AND d.from_us < ?2 AND d.at_us <= ?4 AND (?3 IS NULL OR d.why = ?3)"             \
    " AND (d.at_us < ?4 OR (d.camera, d.stream, d.from_us, d.to_us) > (?5, ?6, ?7, ?8))"

/* Walks by time and leaves out what is not in the set; the entries of one camera are few and stand
 * together. */
static struct stmt *prepare(struct db *db, const struct ledger_query *q, int64_t camera,
                            struct err *err)
{
    struct stmt *s;
    if (camera != 0)
        s = db_stmt(db, SELECT_ENTRIES "WHERE d.camera = ?9 AND " IN_PAGE NEWEST_FIRST, err);
    else
        s = db_stmt(db, SELECT_ENTRIES "WHERE " IN_PAGE NEWEST_FIRST, err);
    if (s == NULL)
        return NULL;
    const struct ledger_row *after = &q->after;
    stmt_bind_i64(s, 1, q->from_us);
    stmt_bind_i64(s, 2, q->to_us != 0 ? q->to_us : INT64_MAX);
    stmt_bind_text(s, 3, q->why);
    stmt_bind_i64(s, 4, after->at_us != 0 ? after->at_us : INT64_MAX);
    stmt_bind_i64(s, 5, after->camera);
    stmt_bind_i64(s, 6, after->stream);
    stmt_bind_i64(s, 7, after->from_us);
    stmt_bind_i64(s, 8, after->to_us);
    if (camera != 0)
        stmt_bind_i64(s, 9, camera);
    return s;
}

static struct ledger_row read_entry(struct stmt *s)
{
    return (struct ledger_row){.camera = stmt_i64(s, 0),
                               .camera_id = stmt_text(s, 1),
                               .stream = (enum stream_kind)stmt_i64(s, 2),
                               .from_us = stmt_i64(s, 3),
                               .to_us = stmt_i64(s, 4),
                               .at_us = stmt_i64(s, 5),
                               .segments = stmt_i64(s, 6),
                               .bytes = stmt_i64(s, 7),
                               .why = stmt_text(s, 8)};
}

int db_ledger_find(struct db *db, const struct ledger_query *q, ledger_row_fn *fn, void *ctx,
                   struct err *err)
{
    int64_t camera = 0;
    size_t n = 0;
    if (q->camera_ids != NULL && q->n_cameras == 0)
        return 0;
    if (q->camera_ids != NULL && q->n_cameras == 1 &&
        db_camera_key(db, q->camera_ids[0], false, &camera, NULL) < 0)
        return 0;
    struct stmt *s = prepare(db, q, camera, err);
    if (s == NULL)
        return -EIO;
    struct map *set = q->camera_ids != NULL && camera == 0 ? map_create() : NULL;
    for (size_t i = 0; set != NULL && i < q->n_cameras; i++)
        map_put(set, q->camera_ids[i], set);
    int rc = 0;
    while (n < q->limit && (rc = stmt_step(s, err)) == 1) {
        struct ledger_row row = read_entry(s);
        if (set != NULL && map_get(set, row.camera_id) == NULL)
            continue;
        rc = fn(ctx, &row);
        if (rc < 0)
            break;
        n++;
    }
    stmt_done(s);
    map_destroy(&set);
    return rc < 0 ? rc : (int)n;
}

int db_deletions_in(struct db *db, const char *camera_id, enum stream_kind stream, int64_t from_us,
                    int64_t to_us, deletion_fn *fn, void *ctx, struct err *err)
{
    int64_t camera;
    int rc = db_camera_key(db, camera_id, false, &camera, err);
    if (rc < 0)
        return rc;
    struct stmt *s = db_stmt(db,
                             "SELECT from_us, to_us, why FROM deletions WHERE camera = ?1"
                             " AND stream = ?2 AND from_us < ?4 AND to_us > ?3 ORDER BY from_us",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, stream);
    stmt_bind_i64(s, 3, from_us);
    stmt_bind_i64(s, 4, to_us);
    while ((rc = stmt_step(s, err)) == 1) {
        rc = fn(ctx, stmt_i64(s, 0), stmt_i64(s, 1), stmt_text(s, 2));
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc;
}
