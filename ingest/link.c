#include "ingest/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "ingest/tunnel.h"
#include "ingest/wire.h"

#define READ_BYTES 2048u /* of HTTP */

/*   OPENING ─► ASKING ─► POSTING ─► OPEN ─► OVER
 *
 * OPENING  `down` connects. Without a tunnel OPEN follows.
 * ASKING   GET was sent on `down`; `head` gathers the answer. A login goes back to OPENING.
 * POSTING  `down` is a tunnel, what already came through it is in `head`; `up` connects.
 * OPEN     `opened` was told. `up` may be closed: it opens again when there is something to send.
 * OVER     `why` is set and was told by `opened`, or is told by link_read; both are closed. */
enum link_state { LINK_OPENING, LINK_ASKING, LINK_POSTING, LINK_OPEN, LINK_OVER };

struct link {
    /* set at the beginning, then const */
    struct loop *loop;
    const struct link_events *events;
    void *ctx;
    struct address address;
    struct tls_client *tls; /* NULL = plain */
    char host[URL_HOST_BYTES];

    enum link_state state;
    bool is_closed;
    struct wire down, up; /* `up` in tunnels only */
    struct buf *waiting;  /* the owner's output that was not taken whole; NULL = none */
    struct err why;

    /* tunnels */
    struct tunnel *tunnel; /* NULL = none */
    struct buf head;       /* from `down`, before the owner reads itself */
    struct buf encoded;    /* on its way up */
};

static void open_wire(struct link *l, struct wire *w)
{
    wire_open(w, &l->address, l->tls, l->host, l->tunnel ? "rtsph://" : "rtsp://");
}

/* --- the end --- */

static void explain(struct link *l, int code)
{
    if (code == ERR_EOF)
        err_text(&l->why, code, "the camera closed the connection");
    else if (code == -ECONNRESET || code == -EPIPE)
        err_text(&l->why, code, "the camera reset the connection");
    else if (code == ERR_PROTOCOL)
        err_text(&l->why, code, "TLS: the camera broke its rules");
    else
        err_text(&l->why, code, "the connection broke (%s)", strerror(-code));
}

static void enter_over(struct link *l)
{
    l->state = LINK_OVER;
    l->waiting = NULL;
    wire_close(&l->down);
    wire_close(&l->up);
}

static void tell_readable(void *ctx)
{
    struct link *l = ctx;
    if (!l->is_closed)
        l->events->readable(l->ctx);
}

/* `why` is set: `opened` tells it, or the next link_read. */
static void fail(struct link *l)
{
    bool was_open = l->state == LINK_OPEN;
    enter_over(l);
    if (was_open)
        loop_defer(l->loop, tell_readable, l);
    else
        l->events->opened(l->ctx, &l->why);
}

static void fail_with(struct link *l, int code, const char *noun)
{
    explain(l, code);
    err_wrap(&l->why, code, "%s", noun);
    fail(l);
}

/* --- the halves of a tunnel --- */

/* The first bytes on a connection; there is room for them. */
static bool send_request(struct link *l, struct wire *w, const char *noun)
{
    ssize_t n = wire_write(w, l->encoded.data, l->encoded.len);
    if (n == (ssize_t)l->encoded.len) {
        buf_clear(&l->encoded);
        return true;
    }
    fail_with(l, n < 0 && n != -EAGAIN ? (int)n : -ENOBUFS, noun);
    return false;
}

static void ask(struct link *l)
{
    l->state = LINK_ASKING;
    buf_clear(&l->head);
    tunnel_put_get(l->tunnel, &l->encoded);
    send_request(l, &l->down, "HTTP tunnel, GET");
}

static void take_answer(struct link *l)
{
    size_t used = 0;
    int step = tunnel_answer(l->tunnel, l->head.data, l->head.len, &used, &l->why);
    if (step < 0) {
        err_wrap(&l->why, step, "HTTP tunnel");
        fail(l);
    } else if (step == TUNNEL_AGAIN) {
        wire_close(&l->down);
        l->state = LINK_OPENING;
        open_wire(l, &l->down);
    } else if (step == TUNNEL_OPEN) {
        buf_consume(&l->head, used);
        l->state = LINK_POSTING;
        open_wire(l, &l->up);
    }
}

/* Until the owner reads itself. */
static void read_head(struct link *l)
{
    uint8_t bytes[READ_BYTES];
    ssize_t n = wire_read(&l->down, bytes, sizeof bytes);
    if (n == -EAGAIN)
        return;
    if (n < 0) {
        fail_with(l, (int)n, "HTTP tunnel, GET");
        return;
    }
    buf_append(&l->head, bytes, (size_t)n);
    if (l->state == LINK_ASKING)
        take_answer(l);
    else if (l->head.is_failed)
        fail_with(l, -ENOBUFS, "HTTP tunnel, GET");
}

/* Sends until the connection is full or nothing is left. */
static void flush_up(struct link *l)
{
    for (;;) {
        while (l->encoded.len > 0) {
            ssize_t n = wire_write(&l->up, l->encoded.data, l->encoded.len);
            if (n == -EAGAIN)
                return;
            if (n < 0) {
                fail_with(l, (int)n, "HTTP tunnel, POST");
                return;
            }
            buf_consume(&l->encoded, (size_t)n);
        }
        struct buf *out = l->waiting;
        if (!out || out->len == 0) {
            l->waiting = NULL;
            return;
        }
        tunnel_encode(out->data, out->len, &l->encoded);
        buf_consume(out, out->len);
        if (l->encoded.is_failed) {
            fail_with(l, -ENOBUFS, "HTTP tunnel, POST");
            return;
        }
    }
}

static void on_up_opened(void *ctx, const struct err *err)
{
    struct link *l = ctx;
    if (err) {
        l->why = *err;
        err_wrap(&l->why, err->code, "HTTP tunnel, POST");
        fail(l);
        return;
    }
    tunnel_put_post(l->tunnel, &l->encoded);
    if (!send_request(l, &l->up, "HTTP tunnel, POST"))
        return;
    if (l->state == LINK_OPEN) { /* opened again */
        flush_up(l);
        return;
    }
    l->state = LINK_OPEN;
    if (l->head.len > 0)
        loop_defer(l->loop, tell_readable, l);
    l->events->opened(l->ctx, NULL);
}

/* A POST is answered only when it is refused. A peer that ends one, because its length is used up,
 * gets another when there is something to say. */
static void on_up_readable(void *ctx)
{
    struct link *l = ctx;
    uint8_t bytes[READ_BYTES];
    ssize_t n = wire_read(&l->up, bytes, sizeof bytes);
    if (n == -EAGAIN)
        return;
    if (n > 0) {
        int rc = tunnel_post_answer(bytes, (size_t)n, &l->why);
        if (rc < 0) {
            err_wrap(&l->why, rc, "HTTP tunnel");
            fail(l);
        }
    } else if (l->encoded.len == 0) {
        wire_close(&l->up);
    } else {
        fail_with(l, (int)n, "HTTP tunnel, POST");
    }
}

static void on_up_writable(void *ctx)
{
    flush_up(ctx);
}

static const struct wire_events up_events = {on_up_opened, on_up_readable, on_up_writable};

/* --- the connection that receives; without a tunnel the only one --- */

static void on_down_opened(void *ctx, const struct err *err)
{
    struct link *l = ctx;
    if (err) {
        l->why = *err;
        fail(l);
    } else if (l->tunnel) {
        ask(l);
    } else {
        l->state = LINK_OPEN;
        l->events->opened(l->ctx, NULL);
    }
}

static void on_down_readable(void *ctx)
{
    struct link *l = ctx;
    if (l->state == LINK_OPEN)
        l->events->readable(l->ctx);
    else
        read_head(l);
}

static void flush_down(struct link *l)
{
    struct buf *out = l->waiting;
    ssize_t n = 0;
    while (out->len > 0 && n >= 0) {
        n = wire_write(&l->down, out->data, out->len);
        if (n > 0)
            buf_consume(out, (size_t)n);
    }
    if (n != -EAGAIN) /* a failure: reading tells why */
        l->waiting = NULL;
}

static void on_down_writable(void *ctx)
{
    struct link *l = ctx;
    if (l->waiting && !l->tunnel)
        flush_down(l);
}

static const struct wire_events down_events = {on_down_opened, on_down_readable, on_down_writable};

/* --- for the owner --- */

static struct link *create(struct loop *loop, const struct link_events *events, void *ctx)
{
    struct link *l = xcalloc(1, sizeof *l);
    l->loop = loop;
    l->events = events;
    l->ctx = ctx;
    wire_init(&l->down, loop, &down_events, l);
    wire_init(&l->up, loop, &up_events, l);
    buf_init(&l->head, TUNNEL_HEAD_BYTES + READ_BYTES);
    buf_init(&l->encoded, LINK_OUT_BYTES);
    return l;
}

struct link *link_open(const struct link_params *params)
{
    struct link *l = create(params->loop, params->events, params->ctx);
    assert(params->tls || !params->url->is_tls);
    l->address = *params->address;
    l->tls = params->url->is_tls ? params->tls : NULL;
    str_copy(l->host, sizeof l->host, params->url->host);
    if (params->url->is_tunnel) {
        l->tunnel = xmalloc(sizeof *l->tunnel);
        tunnel_init(l->tunnel, params->url, params->user, params->password);
    }
    open_wire(l, &l->down);
    return l;
}

struct link *link_adopt(struct loop *loop, int fd, const struct link_events *events, void *ctx)
{
    struct link *l = create(loop, events, ctx);
    l->state = LINK_OPEN;
    wire_adopt(&l->down, fd);
    return l;
}

static void free_link(void *ctx)
{
    struct link *l = ctx;
    free(l);
}

void link_close(struct link **lp)
{
    struct link *l = *lp;
    if (!l)
        return;
    *lp = NULL;
    loop_assert(l->loop);
    l->is_closed = true;
    enter_over(l);
    buf_fini(&l->head);
    buf_fini(&l->encoded);
    FREE(&l->tunnel);
    loop_defer(l->loop, free_link, l);
}

static ssize_t read_from_head(struct link *l, void *dst, size_t cap)
{
    size_t n = MIN(l->head.len, cap);
    memcpy(dst, l->head.data, n);
    buf_consume(&l->head, n);
    if (l->head.len > 0)
        loop_defer(l->loop, tell_readable, l);
    else
        buf_fini(&l->head);
    return (ssize_t)n;
}

ssize_t link_read(struct link *l, void *dst, size_t cap)
{
    if (l->state == LINK_OVER)
        return l->why.code;
    assert(l->state == LINK_OPEN);
    if (l->head.len > 0)
        return read_from_head(l, dst, cap);
    ssize_t n = wire_read(&l->down, dst, cap);
    if (n < 0 && n != -EAGAIN) {
        explain(l, (int)n);
        enter_over(l);
    }
    return n;
}

const struct err *link_why(const struct link *l)
{
    return &l->why;
}

void link_flush(struct link *l, struct buf *out)
{
    if (l->state != LINK_OPEN || out->len == 0 || l->waiting)
        return;
    l->waiting = out;
    if (!l->tunnel)
        flush_down(l);
    else if (l->up.state == WIRE_READY)
        flush_up(l);
    else if (l->up.state == WIRE_CLOSED)
        open_wire(l, &l->up);
}

void link_set_lowat(struct link *l, int bytes)
{
    if (l->state == LINK_OPEN)
        socket_set_rcvlowat(l->down.fd, bytes);
}

int link_local(const struct link *l, struct address *out)
{
    return l->down.fd < 0 ? -ENOTCONN : socket_local(l->down.fd, out);
}

void link_print_wait(const struct link *l, int waited_s, char *dst, size_t cap)
{
    char peer[ADDRESS_TEXT_BYTES];
    char wait[160];
    address_print(&l->address, peer, sizeof peer);
    if (l->state == LINK_ASKING) {
        snprintf(dst, cap, "HTTP tunnel: no answer from %s to GET within %d s", peer, waited_s);
    } else if (l->state == LINK_POSTING) {
        wire_print_wait(&l->up, waited_s, wait, sizeof wait);
        snprintf(dst, cap, "HTTP tunnel, POST: %s", wait);
    } else {
        wire_print_wait(&l->down, waited_s, dst, cap);
    }
}
