#include "analysis/av_decode.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include "base/err.h"
#include "base/mem.h"

#define JPEG_QUALITY 4 /* MJPEG quantiser: 2 best, 31 worst */

/* Scaled to full-range 4:2:0, which JPEG means. */
static AVFrame *scale(const AVFrame *src, int width, int height)
{
    AVFrame *dst = av_frame_alloc();
    struct SwsContext *sws =
        sws_getContext(src->width, src->height, src->format, width, height, AV_PIX_FMT_YUVJ420P,
                       SWS_BILINEAR | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (!dst || !sws)
        goto fail;
    const int *matrix = sws_getCoefficients(SWS_CS_ITU601);
    const int *source =
        sws_getCoefficients(src->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
    bool is_full = src->color_range == AVCOL_RANGE_JPEG || src->format == AV_PIX_FMT_YUVJ420P;
    sws_setColorspaceDetails(sws, source, is_full, matrix, 1, 0, 1 << 16, 1 << 16);
    dst->width = width;
    dst->height = height;
    dst->format = AV_PIX_FMT_YUVJ420P;
    dst->color_range = AVCOL_RANGE_JPEG;
    if (av_frame_get_buffer(dst, 0) < 0)
        goto fail;
    if (sws_scale(sws, (const uint8_t *const *)src->data, src->linesize, 0, src->height, dst->data,
                  dst->linesize) != height)
        goto fail;
    sws_freeContext(sws);
    return dst;

fail:
    sws_freeContext(sws);
    av_frame_free(&dst);
    return NULL;
}

static AVCodecContext *open_encoder(int width, int height)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *enc = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!enc)
        return NULL;
    enc->width = width;
    enc->height = height;
    enc->pix_fmt = AV_PIX_FMT_YUVJ420P;
    enc->color_range = AVCOL_RANGE_JPEG;
    enc->time_base = (AVRational){1, 25};
    enc->thread_count = 1;
    enc->flags |= AV_CODEC_FLAG_QSCALE;
    enc->global_quality = JPEG_QUALITY * FF_QP2LAMBDA;
    if (avcodec_open2(enc, codec, NULL) < 0)
        avcodec_free_context(&enc);
    return enc;
}

int av_jpeg(const struct AVFrame *f, int max_width, struct buf *out)
{
    int rc = ERR_UNSUPPORTED;
    int width = max_width > 0 ? MIN(max_width, f->width) : f->width;
    int64_t height64 = ((int64_t)f->height * width + f->width / 2) / f->width;
    int height = (int)MAX(height64, 1);
    AVPacket *pkt = av_packet_alloc();
    AVFrame *scaled = scale(f, width, height);
    AVCodecContext *enc = open_encoder(width, height);
    if (!pkt || !scaled || !enc)
        goto out;
    scaled->pts = 0;
    scaled->quality = enc->global_quality;
    if (avcodec_send_frame(enc, scaled) < 0 || avcodec_receive_packet(enc, pkt) < 0)
        goto out;
    buf_append(out, pkt->data, (size_t)pkt->size);
    rc = out->is_failed ? ERR_TOO_BIG : 0;
out:
    avcodec_free_context(&enc);
    av_frame_free(&scaled);
    av_packet_free(&pkt);
    return rc;
}
