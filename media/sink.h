/* Push side of a hub: something that takes the packets of one stream.
 * Thread: every callback runs on the hub's loop. */
#ifndef MEDIA_SINK_H
#define MEDIA_SINK_H

#include "media/packet.h"

struct sink;

struct sink_ops {
    /* A packet; take a reference to keep it. Never blocks. May detach itself. */
    void (*push)(struct sink *sink, struct packet *pkt);

    /* The stream's source connected (true) or went away (false); the hub stays. May be NULL. */
    void (*source_changed)(struct sink *sink, bool is_up);

    /* The sink is attached no more: after hub_detach, or because the hub closes. Exactly once. */
    void (*gone)(struct sink *sink);
};

/* Embedded in the consumer (CONTAINER_OF). Zero except ops before hub_attach. */
struct sink {
    const struct sink_ops *ops;
    bool wants_audio;
    bool keys_only; /* video key frames only */
    bool is_viewer; /* counts as demand: an on-demand stream runs while it has one */
    bool is_live;   /* somebody watches now: latency matters more than batching */

    /* hub's own */
    struct sink *next, *prev;
    bool is_attached;
    bool needs_key;
};

#endif
