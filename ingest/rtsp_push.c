#include "ingest/rtsp_push.h"

#include <assert.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ingest/remux_message.h"
#include "ingest/rtsp_push_priv.h"
#include "net/digest.h"

static const struct {
    enum session_phase phase;
    uint32_t next;
} states[RTSP_PUSH_STATES] = {
#define TO(s) (1u << RTSP_PUSH_##s)
    [RTSP_PUSH_ANNOUNCE] = {SESSION_OPENING, TO(SETUP) | TO(ENDED)},
    [RTSP_PUSH_SETUP] = {SESSION_OPENING, TO(RECORDING) | TO(ENDED)},
    [RTSP_PUSH_RECORDING] = {SESSION_PLAYING, TO(ENDED)},
    [RTSP_PUSH_ENDED] = {SESSION_ENDED, 0},
#undef TO
};

static struct rtsp_push *push_of(struct session *s)
{
    return CONTAINER_OF(s, struct rtsp_push, base);
}

void rtsp_push__enter(struct rtsp_push *p, enum rtsp_push_state next)
{
    assert(states[p->state].next & (1u << next));
    p->state = next;
}

void rtsp_push__finish(struct rtsp_push *p, enum session_verdict verdict, enum stream_cause cause,
                       const char *fmt, ...)
{
    if (p->state == RTSP_PUSH_ENDED)
        return;
    p->base.end.verdict = verdict;
    p->base.end.cause = cause;
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->base.end.text, sizeof p->base.end.text, fmt, args);
    va_end(args);
    rtsp_push__enter(p, RTSP_PUSH_ENDED);
}

/* --- requests --- */

static void put_session(struct rtsp_push *p)
{
    if (p->state != RTSP_PUSH_ANNOUNCE)
        rtsp_put(&p->base.out, "Session", "%s;timeout=%d", p->id, RTSP_PUSH_TIMEOUT_S);
}

void rtsp_push__reply(struct rtsp_push *p, const struct rtsp_message *m, int status,
                      const char *reason)
{
    rtsp_response_begin(&p->base.out, status, reason, m->cseq, NULL);
    put_session(p);
    rtsp_end(&p->base.out, NULL, NULL, 0);
}

static void reply_options(struct rtsp_push *p, const struct rtsp_message *m)
{
    rtsp_response_begin(&p->base.out, 200, NULL, m->cseq, NULL);
    put_session(p);
    rtsp_put(&p->base.out, "Public",
             "OPTIONS, ANNOUNCE, SETUP, RECORD, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN");
    rtsp_end(&p->base.out, NULL, NULL, 0);
}

static void record(struct rtsp_push *p, const struct rtsp_message *m)
{
    if (p->state == RTSP_PUSH_ANNOUNCE || (p->state == RTSP_PUSH_SETUP && !rtsp_push__settle(p))) {
        rtsp_push__reply(p, m, 455, "No video track was set up");
        return;
    }
    if (p->state == RTSP_PUSH_SETUP)
        rtsp_push__enter(p, RTSP_PUSH_RECORDING);
    rtsp_push__reply(p, m, 200, NULL);
}

static void tear_down(struct rtsp_push *p, const struct rtsp_message *m)
{
    struct remux_end end;
    rtsp_push__reply(p, m, 200, NULL);
    if (p->is_own && remux_end_parse(m, &end) == 0)
        rtsp_push__finish(p, SESSION_VERDICT_FAILED, end.cause, "%s", end.text);
    rtsp_push__finish(p, SESSION_VERDICT_FAILED, CAUSE_UNREACHABLE, "%s ended the session",
                      p->peer);
}

static void on_request(struct rtsp_push *p, const struct rtsp_message *m)
{
    switch (m->method) {
    case RTSP_OPTIONS:
        reply_options(p, m);
        break;
    case RTSP_GET_PARAMETER:
    case RTSP_SET_PARAMETER:
        rtsp_push__reply(p, m, 200, NULL);
        break;
    case RTSP_ANNOUNCE:
        if (p->state == RTSP_PUSH_ANNOUNCE)
            rtsp_push__announced(p, m);
        else
            rtsp_push__finish(p, SESSION_VERDICT_RESTART, CAUSE_PROTOCOL,
                              "%s announced another session description", p->peer);
        break;
    case RTSP_SETUP:
        rtsp_push__set_up(p, m);
        break;
    case RTSP_RECORD:
        record(p, m);
        break;
    case RTSP_PAUSE:
        rtsp_push__reply(p, m, p->state == RTSP_PUSH_RECORDING ? 200 : 455, NULL);
        break;
    case RTSP_TEARDOWN:
        tear_down(p, m);
        break;
    case RTSP_UNKNOWN_METHOD:
    case RTSP_DESCRIBE:
    case RTSP_PLAY:
    case RTSP_REDIRECT:
        rtsp_push__reply(p, m, 501, NULL);
        break;
    }
}

/* --- bytes --- */

static void on_item(struct rtsp_push *p, int64_t mono_us, const struct rtsp_item *item)
{
    switch (item->kind) {
    case RTSP_NONE:
    case RTSP_FRAME:
    case RTSP_RESPONSE: /* we ask nothing */
        break;
    case RTSP_REQUEST:
        p->base.has_answered = true;
        p->life_us = mono_us;
        on_request(p, &item->message);
        break;
    case RTSP_SKIPPED:
        if (session_skipped(&p->base, mono_us, item))
            rtsp_push__finish(p, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL,
                              "%s sends bytes that are neither RTSP nor RTP", p->peer);
        break;
    case RTSP_ERROR:
        rtsp_push__finish(p, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL, "%s: %s", p->peer, item->text);
        break;
    }
    if (!p->base.out.is_failed)
        return;
    buf_clear(&p->base.out);
    rtsp_push__finish(p, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT, "%s does not read our answers",
                      p->peer);
}

static void on_frame(struct rtsp_push *p, int64_t mono_us, const struct rtsp_item *item)
{
    int track = p->track_of_channel[item->channel];
    if (p->state != RTSP_PUSH_RECORDING)
        return;
    p->base.n_unrequested += track == CHANNEL_NONE;
    if (track < 0)
        return;
    p->life_us = mono_us;
    p->base.host->frame(p->base.ctx, track, item->payload, item->payload_len);
}

static size_t input(struct session *s, int64_t mono_us, const uint8_t *data, size_t n)
{
    struct rtsp_push *p = push_of(s);
    struct rtsp_item item;
    size_t at = 0;
    size_t used;
    while (p->state != RTSP_PUSH_ENDED &&
           (used = rtsp_parse(&s->parser, data + at, n - at, &item)) > 0) {
        if (item.kind == RTSP_FRAME)
            on_frame(p, mono_us, &item);
        else
            on_item(p, mono_us, &item);
        if (s->end.verdict == SESSION_VERDICT_RESTART)
            return at;
        at += used;
    }
    return p->state == RTSP_PUSH_ENDED ? n : at;
}

static void closed(struct session *s, enum stream_cause cause, const char *what)
{
    struct rtsp_push *p = push_of(s);
    rtsp_push__finish(p, SESSION_VERDICT_FAILED, cause, "%s%s", what,
                      p->state == RTSP_PUSH_RECORDING ? "" : " before it began to send");
}

/* --- time --- */

static int64_t due_us(const struct session *s)
{
    const struct rtsp_push *p = CONTAINER_OF(s, const struct rtsp_push, base);
    switch (p->state) {
    case RTSP_PUSH_ANNOUNCE:
    case RTSP_PUSH_SETUP:
        return p->opening_due_us;
    case RTSP_PUSH_RECORDING:
        return s->tracks[0].is_tcp ? p->life_us + RTSP_PUSH_TIMEOUT_S * US_PER_S : INT64_MAX;
    case RTSP_PUSH_ENDED:
        break;
    }
    return INT64_MAX;
}

static void timeout(struct session *s, int64_t mono_us)
{
    struct rtsp_push *p = push_of(s);
    if (mono_us < due_us(s))
        return;
    if (p->state == RTSP_PUSH_RECORDING)
        rtsp_push__finish(p, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT, "nothing from %s for %d s",
                          p->peer, RTSP_PUSH_TIMEOUT_S);
    else
        rtsp_push__finish(p, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT,
                          "%s connected, but did not begin to send in time", p->peer);
}

/* Few encoders answer a server that asks. */
static void probe(struct session *s, int64_t mono_us)
{
    (void)s;
    (void)mono_us;
}

/* RTSP 1.0 has no way to tell the one who records that it is over but to hang up. */
static void stop(struct session *s, int64_t mono_us)
{
    (void)mono_us;
    rtsp_push__finish(push_of(s), SESSION_VERDICT_STOPPED, CAUSE_OK, "stopped");
}

static enum session_phase phase(const struct session *s)
{
    return states[CONTAINER_OF(s, const struct rtsp_push, base)->state].phase;
}

static void destroy(struct session *s)
{
    struct rtsp_push *p = push_of(s);
    if (p->sdp)
        sdp_fini(p->sdp);
    free(p->sdp);
    session_fini(s);
    free(p);
}

struct session *rtsp_push_create(const struct rtsp_push_params *params)
{
    static const struct session_ops ops = {
        .phase = phase,
        .input = input,
        .closed = closed,
        .due_us = due_us,
        .timeout = timeout,
        .probe = probe,
        .stop = stop,
        .destroy = destroy,
    };
    struct rtsp_push *p = xcalloc(1, sizeof *p);
    int opening_s = params->opening_s > 0 ? params->opening_s : RTSP_PUSH_OPENING_S;
    session_init(&p->base, &ops, params->host, params->ctx);
    p->is_own = params->is_own;
    p->peer = params->peer ? params->peer : "the encoder";
    p->opening_due_us = params->mono_us + opening_s * US_PER_S;
    p->life_us = params->mono_us;
    auth_make_nonce(p->id, sizeof p->id);
    memset(p->track_of_channel, CHANNEL_NONE, sizeof p->track_of_channel);
    return &p->base;
}
