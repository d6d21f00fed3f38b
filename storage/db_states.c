#include "storage/db_states.h"

#include <errno.h>

#include "base/str.h"
#include "storage/db.h"
#include "storage/db_segments.h"

/* 1 = the newest state says the same but for its detail. */
static int is_same(struct db *db, int64_t camera, const struct state_row *row, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT 1 FROM states WHERE camera = ?1 AND stream = ?2"
                             " AND to_us IS NULL AND cause = ?3 AND reachable = ?4"
                             " AND advancing = ?5 AND recording = ?6 AND asked = ?7",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, row->stream);
    stmt_bind_text(s, 3, row->cause);
    stmt_bind_i64(s, 4, row->is_reachable);
    stmt_bind_i64(s, 5, row->is_advancing);
    stmt_bind_i64(s, 6, row->is_recording);
    stmt_bind_i64(s, 7, !row->is_unasked);
    int rc = stmt_step(s, err);
    stmt_done(s);
    return rc;
}

/* A clock that stepped back must not make a state end before it began. */
static int end_open(struct db *db, int64_t camera, enum stream_kind stream, int64_t to_us,
                    struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "UPDATE states SET to_us = max(from_us, ?3) WHERE camera = ?1"
                             " AND stream = ?2 AND to_us IS NULL",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, stream);
    stmt_bind_i64(s, 3, to_us);
    return stmt_run(s, err);
}

int db_state_change(struct db *db, const struct state_row *row, struct err *err)
{
    int64_t camera;
    int rc = db_camera_key(db, row->camera_id, true, &camera, err);
    if (rc == 0)
        rc = is_same(db, camera, row, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = end_open(db, camera, row->stream, row->from_us, err);
    if (rc < 0)
        return rc;
    struct stmt *s = db_stmt(db,
                             "INSERT INTO states(camera, stream, from_us, cause, detail,"
                             " reachable, advancing, recording, evidence_us, asked)"
                             " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, row->stream);
    stmt_bind_i64(s, 3, row->from_us);
    stmt_bind_text(s, 4, row->cause);
    stmt_bind_text(s, 5, row->detail);
    stmt_bind_i64(s, 6, row->is_reachable);
    stmt_bind_i64(s, 7, row->is_advancing);
    stmt_bind_i64(s, 8, row->is_recording);
    stmt_bind_i64(s, 9, row->evidence_us);
    stmt_bind_i64(s, 10, !row->is_unasked);
    return stmt_run(s, err);
}

static int end_all(struct db *db, int64_t to_us, struct err *err)
{
    struct stmt *s =
        db_stmt(db, "UPDATE states SET to_us = max(from_us, ?1) WHERE to_us IS NULL", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, to_us);
    return stmt_run(s, err);
}

int db_states_end(struct db *db, const char *camera_id, int64_t to_us, struct err *err)
{
    if (camera_id == NULL)
        return end_all(db, to_us, err);
    int64_t camera;
    int rc = db_camera_key(db, camera_id, false, &camera, NULL);
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    for (int stream = STREAM_MAIN; stream <= STREAM_SUB && rc == 0; stream++)
        rc = end_open(db, camera, (enum stream_kind)stream, to_us, err);
    return rc;
}

static int each_state(struct stmt *s, state_row_fn *fn, void *ctx, struct err *err)
{
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        struct state_row row = {.stream = (enum stream_kind)stmt_i64(s, 1),
                                .from_us = stmt_i64(s, 2),
                                .to_us = stmt_i64(s, 3),
                                .is_reachable = stmt_i64(s, 6) != 0,
                                .is_advancing = stmt_i64(s, 7) != 0,
                                .is_recording = stmt_i64(s, 8) != 0,
                                .evidence_us = stmt_i64(s, 9),
                                .is_unasked = stmt_i64(s, 10) == 0};
        str_copy(row.camera_id, sizeof row.camera_id, stmt_text(s, 0));
        str_copy(row.cause, sizeof row.cause, stmt_text(s, 4));
        str_copy(row.detail, sizeof row.detail, stmt_text(s, 5));
        rc = fn(ctx, &row);
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc;
}

#define SELECT_STATES                                                                              \
    "SELECT k.camera_id, s.stream, s.from_us, s.to_us, s.cause, s.detail, s.reachable,"            \
    " s.advancing, s.recording, s.evidence_us, s.asked FROM states s"                              \
    " JOIN camera_keys k ON k.key = s.camera"                                                      \
    " WHERE s.from_us < ?2 AND coalesce(s.to_us, 9223372036854775807) > ?1"

int db_states_in(struct db *db, const char *camera_id, int64_t from_us, int64_t to_us,
                 state_row_fn *fn, void *ctx, struct err *err)
{
    int64_t camera = 0;
    int rc = camera_id != NULL ? db_camera_key(db, camera_id, false, &camera, NULL) : 0;
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    struct stmt *s =
        camera_id == NULL
            ? db_stmt(db, SELECT_STATES " ORDER BY s.camera, s.stream, s.from_us, s.id", err)
            : db_stmt(db,
                      SELECT_STATES " AND s.camera = ?3 ORDER BY s.camera, s.stream, s.from_us,"
                                    " s.id",
                      err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, from_us);
    stmt_bind_i64(s, 2, to_us);
    if (camera_id != NULL)
        stmt_bind_i64(s, 3, camera);
    return each_state(s, fn, ctx, err);
}

/* --- runs --- */

static int end_open_events(struct db *db, struct err *err)
{
    return db_exec(db, "UPDATE events SET open = 0 WHERE open", err);
}

int db_run_begin(struct db *db, int64_t now_us, const char *version, int64_t *out_id,
                 struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT to_us FROM server_runs ORDER BY id DESC LIMIT 1", err);
    if (s == NULL)
        return -EIO;
    int rc = stmt_step(s, err);
    int64_t before_us = rc == 1 ? stmt_i64(s, 0) : now_us;
    stmt_done(s);
    if (rc >= 0)
        rc = end_all(db, before_us, err);
    if (rc >= 0)
        rc = end_open_events(db, err);
    if (rc < 0)
        return rc;
    s = db_stmt(db, "INSERT INTO server_runs(from_us, to_us, version) VALUES(?1, ?1, ?2)", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, now_us);
    stmt_bind_text(s, 2, version != NULL ? version : "");
    rc = stmt_run(s, err);
    *out_id = db_last_id(db);
    return rc;
}

static int set_run(struct db *db, int64_t id, int64_t now_us, bool is_clean, struct err *err)
{
    struct stmt *s = db_stmt(
        db, "UPDATE server_runs SET to_us = max(from_us, ?2), clean = ?3 WHERE id = ?1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, id);
    stmt_bind_i64(s, 2, now_us);
    stmt_bind_i64(s, 3, is_clean);
    return stmt_run(s, err);
}

int db_run_beat(struct db *db, int64_t id, int64_t now_us, struct err *err)
{
    return set_run(db, id, now_us, false, err);
}

int db_run_end(struct db *db, int64_t id, int64_t now_us, struct err *err)
{
    int rc = end_all(db, now_us, err);
    if (rc >= 0)
        rc = end_open_events(db, err);
    return rc < 0 ? rc : set_run(db, id, now_us, true, err);
}

int db_runs_in(struct db *db, int64_t from_us, int64_t to_us, run_row_fn *fn, void *ctx,
               struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT from_us, to_us, clean FROM server_runs WHERE from_us < ?2"
                             " AND id >= coalesce((SELECT max(id) FROM server_runs"
                             " WHERE to_us <= ?1), 0) ORDER BY id",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, from_us);
    stmt_bind_i64(s, 2, to_us);
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        rc = fn(ctx, &(struct run_row){stmt_i64(s, 0), stmt_i64(s, 1), stmt_i64(s, 2) != 0});
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc;
}
