#include "ingest/rtsp_client.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ingest/rtsp_client_priv.h"

static const struct {
    enum session_phase phase;
    uint32_t next;
    int answer_s; /* how long the camera may take to answer */
} states[RTSP_CLIENT_STATES] = {
#define TO(s) (1u << RTSP_CLIENT_##s)
    [RTSP_CLIENT_OPTIONS] = {SESSION_OPENING, TO(DESCRIBE) | TO(ENDED), 10},
    [RTSP_CLIENT_DESCRIBE] = {SESSION_OPENING, TO(SETUP) | TO(ENDED), 15},
    [RTSP_CLIENT_SETUP] = {SESSION_OPENING, TO(PLAY) | TO(TEARDOWN) | TO(ENDED), 10},
    [RTSP_CLIENT_PLAY] = {SESSION_SETTLED, TO(PLAYING) | TO(TEARDOWN) | TO(ENDED), 10},
    [RTSP_CLIENT_PLAYING] = {SESSION_PLAYING, TO(TEARDOWN) | TO(ENDED), 0},
    [RTSP_CLIENT_TEARDOWN] = {SESSION_ENDING, TO(ENDED), 1},
    [RTSP_CLIENT_ENDED] = {SESSION_ENDED, 0, 0},
#undef TO
};

void rtsp_client__enter(struct rtsp_client *c, enum rtsp_client_state next)
{
    assert(states[c->state].next & (1u << next));
    c->state = next;
}

void rtsp_client__finish(struct rtsp_client *c, int64_t mono_us, enum session_verdict verdict,
                         enum stream_cause cause, const char *fmt, ...)
{
    if (c->base.end.verdict != SESSION_VERDICT_NONE)
        return;
    c->base.end.verdict = verdict;
    c->base.end.cause = cause;
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->base.end.text, sizeof c->base.end.text, fmt, args);
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

/* A recorder may take long to describe a channel (quirk L6); who has said nothing at all is silent.
 */
int rtsp_client__answer_s(const struct rtsp_client *c)
{
    if (c->state == RTSP_CLIENT_DESCRIBE && !c->base.has_answered)
        return states[RTSP_CLIENT_OPTIONS].answer_s;
    return states[c->state].answer_s;
}

/* The same when nothing can be said to the peer any more. */
#define finish_dead(c, ...)                                                                        \
    do {                                                                                           \
        (c)->has_session = false;                                                                  \
        rtsp_client__finish(c, 0, __VA_ARGS__);                                                    \
    } while (0)
#define fail_dead(c, ...)                                                                          \
    do {                                                                                           \
        (c)->has_session = false;                                                                  \
        rtsp_client__fail_over_request(c, 0, __VA_ARGS__);                                         \
    } while (0)

static struct rtsp_client *client_of(struct session *s)
{
    return CONTAINER_OF(s, struct rtsp_client, base);
}

/* Called after every step that may have put a request into the output. */
static void after_step(struct rtsp_client *c)
{
    if (!c->base.out.is_failed)
        return;
    buf_clear(&c->base.out);
    if (c->state == RTSP_CLIENT_TEARDOWN)
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
    else if (c->state != RTSP_CLIENT_ENDED)
        finish_dead(c, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT,
                    "the camera does not read our requests");
}

static void on_skipped(struct rtsp_client *c, int64_t mono_us, const struct rtsp_item *item)
{
    if (!session_skipped(&c->base, mono_us, item))
        return;
    fail_dead(c, SOUND_SUSPECT, CAUSE_PROTOCOL,
              "the camera sends bytes that are neither RTSP nor RTP");
}

static void on_error(struct rtsp_client *c, const struct rtsp_item *item)
{
    if (c->state == RTSP_CLIENT_TEARDOWN)
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
    else
        fail_dead(c, SOUND_TO_BLAME, CAUSE_PROTOCOL, "%s", item->text);
}

static void on_item(struct rtsp_client *c, int64_t mono_us, const struct rtsp_item *item)
{
    switch (item->kind) {
    case RTSP_NONE:
    case RTSP_FRAME:
        break;
    case RTSP_REQUEST:
        c->base.has_answered = true;
        rtsp_client__peer_asks(c, mono_us, &item->message);
        break;
    case RTSP_RESPONSE:
        c->base.has_answered = true;
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

static void on_frame(struct rtsp_client *c, const struct rtsp_item *item)
{
    int track = c->track_of_channel[item->channel];
    if (track == CHANNEL_NONE) {
        c->base.n_unrequested++;
        return;
    }
    c->n_frames++;
    if (track >= 0)
        c->base.host->frame(c->base.ctx, track, item->payload, item->payload_len);
}

static size_t input(struct session *s, int64_t mono_us, const uint8_t *p, size_t n)
{
    struct rtsp_client *c = client_of(s);
    size_t at = 0;
    size_t used;
    struct rtsp_item item;
    while (c->state != RTSP_CLIENT_ENDED &&
           (used = rtsp_parse(&c->base.parser, p + at, n - at, &item)) > 0) {
        at += used;
        if (item.kind != RTSP_FRAME) {
            on_item(c, mono_us, &item);
            after_step(c);
            continue;
        }
        if (c->accepts_frames)
            on_frame(c, &item);
        else
            c->base.n_early += c->state < RTSP_CLIENT_PLAY;
    }
    return c->state == RTSP_CLIENT_ENDED ? n : at;
}

/* Quirk U8: some answer everything but OPTIONS. Whoever answers nothing at all is asked the one and
 * the other in turn. */
static void doubt_options(struct rtsp_client *c)
{
    if (!c->base.has_answered)
        c->memory->no_options = c->state == RTSP_CLIENT_OPTIONS;
}

static void closed(struct session *s, enum stream_cause cause, const char *what)
{
    struct rtsp_client *c = client_of(s);
    char request[64];
    if (c->state == RTSP_CLIENT_ENDED)
        return;
    if (c->state == RTSP_CLIENT_TEARDOWN) {
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
        return;
    }
    /* Quirk U11: it hangs up after its challenge; the answer goes with the next connection. */
    if (c->was_challenged && c->request.n_signed == 1 && !rtsp_client__asks_for_sound(c)) {
        c->memory->auth = c->auth;
        c->memory->has_auth = true;
        finish_dead(c, SESSION_VERDICT_AGAIN, cause, "%s after asking for a password", what);
        return;
    }
    doubt_options(c);
    if (c->state == RTSP_CLIENT_PLAYING)
        finish_dead(c, SESSION_VERDICT_FAILED, cause, "%s", what);
    else if (!c->base.has_answered &&
             c->base.window_skipped_bytes > 0) /* a page of HTML, a greeting */
        finish_dead(c, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL,
                    "what answers there does not speak RTSP");
    else /* without any answer: what a device does whose places are taken (quirk L1) */
        fail_dead(c, SOUND_SUSPECT, c->base.has_answered ? cause : CAUSE_REFUSED,
                  "%s instead of answering %s", what,
                  rtsp_client__print_request(c, request, sizeof request));
}

static int64_t due_us(const struct session *s)
{
    const struct rtsp_client *c = CONTAINER_OF(s, const struct rtsp_client, base);
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

static void no_answer(struct rtsp_client *c, int64_t mono_us)
{
    char request[64];
    int waited_s = rtsp_client__answer_s(c);
    if (!c->has_taken_partial && c->state == RTSP_CLIENT_DESCRIBE) {
        /* Quirk F4: the body may be shorter than announced. */
        c->has_taken_partial = true;
        rtsp_parser_take_partial(&c->base.parser);
        c->request.due_us = mono_us + US_PER_S;
        return;
    }
    bool is_about_sound = rtsp_client__asks_for_sound(c);
    rtsp_client__print_request(c, request, sizeof request);
    if (c->state == RTSP_CLIENT_PLAY && (c->n_frames > 0 || is_about_sound)) {
        if (is_about_sound) /* the video's PLAY was answered */
            rtsp_client__leave_sound_out(c, "no answer to %s within %d s", request, waited_s);
        rtsp_client__playing(c, mono_us);
        return;
    }
    doubt_options(c);
    if (c->base.has_answered)
        rtsp_client__fail_over_request(c, mono_us, SOUND_TO_BLAME, CAUSE_TIMEOUT,
                                       "no answer to %s within %d s", request, waited_s);
    else
        finish_dead(c, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT,
                    "connected, but no answer to %s within %d s", request, waited_s);
}

static void timeout(struct session *s, int64_t mono_us)
{
    struct rtsp_client *c = client_of(s);
    if (mono_us < due_us(s))
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

static void probe(struct session *s, int64_t mono_us)
{
    struct rtsp_client *c = client_of(s);
    if (c->state != RTSP_CLIENT_PLAYING)
        return;
    c->keepalive_due_us = MIN(c->keepalive_due_us, mono_us);
    timeout(s, mono_us);
}

static void stop(struct session *s, int64_t mono_us)
{
    struct rtsp_client *c = client_of(s);
    if (c->state == RTSP_CLIENT_ENDED || c->state == RTSP_CLIENT_TEARDOWN)
        return;
    rtsp_client__finish(c, mono_us, SESSION_VERDICT_STOPPED, CAUSE_OK, "stopped");
    after_step(c);
}

static enum session_phase phase(const struct session *s)
{
    const struct rtsp_client *c = CONTAINER_OF(s, const struct rtsp_client, base);
    return states[c->state].phase;
}

static void destroy(struct session *s)
{
    struct rtsp_client *c = client_of(s);
    if (c->sdp)
        sdp_fini(c->sdp);
    FREE(&c->sdp);
    session_fini(&c->base);
    /* The password must not stay in freed memory. */
    explicit_bzero(c, sizeof *c);
    free(c);
}

static const struct session_ops session_ops = {
    .phase = phase,
    .input = input,
    .closed = closed,
    .due_us = due_us,
    .timeout = timeout,
    .probe = probe,
    .stop = stop,
    .destroy = destroy,
};

struct rtsp_client *rtsp_client_create(const struct rtsp_client_params *params)
{
    struct rtsp_client *c = xcalloc(1, sizeof *c);
    session_init(&c->base, &session_ops, params->host, params->ctx);
    c->url = *params->url;
    str_copy(c->user, sizeof c->user, params->user);
    str_copy(c->password, sizeof c->password, params->password);
    c->is_udp = params->is_udp;
    c->memory = params->memory;
    memset(c->track_of_channel, CHANNEL_NONE, sizeof c->track_of_channel);
    if (c->memory->has_auth) {
        c->auth = c->memory->auth;
        c->has_auth = true;
        c->memory->has_auth = false;
    }
    url_print_request(&c->url, c->base_url, sizeof c->base_url);
    return c;
}

struct session *rtsp_client_session(struct rtsp_client *c)
{
    return &c->base;
}

void rtsp_client_start(struct rtsp_client *c, int64_t mono_us)
{
    if (c->memory->no_options)
        rtsp_client__enter(c, RTSP_CLIENT_DESCRIBE);
    rtsp_client__ask(c, mono_us, c->memory->no_options ? RTSP_DESCRIBE : RTSP_OPTIONS);
    after_step(c);
}

enum rtsp_client_state rtsp_client_state(const struct rtsp_client *c)
{
    return c->state;
}

int rtsp_client_keepalive_s(const struct rtsp_client *c)
{
    return CLAMP((c->timeout_s > 0 ? c->timeout_s : 60) / 2 - 1, 4, 25);
}
