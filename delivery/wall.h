/* The wall protocol (docs/wall-protocol.md): one WebSocket per page, live and recorded tiles.
 *
 * Policy comes from outside: every subscription asks `resolve` of the host, the one choke point,
 * and every view that begins or ends is reported so that it can be audited.
 * Thread: a wall and its connections belong to one loop, except functions marked [any].
 * Lifetime: wall_stop closes every connection, then `done` fires once and the wall is freed. */
#ifndef DELIVERY_WALL_H
#define DELIVERY_WALL_H

#include "base/pool.h"
#include "delivery/packager.h"
#include "media/source.h"

#define WALL_SUBPROTOCOL "rookery.wall.1"
#define WALL_MAX_TILES   100

struct wall;
struct http_request; /* net/http.h */

/* What a stream's state is, in the words of the API. */
struct wall_state {
    bool is_advancing;
    char cause[16];   /* "ok", "timeout", … */
    char detail[160]; /* for a person */
    double retry_s;   /* < 0 = none planned */
};

enum wall_action { WALL_LIVE, WALL_PLAYBACK };

/* The answer of resolve. */
struct wall_grant {
    /* Live: a reference for the callee. NULL = allowed, but there is no stream now (disabled,
     * reconfigured): the tile shows `state` and asks again when the state changes. */
    struct hub *hub;
    struct source *source; /* recorded: borrowed, outlives the wall */
    char stream[8];        /* "auto" resolved: "main" or "sub" */
    struct wall_state state;
    struct err why; /* of a refusal, for a person */
};

/* One tile showing one camera, for the audit. */
struct wall_view {
    const char *camera_id;
    const char *stream;
    bool is_live;
    int64_t at_us;                           /* recorded: where it began; live: 0 */
    int64_t opened_us;                       /* wall clock */
    uint64_t n_bytes, n_pictures, n_dropped; /* on closing */
};

/* All callbacks run on the wall's loop and must not block. `user` is what wall_accept was given. */
struct wall_host {
    /* May this user see this? stream: "main", "sub" or "auto". 0 with *out, ERR_NOT_FOUND (unknown
     * or out of scope), ERR_FORBIDDEN, ERR_UNSUPPORTED (no such stream), ERR_BUSY, or another
     * failure (shown as `internal`). Asked at each subscribe, seek, and again by wall_recheck. */
    int (*resolve)(void *ctx, void *user, const char *camera_id, const char *stream,
                   enum wall_action action, struct wall_grant *out);
    void (*view_opened)(void *ctx, void *user, const struct wall_view *view); /* may be NULL */
    void (*view_closed)(void *ctx, void *user, const struct wall_view *view); /* may be NULL */
    /* The connection is gone: release `user`. */
    void (*conn_closed)(void *ctx, void *user);
    void *ctx;
};

struct wall_params {
    struct loop *loop;
    struct pool *pool;                /* reads of recordings */
    struct packager_table *packagers; /* of the same loop; outlives the wall */
    const struct wall_host *host;     /* copied */
};

struct wall_stats {
    int n_conns, n_tiles, n_recorded_tiles;
    uint64_t n_bytes, n_dropped, n_closed_slow;
};

struct wall *wall_create(const struct wall_params *params);
void wall_stop(struct wall *wall, loop_fn *done, void *ctx);
void wall_stats(const struct wall *wall, struct wall_stats *out);

/* Upgrades the request (which must have passed sign-in and, with a cookie, the Origin check) and
 * serves the connection. Ends the request in every case: 400 or 426 when it is no upgrade to
 * WALL_SUBPROTOCOL. `user` is the wall's until conn_closed, which comes also when that fails. The
 * HTTP server pings: give it ws_ping_ms = WALL_PING_MS. */
#define WALL_PING_MS 10000
void wall_accept(struct wall *wall, struct http_request *req, void *user);

/* [any] A stream's state changed: told to the tiles that show it; tiles that wait for a hub ask
 * resolve again. `state` is copied. */
void wall_state_changed(struct wall *wall, const char *camera_id, const char *stream,
                        const struct wall_state *state);

/* [any] Rights or cameras changed: every tile asks resolve again; refused ones are closed with the
 * error. camera_id NULL = all. */
void wall_recheck(struct wall *wall, const char *camera_id);

#endif
