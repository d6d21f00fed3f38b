/* The tone as AAC by libavcodec. */
#include <libavcodec/avcodec.h>

#include "reel.h"
#include "tone.h"

#define AAC_RATE    16000
#define AAC_SAMPLES 1024
/* A whole number of AAC frames near TONE_SECONDS, so that a lap has no break in time. */
#define LAP_FRAMES (TONE_SECONDS * AAC_RATE / AAC_SAMPLES)

static int drain(AVCodecContext *av, AVPacket *av_packet, struct reel *reel)
{
    int rc;
    while ((rc = avcodec_receive_packet(av, av_packet)) >= 0) {
        struct packet *pkt = packet_create((size_t)av_packet->size);
        if (!pkt)
            return ERR_TOO_BIG;
        pkt->format = format_ref(reel->format);
        memcpy(pkt->data, av_packet->data, (size_t)av_packet->size);
        pkt->size = (size_t)av_packet->size;
        pkt->dts = pkt->pts = (int64_t)reel->n_units * AAC_SAMPLES;
        rc = reel->n_units < LAP_FRAMES ? reel_append(reel, pkt) : 0;
        packet_unref(&pkt);
        av_packet_unref(av_packet);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int encode(AVCodecContext *av, AVFrame *frame, AVPacket *av_packet, struct reel *reel)
{
    int rc = 0;
    for (int64_t at = 0; rc >= 0 && at < LAP_FRAMES * AAC_SAMPLES; at += AAC_SAMPLES) {
        rc = av_frame_make_writable(frame);
        float *samples = (float *)(void *)frame->data[0];
        for (int i = 0; i < AAC_SAMPLES; i++)
            samples[i] = (float)tone_sample((uint64_t)(at + i), AAC_RATE);
        frame->pts = at;
        rc = avcodec_send_frame(av, frame);
        if (rc >= 0)
            rc = drain(av, av_packet, reel);
    }
    if (rc >= 0 && (rc = avcodec_send_frame(av, NULL)) >= 0)
        rc = drain(av, av_packet, reel);
    return rc;
}

int reel_tone_aac(struct reel **out, struct err *err)
{
    struct format *format = NULL;
    struct reel *reel = NULL;
    AVFrame *frame = av_frame_alloc();
    AVPacket *av_packet = av_packet_alloc();
    AVCodecContext *av = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_AAC));
    av->sample_rate = AAC_RATE;
    av->sample_fmt = AV_SAMPLE_FMT_FLTP;
    av->bit_rate = 32000;
    av->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
    av->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    int rc = avcodec_open2(av, NULL, NULL);
    if (rc >= 0) {
        frame->format = AV_SAMPLE_FMT_FLTP;
        frame->nb_samples = AAC_SAMPLES;
        av_channel_layout_copy(&frame->ch_layout, &av->ch_layout);
        rc = av_frame_get_buffer(frame, 0);
    }
    if (rc >= 0)
        rc = format_create_audio(CODEC_AAC, AAC_RATE, 1, av->extradata, (size_t)av->extradata_size,
                                 &format);
    if (rc >= 0) {
        reel = reel_create(format);
        rc = encode(av, frame, av_packet, reel);
    }
    if (rc >= 0)
        rc = reel_finish(reel, err);
    if (rc < 0) {
        reel_destroy(&reel);
        err_text(err, rc, "the AAC tone cannot be made");
    }
    format_unref(&format);
    avcodec_free_context(&av);
    av_frame_free(&frame);
    av_packet_free(&av_packet);
    *out = reel;
    return rc < 0 ? rc : 0;
}
