#include "storage/db_segments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "storage/db.h"
#include "storage/db_chains.h"

int db_camera_key(struct db *db, const char *camera_id, bool is_created, int64_t *out,
                  struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT key FROM camera_keys WHERE camera_id = ?1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, camera_id);
    int rc = stmt_step(s, err);
    if (rc == 1)
        *out = stmt_i64(s, 0);
    stmt_done(s);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (!is_created)
        return err_text(err, ERR_NOT_FOUND, "camera %s has no recordings", camera_id);
    s = db_stmt(db, "INSERT INTO camera_keys(camera_id) VALUES(?1)", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, camera_id);
    rc = stmt_run(s, err);
    *out = db_last_id(db);
    return rc;
}

/* --- holes: "from-to from-to", NULL for nearly every segment --- */

enum { HOLES_TEXT_BYTES = SEGMENT_HOLES_MAX * 42 };

static const char *print_holes(const struct segment_holes *holes, char *dst)
{
    int at = 0;
    for (size_t i = 0; i < holes->n; i++)
        at += snprintf(dst + at, HOLES_TEXT_BYTES - (size_t)at, "%" PRId64 "-%" PRId64 " ",
                       holes->list[i].from_us, holes->list[i].to_us);
    return dst;
}

static void parse_holes(const char *text, struct segment_holes *out)
{
    char *end;
    for (out->n = 0; *text != '\0' && out->n < SEGMENT_HOLES_MAX; text = end + 1) {
        struct segment_hole *hole = &out->list[out->n];
        hole->from_us = strtoll(text, &end, 10);
        if (*end != '-')
            return;
        hole->to_us = strtoll(end + 1, &end, 10);
        if (*end != ' ')
            return;
        out->n++;
    }
}

struct segment_hole segment_row_piece(const struct segment_row *row, size_t i)
{
    return (struct segment_hole){
        .from_us = i > 0 ? row->holes.list[i - 1].to_us : row->id.from_us,
        .to_us = i < row->holes.n ? row->holes.list[i].from_us : row->to_us,
    };
}

/* --- unsettled files --- */

int db_segment_open(struct db *db, struct segment_row *row, struct err *err)
{
    int rc = db_camera_key(db, row->id.camera_id, true, &row->camera, err);
    if (rc < 0)
        return rc;
    struct stmt *s = db_stmt(db,
                             "INSERT INTO open_segments(camera, stream, from_us, n, volume, began)"
                             " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, row->camera);
    stmt_bind_i64(s, 2, row->id.stream);
    stmt_bind_i64(s, 3, row->id.from_us);
    stmt_bind_i64(s, 4, row->id.n);
    stmt_bind_i64(s, 5, row->volume);
    stmt_bind_i64(s, 6, row->began);
    rc = stmt_run(s, err);
    if (rc >= 0)
        rc = db_chain_newest(db, row->camera, row->id.stream, &row->chain.before, err);
    return rc < 0 ? rc : 0;
}

int db_segment_forget(struct db *db, const struct segment_row *row, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "DELETE FROM open_segments WHERE camera = ?1 AND stream = ?2"
                             " AND from_us = ?3 AND n = ?4",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, row->camera);
    stmt_bind_i64(s, 2, row->id.stream);
    stmt_bind_i64(s, 3, row->id.from_us);
    stmt_bind_i64(s, 4, row->id.n);
    return stmt_run(s, err);
}

int db_segment_finish(struct db *db, struct segment_row *row, struct err *err)
{
    int rc = db_camera_key(db, row->id.camera_id, true, &row->camera, err);
    if (rc < 0)
        return rc;
    struct stmt *s = db_stmt(db,
                             "INSERT OR REPLACE INTO segments(camera, stream, from_us, n, to_us,"
                             " volume, bytes, frames, lost_packets, began, ended, thinned, holes)"
                             " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                             err);
    if (s == NULL)
        return -EIO;
    const int64_t values[] = {row->camera,       row->id.stream, row->id.from_us, row->id.n,
                              row->to_us,        row->volume,    row->bytes,      row->frames,
                              row->lost_packets, row->began,     row->ended,      row->is_thinned};
    for (int i = 0; i < (int)ARRAY_LEN(values); i++)
        stmt_bind_i64(s, i + 1, values[i]);
    char holes[HOLES_TEXT_BYTES];
    if (row->holes.n > 0)
        stmt_bind_text(s, (int)ARRAY_LEN(values) + 1, print_holes(&row->holes, holes));
    rc = stmt_run(s, err);
    if (rc >= 0)
        rc = db_chain_add(db, row, err);
    return rc < 0 ? rc : db_segment_forget(db, row, err);
}

int db_segment_is_unsettled(struct db *db, const struct segment_id *id, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT 1 FROM open_segments o JOIN camera_keys k ON k.key = o.camera"
                             " WHERE k.camera_id = ?1 AND o.stream = ?2 AND o.from_us >= ?3"
                             " AND o.from_us < ?3 + 1000 AND o.n = ?4",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, id->camera_id);
    stmt_bind_i64(s, 2, id->stream);
    stmt_bind_i64(s, 3, id->from_us / 1000 * 1000);
    stmt_bind_i64(s, 4, id->n);
    int rc = stmt_step(s, err);
    stmt_done(s);
    return rc;
}

int db_segments_unsettled(struct db *db, segment_row_fn *fn, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT o.camera, k.camera_id, o.stream, o.from_us, o.n, o.volume,"
                             " o.began, o.doomed FROM open_segments o"
                             " JOIN camera_keys k ON k.key = o.camera",
                             err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        struct segment_row row = {.camera = stmt_i64(s, 0),
                                  .id.stream = (enum stream_kind)stmt_i64(s, 2),
                                  .id.from_us = stmt_i64(s, 3),
                                  .id.n = stmt_i64(s, 4),
                                  .volume = stmt_i64(s, 5),
                                  .began = (enum segment_edge)stmt_i64(s, 6),
                                  .is_doomed = stmt_i64(s, 7) != 0};
        str_copy(row.id.camera_id, sizeof row.id.camera_id, stmt_text(s, 1));
        rc = fn(ctx, &row);
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc;
}

/* --- finished segments --- */

/* Columns of every query that gives rows, in this order. */
#define COLUMNS                                                                                    \
    "s.camera, s.stream, s.from_us, s.n, s.to_us, s.volume, s.bytes, s.frames, s.lost_packets,"    \
    " s.began, s.ended, s.thinned, s.holes"

static void read_row(struct stmt *s, const char *camera_id, struct segment_row *row)
{
    *row = (struct segment_row){.camera = stmt_i64(s, 0),
                                .id.stream = (enum stream_kind)stmt_i64(s, 1),
                                .id.from_us = stmt_i64(s, 2),
                                .id.n = stmt_i64(s, 3),
                                .to_us = stmt_i64(s, 4),
                                .volume = stmt_i64(s, 5),
                                .bytes = stmt_i64(s, 6),
                                .frames = stmt_i64(s, 7),
                                .lost_packets = stmt_i64(s, 8),
                                .began = (enum segment_edge)stmt_i64(s, 9),
                                .ended = (enum segment_edge)stmt_i64(s, 10),
                                .is_thinned = stmt_i64(s, 11) != 0,
                                .is_recorded = true};
    parse_holes(stmt_text(s, 12), &row->holes);
    str_copy(row->id.camera_id, sizeof row->id.camera_id, camera_id);
}

/* camera_id NULL: it is the column after COLUMNS. */
static int each_row(struct stmt *s, const char *camera_id, segment_row_fn *fn, void *ctx,
                    struct err *err)
{
    int rc, n = 0;
    while ((rc = stmt_step(s, err)) == 1) {
        struct segment_row row;
        read_row(s, camera_id != NULL ? camera_id : stmt_text(s, 13), &row);
        rc = fn(ctx, &row);
        if (rc < 0)
            break;
        n++;
    }
    stmt_done(s);
    return rc < 0 ? rc : n;
}

int db_segments_in(struct db *db, const char *camera_id, enum stream_kind stream, int64_t from_us,
                   int64_t to_us, segment_row_fn *fn, void *ctx, struct err *err)
{
    int64_t camera = 0;
    int rc = db_camera_key(db, camera_id, false, &camera, err);
    if (rc < 0)
        return rc;
    struct stmt *s = db_stmt(db,
                             "SELECT " COLUMNS " FROM segments s WHERE s.camera = ?1"
                             " AND s.stream = ?2 AND s.from_us > ?3 AND s.from_us < ?5"
                             " AND s.to_us > ?4 ORDER BY s.from_us, s.n",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, stream);
    stmt_bind_i64(s, 3, from_us - SEGMENT_LIMIT_US);
    stmt_bind_i64(s, 4, from_us);
    stmt_bind_i64(s, 5, to_us);
    rc = each_row(s, camera_id, fn, ctx, err);
    return rc < 0 ? rc : 0;
}

static int walk(struct db *db, struct stmt *s, const char *camera_id, enum stream_kind stream,
                int64_t from_us, int64_t n, segment_row_fn *fn, void *ctx, struct err *err)
{
    int64_t camera = 0;
    if (s == NULL)
        return -EIO;
    int rc = db_camera_key(db, camera_id, false, &camera, err);
    if (rc < 0)
        return rc;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, stream);
    stmt_bind_i64(s, 3, from_us);
    stmt_bind_i64(s, 4, n);
    rc = each_row(s, camera_id, fn, ctx, err);
    return rc < 0 ? rc : 0;
}

int db_segments_from(struct db *db, const char *camera_id, enum stream_kind stream, int64_t from_us,
                     int64_t n, segment_row_fn *fn, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT " COLUMNS " FROM segments s WHERE s.camera = ?1"
                             " AND s.stream = ?2 AND (s.from_us, s.n) >= (?3, ?4)"
                             " ORDER BY s.from_us, s.n",
                             err);
    return walk(db, s, camera_id, stream, from_us, n, fn, ctx, err);
}

int db_segments_before(struct db *db, const char *camera_id, enum stream_kind stream,
                       int64_t from_us, int64_t n, segment_row_fn *fn, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT " COLUMNS " FROM segments s WHERE s.camera = ?1"
                             " AND s.stream = ?2 AND (s.from_us, s.n) < (?3, ?4)"
                             " ORDER BY s.from_us DESC, s.n DESC",
                             err);
    return walk(db, s, camera_id, stream, from_us, n, fn, ctx, err);
}

static int copy_row(void *ctx, const struct segment_row *row)
{
    *(struct segment_row *)ctx = *row;
    return 0;
}

int db_segment_get(struct db *db, const struct segment_id *id, struct segment_row *out,
                   struct err *err)
{
    int64_t camera = 0;
    int rc = db_camera_key(db, id->camera_id, false, &camera, err);
    if (rc < 0)
        return rc;
    /* a path tells milliseconds only; n tells the rest */
    struct stmt *s = db_stmt(db,
                             "SELECT " COLUMNS " FROM segments s WHERE s.camera = ?1"
                             " AND s.stream = ?2 AND s.from_us >= ?3 AND s.from_us < ?3 + 1000"
                             " AND s.n = ?4",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, id->stream);
    stmt_bind_i64(s, 3, id->from_us / 1000 * 1000);
    stmt_bind_i64(s, 4, id->n);
    rc = each_row(s, id->camera_id, copy_row, out, err);
    return rc == 0 ? ERR_NOT_FOUND : rc < 0 ? rc : 0;
}

int db_segments_page(struct db *db, struct segment_row *after, size_t limit, segment_row_fn *fn,
                     void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT " COLUMNS ", k.camera_id FROM segments s"
                             " JOIN camera_keys k ON k.key = s.camera"
                             " WHERE (s.camera, s.stream, s.from_us, s.n) > (?1, ?2, ?3, ?4)"
                             " ORDER BY s.camera, s.stream, s.from_us, s.n LIMIT ?5",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, after->camera);
    stmt_bind_i64(s, 2, after->id.stream);
    stmt_bind_i64(s, 3, after->id.from_us);
    stmt_bind_i64(s, 4, after->id.n);
    stmt_bind_i64(s, 5, (int64_t)limit);
    int rc, n = 0;
    while ((rc = stmt_step(s, err)) == 1) {
        read_row(s, stmt_text(s, 13), after);
        rc = fn(ctx, after);
        if (rc < 0)
            break;
        n++;
    }
    stmt_done(s);
    return rc < 0 ? rc : n;
}

int db_segment_totals(struct db *db, struct segment_totals *out, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT sum(segments), sum(bytes), (SELECT min((SELECT s.from_us"
                             " FROM segments s WHERE s.camera = k.key AND s.stream = m.stream"
                             " ORDER BY s.from_us LIMIT 1)) FROM camera_keys k,"
                             " (SELECT 0 AS stream UNION ALL SELECT 1) m) FROM volumes",
                             err);
    if (s == NULL)
        return -EIO;
    int rc = stmt_step(s, err);
    if (rc == 1)
        *out = (struct segment_totals){stmt_i64(s, 0), stmt_i64(s, 1), stmt_i64(s, 2)};
    stmt_done(s);
    return rc < 0 ? rc : 0;
}

int db_segment_begins_in(struct db *db, int64_t camera, enum stream_kind stream, int64_t from_us,
                         int64_t to_us, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT EXISTS(SELECT 1 FROM segments WHERE camera = ?1"
                             " AND stream = ?2 AND from_us >= ?3 AND from_us < ?4)"
                             " OR EXISTS(SELECT 1 FROM open_segments WHERE camera = ?1"
                             " AND stream = ?2 AND from_us >= ?3 AND from_us < ?4)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, stream);
    stmt_bind_i64(s, 3, from_us);
    stmt_bind_i64(s, 4, to_us);
    int rc = stmt_step(s, err);
    if (rc == 1)
        rc = stmt_i64(s, 0) != 0;
    stmt_done(s);
    return rc;
}
