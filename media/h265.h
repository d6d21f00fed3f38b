/* H.265 facts (ISO/IEC 23008-2, 14496-15): NAL unit types, parameter sets, hvcC.
 * Thread: pure functions on caller's bytes. */
#ifndef MEDIA_H265_H
#define MEDIA_H265_H

#include "base/buf.h"
#include "media/nal.h"

enum h265_nal {
    H265_NAL_IRAP_FIRST = 16, /* BLA_W_LP */
    H265_NAL_IRAP_LAST = 21,  /* CRA */
    H265_NAL_VCL_LAST = 31,
    H265_NAL_VPS = 32,
    H265_NAL_SPS = 33,
    H265_NAL_PPS = 34,
    H265_NAL_AUD = 35,
    H265_NAL_END_SEQUENCE = 36,
    H265_NAL_END_STREAM = 37,
    H265_NAL_FILLER = 38,
    H265_NAL_SEI_PREFIX = 39,
    H265_NAL_SEI_SUFFIX = 40,
};

static inline unsigned h265_nal_type(uint8_t first_byte)
{
    return (first_byte >> 1) & 0x3f;
}

struct h265_sps {
    uint8_t ptl[12]; /* general profile, tier, level as in hvcC */
    uint32_t id;
    uint32_t n_temporal_layers;
    bool is_temporal_nested;
    uint32_t chroma_format, bit_depth_luma, bit_depth_chroma;
    int coded_width, coded_height;
    int width, height; /* after cropping */
    int reorder_frames;
    double fps; /* 0 = not said */
};

/* nal includes its two header bytes. 0 or ERR_PARSE; what comes after the size is forgiven when
 * broken. ptl is set whenever it could be read. */
int h265_read_sps(const uint8_t *nal, size_t n, struct h265_sps *out);

/* The id of a VPS, SPS or PPS. 0 or ERR_PARSE. */
int h265_read_set_id(const uint8_t *nal, size_t n, uint32_t *out_id);

/* An HEVCDecoderConfigurationRecord of the VPS, SPS and PPS among sets. 0, or ERR_PARSE when one is
 * missing, ERR_TOO_BIG. */
int h265_write_config(const struct nal_span *sets, size_t n, struct buf *out);

/* Points at most cap parameter sets into the record; returns how many, or ERR_PARSE. */
int h265_read_config(const uint8_t *p, size_t n, struct nal_span *sets, size_t cap);

#endif
