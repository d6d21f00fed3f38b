#include "ingest/av_track.h"

#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include "base/clock.h"
#include "base/mem.h"

#define RTP_BYTES 16000 /* nothing between here and the other side that is smaller */

struct av_track {
    AVBSFContext *filter; /* NULL = none needed */
    AVFormatContext *muxer;
    AVIOContext *io;
    AVPacket *filtered;
    struct buf *out; /* during av_track_write */
    uint8_t channel;
    AVRational time_base; /* of packets behind the filter */
    int64_t offset;       /* makes time stamps go on where the input's jump back */
    int64_t last_dts;
    bool has_last;
};

bool av_track_can_carry(const struct AVStream *stream)
{
    switch (stream->codecpar->codec_id) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_AAC:
    case AV_CODEC_ID_PCM_ALAW:
    case AV_CODEC_ID_PCM_MULAW:
        return true;
    default:
        return false;
    }
}

/* --- the way out --- */

/* The muxer flushes once per RTP packet. */
static int put_frame(void *ctx, uint8_t *p, int n)
{
    struct av_track *t = ctx;
    if (!t->out || n <= 0 || n > UINT16_MAX || !buf_reserve(t->out, (size_t)n + 4))
        return n; /* a packet beyond all bounds is lost */
    buf_put_u8(t->out, '$');
    buf_put_u8(t->out, t->channel);
    buf_put_be16(t->out, (uint16_t)n);
    buf_append(t->out, p, (size_t)n);
    return n;
}

/* --- filters --- */

static const char *filter_name(const AVCodecParameters *par)
{
    bool is_prefixed = par->extradata_size > 4 && par->extradata[0] == 1;
    switch (par->codec_id) {
    case AV_CODEC_ID_H264:
        return is_prefixed ? "h264_mp4toannexb" : NULL;
    case AV_CODEC_ID_HEVC:
        return is_prefixed ? "hevc_mp4toannexb" : NULL;
    case AV_CODEC_ID_AAC:
        return par->extradata_size > 0 ? NULL : "aac_adtstoasc";
    default:
        return NULL;
    }
}

static int make_filter(struct av_track *t, const AVStream *stream)
{
    const char *name = filter_name(stream->codecpar);
    if (!name)
        return 0;
    const AVBitStreamFilter *kind = av_bsf_get_by_name(name);
    if (!kind)
        return AVERROR_BSF_NOT_FOUND;
    int rc = av_bsf_alloc(kind, &t->filter);
    if (rc < 0)
        return rc;
    rc = avcodec_parameters_copy(t->filter->par_in, stream->codecpar);
    if (rc < 0)
        return rc;
    t->filter->time_base_in = stream->time_base;
    return av_bsf_init(t->filter);
}

static const int aac_rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                22050, 16000, 12000, 11025, 8000,  7350};

static void set_sound(AVCodecParameters *par, unsigned rate, unsigned channels)
{
    par->sample_rate = aac_rates[rate];
    av_channel_layout_uninit(&par->ch_layout);
    av_channel_layout_default(&par->ch_layout, channels == 7 ? 8 : (int)channels);
}

/* AudioSpecificConfig (ISO 14496-3 1.6.2.1) out of an ADTS header (1.A.3.2.2). */
static int describe_adts(const AVPacket *pkt, AVCodecParameters *par)
{
    const uint8_t *p = pkt ? pkt->data : NULL;
    if (!p || pkt->size < 7 || p[0] != 0xff || (p[1] & 0xf6) != 0xf0)
        return AVERROR_INVALIDDATA;
    unsigned type = (p[2] >> 6) + 1u;
    unsigned rate = p[2] >> 2 & 15;
    unsigned channels = (p[2] & 1u) << 2 | p[3] >> 6;
    if (rate >= ARRAY_LEN(aac_rates) || channels == 0)
        return AVERROR_INVALIDDATA;
    par->extradata = av_mallocz(2 + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!par->extradata)
        return AVERROR(ENOMEM);
    par->extradata_size = 2;
    par->extradata[0] = (uint8_t)(type << 3 | rate >> 1);
    par->extradata[1] = (uint8_t)(rate << 7 | channels << 3);
    set_sound(par, rate, channels);
    return 0;
}

/* FLV says 44100 Hz in stereo whatever it carries; the configuration knows. */
static void correct_aac(AVCodecParameters *par)
{
    const uint8_t *p = par->extradata;
    if (par->extradata_size < 2)
        return;
    unsigned rate = (p[0] & 7u) << 1 | p[1] >> 7;
    unsigned channels = p[1] >> 3 & 15;
    if (p[0] >> 3 != 31 && rate < ARRAY_LEN(aac_rates) && channels >= 1 && channels <= 7)
        set_sound(par, rate, channels);
}

static int describe_aac(AVCodecParameters *par, const AVPacket *first)
{
    if (par->extradata_size == 0)
        return describe_adts(first, par);
    correct_aac(par);
    return 0;
}

/* --- muxer --- */

static int make_muxer(struct av_track *t, const AVCodecParameters *par, const AVPacket *first)
{
    int rc = avformat_alloc_output_context2(&t->muxer, NULL, "rtp", NULL);
    if (rc < 0)
        return rc;
    uint8_t *room = av_malloc(RTP_BYTES);
    if (!room)
        return AVERROR(ENOMEM);
    t->io = avio_alloc_context(room, RTP_BYTES, 1, t, NULL, put_frame, NULL);
    AVStream *out = avformat_new_stream(t->muxer, NULL);
    if (!t->io || !out)
        return AVERROR(ENOMEM);
    t->io->max_packet_size = RTP_BYTES;
    t->muxer->pb = t->io;
    rc = avcodec_parameters_copy(out->codecpar, par);
    if (rc == 0 && par->codec_id == AV_CODEC_ID_AAC)
        rc = describe_aac(out->codecpar, first);
    if (rc < 0)
        return rc;
    out->codecpar->codec_tag = 0;
    /* Not known yet and not used by the RTP of H.264 and H.265, but the muxer insists. */
    if (out->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && out->codecpar->width <= 0)
        out->codecpar->width = out->codecpar->height = 16;
    AVDictionary *options = NULL;
    av_dict_set(&options, "rtpflags", "skip_rtcp", 0); /* our clock is the server's */
    rc = avformat_write_header(t->muxer, &options);
    av_dict_free(&options);
    return rc;
}

struct av_track *av_track_create(const AVStream *stream, const AVPacket *first, uint8_t channel)
{
    struct av_track *t = xcalloc(1, sizeof *t);
    t->channel = channel;
    t->filtered = av_packet_alloc();
    t->time_base = stream->time_base;
    int rc = t->filtered ? make_filter(t, stream) : AVERROR(ENOMEM);
    if (rc == 0)
        rc = make_muxer(t, t->filter ? t->filter->par_out : stream->codecpar, first);
    if (rc < 0)
        av_track_destroy(&t);
    return t;
}

void av_track_destroy(struct av_track **tp)
{
    struct av_track *t = *tp;
    if (!t)
        return;
    t->out = NULL;
    av_bsf_free(&t->filter);
    av_packet_free(&t->filtered);
    if (t->muxer) /* without a trailer: RTP has none, and the header may not be written */
        avformat_free_context(t->muxer);
    if (t->io)
        av_freep(&t->io->buffer);
    avio_context_free(&t->io);
    FREE(tp);
}

AVFormatContext *av_track_muxer(struct av_track *track)
{
    return track->muxer;
}

/* --- packets --- */

/* The muxer wants both, pts not before dts, dts never back. */
static void stamp(struct av_track *t, AVPacket *pkt, int64_t mono_us)
{
    if (pkt->pts == AV_NOPTS_VALUE)
        pkt->pts = pkt->dts;
    if (pkt->pts == AV_NOPTS_VALUE)
        pkt->pts = av_rescale_q(mono_us, (AVRational){1, 1000000}, t->time_base);
    if (pkt->dts == AV_NOPTS_VALUE || pkt->dts > pkt->pts)
        pkt->dts = pkt->pts;
    int64_t dts = pkt->dts + t->offset;
    if (t->has_last && dts < t->last_dts) { /* goes on one step behind */
        int64_t step = pkt->duration > 0 ? pkt->duration : 1;
        t->offset += t->last_dts + step - dts;
        dts = t->last_dts + step;
    }
    t->last_dts = dts;
    t->has_last = true;
    pkt->pts += t->offset;
    pkt->dts = dts;
}

static int mux(struct av_track *t, AVPacket *pkt, int64_t mono_us)
{
    stamp(t, pkt, mono_us);
    av_packet_rescale_ts(pkt, t->time_base, t->muxer->streams[0]->time_base);
    pkt->stream_index = 0;
    int rc = av_write_frame(t->muxer, pkt);
    av_packet_unref(pkt);
    return rc < 0 ? rc : 0;
}

static int filter_and_mux(struct av_track *t, AVPacket *pkt, int64_t mono_us)
{
    int rc = av_bsf_send_packet(t->filter, pkt);
    while (rc >= 0 && (rc = av_bsf_receive_packet(t->filter, t->filtered)) >= 0)
        rc = mux(t, t->filtered, mono_us);
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF ? 0 : rc;
}

int av_track_write(struct av_track *t, AVPacket *pkt, int64_t mono_us, struct buf *out)
{
    t->out = out;
    int rc = t->filter ? filter_and_mux(t, pkt, mono_us) : mux(t, pkt, mono_us);
    t->out = NULL;
    av_packet_unref(pkt);
    return rc;
}
