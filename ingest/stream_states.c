/* The states of a stream: how a try begins, how a connection ends, and what follows. */
#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "ingest/stream_priv.h"

static const struct {
    const char *name;
    uint32_t next;
    int deadline_ms;    /* 0 = none by the state itself */
    bool keeps_turn;    /* at the gate; every other state gives it back */
    bool is_connecting; /* or connected: holds descriptors; every other state gives them back */
} states[STREAM_STATES] = {
#define TO(s) (1u << STREAM_##s)
/* What ends a try, whatever it had come to. */
#define TO_END (TO(QUEUED) | TO(WAITING) | TO(BACKOFF) | TO(IDLE) | TO(STOPPED))
    [STREAM_IDLE] = {"idle", TO(QUEUED) | TO(WAITING) | TO(BACKOFF) | TO(STOPPED), 0, false, false},
    [STREAM_QUEUED] = {"queued", TO(RESOLVE) | TO(CONNECT) | TO_END, 0, false, false},
    [STREAM_RESOLVE] = {"resolve", TO(CONNECT) | TO_END, 15000, true, true},
    [STREAM_CONNECT] = {"connect", TO(CONNECT) | TO(HANDSHAKE) | TO(CLOSING) | TO_END, 5000, true,
                        true},
    [STREAM_WAITING] = {"waiting", TO(HANDSHAKE) | TO_END, 30000, false, false},
    [STREAM_HANDSHAKE] = {"handshake", TO(PLAYING) | TO(CLOSING) | TO_END, 60000, true, true},
    [STREAM_PLAYING] = {"playing", TO(CLOSING) | TO_END, 0, false, true},
    [STREAM_CLOSING] = {"closing", TO_END, 2000, false, true},
    [STREAM_BACKOFF] = {"backoff", TO_END, 0, false, false},
    [STREAM_STOPPED] = {"stopped", 0, 0, false, false},
#undef TO_END
#undef TO
};

/* A connection's own, and the file that is written of it. */
#define CONNECTION_DESCRIPTORS 2
#define TUNNEL_DESCRIPTORS     3
#define FEEDER_DESCRIPTORS     4 /* with those while its process is started */

static int needed_descriptors(const struct stream *s)
{
    if (s->url.foreign[0])
        return FEEDER_DESCRIPTORS;
    return s->url.is_tunnel ? TUNNEL_DESCRIPTORS : CONNECTION_DESCRIPTORS;
}

bool stream__allow(struct stream *s, int n)
{
    if (!allowance_take(s->allowance, n))
        return false;
    s->n_held += n;
    return true;
}

static void give_back(struct stream *s)
{
    allowance_give(s->allowance, s->n_held);
    s->n_held = 0;
}

void stream__fail_crowded(struct stream *s)
{
    stream__fail(s, CAUSE_INTERNAL,
                 "this server may open no more files and connections for cameras (%d; raise "
                 "LimitNOFILE of its service)",
                 s->allowance->n_allowed);
}

void stream__enter(struct stream *s, enum stream_state next)
{
    assert(states[s->state].next & (1u << next));
    log_debug(s->who, "%s -> %s", states[s->state].name, states[next].name);
    s->state = next;
    if (s->gate && !states[next].keeps_turn)
        gate_leave(s->gate, &s->pass);
    if (!states[next].is_connecting)
        give_back(s);
    timer_disarm(&s->deadline);
    if (states[next].deadline_ms > 0)
        timer_arm_ms(&s->deadline, states[next].deadline_ms);
}

/* --- beginning a try --- */

bool stream__is_wanted(const struct stream *s)
{
    return !s->config.is_on_demand || stream__is_pushed(s) || s->n_viewers > 0 ||
           timer_is_armed(&s->linger);
}

static void begin_try(struct stream *s);

/* The settings cannot be tried; only new ones help. */
static void refuse_settings(struct stream *s, enum stream_cause cause, const struct err *err)
{
    stream__set_cause(s, cause, err->msg);
    stream__post_status(s, false);
}

/* A fresh try at the configured address. */
void stream__start_over(struct stream *s)
{
    struct err err = {0};
    s->n_redirects = 0;
    s->status.retry_us = 0;
    if (stream__is_pushed(s)) {
        s->url = (struct url){0};
        stream__wait(s);
        return;
    }
    int rc = url_parse_any(s->config.url, &s->url, &err);
    bool is_foreign = rc == 0 && s->url.foreign[0];
    if (is_foreign && !s->remux_path)
        rc = err_text(&err, ERR_UNSUPPORTED, "only RTSP addresses are supported here");
    if (rc == 0 && !is_foreign && s->url.is_tls && !s->tls)
        rc = err_text(&err, ERR_UNSUPPORTED, "TLS is not available");
    if (rc == 0 && !is_foreign && s->config.transport == TRANSPORT_UDP && !stream__may_use_udp(s))
        rc = err_text(&err, ERR_UNSUPPORTED,
                      "transport udp goes neither through TLS nor through an HTTP tunnel; choose "
                      "tcp or auto");
    if (rc < 0) {
        if (s->state != STREAM_IDLE)
            stream__enter(s, STREAM_IDLE);
        refuse_settings(s, rc == ERR_UNSUPPORTED ? CAUSE_UNSUPPORTED : CAUSE_PROTOCOL, &err);
        return;
    }
    if (s->has_new_settings && s->gate)
        gate_login_forget(s->gate, s->url.host, stream__login(s));
    s->has_new_settings = false;
    if (!s->has_failed && s->status.cause != CAUSE_CONNECTING) {
        char detail[sizeof s->status.detail];
        if (s->url.host[0])
            snprintf(detail, sizeof detail, "connecting to %.200s", s->url.host);
        else
            snprintf(detail, sizeof detail, "waiting for UDP at port %u", s->url.port);
        stream__set_cause(s, CAUSE_CONNECTING, detail);
        stream__post_status(s, false);
    }
    begin_try(s);
}

uint64_t stream__login(const struct stream *s)
{
    if (stream__is_pushed(s))
        return 0; /* that is how they log in to us */
    bool has_own = s->config.username[0] != 0;
    const char *user = has_own ? s->config.username : s->url.user;
    const char *password = has_own ? s->config.password : s->url.password;
    return user[0] || password[0] ? login_of(user, password, s->url.port) : 0;
}

void stream__logged_in(struct stream *s)
{
    if (s->gate && stream__login(s))
        gate_login_accepted(s->gate, s->url.host, stream__login(s));
}

/* Quirk A8: what was refused to another camera of the device is not tried again. */
static void hold_back(struct stream *s, int64_t until_mono_us)
{
    int64_t now_us = loop_mono_us(s->loop);
    int64_t wait_us = until_mono_us - now_us + backoff_spread(&s->backoff);
    char detail[sizeof s->status.detail];
    snprintf(detail, sizeof detail,
             "not tried: the device refused the password of another of its cameras and would lock "
             "us out; next try in %lld min",
             (long long)((wait_us + 59 * US_PER_S) / (60 * US_PER_S)));
    s->has_failed = true;
    s->retry_mono_us = now_us + wait_us;
    s->status.retry_us = loop_wall_us(s->loop) + wait_us;
    stream__set_cause(s, CAUSE_AUTH, detail);
    stream__enter(s, STREAM_BACKOFF);
    timer_arm_us(&s->deadline, wait_us);
    stream__post_status(s, true);
}

/* Silence last time: it may hold its place for long. */
static bool is_suspect(const struct stream *s)
{
    return s->has_failed && (s->status.cause == CAUSE_TIMEOUT || s->status.cause == CAUSE_DNS ||
                             s->status.cause == CAUSE_UNREACHABLE);
}

/* True: BACKOFF. */
static bool is_held_back(struct stream *s)
{
    uint64_t login = s->gate ? stream__login(s) : 0;
    int64_t at_us = login ? gate_login_at(s->gate, s->url.host, login, s->n_sessions > 0) : 0;
    if (at_us > 0)
        hold_back(s, at_us);
    return at_us > 0;
}

static void begin_try(struct stream *s)
{
    stream__settle_transport(s);
    if (is_held_back(s))
        return;
    stream__enter(s, STREAM_QUEUED);
    s->pass.login = stream__login(s);
    s->pass.is_proven = s->n_sessions > 0;
    if (s->gate && s->url.host[0])
        gate_enter(s->gate, &s->pass, s->url.host, is_suspect(s));
    else
        stream__on_turn(s);
}

void stream__on_turn(void *ctx)
{
    struct stream *s = ctx;
    if (is_held_back(s)) /* another one was refused while this one waited */
        return;
    if (!stream__allow(s, needed_descriptors(s))) {
        stream__fail_crowded(s);
        return;
    }
    if (s->url.foreign[0]) {
        stream__feed(s);
        return;
    }
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

void stream__start_or_idle(struct stream *s)
{
    if (stream__is_wanted(s))
        stream__start_over(s);
    else
        go_idle(s);
}

/* --- ending a connection --- */

static void arrive_after_closing(struct stream *s)
{
    enum stream_state next = s->after_closing;
    stream__close_connection(s);
    switch (next) {
    case STREAM_QUEUED: /* a redirect, another transport: at once */
        begin_try(s);
        break;
    case STREAM_BACKOFF: {
        stream__enter(s, STREAM_BACKOFF);
        timer_arm_us(&s->deadline, s->retry_mono_us - loop_mono_us(s->loop));
        break;
    }
    case STREAM_WAITING:
        stream__wait(s);
        break;
    case STREAM_IDLE: /* nobody watches, or new settings */
        stream__start_or_idle(s);
        break;
    case STREAM_STOPPED:
        stream__release(s);
        break;
    case STREAM_RESOLVE:
    case STREAM_CONNECT:
    case STREAM_HANDSHAKE:
    case STREAM_PLAYING:
    case STREAM_CLOSING:
        assert(false);
        break;
    }
}

void stream__source_down(struct stream *s)
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
    stream__source_down(s);
    if (s->state == STREAM_CLOSING)
        return;
    if (feeder_is_alive(&s->feeder)) {
        stream__enter(s, STREAM_CLOSING);
        stream__close_connection(s);
        feeder_stop(&s->feeder);
        return;
    }
    if (s->session) {
        session_stop(s->session, loop_mono_us(s->loop));
        if (session_phase(s->session) != SESSION_ENDED) {
            stream__enter(s, STREAM_CLOSING);
            stream__choose_batching(s); /* the answer shall wake us */
            stream__flush(s);
            timer_arm_us(&s->tick, session_due_us(s->session) - loop_mono_us(s->loop));
            return;
        }
    }
    arrive_after_closing(s);
}

void stream__feeder_gone(struct stream *s)
{
    if (s->state == STREAM_CLOSING)
        arrive_after_closing(s);
    /* else its last words are still to be read */
}

void stream__session_moved(struct stream *s)
{
    switch (session_phase(s->session)) {
    case SESSION_OPENING:
    case SESSION_SETTLED:
        timer_arm_us(&s->tick, session_due_us(s->session) - loop_mono_us(s->loop));
        break;
    case SESSION_PLAYING:
        if (s->state == STREAM_HANDSHAKE)
            stream__playing(s);
        break;
    case SESSION_ENDING:
        if (s->state != STREAM_CLOSING)
            stream__follow_verdict(s);
        break;
    case SESSION_ENDED:
        if (s->state != STREAM_CLOSING)
            stream__follow_verdict(s);
        else
            arrive_after_closing(s);
        break;
    }
}

/* --- time --- */

void stream__on_deadline(void *ctx)
{
    struct stream *s = ctx;
    switch (s->state) {
    case STREAM_RESOLVE:
        stream__unresolved(s);
        break;
    case STREAM_CONNECT: {
        if (s->i_address + 1 < s->n_addresses) {
            s->i_address++;
            stream__connect(s);
        } else {
            char wait[200];
            link_print_wait(s->link, stream__connect_limit_s(s), wait, sizeof wait);
            stream__fail(s, CAUSE_TIMEOUT, "%s", wait);
        }
        break;
    }
    case STREAM_WAITING:
        stream__waited_long(s);
        break;
    case STREAM_HANDSHAKE:
        stream__fail(s, CAUSE_TIMEOUT, "the camera did not begin to send within 60 s");
        break;
    case STREAM_CLOSING:
        if (feeder_is_alive(&s->feeder)) /* killed, but not gone yet: its end is waited for */
            timer_arm_ms(&s->deadline, states[STREAM_CLOSING].deadline_ms);
        else
            arrive_after_closing(s);
        break;
    case STREAM_BACKOFF:
        stream__start_or_idle(s);
        break;
    case STREAM_IDLE:
    case STREAM_QUEUED:
    case STREAM_PLAYING:
    case STREAM_STOPPED:
        assert(false);
        break;
    }
}
