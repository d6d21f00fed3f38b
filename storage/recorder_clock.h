/* What the pictures of a segment tell of time: how long they last, where they end, whether one was
 * waited for and whether the wall clock was set.
 * Thread: belongs to its recorder. */
#ifndef STORAGE_RECORDER_CLOCK_H
#define STORAGE_RECORDER_CLOCK_H

#include "media/packet.h"

struct recorder_clock {
    uint32_t timescale;

    /* the newest picture of the segment; its duration is known when the next one comes */
    int64_t dts, wall_us, mono_us;
    uint32_t duration;
    int64_t step_us; /* by which the wall clock was set since the segment began */

    /* of the picture that was compared */
    bool is_hole; /* in front of it */
    bool is_jump; /* its wall clock does not follow from media time */
};

/* With a segment. */
void recorder_clock_begin(struct recorder_clock *c, uint32_t timescale);

/* What happened since the picture before: a pause of the camera or the network, or the clock was
 * set. A camera whose clock runs wrong parts from ours by little from picture to picture; that is
 * neither. */
void recorder_clock_compare(struct recorder_clock *c, const struct packet *pkt);

/* pkt is the newest now. */
void recorder_clock_take(struct recorder_clock *c, const struct packet *pkt);

/* By the clock as it was when the segment began: of a picture, and where the pictures end when the
 * next one is not theirs. */
int64_t recorder_clock_of(const struct recorder_clock *c, const struct packet *pkt);
int64_t recorder_clock_end_us(const struct recorder_clock *c);

#endif
