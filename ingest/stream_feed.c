/* A stream that is no RTSP: rookery-remux reads it and pushes it to us through a socket pair. */
#include <signal.h>
#include <sys/wait.h>

#include "ingest/rtsp_push.h"
#include "ingest/stream_priv.h"

static void on_ended(void *ctx, int status)
{
    struct stream *s = ctx;
    /* We kill only what was asked to end and did not. */
    bool is_ours = s->state == STREAM_CLOSING && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (WIFSIGNALED(status) && !is_ours)
        log_warn(s->who, "rookery-remux died of signal %d", WTERMSIG(status));
    stream__feeder_gone(s);
}

void stream__feed(struct stream *s)
{
    bool has_own = s->config.username[0] != 0;
    struct feeder_params feeder = {.loop = s->loop,
                                   .path = s->remux_path,
                                   .url = &s->url,
                                   .user = has_own ? s->config.username : s->url.user,
                                   .password = has_own ? s->config.password : s->url.password,
                                   .ended = on_ended,
                                   .ctx = s};
    struct rtsp_push_params push = {.host = &stream__feed_host,
                                    .ctx = s,
                                    .mono_us = loop_mono_us(s->loop),
                                    .is_own = true,
                                    .peer = "the sender"};
    struct err err = {0};
    int fd = -1;
    stream__close_connection(s);
    stream__enter(s, STREAM_CONNECT);
    if (feeder_start(&s->feeder, &feeder, &fd, &err) < 0) {
        stream__fail(s, CAUSE_INTERNAL, "%.190s", err.msg);
        return;
    }
    stream__adopt_link(s, fd);
    s->session = rtsp_push_create(&push);
    stream__enter(s, STREAM_HANDSHAKE);
    stream__session_moved(s); /* arms the time-out */
}

const char *stream__carrier(const struct stream *s)
{
    static const struct {
        const char *scheme, *title;
    } titles[] = {
        {"rtmp", "RTMP"},   {"rtmps", "RTMPS"}, {"http", "HTTP"},
        {"https", "HTTPS"}, {"udp", "UDP"},     {"srt", "SRT"},
    };
    for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
        if (strcmp(s->url.foreign, titles[i].scheme) == 0)
            return titles[i].title;
    }
    return s->session->tracks[RECEIVER_VIDEO].is_tcp ? "TCP" : "UDP";
}
