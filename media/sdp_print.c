#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "media/h264.h"
#include "media/h265.h"
#include "media/sdp.h"

static void put_base64(struct nal_span nal, struct buf *out)
{
    size_t cap = nal.n / 3 * 4 + 8;
    if (!buf_reserve(out, cap))
        return;
    out->len += base64_encode(nal.p, nal.n, (char *)out->data + out->len, cap);
}

static unsigned type_of(const struct format *f, struct nal_span nal)
{
    return f->codec == CODEC_H264 ? h264_nal_type(nal.p[0]) : h265_nal_type(nal.p[0]);
}

/* `;name=` and a comma-separated list of the sets of one type; nothing when there are none. */
static void put_sets(const struct format *f, const char *name, unsigned type, struct buf *out)
{
    struct nal_span sets[NAL_SETS_MAX];
    size_t n = format_sets(f, sets, ARRAY_LEN(sets));
    bool has_any = false;
    for (size_t i = 0; i < n; i++) {
        if (type_of(f, sets[i]) != type)
            continue;
        if (has_any)
            buf_puts(out, ",");
        else
            buf_printf(out, ";%s=", name);
        put_base64(sets[i], out);
        has_any = true;
    }
}

static void print_h264(const struct format *f, struct buf *out)
{
    buf_puts(out, "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1");
    if (f->config_size >= 4)
        buf_printf(out, ";profile-level-id=%02X%02X%02X", f->config[1], f->config[2], f->config[3]);
    struct nal_span sets[NAL_SETS_MAX];
    size_t n = format_sets(f, sets, ARRAY_LEN(sets));
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i == 0 ? ";sprop-parameter-sets=" : ",");
        put_base64(sets[i], out);
    }
    buf_puts(out, "\r\n");
}

static void print_h265(const struct format *f, struct buf *out)
{
    buf_puts(out, "a=rtpmap:96 H265/90000\r\na=fmtp:96 packetization-mode=1");
    put_sets(f, "sprop-vps", H265_NAL_VPS, out);
    put_sets(f, "sprop-sps", H265_NAL_SPS, out);
    put_sets(f, "sprop-pps", H265_NAL_PPS, out);
    buf_puts(out, "\r\n");
}

static void print_jpeg(const struct format *f, struct buf *out)
{
    buf_printf(out, "a=rtpmap:26 JPEG/90000\r\na=framesize:26 %d-%d\r\n", f->width, f->height);
}

static void print_audio(const struct format *f, struct buf *out)
{
    static const char *const names[] = {
        [CODEC_PCMA] = "PCMA", [CODEC_PCMU] = "PCMU", [CODEC_S16BE] = "L16", [CODEC_S16LE] = "PCM"};
    int pt = f->codec == CODEC_PCMU ? 0 : f->codec == CODEC_PCMA ? 8 : 97;
    buf_printf(out, "m=audio 0 RTP/AVP %d\r\n", pt);
    if (f->codec != CODEC_AAC) {
        buf_printf(out, "a=rtpmap:%d %s/%d/%d\r\n", pt, names[f->codec], f->sample_rate,
                   f->channels);
    } else {
        char hex[129];
        hex_encode(f->config, MIN(f->config_size, (size_t)64), hex);
        buf_printf(out,
                   "a=rtpmap:%d MPEG4-GENERIC/%d/%d\r\n"
                   "a=fmtp:%d streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;"
                   "indexlength=3;indexdeltalength=3;config=%s\r\n",
                   pt, f->sample_rate, f->channels, pt, hex);
    }
    buf_puts(out, "a=control:trackID=1\r\n");
}

void sdp_print(const struct format *video, const struct format *audio, const char *session_name,
               struct buf *out)
{
    buf_puts(out, "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=");
    buf_puts(out, session_name && session_name[0] ? session_name : "-");
    buf_puts(out, "\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\na=range:npt=now-\r\n");
    if (video) {
        buf_printf(out, "m=video 0 RTP/AVP %d\r\n", video->codec == CODEC_JPEG ? 26 : 96);
        if (video->codec == CODEC_JPEG)
            print_jpeg(video, out);
        else if (video->codec == CODEC_H264)
            print_h264(video, out);
        else
            print_h265(video, out);
        buf_puts(out, "a=control:trackID=0\r\n");
    }
    if (audio)
        print_audio(audio, out);
}
