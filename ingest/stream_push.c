/* A stream whose encoder comes to us: waiting for it, taking its connection over, and what to do
 * when another one comes while it is here. */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "ingest/rtsp_push.h"
#include "ingest/stream_priv.h"

/* Nothing for so long: the connection may be a dead one that nobody has noticed yet. */
#define SILENT_US (3 * US_PER_S)

/* The connection, and the file that is written of it. */
#define PUSH_DESCRIPTORS 2

bool stream_is_push_url(const char *url)
{
    return strcmp(url, STREAM_PUSH_URL) == 0;
}

bool stream__is_pushed(const struct stream *s)
{
    return stream_is_push_url(s->config.url);
}

const char *stream__peer(const struct stream *s)
{
    return stream__is_pushed(s) ? "the encoder" : "the camera";
}

/* "/cam-001", "/cam-001/sub": where the encoder pushes to. */
static const char *sub_path(const struct stream *s)
{
    return strcmp(s->config.name, "sub") == 0 ? "/sub" : "";
}

/* --- waiting --- */

void stream__wait(struct stream *s)
{
    char detail[sizeof s->status.detail];
    char seen[CLOCK_RFC3339_BYTES];
    s->url = (struct url){0}; /* of the settings before */
    if (s->state != STREAM_WAITING)
        stream__enter(s, STREAM_WAITING);
    if (s->has_failed)
        return; /* the last failure says it all */
    snprintf(detail, sizeof detail, "waits for the encoder to push to /%s%s%s%s",
             s->config.camera_id, sub_path(s), s->status.reachable_us > 0 ? "; last seen " : "",
             s->status.reachable_us > 0 ? rfc3339_print(s->status.reachable_us, seen) : "");
    stream__set_reachable(s, false);
    stream__set_cause(s, CAUSE_CONNECTING, detail);
    stream__post_status(s, false);
}

void stream__waited_long(struct stream *s)
{
    char detail[sizeof s->status.detail];
    stream__set_reachable(s, false);
    if (s->has_failed) {
        stream__post_status(s, false);
        return;
    }
    s->has_failed = true;
    snprintf(detail, sizeof detail,
             "no encoder has come; it pushes to /%s%s, with the camera's key", s->config.camera_id,
             sub_path(s));
    stream__set_cause(s, CAUSE_UNREACHABLE, detail);
    stream__post_status(s, false);
}

/* --- adopting --- */

/* `link` is there, and in `partial` what has come through it. */
static void begin_session(struct stream *s)
{
    struct rtsp_push_params params = {
        .host = &stream__session_host, .ctx = s, .mono_us = loop_mono_us(s->loop)};
    s->session = rtsp_push_create(&params);
    s->bytes_mono_us = params.mono_us;
    stream__enter(s, STREAM_HANDSHAKE);
    timer_arm_us(&s->tick, 0); /* offers the bytes that came along */
}

static void take(struct stream *s, struct push_peer **pp)
{
    struct push_peer *peer = *pp;
    char from[ADDRESS_TEXT_BYTES];
    log_info(s->who, "an encoder pushes from %s",
             address_print_host(&peer->address, from, sizeof from));
    stream__close_connection(s);
    s->list[0] = peer->address;
    s->n_addresses = 1;
    s->i_address = 0;
    buf_append(&s->partial, peer->bytes.data, peer->bytes.len);
    stream__adopt_link(s, peer->fd);
    peer->fd = -1;
    push_peer_free(pp);
    begin_session(s);
}

void stream__restart_push(struct stream *s)
{
    struct link *link = s->link;
    struct buf rest = s->partial;
    if (s->session->out.len > 0) { /* the link still holds on to what it sends */
        stream__fail(s, CAUSE_PROTOCOL, "%s", s->session->end.text);
        return;
    }
    s->link = NULL;
    buf_init(&s->partial, rest.max);
    stream__fail(s, CAUSE_PROTOCOL, "%s", s->session->end.text);
    buf_fini(&s->partial);
    s->partial = rest;
    if (!stream__allow(s, PUSH_DESCRIPTORS)) {
        link_close(&link);
        stream__fail_crowded(s);
        return;
    }
    s->link = link;
    link_set_lowat(link, 1);
    begin_session(s);
}

static void adopt(struct stream *s, struct push_peer **peer)
{
    int64_t silent_us = loop_mono_us(s->loop) - s->bytes_mono_us;
    bool has_other = s->state == STREAM_HANDSHAKE || s->state == STREAM_PLAYING;
    if (!stream__is_pushed(s)) {
        push_peer_refuse(peer, 403, "This stream is pulled now");
        return;
    }
    if (has_other && silent_us >= SILENT_US)
        stream__fail(s, CAUSE_UNREACHABLE, "the encoder was silent and connected anew");
    else if (has_other)
        push_peer_refuse(peer, 453, "Busy: another encoder pushes this stream");
    if (*peer && s->state == STREAM_WAITING && !stream__allow(s, PUSH_DESCRIPTORS)) {
        push_peer_refuse(peer, 503, "This server may open no more connections");
        stream__fail_crowded(s);
    }
    if (*peer && s->state == STREAM_WAITING)
        take(s, peer);
    else if (*peer)
        push_peer_refuse(peer, 503, "The stream is not ready");
}

struct adoption {
    struct stream *s;
    struct push_peer *peer;
};

static void adopt_on_loop(void *ctx)
{
    struct adoption *a = ctx;
    adopt(a->s, &a->peer);
    free(a);
}

void stream_adopt(struct stream *s, struct push_peer *peer)
{
    loop_assert(s->home);
    if (s->is_stopping) {
        push_peer_free(&peer);
        return;
    }
    struct adoption *a = xmalloc(sizeof *a);
    *a = (struct adoption){.s = s, .peer = peer};
    loop_post(s->loop, adopt_on_loop, a);
}
