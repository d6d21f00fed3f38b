#include "storage/db_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"
#include "storage/db.h"
#include "storage/db_ledger.h"
#include "storage/list.h"

struct day {
    int64_t until_us;
    segment_row_fn *fn;
    void *ctx;
};

static int give_until(void *ctx, const struct segment_row *row)
{
    struct day *d = ctx;
    return row->id.from_us >= d->until_us ? ERR_EOF : d->fn(d->ctx, row);
}

int db_check_day(struct db *db, const char *camera_id, enum stream_kind stream, int64_t from_us,
                 int64_t to_us, segment_row_fn *fn, void *ctx, struct err *err)
{
    struct day d = {to_us, fn, ctx};
    int rc =
        db_segments_from(db, camera_id, stream, from_us - SEGMENT_LIMIT_US, 0, give_until, &d, err);
    return rc == ERR_EOF || rc == ERR_NOT_FOUND ? 0 : rc;
}

struct of_stream {
    const char *camera_id;
    enum stream_kind stream;
    segment_row_fn *fn;
    void *ctx;
};

static int give_of_stream(void *ctx, const struct segment_row *row)
{
    const struct of_stream *o = ctx;
    bool is_its = row->id.stream == o->stream && strcmp(row->id.camera_id, o->camera_id) == 0;
    return is_its ? o->fn(o->ctx, row) : 0;
}

/* The table is as short as there are cameras. */
int db_check_unsettled(struct db *db, const char *camera_id, enum stream_kind stream,
                       segment_row_fn *fn, void *ctx, struct err *err)
{
    struct of_stream o = {camera_id, stream, fn, ctx};
    return db_segments_unsettled(db, give_of_stream, &o, err);
}

int db_check_next(struct db *db, int64_t camera, enum stream_kind stream, int64_t from_us,
                  int64_t *out_us, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT from_us FROM segments WHERE camera = ?1 AND stream = ?2"
                             " AND from_us >= ?3 ORDER BY from_us LIMIT 1",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, stream);
    stmt_bind_i64(s, 3, from_us);
    return stmt_number(s, out_us, err);
}

int db_check_cameras(struct db *db, camera_key_fn *fn, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT k.key, k.camera_id, c.id IS NOT NULL FROM camera_keys k"
                             " LEFT JOIN cameras c ON c.id = k.camera_id ORDER BY k.key",
                             err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        rc = fn(ctx, stmt_i64(s, 0), stmt_text(s, 1), stmt_i64(s, 2) != 0);
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc;
}

/* --- contradictions --- */

/* Each gives one sentence per row. The first parameter, where there is one, is older_us. */
static const struct {
    const char *sql;
    bool has_bound, is_note;
} contradictions[] = {
    {"SELECT 'both settled and not: camera ' || k.camera_id || ', ' ||"
     " strftime('%Y-%m-%dT%H:%M:%SZ', o.from_us / 1000000, 'unixepoch') || ', number ' || o.n"
     " FROM open_segments o JOIN segments s ON s.camera = o.camera AND s.stream = o.stream"
     " AND s.from_us = o.from_us AND s.n = o.n JOIN camera_keys k ON k.key = o.camera",
     false, false},
    {"SELECT 'deleted without an entry in the ledger: camera ' || k.camera_id || ', ' ||"
     " strftime('%Y-%m-%dT%H:%M:%SZ', o.from_us / 1000000, 'unixepoch')"
     " FROM open_segments o JOIN camera_keys k ON k.key = o.camera WHERE o.doomed"
     " AND NOT EXISTS(SELECT 1 FROM deletions d WHERE d.camera = o.camera"
     " AND d.stream = o.stream AND d.from_us <= o.from_us AND d.to_us > o.from_us)",
     false, false},
    {"SELECT 'a hold of ' || h.user || ' on a camera that has no name' FROM holds h"
     " WHERE h.released_us = 0 AND h.camera NOT IN (SELECT key FROM camera_keys)",
     false, false},
    {"SELECT 'a hold of ' || h.user || ' on camera ' || k.camera_id ||"
     " ' holds nothing: nothing of its time is recorded'"
     " FROM holds h JOIN camera_keys k ON k.key = h.camera"
     " WHERE h.released_us = 0 AND h.to_us < ?1 AND NOT EXISTS(SELECT 1 FROM segments s"
     " WHERE s.camera = h.camera AND s.stream IN (0, 1) AND s.from_us > h.from_us - 3600000000"
     " AND s.from_us < h.to_us AND s.to_us > h.from_us)",
     true, true},
};

static int check_one(struct db *db, size_t i, int64_t older_us, db_check_fn *fn, void *ctx,
                     struct err *err)
{
    struct stmt *s = db_stmt(db, contradictions[i].sql, err);
    if (s == NULL)
        return -EIO;
    if (contradictions[i].has_bound)
        stmt_bind_i64(s, 1, older_us);
    int rc;
    while ((rc = stmt_step(s, err)) == 1)
        fn(ctx, stmt_text(s, 0), contradictions[i].is_note);
    stmt_done(s);
    return rc;
}

/* --- totals: one walk over all rows, since sorting 20 million by volume takes longer --- */

struct total {
    int64_t volume, n, bytes;
};

struct totals {
    struct total *list;
    size_t n;
};

static struct total *total_of(struct totals *t, int64_t volume)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->list[i].volume == volume)
            return &t->list[i];
    t->list = list_room(t->list, t->n, sizeof *t->list);
    t->list[t->n] = (struct total){.volume = volume};
    return &t->list[t->n++];
}

static int sum_up(struct db *db, struct totals *out, struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT volume, bytes FROM segments", err);
    struct total *t = NULL;
    int rc = -EIO;
    while (s != NULL && (rc = stmt_step(s, err)) == 1) {
        int64_t volume = stmt_i64(s, 0);
        if (t == NULL || t->volume != volume)
            t = total_of(out, volume);
        t->n++;
        t->bytes += stmt_i64(s, 1);
    }
    if (s != NULL)
        stmt_done(s);
    return rc;
}

static int check_totals(struct db *db, db_check_fn *fn, void *ctx, struct err *err)
{
    struct totals totals = {0};
    char text[700];
    int rc = sum_up(db, &totals, err);
    struct stmt *s =
        rc == 0 ? db_stmt(db, "SELECT key, path, segments, bytes FROM volumes", err) : NULL;
    while (s != NULL && (rc = stmt_step(s, err)) == 1) {
        struct total *t = total_of(&totals, stmt_i64(s, 0));
        int64_t n = stmt_i64(s, 2), bytes = stmt_i64(s, 3);
        snprintf(text, sizeof text,
                 "volume %s: %" PRId64 " segments of %" PRId64 " bytes, counted as %" PRId64
                 " of %" PRId64,
                 stmt_text(s, 1), t->n, t->bytes, n, bytes);
        if (t->n != n || t->bytes != bytes)
            fn(ctx, text, false);
        t->n = 0;
    }
    if (s != NULL)
        stmt_done(s);
    for (size_t i = 0; i < totals.n && rc == 0; i++) {
        snprintf(text, sizeof text, "%" PRId64 " segments of a volume that is not known",
                 totals.list[i].n);
        if (totals.list[i].n > 0)
            fn(ctx, text, false);
    }
    free(totals.list);
    return rc;
}

int db_check_rows(struct db *db, int64_t older_us, db_check_fn *fn, void *ctx, struct err *err)
{
    int rc = check_totals(db, fn, ctx, err);
    for (size_t i = 0; i < ARRAY_LEN(contradictions) && rc >= 0; i++)
        rc = check_one(db, i, older_us, fn, ctx, err);
    return rc;
}

int db_check_volumes(struct db *db, db_check_volume_fn *fn, void *ctx, struct err *err)
{
    struct stmt *s =
        db_stmt(db, "SELECT key, path, segments FROM volumes WHERE segments > 0 ORDER BY key", err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        rc = fn(ctx, stmt_i64(s, 0), stmt_text(s, 1), stmt_i64(s, 2));
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc < 0 ? rc : 0;
}

/* --- replacing --- */

struct old_rows {
    struct segment_row *list;
    size_t n;
    int64_t from_us;
};

static int add_old(void *ctx, const struct segment_row *row)
{
    struct old_rows *o = ctx;
    if (row->id.from_us < o->from_us)
        return 0;
    o->list = list_room(o->list, o->n, sizeof *o->list);
    o->list[o->n++] = *row;
    return 0;
}

/* A name tells milliseconds and the number. */
static bool has_name(const struct check_replace *r, const struct segment_row *row)
{
    for (size_t i = 0; i < r->n_rows; i++)
        if (r->rows[i].id.n == row->id.n && r->rows[i].id.from_us / 1000 == row->id.from_us / 1000)
            return true;
    return false;
}

static int delete_row(struct db *db, const struct segment_row *row, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "DELETE FROM segments WHERE camera = ?1 AND stream = ?2"
                             " AND from_us = ?3 AND n = ?4",
                             err);
    if (s == NULL)
        return -EIO;
    const int64_t key[] = {row->camera, row->id.stream, row->id.from_us, row->id.n};
    for (int i = 0; i < (int)ARRAY_LEN(key); i++)
        stmt_bind_i64(s, i + 1, key[i]);
    return stmt_run(s, err);
}

/* The ends of the day's chains are learnt anew from the files, too. */
static int delete_chains(struct db *db, const struct check_replace *r, struct err *err)
{
    int64_t camera;
    int rc = db_camera_key(db, r->camera_id, true, &camera, err);
    struct stmt *s = rc == 0 ? db_stmt(db,
                                       "DELETE FROM chains WHERE camera = ?1 AND stream = ?2"
                                       " AND first_us >= ?3 AND first_us < ?4",
                                       err)
                             : NULL;
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, r->stream);
    stmt_bind_i64(s, 3, r->from_us);
    stmt_bind_i64(s, 4, r->to_us);
    return stmt_run(s, err);
}

int db_check_replace(struct db *db, const struct check_replace *r, uint64_t *out_missing,
                     struct err *err)
{
    struct old_rows old = {.from_us = r->from_us};
    int rc = db_check_day(db, r->camera_id, r->stream, r->from_us, r->to_us, add_old, &old, err);
    if (rc >= 0)
        rc = delete_chains(db, r, err);
    for (size_t i = 0; i < old.n && rc >= 0; i++) {
        rc = delete_row(db, &old.list[i], err);
        if (rc < 0 || has_name(r, &old.list[i]))
            continue;
        ++*out_missing;
        rc = db_ledger_add(db, &old.list[i], "missing", r->now_us, err);
    }
    for (size_t i = 0; i < r->n_rows && rc >= 0; i++)
        rc = db_segment_finish(db, &r->rows[i], err);
    free(old.list);
    return rc < 0 ? rc : 0;
}
