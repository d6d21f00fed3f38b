#include "storage/recorder_sound.h"

#include "base/clock.h"
#include "media/format.h"

#define DRIFT_US INT64_C(500000) /* further off, sound is moved back to the pictures */

static bool is_in_step(const struct recorder_sound *s, const struct packet *pkt, int64_t beside_dts)
{
    int64_t off = beside_dts - (pkt->dts - s->base_dts);
    int64_t bound = ticks_of_us(DRIFT_US, pkt->format->timescale);
    return off <= bound && off >= -bound && pkt->dts > s->last_dts;
}

bool recorder_sound_place(struct recorder_sound *s, const struct packet *pkt, int64_t beside_dts,
                          bool is_fragment_start)
{
    if (s->is_placed && is_in_step(s, pkt, beside_dts))
        return true;
    s->is_placed = is_fragment_start && beside_dts >= s->end;
    if (s->is_placed)
        s->base_dts = pkt->dts - beside_dts;
    return s->is_placed;
}

uint32_t recorder_sound_take(struct recorder_sound *s, const struct packet *pkt)
{
    size_t moment = format_moment_bytes(pkt->format);
    uint32_t duration = moment == 0 ? 1024 : (uint32_t)(pkt->size / moment);
    s->last_dts = pkt->dts;
    s->end = pkt->dts - s->base_dts + duration;
    return duration;
}
