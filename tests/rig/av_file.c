/* Media files to reels by libavformat; and the cache of scenes that were encoded in advance. */
#include "av_file.h"

#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>

#include "base/str.h"

static int av_fail(struct err *err, int rc, const char *what)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(rc, text, sizeof text);
    return err_text(err, rc, "%s: %s", what, text);
}

static enum codec codec_of(enum AVCodecID id)
{
    switch ((int)id) {
    case AV_CODEC_ID_H264:
        return CODEC_H264;
    case AV_CODEC_ID_HEVC:
        return CODEC_H265;
    case AV_CODEC_ID_MJPEG:
        return CODEC_JPEG;
    case AV_CODEC_ID_AAC:
        return CODEC_AAC;
    case AV_CODEC_ID_PCM_ALAW:
        return CODEC_PCMA;
    case AV_CODEC_ID_PCM_MULAW:
        return CODEC_PCMU;
    case AV_CODEC_ID_PCM_S16BE:
        return CODEC_S16BE;
    case AV_CODEC_ID_PCM_S16LE:
        return CODEC_S16LE;
    default:
        return CODEC_NONE;
    }
}

static struct reel *open_track(const AVFormatContext *in, enum AVMediaType type, int *out_index)
{
    for (unsigned i = 0; i < in->nb_streams; i++) {
        const AVCodecParameters *par = in->streams[i]->codecpar;
        enum codec codec = codec_of(par->codec_id);
        if (par->codec_type != type || codec == CODEC_NONE)
            continue;
        struct format *format = NULL;
        int rc = format_create_config(codec, par->extradata, (size_t)par->extradata_size,
                                      par->width, par->height, par->sample_rate,
                                      par->ch_layout.nb_channels, &format);
        if (rc < 0)
            continue;
        *out_index = (int)i;
        struct reel *reel = reel_create(format);
        format_unref(&format);
        return reel;
    }
    return NULL;
}

static int append(struct reel *reel, const AVStream *stream, const AVPacket *av)
{
    struct packet *pkt = packet_create((size_t)av->size);
    if (!pkt)
        return ERR_TOO_BIG;
    AVRational clock = {1, (int)reel->format->timescale};
    pkt->format = format_ref(reel->format);
    pkt->is_video = codec_is_video(reel->format->codec);
    pkt->is_key = av->flags & AV_PKT_FLAG_KEY;
    pkt->dts = av_rescale_q(av->dts, stream->time_base, clock);
    pkt->pts =
        av->pts == AV_NOPTS_VALUE ? pkt->dts : av_rescale_q(av->pts, stream->time_base, clock);
    memcpy(pkt->data, av->data, (size_t)av->size);
    pkt->size = (size_t)av->size;
    int rc = reel_append(reel, pkt);
    packet_unref(&pkt);
    return rc;
}

static int read_all(AVFormatContext *in, struct reel_pair *out, int video, int audio)
{
    AVPacket *av = av_packet_alloc();
    int rc;
    while ((rc = av_read_frame(in, av)) >= 0) {
        struct reel *reel = av->stream_index == video                 ? out->video
                            : av->stream_index == audio && out->audio ? out->audio
                                                                      : NULL;
        if (reel && av->size > 0 && av->dts != AV_NOPTS_VALUE)
            rc = append(reel, in->streams[av->stream_index], av);
        av_packet_unref(av);
        if (rc < 0)
            break;
    }
    av_packet_free(&av);
    return rc == AVERROR_EOF ? 0 : rc;
}

int reel_load_file(const char *path, struct reel_pair *out, struct err *err)
{
    AVFormatContext *in = NULL;
    int video = -1;
    int audio = -1;
    *out = (struct reel_pair){0};
    int rc = avformat_open_input(&in, path, NULL, NULL);
    if (rc < 0)
        return av_fail(err, rc, path);
    rc = avformat_find_stream_info(in, NULL);
    if (rc < 0) {
        av_fail(err, rc, path);
        goto out;
    }
    out->video = open_track(in, AVMEDIA_TYPE_VIDEO, &video);
    out->audio = open_track(in, AVMEDIA_TYPE_AUDIO, &audio);
    if (!out->video) {
        rc = err_text(err, ERR_NO_VIDEO, "%s: no H.264, H.265 or JPEG track in MP4 form", path);
        goto out;
    }
    rc = read_all(in, out, video, audio);
    if (rc < 0) {
        av_fail(err, rc, path);
        goto out;
    }
    rc = reel_finish(out->video, err);
    if (rc < 0)
        err_wrap(err, rc, "%s", path);
    if (out->audio && reel_finish(out->audio, NULL) < 0)
        reel_destroy(&out->audio);
out:
    avformat_close_input(&in);
    if (rc < 0) {
        reel_destroy(&out->video);
        reel_destroy(&out->audio);
    }
    return rc;
}
