#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/tls_priv.h"

#define READ_BYTES       (32u << 10)
#define READS_PER_EVENT  4 /* then others get their turn */
#define IN_DEFAULT_BYTES (64u << 10)
#define TLS_RECORD_BYTES (16u << 10)

struct conn {
    struct conn_params params;
    struct watch reading;
    struct watch writing;
    struct timer linger;
    struct ssl_st *ssl;
    struct buf in;
    struct evbuffer *out;
    uint64_t n_sent;
    uint64_t linger_sent; /* n_sent when the linger timer was armed */
    int linger_ms;
    int broken; /* the code to report; 0 = fine */
    bool is_paused;
    bool is_reading;      /* the watch is on */
    bool is_flush_queued; /* the turn's end writes */
    bool is_show_queued;
    bool is_finishing;
    bool has_pending; /* drained is owed */
    bool is_shown;    /* data() is running */
    bool is_reported;
    bool is_closed;
    bool is_draining;     /* all is sent: reading what the peer still says, to no use */
    bool tls_wants_write; /* TLS cannot read before it has written */
    bool tls_wants_read;  /* TLS cannot write before it has read */
};

static void on_readable(void *ctx, int fd, short what);
static void on_writable(void *ctx, int fd, short what);
static void queue_flush(struct conn *c);

static void update_reading(struct conn *c)
{
    bool is_open = !c->is_paused && !c->is_finishing && c->in.len < c->params.max_in_bytes;
    bool is_wanted = !c->is_closed && !c->broken && (is_open || c->is_draining);
    if (is_wanted == c->is_reading)
        return;
    c->is_reading = is_wanted;
    if (is_wanted)
        watch_start(&c->reading, c->params.loop, c->params.fd, WATCH_READ, on_readable, c);
    else
        watch_stop(&c->reading);
}

static void report(void *ctx)
{
    struct conn *c = ctx;
    if (c->is_closed || c->is_reported)
        return;
    c->is_reported = true;
    c->params.closed(c->params.ctx, c->broken);
}

/* The report comes from the end of the turn, never from within a call of the owner. */
static void fail(struct conn *c, int code)
{
    if (c->broken)
        return;
    c->broken = code;
    watch_stop(&c->reading);
    watch_stop(&c->writing);
    timer_disarm(&c->linger);
    c->is_reading = false;
    evbuffer_drain(c->out, evbuffer_get_length(c->out));
    loop_defer(c->params.loop, report, c);
}

static void on_linger(void *ctx)
{
    struct conn *c = ctx;
    if (c->n_sent == c->linger_sent) {
        fail(c, ERR_EOF);
        return;
    }
    c->linger_sent = c->n_sent;
    timer_arm_ms(&c->linger, c->linger_ms);
}

struct conn *conn_create(const struct conn_params *params)
{
    struct conn *c = xcalloc(1, sizeof *c);
    c->params = *params;
    if (!c->params.max_in_bytes)
        c->params.max_in_bytes = IN_DEFAULT_BYTES;
    buf_init(&c->in, c->params.max_in_bytes + READ_BYTES);
    c->out = evbuffer_new();
    if (!c->out)
        abort();
    timer_init(&c->linger, params->loop, on_linger, c);
    if (params->tls) {
        c->ssl = tls__session(params->tls, params->fd);
        if (!c->ssl)
            fail(c, -ENOMEM);
    }
    update_reading(c);
    return c;
}

static void free_conn(void *ctx)
{
    struct conn *c = ctx;
    free(c);
}

void conn_close(struct conn **cp)
{
    struct conn *c = *cp;
    if (!c)
        return;
    *cp = NULL;
    loop_assert(c->params.loop);
    c->is_closed = true;
    watch_stop(&c->reading);
    watch_stop(&c->writing);
    timer_disarm(&c->linger);
    if (c->ssl) {
        if (!c->broken)
            tls__say_end(c->ssl);
        tls__free(&c->ssl);
    }
    close(c->params.fd);
    evbuffer_free(c->out);
    c->out = NULL;
    if (!c->is_shown)
        buf_fini(&c->in);
    loop_defer(c->params.loop, free_conn, c);
}

/* Bytes, 0 = would block, < 0 = error or end. */
static int64_t read_tls(struct conn *c, uint8_t *dst, size_t cap)
{
    bool wants_write = false;
    int64_t n = tls__read(c->ssl, dst, cap, &wants_write);
    c->tls_wants_write |= wants_write;
    return n == -EAGAIN ? 0 : n;
}

static int64_t read_some(struct conn *c, uint8_t *dst, size_t cap)
{
    if (c->ssl)
        return read_tls(c, dst, cap);
    ssize_t n = recv(c->params.fd, dst, cap, 0);
    if (n > 0)
        return n;
    if (n == 0)
        return ERR_EOF;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* Shows what waits; false when the owner closed the connection meanwhile. */
static bool show(struct conn *c)
{
    c->is_shown = true;
    size_t used = c->params.data(c->params.ctx, c->in.data, c->in.len);
    c->is_shown = false;
    if (c->is_closed) {
        buf_fini(&c->in);
        return false;
    }
    assert(used <= c->in.len);
    if (used == c->in.len)
        buf_fini(&c->in); /* idle connections hold no buffer */
    else
        buf_consume(&c->in, used);
    return true;
}

static void on_readable(void *ctx, int fd, short what)
{
    struct conn *c = ctx;
    (void)fd;
    (void)what;
    for (int i = 0; i < READS_PER_EVENT && c->is_reading; i++) {
        if (!buf_reserve(&c->in, READ_BYTES)) {
            fail(c, -ENOMEM);
            return;
        }
        int64_t n = read_some(c, c->in.data + c->in.len, READ_BYTES);
        if (n < 0) {
            fail(c, (int)n);
            return;
        }
        if (n == 0)
            break;
        if (c->is_draining)
            continue;
        c->in.len += (size_t)n;
        if (!show(c))
            return;
        update_reading(c);
        /* A short read of a plain socket has emptied it. */
        if (!c->ssl && n < READ_BYTES)
            return;
    }
    /* TLS may hold decrypted bytes that no poll will report. */
    if (c->ssl && c->is_reading && tls__has_pending(c->ssl))
        conn_resume(c);
    if (c->in.len == 0)
        buf_fini(&c->in);
    if (c->tls_wants_write && !c->writing.event)
        watch_start(&c->writing, c->params.loop, c->params.fd, WATCH_WRITE, on_writable, c);
    if (c->tls_wants_read) {
        c->tls_wants_read = false;
        queue_flush(c);
    }
}

/* One record from the front; bytes, 0 = would block, < 0 = error. */
static int64_t write_tls(struct conn *c)
{
    size_t want = MIN(evbuffer_get_length(c->out), TLS_RECORD_BYTES);
    struct evbuffer_iovec piece[1];
    const uint8_t *p = loop_scratch(c->params.loop);
    if (evbuffer_peek(c->out, (ev_ssize_t)want, NULL, piece, 1) == 1) {
        p = piece[0].iov_base;
        want = MIN(want, piece[0].iov_len);
    } else {
        evbuffer_copyout(c->out, loop_scratch(c->params.loop), want);
    }
    bool wants_write = false;
    int64_t n = tls__write(c->ssl, p, want, &wants_write);
    if (n == -EAGAIN) {
        c->tls_wants_read |= !wants_write;
        return 0;
    }
    if (n > 0)
        evbuffer_drain(c->out, (size_t)n);
    return n;
}

static int64_t write_some(struct conn *c)
{
    if (c->ssl)
        return write_tls(c);
    int n = evbuffer_write(c->out, c->params.fd);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* A socket closed with unread bytes resets the connection, and the peer may lose the answer: so its
 * end is awaited, within the linger time. */
static void drain_if_sent(struct conn *c)
{
    if (!c->is_finishing || c->is_draining || c->broken)
        return;
    c->is_draining = true;
    if (c->ssl)
        tls__say_end(c->ssl);
    shutdown(c->params.fd, SHUT_WR);
    update_reading(c);
}

/* Writes until the socket is full or everything is out. */
static void flush(struct conn *c)
{
    while (evbuffer_get_length(c->out) > 0) {
        int64_t n = write_some(c);
        if (n < 0) {
            fail(c, (int)n);
            return;
        }
        if (n == 0) {
            if (!c->writing.event && !c->tls_wants_read)
                watch_start(&c->writing, c->params.loop, c->params.fd, WATCH_WRITE, on_writable, c);
            return;
        }
        c->n_sent += (uint64_t)n;
    }
    watch_stop(&c->writing);
    drain_if_sent(c);
    if (c->has_pending && !c->broken) {
        c->has_pending = false;
        if (c->params.drained)
            c->params.drained(c->params.ctx);
    }
}

static void on_writable(void *ctx, int fd, short what)
{
    struct conn *c = ctx;
    (void)fd;
    (void)what;
    bool was_wanted = c->tls_wants_write;
    c->tls_wants_write = false;
    flush(c);
    if (was_wanted && !c->is_closed && !c->broken)
        conn_resume(c);
}

static void on_turn_end(void *ctx)
{
    struct conn *c = ctx;
    c->is_flush_queued = false;
    if (!c->is_closed && !c->broken && !c->writing.event)
        flush(c);
}

static void queue_flush(struct conn *c)
{
    c->has_pending = true;
    if (c->is_flush_queued || c->writing.event)
        return;
    c->is_flush_queued = true;
    loop_defer(c->params.loop, on_turn_end, c);
}

void conn_write(struct conn *c, const void *data, size_t n)
{
    conn_write_parts(c, &(struct conn_part){.data = data, .n = n}, 1);
}

static void release_part(const void *data, size_t n, void *extra)
{
    (void)data;
    (void)n;
    struct conn_part *part = extra;
    part->release(part->ctx);
    free(part);
}

static void add_part(struct conn *c, const struct conn_part *part)
{
    if (!part->release) {
        if (part->n > 0 && evbuffer_add(c->out, part->data, part->n) < 0)
            abort();
        return;
    }
    if (part->n == 0) {
        part->release(part->ctx);
        return;
    }
    struct conn_part *kept = xmalloc(sizeof *kept);
    *kept = *part;
    if (evbuffer_add_reference(c->out, part->data, part->n, release_part, kept) < 0)
        abort();
}

void conn_write_parts(struct conn *c, const struct conn_part *parts, size_t n_parts)
{
    loop_assert(c->params.loop);
    if (c->broken || c->is_finishing) {
        for (size_t i = 0; i < n_parts; i++) {
            if (parts[i].release)
                parts[i].release(parts[i].ctx);
        }
        return;
    }
    for (size_t i = 0; i < n_parts; i++)
        add_part(c, &parts[i]);
    queue_flush(c);
}

void conn_abort(struct conn *c)
{
    fail(c, -ECONNABORTED);
}

void conn_finish(struct conn *c, int linger_ms)
{
    if (c->is_finishing || c->broken)
        return;
    c->is_finishing = true;
    update_reading(c);
    c->linger_ms = linger_ms;
    c->linger_sent = c->n_sent;
    timer_arm_ms(&c->linger, linger_ms);
    queue_flush(c);
}

size_t conn_pending(const struct conn *c)
{
    return evbuffer_get_length(c->out);
}

uint64_t conn_sent_bytes(const struct conn *c)
{
    return c->n_sent;
}

void conn_pause(struct conn *c)
{
    c->is_paused = true;
    update_reading(c);
}

static void show_again(void *ctx)
{
    struct conn *c = ctx;
    c->is_show_queued = false;
    if (c->is_closed || c->broken || c->is_paused || c->is_finishing)
        return;
    if (c->in.len > 0 && !show(c))
        return;
    update_reading(c);
    if (c->ssl && c->is_reading)
        on_readable(c, c->params.fd, 0);
}

void conn_resume(struct conn *c)
{
    c->is_paused = false;
    update_reading(c);
    if (c->is_show_queued || (c->in.len == 0 && !c->ssl))
        return;
    c->is_show_queued = true;
    loop_defer(c->params.loop, show_again, c);
}
