#include "storage/db_events.h"

#include <errno.h>

#include "base/map.h"
#include "base/str.h"
#include "storage/db.h"
#include "storage/db_segments.h"

/* No event is longer than this, so a range is found by its beginnings. */
#define EVENT_LIMIT_US (INT64_C(86400) * 1000000)

static void bind_event(struct stmt *s, int first, const struct event *e)
{
    stmt_bind_i64(s, first, e->to_us);
    stmt_bind_i64(s, first + 1, e->is_open);
    stmt_bind_double(s, first + 2, e->score);
    stmt_bind_double(s, first + 3, e->x);
    stmt_bind_double(s, first + 4, e->y);
    stmt_bind_double(s, first + 5, e->w);
    stmt_bind_double(s, first + 6, e->h);
}

int db_event_add(struct db *db, const struct event *e, int64_t *out_id, struct err *err)
{
    int64_t camera;
    int rc = db_camera_key(db, e->camera_id, true, &camera, err);
    if (rc < 0)
        return rc;
    struct stmt *s = db_stmt(db,
                             "INSERT INTO events(camera, type, from_us, to_us, open, score,"
                             " x, y, w, h) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, e->type);
    stmt_bind_i64(s, 3, e->from_us);
    bind_event(s, 4, e);
    rc = stmt_run(s, err);
    *out_id = db_last_id(db);
    return rc;
}

int db_event_update(struct db *db, int64_t id, const struct event *e, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "UPDATE events SET to_us = ?2, open = ?3, score = ?4, x = ?5,"
                             " y = ?6, w = ?7, h = ?8 WHERE id = ?1",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, id);
    bind_event(s, 2, e);
    int rc = stmt_run(s, err);
    if (rc == 0 && db_changes(db) == 0)
        return err_set(err, ERR_NOT_FOUND, "event %lld", (long long)id);
    return rc;
}

static void read_event(struct stmt *s, struct event_row *row)
{
    *row = (struct event_row){.id = stmt_i64(s, 0),
                              .event = {.type = (enum event_type)stmt_i64(s, 2),
                                        .from_us = stmt_i64(s, 3),
                                        .to_us = stmt_i64(s, 4),
                                        .is_open = stmt_i64(s, 5) != 0,
                                        .score = stmt_double(s, 6),
                                        .x = stmt_double(s, 7),
                                        .y = stmt_double(s, 8),
                                        .w = stmt_double(s, 9),
                                        .h = stmt_double(s, 10)}};
    str_copy(row->event.camera_id, sizeof row->event.camera_id, stmt_text(s, 1));
}

#define SELECT_EVENTS                                                                              \
    "SELECT e.id, k.camera_id, e.type, e.from_us, e.to_us, e.open, e.score, e.x, e.y, e.w, e.h"    \
    " FROM events e JOIN camera_keys k ON k.key = e.camera "

/* Walks by time and leaves out what is not in the set: newest events are wanted, and most scopes
 * hold a good part of the district. One camera has an index of its own. */
static struct stmt *prepare(struct db *db, const struct event_query *q, int64_t camera,
                            struct err *err)
{
    struct stmt *s;
    if (camera != 0)
        s = db_stmt(
            db,
            SELECT_EVENTS
            "WHERE e.camera = ?6 AND e.from_us < ?1 AND e.from_us > ?2 - ?7 AND e.to_us >= ?2"
            " AND (?3 < 0 OR e.type = ?3) AND (e.from_us, e.id) < (?4, ?5)"
            " ORDER BY e.from_us DESC, e.id DESC",
            err);
    else
        s = db_stmt(db,
                    SELECT_EVENTS "WHERE e.from_us < ?1"
                                  " AND e.from_us > ?2 - ?7 AND e.to_us >= ?2"
                                  " AND (?3 < 0 OR e.type = ?3) AND (e.from_us, e.id) < (?4, ?5)"
                                  " ORDER BY e.from_us DESC, e.id DESC",
                    err);
    if (s == NULL)
        return NULL;
    stmt_bind_i64(s, 1, q->to_us != 0 ? q->to_us : INT64_MAX);
    stmt_bind_i64(s, 2, q->from_us);
    stmt_bind_i64(s, 3, q->type);
    stmt_bind_i64(s, 4, q->before_from_us != 0 ? q->before_from_us : INT64_MAX);
    stmt_bind_i64(s, 5, q->before_from_us != 0 ? q->before_id : INT64_MAX);
    if (camera != 0)
        stmt_bind_i64(s, 6, camera);
    stmt_bind_i64(s, 7, EVENT_LIMIT_US);
    return s;
}

int db_events_find(struct db *db, const struct event_query *q, event_row_fn *fn, void *ctx,
                   struct err *err)
{
    int64_t camera = 0;
    size_t n = 0, limit = q->limit != 0 ? q->limit : 100;
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
    while (n < limit && (rc = stmt_step(s, err)) == 1) {
        struct event_row row;
        if (set != NULL && map_get(set, stmt_text(s, 1)) == NULL)
            continue;
        read_event(s, &row);
        rc = fn(ctx, &row);
        if (rc < 0)
            break;
        n++;
    }
    stmt_done(s);
    map_destroy(&set);
    return rc < 0 ? rc : (int)n;
}

int db_events_in(struct db *db, const char *camera_id, int64_t from_us, int64_t to_us,
                 event_row_fn *fn, void *ctx, struct err *err)
{
    int64_t camera;
    int rc = db_camera_key(db, camera_id, false, &camera, NULL);
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    struct stmt *s = db_stmt(db,
                             SELECT_EVENTS "WHERE e.camera = ?1 AND e.from_us > ?2"
                                           " AND e.from_us < ?4 AND e.to_us >= ?3"
                                           " ORDER BY e.from_us, e.id",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, from_us - EVENT_LIMIT_US);
    stmt_bind_i64(s, 3, from_us);
    stmt_bind_i64(s, 4, to_us);
    while ((rc = stmt_step(s, err)) == 1) {
        struct event_row row;
        read_event(s, &row);
        rc = fn(ctx, &row);
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc;
}

int db_events_expire(struct db *db, int64_t before_us, size_t limit, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "DELETE FROM events WHERE id IN (SELECT id FROM events"
                             " WHERE from_us < ?1 AND to_us < ?1 AND open = 0"
                             " ORDER BY from_us LIMIT ?2)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, before_us);
    stmt_bind_i64(s, 2, (int64_t)limit);
    int rc = stmt_run(s, err);
    return rc < 0 ? rc : (int)db_changes(db);
}
