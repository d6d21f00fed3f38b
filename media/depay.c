#include "media/depay.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "media/depay_priv.h"

int depay_create(const struct sdp_media *media, depay_fn *fn, void *ctx, struct depay **out)
{
    if (media->codec == CODEC_NONE)
        return ERR_UNSUPPORTED;
    struct depay *d = xcalloc(1, sizeof *d);
    d->fn = fn;
    d->ctx = ctx;
    d->codec = media->codec;
    d->format = media->format ? format_ref(media->format) : NULL;
    d->clock_rate = media->clock_rate;
    d->size_length = media->aac_size_length ? media->aac_size_length : 13;
    d->index_length = media->aac_size_length ? media->aac_index_length : 3;
    d->index_delta_length = media->aac_size_length ? media->aac_index_delta_length : 3;
    if (codec_has_nals(d->codec))
        depay__video_init(d, media);
    else if (d->codec == CODEC_JPEG)
        depay__jpeg_init(d);
    *out = d;
    return 0;
}

void depay_destroy(struct depay **dp)
{
    struct depay *d = *dp;
    *dp = NULL;
    if (!d)
        return;
    depay__video_fini(d);
    depay__jpeg_fini(d);
    packet_unref(&d->partial);
    format_unref(&d->format);
    free(d);
}

void depay_input(struct depay *d, const struct rtp *rtp, uint32_t lost)
{
    switch (d->codec) {
    case CODEC_H264:
        depay__packet_begin(d, rtp->timestamp, lost);
        depay__h264_payload(d, rtp);
        depay__packet_end(d, rtp);
        break;
    case CODEC_H265:
        depay__packet_begin(d, rtp->timestamp, lost);
        depay__h265_payload(d, rtp);
        depay__packet_end(d, rtp);
        break;
    case CODEC_JPEG:
        depay__jpeg_input(d, rtp, lost);
        break;
    case CODEC_AAC:
        d->lost += lost;
        depay__aac_input(d, rtp, lost);
        break;
    case CODEC_PCMA:
    case CODEC_PCMU:
        d->lost += lost;
        depay__plain_input(d, rtp);
        break;
    case CODEC_S16BE:
    case CODEC_S16LE:
        d->lost += lost;
        depay__s16_input(d, rtp);
        break;
    case CODEC_NONE:
        break;
    }
}

void depay__emit(struct depay *d, struct packet *pkt, struct format *format, uint32_t timestamp)
{
    pkt->format = format ? format_ref(format) : NULL;
    pkt->is_video = codec_is_video(d->codec);
    pkt->lost_before = d->lost;
    pkt->is_discontinuity = d->is_discontinuity || d->lost > 0;
    d->lost = 0;
    d->is_discontinuity = false;
    d->stats.n_units++;
    d->fn(d->ctx, pkt, timestamp);
}

void depay_flush(struct depay *d)
{
    if (d->codec == CODEC_JPEG)
        depay__jpeg_flush(d);
    if (!codec_has_nals(d->codec))
        return;
    depay__frag_end(d);
    if (d->has_slice)
        depay__au_end(d);
}

void depay_restart(struct depay *d, uint32_t timestamp)
{
    if (codec_has_nals(d->codec))
        depay__video_restart(d, timestamp);
    else if (d->codec == CODEC_JPEG)
        depay__jpeg_restart(d);
    packet_unref(&d->partial);
    d->is_discontinuity = true;
}

bool depay_begins_key(const struct depay *d, const struct rtp *rtp)
{
    if (d->codec == CODEC_H264)
        return depay__h264_begins_key(rtp->payload, rtp->payload_size);
    return d->codec == CODEC_H265 && depay__h265_begins_key(rtp->payload, rtp->payload_size);
}

const struct depay_stats *depay_stats(const struct depay *d)
{
    return &d->stats;
}
