/* What a decoder must know before the first packet of a track: codec, size, parameter sets.
 * Refcounted and immutable after creation. Thread: ref, unref and reading from any thread. */
#ifndef MEDIA_FORMAT_H
#define MEDIA_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

enum codec {
    CODEC_NONE,
    CODEC_H264,
    CODEC_H265,
    CODEC_JPEG, /* every picture an image of its own ("MJPEG") */
    CODEC_AAC,
    CODEC_PCMA,  /* G.711 A-law, 8 kHz */
    CODEC_PCMU,  /* G.711 mu-law, 8 kHz */
    CODEC_S16BE, /* 16-bit samples, the upper byte first: L16 */
    CODEC_S16LE, /* the lower byte first: what cameras call PCM */
};

#define FORMAT_CONFIG_MAX_BYTES (16u << 10)

struct format {
    struct refcount refs;
    enum codec codec;
    uint32_t
        timescale; /* ticks per second of packet times: 90000 for video, sample rate for audio */
    int width, height;     /* after cropping; 0 = unknown (unreadable SPS is not fatal) */
    int sample_rate;       /* audio */
    int channels;          /* audio */
    int reorder_frames;    /* video: most pictures that may be output late; 0 = no B-frames */
    double fps;            /* from VUI timing; 0 = unknown; never trusted for time */
    char codec_string[32]; /* RFC 6381: "avc1.640028", "hvc1.1.6.L120.90", "mp4v.6C" (JPEG),
                              "mp4a.40.2", "alaw", "ulaw", "twos" (S16BE), "sowt" (S16LE) */
    size_t
        config_size; /* avcC / hvcC record without box header, or AudioSpecificConfig; may be 0 */
    uint8_t *config;
};

static inline bool codec_is_video(enum codec c)
{
    return c == CODEC_H264 || c == CODEC_H265 || c == CODEC_JPEG;
}
/* Access units are NAL units, which need parameter sets. */
static inline bool codec_has_nals(enum codec c)
{
    return c == CODEC_H264 || c == CODEC_H265;
}
/* 16-bit samples as they are. */
static inline bool codec_is_s16(enum codec c)
{
    return c == CODEC_S16BE || c == CODEC_S16LE;
}
const char *codec_name(enum codec c); /* "h264", "h265", "jpeg", "aac", "pcma", "pcmu", "s16be",
                                         "s16le", "none" */
/* For people: "H.264", "H.265", "MJPEG", "AAC", "G.711", "PCM". */
const char *codec_title(enum codec c);

/* From raw parameter sets (NAL units without start code). vps is ignored for H.264. Fails with
 * ERR_PARSE only when sps or pps (and vps for H.265) is missing; an SPS that cannot be read gives
 * size 0. */
struct nal_span {
    const uint8_t *p;
    size_t n;
};
int format_create_video(enum codec codec, struct nal_span vps, struct nal_span sps,
                        struct nal_span pps, struct format **out);

/* The same from any number of parameter sets in any order; the first SPS is the one that is read.
 */
int format_create_sets(enum codec codec, const struct nal_span *sets, size_t n,
                       struct format **out);

/* Images of this size; every picture brings its own tables. */
struct format *format_create_jpeg(int width, int height);

/* The parameter sets of a video format, pointing into its config; returns how many (0 = none). */
size_t format_sets(const struct format *f, struct nal_span *sets, size_t cap);

/* sample_rate or channels 0: taken from an AAC config, else 8000 and 1. AAC without config gets the
 * one that the rate and channels stand for. ERR_UNSUPPORTED for S16BE and S16LE outside of 8000 to
 * 48000 Hz and of 1 or 2 channels. */
int format_create_audio(enum codec codec, int sample_rate, int channels, const uint8_t *config,
                        size_t config_size, struct format **out);

/* Bytes that one moment takes in sound without frames (G.711, 16-bit samples); 0 = it has frames.
 */
size_t format_moment_bytes(const struct format *f);

/* From a stored decoder configuration record (avcC, hvcC, none for JPEG, or AudioSpecificConfig).
 */
int format_create_config(enum codec codec, const uint8_t *config, size_t config_size, int width,
                         int height, int sample_rate, int channels, struct format **out);

struct format *format_ref(struct format *f);
void format_unref(struct format **f);

/* Same codec and the same bytes of configuration; without any: the same size, rate and channels. */
bool format_eq(const struct format *a, const struct format *b);

/* Whether a track whose sample entry was written from `entry` may go on with `next`, its parameter
 * sets in the stream (ISO/IEC 14496-15: sample entries avc3 and hev1 may have them there). That is
 * so when the decoder configuration record promises nothing that `next` does not keep (5.3.3.1.2,
 * 8.3.3.1.2: profile, flags and level hold for all parameter sets): the same codec, profile, tier,
 * coded and shown size, chroma and bit depth, no flag fewer, and no higher level. Sets that cannot
 * be read are compatible with none but their like. Audio is compatible only when it is equal. */
bool format_is_compatible(const struct format *entry, const struct format *next);

#endif
