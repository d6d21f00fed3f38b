#include "av_encode.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>

#define CLOCK_HZ     90000
#define JPEG_QUALITY 7 /* quantiser: 2 best, 31 worst */

struct encoder {
    AVCodecContext *av;
    AVFrame *frame;
    AVPacket *av_packet;
    struct format *format;
    struct picture picture;
};

static int av_fail(struct err *err, int rc, const char *what)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(rc, text, sizeof text);
    return err_text(err, rc, "%s: %s", what, text);
}

/* The next NAL unit of a byte stream with start codes; false at the end. */
static bool next_nal(const uint8_t **p, const uint8_t *end, struct nal_span *out)
{
    const uint8_t *q = *p;
    while (end - q >= 3 && !(q[0] == 0 && q[1] == 0 && q[2] == 1))
        q++;
    if (end - q < 3)
        return false;
    q += 3;
    const uint8_t *start = q;
    while (q < end && !(end - q >= 3 && q[0] == 0 && q[1] == 0 && q[2] <= 1))
        q++;
    *p = q;
    *out = (struct nal_span){start, (size_t)(q - start)};
    return true;
}

static int take_format(struct encoder *e, enum codec codec)
{
    const uint8_t *p = e->av->extradata;
    const uint8_t *end = p + e->av->extradata_size;
    struct nal_span vps = {0};
    struct nal_span sps = {0};
    struct nal_span pps = {0};
    struct nal_span nal;
    if (codec == CODEC_JPEG) {
        e->format = format_create_jpeg(e->av->width, e->av->height);
        return 0;
    }
    while (next_nal(&p, end, &nal)) {
        if (nal.n == 0)
            continue;
        int type = codec == CODEC_H265 ? (nal.p[0] >> 1) & 0x3f : nal.p[0] & 0x1f;
        if (type == (codec == CODEC_H265 ? 33 : 7))
            sps = nal;
        else if (type == (codec == CODEC_H265 ? 34 : 8))
            pps = nal;
        else if (codec == CODEC_H265 && type == 32)
            vps = nal;
    }
    return format_create_video(codec, vps, sps, pps, &e->format);
}

/* RTP carries images with the usual Huffman tables only. */
static void set_jpeg_options(AVCodecContext *av)
{
    av->pix_fmt = AV_PIX_FMT_YUVJ420P;
    av->flags |= AV_CODEC_FLAG_QSCALE;
    av->global_quality = JPEG_QUALITY * FF_QP2LAMBDA;
    av->bit_rate = av->rc_max_rate = 0;
    av->rc_buffer_size = 0;
    av_opt_set(av->priv_data, "huffman", "default", 0);
}

static void set_options(AVCodecContext *av, const struct encoder_params *params)
{
    if (params->codec == CODEC_JPEG) {
        set_jpeg_options(av);
        return;
    }
    av_opt_set(av->priv_data, "preset", params->is_live ? "ultrafast" : "superfast", 0);
    if (params->n_b_frames == 0)
        av_opt_set(av->priv_data, "tune", "zerolatency", 0);
    av_opt_set_int(av->priv_data, "forced-idr", 1, 0);
    /* Live: constant quality below the rate, since bits spent on a still room cost time as well. */
    if (params->is_live)
        av_opt_set_double(av->priv_data, "crf", 25, 0);
    if (params->codec == CODEC_H265) {
        char text[160];
        snprintf(text, sizeof text,
                 "log-level=none:pools=none:frame-threads=1:repeat-headers=0:scenecut=0:info=0:"
                 "open-gop=0:bframes=%d",
                 params->n_b_frames);
        av_opt_set(av->priv_data, "x265-params", text, 0);
    } else {
        av_opt_set(av->priv_data, "x264-params", "scenecut=0:sliced-threads=0", 0);
    }
}

static int open_av(struct encoder *e, const struct encoder_params *params, struct err *err)
{
    const char *name = params->codec == CODEC_JPEG   ? "mjpeg"
                       : params->codec == CODEC_H265 ? "libx265"
                                                     : "libx264";
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    if (!codec)
        return err_text(err, ERR_UNSUPPORTED, "encoder %s is not installed", name);
    if (params->codec == CODEC_H265 && params->n_slices > 1)
        return err_text(err, ERR_UNSUPPORTED, "slices are for H.264 only");
    AVCodecContext *av = avcodec_alloc_context3(codec);
    e->av = av;
    av->width = params->width;
    av->height = params->height;
    av->pix_fmt = AV_PIX_FMT_YUV420P;
    av->time_base = (AVRational){1000, params->fps_milli};
    av->framerate = (AVRational){params->fps_milli, 1000};
    av->gop_size = params->gop;
    av->max_b_frames = params->n_b_frames;
    av->slices = params->n_slices;
    av->bit_rate = params->is_live ? 0 : params->bitrate_bps;
    av->rc_max_rate = params->bitrate_bps * 3 / 2;
    av->rc_buffer_size = (int)(params->bitrate_bps * 3 / 2);
    av->thread_count = 1;
    av->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    set_options(av, params);
    int rc = avcodec_open2(av, codec, NULL);
    return rc < 0 ? av_fail(err, rc, name) : 0;
}

int encoder_open(const struct encoder_params *params, struct encoder **out, struct err *err)
{
    av_log_set_level(AV_LOG_ERROR);
    struct encoder *e = xcalloc(1, sizeof *e);
    int rc = open_av(e, params, err);
    if (rc < 0)
        goto fail;
    rc = take_format(e, params->codec);
    if (rc < 0) {
        err_text(err, rc, "the encoder gives no parameter sets");
        goto fail;
    }
    e->av_packet = av_packet_alloc();
    e->frame = av_frame_alloc();
    e->frame->format = e->av->pix_fmt;
    e->frame->quality = e->av->global_quality;
    e->frame->width = params->width;
    e->frame->height = params->height;
    rc = av_frame_get_buffer(e->frame, 0);
    if (rc < 0) {
        av_fail(err, rc, "picture");
        goto fail;
    }
    *out = e;
    return 0;
fail:
    encoder_close(&e);
    return rc;
}

void encoder_close(struct encoder **ep)
{
    struct encoder *e = *ep;
    if (!e)
        return;
    avcodec_free_context(&e->av);
    av_frame_free(&e->frame);
    av_packet_free(&e->av_packet);
    format_unref(&e->format);
    FREE(ep);
}

struct format *encoder_format(const struct encoder *e)
{
    return e->format;
}

struct picture *encoder_picture(struct encoder *e)
{
    av_frame_make_writable(e->frame);
    e->picture = (struct picture){.width = e->frame->width, .height = e->frame->height};
    for (int i = 0; i < 3; i++) {
        e->picture.plane[i] = e->frame->data[i];
        e->picture.stride[i] = e->frame->linesize[i];
    }
    return &e->picture;
}

static void put_nal(struct packet *pkt, struct nal_span nal)
{
    uint8_t *p = pkt->data + pkt->size;
    p[0] = (uint8_t)(nal.n >> 24);
    p[1] = (uint8_t)(nal.n >> 16);
    p[2] = (uint8_t)(nal.n >> 8);
    p[3] = (uint8_t)nal.n;
    memcpy(p + 4, nal.p, nal.n);
    pkt->size += 4 + nal.n;
}

static int hand_out(struct encoder *e, encoder_fn *fn, void *ctx)
{
    const AVPacket *av = e->av_packet;
    /* a start code of 3 bytes becomes a length of 4 */
    struct packet *pkt = packet_create((size_t)av->size * 4 / 3 + 64);
    if (!pkt)
        return ERR_TOO_BIG;
    AVRational clock = {1, CLOCK_HZ};
    pkt->format = format_ref(e->format);
    pkt->is_video = true;
    pkt->is_key = av->flags & AV_PKT_FLAG_KEY;
    pkt->dts = av_rescale_q(av->dts, e->av->time_base, clock);
    pkt->pts = av_rescale_q(av->pts, e->av->time_base, clock);
    const uint8_t *p = av->data;
    struct nal_span nal;
    if (e->format->codec == CODEC_JPEG) {
        memcpy(pkt->data, av->data, (size_t)av->size);
        pkt->size = (size_t)av->size;
        p += av->size;
    }
    while (next_nal(&p, av->data + av->size, &nal))
        if (nal.n > 0)
            put_nal(pkt, nal);
    fn(ctx, pkt);
    packet_unref(&pkt);
    return 0;
}

int encoder_encode(struct encoder *e, int64_t frame, bool wants_key, encoder_fn *fn, void *ctx)
{
    e->frame->pts = frame;
    e->frame->pict_type = wants_key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    int rc = avcodec_send_frame(e->av, frame < 0 ? NULL : e->frame);
    while (rc >= 0) {
        rc = avcodec_receive_packet(e->av, e->av_packet);
        if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF)
            return 0;
        if (rc >= 0)
            rc = hand_out(e, fn, ctx);
        av_packet_unref(e->av_packet);
    }
    return rc;
}
