/* H.264, H.265 and JPEG encoding by libavcodec (libx264, libx265, mjpeg).
 * Thread: belongs to one owner. */
#ifndef RIG_AV_ENCODE_H
#define RIG_AV_ENCODE_H

#include "base/err.h"
#include "media/packet.h"
#include "picture.h"

struct encoder;

struct encoder_params {
    enum codec codec;    /* CODEC_H264, CODEC_H265 or CODEC_JPEG */
    int width, height;   /* even */
    int fps_milli;       /* 25000 = 25 per second */
    int gop;             /* pictures from key frame to key frame */
    int64_t bitrate_bps; /* JPEG has one quality, whatever it takes */
    int n_slices;        /* of each picture, H.264 only; 0 = one */
    int n_b_frames;      /* between two others, at most; looped only */
    bool is_live;        /* as cheap as it gets; else a little better for the same bits */
};
int encoder_open(const struct encoder_params *params, struct encoder **out, struct err *err);
void encoder_close(struct encoder **e);

struct format *encoder_format(const struct encoder *e); /* borrowed */

/* The picture to draw into before encoder_encode; valid until then. */
struct picture *encoder_picture(struct encoder *e);

/* Encodes that picture as number `frame` (ascending). Packets come before it returns, in ticks of
 * 90 kHz; the callee borrows them. frame < 0 flushes what is still inside. */
typedef void encoder_fn(void *ctx, const struct packet *pkt);
int encoder_encode(struct encoder *e, int64_t frame, bool wants_key, encoder_fn *fn, void *ctx);

#endif
