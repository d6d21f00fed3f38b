#include "ingest/rtsp_client.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ingest/rtsp_client_priv.h"

/* Quirk I1: keep the connection unless it is hopeless. */
#define MAX_SKIPPED_BYTES (1u << 20)
#define MAX_LOSSES        5
#define WINDOW_US         (60 * US_PER_S)

static const struct {
    const char *name;
    uint32_t next;
    int answer_s; /* how long the camera may take to answer */
} states[RTSP_CLIENT_STATES] = {
#define TO(s) (1u << RTSP_CLIENT_##s)
    [RTSP_CLIENT_OPTIONS] = {"options", TO(DESCRIBE) | TO(ENDED), 10},
    [RTSP_CLIENT_DESCRIBE] = {"describe", TO(SETUP) | TO(ENDED), 15},
    [RTSP_CLIENT_SETUP] = {"setup", TO(PLAY) | TO(TEARDOWN) | TO(ENDED), 10},
    [RTSP_CLIENT_PLAY] = {"play", TO(PLAYING) | TO(TEARDOWN) | TO(ENDED), 10},
    [RTSP_CLIENT_PLAYING] = {"playing", TO(TEARDOWN) | TO(ENDED), 0},
    [RTSP_CLIENT_TEARDOWN] = {"teardown", TO(ENDED), 1},
    [RTSP_CLIENT_ENDED] = {"ended", 0, 0},
#undef TO
};

struct rtsp_client *rtsp_client_create(const struct rtsp_client_params *params)
{
    struct rtsp_client *c = xcalloc(1, sizeof *c);
    c->url = *params->url;
    str_copy(c->user, sizeof c->user, params->user);
    str_copy(c->password, sizeof c->password, params->password);
    c->is_udp = params->is_udp;
    c->memory = params->memory;
    c->ops = params->ops;
    c->ctx = params->ctx;
    rtsp_parser_init(&c->parser);
    buf_init(&c->out, RTSP_CLIENT_OUT_BYTES);
    memset(c->track_of_channel, -1, sizeof c->track_of_channel);
    if (c->memory->has_auth) {
        c->auth = c->memory->auth;
        c->has_auth = true;
        c->memory->has_auth = false;
    }
    url_print(&c->url, c->base, sizeof c->base);
    return c;
}

void rtsp_client_destroy(struct rtsp_client **cp)
{
    struct rtsp_client *c = *cp;
    if (!c)
        return;
    if (c->sdp)
        sdp_fini(c->sdp);
    FREE(&c->sdp);
    buf_fini(&c->out);
    FREE(cp);
}

void rtsp_client__enter(struct rtsp_client *c, enum rtsp_client_state next)
{
    assert(states[c->state].next & (1u << next));
    c->state = next;
}

void rtsp_client__finish(struct rtsp_client *c, int64_t mono_us, enum rtsp_verdict verdict,
                         enum stream_cause cause, const char *fmt, ...)
{
    if (c->end.verdict != RTSP_VERDICT_NONE)
        return;
    c->end.verdict = verdict;
    c->end.cause = cause;
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->end.text, sizeof c->end.text, fmt, args);
    va_end(args);
    c->accepts_frames = false;
    c->request.method = RTSP_UNKNOWN_METHOD;
    if (!c->has_session) {
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
        return;
    }
    rtsp_client__enter(c, RTSP_CLIENT_TEARDOWN);
    rtsp_client__ask(c, mono_us, RTSP_TEARDOWN);
}

int rtsp_client__answer_s(const struct rtsp_client *c)
{
    return states[c->state].answer_s;
}

/* The same when nothing can be said to the peer any more. */
#define finish_dead(c, ...)                                                                        \
    do {                                                                                           \
        (c)->has_session = false;                                                                  \
        rtsp_client__finish(c, 0, __VA_ARGS__);                                                    \
    } while (0)

/* Called after every step that may have put a request into the output. */
static void after_step(struct rtsp_client *c)
{
    if (!c->out.is_failed)
        return;
    buf_clear(&c->out);
    if (c->state == RTSP_CLIENT_TEARDOWN)
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
    else if (c->state != RTSP_CLIENT_ENDED)
        finish_dead(c, RTSP_VERDICT_FAILED, CAUSE_TIMEOUT, "the camera does not read our requests");
}

void rtsp_client_start(struct rtsp_client *c, int64_t mono_us)
{
    rtsp_client__ask(c, mono_us, RTSP_OPTIONS);
    after_step(c);
}

static void on_skipped(struct rtsp_client *c, int64_t mono_us, const struct rtsp_item *item)
{
    if (mono_us - c->window_us > WINDOW_US) {
        c->window_us = mono_us;
        c->window_losses = 0;
        c->window_skipped = 0;
    }
    c->window_losses += item->is_new_loss;
    c->window_skipped += item->n_skipped;
    if (c->window_skipped <= MAX_SKIPPED_BYTES && c->window_losses <= MAX_LOSSES)
        return;
    finish_dead(c, RTSP_VERDICT_FAILED, CAUSE_PROTOCOL,
                "the camera sends bytes that are neither RTSP nor RTP");
}

static void on_error(struct rtsp_client *c, const struct rtsp_item *item)
{
    if (c->state == RTSP_CLIENT_TEARDOWN)
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
    else
        finish_dead(c, RTSP_VERDICT_FAILED, CAUSE_PROTOCOL, "%s", item->text);
}

static void on_item(struct rtsp_client *c, int64_t mono_us, const struct rtsp_item *item)
{
    switch (item->kind) {
    case RTSP_NONE:
    case RTSP_FRAME:
        break;
    case RTSP_REQUEST:
        c->has_answered = true;
        rtsp_client__peer_asks(c, mono_us, &item->message);
        break;
    case RTSP_RESPONSE:
        c->has_answered = true;
        rtsp_client__answer(c, mono_us, &item->message);
        break;
    case RTSP_SKIPPED:
        if (c->state != RTSP_CLIENT_TEARDOWN)
            on_skipped(c, mono_us, item);
        break;
    case RTSP_ERROR:
        on_error(c, item);
        break;
    }
}

size_t rtsp_client_input(struct rtsp_client *c, int64_t mono_us, const uint8_t *p, size_t n)
{
    size_t at = 0;
    size_t used;
    struct rtsp_item item;
    while (c->state != RTSP_CLIENT_ENDED &&
           (used = rtsp_parse(&c->parser, p + at, n - at, &item)) > 0) {
        at += used;
        if (item.kind != RTSP_FRAME) {
            on_item(c, mono_us, &item);
            after_step(c);
            continue;
        }
        int track = c->track_of_channel[item.channel];
        if (track < 0 || !c->accepts_frames)
            continue;
        c->n_frames++;
        c->ops->frame(c->ctx, track, item.payload, item.payload_len);
    }
    return c->state == RTSP_CLIENT_ENDED ? n : at;
}

void rtsp_client_closed(struct rtsp_client *c, enum stream_cause cause, const char *what)
{
    if (c->state == RTSP_CLIENT_ENDED)
        return;
    if (c->state == RTSP_CLIENT_TEARDOWN) {
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
        return;
    }
    /* Quirk U11: it hangs up after its challenge; the answer goes with the next connection. */
    if (c->was_challenged && c->request.n_signed == 1) {
        c->memory->auth = c->auth;
        c->memory->has_auth = true;
        finish_dead(c, RTSP_VERDICT_AGAIN, cause, "%s after asking for a password", what);
        return;
    }
    if (c->state == RTSP_CLIENT_PLAYING)
        finish_dead(c, RTSP_VERDICT_FAILED, cause, "%s", what);
    else if (!c->has_answered && c->window_skipped > 0) /* a page of HTML, a greeting */
        finish_dead(c, RTSP_VERDICT_FAILED, CAUSE_PROTOCOL,
                    "what answers there does not speak RTSP");
    else /* without any answer: what a device does whose places are taken (quirk L1) */
        finish_dead(c, RTSP_VERDICT_FAILED, c->has_answered ? cause : CAUSE_REFUSED,
                    "%s instead of answering %s", what, rtsp_method_name(c->request.method));
}

int64_t rtsp_client_due_us(const struct rtsp_client *c)
{
    switch (c->state) {
    case RTSP_CLIENT_ENDED:
        return INT64_MAX;
    case RTSP_CLIENT_PLAYING:
        return c->keepalive_due_us; /* quirk K4: its answer is not waited for */
    case RTSP_CLIENT_OPTIONS:
    case RTSP_CLIENT_DESCRIBE:
    case RTSP_CLIENT_SETUP:
    case RTSP_CLIENT_PLAY:
    case RTSP_CLIENT_TEARDOWN:
        break;
    }
    return c->request.due_us;
}

/* Quirk K1: what is advertised but not answered is not used again. */
static void keep_alive(struct rtsp_client *c, int64_t mono_us)
{
    if (c->request.method == RTSP_GET_PARAMETER)
        c->memory->no_get_parameter = true;
    c->request.method = RTSP_UNKNOWN_METHOD;
    bool by_get = c->has_get_parameter && !c->memory->no_get_parameter;
    rtsp_client__ask(c, mono_us, by_get ? RTSP_GET_PARAMETER : RTSP_OPTIONS);
    c->keepalive_due_us = mono_us + rtsp_client_keepalive_s(c) * US_PER_S;
}

void rtsp_client_probe(struct rtsp_client *c, int64_t mono_us)
{
    if (c->state != RTSP_CLIENT_PLAYING)
        return;
    c->keepalive_due_us = MIN(c->keepalive_due_us, mono_us);
    rtsp_client_timeout(c, mono_us);
}

static void no_answer(struct rtsp_client *c, int64_t mono_us)
{
    int waited_s = states[c->state].answer_s;
    if (!c->has_taken_partial && c->state == RTSP_CLIENT_DESCRIBE) {
        /* Quirk F4: the body may be shorter than announced. */
        c->has_taken_partial = true;
        rtsp_parser_take_partial(&c->parser);
        c->request.due_us = mono_us + US_PER_S;
        return;
    }
    if (c->state == RTSP_CLIENT_PLAY && c->n_frames > 0) {
        rtsp_client__playing(c, mono_us);
        return;
    }
    const char *method = rtsp_method_name(c->request.method);
    if (c->has_answered)
        rtsp_client__finish(c, mono_us, RTSP_VERDICT_FAILED, CAUSE_TIMEOUT,
                            "no answer to %s within %d s", method, waited_s);
    else
        finish_dead(c, RTSP_VERDICT_FAILED, CAUSE_TIMEOUT,
                    "connected, but no answer to %s within %d s", method, waited_s);
}

void rtsp_client_timeout(struct rtsp_client *c, int64_t mono_us)
{
    if (mono_us < rtsp_client_due_us(c))
        return;
    switch (c->state) {
    case RTSP_CLIENT_ENDED:
        break;
    case RTSP_CLIENT_TEARDOWN:
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
        break;
    case RTSP_CLIENT_PLAYING:
        if (mono_us >= c->keepalive_due_us)
            keep_alive(c, mono_us);
        break;
    case RTSP_CLIENT_OPTIONS:
    case RTSP_CLIENT_DESCRIBE:
    case RTSP_CLIENT_SETUP:
    case RTSP_CLIENT_PLAY:
        no_answer(c, mono_us);
        break;
    }
    after_step(c);
}

void rtsp_client_stop(struct rtsp_client *c, int64_t mono_us)
{
    if (c->state == RTSP_CLIENT_ENDED || c->state == RTSP_CLIENT_TEARDOWN)
        return;
    rtsp_client__finish(c, mono_us, RTSP_VERDICT_STOPPED, CAUSE_OK, "stopped");
    after_step(c);
}

void rtsp_client_report(struct rtsp_client *c, int track, const uint8_t *p, size_t n)
{
    assert(track >= 0 && track < c->n_tracks);
    const struct rtsp_client_track *t = &c->tracks[track];
    if (c->state != RTSP_CLIENT_PLAYING || !t->is_tcp || n > UINT16_MAX ||
        c->out.len + n > RTSP_CLIENT_OUT_BYTES / 2)
        return;
    uint8_t head[4];
    rtsp_frame_head(head, t->channel[1], (uint16_t)n);
    buf_append(&c->out, head, sizeof head);
    buf_append(&c->out, p, n);
}

struct buf *rtsp_client_out(struct rtsp_client *c)
{
    return &c->out;
}

enum rtsp_client_state rtsp_client_state(const struct rtsp_client *c)
{
    return c->state;
}

const char *rtsp_client_state_name(enum rtsp_client_state state)
{
    return states[state].name;
}

const struct rtsp_client_end *rtsp_client_end(const struct rtsp_client *c)
{
    return &c->end;
}

int rtsp_client_n_tracks(const struct rtsp_client *c)
{
    return c->n_tracks;
}

const struct rtsp_client_track *rtsp_client_track(const struct rtsp_client *c, int track)
{
    assert(track >= 0 && track < c->n_tracks);
    return &c->tracks[track];
}

bool rtsp_client_has_answered(const struct rtsp_client *c)
{
    return c->has_answered;
}

int rtsp_client_keepalive_s(const struct rtsp_client *c)
{
    return CLAMP((c->timeout_s > 0 ? c->timeout_s : 60) / 2 - 1, 4, 25);
}

uint64_t rtsp_client_n_resyncs(const struct rtsp_client *c)
{
    return c->parser.n_losses;
}

bool rtsp_client_is_lost(const struct rtsp_client *c)
{
    return c->parser.is_lost;
}
