/* Carries the packets of one hub to one other loop: a sink on the hub's side, a bounded queue, and
 * one wake-up per batch on the far side. One relay per (hub, far loop), shared by all viewers
 * there.
 *
 * Thread: created, used and stopped on the far loop. Attaching to the hub happens by message.
 * Lifetime: relay_stop asks; `gone` fires exactly once on the far loop, then the relay is freed.
 * Bound: RELAY_MAX_PACKETS and RELAY_MAX_BYTES; when full the relay drops up to the next key frame
 * and counts. */
#ifndef MEDIA_RELAY_H
#define MEDIA_RELAY_H

#include "media/hub.h"

#define RELAY_MAX_PACKETS 2048
#define RELAY_MAX_BYTES   (16u << 20)

struct relay;

struct relay_params {
    struct hub *hub; /* a reference is taken */
    struct loop *far;
    bool wants_audio;
    bool keys_only;
    int64_t key_interval_us; /* keys_only: no more than one in so much of arrival; 0 = all */
    bool is_viewer;
    bool is_live;
    void (*push)(void *ctx, struct packet *pkt);   /* the packet is borrowed */
    void (*source_changed)(void *ctx, bool is_up); /* may be NULL */
    void (*gone)(void *ctx);                       /* after relay_stop or hub_close */
    void *ctx;
};

struct relay *relay_start(const struct relay_params *params);
void relay_stop(struct relay *relay);
uint64_t relay_dropped(const struct relay *relay);

#endif
