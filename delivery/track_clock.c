#include "delivery/track_clock.h"

#include "base/clock.h"

#define JUMP_US   (2 * US_PER_S) /* media and wall clock disagree by more: times were restarted */
#define JITTER_US (200 * US_PER_MS) /* less is the wall clock's jitter, not a hole */
#define LONG_US   (10 * US_PER_S)

static int64_t to_ticks(int64_t us, uint32_t timescale)
{
    return us / US_PER_S * timescale + us % US_PER_S * timescale / US_PER_S;
}

static uint32_t first_duration(const struct packet *pkt)
{
    const struct format *f = pkt->format;
    size_t moment = format_moment_bytes(f);
    if (f->codec == CODEC_AAC)
        return 1024;
    if (moment > 0)
        return (uint32_t)MAX(pkt->size / moment, (size_t)1);
    double fps = f->fps >= 1 && f->fps <= 120 ? f->fps : 25;
    return (uint32_t)(f->timescale / fps);
}

static void start(struct track_clock *t, struct axis *axis, const struct packet *pkt)
{
    if (!axis->is_started)
        *axis = (struct axis){.is_started = true, .origin_us = pkt->wall_us};
    uint32_t timescale = pkt->format->timescale;
    int64_t at_us = MAX(pkt->wall_us - axis->origin_us - axis->skipped_us, 0);
    int64_t floor = t->timescale == timescale ? t->last_out + t->duration : 0;
    *t = (struct track_clock){
        .is_started = true,
        .timescale = timescale,
        .last_out = MAX(to_ticks(at_us, timescale), floor),
        .duration = first_duration(pkt),
    };
}

void track_clock_restart(struct track_clock *t)
{
    t->is_started = false;
}

/* Where the axis goes on when the packet's own times do not tell. */
static int64_t rejoin(const struct track_clock *t, struct axis *axis, const struct packet *pkt,
                      bool closes_gap)
{
    int64_t follows = t->last_out + t->duration;
    int64_t follows_us = t->last_wall_us + (int64_t)t->duration * US_PER_S / t->timescale;
    int64_t hole_us = pkt->wall_us - follows_us;
    if (closes_gap) {
        axis->skipped_us += MAX(hole_us, 0);
        return follows;
    }
    if (hole_us < JITTER_US)
        return follows; /* also when the wall clock went back */
    int64_t by_wall = to_ticks(pkt->wall_us - axis->origin_us - axis->skipped_us, t->timescale);
    return MAX(by_wall, follows);
}

int64_t track_clock_next(struct track_clock *t, struct axis *axis, const struct packet *pkt,
                         bool closes_gap)
{
    if (!t->is_started || t->timescale != pkt->format->timescale) {
        start(t, axis, pkt);
    } else {
        int64_t delta = pkt->dts - t->last_in;
        int64_t delta_us =
            delta <= 0 || delta > INT64_C(1) << 40 ? -1 : delta * US_PER_S / t->timescale;
        int64_t wall_delta_us = pkt->wall_us - t->last_wall_us;
        int64_t apart_us = delta_us - wall_delta_us;
        bool is_restart = delta_us < 0 || apart_us > JUMP_US || apart_us < -JUMP_US;
        if (is_restart || closes_gap) {
            t->last_out = rejoin(t, axis, pkt, closes_gap);
        } else {
            t->last_out += delta;
            if (delta_us < LONG_US)
                t->duration = (uint32_t)delta;
        }
    }
    t->last_in = pkt->dts;
    t->last_wall_us = pkt->wall_us;
    return t->last_out;
}
