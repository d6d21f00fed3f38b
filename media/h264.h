/* H.264 facts (ISO/IEC 14496-10, 14496-15): NAL unit types, parameter sets, avcC.
 * Thread: pure functions on caller's bytes. */
#ifndef MEDIA_H264_H
#define MEDIA_H264_H

#include "base/buf.h"
#include "media/nal.h"

enum h264_nal {
    H264_NAL_SLICE = 1,
    H264_NAL_IDR = 5,
    H264_NAL_SEI = 6,
    H264_NAL_SPS = 7,
    H264_NAL_PPS = 8,
    H264_NAL_AUD = 9,
    H264_NAL_END_SEQUENCE = 10,
    H264_NAL_END_STREAM = 11,
    H264_NAL_FILLER = 12,
    H264_NAL_SLICE_AUX = 19,
    H264_NAL_SLICE_EXT = 20,
};

static inline unsigned h264_nal_type(uint8_t first_byte)
{
    return first_byte & 0x1f;
}

struct h264_sps {
    uint8_t profile, constraints, level;
    uint32_t id;
    uint32_t chroma_format, bit_depth_luma, bit_depth_chroma;
    int coded_width, coded_height;
    int width, height;  /* after cropping */
    bool is_interlaced; /* may hold field pictures */
    int reorder_frames; /* -1 = not said */
    double fps;         /* 0 = not said */
};

/* nal includes its header byte. 0 or ERR_PARSE; a broken VUI is forgiven. The first three values
 * are set whenever there are four bytes. */
int h264_read_sps(const uint8_t *nal, size_t n, struct h264_sps *out);

/* pic_parameter_set_id and the SPS it refers to. 0 or ERR_PARSE. */
int h264_read_pps(const uint8_t *nal, size_t n, uint32_t *out_id, uint32_t *out_sps_id);

/* An AVCDecoderConfigurationRecord of the SPS and PPS among sets; profile and level are those of
 * the first SPS. 0, or ERR_PARSE when an SPS or PPS is missing, ERR_TOO_BIG. */
int h264_write_config(const struct nal_span *sets, size_t n, struct buf *out);

/* Points at most cap parameter sets into the record; returns how many, or ERR_PARSE. */
int h264_read_config(const uint8_t *p, size_t n, struct nal_span *sets, size_t cap);

#endif
