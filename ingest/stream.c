#include "ingest/stream.h"

#include <assert.h>

#include "base/mem.h"
#include "base/str.h"
#include "ingest/stream_priv.h"

#define LINGER_MS 10000

/* --- demand --- */

static void on_linger(void *ctx)
{
    struct stream *s = ctx;
    if (stream__is_wanted(s) || s->state == STREAM_STOPPED || s->state == STREAM_IDLE)
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
        stream__start_over(s);
}

/* --- the loop's side of the public functions --- */

static void begin_on_loop(void *ctx)
{
    struct stream *s = ctx;
    timer_init(&s->deadline, s->loop, stream__on_deadline, s);
    timer_init(&s->tick, s->loop, stream__tick, s);
    timer_init(&s->linger, s->loop, on_linger, s);
    s->pass = (struct gate_pass){.enter = stream__on_turn, .ctx = s};
    s->is_udp = s->config.transport == TRANSPORT_UDP;
    stream__start_or_idle(s);
}

static void gone_on_home(void *ctx)
{
    struct stream *s = ctx;
    hub_unref(&s->hub);
    if (s->on_gone)
        s->on_gone(s->ctx);
    /* The passwords must not stay in freed memory. */
    explicit_bzero(&s->config, sizeof s->config);
    free(s->remux_path);
    free(s);
}

void stream__release(struct stream *s)
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
        s->has_new_settings = true;
        s->is_name_doubtful = false;
        s->memory = (struct rtsp_memory){0};
        s->is_udp = s->config.transport == TRANSPORT_UDP;
        s->stale_until_us = 0;
        s->has_failed = false;
        s->n_again = 0;
        s->n_sessions = 0;
        stream__end(s, STREAM_IDLE);
    } else if (stream__is_wanted(s) && s->state == STREAM_IDLE) {
        stream__start_over(s);
    } else if (!stream__is_wanted(s) && s->state != STREAM_IDLE) {
        timer_arm_ms(&s->linger, LINGER_MS);
    }
    explicit_bzero(n, sizeof *n);
    free(n);
}

static void retry_on_loop(void *ctx)
{
    struct stream *s = ctx;
    if (s->state == STREAM_BACKOFF)
        stream__start_or_idle(s);
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
    s->resolver = params->resolver;
    s->gate = params->gate;
    s->allowance = params->allowance;
    s->tls = params->tls;
    s->remux_path = params->remux_path ? xstrdup(params->remux_path) : NULL;
    s->on_status = params->status;
    s->on_gone = params->gone;
    s->ctx = params->ctx;
    s->config = *params->config;
    snprintf(s->who, sizeof s->who, "%s/%s", s->config.camera_id, s->config.name);
    for (int i = 0; i < SESSION_MAX_TRACKS; i++)
        s->udp[i].fd[0] = s->udp[i].fd[1] = -1;
    memset(s->unread, -1, sizeof s->unread);
    str_copy(s->status.camera_id, sizeof s->status.camera_id, s->config.camera_id);
    str_copy(s->status.name, sizeof s->status.name, s->config.name);
    uint64_t seed = params->seed ? params->seed : seed_of(s->who);
    s->phase = (int)(seed >> 8 & 0xff);
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
