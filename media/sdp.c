#include "media/sdp.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "media/aac.h"
#include "media/h264.h"
#include "media/h265.h"

#define MAX_FMTP 64    /* fmtp lines looked at */
#define MAX_SIDE 16384 /* points of a picture's width or height */

struct fmtp {
    int payload_type;
    size_t media; /* where it stood; SIZE_MAX = before the first media */
    struct span params;
};

struct parser {
    struct sdp *out;
    size_t n_fmtps;
    struct fmtp fmtps[MAX_FMTP];
};

/* --- lines --- */

static bool cut_u32(struct span *s, char sep, uint32_t *out)
{
    struct span head;
    uint64_t v;
    if (!span_cut(s, sep, &head) || !span_u64(span_trim(head), &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

/* The static table, for payload types without rtpmap (RFC 3551). */
static void set_static_type(struct sdp_media *m)
{
    static const struct {
        const char *name;
        int payload_type;
        uint32_t clock_rate;
    } types[] = {{"PCMU", 0, 8000},  {"G726-32", 2, 8000}, {"GSM", 3, 8000},   {"G723", 4, 8000},
                 {"PCMA", 8, 8000},  {"G722", 9, 8000},    {"L16", 10, 44100}, {"L16", 11, 44100},
                 {"MPA", 14, 90000}, {"G728", 15, 8000},   {"G729", 18, 8000}, {"JPEG", 26, 90000},
                 {"MP2T", 33, 90000}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].payload_type != m->payload_type)
            continue;
        str_copy(m->name, sizeof m->name, types[i].name);
        m->clock_rate = types[i].clock_rate;
        m->channels = types[i].payload_type == 10 ? 2 : 0;
    }
}

/* "video 0 RTP/AVP 96 97": the first payload type is the one a camera sends; ports, ranges and the
 * number of types do not matter (quirk D10). */
static void read_media(struct parser *p, struct span line)
{
    struct span kind, port, proto, type = {0};
    if (p->out->n_medias == SDP_MAX_MEDIAS)
        return;
    struct sdp_media *m = &p->out->medias[p->out->n_medias++];
    *m = (struct sdp_media){.payload_type = -1};
    if (!span_cut(&line, ' ', &kind) || !span_cut(&line, ' ', &port) ||
        !span_cut(&line, ' ', &proto))
        return;
    bool is_rtp = false;
    for (size_t i = 0; i + 4 <= proto.n; i++)
        is_rtp |= span_istarts((struct span){proto.p + i, proto.n - i}, "RTP/");
    line = span_trim(line);
    span_cut(&line, ' ', &type);
    uint64_t pt;
    if (!is_rtp || !span_u64(span_trim(type), &pt) || pt > 127)
        return;
    m->is_video = span_ieq(span_trim(kind), "video");
    m->is_audio = span_ieq(span_trim(kind), "audio");
    m->payload_type = (int)pt;
    set_static_type(m);
}

static void read_rtpmap(struct sdp_media *m, struct span value)
{
    uint32_t pt, v;
    struct span name;
    value = span_trim(value);
    if (!cut_u32(&value, ' ', &pt) || (int)pt != m->payload_type)
        return;
    value = span_trim(value);
    if (!span_cut(&value, '/', &name))
        return;
    span_copy(span_trim(name), m->name, sizeof m->name);
    m->clock_rate = cut_u32(&value, '/', &v) ? v : 0;
    m->channels = cut_u32(&value, '/', &v) && v <= 8 ? (int)v : 0;
}

static void read_fmtp(struct parser *p, struct span value)
{
    uint32_t pt;
    value = span_trim(value);
    if (p->n_fmtps == MAX_FMTP || !cut_u32(&value, ' ', &pt) || pt > 127 || span_trim(value).n == 0)
        return;
    p->fmtps[p->n_fmtps++] = (struct fmtp){(int)pt, p->out->n_medias - 1, span_trim(value)};
}

/* "26 3840-2160" (framesize, 3GPP TS 26.234) or "3840,2160" (x-dimensions). */
static void read_size(struct sdp_media *m, struct span value, char sep)
{
    uint32_t width, height;
    value = span_trim(value);
    if (!cut_u32(&value, sep, &width) || !cut_u32(&value, ' ', &height) || width == 0 ||
        height == 0 || width > MAX_SIDE || height > MAX_SIDE)
        return;
    m->width = (int)width;
    m->height = (int)height;
}

static void read_framesize(struct sdp_media *m, struct span value)
{
    uint32_t pt;
    value = span_trim(value);
    if (cut_u32(&value, ' ', &pt) && (int)pt == m->payload_type)
        read_size(m, value, '-');
}

static void read_attribute(struct parser *p, struct span line)
{
    struct sdp *out = p->out;
    struct sdp_media *m = out->n_medias > 0 ? &out->medias[out->n_medias - 1] : NULL;
    struct span key = {0};
    span_cut(&line, ':', &key);
    key = span_trim(key);
    if (span_ieq(key, "control"))
        span_copy(span_trim(line), m ? m->control : out->control, SDP_MAX_CONTROL);
    else if (span_ieq(key, "fmtp"))
        read_fmtp(p, line);
    else if (span_ieq(key, "tool") && !out->tool[0])
        span_copy(span_trim(line), out->tool, sizeof out->tool);
    else if (m && span_ieq(key, "rtpmap"))
        read_rtpmap(m, line);
    else if (m && span_ieq(key, "framesize"))
        read_framesize(m, line);
    else if (m && span_ieq(key, "x-dimensions"))
        read_size(m, line, ',');
    else if (m && span_ieq(key, "sendonly"))
        m->is_sendonly = true;
}

/* --- codecs --- */

static enum codec codec_of(const char *name)
{
    static const struct {
        const char *name;
        enum codec codec;
    } names[] = {{"H264", CODEC_H264}, {"H265", CODEC_H265},         {"HEVC", CODEC_H265},
                 {"JPEG", CODEC_JPEG}, {"MPEG4-GENERIC", CODEC_AAC}, {"PCMA", CODEC_PCMA},
                 {"PCMU", CODEC_PCMU}, {"L16", CODEC_S16BE},         {"PCM", CODEC_S16LE}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_ieq(span_of(name), names[i].name))
            return names[i].codec;
    }
    return CODEC_NONE;
}

/* Parameters of a media's payload type; its own section first, then anywhere (quirk D4). */
static const struct fmtp *next_fmtp(const struct parser *p, size_t media, const struct fmtp *after)
{
    const struct fmtp *end = p->fmtps + p->n_fmtps;
    int pt = p->out->medias[media].payload_type;
    for (const struct fmtp *f = after ? after + 1 : p->fmtps; f < end; f++) {
        if (f->payload_type == pt && f->media == media)
            return f;
    }
    if (after)
        return NULL;
    for (const struct fmtp *f = p->fmtps; f < end; f++) {
        if (f->payload_type == pt)
            return f;
    }
    return NULL;
}

static bool next_param(struct span *params, struct span *key, struct span *value)
{
    struct span item;
    while (span_cut(params, ';', &item)) {
        item = span_trim(item);
        if (!memchr(item.p, '=', item.n))
            continue;
        span_cut(&item, '=', key);
        *key = span_trim(*key);
        *value = span_trim(item);
        return true;
    }
    return false;
}

/* Parameter sets found in the description; the bytes live in store. */
struct found_sets {
    struct nal_span sets[NAL_SETS_MAX];
    size_t n;
    size_t used;
    uint8_t store[FORMAT_CONFIG_MAX_BYTES];
};

static bool is_set(enum codec codec, struct nal_span nal)
{
    uint32_t id, sps_id;
    struct h264_sps sps;
    if (codec == CODEC_H264) {
        switch (h264_nal_type(nal.p[0])) {
        case H264_NAL_SPS:
            return h264_read_sps(nal.p, nal.n, &sps) >= 0;
        case H264_NAL_PPS:
            return h264_read_pps(nal.p, nal.n, &id, &sps_id) >= 0;
        default:
            return false;
        }
    }
    unsigned type = h265_nal_type(nal.p[0]);
    return type >= H265_NAL_VPS && type <= H265_NAL_PPS && h265_read_set_id(nal.p, nal.n, &id) >= 0;
}

/* A comma-separated list of base64; start codes in front, between or behind are cut away and what
 * is no parameter set is left out (quirk D7). */
static void add_sets(enum codec codec, struct span list, struct found_sets *found)
{
    struct span one;
    while (span_cut(&list, ',', &one)) {
        uint8_t *dst = found->store + found->used;
        int64_t n = base64_decode(span_trim(one), dst, sizeof found->store - found->used);
        struct nal_span nal;
        size_t pos = 0;
        if (n <= 0)
            continue;
        found->used += (size_t)n;
        while (found->n < NAL_SETS_MAX && nal_next(dst, (size_t)n, &pos, &nal)) {
            if (is_set(codec, nal))
                found->sets[found->n++] = nal;
        }
    }
}

static void finish_video(const struct parser *p, size_t media)
{
    struct sdp_media *m = &p->out->medias[media];
    struct found_sets found = {.n = 0};
    struct span params, key, value;
    m->clock_rate = 90000; /* whatever is written (quirk T8) */
    if (m->codec == CODEC_JPEG) {
        m->format = m->width > 0 ? format_create_jpeg(m->width, m->height) : NULL;
        return;
    }
    for (const struct fmtp *f = NULL; (f = next_fmtp(p, media, f));) {
        for (params = f->params; next_param(&params, &key, &value);) {
            uint64_t v;
            if (span_ieq(key, "sprop-parameter-sets") || span_ieq(key, "sprop-vps") ||
                span_ieq(key, "sprop-sps") || span_ieq(key, "sprop-pps"))
                add_sets(m->codec, value, &found);
            else if (span_ieq(key, "sprop-max-don-diff") && span_u64(value, &v) && v <= 32767)
                m->max_don_diff = (int)v;
        }
    }
    format_create_sets(m->codec, found.sets, found.n, &m->format);
}

static void read_aac_param(struct sdp_media *m, struct span key, struct span value,
                           struct span *config)
{
    uint64_t v;
    if (span_ieq(key, "config"))
        *config = value;
    else if (span_ieq(key, "sizelength") && span_u64(value, &v) && v <= 32)
        m->aac_size_length = (int)v;
    else if (span_ieq(key, "indexlength") && span_u64(value, &v) && v <= 32)
        m->aac_index_length = (int)v;
    else if (span_ieq(key, "indexdeltalength") && span_u64(value, &v) && v <= 32)
        m->aac_index_delta_length = (int)v;
}

static size_t decode_hex(struct span s, uint8_t *dst, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i + 2 <= s.n && n < cap; i += 2) {
        uint64_t v;
        if (!span_hex_u64((struct span){s.p + i, 2}, &v))
            return 0;
        dst[n++] = (uint8_t)v;
    }
    return n;
}

static void finish_audio(const struct parser *p, size_t media)
{
    struct sdp_media *m = &p->out->medias[media];
    struct span params, key, value, config = {0};
    uint8_t bytes[64];
    size_t n = 0;
    if (m->codec == CODEC_AAC) {
        for (const struct fmtp *f = NULL; (f = next_fmtp(p, media, f));) {
            for (params = f->params; next_param(&params, &key, &value);)
                read_aac_param(m, key, value, &config);
        }
        n = decode_hex(config, bytes, sizeof bytes);
    }
    int rate = m->clock_rate > 0 && m->clock_rate <= 192000 ? (int)m->clock_rate : 8000;
    m->clock_rate = (uint32_t)rate;
    if (format_create_audio(m->codec, rate, m->channels, bytes, n, &m->format) < 0)
        format_create_audio(m->codec, rate, m->channels, NULL, 0, &m->format);
    if (m->format || !codec_is_s16(m->codec))
        return;
    m->codec = CODEC_NONE; /* named with what it is that cannot be carried */
    size_t length = strlen(m->name);
    snprintf(m->name + length, sizeof m->name - length, "/%d/%d", rate, MAX(m->channels, 1));
}

int sdp_parse(struct span text, struct sdp *out, struct err *err)
{
    struct parser p = {.out = out};
    struct span line;
    *out = (struct sdp){0};
    while (span_line(&text, &line)) {
        line = span_trim(line);
        if (line.n < 2 || line.p[1] != '=')
            continue;
        struct span value = {line.p + 2, line.n - 2};
        if (line.p[0] == 'm')
            read_media(&p, value);
        else if (line.p[0] == 'a')
            read_attribute(&p, value);
    }
    if (out->n_medias == 0)
        return err_text(err, ERR_PARSE, "session description without any media");
    for (size_t i = 0; i < out->n_medias; i++) {
        struct sdp_media *m = &out->medias[i];
        enum codec codec = codec_of(m->name);
        if (codec_is_video(codec) ? m->is_video : m->is_audio)
            m->codec = codec;
        if (m->codec != CODEC_NONE && codec_is_video(m->codec))
            finish_video(&p, i);
        else if (m->codec != CODEC_NONE)
            finish_audio(&p, i);
    }
    return 0;
}

void sdp_fini(struct sdp *sdp)
{
    for (size_t i = 0; i < sdp->n_medias; i++)
        format_unref(&sdp->medias[i].format);
    sdp->n_medias = 0;
}
