#include "client_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

static void release(void *ctx)
{
    struct client *c = ctx;
    script_free(c);
    mutator_destroy(&c->mutator);
    buf_fini(&c->in);
    buf_fini(&c->out);
    free(c);
}

void client__stop_playing(struct client *c)
{
    if (c->state == CLIENT_PLAYING)
        stream_leave(c->stream, c);
    c->state = c->stream ? CLIENT_READY : CLIENT_INIT;
}

void client__shaken(struct client *c)
{
    c->sim->load.n_shaking -= c->is_shaking;
    c->is_shaking = false;
}

void client_close(struct client *c)
{
    if (c->is_closed)
        return;
    c->is_closed = true;
    client__stop_playing(c);
    watch_stop(&c->read_watch);
    if (c->is_writing)
        watch_stop(&c->write_watch);
    timer_disarm(&c->report_timer);
    timer_disarm(&c->delay_timer);
    script_disarm(c);
    if (c->camera)
        trace_event(c->camera, c->connection, "closed");
    close(c->fd);
    if (c->camera)
        c->camera->n_clients--;
    c->sim->n_clients--;
    client__shaken(c);
    if (c->prev)
        c->prev->next = c->next;
    else
        c->sim->clients = c->next;
    if (c->next)
        c->next->prev = c->prev;
    loop_defer(c->sim->loop, release, c);
}

void client__reset(struct client *c)
{
    const struct linger abort_now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof abort_now);
    client_close(c);
}

static void on_writable(void *ctx, int fd, short what)
{
    (void)fd;
    (void)what;
    client__flush(ctx);
}

void client__flush(struct client *c)
{
    while (c->out.len > 0) {
        ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            client_close(c);
            return;
        }
        if (n < 0)
            break;
        buf_consume(&c->out, (size_t)n);
    }
    bool waits = c->out.len > 0;
    if (!waits && c->is_closing) {
        client_close(c);
        return;
    }
    if (waits && !c->is_writing)
        watch_start(&c->write_watch, c->sim->loop, c->fd, WATCH_WRITE, on_writable, c);
    else if (!waits && c->is_writing)
        watch_stop(&c->write_watch);
    c->is_writing = waits;
}

void client__finish(struct client *c)
{
    c->is_closing = true;
    client__flush(c);
}

static void take_input(struct client *c)
{
    size_t at = 0;
    size_t n;
    struct rtsp_item item;
    while (!c->is_closed && !c->is_closing &&
           (n = rtsp_parse(&c->parser, c->in.data + at, c->in.len - at, &item)) > 0) {
        at += n;
        if (item.kind == RTSP_REQUEST)
            client__request(c, &item.message);
        if (item.kind == RTSP_ERROR)
            client__finish(c);
        if (item.kind == RTSP_FRAME && c->camera)
            trace_event(c->camera, c->connection, "rtcp");
        if (item.kind == RTSP_RESPONSE && c->camera)
            trace_answer(c, &item.message);
    }
    if (!c->is_closed)
        buf_consume(&c->in, at);
}

static void on_delay_over(void *ctx)
{
    client__flush(ctx);
}

void client__flush_answers(struct client *c)
{
    bool is_slow = c->camera && c->camera->mode == FAIL_SLOW && c->state != CLIENT_PLAYING;
    if (!is_slow)
        client__flush(c);
    else if (!timer_is_armed(&c->delay_timer))
        timer_arm_ms(&c->delay_timer, FAIL_SLOW_MS);
}

static bool is_deaf(const struct client *c)
{
    return c->camera && fail_table[c->camera->mode].is_deaf;
}

static void on_readable(void *ctx, int fd, short what)
{
    struct client *c = ctx;
    (void)what;
    if (c->in.len >= RTSP_INPUT_BYTES || !buf_reserve(&c->in, 4096)) {
        client_close(c);
        return;
    }
    ssize_t n = recv(fd, c->in.data + c->in.len, 4096, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_close(c);
        return;
    }
    if (is_deaf(c))
        return;
    c->in.len += (size_t)n;
    c->heard_mono_us = loop_mono_us(c->sim->loop);
    take_input(c);
}

static void on_report_due(void *ctx)
{
    struct client *c = ctx;
    int64_t silent_us = loop_mono_us(c->sim->loop) - c->heard_mono_us;
    bool is_forgotten = silent_us > c->sim->config->session_timeout_s * US_PER_S;
    if (is_forgotten && !is_deaf(c)) {
        client_close(c);
        return;
    }
    timer_arm_ms(&c->report_timer, CLIENT_REPORT_MS);
    if (c->state == CLIENT_PLAYING && !fail_table[c->camera->mode].has_no_media)
        client__send_reports(c);
}

static void count_accepted(struct client *c)
{
    struct load *load = &c->sim->load;
    int64_t second = loop_mono_us(c->sim->loop) / US_PER_S;
    load->n_in_second = second == load->second ? load->n_in_second + 1 : 1;
    load->second = second;
    load->n_accepted++;
    load->n_shaking++;
    c->is_shaking = true;
    load->most_in_second = MAX(load->most_in_second, load->n_in_second);
    load->most_shaking = MAX(load->most_shaking, load->n_shaking);
}

void client_accept(struct camsim *sim, struct camera *camera, int fd, const struct address *peer)
{
    struct client *c = xcalloc(1, sizeof *c);
    c->sim = sim;
    c->camera = camera;
    c->fd = fd;
    c->peer = *peer;
    c->heard_mono_us = loop_mono_us(sim->loop);
    buf_init(&c->in, RTSP_INPUT_BYTES + 8192);
    buf_init(&c->out, CLIENT_OUT_BOUND_BYTES);
    rtsp_parser_init(&c->parser);
    timer_init(&c->report_timer, sim->loop, on_report_due, c);
    timer_init(&c->delay_timer, sim->loop, on_delay_over, c);
    timer_arm_ms(&c->report_timer, CLIENT_REPORT_MS);
    c->next = sim->clients;
    if (c->next)
        c->next->prev = c;
    sim->clients = c;
    sim->n_clients++;
    count_accepted(c);
    if (camera) {
        camera->n_clients++;
        c->connection = (int)++camera->n_accepted;
        trace_event(camera, c->connection, "connected");
    }
    socket_set_nodelay(fd);
    socket_set_sndbuf(fd, CLIENT_SNDBUF_BYTES);
    watch_start(&c->read_watch, sim->loop, fd, WATCH_READ, on_readable, c);
    if (camera && camera->mode == FAIL_REFUSE)
        client__reset(c);
    else if (camera && camera->config->rules)
        script_connected(c);
}

void client_end_all(struct camsim *sim, const struct camera *camera)
{
    struct client *next;
    for (struct client *c = sim->clients; c; c = next) {
        next = c->next;
        if (c->camera == camera)
            client__reset(c);
    }
}

struct client *client_next_playing(const struct client *c)
{
    return c->next_playing;
}

void client_link_playing(struct client *c, struct client **list)
{
    c->prev_playing = NULL;
    c->next_playing = *list;
    if (*list)
        (*list)->prev_playing = c;
    *list = c;
}

void client_unlink_playing(struct client *c, struct client **list)
{
    if (c->prev_playing)
        c->prev_playing->next_playing = c->next_playing;
    else
        *list = c->next_playing;
    if (c->next_playing)
        c->next_playing->prev_playing = c->prev_playing;
    c->next_playing = c->prev_playing = NULL;
}
