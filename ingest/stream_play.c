/* While media flows: publishing, housekeeping once a second, stalls. */
#include "base/log.h"
#include "base/mem.h"
#include "ingest/stream_priv.h"
#include "media/rtp.h"

#define TICK_US          US_PER_S
#define BATCH_TICK_US    (250 * US_PER_MS)
#define REPORT_US        (5 * US_PER_S)
#define FIGURES_US       (2 * US_PER_S)
#define STILL_US         (3 * US_PER_S)  /* without pictures: no longer advancing */
#define STALL_US         (10 * US_PER_S) /* without pictures: connect anew */
#define STALL_MAX_US     (60 * US_PER_S)
#define NO_KEY_US        (10 * US_PER_S)
#define SETTLED_US       (30 * US_PER_S) /* with pictures: may be connected anew at once again */
#define UNREADABLE_TICKS 3 /* media that is no picture: something else than was described */
#define SIZES_US         (60 * US_PER_S)
#define MAX_SIZES        60 /* within that; each of them begins a file */
#define LONG_GOP_S       20.0
#define MAX_REPORT_BYTES 128

/* The ticks of all streams of a loop fall on the same instants: a wake-up is shared by all, and
 * cold caches are warmed once. (Spread over 4 instants, reading 100 cameras cost a quarter more.)
 */
static void arm_tick(struct stream *s)
{
    int64_t period_us = s->is_batched ? BATCH_TICK_US : TICK_US;
    timer_arm_us(&s->tick, period_us - loop_mono_us(s->loop) % period_us);
}

void stream__playing(struct stream *s)
{
    int64_t now_us = loop_mono_us(s->loop);
    stream__logged_in(s);
    stream__enter(s, STREAM_PLAYING);
    s->playing_mono_us = now_us;
    /* Chores do not all fall on the same tick. */
    s->chores_mono_us = now_us - s->phase % (TICK_US / BATCH_TICK_US) * BATCH_TICK_US;
    s->report_mono_us = now_us;
    s->figures_mono_us = now_us;
    s->figures_pictures = receiver_stats(s->receiver)->n_pictures;
    s->figures_bytes = receiver_stats(s->receiver)->n_bytes;
    s->probed_mono_us = 0;
    s->n_unreadable = 0;
    s->sizes_mono_us = now_us;
    s->sizes_before = 0;
    s->status.retry_us = 0;
    if (!s->is_up) {
        stream__set_cause(s, s->has_failed ? s->status.cause : CAUSE_CONNECTING,
                          "connected; waiting for the first key frame");
        stream__post_status(s, false);
    }
    arm_tick(s);
}

static void say_ok(struct stream *s)
{
    struct buf detail;
    const struct format *f = receiver_format(s->receiver);
    bool is_around = s->stale_until_us > 0 && !s->session->tracks[RECEIVER_VIDEO].is_tcp;
    buf_init(&detail, 0);
    buf_printf(&detail, "receiving %s %dx%d over %s", codec_title(f->codec), f->width, f->height,
               stream__carrier(s));
    if (is_around)
        buf_puts(&detail, ", because an older session was in the way of TCP");
    /* Quirk H10: it works, but every new viewer waits. */
    double gop_s = receiver_stats(s->receiver)->gop_s;
    if (gop_s >= LONG_GOP_S)
        buf_printf(&detail,
                   "; a key frame every %.0f s only: switch its smart codec (H.264+/H.265+) off",
                   gop_s);
    if (s->session->n_extras > 0) /* quirk P5 */
        buf_puts(&detail, "; all it describes is set up, without which it sent nothing");
    if (s->session->left_out_why[0]) /* quirk M1 */
        buf_printf(&detail, "; without sound: %s", s->session->left_out_why);
    s->has_failed = false;
    stream__set_advancing(s, true);
    stream__set_cause(s, CAUSE_OK, buf_cstr(&detail));
    buf_fini(&detail);
}

/* The first picture of a session, or the first after it stood still. */
static void advance(struct stream *s)
{
    if (s->status.cause != CAUSE_OK)
        log_info(s->who, "media flows");
    say_ok(s);
    stream__post_status(s, true);
}

void stream__publish(void *ctx, struct packet *pkt)
{
    struct stream *s = ctx;
    if (!s->is_up) {
        s->is_up = true;
        s->n_sessions++;
        if (s->session->n_extras > 0) /* quirk P5: proven */
            s->memory.needs_all = true;
        if (s->session->n_tracks > 1 || s->session->spares_sound)
            sound_doubt_played(&s->memory.sound, !s->session->spares_sound);
        hub_set_up(s->hub, true);
    }
    hub_publish(s->hub, pkt);
    if (pkt->is_video && !s->status.is_advancing && s->is_up)
        advance(s);
}

/* --- housekeeping --- */

static void send_reports(struct stream *s, int64_t now_us)
{
    uint8_t report[MAX_REPORT_BYTES];
    s->report_mono_us = now_us;
    for (int t = 0; t < s->session->n_tracks; t++) {
        size_t n = receiver_report(s->receiver, t, now_us, report, sizeof report);
        if (s->session->tracks[t].is_tcp) {
            if (n > 0)
                session_report(s->session, t, report, n);
            continue;
        }
        stream__punch(s, t);
        if (n > 0)
            stream__send_udp_report(s, t, report, n);
    }
}

static void figure(struct stream *s, int64_t now_us)
{
    const struct receiver_stats *stats = receiver_stats(s->receiver);
    double span_s = (double)(now_us - s->figures_mono_us) / (double)US_PER_S;
    double fps = (double)(stats->n_pictures - s->figures_pictures) / span_s;
    double bps = (double)(stats->n_bytes - s->figures_bytes) * 8 / span_s;
    /* Smoothed over the last three rounds or so; the first one counts whole. */
    bool is_first = s->status.fps <= 0;
    s->status.fps = is_first ? fps : s->status.fps * 0.6 + fps * 0.4;
    s->status.bitrate_bps = is_first ? bps : s->status.bitrate_bps * 0.6 + bps * 0.4;
    s->figures_mono_us = now_us;
    s->figures_pictures = stats->n_pictures;
    s->figures_bytes = stats->n_bytes;
    if (s->status.cause == CAUSE_OK)
        say_ok(s); /* the format may have changed */
    stream__post_status(s, true);
}

uint64_t stream__heard(const struct stream *s)
{
    const struct receiver_stats *stats = receiver_stats(s->receiver);
    return stats->n_bytes + stats->n_foreign;
}

/* Quirk P5: where nothing at all came and not all was set up, the next try does that, once. What
 * there is to say about it. */
static const char *doubt_setup(struct stream *s)
{
    bool is_mute = stream__heard(s) == s->heard_at_open;
    if (!is_mute || s->session->n_extras > 0 || s->session->n_left_out == 0)
        return "";
    s->memory.tries_all = true;
    return "; all it describes will be set up";
}

static void fail_silent(struct stream *s, int limit_s)
{
    const char *plan = doubt_setup(s);
    if (!s->session->tracks[RECEIVER_VIDEO].is_tcp)
        stream__fail(s, CAUSE_TIMEOUT, "no video over UDP for %d s; a firewall may hold it back%s",
                     limit_s, plan);
    else if (url_channel(&s->url) > 0) /* quirk L7 */
        stream__fail(s, CAUSE_TIMEOUT,
                     "connected, but no video for %d s; channel %d may have no signal%s", limit_s,
                     url_channel(&s->url), plan);
    else
        stream__fail(s, CAUSE_TIMEOUT, "connected, but no video for %d s%s", limit_s, plan);
}

/* False when the session was given up. */
static bool is_alive(struct stream *s, int64_t now_us)
{
    const struct receiver_stats *stats = receiver_stats(s->receiver);
    int64_t limit_us = CLAMP(3 * stats->frame_us, STALL_US, STALL_MAX_US);
    int64_t since_us = MAX(stats->picture_mono_us, s->playing_mono_us);
    if (now_us - since_us < limit_us)
        return true;
    int limit_s = (int)(limit_us / US_PER_S);
    if (s->session->parser.is_lost)
        stream__fail(s, CAUSE_PROTOCOL, "%s sends bytes that are neither RTSP nor RTP",
                     stream__peer(s));
    else if (stats->is_endless) /* quirk H15 */
        stream__fail(s, CAUSE_PROTOCOL, "a picture does not end within %u MiB",
                     PACKET_MAX_BYTES >> 20);
    else if (stats->picture_mono_us > 0)
        stream__fail(s, CAUSE_TIMEOUT, "no picture for %d s", limit_s);
    else
        fail_silent(s, limit_s);
    return false;
}

/* Quirk H8: after somebody switched the codec some cameras go on in the same session with another
 * payload type or another codec under the old one. What they send has to be asked anew. */
static bool is_other_format(struct stream *s, int64_t now_us)
{
    const struct receiver_stats *stats = receiver_stats(s->receiver);
    uint64_t heard = stream__heard(s);
    int64_t quiet_us = now_us - stats->picture_mono_us;
    bool has_media = heard - s->heard_before > 0;
    bool is_overdue = quiet_us > TICK_US && quiet_us > 3 * stats->frame_us;
    s->heard_before = heard;
    if (!has_media || !is_overdue || stats->picture_mono_us == 0)
        s->n_unreadable = 0;
    else
        s->n_unreadable++;
    return s->n_unreadable >= UNREADABLE_TICKS;
}

/* No camera does that for a purpose, and a thousand files a minute would be everybody's trouble. */
static bool is_restless(struct stream *s, int64_t now_us)
{
    uint64_t n_sizes = receiver_stats(s->receiver)->n_sizes;
    if (now_us - s->sizes_mono_us > SIZES_US) {
        s->sizes_mono_us = now_us;
        s->sizes_before = n_sizes;
    }
    return n_sizes - s->sizes_before > MAX_SIZES;
}

/* Whether the camera still speaks tells "pulled cable" from "encoder stuck" (quirk I6). */
static void probe(struct stream *s, int64_t now_us, int64_t picture_mono_us)
{
    bool is_still = now_us - MAX(picture_mono_us, s->playing_mono_us) > STILL_US;
    if (is_still && s->probed_mono_us == 0) {
        s->probed_mono_us = now_us;
        session_probe(s->session, now_us);
    }
    if (!is_still)
        s->probed_mono_us = 0;
}

static void say_no_key(struct stream *s, bool has_parameter_sets)
{
    char detail[sizeof s->status.detail];
    snprintf(detail, sizeof detail, "connected, but %s has not sent %s yet", stream__peer(s),
             has_parameter_sets ? "a key frame" : "parameter sets");
    stream__set_cause(s, CAUSE_NO_KEYFRAME, detail);
}

static void watch_progress(struct stream *s, int64_t now_us)
{
    const struct receiver_stats *stats = receiver_stats(s->receiver);
    probe(s, now_us, stats->picture_mono_us);
    int64_t still_us = MAX(STILL_US, 3 * stats->frame_us);
    bool has_pictures = stats->picture_mono_us > 0 && now_us - stats->picture_mono_us <= still_us;
    if (s->status.is_advancing && now_us - stats->published_mono_us > still_us) {
        stream__set_advancing(s, false);
        if (!has_pictures)
            stream__set_cause(s, CAUSE_TIMEOUT,
                              stream__is_pushed(s)
                                  ? "connected, but no new picture"
                                  : "connected, but no new picture; reconnects soon");
    }
    /* Groups may be minutes long (quirk H10): said, but no reason to disconnect. */
    int64_t since_us = MAX(stats->published_mono_us, s->playing_mono_us);
    if (has_pictures && !s->status.is_advancing && now_us - since_us > NO_KEY_US)
        say_no_key(s, stats->has_parameter_sets);
}

static void do_chores(struct stream *s, int64_t now_us)
{
    s->chores_mono_us = now_us;
    if (now_us - s->bytes_mono_us < 2 * TICK_US)
        s->status.reachable_us = loop_wall_us(s->loop);
    receiver_tick(s->receiver, now_us);
    session_timeout(s->session, now_us);
    if (!is_alive(s, now_us))
        return;
    if (is_restless(s, now_us)) {
        stream__fail(s, CAUSE_PROTOCOL,
                     "the size of its pictures changed more than %d times a minute", MAX_SIZES);
        return;
    }
    if (is_other_format(s, now_us)) {
        stream__connect_again(s, CAUSE_PROTOCOL,
                              "the camera sends something else than it described");
        return;
    }
    if (now_us - s->report_mono_us >= REPORT_US)
        send_reports(s, now_us);
    watch_progress(s, now_us);
    stream__flush(s);
    if (s->status.is_advancing) {
        backoff_good(&s->backoff, now_us, s->playing_mono_us);
        if (now_us - s->playing_mono_us >= SETTLED_US)
            s->n_again = 0;
    }
    stream__choose_batching(s);
    if (now_us - s->figures_mono_us >= FIGURES_US)
        figure(s, now_us);
    else
        stream__post_status(s, false);
}

void stream__tick(void *ctx)
{
    struct stream *s = ctx;
    int64_t now_us = loop_mono_us(s->loop);
    if (s->state == STREAM_PLAYING) {
        if (s->is_batched)
            stream__read(s);
        if (s->state == STREAM_PLAYING && now_us - s->chores_mono_us >= TICK_US - BATCH_TICK_US / 2)
            do_chores(s, now_us);
        if (s->state == STREAM_PLAYING)
            arm_tick(s);
        return;
    }
    if (!s->session)
        return;
    session_timeout(s->session, now_us);
    stream__redigest(s);
}
