/* The time axis of one track of fragments: ticks that begin near 0 and always move forward,
 * whatever the times of the packets do at reconnects, file boundaries and gaps. Thread: belongs to
 * its owner; pure. */
#ifndef DELIVERY_TRACK_CLOCK_H
#define DELIVERY_TRACK_CLOCK_H

#include "media/packet.h"

/* What the tracks of one stream share, so that picture and sound stay together. */
struct axis {
    bool is_started;
    int64_t origin_us;  /* wall clock at tick 0 */
    int64_t skipped_us; /* gaps taken out */
};

struct track_clock {
    bool is_started;
    uint32_t timescale;
    int64_t last_in, last_out; /* dts */
    int64_t last_wall_us;
    uint32_t duration; /* of the newest sample, ticks; an estimate for the next */
};

/* dts of the packet on the axis. closes_gap: wall clock time passed without pictures; it is taken
 * out of the axis. */
int64_t track_clock_next(struct track_clock *t, struct axis *axis, const struct packet *pkt,
                         bool closes_gap);

/* The next packet is placed by its wall clock, behind what there was: after a gap that another
 * track took out of the axis. */
void track_clock_restart(struct track_clock *t);

#endif
