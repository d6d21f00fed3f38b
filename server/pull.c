#include "server/pull.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

/* A recorder and its way to the ingest loop and back. */
struct taping {
    struct pull *pull;
    struct hub *hub; /* reference */
    struct storage *storage;
    struct loop *home;
    struct recorder *recorder; /* ingest loop only */
};

struct pull {
    struct pull_params params; /* without config */
    struct stream_config config;
    struct stream *stream;
    struct stream_status status;
    struct taping *taping; /* the current one; NULL = not recording */
    struct recorder_status recorder;
    struct motion_watch *watch;
    int n_alive; /* stream, tapings and watch not yet gone */
    bool wants_motion;
    bool is_stopping;
};

static void part_gone(struct pull *p)
{
    if (--p->n_alive > 0)
        return;
    p->params.gone(p->params.ctx);
    free(p);
}

/* --- recorder --- */

static void taping_status(void *ctx, const struct recorder_status *st)
{
    struct taping *t = ctx;
    struct pull *p = t->pull;
    if (p->taping != t || p->is_stopping)
        return;
    bool is_change =
        st->is_recording != p->recorder.is_recording || strcmp(st->detail, p->recorder.detail) != 0;
    p->recorder = *st;
    p->params.changed(p->params.ctx, p, is_change);
}

static void taping_gone(void *ctx)
{
    struct taping *t = ctx;
    struct pull *p = t->pull;
    hub_unref(&t->hub);
    free(t);
    part_gone(p);
}

static void taping_begin(void *ctx) /* ingest loop */
{
    struct taping *t = ctx;
    t->recorder = recorder_start(t->storage, &(struct recorder_params){.hub = t->hub,
                                                                       .status_loop = t->home,
                                                                       .status = taping_status,
                                                                       .gone = taping_gone,
                                                                       .ctx = t});
}

static void taping_end(void *ctx) /* ingest loop */
{
    struct taping *t = ctx;
    recorder_stop(t->recorder);
}

static void set_record(struct pull *p, bool wants)
{
    if (wants == (p->taping != NULL))
        return;
    p->recorder = (struct recorder_status){0};
    if (!wants) {
        loop_post(p->params.ingest, taping_end, p->taping);
        p->taping = NULL;
        return;
    }
    struct taping *t = xcalloc(1, sizeof *t);
    t->pull = p;
    t->hub = hub_ref(stream_hub(p->stream));
    t->storage = p->params.storage;
    t->home = p->params.home;
    p->taping = t;
    p->n_alive++;
    loop_post(p->params.ingest, taping_begin, t);
}

/* --- motion --- */

static void watch_event(void *ctx, enum motion_change change, const struct event *ev)
{
    struct pull *p = ctx;
    if (p->params.motion_event != NULL)
        p->params.motion_event(p->params.ctx, change, ev);
}

static void watch_gone(void *ctx);

static void start_watch(struct pull *p)
{
    p->n_alive++;
    p->watch = motion_watch_start(&(struct motion_watch_params){.hub = stream_hub(p->stream),
                                                                .worker = p->params.motion,
                                                                .loop = p->params.home,
                                                                .event = watch_event,
                                                                .gone = watch_gone,
                                                                .ctx = p});
}

static void watch_gone(void *ctx)
{
    struct pull *p = ctx;
    p->watch = NULL;
    if (p->wants_motion && !p->is_stopping && p->stream != NULL)
        start_watch(p); /* asked for again while the old one was ending */
    part_gone(p);
}

static void set_motion(struct pull *p, bool wants)
{
    if (p->params.motion == NULL || wants == p->wants_motion)
        return;
    p->wants_motion = wants;
    if (!wants && p->watch != NULL)
        motion_watch_stop(p->watch);
    else if (wants && p->watch == NULL)
        start_watch(p);
}

/* --- stream --- */

static void stream_said(void *ctx, const struct stream_status *st, bool is_change)
{
    struct pull *p = ctx;
    if (p->is_stopping)
        return;
    p->status = *st;
    p->params.changed(p->params.ctx, p, is_change);
}

static void stream_gone(void *ctx)
{
    struct pull *p = ctx;
    p->stream = NULL;
    part_gone(p);
}

struct pull *pull_start(const struct pull_params *params)
{
    struct pull *p = xcalloc(1, sizeof *p);
    p->params = *params;
    p->params.config = NULL;
    p->config = *params->config;
    str_copy(p->status.camera_id, sizeof p->status.camera_id, p->config.camera_id);
    str_copy(p->status.name, sizeof p->status.name, p->config.name);
    p->status.cause = p->config.is_on_demand ? CAUSE_IDLE : CAUSE_CONNECTING;
    str_copy(p->status.detail, sizeof p->status.detail,
             p->config.is_on_demand ? "connects when somebody watches" : "connecting");
    p->status.since_us = loop_wall_us(params->home);
    p->n_alive = 1;
    p->stream = stream_start(&(struct stream_params){.home = params->home,
                                                     .loop = params->ingest,
                                                     .resolver = params->resolver,
                                                     .tls = params->tls,
                                                     .remux_path = params->remux_path,
                                                     .gate = params->gate,
                                                     .allowance = params->allowance,
                                                     .config = &p->config,
                                                     .status = stream_said,
                                                     .gone = stream_gone,
                                                     .ctx = p});
    set_record(p, params->wants_record);
    set_motion(p, params->wants_motion);
    return p;
}

static bool same_config(const struct stream_config *a, const struct stream_config *b)
{
    return strcmp(a->url, b->url) == 0 && strcmp(a->username, b->username) == 0 &&
           strcmp(a->password, b->password) == 0 && a->transport == b->transport &&
           a->is_on_demand == b->is_on_demand;
}

void pull_configure(struct pull *p, const struct stream_config *config, bool wants_record,
                    bool wants_motion)
{
    if (!same_config(&p->config, config)) {
        p->config = *config;
        stream_configure(p->stream, config);
    }
    set_record(p, wants_record);
    set_motion(p, wants_motion);
}

void pull_adopt(struct pull *p, struct push_peer *peer)
{
    stream_adopt(p->stream, peer);
}

void pull_stop(struct pull *p)
{
    p->is_stopping = true;
    set_record(p, false);
    set_motion(p, false);
    stream_stop(p->stream);
}

const struct stream_status *pull_status(const struct pull *p)
{
    return &p->status;
}

const struct recorder_status *pull_recorder(const struct pull *p)
{
    return p->taping != NULL ? &p->recorder : NULL;
}

bool pull_watch_stats(const struct pull *p, struct motion_watch_stats *out)
{
    if (p->watch == NULL)
        return false;
    motion_watch_stats(p->watch, out);
    return true;
}

struct hub *pull_hub(const struct pull *p)
{
    return p->stream != NULL ? stream_hub(p->stream) : NULL;
}

void *pull_ctx(const struct pull *p)
{
    return p->params.ctx;
}
