/* Software decoding of one key frame, inside rookery-worker only.
 * Thread: pure functions; nothing is kept between two pictures, so that no camera's picture can
 * leak into another's through error concealment. */
#ifndef ANALYSIS_AV_DECODE_H
#define ANALYSIS_AV_DECODE_H

#include "analysis/motion.h"
#include "base/buf.h"
#include "media/format.h"

struct AVFrame;

struct av_input {
    enum codec codec;
    const uint8_t *config; /* avcC or hvcC; JPEG has none */
    size_t config_size;
    const uint8_t *data; /* length-prefixed NAL units of one access unit, or a JPEG image */
    size_t size;
    bool is_fast; /* no deblocking, and damaged pictures are refused */
};

/* The decoder says nothing on standard error: what it would say comes from hostile bytes. */
void av_be_quiet(void);

/* ERR_PARSE when no picture comes out. The caller frees it with av_picture_free. */
int av_decode(const struct av_input *in, struct AVFrame **out);
void av_picture_free(struct AVFrame **f);

/* Block means of luma; ERR_UNSUPPORTED for pixel formats without a luma plane. */
int av_grid(const struct AVFrame *f, struct luma_grid *out);

/* JPEG file at most max_width wide (0 = as it is). */
int av_jpeg(const struct AVFrame *f, int max_width, struct buf *out);

#endif
