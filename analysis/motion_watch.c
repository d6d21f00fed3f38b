#include "analysis/motion_watch.h"

#include "base/mem.h"
#include "media/relay.h"

#define KEY_INTERVAL_US US_PER_S /* between two key frames of a camera that are looked at */
#define KEY_SLACK_US    (50 * US_PER_MS)
#define RELAY_KEYS_US   (KEY_INTERVAL_US / 4) /* so that one is there when it is due */
#define TICK_MS         2000

struct motion_watch {
    struct motion_watch_params params;
    struct loop *loop, *home;
    struct relay *relay; /* NULL after gone */
    struct motion *motion;
    struct motion_events events;
    struct timer tick;
    struct motion_watch_stats stats;
    bool is_stopping, is_busy;
    int64_t last_mono_us; /* of the newest key frame looked at */
    int64_t busy_wall_us; /* of the one under way */
};

/* An event on its way to the home loop. */
struct news {
    motion_event_fn *fn;
    void *ctx;
    enum motion_change change;
    struct event ev;
};

static void deliver(void *ctx)
{
    struct news *news = ctx;
    news->fn(news->ctx, news->change, &news->ev);
    free(news);
}

static void on_event(void *ctx, enum motion_change change, const struct event *ev)
{
    struct motion_watch *w = ctx;
    struct news *news = xmalloc(sizeof *news);
    *news = (struct news){w->params.event, w->params.ctx, change, *ev};
    loop_post(w->home, deliver, news);
}

static void tell_gone(void *ctx)
{
    struct motion_watch *w = ctx;
    loop_fn *gone = w->params.gone;
    void *gone_ctx = w->params.ctx;
    free(w);
    gone(gone_ctx);
}

/* When it was asked to stop and neither the relay nor the worker knows it any more. Its owner does
 * until `gone`, and may ask once more: the memory goes with the message. */
static void release_when_unused(struct motion_watch *w)
{
    if (!w->is_stopping || w->relay || w->is_busy)
        return;
    timer_disarm(&w->tick);
    motion_events_end(&w->events);
    motion_destroy(&w->motion);
    loop_post(w->home, tell_gone, w);
}

static void on_grid(void *ctx, const struct luma_grid *grid, const struct err *err)
{
    struct motion_watch *w = ctx;
    w->is_busy = false;
    if (err) {
        w->stats.n_failed++;
    } else if (!w->is_stopping) {
        struct motion_result result;
        w->stats.n_analysed++;
        motion_update(w->motion, grid, w->busy_wall_us, &result);
        motion_events_add(&w->events, &result, w->busy_wall_us);
    }
    release_when_unused(w);
}

static void on_push(void *ctx, struct packet *pkt)
{
    struct motion_watch *w = ctx;
    if (w->is_stopping || !pkt->is_video || !pkt->is_key)
        return;
    w->stats.n_keys++;
    int64_t now = loop_mono_us(w->loop);
    bool is_early = w->last_mono_us != 0 && now - w->last_mono_us < KEY_INTERVAL_US - KEY_SLACK_US;
    if (w->is_busy || is_early || worker_grid(w->params.worker, pkt, on_grid, w) < 0) {
        w->stats.n_left_out++;
        return;
    }
    w->is_busy = true;
    w->last_mono_us = now;
    w->busy_wall_us = pkt->wall_us;
}

static void on_source_changed(void *ctx, bool is_up)
{
    struct motion_watch *w = ctx;
    if (!is_up)
        motion_events_end(&w->events);
}

static void on_gone(void *ctx)
{
    struct motion_watch *w = ctx;
    w->relay = NULL;
    motion_events_end(&w->events);
    release_when_unused(w);
}

/* A camera that delivers nothing must not keep its event open. */
static void on_tick(void *ctx)
{
    struct motion_watch *w = ctx;
    motion_events_tick(&w->events, loop_wall_us(w->loop));
    timer_arm_ms(&w->tick, TICK_MS);
}

static void release_later(void *ctx)
{
    release_when_unused(ctx);
}

struct motion_watch *motion_watch_start(const struct motion_watch_params *params)
{
    struct motion_watch *w = xcalloc(1, sizeof *w);
    w->params = *params;
    w->params.hub = NULL; /* the relay holds the reference */
    w->loop = params->loop;
    w->home = params->home ? params->home : params->loop;
    w->motion = motion_create();
    motion_events_init(&w->events,
                       &(struct motion_events_params){.camera_id = hub_camera_id(params->hub),
                                                      .quiet_us = params->quiet_us,
                                                      .fn = on_event,
                                                      .ctx = w});
    timer_init(&w->tick, w->loop, on_tick, w);
    timer_arm_ms(&w->tick, TICK_MS);
    w->relay = relay_start(&(struct relay_params){.hub = params->hub,
                                                  .far = w->loop,
                                                  .keys_only = true,
                                                  .key_interval_us = RELAY_KEYS_US,
                                                  .push = on_push,
                                                  .source_changed = on_source_changed,
                                                  .gone = on_gone,
                                                  .ctx = w});
    return w;
}

void motion_watch_stop(struct motion_watch *w)
{
    loop_assert(w->loop);
    if (w->is_stopping)
        return;
    w->is_stopping = true;
    if (w->relay)
        relay_stop(w->relay);
    else if (!w->is_busy)
        loop_defer(w->loop, release_later, w);
}

void motion_watch_stats(const struct motion_watch *w, struct motion_watch_stats *out)
{
    *out = w->stats;
}
