#include "server/supervision.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "delivery/packager.h"
#include "server/events.h"
#include "server/feed.h"
#include "server/routes.h"
#include "server/wall_host.h"
#include "server/watched.h"
#include "storage/db_states.h"

/* --- jobs for the catalogue: made on the loop, released there --- */

static void job_done(void *ctx, const struct err *err)
{
    if (err != NULL)
        log_error("catalogue", "%s", err->msg);
    free(ctx);
}

static void post(struct server *s, catalogue_fn *fn, catalogue_done_fn *done, void *job,
                 const char *what)
{
    if (catalogue_post(s->catalogue, fn, job, s->loop, done) < 0) {
        log_error("catalogue", "too much to write: %s is not kept", what);
        free(job);
    }
}

/* --- states --- */

static int keep_state(struct db *db, void *ctx, struct err *err)
{
    return db_state_change(db, ctx, err);
}

static void tell_wall(struct server *s, const struct camera_state *st)
{
    struct wall_state wall;
    if (s->is_stopping) /* the wall ends before the cameras do */
        return;
    wall_host_state(st, loop_wall_us(s->loop), &wall);
    wall_state_changed(s->wall, st->camera_id, st->stream, &wall);
}

static void stream_changed(void *ctx, const struct camera_state *st)
{
    struct server *s = ctx;
    struct state_row *row = xcalloc(1, sizeof *row);
    str_copy(row->camera_id, sizeof row->camera_id, st->camera_id);
    row->stream = strcmp(st->stream, "sub") == 0 ? STREAM_SUB : STREAM_MAIN;
    row->from_us = loop_wall_us(s->loop);
    str_copy(row->cause, sizeof row->cause, cause_name(st->cause));
    str_copy(row->detail, sizeof row->detail, st->detail);
    row->is_reachable = st->is_reachable;
    row->is_advancing = st->is_advancing;
    row->is_recording = st->is_recording;
    row->is_unasked = !st->is_recording_asked;
    row->evidence_us = MAX(st->reachable_us, MAX(st->advancing_us, st->recorded_us));
    post(s, keep_state, job_done, row, "a state");
    tell_wall(s, st);
}

static void camera_changed(void *ctx, const struct camera_state *st, bool is_change)
{
    struct server *s = ctx;
    const struct camera_row *c =
        s->district != NULL ? district_camera(s->district, st->camera_id) : NULL;
    if (is_change && st->cause == CAUSE_DISK) /* what the stream does, ingest logs */
        log_warn(st->camera_id, "not recorded: %s", st->detail);
    if (c == NULL || s->feed == NULL || feed_count(s->feed) == 0)
        return;
    struct node n = district_node_of_camera(s->district, c);
    json_t *o = camera_state_json(st, loop_wall_us(s->loop));
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(10));
    feed_publish(s->feed, s->district, &n, "state", text);
    free(text);
    json_decref(o);
}

struct removed {
    char camera_id[65];
    int64_t now_us;
};

static int end_states(struct db *db, void *ctx, struct err *err)
{
    const struct removed *r = ctx;
    return db_states_end(db, r->camera_id, r->now_us, err);
}

static void camera_removed(void *ctx, const char *camera_id)
{
    struct server *s = ctx;
    struct removed *r = xcalloc(1, sizeof *r);
    str_copy(r->camera_id, sizeof r->camera_id, camera_id);
    r->now_us = loop_wall_us(s->loop);
    post(s, end_states, job_done, r, "the end of a camera");
}

/* --- motion --- */

static void motion(void *ctx, enum motion_change change, const struct event *ev)
{
    struct server *s = ctx;
    events_motion(s->events, change, ev);
}

static int viewers(void *ctx, const struct hub *hub)
{
    struct server *s = ctx;
    return s->packagers != NULL ? packager_viewers(s->packagers, hub) : 0;
}

struct fleet_host supervision_host(struct server *s)
{
    return (struct fleet_host){.camera_changed = camera_changed,
                               .camera_removed = camera_removed,
                               .stream_changed = stream_changed,
                               .motion = motion,
                               .viewers = viewers,
                               .ctx = s};
}

/* --- our own runs --- */

struct run {
    struct server *server;
    int64_t id, from_us, now_us; /* id 0 = it could not be entered yet */
};

static int begin(struct db *db, void *ctx, struct err *err)
{
    struct run *r = ctx;
    return db_run_begin(db, r->now_us, server_version(), &r->id, err);
}

int supervision_begin(struct server *s, struct err *err)
{
    struct run r = {.now_us = loop_wall_us(s->loop)};
    int rc = catalogue_write(s->catalogue, begin, &r, err);
    s->run_from_us = r.now_us;
    s->run_id = rc >= 0 ? r.id : 0;
    if (rc != -ENOSPC)
        return rc;
    log_warn("server", "starts without an entry of its run: %s", err->msg);
    err_clear(err);
    return 0;
}

static int write_beat(struct db *db, void *ctx, struct err *err)
{
    struct run *r = ctx;
    int rc = r->id == 0 ? db_run_begin(db, r->from_us, server_version(), &r->id, err) : 0;
    return rc < 0 ? rc : db_run_beat(db, r->id, r->now_us, err);
}

static void beat_done(void *ctx, const struct err *err)
{
    const struct run *r = ctx;
    if (err == NULL)
        r->server->run_id = r->id;
    job_done(ctx, err);
}

struct watch_beat {
    struct watched *watched;
    int64_t now_us;
};

static void note_watch(void *ctx, const char *camera_id, const struct motion_watch_stats *n)
{
    const struct watch_beat *b = ctx;
    watched_note(b->watched, camera_id, n, b->now_us);
}

static void note_watched(struct server *s)
{
    if (s->watched == NULL || s->fleet == NULL)
        return;
    struct watch_beat b = {s->watched, loop_wall_us(s->loop)};
    fleet_each_watch(s->fleet, note_watch, &b);
    watched_beat(s->watched, b.now_us);
}

void supervision_beat(struct server *s)
{
    struct run *r = xcalloc(1, sizeof *r);
    *r = (struct run){
        .server = s, .id = s->run_id, .from_us = s->run_from_us, .now_us = loop_wall_us(s->loop)};
    post(s, write_beat, beat_done, r, "the server's heartbeat");
    note_watched(s);
}

static int end(struct db *db, void *ctx, struct err *err)
{
    const struct run *r = ctx;
    return db_run_end(db, r->id, r->now_us, err);
}

void supervision_end(struct server *s)
{
    struct run r = {.id = s->run_id, .now_us = loop_wall_us(s->loop)};
    struct err err;
    err_clear(&err);
    if (s->run_id != 0 && catalogue_write(s->catalogue, end, &r, &err) < 0)
        log_error("catalogue", "%s", err.msg);
}
