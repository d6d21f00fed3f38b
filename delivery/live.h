/* `live.mp4`: endless fragmented MP4 over HTTP from the newest key frame, one fragment per frame.
 *
 * A reader that is too slow loses pictures up to the next key frame that fits; they are counted.
 * Thread: the loop of the HTTP server and the packagers, which is the same. */
#ifndef DELIVERY_LIVE_H
#define DELIVERY_LIVE_H

#include "delivery/packager.h"

#define LIVE_PENDING_MAX_BYTES (2u << 20) /* waiting for one reader; above it drops */
#define LIVE_FIRST_PICTURE_MS  10000      /* without a picture for so long: 503 */

struct http_request; /* net/http.h */

struct live_stats {
    uint64_t n_bytes, n_pictures, n_dropped;
    int64_t opened_us; /* wall clock */
};

struct live_params {
    struct packager_table *packagers;
    struct hub *hub;          /* a reference is taken */
    struct loop *loop;        /* of the request */
    struct http_request *req; /* taken over: answered and ended by live */
    bool without_audio;
    void (*closed)(void *ctx, const struct live_stats *stats); /* once, last; may be NULL */
    void *ctx;
};

/* The request may end within the call; `closed` comes later, never from within. */
void live_start(const struct live_params *params);

/* Answers in progress end by themselves when their client goes or the hub closes; destroying the
 * HTTP server or stopping the packager table ends all of them. */

#endif
