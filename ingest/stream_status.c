/* The truth about a stream, and its way to the home loop. */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "ingest/stream_priv.h"

struct message {
    struct stream *s;
    struct stream_status status;
    bool is_change;
};

void stream__set_cause(struct stream *s, enum stream_cause cause, const char *detail)
{
    if (s->status.cause != cause)
        s->status.since_us = loop_wall_us(s->loop);
    s->status.cause = cause;
    str_copy(s->status.detail, sizeof s->status.detail, detail);
}

void stream__set_reachable(struct stream *s, bool is_reachable)
{
    int64_t now_us = loop_wall_us(s->loop);
    if (is_reachable)
        s->status.reachable_us = now_us;
    if (s->status.is_reachable == is_reachable)
        return;
    s->status.is_reachable = is_reachable;
    s->status.since_us = now_us;
}

void stream__set_advancing(struct stream *s, bool is_advancing)
{
    if (s->status.is_advancing == is_advancing)
        return;
    s->status.is_advancing = is_advancing;
    s->status.since_us = loop_wall_us(s->loop);
}

static void on_home(void *ctx)
{
    struct message *m = ctx;
    struct stream *s = m->s;
    if (!s->is_stopping && s->on_status)
        s->on_status(s->ctx, &m->status, m->is_change);
    atomic_fetch_sub(&s->n_in_flight, 1);
    free(m);
}

const char *sound_state_name(enum sound_state s)
{
    switch (s) {
    case SOUND_UNKNOWN:
        return "unknown";
    case SOUND_ABSENT:
        return "absent";
    case SOUND_RECORDED:
        return "recorded";
    case SOUND_UNSUPPORTED:
        return "unsupported";
    case SOUND_LEFT_OUT:
        return "left_out";
    }
    return "unknown";
}

/* 16-bit samples: which byte comes first, and who says so (quirk M2). */
static void tell_byte_order(const struct sdp_media *media, enum byte_order found,
                            struct sound_status *sound)
{
    enum byte_order label = media->codec == CODEC_S16BE ? BYTE_ORDER_BIG : BYTE_ORDER_LITTLE;
    enum byte_order used = found != BYTE_ORDER_UNKNOWN ? found : label;
    const char *words = used == BYTE_ORDER_BIG ? "upper byte first" : "lower byte first";
    str_copy(sound->codec, sizeof sound->codec,
             codec_name(used == BYTE_ORDER_BIG ? CODEC_S16BE : CODEC_S16LE));
    if (found == BYTE_ORDER_UNKNOWN)
        snprintf(sound->detail, sizeof sound->detail,
                 "%s, as the camera's name for it (%s) means; nothing heard so far proves it",
                 words, media->name);
    else if (found == label)
        snprintf(sound->detail, sizeof sound->detail,
                 "%s, as the camera's name for it (%s) means and the samples show", words,
                 media->name);
    else
        snprintf(sound->detail, sizeof sound->detail,
                 "%s, as the samples show; the camera's name for it (%s) means the other order",
                 words, media->name);
}

static void fill_sound(struct stream *s, const struct receiver_stats *stats)
{
    struct sound_status *sound = &s->status.sound;
    const struct session *session = s->session;
    *sound = (struct sound_status){.state = SOUND_ABSENT};
    if (session->left_out_why[0] && stats->n_sounds == 0) {
        sound->state = SOUND_LEFT_OUT;
        str_copy(sound->codec, sizeof sound->codec, codec_name(session->left_out_codec));
        str_copy(sound->detail, sizeof sound->detail, session->left_out_why);
    } else if (receiver_has_audio(s->receiver) && session->n_tracks > 1) {
        const struct sdp_media *media = session->tracks[RECEIVER_AUDIO].media;
        const char *name = codec_name(media->codec);
        str_copy(sound->codec, sizeof sound->codec, name);
        if (stats->n_sounds > 0)
            sound->state = SOUND_RECORDED;
        else
            snprintf(sound->detail, sizeof sound->detail,
                     "the camera offers sound (%s) but has sent none", name);
        if (stats->n_sounds > 0 && codec_is_s16(media->codec))
            tell_byte_order(media, stats->byte_order, sound);
    } else if (session->other_audio[0]) {
        sound->state = SOUND_UNSUPPORTED;
        str_copy(sound->codec, sizeof sound->codec, session->other_audio);
        snprintf(sound->detail, sizeof sound->detail,
                 "%s cannot be recorded; set the camera's sound to AAC or G.711",
                 session->other_audio);
    } else {
        str_copy(sound->detail, sizeof sound->detail, "the camera offers no sound");
    }
}

static void fill(struct stream *s)
{
    struct stream_status *st = &s->status;
    const struct receiver_stats *stats = receiver_stats(s->receiver);
    const struct format *format = receiver_format(s->receiver);
    st->n_viewers = s->n_viewers;
    st->n_reconnects = s->n_sessions > 1 ? s->n_sessions - 1 : 0;
    st->n_lost_packets = stats->n_lost_packets;
    st->n_damaged = stats->n_damaged;
    st->n_resyncs = s->n_resyncs_before + (s->session ? s->session->parser.n_losses : 0);
    st->n_unrequested = s->n_unrequested_before + (s->session ? s->session->n_unrequested : 0);
    st->gop_s = stats->gop_s;
    st->has_clock_offset = stats->has_clock_offset;
    st->clock_offset_s = stats->clock_offset_s;
    st->has_audio = s->state == STREAM_PLAYING && receiver_has_audio(s->receiver);
    if (s->state == STREAM_PLAYING && s->session)
        fill_sound(s, stats);
    if (stats->published_wall_us > 0) {
        st->advancing_us = stats->published_wall_us;
        st->reachable_us = MAX(st->reachable_us, stats->published_wall_us);
    }
    if (format) {
        st->codec = format->codec;
        st->width = format->width;
        st->height = format->height;
    }
}

void stream__post_status(struct stream *s, bool with_figures)
{
    const struct stream_status *was = &s->posted;
    fill(s);
    const struct stream_status *is = &s->status;
    bool is_change = was->since_us == 0 || was->cause != is->cause ||
                     was->is_reachable != is->is_reachable ||
                     was->is_advancing != is->is_advancing || strcmp(was->detail, is->detail) != 0;
    /* A home loop that is behind does not collect figures. */
    if (!is_change && (!with_figures || atomic_load(&s->n_in_flight) > 0))
        return;
    atomic_fetch_add(&s->n_in_flight, 1);
    s->posted = s->status;
    struct message *m = xmalloc(sizeof *m);
    *m = (struct message){.s = s, .status = s->status, .is_change = is_change};
    loop_post(s->home, on_home, m);
}
