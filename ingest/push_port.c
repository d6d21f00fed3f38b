#include "ingest/push_port.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "ingest/push_limit.h"

#define ACCEPTS_PER_EVENT 32
#define ACCEPT_PAUSE_MS   500
#define READ_BYTES        8192 /* at once; nobody has logged in yet */
#define LINGER_MS         1000 /* for the last answer to arrive */

/* Somebody who has not logged in. */
struct visitor {
    struct push_port *port;
    struct visitor *next, *prev; /* of the port, newest first */
    int fd;
    struct address address;
    struct push_login login;
    struct watch reader, writer;
    struct timer deadline; /* to log in, or of the last answer */
    struct timer patience; /* the limit of wrong keys lets it wait */
};

struct push_port {
    struct push_port_params params;
    int fd;
    struct watch watch;
    struct timer accept_pause;
    struct visitor *newest, *oldest;
    int n_waiting;
    struct push_limit limit;
    struct log_every log_limit;
};

/* --- peers --- */

void push_peer_free(struct push_peer **pp)
{
    struct push_peer *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    if (p->fd >= 0)
        close(p->fd);
    buf_fini(&p->bytes);
    free(p);
}

void push_peer_refuse(struct push_peer **pp, int status, const char *reason)
{
    struct push_peer *p = *pp;
    struct rtsp_parser parser;
    struct rtsp_item item;
    struct buf out;
    rtsp_parser_init(&parser);
    bool is_request =
        rtsp_parse(&parser, p->bytes.data, p->bytes.len, &item) > 0 && item.kind == RTSP_REQUEST;
    buf_init(&out, RTSP_HEADER_MAX_BYTES);
    rtsp_response_begin(&out, status, reason, is_request ? item.message.cseq : -1, NULL);
    rtsp_end(&out, NULL, NULL, 0);
    ssize_t n = send(p->fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n; /* a peer that cannot even take this is told by the hang-up */
    shutdown(p->fd, SHUT_WR);
    buf_fini(&out);
    push_peer_free(pp);
}

/* --- visitors --- */

static void unlink_visitor(struct visitor *v)
{
    struct push_port *port = v->port;
    *(v->prev ? &v->prev->next : &port->newest) = v->next;
    *(v->next ? &v->next->prev : &port->oldest) = v->prev;
    port->n_waiting--;
    watch_stop(&v->reader);
    watch_stop(&v->writer);
    timer_disarm(&v->deadline);
    timer_disarm(&v->patience);
}

static void drop(struct visitor *v)
{
    unlink_visitor(v);
    if (v->fd >= 0)
        close(v->fd);
    allowance_give(v->port->params.allowance, 1);
    push_login_fini(&v->login);
    loop_defer(v->port->params.loop, free, v);
}

static void hand_over(struct visitor *v)
{
    struct push_port *port = v->port;
    struct push_peer *peer = xcalloc(1, sizeof *peer);
    *peer = (struct push_peer){.fd = v->fd, .address = v->address, .bytes = v->login.in};
    v->fd = -1;
    buf_init(&v->login.in, 0);
    watch_stop(&v->reader); /* another loop watches it from here on */
    watch_stop(&v->writer);
    port->params.admit(port->params.ctx, v->login.camera_id, v->login.stream, peer);
    drop(v);
}

static void follow(struct visitor *v);

static void on_writable(void *ctx, int fd, short what)
{
    (void)fd;
    (void)what;
    struct visitor *v = ctx;
    watch_stop(&v->writer);
    follow(v);
}

/* False when the visitor is gone. */
static bool flush(struct visitor *v)
{
    struct buf *out = &v->login.out;
    if (out->len == 0 || v->writer.event)
        return true;
    ssize_t n = send(v->fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        drop(v);
        return false;
    }
    if (n > 0)
        buf_consume(out, (size_t)n);
    if (out->len > 0)
        watch_start(&v->writer, v->port->params.loop, v->fd, WATCH_WRITE, on_writable, v);
    return true;
}

static void log_wrong_key(struct visitor *v)
{
    uint64_t n_skipped;
    char from[ADDRESS_TEXT_BYTES];
    struct push_port *port = v->port;
    if (!log_every(&port->log_limit, loop_mono_us(port->params.loop), &n_skipped))
        return;
    log_warn("push", "%s pushes to %s/%s with a wrong key, or there is no such camera",
             address_print_host(&v->address, from, sizeof from), v->login.camera_id,
             v->login.stream);
}

/* The key of an ANNOUNCE, unless too many from there were wrong. */
static void check(struct visitor *v)
{
    struct push_port *port = v->port;
    struct push_camera camera = {0};
    int64_t now_us = loop_mono_us(port->params.loop);
    int64_t wait_us = push_limit_wait_us(&port->limit, &v->address, now_us);
    if (wait_us > 0) {
        timer_arm_us(&v->patience, wait_us);
        return;
    }
    port->params.lookup(port->params.ctx, v->login.camera_id, v->login.stream, &camera);
    if (push_login_check(&v->login, &camera) == PUSH_WRONG_KEY) {
        push_limit_failed(&port->limit, &v->address, now_us);
        log_wrong_key(v);
    }
    explicit_bzero(&camera, sizeof camera);
}

static void last_answer(struct visitor *v)
{
    watch_stop(&v->reader);
    if (v->login.out.len > 0)
        return;
    shutdown(v->fd, SHUT_WR);
    timer_arm_ms(&v->deadline, LINGER_MS);
}

static void follow(struct visitor *v)
{
    if (v->login.state == PUSH_LOGIN_ASKING && !timer_is_armed(&v->patience))
        check(v);
    if (!flush(v))
        return;
    if (v->login.state == PUSH_LOGIN_ADMITTED && v->login.out.len == 0)
        hand_over(v);
    else if (v->login.state == PUSH_LOGIN_CLOSED)
        last_answer(v);
}

static void on_readable(void *ctx, int fd, short what)
{
    (void)what;
    struct visitor *v = ctx;
    uint8_t *scratch = loop_scratch(v->port->params.loop);
    ssize_t n = recv(fd, scratch, READ_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(v);
        return;
    }
    if (v->login.state == PUSH_LOGIN_READING)
        push_login_input(&v->login, scratch, (size_t)n);
    else /* it goes on talking while its login waits */
        buf_append(&v->login.in, scratch, (size_t)n);
    if (v->login.in.is_failed)
        drop(v);
    else
        follow(v);
}

static void on_patience(void *ctx)
{
    follow(ctx);
}

static void on_deadline(void *ctx)
{
    drop(ctx);
}

/* --- listening --- */

static void make_room(struct push_port *port, const struct address *from)
{
    struct visitor *oldest = NULL;
    int n = 0;
    for (struct visitor *v = port->newest; v; v = v->next) {
        if (!address_same_host(&v->address, from))
            continue;
        n++;
        oldest = v;
    }
    if (n >= PUSH_PORT_PER_ADDRESS)
        drop(oldest);
    else if (port->n_waiting >= PUSH_PORT_WAITING)
        drop(port->oldest);
}

static void welcome(struct push_port *port, int fd, const struct address *from)
{
    struct loop *loop = port->params.loop;
    make_room(port, from);
    if (!allowance_take(port->params.allowance, 1)) {
        uint64_t n_skipped;
        if (log_every(&port->log_limit, loop_mono_us(loop), &n_skipped))
            log_warn("push", "an encoder is hung up on: no descriptor is left for it");
        close(fd);
        return;
    }
    struct visitor *v = xcalloc(1, sizeof *v);
    v->port = port;
    v->fd = fd;
    v->address = *from;
    push_login_init(&v->login);
    timer_init(&v->deadline, loop, on_deadline, v);
    timer_init(&v->patience, loop, on_patience, v);
    v->next = port->newest;
    *(v->next ? &v->next->prev : &port->oldest) = v;
    port->newest = v;
    port->n_waiting++;
    socket_set_nodelay(fd);
    timer_arm_ms(&v->deadline, PUSH_PORT_LOGIN_S * 1000);
    watch_start(&v->reader, loop, fd, WATCH_READ, on_readable, v);
}

static void on_accept(void *ctx, int listener, short what);

static void resume_accepting(void *ctx)
{
    struct push_port *port = ctx;
    watch_start(&port->watch, port->params.loop, port->fd, WATCH_READ, on_accept, port);
}

static void on_accept(void *ctx, int listener, short what)
{
    struct push_port *port = ctx;
    (void)what;
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        struct address from;
        int fd = socket_accept(listener, &from);
        if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
            log_warn("push", "cannot accept: %s", err_name(fd));
            watch_stop(&port->watch);
            timer_arm_ms(&port->accept_pause, ACCEPT_PAUSE_MS);
            return;
        }
        if (fd == -EAGAIN)
            return;
        if (fd >= 0)
            welcome(port, fd, &from);
    }
}

int push_port_create(const struct push_port_params *params, struct push_port **out, struct err *err)
{
    struct address at;
    int rc = address_parse_listen(params->listen, &at, err);
    if (rc < 0)
        return rc;
    int fd = socket_listen(&at, 512, false, err);
    if (fd < 0)
        return fd;
    struct push_port *port = xcalloc(1, sizeof *port);
    port->params = *params;
    port->params.listen = NULL; /* only lives during the call */
    port->fd = fd;
    timer_init(&port->accept_pause, params->loop, resume_accepting, port);
    watch_start(&port->watch, params->loop, fd, WATCH_READ, on_accept, port);
    *out = port;
    return 0;
}

void push_port_destroy(struct push_port **pp)
{
    struct push_port *port = *pp;
    if (!port)
        return;
    loop_assert(port->params.loop);
    watch_stop(&port->watch);
    timer_disarm(&port->accept_pause);
    close(port->fd);
    while (port->newest)
        drop(port->newest);
    *pp = NULL;
    loop_defer(port->params.loop, free, port);
}

uint16_t push_port_number(const struct push_port *p)
{
    struct address a;
    return socket_local(p->fd, &a) == 0 ? address_port(&a) : 0;
}

int push_port_n_waiting(const struct push_port *p)
{
    return p->n_waiting;
}
