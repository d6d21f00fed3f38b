#include "storage/recorder_clock.h"

#include "base/clock.h"
#include "storage/segment.h"

enum { DEFAULT_DURATION = 3600 };

/* Between two pictures: a longer pause is a hole; wall clock and steady clock that part by more
 * tell that the wall clock was set. */
#define HOLE_US SEGMENT_HOLE_US

static bool is_far(int64_t us)
{
    return us > HOLE_US || us < -HOLE_US;
}

static int64_t duration_us(const struct recorder_clock *c)
{
    return us_of_ticks(c->duration, c->timescale);
}

void recorder_clock_begin(struct recorder_clock *c, uint32_t timescale)
{
    *c = (struct recorder_clock){.timescale = timescale, .duration = DEFAULT_DURATION};
}

void recorder_clock_compare(struct recorder_clock *c, const struct packet *pkt)
{
    int64_t media_us = us_of_ticks(pkt->dts - c->dts, c->timescale);
    int64_t wall_us = pkt->wall_us - c->wall_us;
    int64_t mono_us = pkt->arrival_mono_us - c->mono_us;
    c->is_jump = is_far(wall_us - media_us);
    bool is_step = c->is_jump && is_far(wall_us - mono_us);
    if (is_step)
        c->step_us += wall_us - media_us;
    c->is_hole = !is_step && wall_us - duration_us(c) > HOLE_US;
}

void recorder_clock_take(struct recorder_clock *c, const struct packet *pkt)
{
    c->dts = pkt->dts;
    c->wall_us = pkt->wall_us;
    c->mono_us = pkt->arrival_mono_us;
}

int64_t recorder_clock_of(const struct recorder_clock *c, const struct packet *pkt)
{
    return pkt->wall_us - c->step_us;
}

int64_t recorder_clock_end_us(const struct recorder_clock *c)
{
    return c->wall_us - c->step_us + duration_us(c);
}
