#include "media/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "media/aac.h"
#include "media/h264.h"
#include "media/h265.h"

#define VIDEO_TIMESCALE 90000
#define MAX_REORDER     16

/* What cameras send and every player takes. */
#define S16_RATE_MIN     8000
#define S16_RATE_MAX     48000
#define S16_CHANNELS_MAX 2

const char *codec_name(enum codec c)
{
    switch (c) {
    case CODEC_NONE:
        return "none";
    case CODEC_H264:
        return "h264";
    case CODEC_H265:
        return "h265";
    case CODEC_JPEG:
        return "jpeg";
    case CODEC_AAC:
        return "aac";
    case CODEC_PCMA:
        return "pcma";
    case CODEC_PCMU:
        return "pcmu";
    case CODEC_S16BE:
        return "s16be";
    case CODEC_S16LE:
        return "s16le";
    }
    return "none";
}

const char *codec_title(enum codec c)
{
    switch (c) {
    case CODEC_NONE:
        return "unknown";
    case CODEC_H264:
        return "H.264";
    case CODEC_H265:
        return "H.265";
    case CODEC_JPEG:
        return "MJPEG";
    case CODEC_AAC:
        return "AAC";
    case CODEC_PCMA:
    case CODEC_PCMU:
        return "G.711";
    case CODEC_S16BE:
    case CODEC_S16LE:
        return "PCM";
    }
    return "unknown";
}

static struct format *create(enum codec codec, uint8_t *config, size_t config_size)
{
    struct format *f = xcalloc(1, sizeof *f);
    refcount_init(&f->refs);
    f->codec = codec;
    f->config = config;
    f->config_size = config_size;
    return f;
}

static const struct nal_span *find_sps(enum codec codec, const struct nal_span *sets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (sets[i].n == 0)
            continue;
        if (codec == CODEC_H264 ? h264_nal_type(sets[i].p[0]) == H264_NAL_SPS
                                : h265_nal_type(sets[i].p[0]) == H265_NAL_SPS)
            return &sets[i];
    }
    return NULL;
}

static void describe_h264(struct format *f, struct nal_span nal)
{
    struct h264_sps sps;
    if (h264_read_sps(nal.p, nal.n, &sps) >= 0) {
        f->width = sps.width;
        f->height = sps.height;
        f->reorder_frames = CLAMP(sps.reorder_frames, 0, MAX_REORDER);
        f->fps = sps.fps;
    }
    snprintf(f->codec_string, sizeof f->codec_string, "avc1.%02X%02X%02X", sps.profile,
             sps.constraints, sps.level);
}

static uint32_t reverse_bits(uint32_t v)
{
    uint32_t r = 0;
    for (int i = 0; i < 32; i++)
        r |= (v >> i & 1) << (31 - i);
    return r;
}

/* ISO/IEC 14496-15 E.3. */
static void describe_h265(struct format *f, struct nal_span nal)
{
    struct h265_sps sps;
    if (h265_read_sps(nal.p, nal.n, &sps) >= 0) {
        f->width = sps.width;
        f->height = sps.height;
        f->reorder_frames = CLAMP(sps.reorder_frames, 0, MAX_REORDER);
        f->fps = sps.fps;
    }
    static const char *const spaces[] = {"", "A", "B", "C"};
    char *s = f->codec_string;
    size_t cap = sizeof f->codec_string;
    int n =
        snprintf(s, cap, "hvc1.%s%u.%X.%c%u", spaces[sps.ptl[0] >> 6], sps.ptl[0] & 0x1fu,
                 reverse_bits(get_be32(sps.ptl + 1)), sps.ptl[0] & 0x20 ? 'H' : 'L', sps.ptl[11]);
    int n_constraints = 6;
    while (n_constraints > 0 && sps.ptl[4 + n_constraints] == 0)
        n_constraints--;
    for (int i = 0; i < n_constraints && n > 0 && (size_t)n < cap; i++)
        n += snprintf(s + n, cap - (size_t)n, ".%X", sps.ptl[5 + i]);
}

static struct format *create_video(enum codec codec, const struct nal_span *sps, uint8_t *config,
                                   size_t config_size)
{
    struct format *f = create(codec, config, config_size);
    f->timescale = VIDEO_TIMESCALE;
    if (sps && codec == CODEC_H264)
        describe_h264(f, *sps);
    else if (sps)
        describe_h265(f, *sps);
    else
        snprintf(f->codec_string, sizeof f->codec_string, codec == CODEC_H264 ? "avc1" : "hvc1");
    return f;
}

int format_create_sets(enum codec codec, const struct nal_span *sets, size_t n, struct format **out)
{
    if (!codec_has_nals(codec))
        return ERR_UNSUPPORTED;
    struct buf config;
    buf_init(&config, FORMAT_CONFIG_MAX_BYTES);
    int rc = codec == CODEC_H264 ? h264_write_config(sets, n, &config)
                                 : h265_write_config(sets, n, &config);
    if (rc < 0) {
        buf_fini(&config);
        return rc;
    }
    size_t size;
    uint8_t *bytes = buf_steal(&config, &size);
    *out = create_video(codec, find_sps(codec, sets, n), bytes, size);
    return 0;
}

int format_create_video(enum codec codec, struct nal_span vps, struct nal_span sps,
                        struct nal_span pps, struct format **out)
{
    struct nal_span sets[3];
    size_t n = 0;
    if (codec == CODEC_H265)
        sets[n++] = vps;
    sets[n++] = sps;
    sets[n++] = pps;
    return format_create_sets(codec, sets, n, out);
}

struct format *format_create_jpeg(int width, int height)
{
    struct format *f = create(CODEC_JPEG, NULL, 0);
    f->timescale = VIDEO_TIMESCALE;
    f->width = width;
    f->height = height;
    snprintf(f->codec_string, sizeof f->codec_string, "mp4v.6C");
    return f;
}

size_t format_sets(const struct format *f, struct nal_span *sets, size_t cap)
{
    int n = 0;
    if (f->codec == CODEC_H264)
        n = h264_read_config(f->config, f->config_size, sets, cap);
    else if (f->codec == CODEC_H265)
        n = h265_read_config(f->config, f->config_size, sets, cap);
    return n > 0 ? (size_t)n : 0;
}

static const char *plain_codec_string(enum codec codec)
{
    switch (codec) {
    case CODEC_PCMA:
        return "alaw";
    case CODEC_PCMU:
        return "ulaw";
    case CODEC_S16BE:
        return "twos";
    case CODEC_S16LE:
        return "sowt";
    case CODEC_NONE:
    case CODEC_H264:
    case CODEC_H265:
    case CODEC_JPEG:
    case CODEC_AAC:
        break;
    }
    return NULL;
}

static bool is_s16_in_bounds(int sample_rate, int channels)
{
    return sample_rate >= S16_RATE_MIN && sample_rate <= S16_RATE_MAX &&
           channels <= S16_CHANNELS_MAX;
}

int format_create_audio(enum codec codec, int sample_rate, int channels, const uint8_t *config,
                        size_t config_size, struct format **out)
{
    uint8_t made[AAC_CONFIG_MAX_BYTES];
    struct aac_config aac = {.object_type = 2};
    if (codec != CODEC_AAC && !plain_codec_string(codec))
        return ERR_UNSUPPORTED;
    if (config_size > FORMAT_CONFIG_MAX_BYTES)
        return ERR_TOO_BIG;
    if (codec == CODEC_AAC && config_size > 0) {
        if (aac_read_config(config, config_size, &aac) < 0)
            return ERR_PARSE;
        sample_rate = aac.sample_rate;
        channels = aac.channels ? aac.channels : channels;
    }
    sample_rate = sample_rate > 0 ? sample_rate : 8000;
    channels = channels > 0 ? channels : 1;
    if (codec_is_s16(codec) && !is_s16_in_bounds(sample_rate, channels))
        return ERR_UNSUPPORTED;
    if (codec == CODEC_AAC && config_size == 0) {
        config_size = aac_write_config(sample_rate, channels, made);
        config = made;
    }
    uint8_t *copy = NULL;
    if (codec == CODEC_AAC) {
        copy = xmalloc(config_size);
        memcpy(copy, config, config_size);
    }
    struct format *f = create(codec, copy, copy ? config_size : 0);
    f->timescale = (uint32_t)sample_rate;
    f->sample_rate = sample_rate;
    f->channels = channels;
    if (codec == CODEC_AAC)
        snprintf(f->codec_string, sizeof f->codec_string, "mp4a.40.%d", aac.object_type);
    else
        str_copy(f->codec_string, sizeof f->codec_string, plain_codec_string(codec));
    *out = f;
    return 0;
}

size_t format_moment_bytes(const struct format *f)
{
    size_t sample = codec_is_s16(f->codec) ? 2 : 1;
    return plain_codec_string(f->codec) ? sample * (size_t)f->channels : 0;
}

int format_create_config(enum codec codec, const uint8_t *config, size_t config_size, int width,
                         int height, int sample_rate, int channels, struct format **out)
{
    if (!codec_is_video(codec))
        return format_create_audio(codec, sample_rate, channels, config, config_size, out);
    if (codec == CODEC_JPEG) {
        *out = format_create_jpeg(width, height);
        return 0;
    }
    struct nal_span sets[NAL_SETS_MAX];
    if (config_size > FORMAT_CONFIG_MAX_BYTES)
        return ERR_TOO_BIG;
    int n = codec == CODEC_H264 ? h264_read_config(config, config_size, sets, ARRAY_LEN(sets))
                                : h265_read_config(config, config_size, sets, ARRAY_LEN(sets));
    if (n < 0 && config_size > 0)
        return ERR_PARSE;
    uint8_t *copy = xmalloc(MAX(config_size, (size_t)1));
    if (config_size > 0)
        memcpy(copy, config, config_size);
    struct format *f =
        create_video(codec, n > 0 ? find_sps(codec, sets, (size_t)n) : NULL, copy, config_size);
    if (f->width == 0) {
        f->width = width;
        f->height = height;
    }
    *out = f;
    return 0;
}

struct format *format_ref(struct format *f)
{
    refcount_inc(&f->refs);
    return f;
}

void format_unref(struct format **f)
{
    struct format *p = *f;
    *f = NULL;
    if (!p || !refcount_dec(&p->refs))
        return;
    free(p->config);
    free(p);
}

bool format_eq(const struct format *a, const struct format *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->codec != b->codec || a->config_size != b->config_size)
        return false;
    if (a->config_size > 0)
        return memcmp(a->config, b->config, a->config_size) == 0;
    return a->timescale == b->timescale && a->channels == b->channels && a->width == b->width &&
           a->height == b->height;
}
