/* One connection: control messages in, answers out. Knows no socket: see struct wall_io_ops. */
#include "base/clock.h"
#include "base/err.h"
#include "delivery/wall_priv.h"

void wall__conn_say(struct wall_conn *conn, struct buf *text)
{
    if (!conn->is_closing && !text->is_failed && text->len > 0)
        conn->ops->send_text(conn->io, (const char *)text->data, text->len);
    buf_fini(text);
}

/* Only marks and asks: tiles stay until wall__conn_gone, because one of them may be the caller. */
void wall__conn_close(struct wall_conn *conn, int code, const char *reason)
{
    if (conn->is_closing)
        return;
    conn->is_closing = true;
    conn->ops->close(conn->io, code, reason);
}

void wall__conn_bad(struct wall_conn *conn, const struct wall_subject *s, const char *detail)
{
    struct buf text;
    buf_init(&text, 0);
    wall_print_error(&text, s, "bad_request", detail);
    wall__conn_say(conn, &text);
    if (++conn->n_bad >= WALL_MAX_BAD)
        wall__conn_close(conn, 1008, "too many messages that are not understood");
}

struct wall_conn *wall__conn_create(struct wall *wall, const struct wall_io_ops *ops, void *io,
                                    void *user)
{
    struct wall_conn *conn = xcalloc(1, sizeof *conn);
    conn->wall = wall;
    conn->ops = ops;
    conn->io = io;
    conn->user = user;
    conn->next = wall->conns;
    if (conn->next)
        conn->next->prev = conn;
    wall->conns = conn;
    wall->stats.n_conns++;

    struct buf text;
    buf_init(&text, 0);
    wall_print_hello(&text, loop_wall_us(wall->loop));
    wall__conn_say(conn, &text);
    return conn;
}

void wall__conn_gone(struct wall_conn *conn)
{
    struct wall *wall = conn->wall;
    conn->is_closing = true;
    while (conn->tiles)
        wall__tile_close(conn->tiles);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        wall->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    wall->stats.n_conns--;
    if (wall->host.conn_closed)
        wall->host.conn_closed(wall->host.ctx, conn->user);
    free(conn);
    wall__finish_if_done(wall);
}

void wall__conn_drained(struct wall_conn *conn)
{
    for (struct wall_tile *tile = conn->tiles; tile; tile = tile->next)
        if (tile->is_join_due)
            wall__tile_join(tile);
}

static struct wall_tile *find_tile(struct wall_conn *conn, uint16_t number)
{
    struct wall_tile *tile = conn->tiles;
    while (tile && tile->subject.tile != number)
        tile = tile->next;
    return tile;
}

static void take_layout(struct wall_conn *conn, const struct wall_command *cmd)
{
    conn->has_layout = true;
    conn->n_visible = cmd->n_visible;
    memcpy(conn->visible, cmd->visible, cmd->n_visible * sizeof cmd->visible[0]);
    for (struct wall_tile *tile = conn->tiles; tile; tile = tile->next) {
        bool is_visible = false;
        for (size_t i = 0; i < cmd->n_visible; i++)
            is_visible |= cmd->visible[i] == tile->subject.tile;
        wall__tile_show(tile, is_visible);
    }
}

static void take_tile_command(struct wall_conn *conn, const struct wall_command *cmd)
{
    struct wall_tile *tile = find_tile(conn, cmd->tile);
    if (cmd->type == WALL_SUBSCRIBE) {
        if (tile)
            wall__tile_close(tile);
        wall__tile_subscribe(conn, cmd);
        return;
    }
    if (!tile) {
        /* no misuse: it may have been refused or closed while the message was on its way */
        struct buf text;
        buf_init(&text, 0);
        wall_print_error(&text, &(struct wall_subject){cmd->tile, cmd->gen}, "not_found",
                         "this tile shows nothing");
        wall__conn_say(conn, &text);
        return;
    }
    if (cmd->type == WALL_SEEK)
        wall__tile_seek(tile, cmd);
    else if (cmd->type == WALL_SPEED)
        wall__tile_speed(tile, cmd);
    else if (cmd->type == WALL_STEP && tile->playback)
        wall__playback_step(tile->playback);
    else if (cmd->type == WALL_UNSUBSCRIBE)
        wall__tile_close(tile);
}

void wall__conn_text(struct wall_conn *conn, const char *text, size_t n)
{
    struct wall_command cmd;
    struct err err = {0};
    bool has_tile;
    if (conn->is_closing)
        return;
    if (wall_command_parse(text, n, &cmd, &has_tile, &err) < 0) {
        struct wall_subject s = {cmd.tile, cmd.gen};
        wall__conn_bad(conn, has_tile ? &s : NULL, err.msg);
    } else if (cmd.type == WALL_PING) {
        struct buf pong;
        buf_init(&pong, 0);
        wall_print_pong(&pong, cmd.t);
        wall__conn_say(conn, &pong);
    } else if (cmd.type == WALL_LAYOUT) {
        take_layout(conn, &cmd);
    } else {
        take_tile_command(conn, &cmd);
    }
}
