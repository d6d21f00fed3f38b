#include "media/hub.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct hub {
    /* any thread, atomic */
    struct refcount refs;

    /* set at create, then const */
    struct loop *loop;
    char *camera_id, *stream;
    struct hub_owner owner;

    /* hub's loop only */
    struct sink *sinks;
    struct sink *iter_next; /* where the walk over sinks goes on; moved by hub_detach */
    bool is_up, is_closed, is_walking;
    int n_sinks, n_viewers, n_live;
    uint32_t next_seq[2]; /* audio, video */
    uint64_t n_packets, n_keys, n_bytes;

    /* the kept group: gop[0] is its key frame */
    struct packet **gop;
    size_t n_gop, cap_gop, gop_bytes;
};

struct hub *hub_create(struct loop *loop, const char *camera_id, const char *stream,
                       const struct hub_owner *owner)
{
    struct hub *hub = xcalloc(1, sizeof *hub);
    refcount_init(&hub->refs);
    hub->loop = loop;
    hub->camera_id = xstrdup(camera_id);
    hub->stream = xstrdup(stream);
    if (owner)
        hub->owner = *owner;
    return hub;
}

struct hub *hub_ref(struct hub *hub)
{
    refcount_inc(&hub->refs);
    return hub;
}

static void forget_group(struct hub *hub)
{
    for (size_t i = 0; i < hub->n_gop; i++)
        packet_unref(&hub->gop[i]);
    hub->n_gop = 0;
    hub->gop_bytes = 0;
}

void hub_unref(struct hub **hub)
{
    struct hub *h = *hub;
    *hub = NULL;
    if (!h || !refcount_dec(&h->refs))
        return;
    assert(!h->sinks);
    forget_group(h);
    free(h->gop);
    free(h->camera_id);
    free(h->stream);
    free(h);
}

struct loop *hub_loop(const struct hub *hub)
{
    return hub->loop;
}

const char *hub_camera_id(const struct hub *hub)
{
    return hub->camera_id;
}

const char *hub_stream(const struct hub *hub)
{
    return hub->stream;
}

/* --- the kept group --- */

static void keep(struct hub *hub, struct packet *pkt)
{
    if (hub->n_gop == hub->cap_gop) {
        hub->cap_gop = MAX(hub->cap_gop * 2, (size_t)32);
        hub->gop = xrealloc(hub->gop, hub->cap_gop * sizeof *hub->gop);
    }
    hub->gop[hub->n_gop++] = packet_ref(pkt);
    hub->gop_bytes += pkt->size;
}

/* The group has outgrown its bound: its key frame stays, the rest is forgotten, and pkt follows as
 * a copy that says so, because pkt itself is shared and says the truth to those who saw all. */
static void truncate_group(struct hub *hub, struct packet *pkt)
{
    struct packet *copy = packet_create(pkt->size);
    while (hub->n_gop > 1)
        packet_unref(&hub->gop[--hub->n_gop]);
    hub->gop_bytes = hub->gop[0]->size;
    if (!copy)
        return;
    size_t capacity = copy->capacity;
    size_t from = offsetof(struct packet, format);
    memcpy((char *)copy + from, (const char *)pkt + from,
           offsetof(struct packet, data) + pkt->size - from);
    copy->capacity = capacity;
    if (copy->format)
        format_ref(copy->format);
    copy->is_discontinuity = true;
    keep(hub, copy);
    packet_unref(&copy);
}

static void add_to_group(struct hub *hub, struct packet *pkt)
{
    if (pkt->is_video && pkt->is_key)
        forget_group(hub);
    else if (hub->n_gop == 0)
        return;
    if (hub->n_gop > 0 &&
        (hub->n_gop >= HUB_GOP_MAX_PACKETS || hub->gop_bytes + pkt->size > HUB_GOP_MAX_BYTES))
        truncate_group(hub, pkt);
    else
        keep(hub, pkt);
}

struct packet *hub_newest_key(struct hub *hub)
{
    loop_assert(hub->loop);
    return hub->n_gop > 0 ? packet_ref(hub->gop[0]) : NULL;
}

/* --- sinks --- */

static void offer(struct sink *sink, struct packet *pkt)
{
    if (pkt->is_video) {
        if (pkt->is_key)
            sink->needs_key = false;
        else if (sink->keys_only)
            return;
    } else if (!sink->wants_audio || sink->keys_only) {
        return;
    }
    if (!sink->needs_key)
        sink->ops->push(sink, pkt);
}

/* Sinks may detach themselves or each other from inside their callbacks. */
#define FOR_EACH_SINK(hub, sink)                                                                   \
    for (struct sink *sink = walk_start(hub); sink; sink = walk_next(hub))

static struct sink *walk_next(struct hub *hub)
{
    struct sink *sink = hub->iter_next;
    hub->iter_next = sink ? sink->next : NULL;
    hub->is_walking = sink != NULL;
    return sink;
}

static struct sink *walk_start(struct hub *hub)
{
    assert(!hub->is_walking);
    hub->iter_next = hub->sinks;
    return walk_next(hub);
}

void hub_publish(struct hub *hub, struct packet *pkt)
{
    loop_assert(hub->loop);
    assert(pkt->format || !pkt->is_video);
    uint32_t *next_seq = &hub->next_seq[pkt->is_video];
    if (pkt->is_discontinuity || pkt->lost_before > 0)
        (*next_seq)++;
    pkt->seq = (*next_seq)++;
    hub->n_packets++;
    hub->n_keys += pkt->is_video && pkt->is_key;
    hub->n_bytes += pkt->size;
    add_to_group(hub, pkt);
    FOR_EACH_SINK(hub, sink)
    offer(sink, pkt);
}

void hub_set_up(struct hub *hub, bool is_up)
{
    loop_assert(hub->loop);
    if (hub->is_up == is_up)
        return;
    hub->is_up = is_up;
    if (!is_up)
        forget_group(hub);
    FOR_EACH_SINK(hub, sink)
    {
        sink->needs_key |= !is_up;
        if (sink->ops->source_changed)
            sink->ops->source_changed(sink, is_up);
    }
}

static void report_gone(void *ctx)
{
    struct sink *sink = ctx;
    sink->ops->gone(sink);
}

static void count_sink(struct hub *hub, const struct sink *sink, int by)
{
    hub->n_sinks += by;
    hub->n_viewers += sink->is_viewer ? by : 0;
    hub->n_live += sink->is_live ? by : 0;
    if ((sink->is_viewer || sink->is_live) && hub->owner.demand && !hub->is_closed)
        hub->owner.demand(hub->owner.ctx, hub->n_viewers, hub->n_live);
}

void hub_attach(struct hub *hub, struct sink *sink, bool with_gop)
{
    loop_assert(hub->loop);
    assert(!sink->is_attached);
    if (hub->is_closed) {
        loop_defer(hub->loop, report_gone, sink);
        return;
    }
    sink->next = hub->sinks;
    sink->prev = NULL;
    if (hub->sinks)
        hub->sinks->prev = sink;
    hub->sinks = sink;
    sink->is_attached = true;
    sink->needs_key = true;
    count_sink(hub, sink, 1);
    if (sink->is_attached && hub->is_up && sink->ops->source_changed)
        sink->ops->source_changed(sink, true);
    for (size_t i = 0; with_gop && i < hub->n_gop && sink->is_attached; i++)
        offer(sink, hub->gop[i]);
}

void hub_detach(struct hub *hub, struct sink *sink)
{
    loop_assert(hub->loop);
    if (!sink->is_attached)
        return;
    sink->is_attached = false;
    if (hub->iter_next == sink)
        hub->iter_next = sink->next;
    if (sink->prev)
        sink->prev->next = sink->next;
    else
        hub->sinks = sink->next;
    if (sink->next)
        sink->next->prev = sink->prev;
    sink->next = sink->prev = NULL;
    count_sink(hub, sink, -1);
    loop_defer(hub->loop, report_gone, sink);
}

void hub_close(struct hub *hub)
{
    loop_assert(hub->loop);
    hub->is_closed = true;
    while (hub->sinks)
        hub_detach(hub, hub->sinks);
    forget_group(hub);
}

void hub_stats(const struct hub *hub, struct hub_stats *out)
{
    *out = (struct hub_stats){.n_packets = hub->n_packets,
                              .n_keys = hub->n_keys,
                              .n_bytes = hub->n_bytes,
                              .n_sinks = hub->n_sinks,
                              .n_viewers = hub->n_viewers};
}
