#include "media/relay.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/queue.h"

/* One side is the hub's loop, the other the far loop. Every message that is under way holds a
 * reference, so the memory goes when the last of both sides is done. */
struct relay {
    /* any thread, atomic */
    struct refcount refs;
    atomic_uint_fast64_t n_dropped;

    /* set at create, then const */
    struct relay_params params;
    struct queue *queue;

    /* hub's loop only */
    struct sink sink;
    int64_t last_key_mono_us; /* arrival of the newest one taken; 0 = none */
    bool is_skipping;         /* full: nothing until the next key frame */
    bool has_late_mark, late_mark_is_up;

    /* far loop only */
    bool is_stopped;
};

/* Source changes travel in the queue among the packets, as the addresses of these. */
static const char mark_up, mark_down;

#define MARK_ROOM 64 /* entries kept free for marks */

static void unref(struct relay *r)
{
    if (!refcount_dec(&r->refs))
        return;
    for (void *entry; (entry = queue_pop(r->queue));) {
        struct packet *pkt = entry;
        if (entry != &mark_up && entry != &mark_down)
            packet_unref(&pkt);
    }
    queue_destroy(&r->queue);
    hub_unref(&r->params.hub);
    free(r);
}

static void post(struct loop *loop, loop_fn *fn, struct relay *r)
{
    refcount_inc(&r->refs);
    loop_post(loop, fn, r);
}

/* --- far loop --- */

static void hand_out(struct relay *r, void *entry)
{
    struct packet *pkt = entry;
    if (entry == &mark_up || entry == &mark_down) {
        if (!r->is_stopped && r->params.source_changed)
            r->params.source_changed(r->params.ctx, entry == &mark_up);
        return;
    }
    if (!r->is_stopped)
        r->params.push(r->params.ctx, pkt);
    packet_unref(&pkt);
}

static void drain(void *ctx)
{
    struct relay *r = ctx;
    for (void *entry; (entry = queue_pop(r->queue));)
        hand_out(r, entry);
    unref(r);
}

static void report_gone(void *ctx)
{
    struct relay *r = ctx;
    r->is_stopped = true;
    r->params.gone(r->params.ctx);
    unref(r); /* the message's */
    unref(r); /* the one of relay_start */
}

/* --- hub's loop --- */

static bool enqueue(struct relay *r, const void *entry, size_t bytes)
{
    bool was_empty;
    if (!queue_push(r->queue, (void *)(uintptr_t)entry, bytes, &was_empty))
        return false;
    if (was_empty)
        post(r->params.far, drain, r);
    return true;
}

static void send_late_mark(struct relay *r)
{
    if (r->has_late_mark && enqueue(r, r->late_mark_is_up ? &mark_up : &mark_down, 0))
        r->has_late_mark = false;
}

static void relay_source_changed(struct sink *sink, bool is_up)
{
    struct relay *r = CONTAINER_OF(sink, struct relay, sink);
    r->has_late_mark = true;
    r->late_mark_is_up = is_up;
    send_late_mark(r);
}

static bool has_room(const struct relay *r, const struct packet *pkt)
{
    size_t held = queue_bytes(r->queue);
    return queue_count(r->queue) < RELAY_MAX_PACKETS &&
           (held == 0 || held + pkt->size <= RELAY_MAX_BYTES);
}

/* Where every picture is a key frame, most of them would cross loops in vain. */
static bool is_early(struct relay *r, const struct packet *pkt)
{
    if (r->params.key_interval_us == 0)
        return false;
    int64_t since_us = pkt->arrival_mono_us - r->last_key_mono_us;
    if (r->last_key_mono_us != 0 && since_us >= 0 && since_us < r->params.key_interval_us)
        return true;
    r->last_key_mono_us = pkt->arrival_mono_us;
    return false;
}

static void relay_push(struct sink *sink, struct packet *pkt)
{
    struct relay *r = CONTAINER_OF(sink, struct relay, sink);
    send_late_mark(r);
    if (is_early(r, pkt))
        return;
    bool is_key = pkt->is_video && pkt->is_key;
    if ((r->is_skipping && !is_key) || !has_room(r, pkt)) {
        r->is_skipping = true;
        atomic_fetch_add_explicit(&r->n_dropped, 1, memory_order_relaxed);
        return;
    }
    packet_ref(pkt);
    if (enqueue(r, pkt, pkt->size)) {
        r->is_skipping = false;
        return;
    }
    r->is_skipping = true;
    atomic_fetch_add_explicit(&r->n_dropped, 1, memory_order_relaxed);
    packet_unref(&pkt);
}

static void relay_sink_gone(struct sink *sink)
{
    struct relay *r = CONTAINER_OF(sink, struct relay, sink);
    post(r->params.far, report_gone, r);
}

static const struct sink_ops relay_sink_ops = {relay_push, relay_source_changed, relay_sink_gone};

static void attach(void *ctx)
{
    struct relay *r = ctx;
    hub_attach(r->params.hub, &r->sink, true);
    unref(r);
}

static void detach(void *ctx)
{
    struct relay *r = ctx;
    hub_detach(r->params.hub, &r->sink);
    unref(r);
}

/* --- */

struct relay *relay_start(const struct relay_params *params)
{
    loop_assert(params->far);
    struct relay *r = xcalloc(1, sizeof *r);
    refcount_init(&r->refs);
    atomic_init(&r->n_dropped, 0);
    r->params = *params;
    hub_ref(params->hub);
    r->queue = queue_create(&(struct queue_params){.max_entries = RELAY_MAX_PACKETS + MARK_ROOM});
    r->sink = (struct sink){.ops = &relay_sink_ops,
                            .wants_audio = params->wants_audio,
                            .keys_only = params->keys_only,
                            .is_viewer = params->is_viewer,
                            .is_live = params->is_live};
    post(hub_loop(params->hub), attach, r);
    return r;
}

void relay_stop(struct relay *relay)
{
    loop_assert(relay->params.far);
    if (relay->is_stopped)
        return;
    relay->is_stopped = true;
    post(hub_loop(relay->params.hub), detach, relay);
}

uint64_t relay_dropped(const struct relay *relay)
{
    return atomic_load_explicit(&relay->n_dropped, memory_order_relaxed);
}
