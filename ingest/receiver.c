#include "ingest/receiver.h"

#include <assert.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "ingest/receiver_priv.h"

struct receiver *receiver_create(const struct receiver_params *params)
{
    struct receiver *r = xcalloc(1, sizeof *r);
    r->params = *params;
    for (int i = 0; i < RECEIVER_TRACKS; i++)
        r->tracks[i].r = r;
    return r;
}

static void close_track(struct track *t)
{
    if (t->is_video) {
        t->r->n_damaged_before += depay_stats(t->depay)->n_damaged;
        t->r->n_oversize_before += depay_stats(t->depay)->n_oversize;
    }
    t->r->n_lost_before += t->seq.n_lost;
    depay_destroy(&t->depay);
    receiver__rival_fini(t);
    receiver__reorder_fini(&t->reorder);
    *t = (struct track){.r = t->r};
}

void receiver_close(struct receiver *r)
{
    for (int i = 0; i < RECEIVER_TRACKS; i++)
        close_track(&r->tracks[i]);
    format_unref(&r->format);
    r->stats.picture_mono_us = 0;
    r->stats.published_mono_us = 0;
    r->stats.published_wall_us = 0;
    r->stats.n_sounds = 0;
    r->stats.frame_us = 0;
    r->stats.gop_s = 0;
    r->stats.n_sizes = 0;
    r->stats.has_parameter_sets = false;
    r->stats.has_clock_offset = false;
}

void receiver_destroy(struct receiver **rp)
{
    if (!*rp)
        return;
    receiver_close(*rp);
    FREE(rp);
}

static void stamp(struct track *t, struct packet *pkt, uint32_t timestamp)
{
    /* A unit that only the start of the next one ended was whole with the packet before. */
    const struct arrival *whole = timestamp == t->timestamp ? &t->r->arrival : &t->heard;
    struct timeline_stamp at =
        timeline_next(&t->timeline, timestamp, whole->mono_us, whole->wall_us);
    pkt->pts = at.pts;
    pkt->dts = at.dts;
    pkt->wall_us = at.wall_us;
    pkt->arrival_mono_us = whole->mono_us;
    pkt->is_discontinuity = pkt->is_discontinuity || at.is_jump || t->is_broken;
    t->is_broken = false;
}

static void publish(struct track *t, struct packet *pkt)
{
    t->r->params.publish(t->r->params.ctx, pkt);
    packet_unref(&pkt);
}

static void measure(struct track *t, const struct packet *pkt)
{
    struct receiver_stats *s = &t->r->stats;
    s->n_published++;
    s->published_mono_us = pkt->arrival_mono_us;
    s->published_wall_us = pkt->wall_us;
    int64_t step_us = (pkt->dts - t->last_dts) * US_PER_S / 90000;
    if (t->has_last && step_us > 0)
        s->frame_us = s->frame_us ? s->frame_us + (step_us - s->frame_us) / 8 : step_us;
    t->last_dts = pkt->dts;
    t->has_last = true;
    if (!pkt->is_key)
        return;
    s->n_keys++;
    if (t->has_last_key)
        s->gop_s = (double)(pkt->pts - t->last_key_pts) / 90000;
    t->last_key_pts = pkt->pts;
    t->has_last_key = true;
}

static void take_format(struct track *t, struct format *format)
{
    struct receiver *r = t->r;
    if (r->format == format)
        return;
    r->stats.n_sizes +=
        r->format && (r->format->width != format->width || r->format->height != format->height);
    format_unref(&r->format);
    r->format = format_ref(format);
    t->timeline.reorder_frames = format->reorder_frames;
}

static void on_picture(void *ctx, struct packet *pkt, uint32_t timestamp)
{
    struct track *t = ctx;
    struct receiver *r = t->r;
    r->stats.n_pictures++;
    r->stats.picture_mono_us = r->arrival.mono_us;
    r->stats.has_parameter_sets = r->stats.has_parameter_sets || pkt->format;
    /* After a picture without end nothing before the next key frame can be trusted (quirk H15). */
    uint64_t n_oversize = depay_stats(t->depay)->n_oversize;
    t->needs_key |= n_oversize != t->n_oversize;
    t->n_oversize = n_oversize;
    if (!pkt->format || (t->needs_key && !pkt->is_key)) {
        packet_unref(&pkt);
        return;
    }
    take_format(t, pkt->format);
    if (t->needs_key) {
        t->needs_key = false;
        t->is_broken = true;
    }
    stamp(t, pkt, timestamp);
    measure(t, pkt);
    publish(t, pkt);
}

static void on_sound(void *ctx, struct packet *pkt, uint32_t timestamp)
{
    struct track *t = ctx;
    struct receiver *r = t->r;
    const struct track *video = &r->tracks[RECEIVER_VIDEO];
    if (!pkt->format || video->needs_key) {
        packet_unref(&pkt);
        return;
    }
    if (t->needs_key) {
        timeline_init(&t->timeline, pkt->format->timescale, 0);
        t->needs_key = false;
        t->is_broken = true;
    }
    stamp(t, pkt, timestamp);
    r->stats.n_sounds++;
    publish(t, pkt);
}

static int open_track(struct receiver *r, int i, const struct sdp_media *media, bool is_udp)
{
    struct track *t = &r->tracks[i];
    bool is_video = i == RECEIVER_VIDEO;
    int rc = depay_create(media, is_video ? on_picture : on_sound, t, &t->depay);
    if (rc < 0)
        return rc;
    t->is_open = true;
    t->is_video = is_video;
    t->is_udp = is_udp;
    t->seq.is_reliable = !is_udp;
    t->needs_key = true;
    t->is_sure = !is_video;
    t->payload_type = (uint8_t)media->payload_type;
    if (is_video)
        timeline_init(&t->timeline, 90000, media->format ? media->format->reorder_frames : 0);
    return 0;
}

int receiver_open(struct receiver *r, const struct sdp_media *video, const struct sdp_media *audio,
                  bool is_udp)
{
    receiver_close(r);
    int rc = open_track(r, RECEIVER_VIDEO, video, is_udp);
    if (rc < 0)
        return rc;
    r->stats.has_parameter_sets = video->format != NULL;
    if (audio)
        open_track(r, RECEIVER_AUDIO, audio, is_udp);
    return 0;
}

bool receiver_has_audio(const struct receiver *r)
{
    return r->tracks[RECEIVER_AUDIO].is_open;
}

void receiver_arrive(struct receiver *r, int64_t mono_us, int64_t wall_us)
{
    r->arrival = (struct arrival){mono_us, wall_us};
}

void receiver__deliver(struct track *t, const struct rtp *rtp)
{
    uint32_t lost = 0;
    t->timestamp = rtp->timestamp;
    switch (rtp_seq_next(&t->seq, rtp->seq, rtp->timestamp, &lost)) {
    case RTP_IN_ORDER:
    case RTP_AFTER_LOSS:
        break;
    case RTP_LATE:
        return;
    case RTP_RESTART: /* quirk R5: no reordering; go on at once */
        depay_restart(t->depay, rtp->timestamp);
        t->is_broken = true;
        break;
    }
    depay_input(t->depay, rtp, lost);
}

void receiver__take(struct track *t, const struct rtp *rtp, const uint8_t *p, size_t n)
{
    t->r->stats.n_bytes += n;
    if (!t->is_sure)
        t->is_sure = depay_begins_key(t->depay, rtp);
    if (t->is_udp)
        receiver__reorder(t, rtp, p, n);
    else
        receiver__deliver(t, rtp);
    t->heard = t->r->arrival;
}

void receiver__new_sender(struct track *t, const struct rtp *rtp)
{
    t->r->n_lost_before += t->seq.n_lost;
    t->seq = (struct rtp_seq){.is_reliable = !t->is_udp};
    t->sr = (struct clock_reports){0};
    receiver__reorder_fini(&t->reorder);
    t->timestamp = rtp->timestamp;
    depay_restart(t->depay, rtp->timestamp);
    t->ssrc = rtp->ssrc;
    t->is_broken = true;
    t->needs_key = t->is_video;
    t->is_sure = !t->is_video;
}

/* Quirk I4: everything on one channel. */
static struct track *track_of(struct receiver *r, int i, uint8_t payload_type)
{
    struct track *t = &r->tracks[i];
    if (t->is_open && t->payload_type == payload_type)
        return t;
    struct track *other = &r->tracks[1 - i];
    return other->is_open && other->payload_type == payload_type ? other : NULL;
}

void receiver_input(struct receiver *r, int i, const uint8_t *p, size_t n)
{
    assert(i >= 0 && i < RECEIVER_TRACKS);
    struct rtp rtp;
    if (rtp_is_rtcp(p, n)) {
        if (r->tracks[i].is_open)
            receiver__rtcp(&r->tracks[i], p, n);
        return;
    }
    if (rtp_parse(p, n, &rtp) < 0)
        return;
    struct track *t = track_of(r, i, rtp.payload_type);
    if (!t) {
        r->stats.n_foreign++;
        return;
    }
    if (!t->has_ssrc) { /* the announced one is not looked at (quirk R4) */
        t->ssrc = rtp.ssrc;
        t->has_ssrc = true;
    }
    if (rtp.ssrc != t->ssrc) {
        receiver__rival(t, &rtp, p, n);
        return;
    }
    if (t->rival)
        receiver__rival_fini(t);
    receiver__take(t, &rtp, p, n);
}

void receiver_tick(struct receiver *r, int64_t mono_us)
{
    for (int i = 0; i < RECEIVER_TRACKS; i++)
        if (r->tracks[i].is_udp)
            receiver__reorder_tick(&r->tracks[i], mono_us);
}

const struct receiver_stats *receiver_stats(struct receiver *r)
{
    const struct track *video = &r->tracks[RECEIVER_VIDEO];
    const struct track *audio = &r->tracks[RECEIVER_AUDIO];
    r->stats.n_lost_packets = r->n_lost_before + video->seq.n_lost + audio->seq.n_lost;
    r->stats.n_damaged =
        r->n_damaged_before + (video->depay ? depay_stats(video->depay)->n_damaged : 0);
    r->stats.is_endless =
        video->depay && depay_stats(video->depay)->n_oversize != video->n_oversize;
    r->stats.n_oversize =
        r->n_oversize_before + (video->depay ? depay_stats(video->depay)->n_oversize : 0);
    r->stats.byte_order = audio->depay ? depay_stats(audio->depay)->byte_order : BYTE_ORDER_UNKNOWN;
    return &r->stats;
}

const struct format *receiver_format(const struct receiver *r)
{
    return r->format;
}
