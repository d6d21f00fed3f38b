/* RTP time and arrival time to one steady timeline (quirks T1-T6): decode and presentation ticks
 * that always move forward, and the server's wall clock for every picture, steered to arrival.
 *
 * Ticks follow RTP time exactly while it agrees with arrival within 20 ms. A camera whose stamps
 * run at another speed than its pictures come is followed by correcting the rate, so that media
 * time is real time: a minute of recording lasts a minute. Stamps that make no sense (hours away,
 * equal, backward) are replaced by the usual step; three in a row that agree with each other are a
 * new start, joined to the old one. Delay is followed from below: what arrives late after a stall
 * does not push the timeline, and nothing lies more than 150 ms after its arrival.
 *
 * Ticks start at 0 for the first dts. Sans-IO; belongs to its owner. One per track. */
#ifndef MEDIA_TIMELINE_H
#define MEDIA_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_MAX_REORDER 16
#define TIMELINE_SLOPES      5 /* seconds after which another speed is believed */

/* Arrival against the timeline over about a second. */
struct timeline_window {
    int64_t from_mono_us;
    int n;        /* pictures */
    double least; /* ticks by which the most punctual picture came after its position */
    int64_t least_mono_us;
    double least_applied; /* `applied` at that moment */
};

struct timeline {
    uint32_t timescale;
    int reorder_frames;             /* may be changed when the format changes */
    uint64_t n_outliers, n_steered; /* stamps replaced; windows that were corrected */

    /* private */
    bool is_started;
    uint32_t last_rtp;    /* newest stamp that was believed */
    int64_t last_mono_us; /* and its arrival */
    double nominal;       /* ticks from picture to picture */
    bool has_nominal;
    double owed;            /* ticks given to replaced stamps since last_rtp */
    int n_agreeing;         /* doubtful stamps in a row that agree with each other */
    uint32_t candidate_rtp; /* the newest of them */
    int n_back;             /* signs of B-frames that the description does not tell of */
    bool was_only_back;

    double position;        /* of the newest picture in presentation order, ticks */
    double rate;            /* position per RTP tick */
    double scale;           /* the same for the newest step, slewed and cut */
    double slew;            /* share added to the rate to catch up */
    int64_t origin_mono_us; /* position `delay` is here */
    int64_t delay;          /* ticks of presentation after decoding */
    int64_t wall_offset_us; /* wall minus monotonic */

    double applied; /* ticks moved beside what the rate says, in all */
    struct timeline_window window;
    int n_windows;
    bool has_before;
    double before; /* `least` of the window before */
    int64_t before_mono_us;
    double before_applied;
    double slopes[TIMELINE_SLOPES]; /* newest first: how fast RTP time fell behind arrival */
    int n_behind;                   /* windows in a row that were late at all */
    int n_late;                     /* windows in a row that were seconds late */

    int64_t last_dts;
    int64_t waiting[TIMELINE_MAX_REORDER +
                    1]; /* presentation times not yet used for decoding, sorted */
    int n_waiting;
};

struct timeline_stamp {
    int64_t pts, dts; /* ticks; dts strictly increasing, pts >= dts */
    int64_t wall_us;  /* never goes back while the wall clock does not */
    bool is_jump;     /* a new timeline was joined here */
};

void timeline_init(struct timeline *t, uint32_t timescale, int reorder_frames);

/* The next picture in decode order. mono_us and wall_us are the arrival. */
struct timeline_stamp timeline_next(struct timeline *t, uint32_t rtp_timestamp, int64_t mono_us,
                                    int64_t wall_us);

#endif
