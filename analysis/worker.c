#include "analysis/worker.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "analysis/worker_message.h"
#include "base/child.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

/*
 *            a request waits               asks to stop, broke, too late
 *   IDLE ──────────────────────▶ RUNNING ──────────────────────▶ ENDING ──▶ PAUSED ──▶ IDLE
 *                                                                   │ process is reaped   delay
 *                                                                   ▼ when stopping: freed
 *
 *   IDLE     no process; nothing to do
 *   RUNNING  process and socket are there; `current` may be under way
 *   ENDING   process was killed, not yet reaped; nothing is under way
 *   PAUSED   waits before the next start; requests may wait
 */
enum worker_state { WORKER_IDLE, WORKER_RUNNING, WORKER_ENDING, WORKER_PAUSED };

#define DELAY_MIN_MS 50
#define DELAY_MAX_MS 5000
#define SOCKET_BYTES (1 << 20)
#define WAITING_MAX  64
#define DEADLINE_MS  5000
#define READ_STEP    (64u << 10)

struct request {
    struct request *next;
    enum worker_kind kind;
    struct packet *pkt;
    uint32_t id, width;
    worker_picture_fn *picture_fn;
    worker_grid_fn *grid_fn;
    void *ctx;
};

struct worker {
    /* set at create, then const */
    struct loop *loop;
    char *path, *name;
    int max_waiting;
    int64_t deadline_ms;

    enum worker_state state;
    bool is_stopping; /* asked to */
    bool is_drained;  /* what waited was failed: only the process is left */
    loop_fn *done;
    void *done_ctx;
    struct child child;
    int fd;
    struct watch reading, writing;
    struct timer deadline, pause, kick;
    int64_t delay_ms;

    struct request *current; /* sent or being sent */
    size_t n_sent;
    uint8_t head[WORKER_REQUEST_BYTES];
    struct buf in;
    struct request *first, **last;
    size_t n_waiting_bytes;
    uint32_t next_id;
    struct worker_stats stats;
};

static void pump(void *ctx);
static void end_process(struct worker *w, int code, const char *why);

static void request_free(struct request *r)
{
    packet_unref(&r->pkt);
    free(r);
}

/* The one place a request ends. err NULL: `reply` is what came. */
static void finish(struct worker *w, struct request *r, const uint8_t *reply, size_t n,
                   const struct err *err)
{
    w->stats.n_failed += err != NULL;
    if (r->kind == WORKER_PICTURE) {
        r->picture_fn(r->ctx, err ? NULL : reply, err ? 0 : n, err);
    } else {
        struct luma_grid *grid = err ? NULL : xmalloc(sizeof *grid);
        struct err bad = {0};
        if (grid && worker_grid_parse(reply, n, grid) < 0)
            err_text(&bad, ERR_PROTOCOL, "the decoding process sent a bad grid");
        r->grid_fn(r->ctx, bad.code ? NULL : grid, bad.code ? &bad : err);
        free(grid);
    }
    request_free(r);
}

static struct request *take_first(struct worker *w)
{
    struct request *r = w->first;
    if (!r)
        return NULL;
    w->first = r->next;
    if (!w->first)
        w->last = &w->first;
    w->stats.n_waiting--;
    w->n_waiting_bytes -= r->pkt->size;
    return r;
}

static void worker_release(void *ctx)
{
    struct worker *w = ctx;
    loop_fn *done = w->done;
    void *done_ctx = w->done_ctx;
    timer_disarm(&w->deadline);
    timer_disarm(&w->pause);
    timer_disarm(&w->kick);
    buf_fini(&w->in);
    free(w->path);
    free(w->name);
    free(w);
    if (done)
        done(done_ctx);
}

/* --- the process --- */

static void pause_then_idle(struct worker *w)
{
    w->state = WORKER_PAUSED;
    w->delay_ms = CLAMP(w->delay_ms * 2, DELAY_MIN_MS, DELAY_MAX_MS);
    timer_arm_ms(&w->pause, w->delay_ms);
}

static void after_process(struct worker *w)
{
    if (w->is_drained)
        worker_release(w);
    else
        pause_then_idle(w);
}

static void on_process_end(void *ctx, int status)
{
    struct worker *w = ctx;
    if (w->state == WORKER_RUNNING) { /* died by itself */
        if (WIFSIGNALED(status))
            log_warn(w->name, "decoding process died of signal %d", WTERMSIG(status));
        end_process(w, ERR_EOF, "the decoding process died");
    }
    after_process(w);
}

static void on_pause_over(void *ctx)
{
    struct worker *w = ctx;
    w->state = WORKER_IDLE;
    pump(w);
}

/* Fails what is under way and kills the process; it is reaped later. */
static void end_process(struct worker *w, int code, const char *why)
{
    watch_stop(&w->reading);
    watch_stop(&w->writing);
    timer_disarm(&w->deadline);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    child_stop(&w->child, 0);
    buf_clear(&w->in);
    w->state = WORKER_ENDING;
    w->stats.n_deaths++;
    struct request *r = w->current;
    w->current = NULL;
    if (r) {
        struct err err = {0};
        err_text(&err, code, "%s", why);
        finish(w, r, NULL, 0, &err);
    }
}

static void on_deadline(void *ctx)
{
    struct worker *w = ctx;
    log_warn(w->name, "decoding took longer than %lld ms", (long long)w->deadline_ms);
    end_process(w, -ETIMEDOUT, "decoding took too long");
}

/* --- talking to it --- */

static void on_reply(struct worker *w, const struct worker_reply *reply, const uint8_t *payload)
{
    struct request *r = w->current;
    w->current = NULL;
    timer_disarm(&w->deadline);
    w->delay_ms = 0;
    if (reply->is_ok) {
        finish(w, r, payload, reply->size, NULL);
    } else {
        struct err err = {0};
        err_text(&err, ERR_PARSE, "the picture could not be decoded");
        finish(w, r, NULL, 0, &err);
    }
}

/* False: it breaks the protocol. */
static bool read_replies(struct worker *w)
{
    struct worker_reply reply;
    if (w->in.len < WORKER_REPLY_BYTES)
        return true;
    if (!w->current || w->n_sent == 0 || worker_reply_parse(w->in.data, &reply) < 0 ||
        reply.id != w->current->id || reply.kind != w->current->kind)
        return false;
    size_t size = WORKER_REPLY_BYTES + (size_t)reply.size;
    if (w->in.len < size)
        return true;
    if (w->in.len > size)
        return false; /* one request, one reply */
    on_reply(w, &reply, w->in.data + WORKER_REPLY_BYTES);
    if (w->state == WORKER_RUNNING)
        buf_clear(&w->in);
    return true;
}

static void on_readable(void *ctx, int fd, short what)
{
    struct worker *w = ctx;
    (void)what;
    if (!buf_reserve(&w->in, READ_STEP)) {
        end_process(w, ERR_PROTOCOL, "the decoding process sent too much");
        return;
    }
    ssize_t n = recv(fd, w->in.data + w->in.len, READ_STEP, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        log_warn(w->name, "decoding process ended");
        end_process(w, ERR_EOF, "the decoding process died");
        return;
    }
    w->in.len += (size_t)n;
    if (!read_replies(w))
        end_process(w, ERR_PROTOCOL, "the decoding process broke its protocol");
    else if (w->state == WORKER_RUNNING)
        pump(w);
}

/* What of the request is not sent yet, as pieces. */
static int unsent_pieces(const struct worker *w, struct iovec iov[3])
{
    const struct packet *pkt = w->current->pkt;
    struct iovec all[3] = {
        {(void *)(uintptr_t)w->head, sizeof w->head},
        {pkt->format->config, pkt->format->config_size},
        {(void *)(uintptr_t)pkt->data, pkt->size},
    };
    size_t skip = w->n_sent;
    int n = 0;
    for (int i = 0; i < 3; i++) {
        size_t cut = MIN(skip, all[i].iov_len);
        skip -= cut;
        if (all[i].iov_len > cut)
            iov[n++] = (struct iovec){(uint8_t *)all[i].iov_base + cut, all[i].iov_len - cut};
    }
    return n;
}

static void send_current(struct worker *w);

static void on_writable(void *ctx, int fd, short what)
{
    (void)fd, (void)what;
    send_current(ctx);
}

static void send_current(struct worker *w)
{
    struct iovec iov[3];
    int n;
    while ((n = unsent_pieces(w, iov)) > 0) {
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
        ssize_t put = sendmsg(w->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN) {
            if (!w->writing.event)
                watch_start(&w->writing, w->loop, w->fd, WATCH_WRITE, on_writable, w);
            return;
        }
        if (put < 0) {
            end_process(w, ERR_EOF, "the decoding process died");
            return;
        }
        w->n_sent += (size_t)put;
    }
    watch_stop(&w->writing);
}

static int start_process(struct worker *w, struct err *err)
{
    struct child_params params = {
        .loop = w->loop,
        .path = w->path,
        .socket_bytes = SOCKET_BYTES,
        .ended = on_process_end,
        .ctx = w,
    };
    int rc = child_start(&w->child, &params, &w->fd, err);
    if (rc < 0)
        return rc;
    watch_start(&w->reading, w->loop, w->fd, WATCH_READ, on_readable, w);
    w->state = WORKER_RUNNING;
    return 0;
}

static void fail_start(struct worker *w, struct err *err)
{
    log_error(w->name, "%s", err->msg);
    pause_then_idle(w);
    err_wrap(err, err->code, "decoding process");
    for (int n = w->stats.n_waiting; n > 0; n--) /* not those that the callbacks add */
        finish(w, take_first(w), NULL, 0, err);
}

/* Starts the next request when it can. */
static void pump(void *ctx)
{
    struct worker *w = ctx;
    if (w->is_stopping || w->current || !w->first)
        return;
    if (w->state == WORKER_IDLE) {
        struct err err = {0};
        if (start_process(w, &err) < 0) {
            fail_start(w, &err);
            return;
        }
    }
    if (w->state != WORKER_RUNNING)
        return;
    struct request *r = w->current = take_first(w);
    assert(r != NULL);
    struct worker_request head = {
        .kind = r->kind,
        .codec = r->pkt->format->codec,
        .id = r->id,
        .width = r->width,
        .config_size = (uint32_t)r->pkt->format->config_size,
        .payload_size = (uint32_t)r->pkt->size,
    };
    worker_request_print(&head, w->head);
    w->n_sent = 0;
    timer_arm_ms(&w->deadline, w->deadline_ms);
    send_current(w);
}

/* --- public --- */

struct worker *worker_create(const struct worker_params *params)
{
    struct worker *w = xcalloc(1, sizeof *w);
    w->loop = params->loop;
    w->path = xstrdup(params->path);
    w->name = xstrdup(params->name ? params->name : "worker");
    w->max_waiting = params->max_waiting > 0 ? params->max_waiting : WAITING_MAX;
    w->deadline_ms = params->deadline_ms > 0 ? params->deadline_ms : DEADLINE_MS;
    w->fd = -1;
    w->last = &w->first;
    buf_init(&w->in, WORKER_REPLY_BYTES + WORKER_REPLY_MAX_BYTES + READ_STEP);
    timer_init(&w->deadline, w->loop, on_deadline, w);
    timer_init(&w->pause, w->loop, on_pause_over, w);
    timer_init(&w->kick, w->loop, pump, w);
    return w;
}

static int submit(struct worker *w, struct packet *key, const struct request *like)
{
    loop_assert(w->loop);
    w->stats.n_requests++;
    if (w->is_stopping)
        return ERR_CLOSED;
    if (!key || !key->is_key || !key->is_video || !key->format ||
        !codec_is_video(key->format->codec) || key->size == 0)
        return ERR_INVALID;
    if (w->stats.n_waiting >= w->max_waiting ||
        w->n_waiting_bytes + key->size > WORKER_MAX_WAITING_BYTES) {
        w->stats.n_refused++;
        return ERR_BUSY;
    }
    struct request *r = xmalloc(sizeof *r);
    *r = *like;
    r->id = ++w->next_id;
    r->pkt = packet_ref(key);
    r->next = NULL;
    *w->last = r;
    w->last = &r->next;
    w->stats.n_waiting++;
    w->n_waiting_bytes += key->size;
    timer_arm_us(&w->kick, 0); /* not from within the request */
    return 0;
}

int worker_picture(struct worker *w, struct packet *key, int width, worker_picture_fn *fn,
                   void *ctx)
{
    return submit(w, key,
                  &(struct request){.kind = WORKER_PICTURE,
                                    .width = (uint32_t)CLAMP(width, 0, 16384),
                                    .picture_fn = fn,
                                    .ctx = ctx});
}

int worker_grid(struct worker *w, struct packet *key, worker_grid_fn *fn, void *ctx)
{
    return submit(w, key, &(struct request){.kind = WORKER_GRID, .grid_fn = fn, .ctx = ctx});
}

static void do_stop(void *ctx)
{
    struct worker *w = ctx;
    struct err err = {0};
    err_set(&err, ERR_CLOSED, "decoding");
    for (struct request *r; (r = take_first(w));)
        finish(w, r, NULL, 0, &err);
    timer_disarm(&w->pause);
    timer_disarm(&w->kick);
    w->is_drained = true;
    if (w->state == WORKER_RUNNING)
        end_process(w, ERR_CLOSED, "decoding: it is shutting down");
    else if (w->state != WORKER_ENDING)
        worker_release(w);
}

void worker_stop(struct worker *w, loop_fn *done, void *ctx)
{
    loop_assert(w->loop);
    if (w->is_stopping)
        return;
    w->is_stopping = true;
    w->done = done;
    w->done_ctx = ctx;
    loop_defer(w->loop, do_stop, w);
}

void worker_stats(const struct worker *w, struct worker_stats *out)
{
    *out = w->stats;
    out->pid = (int)w->child.pid;
}
