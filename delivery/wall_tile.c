/* One tile: asks for leave, shows a live stream or hands over to playback. */
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "delivery/wall_priv.h"

static const char *code_of(int rc)
{
    switch (rc) {
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_FORBIDDEN:
        return "forbidden";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_BUSY:
        return "too_many";
    case ERR_EOF:
        return "no_recording";
    default:
        return "internal";
    }
}

static void say_error(struct wall_conn *conn, struct wall_subject s, const char *code,
                      const char *detail)
{
    struct buf text;
    buf_init(&text, 0);
    wall_print_error(&text, &s, code, detail);
    wall__conn_say(conn, &text);
}

void wall__tile_error(struct wall_tile *tile, int rc, const char *detail)
{
    say_error(tile->conn, tile->subject, code_of(rc), detail[0] ? detail : err_name(rc));
}

static struct wall *wall_of(const struct wall_tile *tile)
{
    return tile->conn->wall;
}

/* --- live --- */

static void leave_out(struct wall_tile *tile)
{
    tile->is_dropping = true;
    tile->n_run++;
    tile->view.n_dropped++;
    wall_of(tile)->stats.n_dropped++;
}

static void say_dropped(struct wall_tile *tile)
{
    struct buf text;
    buf_init(&text, 0);
    wall_print_dropped(&text, tile->subject, tile->n_run);
    wall__conn_say(tile->conn, &text);
    tile->is_dropping = false;
    tile->is_after_hole = true;
    tile->n_run = 0;
}

static void on_init(struct viewer *v, struct fragment *f)
{
    struct wall_tile *tile = CONTAINER_OF(v, struct wall_tile, viewer);
    wall__send_init(tile, f);
}

static void on_push(struct viewer *v, struct fragment *f)
{
    struct wall_tile *tile = CONTAINER_OF(v, struct wall_tile, viewer);
    int64_t now = loop_mono_us(wall_of(tile)->loop);
    bool has_room = tile->is_joining || wall__sending_has_room(tile->sending, f->pkt->size, now);
    if (!has_room || (tile->is_dropping && !f->is_key)) {
        leave_out(tile);
        return;
    }
    if (tile->is_dropping)
        say_dropped(tile);
    wall__send_media(tile, f, tile->is_after_hole ? WALL_FLAG_DISCONTINUITY : 0, 0);
    tile->is_after_hole = false;
}

static void on_gone(struct viewer *v)
{
    struct wall_tile *tile = CONTAINER_OF(v, struct wall_tile, viewer);
    hub_unref(&tile->hub);
    wall__arm_retry(wall_of(tile)); /* reconfigured, perhaps: there may be a new hub */
}

static const struct viewer_ops tile_viewer_ops = {on_init, on_push, NULL, on_gone};

void wall__tile_join(struct wall_tile *tile)
{
    struct wall_conn *conn = tile->conn;
    if (!tile->is_join_due || conn->is_closing || conn->ops->pending(conn->io) > WALL_JOIN_BYTES)
        return;
    tile->is_join_due = false;
    tile->is_joining = true;
    packager_attach(conn->wall->params.packagers, tile->hub, &tile->viewer);
    tile->is_joining = false;
}

/* Watches what it should, or nothing. Takes no reference. */
static void watch_hub(struct wall_tile *tile, struct hub *hub)
{
    bool is_watching = tile->viewer.packager || tile->is_join_due;
    bool should = hub && tile->is_visible;
    if (hub != tile->hub || is_watching != should) {
        packager_detach(&tile->viewer);
        tile->is_join_due = false;
        tile->is_dropping = false;
    }
    if (hub != tile->hub) {
        hub_unref(&tile->hub);
        tile->hub = hub ? hub_ref(hub) : NULL;
    }
    if (!hub) {
        wall__arm_retry(wall_of(tile));
    } else if (should && !tile->viewer.packager) {
        tile->is_join_due = true;
        wall__tile_join(tile);
    }
}

/* --- both --- */

static int resolve(struct wall_tile *tile, struct wall_grant *grant)
{
    struct wall *wall = wall_of(tile);
    *grant = (struct wall_grant){.state = {.retry_s = -1}};
    int rc = wall->host.resolve(wall->host.ctx, tile->conn->user, tile->camera, tile->asked,
                                tile->is_live ? WALL_LIVE : WALL_PLAYBACK, grant);
    if (rc == 0 && !tile->is_live && !grant->source)
        rc = ERR_UNSUPPORTED;
    if (rc < 0)
        hub_unref(&grant->hub);
    return rc;
}

static void open_view(struct wall_tile *tile, int64_t at_us)
{
    struct wall *wall = wall_of(tile);
    tile->view = (struct wall_view){
        .camera_id = tile->camera,
        .stream = tile->stream,
        .is_live = tile->is_live,
        .at_us = tile->is_live ? 0 : at_us,
        .opened_us = loop_wall_us(wall->loop),
    };
    if (wall->host.view_opened)
        wall->host.view_opened(wall->host.ctx, tile->conn->user, &tile->view);
}

static void close_view(struct wall_tile *tile)
{
    struct wall *wall = wall_of(tile);
    if (tile->view.camera_id && wall->host.view_closed)
        wall->host.view_closed(wall->host.ctx, tile->conn->user, &tile->view);
    tile->view.camera_id = NULL;
}

static void stop_showing(struct wall_tile *tile)
{
    packager_detach(&tile->viewer);
    hub_unref(&tile->hub);
    tile->is_join_due = tile->is_dropping = false;
    wall__playback_stop(tile);
}

/* Live or recorded, as the tile says. May close the tile. */
static void start_showing(struct wall_tile *tile, int64_t at_us, enum reader_pick pick)
{
    struct wall_grant grant;
    int rc = resolve(tile, &grant);
    if (rc < 0) {
        wall__tile_error(tile, rc, grant.why.msg);
        wall__tile_close(tile);
        return;
    }
    bool is_same = tile->view.camera_id && tile->view.is_live == tile->is_live &&
                   !strcmp(tile->stream, grant.stream);
    if (!is_same)
        close_view(tile);
    str_copy(tile->stream, sizeof tile->stream, grant.stream);
    if (!is_same)
        open_view(tile, at_us);

    struct buf text;
    buf_init(&text, 0);
    wall_print_subscribed(&text, tile->subject, tile->camera, tile->stream, tile->is_live);
    wall__conn_say(tile->conn, &text);
    if (tile->is_live) {
        tile->state = (struct wall_state){.cause = "?"};
        wall__tile_state(tile, &grant.state);
        watch_hub(tile, grant.hub);
    } else {
        tile->source = grant.source;
        wall__playback_start(tile, at_us, pick);
    }
    hub_unref(&grant.hub);
}

static bool is_in_layout(const struct wall_conn *conn, uint16_t number)
{
    for (size_t i = 0; i < conn->n_visible; i++)
        if (conn->visible[i] == number)
            return true;
    return !conn->has_layout;
}

static void take_playing(struct wall_tile *tile, const struct wall_command *cmd)
{
    if (cmd->has_speed)
        tile->speed = cmd->speed;
    if (cmd->has_paused)
        tile->is_paused = cmd->is_paused;
}

void wall__tile_subscribe(struct wall_conn *conn, const struct wall_command *cmd)
{
    if (conn->n_tiles >= WALL_MAX_TILES) {
        say_error(conn, (struct wall_subject){cmd->tile, cmd->gen}, "too_many",
                  "a connection carries at most 100 tiles");
        return;
    }
    struct wall_tile *tile = xcalloc(1, sizeof *tile);
    tile->conn = conn;
    tile->subject = (struct wall_subject){cmd->tile, cmd->gen};
    str_copy(tile->camera, sizeof tile->camera, cmd->camera);
    str_copy(tile->asked, sizeof tile->asked, cmd->stream);
    tile->wants_audio = cmd->wants_audio;
    tile->is_live = cmd->is_live;
    tile->is_visible = is_in_layout(conn, cmd->tile);
    tile->speed = 1;
    take_playing(tile, cmd);
    tile->viewer.ops = &tile_viewer_ops;
    tile->viewer.wants_audio = cmd->wants_audio;
    tile->sending = wall__sending_create(tile);
    tile->next = conn->tiles;
    if (tile->next)
        tile->next->prev = tile;
    conn->tiles = tile;
    conn->n_tiles++;
    conn->wall->stats.n_tiles++;
    start_showing(tile, cmd->at_us, READER_AT);
}

void wall__tile_seek(struct wall_tile *tile, const struct wall_command *cmd)
{
    stop_showing(tile);
    tile->subject.gen = cmd->gen;
    tile->is_live = cmd->is_live;
    start_showing(tile, cmd->at_us, cmd->pick);
}

void wall__tile_speed(struct wall_tile *tile, const struct wall_command *cmd)
{
    take_playing(tile, cmd);
    if (tile->playback)
        wall__playback_changed(tile->playback);
}

void wall__tile_show(struct wall_tile *tile, bool is_visible)
{
    if (tile->is_visible == is_visible)
        return;
    tile->is_visible = is_visible;
    if (tile->is_live) {
        tile->is_after_hole = is_visible;
        if (tile->hub)
            watch_hub(tile, tile->hub);
    } else if (tile->playback) {
        wall__playback_changed(tile->playback);
    }
}

void wall__tile_state(struct wall_tile *tile, const struct wall_state *state)
{
    const struct wall_state *old = &tile->state;
    bool is_same = old->is_advancing == state->is_advancing && old->retry_s == state->retry_s &&
                   !strcmp(old->cause, state->cause) && !strcmp(old->detail, state->detail);
    if (is_same)
        return;
    tile->state = *state;
    struct buf text;
    buf_init(&text, 0);
    wall_print_state(&text, tile->subject, state);
    wall__conn_say(tile->conn, &text);
}

void wall__tile_recheck(struct wall_tile *tile)
{
    struct wall_grant grant;
    int rc = resolve(tile, &grant);
    if (rc < 0) {
        wall__tile_error(tile, rc, grant.why.msg);
        wall__tile_close(tile);
        return;
    }
    if (tile->is_live) {
        str_copy(tile->stream, sizeof tile->stream, grant.stream);
        wall__tile_state(tile, &grant.state);
        watch_hub(tile, grant.hub);
    }
    hub_unref(&grant.hub);
}

void wall__tile_close(struct wall_tile *tile)
{
    struct wall_conn *conn = tile->conn;
    stop_showing(tile);
    close_view(tile);
    wall__sending_forget(&tile->sending);
    if (tile->prev)
        tile->prev->next = tile->next;
    else
        conn->tiles = tile->next;
    if (tile->next)
        tile->next->prev = tile->prev;
    conn->n_tiles--;
    conn->wall->stats.n_tiles--;
    free(tile);
}
