/* The wall's seam to a real WebSocket. */
#include "delivery/wall_priv.h"
#include "net/http.h"

struct wall_ws {
    struct wall *wall;
    struct wall_conn *conn;
    struct ws *ws; /* NULL after `closed` */
    void *user;
};

static void send_text(void *io, const char *text, size_t n)
{
    struct wall_ws *w = io;
    if (w->ws)
        ws_send_text(w->ws, text, n);
}

static void send_binary(void *io, const struct conn_part *parts, size_t n_parts)
{
    struct wall_ws *w = io;
    if (w->ws) {
        ws_send_binary(w->ws, parts, n_parts);
        return;
    }
    for (size_t i = 0; i < n_parts; i++)
        if (parts[i].release)
            parts[i].release(parts[i].ctx);
}

static size_t pending(void *io)
{
    struct wall_ws *w = io;
    return w->ws ? ws_pending(w->ws) : 0;
}

static void close_ws(void *io, int code, const char *reason)
{
    struct wall_ws *w = io;
    if (w->ws)
        ws_close(w->ws, code, reason);
}

static const struct wall_io_ops io_ops = {send_text, send_binary, pending, close_ws};

static void on_text(void *ctx, const char *text, size_t n)
{
    struct wall_ws *w = ctx;
    wall__conn_text(w->conn, text, n);
}

static void on_binary(void *ctx, const uint8_t *data, size_t n)
{
    struct wall_ws *w = ctx;
    (void)data, (void)n;
    wall__conn_bad(w->conn, NULL, "binary messages come from the server only");
}

static void on_drained(void *ctx)
{
    struct wall_ws *w = ctx;
    wall__conn_drained(w->conn);
}

static void release(void *ctx)
{
    struct wall_ws *w = ctx;
    wall__conn_gone(w->conn);
    free(w);
}

/* May come from inside a call of ours: the connection goes after the current dispatch. */
static void on_closed(void *ctx, int code)
{
    struct wall_ws *w = ctx;
    (void)code;
    w->ws = NULL;
    w->conn->is_closing = true;
    loop_defer(w->wall->loop, release, w);
}

static const struct ws_handlers handlers = {on_text, on_binary, on_drained, on_closed};

static void release_refused(void *ctx)
{
    struct wall_ws *w = ctx;
    if (w->wall->host.conn_closed)
        w->wall->host.conn_closed(w->wall->host.ctx, w->user);
    free(w);
}

void wall_accept(struct wall *wall, struct http_request *req, void *user)
{
    loop_assert(wall->loop);
    struct wall_ws *w = xcalloc(1, sizeof *w);
    w->wall = wall;
    w->user = user;
    if (wall->is_stopping)
        http_reply_problem(req, 503, "the server is stopping");
    else if (http_wants_websocket(req) && !http_offers_subprotocol(req, WALL_SUBPROTOCOL))
        http_reply_problem(req, 400, "the WebSocket subprotocol must be " WALL_SUBPROTOCOL);
    else
        w->ws = http_upgrade(req, WALL_SUBPROTOCOL, &handlers, w);
    if (w->ws)
        w->conn = wall__conn_create(wall, &io_ops, w, user);
    else
        loop_defer(wall->loop, release_refused, w);
}
