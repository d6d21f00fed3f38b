#include "ingest/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEPALIVE_S     10
#define USER_TIMEOUT_MS 10000

void wire_init(struct wire *w, struct loop *loop, const struct wire_events *events, void *ctx)
{
    *w = (struct wire){.loop = loop, .events = events, .ctx = ctx, .fd = -1};
}

void wire_close(struct wire *w)
{
    watch_stop(&w->reader);
    watch_stop(&w->writer);
    tls_session_destroy(&w->tls);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->state = WIRE_CLOSED;
    w->read_waits_for_write = false;
    w->write_waits_for_read = false;
}

/* --- events --- */

static void tell_readable(void *ctx)
{
    struct wire *w = ctx;
    w->is_read_queued = false;
    if (w->state == WIRE_READY)
        w->events->readable(w->ctx);
}

static void tell_writable(void *ctx)
{
    struct wire *w = ctx;
    w->is_write_queued = false;
    if (w->state == WIRE_READY)
        w->events->writable(w->ctx);
}

static void queue_readable(struct wire *w)
{
    if (!w->is_read_queued)
        loop_defer(w->loop, tell_readable, w);
    w->is_read_queued = true;
}

static void on_readable(void *ctx, int fd, short what)
{
    struct wire *w = ctx;
    (void)fd;
    (void)what;
    if (w->write_waits_for_read && !w->is_write_queued) {
        w->write_waits_for_read = false;
        w->is_write_queued = true;
        loop_defer(w->loop, tell_writable, w);
    }
    w->events->readable(w->ctx);
}

static void on_writable(void *ctx, int fd, short what)
{
    struct wire *w = ctx;
    (void)fd;
    (void)what;
    watch_stop(&w->writer);
    if (w->read_waits_for_write) {
        w->read_waits_for_write = false;
        queue_readable(w);
    }
    w->events->writable(w->ctx);
}

static void become_ready(struct wire *w)
{
    w->state = WIRE_READY;
    watch_start(&w->reader, w->loop, w->fd, WATCH_READ, on_readable, w);
    if (w->tls && tls_session_has_more(w->tls))
        queue_readable(w);
}

static void tell_opened(struct wire *w, const struct err *err)
{
    w->is_told = true;
    w->events->opened(w->ctx, err);
}

static void fail(struct wire *w)
{
    watch_stop(&w->reader);
    watch_stop(&w->writer);
    w->state = WIRE_FAILED;
    tell_opened(w, &w->err);
}

/* --- opening --- */

static void explain_connect(struct wire *w, int code)
{
    char peer[ADDRESS_TEXT_BYTES];
    address_print(&w->peer, peer, sizeof peer);
    if (code == -ECONNREFUSED)
        err_text(&w->err, code, "connection refused by %s", peer);
    else if (code == -ETIMEDOUT)
        err_text(&w->err, code, "no answer from %s", peer);
    else
        err_set(&w->err, code, "cannot connect to %s", peer);
}

static void explain_handshake(struct wire *w, int code, const struct err *why)
{
    unsigned port = address_port(&w->peer);
    if (code == ERR_PARSE)
        err_text(&w->err, ERR_PROTOCOL, "TLS: the camera does not speak TLS on port %u; try %s",
                 port, w->instead);
    else if (code == ERR_PROTOCOL)
        err_text(&w->err, code,
                 "TLS: the handshake failed (%.60s); update the camera's firmware or try %s",
                 why->msg, w->instead);
    else
        err_text(&w->err, ERR_PROTOCOL,
                 "TLS: the camera broke off the handshake; if it does not speak TLS on port %u, "
                 "try %s",
                 port, w->instead);
}

static void on_secure_event(void *ctx, int fd, short what)
{
    struct wire *w = ctx;
    struct err why = {0};
    (void)what;
    int rc = tls_session_handshake(w->tls, &why);
    if (rc == -EAGAIN) {
        if (tls_session_wants_write(w->tls))
            watch_start(&w->writer, w->loop, fd, WATCH_WRITE, on_secure_event, w);
        else
            watch_stop(&w->writer);
        return;
    }
    if (rc < 0) {
        explain_handshake(w, rc, &why);
        fail(w);
        return;
    }
    watch_stop(&w->writer);
    become_ready(w);
    tell_opened(w, NULL);
}

static void secure(struct wire *w)
{
    w->tls = tls_session_create(w->tls_client, w->fd, w->host);
    if (!w->tls) {
        err_set(&w->err, -ENOMEM, "TLS");
        fail(w);
        return;
    }
    w->state = WIRE_SECURE;
    watch_start(&w->reader, w->loop, w->fd, WATCH_READ, on_secure_event, w);
    on_secure_event(w, w->fd, 0);
}

static void set_options(int fd)
{
    socket_set_nodelay(fd);
    socket_set_keepalive(fd, KEEPALIVE_S);
    socket_set_user_timeout(fd, USER_TIMEOUT_MS);
}

static void on_connected(void *ctx, int fd, short what)
{
    struct wire *w = ctx;
    (void)what;
    watch_stop(&w->writer);
    int rc = socket_connect_result(fd);
    if (rc < 0) {
        explain_connect(w, rc);
        fail(w);
        return;
    }
    set_options(fd);
    if (w->tls_client) {
        secure(w);
        return;
    }
    become_ready(w);
    tell_opened(w, NULL);
}

static void tell_failed(void *ctx)
{
    struct wire *w = ctx;
    if (w->state == WIRE_FAILED && !w->is_told)
        fail(w);
}

void wire_open(struct wire *w, const struct address *to, struct tls_client *tls, const char *host,
               const char *instead)
{
    assert(w->state == WIRE_CLOSED);
    w->is_told = false;
    w->instead = instead;
    w->peer = *to;
    w->tls_client = tls;
    w->host = host;
    int fd = socket_connect(to, NULL);
    if (fd < 0) {
        explain_connect(w, fd);
        w->state = WIRE_FAILED;
        loop_defer(w->loop, tell_failed, w);
        return;
    }
    w->fd = fd;
    w->state = WIRE_CONNECT;
    watch_start(&w->writer, w->loop, fd, WATCH_WRITE, on_connected, w);
}

void wire_adopt(struct wire *w, int fd)
{
    assert(w->state == WIRE_CLOSED);
    w->fd = fd;
    set_options(fd);
    become_ready(w);
}

void wire_print_wait(const struct wire *w, int waited_s, char *dst, size_t cap)
{
    char peer[ADDRESS_TEXT_BYTES];
    address_print(&w->peer, peer, sizeof peer);
    if (w->state == WIRE_SECURE)
        snprintf(dst, cap,
                 "TLS: no answer from %s to the handshake within %d s; if it does not speak TLS "
                 "there, try %s",
                 peer, waited_s, w->instead);
    else
        snprintf(dst, cap, "no answer from %s within %d s", peer, waited_s);
}

/* --- bytes --- */

ssize_t wire_read(struct wire *w, void *dst, size_t cap)
{
    assert(w->state == WIRE_READY);
    if (!w->tls) {
        ssize_t n = recv(w->fd, dst, cap, MSG_DONTWAIT);
        if (n > 0)
            return n;
        if (n == 0)
            return ERR_EOF;
        return errno == EINTR ? -EAGAIN : -errno;
    }
    ssize_t n = tls_session_read(w->tls, dst, cap);
    if (n > 0 && tls_session_has_more(w->tls))
        queue_readable(w);
    if (n == -EAGAIN && tls_session_wants_write(w->tls)) {
        w->read_waits_for_write = true;
        watch_start(&w->writer, w->loop, w->fd, WATCH_WRITE, on_writable, w);
    }
    return n;
}

ssize_t wire_write(struct wire *w, const void *p, size_t n)
{
    assert(w->state == WIRE_READY);
    ssize_t rc;
    if (w->tls) {
        rc = tls_session_write(w->tls, p, n);
    } else {
        rc = send(w->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (rc < 0)
            rc = errno == EINTR ? -EAGAIN : -errno;
    }
    if (rc != -EAGAIN)
        return rc;
    if (w->tls && !tls_session_wants_write(w->tls))
        w->write_waits_for_read = true;
    else if (!w->writer.event)
        watch_start(&w->writer, w->loop, w->fd, WATCH_WRITE, on_writable, w);
    return rc;
}
