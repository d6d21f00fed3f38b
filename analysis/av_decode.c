#include "analysis/av_decode.h"

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>

#include "base/err.h"
#include "base/mem.h"
#include "media/packet.h"

void av_be_quiet(void)
{
    av_log_set_level(AV_LOG_QUIET);
}

#define MAX_PIXELS (64 << 20) /* 8K is 33 million */

static enum AVCodecID id_of(enum codec codec)
{
    switch (codec) {
    case CODEC_H264:
        return AV_CODEC_ID_H264;
    case CODEC_H265:
        return AV_CODEC_ID_HEVC;
    case CODEC_JPEG:
        return AV_CODEC_ID_MJPEG;
    default:
        return AV_CODEC_ID_NONE;
    }
}

static AVCodecContext *open_decoder(const struct av_input *in)
{
    const AVCodec *codec = avcodec_find_decoder(id_of(in->codec));
    AVCodecContext *dec = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!dec)
        return NULL;
    dec->thread_count = 1;
    dec->max_pixels = MAX_PIXELS;
    dec->flags |= AV_CODEC_FLAG_LOW_DELAY;
    if (in->is_fast) {
        dec->flags2 |= AV_CODEC_FLAG2_FAST;
        dec->skip_loop_filter = AVDISCARD_ALL;
    }
    if (in->config_size > 0) {
        dec->extradata = av_mallocz(in->config_size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!dec->extradata)
            goto fail;
        memcpy(dec->extradata, in->config, in->config_size);
        dec->extradata_size = (int)in->config_size;
    }
    if (avcodec_open2(dec, codec, NULL) < 0)
        goto fail;
    return dec;

fail:
    avcodec_free_context(&dec);
    return NULL;
}

static AVPacket *make_packet(const struct av_input *in)
{
    AVPacket *pkt = av_packet_alloc();
    if (pkt && (in->size > PACKET_MAX_BYTES || av_new_packet(pkt, (int)in->size) < 0))
        av_packet_free(&pkt);
    if (pkt) {
        memcpy(pkt->data, in->data, in->size);
        pkt->flags |= AV_PKT_FLAG_KEY;
    }
    return pkt;
}

int av_decode(const struct av_input *in, struct AVFrame **out)
{
    int rc = ERR_PARSE;
    AVFrame *frame = av_frame_alloc();
    AVPacket *pkt = make_packet(in);
    AVCodecContext *dec = open_decoder(in);
    if (!frame || !pkt || !dec)
        goto out;
    if (avcodec_send_packet(dec, pkt) < 0)
        goto out;
    avcodec_send_packet(dec, NULL); /* no more comes: hand out what there is */
    if (avcodec_receive_frame(dec, frame) < 0)
        goto out;
    if (in->is_fast && (frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT)))
        goto out;
    *out = frame;
    frame = NULL;
    rc = 0;
out:
    avcodec_free_context(&dec);
    av_packet_free(&pkt);
    av_frame_free(&frame);
    return rc;
}

void av_picture_free(struct AVFrame **f)
{
    av_frame_free(f);
}

/* Sum of a run of luma samples; depth above 8 bits is stored in 16. */
static uint32_t sum_run(const uint8_t *row, int from, int to, bool is_deep, int shift)
{
    uint32_t sum = 0;
    if (is_deep) {
        const uint16_t *p = (const uint16_t *)(const void *)row;
        for (int x = from; x < to; x++)
            sum += p[x] >> shift;
    } else {
        for (int x = from; x < to; x++)
            sum += row[x];
    }
    return sum;
}

int av_grid(const struct AVFrame *f, struct luma_grid *out)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    if (!d || (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BE |
                           AV_PIX_FMT_FLAG_HWACCEL)))
        return ERR_UNSUPPORTED;
    bool is_deep = d->comp[0].depth > 8;
    if (d->comp[0].step != (is_deep ? 2 : 1) || d->comp[0].plane != 0 || d->comp[0].offset != 0)
        return ERR_UNSUPPORTED;
    int shift = d->comp[0].shift + d->comp[0].depth - 8;

    int longer = MAX(f->width, f->height);
    int cols = MAX(1, GRID_SIDE * f->width / longer), rows = MAX(1, GRID_SIDE * f->height / longer);
    if (cols > f->width || rows > f->height)
        return ERR_UNSUPPORTED; /* smaller than its grid */
    out->cols = (uint16_t)cols;
    out->rows = (uint16_t)rows;
    for (int by = 0; by < rows; by++) {
        uint32_t sums[GRID_SIDE] = {0};
        int y0 = by * f->height / rows, y1 = (by + 1) * f->height / rows;
        for (int y = y0; y < y1; y++) {
            const uint8_t *row = f->data[0] + (ptrdiff_t)y * f->linesize[0];
            for (int bx = 0; bx < cols; bx++)
                sums[bx] += sum_run(row, bx * f->width / cols, (bx + 1) * f->width / cols, is_deep,
                                    is_deep ? shift : 0);
        }
        for (int bx = 0; bx < cols; bx++) {
            uint32_t area =
                (uint32_t)((y1 - y0) * ((bx + 1) * f->width / cols - bx * f->width / cols));
            out->mean[by * cols + bx] = (uint16_t)MIN((uint64_t)sums[bx] * 256 / area, 65535);
        }
    }
    return 0;
}
