/* RTP time and arrival time to one steady timeline (quirks T1-T6): decode and presentation ticks that
 * always move forward, and the server's wall clock for every picture, steered to arrival.
 * Sans-IO; belongs to its owner. One per track. */
#ifndef MEDIA_TIMELINE_H
#define MEDIA_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

struct timeline {
    uint32_t timescale;
    int reorder_frames;
    /* private */
    bool is_started;
    uint32_t last_rtp;
    int64_t unwrapped;      /* RTP ticks since start */
    int64_t last_dts, last_pts;
    int64_t anchor_ticks;   /* ticks that belong to anchor_mono_us */
    int64_t anchor_mono_us;
    int64_t anchor_wall_us;
    int64_t nominal_ticks;  /* running estimate of one frame's duration */
    int64_t offset_us;      /* smoothed arrival minus media */
    uint64_t n_outliers, n_steered;
    int n_agreeing;
    uint32_t candidate_rtp;
};

struct timeline_stamp {
    int64_t pts, dts;   /* ticks; dts strictly increasing */
    int64_t wall_us;
    bool is_jump;       /* a new timeline was joined here */
};

void timeline_init(struct timeline *t, uint32_t timescale, int reorder_frames);

/* The next picture in decode order. mono_us and wall_us are the arrival. */
struct timeline_stamp timeline_next(struct timeline *t, uint32_t rtp_timestamp, int64_t mono_us,
                                    int64_t wall_us);

#endif
