/* Watches one stream for motion: key frames of a hub go to the worker, results become events.
 *
 * At most one key frame per second and one under way per camera; others are left out and counted,
 * of MJPEG, where every picture is one, at most four per second.
 * It is no viewer: it makes no on-demand stream run.
 * Thread: belongs to the loop of its worker; events arrive on `home`.
 * Lifetime: motion_watch_stop asks, then `gone` fires exactly once on `home`, after the last event
 * (an open one is closed); the watch is freed then and no earlier, so that asking again meanwhile
 * is harmless. A watch whose hub closed rests until it is stopped. */
#ifndef ANALYSIS_MOTION_WATCH_H
#define ANALYSIS_MOTION_WATCH_H

#include "analysis/motion_events.h"
#include "analysis/worker.h"
#include "media/hub.h"

struct motion_watch;

struct motion_watch_params {
    struct hub *hub;       /* a reference is taken */
    struct worker *worker; /* outlives the watch */
    struct loop *loop;     /* the worker's */
    struct loop *home;     /* where events go; NULL = loop */
    int64_t quiet_us;      /* as in motion_events; 0 = default */
    motion_event_fn *event;
    loop_fn *gone;
    void *ctx;
};

struct motion_watch_stats {
    uint64_t n_keys, n_analysed, n_left_out, n_failed;
};

struct motion_watch *motion_watch_start(const struct motion_watch_params *params);
void motion_watch_stop(struct motion_watch *w);
void motion_watch_stats(const struct motion_watch *w, struct motion_watch_stats *out);

#endif
