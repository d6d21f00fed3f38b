/* The cameras at work: for each one its streams, recorders and motion watches, and what is true of
 * it.
 *
 * Follows the district: a changed camera is reconfigured, a deleted or disabled one stopped.
 * Thread: the server's loop. Lifetime: fleet_stop asks, `done` fires when every stream and recorder
 * is gone and the fleet is freed. */
#ifndef SERVER_FLEET_H
#define SERVER_FLEET_H

#include "analysis/motion_watch.h"
#include "analysis/worker.h"
#include "ingest/stream.h"
#include "media/event.h"
#include "server/camera_state.h"
#include "server/district.h"
#include "server/secrets.h"
#include "storage/storage.h"

struct fleet;

struct fleet_host {
    /* A camera's state as the API tells it. is_change: cause or a boolean is another one; else only
     * detail or plans are. */
    void (*camera_changed)(void *ctx, const struct camera_state *st, bool is_change);
    void (*camera_removed)(void *ctx, const char *camera_id);
    /* One stream's state, with its own recorder's part; repeats are possible. */
    void (*stream_changed)(void *ctx, const struct camera_state *st);
    void (*motion)(void *ctx, enum motion_change change, const struct event *ev);
    int (*viewers)(void *ctx, const struct hub *hub); /* how many watch it now */
    void *ctx;
};

struct fleet_params {
    struct loop *loop;
    struct loop *const *ingest;  /* at least one */
    struct tls_client *tls;      /* to cameras; outlives the fleet */
    const char *remux_path;      /* of rookery-remux */
    struct gate *const *gates;   /* of each */
    struct allowance *allowance; /* of descriptors, for all cameras */
    int n_ingest;
    struct resolver *resolver;
    struct catalogue *catalogue;
    struct storage *storage;
    const struct secrets *secrets;
    struct worker *motion; /* its loop is `loop`; NULL = no motion */
    struct fleet_host host;
};

struct fleet *fleet_create(const struct fleet_params *params);
void fleet_apply(struct fleet *f, const struct district *d);
void fleet_stop(struct fleet *f, loop_fn *done, void *ctx);

/* False when the camera is not known. */
bool fleet_state(const struct fleet *f, const char *camera_id, struct camera_state *out);
/* The state of one of its streams; `stream` "auto": sub where there is one. */
bool fleet_stream_state(const struct fleet *f, const char *camera_id, const char *stream,
                        struct camera_state *out);
/* Borrowed; NULL: not running (disabled, no such stream, unknown). */
struct hub *fleet_hub(const struct fleet *f, const char *camera_id, const char *stream);
/* Hands the connection of an encoder that has logged in to its stream; hangs up when that is not
 * running. */
void fleet_adopt(struct fleet *f, const char *camera_id, const char *stream,
                 struct push_peer *peer);
/* Whether the camera is configured with that stream. */
bool fleet_has_stream(const struct fleet *f, const char *camera_id, const char *stream);

/* Every camera that is watched for motion now. */
typedef void fleet_watch_fn(void *ctx, const char *camera_id, const struct motion_watch_stats *n);
void fleet_each_watch(const struct fleet *f, fleet_watch_fn *fn, void *ctx);

struct fleet_totals {
    int n_cameras, n_enabled, n_reachable, n_advancing, n_recording, n_asked;
    int n_viewers;
    uint64_t n_lost_packets, n_reconnects;
};
void fleet_totals(const struct fleet *f, struct fleet_totals *out);

#endif
