/* Fans one stream of one camera out to its sinks and keeps the current group of pictures, so that a
 * new viewer has a picture at once.
 *
 * Thread: belongs to one loop; functions marked [any] may be called from any thread.
 * Lifetime: refcounted; outlives reconnects of its source. hub_close (by its owner) reports `gone`
 * to every sink, later attaches too, after the current dispatch. Bound: the kept group is at most
 * HUB_GOP_MAX_BYTES (or one key frame) and HUB_GOP_MAX_PACKETS. A longer group is cut: its key
 * frame stays, what follows is forgotten, and the next packet is kept as a copy flagged
 * is_discontinuity, so that a late joiner knows that pictures are missing between. */
#ifndef MEDIA_HUB_H
#define MEDIA_HUB_H

#include "base/loop.h"
#include "media/sink.h"

#define HUB_GOP_MAX_BYTES   (4u << 20)
#define HUB_GOP_MAX_PACKETS 1500

struct hub;

struct hub_owner {
    /* Demand changed: the number of attached sinks with is_viewer. On the hub's loop. May be NULL.
     */
    void (*demand)(void *ctx, int n_viewers, int n_live);
    void *ctx;
};

struct hub_stats {
    uint64_t n_packets, n_keys, n_bytes;
    int n_sinks, n_viewers;
};

struct hub *hub_create(struct loop *loop, const char *camera_id, const char *stream,
                       const struct hub_owner *owner);
struct hub *hub_ref(struct hub *hub); /* [any] */
void hub_unref(struct hub **hub);     /* [any] frees after hub_close; memory only, no callbacks */
void hub_close(struct hub *hub);

struct loop *hub_loop(const struct hub *hub);     /* [any] */
const char *hub_camera_id(const struct hub *hub); /* [any] */
const char *hub_stream(const struct hub *hub);    /* [any] "main" or "sub" */

/* Hands pkt to every sink and numbers it (seq; a number is left out before a discontinuity). Takes
 * its own references; the caller keeps its own. Never blocks. Not from inside a sink's callback. */
void hub_publish(struct hub *hub, struct packet *pkt);

/* Tells sinks that the source is up or down; down forgets the kept group. */
void hub_set_up(struct hub *hub, bool is_up);

/* Attaches; source_changed(true) fires when the source is up, then, when `with_gop`, the kept group
 * is pushed from its key frame. A sink that starts without a key frame receives nothing until the
 * next one. */
void hub_attach(struct hub *hub, struct sink *sink, bool with_gop);

/* `gone` fires after the current dispatch. Calling it twice is harmless. */
void hub_detach(struct hub *hub, struct sink *sink);

/* The newest key frame, with a reference for the caller; NULL when none. */
struct packet *hub_newest_key(struct hub *hub);
void hub_stats(const struct hub *hub, struct hub_stats *out);

#endif
