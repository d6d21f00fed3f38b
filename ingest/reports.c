/* RTCP of a receiver: the camera's clock from its sender reports, and our reports to it. */
#include "base/clock.h"
#include "base/mem.h"
#include "ingest/receiver_priv.h"

#define NTP_1970_S  UINT64_C(2208988800)
#define AGREE_US    US_PER_S /* quirk T6 */
#define FADE_S      0.005
#define NO_CLOCK_US (INT64_C(20) * 366 * 86400 * US_PER_S) /* further off means no clock at all */

/* The camera's clock minus ours. By a signed difference, which holds across the wrap of 2036. */
static int64_t offset_us(uint64_t ntp, int64_t wall_us)
{
    uint32_t our_s = (uint32_t)((uint64_t)(wall_us / US_PER_S) + NTP_1970_S);
    int32_t diff_s = (int32_t)((uint32_t)(ntp >> 32) - our_s);
    int64_t fraction_us = (int64_t)(((ntp & UINT32_MAX) * (uint64_t)US_PER_S) >> 32);
    return diff_s * US_PER_S + fraction_us - wall_us % US_PER_S;
}

static int64_t ntp_step_us(uint64_t from, uint64_t to)
{
    int64_t step = (int64_t)(to - from);
    return (step >> 32) * US_PER_S + (((step & UINT32_MAX) * US_PER_S) >> 32);
}

/* Measured and reported, never used for time. Believed when two reports in a row agree with their
 * arrival. */
static void read_clock(struct track *t, uint64_t ntp)
{
    struct receiver *r = t->r;
    struct clock_reports *sr = &t->sr;
    int64_t step_us = ntp_step_us(sr->ntp, ntp) - (r->arrival.mono_us - sr->mono_us);
    bool agrees = sr->mono_us > 0 && step_us > -AGREE_US && step_us < AGREE_US;
    sr->n_agreeing = agrees ? sr->n_agreeing + 1 : 0;
    sr->ntp = ntp;
    sr->mono_us = MAX(r->arrival.mono_us, 1);
    int64_t off_us = offset_us(ntp, r->arrival.wall_us);
    if (ntp == 0 || off_us > NO_CLOCK_US || off_us < -NO_CLOCK_US) {
        sr->n_agreeing = 0;
        return;
    }
    if (sr->n_agreeing == 0 || !t->is_video)
        return;
    /* Every delay on the way makes the camera's clock look late: the most punctual report counts,
     * and fades. */
    double off_s = (double)off_us / (double)US_PER_S;
    double known_s = r->stats.clock_offset_s - FADE_S;
    bool is_better = !r->stats.has_clock_offset || off_s > known_s || off_s < known_s - 1;
    r->stats.clock_offset_s = is_better ? off_s : known_s;
    r->stats.has_clock_offset = true;
}

/* With everything on one channel the SSRC tells (quirk I4); one that no track has is no reason to
 * ignore the report (quirk R4). */
static struct track *track_of_sender(struct track *t, uint32_t ssrc)
{
    for (int i = 0; i < RECEIVER_TRACKS; i++) {
        struct track *other = &t->r->tracks[i];
        if (other->has_ssrc && other->ssrc == ssrc)
            return other;
    }
    return t;
}

void receiver__rtcp(struct track *t, const uint8_t *p, size_t n)
{
    struct rtcp_summary summary;
    /* BYE is no reason to end (quirk K10): silence shows by itself. */
    if (rtcp_parse(p, n, &summary) == 0 && summary.has_sender_report)
        read_clock(track_of_sender(t, summary.sr.ssrc), summary.sr.ntp);
}

size_t receiver_report(struct receiver *r, int track, int64_t mono_us, uint8_t *dst, size_t cap)
{
    const struct track *t = &r->tracks[track];
    if (!t->is_open || !t->seq.is_started)
        return 0;
    struct rtcp_report report = {
        .own_ssrc = r->params.own_ssrc + (uint32_t)track,
        .ssrc = t->ssrc,
        .highest_seq = (t->seq.cycles << 16) | (uint16_t)(t->seq.expected - 1),
        .n_lost = t->seq.n_lost,
    };
    if (t->sr.mono_us > 0) {
        report.last_sr = (uint32_t)(t->sr.ntp >> 16);
        report.delay_since_sr = (uint32_t)((mono_us - t->sr.mono_us) * 65536 / US_PER_S);
    }
    return rtcp_print_receiver_report(&report, dst, cap);
}
