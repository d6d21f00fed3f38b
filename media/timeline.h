/* RTP time and arrival time to one steady timeline (quirks T1-T6): decode and presentation ticks
 * that always move forward, and the server's wall clock for every picture, which follows arrival.
 *
 * Ticks follow RTP time exactly as long as it agrees with arrival: jitter, bursts and a cached
 * group at the start change nothing. Only stamps that leave arrival steadily, by more than 0.2 s in
 * at least five seconds, are taken to run at another speed, and their rate is corrected, so that a
 * minute of recording lasts a minute; when the rest then comes all at once it was a link that was
 * too narrow, and the former rate returns. What is off without a wrong rate, or was before the rate
 * was known, is made good by steps that are half a percent longer or shorter, five percent when a
 * second and more is missing. Stamps that make no sense (hours away, equal, backward, seconds ahead
 * of arrival) are replaced by the usual step; three in a row that agree with each other are
 * pictures after a pause, or a new start, joined to the old one.
 *
 * The wall clock of a picture is its tick plus an anchor. The anchor follows the most punctual
 * pictures: what arrives late after a stall does not move it until it lasts, and nothing lies more
 * than 150 ms after its arrival.
 *
 * How true it is (test_timeline_hours): the wall clock stays within 0.2 s of arrival, or of the
 * arrival that a stall delayed, for hours, and so do the durations in all. It does not for up to
 * 12 s after a camera that counts pictures instead of telling the time begins to deliver more
 * slowly, because five seconds of evidence pass before that is known: at worst it is then off by
 * 7 s times the missing share (25 stamped, 21 delivered: 1.0 s; 12.5 delivered: 3.2 s). Durations
 * are right again within 5 min after that; a link that is too narrow for ten seconds of every
 * hundred keeps them off by up to 2.5 s.
 *
 * Ticks start at 0 for the first dts. Sans-IO; belongs to its owner. One per track. */
#ifndef MEDIA_TIMELINE_H
#define MEDIA_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_MAX_REORDER 16
#define TIMELINE_POINTS      64

/* Ticks by which a picture came after its position: the most punctual of about a second. */
struct timeline_point {
    int64_t mono_us;
    double late;
    double applied; /* `applied` at that moment */
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

    double position;    /* of the newest picture in presentation order, ticks */
    double rate;        /* position per RTP tick; exactly 1 for a camera that keeps time */
    double scale;       /* the same for the newest step, with what was steered */
    double rate_before; /* the one that was given up at learnt_mono_us */
    int64_t learnt_mono_us;
    double recovered; /* ticks by which pictures came early since */
    bool is_steering;
    double applied;         /* ticks moved beside what the rate says, in all */
    int64_t origin_mono_us; /* position `delay` plus `anchor` is here */
    int64_t delay;          /* ticks of presentation after decoding */

    double anchor;          /* ticks by which punctual pictures come after their position */
    double home;            /* where the anchor should be: the rest is steered away */
    double pull;            /* share of a step by which the anchor moves */
    double pull_left;       /* and how far */
    int64_t wall_offset_us; /* wall minus monotonic */
    int64_t last_wall_us;

    struct timeline_point least; /* of the window under way */
    int64_t window_from_us;
    int n_in_window;
    int n_behind;                                  /* windows in a row that were late at all */
    int n_late;                                    /* windows in a row that were seconds late */
    double last_late;                              /* of the window before */
    struct timeline_point points[TIMELINE_POINTS]; /* of windows before, oldest first */
    int n_points;

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
