/* The boxes that fragmented and plain files have in common. Clauses are of ISO/IEC 14496-12. */
#include "media/fmp4_priv.h"

size_t fmp4__box(struct buf *b, uint32_t type)
{
    size_t mark = b->len;
    buf_put_be32(b, 0);
    buf_put_be32(b, type);
    return mark;
}

size_t fmp4__full_box(struct buf *b, uint32_t type, unsigned version, uint32_t flags)
{
    size_t mark = fmp4__box(b, type);
    buf_put_be32(b, version << 24 | flags);
    return mark;
}

void fmp4__end(struct buf *b, size_t mark)
{
    if (!b->is_failed)
        buf_set_be32(b, mark, (uint32_t)(b->len - mark));
}

void fmp4__zeros(struct buf *b, size_t n)
{
    static const uint8_t zeros[64];
    for (; n > sizeof zeros; n -= sizeof zeros)
        buf_append(b, zeros, sizeof zeros);
    buf_append(b, zeros, n);
}

void fmp4__ftyp(struct buf *b, bool is_fragmented)
{
    size_t box = fmp4__box(b, FMP4_TYPE('f', 't', 'y', 'p'));
    buf_append(b, is_fragmented ? "iso6" : "isom", 4);
    buf_put_be32(b, 0x200);
    buf_puts(b, is_fragmented ? "iso6cmfcmp41" : "isomiso2mp41");
    fmp4__end(b, box);
}

static uint64_t mac_s(int64_t wall_us)
{
    return wall_us > 0 ? (uint64_t)(wall_us / 1000000) + FMP4_MAC_OFFSET_S : 0;
}

static void put_matrix(struct buf *b)
{
    static const uint32_t unity[9] = {0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000};
    for (size_t i = 0; i < 9; i++)
        buf_put_be32(b, unity[i]);
}

/* 8.2.2 */
void fmp4__mvhd(struct buf *b, uint64_t duration, int64_t wall_us)
{
    size_t box = fmp4__full_box(b, FMP4_TYPE('m', 'v', 'h', 'd'), 1, 0);
    buf_put_be64(b, mac_s(wall_us));
    buf_put_be64(b, mac_s(wall_us));
    buf_put_be32(b, FMP4_MOVIE_TIMESCALE);
    buf_put_be64(b, duration);
    buf_put_be32(b, 0x10000); /* rate 1 */
    buf_put_be16(b, 0x100);   /* volume 1 */
    fmp4__zeros(b, 10);
    put_matrix(b);
    fmp4__zeros(b, 24);
    buf_put_be32(b, FMP4_TRACK_AUDIO + 1); /* next track */
    fmp4__end(b, box);
}

/* 8.3.2 */
void fmp4__tkhd(struct buf *b, uint32_t track, const struct format *f, uint64_t duration,
                int64_t wall_us)
{
    bool is_video = codec_is_video(f->codec);
    size_t box = fmp4__full_box(b, FMP4_TYPE('t', 'k', 'h', 'd'), 1, 3); /* enabled, in movie */
    buf_put_be64(b, mac_s(wall_us));
    buf_put_be64(b, mac_s(wall_us));
    buf_put_be32(b, track);
    buf_put_be32(b, 0);
    buf_put_be64(b, duration);
    fmp4__zeros(b, 8);
    buf_put_be16(b, 0);
    buf_put_be16(b, is_video ? 0 : 1); /* alternate group */
    buf_put_be16(b, is_video ? 0 : 0x100);
    buf_put_be16(b, 0);
    put_matrix(b);
    buf_put_be32(b, is_video ? (uint32_t)f->width << 16 : 0);
    buf_put_be32(b, is_video ? (uint32_t)f->height << 16 : 0);
    fmp4__end(b, box);
}

/* 8.4.2, 8.4.3 */
void fmp4__mdia_head(struct buf *b, const struct format *f, uint64_t duration, int64_t wall_us)
{
    bool is_video = codec_is_video(f->codec);
    size_t box = fmp4__full_box(b, FMP4_TYPE('m', 'd', 'h', 'd'), 1, 0);
    buf_put_be64(b, mac_s(wall_us));
    buf_put_be64(b, mac_s(wall_us));
    buf_put_be32(b, f->timescale);
    buf_put_be64(b, duration);
    buf_put_be16(b, 0x55c4); /* und */
    buf_put_be16(b, 0);
    fmp4__end(b, box);

    box = fmp4__full_box(b, FMP4_TYPE('h', 'd', 'l', 'r'), 0, 0);
    buf_put_be32(b, 0);
    buf_puts(b, is_video ? "vide" : "soun");
    fmp4__zeros(b, 12);
    buf_append(b, is_video ? "video" : "audio", 6);
    fmp4__end(b, box);
}

void fmp4__minf_head(struct buf *b, const struct format *f)
{
    size_t box;
    if (codec_is_video(f->codec)) {
        box = fmp4__full_box(b, FMP4_TYPE('v', 'm', 'h', 'd'), 0, 1);
        fmp4__zeros(b, 8);
    } else {
        box = fmp4__full_box(b, FMP4_TYPE('s', 'm', 'h', 'd'), 0, 0);
        fmp4__zeros(b, 4);
    }
    fmp4__end(b, box);

    box = fmp4__box(b, FMP4_TYPE('d', 'i', 'n', 'f'));
    size_t dref = fmp4__full_box(b, FMP4_TYPE('d', 'r', 'e', 'f'), 0, 0);
    buf_put_be32(b, 1);
    size_t url = fmp4__full_box(b, FMP4_TYPE('u', 'r', 'l', ' '), 0, 1); /* in this file */
    fmp4__end(b, url);
    fmp4__end(b, dref);
    fmp4__end(b, box);
}

/* ISO/IEC 14496-14 5.6, descriptors of 14496-1 7.2.6 with one-byte lengths. `kind` is an object
 * type of 14496-1 table 5, `stream` a stream type of table 6 with its flags. */
static void put_esds(struct buf *b, uint32_t track, uint8_t kind, uint8_t stream,
                     const struct format *f)
{
    uint8_t config = (uint8_t)f->config_size;
    uint8_t info = config > 0 ? 2 + config : 0;
    size_t box = fmp4__full_box(b, FMP4_TYPE('e', 's', 'd', 's'), 0, 0);
    buf_put_u8(b, 3); /* ES_Descriptor */
    buf_put_u8(b, (uint8_t)(3 + 2 + 13 + info + 3));
    buf_put_be16(b, (uint16_t)track);
    buf_put_u8(b, 0);
    buf_put_u8(b, 4); /* DecoderConfigDescriptor */
    buf_put_u8(b, (uint8_t)(13 + info));
    buf_put_u8(b, kind);
    buf_put_u8(b, stream);
    buf_put_be24(b, 0);
    buf_put_be32(b, 0);
    buf_put_be32(b, 0);
    if (config > 0) {
        buf_put_u8(b, 5); /* DecoderSpecificInfo */
        buf_put_u8(b, config);
        buf_append(b, f->config, config);
    }
    buf_put_u8(b, 6); /* SLConfigDescriptor */
    buf_put_u8(b, 1);
    buf_put_u8(b, 2);
    fmp4__end(b, box);
}

static uint32_t video_type(const struct format *f, bool is_inband)
{
    if (f->codec == CODEC_JPEG)
        return FMP4_TYPE('m', 'p', '4', 'v');
    if (f->codec == CODEC_H264)
        return is_inband ? FMP4_TYPE('a', 'v', 'c', '3') : FMP4_TYPE('a', 'v', 'c', '1');
    return is_inband ? FMP4_TYPE('h', 'e', 'v', '1') : FMP4_TYPE('h', 'v', 'c', '1');
}

/* 12.1.3; configuration records of ISO/IEC 14496-15 */
static int video_entry(struct buf *b, const struct format *f, bool is_inband)
{
    if (codec_has_nals(f->codec) && f->config_size == 0)
        return ERR_INVALID;
    size_t box = fmp4__box(b, video_type(f, is_inband));
    fmp4__zeros(b, 6);
    buf_put_be16(b, 1); /* data reference */
    fmp4__zeros(b, 16);
    buf_put_be16(b, (uint16_t)f->width);
    buf_put_be16(b, (uint16_t)f->height);
    buf_put_be32(b, 0x480000); /* 72 dpi */
    buf_put_be32(b, 0x480000);
    buf_put_be32(b, 0);
    buf_put_be16(b, 1); /* frames per sample */
    fmp4__zeros(b, 32); /* compressor name */
    buf_put_be16(b, 24);
    buf_put_be16(b, 0xffff);
    if (f->codec == CODEC_JPEG) {
        put_esds(b, FMP4_TRACK_VIDEO, FMP4_KIND_JPEG, 0x11, f); /* visual stream */
    } else {
        bool is_h264 = f->codec == CODEC_H264;
        size_t config =
            fmp4__box(b, is_h264 ? FMP4_TYPE('a', 'v', 'c', 'C') : FMP4_TYPE('h', 'v', 'c', 'C'));
        buf_append(b, f->config, f->config_size);
        fmp4__end(b, config);
    }
    fmp4__end(b, box);
    return 0;
}

static uint32_t audio_type(enum codec codec)
{
    switch (codec) {
    case CODEC_PCMA:
        return FMP4_TYPE('a', 'l', 'a', 'w');
    case CODEC_PCMU:
        return FMP4_TYPE('u', 'l', 'a', 'w');
    case CODEC_S16BE:
        return FMP4_TYPE('t', 'w', 'o', 's');
    case CODEC_S16LE:
        return FMP4_TYPE('s', 'o', 'w', 't');
    case CODEC_AAC:
    case CODEC_NONE:
    case CODEC_H264:
    case CODEC_H265:
    case CODEC_JPEG:
        break;
    }
    return FMP4_TYPE('m', 'p', '4', 'a');
}

static int audio_entry(struct buf *b, const struct format *f)
{
    uint32_t type = audio_type(f->codec);
    if (f->codec == CODEC_AAC && (f->config_size == 0 || f->config_size > 64))
        return ERR_INVALID;
    size_t box = fmp4__box(b, type);
    fmp4__zeros(b, 6);
    buf_put_be16(b, 1); /* data reference */
    fmp4__zeros(b, 8);
    buf_put_be16(b, (uint16_t)f->channels);
    buf_put_be16(b, 16);
    buf_put_be32(b, 0);
    buf_put_be32(b, f->sample_rate < 0x10000 ? (uint32_t)f->sample_rate << 16 : 0);
    if (f->codec == CODEC_AAC)
        put_esds(b, FMP4_TRACK_AUDIO, FMP4_KIND_AAC, 0x15, f); /* audio stream */
    fmp4__end(b, box);
    return 0;
}

int fmp4__sample_entry(struct buf *b, const struct format *f, bool is_inband)
{
    switch (f->codec) {
    case CODEC_H264:
    case CODEC_H265:
    case CODEC_JPEG:
        return video_entry(b, f, is_inband);
    case CODEC_AAC:
    case CODEC_PCMA:
    case CODEC_PCMU:
    case CODEC_S16BE:
    case CODEC_S16LE:
        return audio_entry(b, f);
    case CODEC_NONE:
        break;
    }
    return ERR_UNSUPPORTED;
}
