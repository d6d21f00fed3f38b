#include "net/http_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define ACCEPTS_PER_EVENT   32
#define ACCEPT_PAUSE_MS     100 /* when descriptors ran out */
#define REFUSED_CONNECTIONS 64  /* beyond the limit, each to be told 503 */
#define LINGER_MS           5000

static size_t on_data(void *ctx, const uint8_t *data, size_t len);
static void on_drained(void *ctx);
static void on_closed(void *ctx, int code);

static int or_default(int value, int fallback)
{
    return value > 0 ? value : fallback;
}

static void unlink_conn(struct http_conn *hc)
{
    struct http_server *s = hc->server;
    if (hc->prev)
        hc->prev->next = hc->next;
    else
        s->conns = hc->next;
    if (hc->next)
        hc->next->prev = hc->prev;
    s->n_conns--;
    hc->server = NULL;
}

/* The connection is over, whoever ended it. */
static void cut(struct http_conn *hc)
{
    if (!hc->server)
        return;
    unlink_conn(hc);
    timer_disarm(&hc->timer);
    struct request *r = hc->req;
    hc->req = NULL;
    if (r) {
        r->hc = NULL;
        if (hc->state == HC_BUSY && r->closed) {
            loop_fn *fn = r->closed;
            r->closed = NULL;
            fn(r->closed_ctx);
        } else if (hc->state != HC_BUSY) {
            request__release(r); /* never handed out */
        }
    }
    struct ws *ws = hc->ws;
    hc->ws = NULL;
    if (ws)
        ws__gone(ws);
    conn_close(&hc->io);
    loop_defer(hc->loop, free, hc);
}

static int64_t stall_ms(const struct http_conn *hc)
{
    return or_default(hc->server->params.stall_timeout_ms, 300 * 1000);
}

static void arm(struct http_conn *hc)
{
    const struct http_server_params *p = &hc->server->params;
    switch (hc->state) {
    case HC_HEAD:
        timer_arm_ms(&hc->timer, hc->has_partial_head ? or_default(p->head_timeout_ms, 15 * 1000)
                                                      : or_default(p->idle_timeout_ms, 60 * 1000));
        break;
    case HC_BODY:
        timer_arm_ms(&hc->timer, or_default(p->head_timeout_ms, 15 * 1000));
        break;
    case HC_BUSY:
    case HC_FINISH:
        timer_arm_ms(&hc->timer, MAX(stall_ms(hc) / 4, 1));
        break;
    case HC_WS:
        timer_arm_ms(&hc->timer, or_default(p->ws_ping_ms, 20 * 1000));
        break;
    }
}

/* Whether the client still takes what is written to it. */
static bool makes_progress(struct http_conn *hc)
{
    uint64_t n_sent = conn_sent_bytes(hc->io);
    int64_t now_us = loop_mono_us(hc->loop);
    if (conn_pending(hc->io) == 0 || n_sent != hc->sent_seen) {
        hc->sent_seen = n_sent;
        hc->progress_us = now_us;
    }
    return now_us - hc->progress_us < stall_ms(hc) * US_PER_MS;
}

static void refuse(struct http_conn *hc, int status)
{
    if (hc->req) {
        struct request *r = hc->req;
        hc->req = NULL;
        r->hc = NULL;
        request__release(r);
    }
    http__write_simple(hc, status);
}

static void on_timer(void *ctx)
{
    struct http_conn *hc = ctx;
    if (hc->state == HC_WS) {
        arm(hc);
        ws__on_timer(hc->ws);
        return;
    }
    bool is_sending = conn_pending(hc->io) > 0;
    bool may_wait = is_sending || hc->state == HC_BUSY || hc->state == HC_FINISH;
    if (may_wait && makes_progress(hc)) {
        arm(hc);
        return;
    }
    if (hc->state == HC_BODY)
        refuse(hc, 408);
    else
        cut(hc);
}

void http_conn__next(struct http_conn *hc, bool keeps_alive)
{
    hc->req = NULL;
    hc->n_scanned = 0;
    hc->has_partial_head = false;
    if (keeps_alive) {
        hc->state = HC_HEAD;
        conn_resume(hc->io);
    } else {
        hc->state = HC_FINISH;
        conn_finish(hc->io, LINGER_MS);
    }
    arm(hc);
}

static void dispatch(struct http_conn *hc)
{
    struct request *r = hc->req;
    struct http_server *s = hc->server;
    hc->state = HC_BUSY;
    hc->progress_us = loop_mono_us(hc->loop);
    arm(hc);
    r->pub.body = (const uint8_t *)buf_cstr(&r->body);
    r->pub.body_len = r->body.len;
    r->pub.peer = hc->peer;
    address_print_host(&hc->peer, r->pub.peer_text, sizeof r->pub.peer_text);
    r->pub.is_tls = s->params.tls != NULL;
    s->params.handler(s->params.ctx, &r->pub);
}

static void begin_body(struct http_conn *hc)
{
    struct request *r = hc->req;
    const struct http_head *h = &r->head;
    size_t max = hc->server->params.max_body_bytes;
    max = max ? max : HTTP_BODY_MAX_DEFAULT;
    if (h->content_length > 0 && (uint64_t)h->content_length > max) {
        refuse(hc, 413);
        return;
    }
    buf_init(&r->body, max);
    if (!h->is_chunked && h->content_length <= 0) {
        dispatch(hc);
        return;
    }
    hc->state = HC_BODY;
    if (h->expects_continue)
        conn_write(hc->io, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    arm(hc);
}

/* Bytes used; 0 = the head is not complete. */
static size_t take_head(struct http_conn *hc, const uint8_t *data, size_t len)
{
    int n = http_head_find_end(data, len, &hc->n_scanned);
    if (n < 0) {
        refuse(hc, -n);
        return len;
    }
    if (n == 0) {
        if (!hc->has_partial_head) {
            hc->has_partial_head = true;
            arm(hc);
        }
        return 0;
    }
    hc->n_scanned = 0;
    char *text = xmalloc((size_t)n + 1);
    memcpy(text, data, (size_t)n);
    struct http_head head;
    int rc = http_head_parse(text, (size_t)n, &head);
    if (rc < 0) {
        free(text);
        refuse(hc, -rc);
        return len;
    }
    struct request *r = request__create(text, &head);
    r->hc = hc;
    r->loop = hc->loop;
    r->pool = hc->server->params.pool;
    hc->req = r;
    rc = request__parse_target(r);
    if (rc < 0)
        refuse(hc, -rc);
    else
        begin_body(hc);
    return (size_t)n;
}

static size_t take_body(struct http_conn *hc, const uint8_t *data, size_t len)
{
    struct request *r = hc->req;
    size_t used = 0;
    int rc = 0;
    if (r->head.is_chunked) {
        rc = http_chunks_feed(&r->chunks, data, len, &used, &r->body);
    } else {
        used = MIN(len, (size_t)r->head.content_length - r->body.len);
        buf_append(&r->body, data, used);
        rc = r->body.is_failed ? -413 : r->body.len == (size_t)r->head.content_length;
    }
    if (rc < 0) {
        refuse(hc, -rc);
        return len;
    }
    if (rc > 0)
        dispatch(hc);
    else
        arm(hc);
    return used;
}

static size_t on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct http_conn *hc = ctx;
    size_t used = 0;
    while (used < len && hc->server) {
        size_t n = 0;
        if (hc->state == HC_HEAD)
            n = take_head(hc, data + used, len - used);
        else if (hc->state == HC_BODY)
            n = take_body(hc, data + used, len - used);
        else if (hc->state == HC_WS)
            n = ws__input(hc->ws, data + used, len - used);
        else if (hc->state == HC_FINISH)
            n = len - used;
        used += n; /* a busy connection keeps the next request waiting */
        if (n == 0)
            break;
    }
    return used;
}

static void on_drained(void *ctx)
{
    struct http_conn *hc = ctx;
    if (hc->state == HC_WS)
        ws__drained(hc->ws);
    else if (hc->req && hc->state == HC_BUSY && hc->req->drained)
        hc->req->drained(hc->req->drained_ctx);
}

static void on_closed(void *ctx, int code)
{
    (void)code;
    cut(ctx);
}

static void add_conn(struct http_server *s, int fd, const struct address *peer)
{
    struct http_conn *hc = xcalloc(1, sizeof *hc);
    hc->server = s;
    hc->loop = s->params.loop;
    hc->peer = *peer;
    hc->has_partial_head = true; /* a new connection has something to say */
    timer_init(&hc->timer, hc->loop, on_timer, hc);
    hc->next = s->conns;
    if (s->conns)
        s->conns->prev = hc;
    s->conns = hc;
    s->n_conns++;
    socket_set_nodelay(fd);
    socket_set_keepalive(fd, 30);
    hc->io = conn_create(&(struct conn_params){
        .loop = hc->loop,
        .fd = fd,
        .tls = s->params.tls,
        .data = on_data,
        .drained = on_drained,
        .closed = on_closed,
        .ctx = hc,
    });
    arm(hc);
    int max = or_default(s->params.max_connections, 1000);
    if (s->n_conns > max && !s->params.tls)
        http__write_simple(hc, 503);
    else if (s->n_conns > max)
        cut(hc); /* a handshake costs more than it is worth */
}

static void on_accept(void *ctx, int listener, short what);

static void resume_accepting(void *ctx)
{
    struct http_server *s = ctx;
    watch_start(&s->watch, s->params.loop, s->fd, WATCH_READ, on_accept, s);
}

static void on_accept(void *ctx, int listener, short what)
{
    (void)what;
    struct http_server *s = ctx;
    int max = or_default(s->params.max_connections, 1000);
    max += MIN(max, REFUSED_CONNECTIONS);
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        struct address peer;
        int fd = socket_accept(listener, &peer);
        if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
            log_warn("http", "cannot accept: %s", err_name(fd));
            watch_stop(&s->watch);
            timer_arm_ms(&s->accept_pause, ACCEPT_PAUSE_MS);
            return;
        }
        if (fd == -EAGAIN)
            return;
        if (fd < 0)
            continue;
        if (s->n_conns >= max)
            close(fd);
        else
            add_conn(s, fd, &peer);
    }
}

int http_server_create(const struct http_server_params *params, struct http_server **out,
                       struct err *err)
{
    struct address at;
    int rc = address_parse_listen(params->listen, &at, err);
    if (rc < 0)
        return rc;
    int fd = socket_listen(&at, 512, params->is_shared, err);
    if (fd < 0)
        return fd;
    struct http_server *s = xcalloc(1, sizeof *s);
    s->params = *params;
    s->params.listen = NULL; /* only lives during the call */
    s->fd = fd;
    timer_init(&s->accept_pause, params->loop, resume_accepting, s);
    watch_start(&s->watch, params->loop, fd, WATCH_READ, on_accept, s);
    *out = s;
    return 0;
}

void http_server_destroy(struct http_server **sp)
{
    struct http_server *s = *sp;
    if (!s)
        return;
    loop_assert(s->params.loop);
    watch_stop(&s->watch);
    timer_disarm(&s->accept_pause);
    close(s->fd);
    while (s->conns)
        cut(s->conns);
    *sp = NULL;
    loop_defer(s->params.loop, free, s);
}

uint16_t http_server_port(const struct http_server *s)
{
    struct address a;
    return socket_local(s->fd, &a) == 0 ? address_port(&a) : 0;
}

int http_server_connections(const struct http_server *s)
{
    return s->n_conns;
}
