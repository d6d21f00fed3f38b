#include "ingest/stream.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "ingest/stream_priv.h"

#define LINGER_MS     10000
#define MAX_REDIRECTS 3

static const struct {
    const char *name;
    uint32_t next;
    int64_t deadline_ms; /* 0 = none by the state itself */
} states[STREAM_STATES] = {
#define TO(s) (1u << STREAM_##s)
    [STREAM_IDLE] = {"idle", TO(RESOLVE) | TO(BACKOFF) | TO(STOPPED), 0},
    [STREAM_RESOLVE] = {"resolve", TO(CONNECT) | TO(RESOLVE) | TO(BACKOFF) | TO(IDLE) | TO(STOPPED),
                        15000},
    [STREAM_CONNECT] = {"connect",
                        TO(CONNECT) | TO(HANDSHAKE) | TO(RESOLVE) | TO(BACKOFF) | TO(IDLE) |
                            TO(STOPPED),
                        5000},
    [STREAM_HANDSHAKE] = {"handshake",
                          TO(PLAYING) | TO(CLOSING) | TO(RESOLVE) | TO(BACKOFF) | TO(IDLE) |
                              TO(STOPPED),
                          60000},
    [STREAM_PLAYING] = {"playing", TO(CLOSING) | TO(RESOLVE) | TO(BACKOFF) | TO(IDLE) | TO(STOPPED),
                        0},
    [STREAM_CLOSING] = {"closing", TO(RESOLVE) | TO(BACKOFF) | TO(IDLE) | TO(STOPPED), 2000},
    [STREAM_BACKOFF] = {"backoff", TO(RESOLVE) | TO(BACKOFF) | TO(IDLE) | TO(STOPPED), 0},
    [STREAM_STOPPED] = {"stopped", 0, 0},
#undef TO
};

void stream__enter(struct stream *s, enum stream_state next)
{
    assert(states[s->state].next & (1u << next));
    log_debug(s->who, "%s -> %s", states[s->state].name, states[next].name);
    s->state = next;
    timer_disarm(&s->deadline);
    if (states[next].deadline_ms > 0)
        timer_arm_ms(&s->deadline, states[next].deadline_ms);
}

/* --- beginning a try --- */

static bool is_wanted(const struct stream *s)
{
    return !s->config.is_on_demand || s->n_viewers > 0 || timer_is_armed(&s->linger);
}

static void begin_try(struct stream *s);

/* The settings cannot be tried; only new ones help. */
static void refuse_settings(struct stream *s, enum stream_cause cause, const struct err *err)
{
    stream__set_cause(s, cause, err->msg);
    stream__post_status(s, false);
}

/* A fresh try at the configured address. */
static void start_over(struct stream *s)
{
    struct err err = {0};
    s->n_redirects = 0;
    s->status.retry_us = 0;
    int rc = url_parse(s->config.url, &s->url, &err);
    if (rc == 0 && s->url.is_tls)
        rc = err_text(&err, ERR_UNSUPPORTED, "rtsps addresses are not supported yet");
    if (rc < 0) {
        if (s->state != STREAM_IDLE)
            stream__enter(s, STREAM_IDLE);
        refuse_settings(s, rc == ERR_UNSUPPORTED ? CAUSE_UNSUPPORTED : CAUSE_PROTOCOL, &err);
        return;
    }
    if (!s->has_failed && s->status.cause != CAUSE_CONNECTING) {
        char detail[sizeof s->status.detail];
        snprintf(detail, sizeof detail, "connecting to %.200s", s->url.host);
        stream__set_cause(s, CAUSE_CONNECTING, detail);
        stream__post_status(s, false);
    }
    begin_try(s);
}

static void begin_try(struct stream *s)
{
    /* The place for a limit of handshakes per host. */
    stream__enter(s, STREAM_RESOLVE);
    stream__resolve(s);
}

static void go_idle(struct stream *s)
{
    if (s->state != STREAM_IDLE)
        stream__enter(s, STREAM_IDLE);
    s->has_failed = false;
    s->status.retry_us = 0;
    stream__set_reachable(s, false);
    stream__set_cause(s, CAUSE_IDLE, "on demand: connects when somebody watches");
    stream__post_status(s, false);
}

static void start_or_idle(struct stream *s)
{
    if (is_wanted(s))
        start_over(s);
    else
        go_idle(s);
}

/* --- ending a connection --- */

static void finish_stop(struct stream *s);

static void arrive_after_closing(struct stream *s)
{
    enum stream_state next = s->after_closing;
    stream__close_connection(s);
    switch (next) {
    case STREAM_RESOLVE: /* a redirect, another transport: at once */
        begin_try(s);
        break;
    case STREAM_BACKOFF: {
        stream__enter(s, STREAM_BACKOFF);
        timer_arm_us(&s->deadline, s->retry_mono_us - loop_mono_us(s->loop));
        break;
    }
    case STREAM_IDLE: /* nobody watches, or new settings */
        start_or_idle(s);
        break;
    case STREAM_STOPPED:
        finish_stop(s);
        break;
    case STREAM_CONNECT:
    case STREAM_HANDSHAKE:
    case STREAM_PLAYING:
    case STREAM_CLOSING:
        assert(false);
        break;
    }
}

static void source_down(struct stream *s)
{
    if (s->is_up)
        hub_set_up(s->hub, false);
    s->is_up = false;
    s->status.fps = 0;
    s->status.bitrate_bps = 0;
    stream__set_advancing(s, false);
}

void stream__end(struct stream *s, enum stream_state next)
{
    s->after_closing = next;
    source_down(s);
    if (s->state == STREAM_CLOSING)
        return;
    if (s->client) {
        rtsp_client_stop(s->client, loop_mono_us(s->loop));
        if (rtsp_client_state(s->client) != RTSP_CLIENT_ENDED) {
            stream__enter(s, STREAM_CLOSING);
            stream__choose_batching(s); /* the answer shall wake us */
            stream__flush(s);
            timer_arm_us(&s->tick, rtsp_client_due_us(s->client) - loop_mono_us(s->loop));
            return;
        }
    }
    arrive_after_closing(s);
}

/* What the network said, not the camera. */
static bool is_of_network(enum stream_cause cause)
{
    return cause == CAUSE_DNS || cause == CAUSE_REFUSED || cause == CAUSE_UNREACHABLE ||
           cause == CAUSE_TIMEOUT;
}

static void fail_text(struct stream *s, enum stream_cause cause, const char *fact)
{
    int64_t now_us = loop_mono_us(s->loop);
    int64_t delay_us = backoff_failed(&s->backoff, cause, now_us);
    char detail[sizeof s->status.detail];
    int64_t delay_s = (delay_us + US_PER_S / 2) / US_PER_S;
    str_copy(s->fact, sizeof s->fact, fact);
    if (delay_s >= 120)
        snprintf(detail, sizeof detail, "%.180s; next try in %lld min", s->fact,
                 (long long)(delay_s + 30) / 60);
    else
        snprintf(detail, sizeof detail, "%.180s; next try in %lld s", s->fact,
                 (long long)MAX(delay_s, 1));
    s->retry_mono_us = now_us + delay_us;
    s->status.retry_us = loop_wall_us(s->loop) + delay_us;
    s->has_failed = true;
    s->n_again = 0;
    bool is_proven = s->probed_mono_us > 0 && s->bytes_mono_us > s->probed_mono_us;
    if (is_of_network(cause) && !is_proven)
        stream__set_reachable(s, false);
    uint64_t n_skipped;
    if (s->status.cause != cause && log_every(&s->log_limit, now_us, &n_skipped))
        log_info(s->who, "%s: %s", cause_name(cause), detail);
    source_down(s);
    stream__set_cause(s, cause, detail);
    stream__post_status(s, true);
}

void stream__fail(struct stream *s, enum stream_cause cause, const char *fmt, ...)
{
    char fact[sizeof s->fact];
    va_list args;
    va_start(args, fmt);
    vsnprintf(fact, sizeof fact, fmt, args);
    va_end(args);
    fail_text(s, cause, fact);
    stream__end(s, STREAM_BACKOFF);
}

/* --- the client's verdicts --- */

/* Quirk L1: what some devices say when all their places are taken. */
static void fail_by_client(struct stream *s, const struct rtsp_client_end *end)
{
    bool is_limit = (end->status == 403 || end->status == 500) && s->n_sessions > 0;
    if (is_limit)
        stream__fail(s, CAUSE_BUSY, "%s; its limit of viewers may be reached", end->text);
    else if (end->cause == CAUSE_AUTH && end->status == 401 && s->n_sessions > 0)
        stream__fail(s, CAUSE_AUTH, "%s, though it worked before", end->text);
    else
        stream__fail(s, end->cause, "%s", end->text);
}

static void follow_verdict(struct stream *s)
{
    const struct rtsp_client_end *end = rtsp_client_end(s->client);
    switch (end->verdict) {
    case RTSP_VERDICT_NONE:
        assert(false);
        break;
    case RTSP_VERDICT_STOPPED:
        break;
    case RTSP_VERDICT_FAILED:
        fail_by_client(s, end);
        break;
    case RTSP_VERDICT_REDIRECTED:
        if (++s->n_redirects > MAX_REDIRECTS) {
            stream__fail(s, CAUSE_PROTOCOL, "more than %d redirects", MAX_REDIRECTS);
        } else if (end->url.is_tls) {
            stream__fail(s, CAUSE_UNSUPPORTED, "redirected to rtsps, which is not supported yet");
        } else {
            s->url = end->url;
            stream__end(s, STREAM_RESOLVE);
        }
        break;
    case RTSP_VERDICT_TRANSPORT:
        if (s->config.transport == TRANSPORT_AUTO && !s->is_udp) {
            s->is_udp = true;
            stream__end(s, STREAM_RESOLVE);
        } else {
            s->is_udp = s->config.transport == TRANSPORT_UDP;
            stream__fail(s, end->cause, "%s", end->text);
        }
        break;
    case RTSP_VERDICT_AGAIN:
        if (s->n_again++ == 0)
            stream__end(s, STREAM_RESOLVE);
        else
            stream__fail(s, end->cause, "%s", end->text);
        break;
    }
}

void stream__client_moved(struct stream *s)
{
    switch (rtsp_client_state(s->client)) {
    case RTSP_CLIENT_OPTIONS:
    case RTSP_CLIENT_DESCRIBE:
    case RTSP_CLIENT_SETUP:
    case RTSP_CLIENT_PLAY:
        timer_arm_us(&s->tick, rtsp_client_due_us(s->client) - loop_mono_us(s->loop));
        break;
    case RTSP_CLIENT_PLAYING:
        if (s->state == STREAM_HANDSHAKE)
            stream__playing(s);
        break;
    case RTSP_CLIENT_TEARDOWN:
        if (s->state != STREAM_CLOSING)
            follow_verdict(s);
        break;
    case RTSP_CLIENT_ENDED:
        if (s->state != STREAM_CLOSING)
            follow_verdict(s);
        else
            arrive_after_closing(s);
        break;
    }
}

/* --- time --- */

static void on_deadline(void *ctx)
{
    struct stream *s = ctx;
    switch (s->state) {
    case STREAM_RESOLVE:
        stream__fail(s, CAUSE_DNS, "host name %.100s did not resolve within 15 s", s->url.host);
        break;
    case STREAM_CONNECT: {
        char peer[ADDRESS_TEXT_BYTES];
        address_print(&s->list[s->i_address], peer, sizeof peer);
        if (s->i_address + 1 < s->n_addresses) {
            s->i_address++;
            stream__connect(s);
        } else {
            stream__fail(s, CAUSE_TIMEOUT, "no answer from %s within 5 s", peer);
        }
        break;
    }
    case STREAM_HANDSHAKE:
        stream__fail(s, CAUSE_TIMEOUT, "the camera did not begin to send within 60 s");
        break;
    case STREAM_CLOSING:
        arrive_after_closing(s);
        break;
    case STREAM_BACKOFF:
        start_or_idle(s);
        break;
    case STREAM_IDLE:
    case STREAM_PLAYING:
    case STREAM_STOPPED:
        assert(false);
        break;
    }
}

static void on_tick(void *ctx)
{
    stream__tick(ctx);
}

/* --- demand --- */

static void on_linger(void *ctx)
{
    struct stream *s = ctx;
    if (is_wanted(s) || s->state == STREAM_STOPPED || s->state == STREAM_IDLE)
        return;
    if (s->state == STREAM_CLOSING && s->after_closing == STREAM_STOPPED)
        return;
    stream__end(s, STREAM_IDLE);
}

static void on_demand(void *ctx, int n_viewers, int n_live)
{
    struct stream *s = ctx;
    s->n_viewers = n_viewers;
    s->n_live = n_live;
    if (s->state == STREAM_PLAYING)
        stream__choose_batching(s);
    if (!s->config.is_on_demand)
        return;
    if (n_viewers == 0) {
        if (s->state != STREAM_IDLE && s->state != STREAM_STOPPED)
            timer_arm_ms(&s->linger, LINGER_MS);
        return;
    }
    timer_disarm(&s->linger);
    if (s->state == STREAM_IDLE)
        start_over(s);
}

/* --- the loop's side of the public functions --- */

static void begin_on_loop(void *ctx)
{
    struct stream *s = ctx;
    timer_init(&s->deadline, s->loop, on_deadline, s);
    timer_init(&s->tick, s->loop, on_tick, s);
    timer_init(&s->linger, s->loop, on_linger, s);
    s->is_udp = s->config.transport == TRANSPORT_UDP;
    start_or_idle(s);
}

static void gone_on_home(void *ctx)
{
    struct stream *s = ctx;
    hub_unref(&s->hub);
    if (s->on_gone)
        s->on_gone(s->ctx);
    /* The passwords must not stay in freed memory. */
    explicit_bzero(&s->config, sizeof s->config);
    free(s);
}

/* Everything that belongs to the loop ends here. */
static void finish_stop(struct stream *s)
{
    stream__enter(s, STREAM_STOPPED);
    timer_disarm(&s->tick);
    timer_disarm(&s->linger);
    hub_close(s->hub);
    receiver_destroy(&s->receiver);
    buf_fini(&s->partial);
    loop_post(s->home, gone_on_home, s);
}

static void stop_on_loop(void *ctx)
{
    stream__end(ctx, STREAM_STOPPED);
}

struct new_config {
    struct stream *s;
    struct stream_config config;
};

static void configure_on_loop(void *ctx)
{
    struct new_config *n = ctx;
    struct stream *s = n->s;
    const struct stream_config *was = &s->config;
    bool is_other =
        strcmp(was->url, n->config.url) != 0 || strcmp(was->username, n->config.username) != 0 ||
        strcmp(was->password, n->config.password) != 0 || was->transport != n->config.transport;
    s->config = n->config;
    if (is_other) {
        backoff_reset(&s->backoff);
        s->memory = (struct rtsp_memory){0};
        s->is_udp = s->config.transport == TRANSPORT_UDP;
        s->has_failed = false;
        s->n_again = 0;
        s->n_sessions = 0;
        stream__end(s, STREAM_IDLE);
    } else if (is_wanted(s) && s->state == STREAM_IDLE) {
        start_over(s);
    } else if (!is_wanted(s) && s->state != STREAM_IDLE) {
        timer_arm_ms(&s->linger, LINGER_MS);
    }
    explicit_bzero(n, sizeof *n);
    free(n);
}

static void retry_on_loop(void *ctx)
{
    struct stream *s = ctx;
    if (s->state == STREAM_BACKOFF)
        start_or_idle(s);
}

/* --- home loop --- */

static uint64_t seed_of(const char *id)
{
    uint64_t h = UINT64_C(1469598103934665603);
    for (; *id; id++)
        h = (h ^ (uint8_t)*id) * UINT64_C(1099511628211);
    return h;
}

struct stream *stream_start(const struct stream_params *params)
{
    struct stream *s = xcalloc(1, sizeof *s);
    s->home = params->home;
    s->loop = params->loop;
    s->pool = params->pool;
    s->on_status = params->status;
    s->on_gone = params->gone;
    s->ctx = params->ctx;
    s->config = *params->config;
    snprintf(s->who, sizeof s->who, "%s/%s", s->config.camera_id, s->config.name);
    s->fd = -1;
    for (int i = 0; i < RTSP_CLIENT_MAX_TRACKS; i++)
        s->udp[i].fd[0] = s->udp[i].fd[1] = -1;
    str_copy(s->status.camera_id, sizeof s->status.camera_id, s->config.camera_id);
    str_copy(s->status.name, sizeof s->status.name, s->config.name);
    uint64_t seed = params->seed ? params->seed : seed_of(s->who);
    s->phase = (unsigned)(seed >> 8 & 0xff);
    backoff_init(&s->backoff, seed);
    struct hub_owner owner = {.demand = on_demand, .ctx = s};
    s->hub = hub_create(s->loop, s->config.camera_id, s->config.name, &owner);
    struct receiver_params receiver = {
        .publish = stream__publish, .ctx = s, .own_ssrc = (uint32_t)seed_of(s->who)};
    s->receiver = receiver_create(&receiver);
    loop_post(s->loop, begin_on_loop, s);
    return s;
}

void stream_stop(struct stream *s)
{
    loop_assert(s->home);
    assert(!s->is_stopping);
    s->is_stopping = true;
    loop_post(s->loop, stop_on_loop, s);
}

void stream_configure(struct stream *s, const struct stream_config *config)
{
    loop_assert(s->home);
    assert(!s->is_stopping);
    struct new_config *n = xmalloc(sizeof *n);
    *n = (struct new_config){.s = s, .config = *config};
    loop_post(s->loop, configure_on_loop, n);
}

void stream_retry(struct stream *s)
{
    loop_assert(s->home);
    loop_post(s->loop, retry_on_loop, s);
}

struct hub *stream_hub(const struct stream *s)
{
    return s->hub;
}
