/* Results per key frame to events with beginning and end. Pure, no clock of its own.
 * Thread: belongs to its owner. */
#ifndef ANALYSIS_MOTION_EVENTS_H
#define ANALYSIS_MOTION_EVENTS_H

#include "analysis/motion.h"
#include "media/event.h"

enum motion_change { MOTION_OPENED, MOTION_UPDATED, MOTION_CLOSED };
typedef void motion_event_fn(void *ctx, enum motion_change change, const struct event *ev);

struct motion_events_params {
    const char *camera_id;
    int64_t quiet_us;  /* closes after so long without motion; 0 = 8 s */
    int64_t update_us; /* MOTION_UPDATED at most so often; 0 = 5 s */
    int64_t max_us;    /* a longer event is closed and a new one opened; 0 = 10 min */
    motion_event_fn *fn;
    void *ctx;
};

struct motion_events {
    /* private */
    struct motion_events_params params;
    struct event ev; /* the open one */
    int64_t last_motion_us, last_update_us;
    int64_t last_picture_us, interval_us; /* between pictures, smoothed */
};

void motion_events_init(struct motion_events *m, const struct motion_events_params *params);

/* The result of the picture of wall_us. */
void motion_events_add(struct motion_events *m, const struct motion_result *r, int64_t wall_us);

/* Time passed without pictures (camera gone): closes what is over. */
void motion_events_tick(struct motion_events *m, int64_t now_us);

/* Closes an open event. */
void motion_events_end(struct motion_events *m);

#endif
