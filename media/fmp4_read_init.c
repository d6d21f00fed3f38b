/* Reading the head of a file: its tracks and their formats. Clauses are of ISO/IEC 14496-12. */
#include "media/fmp4_priv.h"

enum { MOOV_MAX_BYTES = 1 << 20 };

/* Sizes of MPEG-4 descriptors: seven bits per byte (ISO/IEC 14496-1 8.3.3). */
static bool take_descriptor(struct fmp4_cursor *c, uint32_t *tag, struct fmp4_cursor *body)
{
    uint32_t size = 0, byte;
    int n = 0;
    *tag = fmp4__take_u8(c);
    do {
        byte = fmp4__take_u8(c);
        size = size << 7 | (byte & 0x7f);
    } while ((byte & 0x80) && ++n < 4);
    const uint8_t *p = fmp4__take(c, size);
    if (p == NULL)
        return false;
    *body = (struct fmp4_cursor){.p = p, .n = size};
    return true;
}

/* The DecoderConfigDescriptor, which begins with what is in the track. */
static bool esds_decoder(struct fmp4_cursor esds, struct fmp4_cursor *decoder)
{
    struct fmp4_cursor es;
    uint32_t tag;
    fmp4__take(&esds, 4);
    if (!take_descriptor(&esds, &tag, &es) || tag != 3)
        return false;
    fmp4__take(&es, 3);
    return take_descriptor(&es, &tag, decoder) && tag == 4;
}

static struct fmp4_cursor esds_config(struct fmp4_cursor esds)
{
    struct fmp4_cursor config, decoder, none = {0};
    uint32_t tag;
    if (!esds_decoder(esds, &decoder))
        return none;
    fmp4__take(&decoder, 13);
    if (!take_descriptor(&decoder, &tag, &config) || tag != 5)
        return none;
    return config;
}

static int read_video_entry(enum codec codec, struct fmp4_cursor entry, struct format **out)
{
    struct fmp4_cursor config, decoder;
    fmp4__take(&entry, 24);
    int width = (int)fmp4__take_u16(&entry);
    int height = (int)fmp4__take_u16(&entry);
    fmp4__take(&entry, 50);
    if (codec == CODEC_JPEG) { /* the entry serves for every kind of picture of MPEG-4 */
        if (!fmp4__find_box(entry, FMP4_TYPE('e', 's', 'd', 's'), &config) ||
            !esds_decoder(config, &decoder))
            return ERR_PARSE;
        if (fmp4__take_u8(&decoder) != FMP4_KIND_JPEG)
            return ERR_UNSUPPORTED;
        return format_create_config(codec, NULL, 0, width, height, 0, 0, out);
    }
    uint32_t type =
        codec == CODEC_H264 ? FMP4_TYPE('a', 'v', 'c', 'C') : FMP4_TYPE('h', 'v', 'c', 'C');
    if (!fmp4__find_box(entry, type, &config))
        return ERR_PARSE;
    return format_create_config(codec, config.p, config.n, width, height, 0, 0, out);
}

static int read_audio_entry(enum codec codec, struct fmp4_cursor entry, struct format **out)
{
    struct fmp4_cursor esds, config = {0};
    fmp4__take(&entry, 16);
    int channels = (int)fmp4__take_u16(&entry);
    fmp4__take(&entry, 6);
    int sample_rate = (int)(fmp4__take_u32(&entry) >> 16);
    if (entry.is_short)
        return ERR_PARSE;
    if (codec == CODEC_AAC) {
        if (!fmp4__find_box(entry, FMP4_TYPE('e', 's', 'd', 's'), &esds))
            return ERR_PARSE;
        config = esds_config(esds);
        if (config.n == 0)
            return ERR_PARSE;
    }
    return format_create_config(codec, config.p, config.n, 0, 0, sample_rate, channels, out);
}

static int read_stsd(struct fmp4_cursor stsd, struct format **out)
{
    static const struct {
        uint32_t type;
        enum codec codec;
    } entries[] = {
        {FMP4_TYPE('a', 'v', 'c', '1'), CODEC_H264},  {FMP4_TYPE('a', 'v', 'c', '3'), CODEC_H264},
        {FMP4_TYPE('h', 'v', 'c', '1'), CODEC_H265},  {FMP4_TYPE('h', 'e', 'v', '1'), CODEC_H265},
        {FMP4_TYPE('m', 'p', '4', 'v'), CODEC_JPEG},  {FMP4_TYPE('m', 'p', '4', 'a'), CODEC_AAC},
        {FMP4_TYPE('a', 'l', 'a', 'w'), CODEC_PCMA},  {FMP4_TYPE('u', 'l', 'a', 'w'), CODEC_PCMU},
        {FMP4_TYPE('t', 'w', 'o', 's'), CODEC_S16BE}, {FMP4_TYPE('s', 'o', 'w', 't'), CODEC_S16LE},
    };
    struct fmp4_cursor entry;
    uint32_t type;
    fmp4__take(&stsd, 8);
    if (!fmp4__next_box(&stsd, &type, &entry))
        return ERR_PARSE;
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        if (entries[i].type != type)
            continue;
        return codec_is_video(entries[i].codec) ? read_video_entry(entries[i].codec, entry, out)
                                                : read_audio_entry(entries[i].codec, entry, out);
    }
    return ERR_UNSUPPORTED;
}

static uint32_t mdhd_timescale(struct fmp4_cursor mdhd)
{
    uint32_t version = fmp4__take_u32(&mdhd) >> 24;
    fmp4__take(&mdhd, version == 1 ? 16 : 8);
    return fmp4__take_u32(&mdhd);
}

static int read_trak(struct fmp4_cursor trak, struct fmp4_init *out)
{
    struct fmp4_cursor mdia, mdhd, minf, stbl, stsd;
    struct format *format = NULL;
    if (!fmp4__find_box(trak, FMP4_TYPE('m', 'd', 'i', 'a'), &mdia) ||
        !fmp4__find_box(mdia, FMP4_TYPE('m', 'd', 'h', 'd'), &mdhd) ||
        !fmp4__find_box(mdia, FMP4_TYPE('m', 'i', 'n', 'f'), &minf) ||
        !fmp4__find_box(minf, FMP4_TYPE('s', 't', 'b', 'l'), &stbl) ||
        !fmp4__find_box(stbl, FMP4_TYPE('s', 't', 's', 'd'), &stsd))
        return ERR_PARSE;
    int rc = read_stsd(stsd, &format);
    if (rc < 0)
        return rc;
    struct format **slot = codec_is_video(format->codec) ? &out->video : &out->audio;
    uint32_t timescale = mdhd_timescale(mdhd);
    if (*slot != NULL || timescale == 0) {
        format_unref(&format);
        return ERR_UNSUPPORTED;
    }
    format->timescale = timescale; /* nobody else has it yet */
    *slot = format;
    return 0;
}

void fmp4_init_fini(struct fmp4_init *init)
{
    format_unref(&init->video);
    format_unref(&init->audio);
}

static int read_moov(struct fmp4_cursor moov, struct fmp4_init *out, struct err *err)
{
    struct fmp4_cursor body;
    uint32_t type;
    while (fmp4__next_box(&moov, &type, &body)) {
        if (type != FMP4_TYPE('t', 'r', 'a', 'k'))
            continue;
        int rc = read_trak(body, out);
        if (rc < 0)
            return err_set(err, rc, "track in moov");
    }
    if (out->video == NULL && out->audio == NULL)
        return err_set(err, ERR_PARSE, "moov without tracks");
    return 0;
}

int fmp4_read_init(const uint8_t *p, size_t n, struct fmp4_init *out, size_t *out_size,
                   struct err *err)
{
    size_t at = 0;
    *out = (struct fmp4_init){0};
    while (at < n) {
        struct fmp4_box box;
        if (fmp4_read_box(p + at, n - at, &box) != 1 || box.size > n - at ||
            box.size > MOOV_MAX_BYTES)
            break;
        at += (size_t)box.size;
        if (box.type != FMP4_TYPE('m', 'o', 'o', 'v'))
            continue;
        struct fmp4_cursor moov = {.p = p + at - box.size + box.header_size,
                                   .n = (size_t)box.size - box.header_size};
        int rc = read_moov(moov, out, err);
        if (rc < 0)
            fmp4_init_fini(out);
        *out_size = at;
        return rc;
    }
    return err_set(err, ERR_PARSE, "no moov at the start");
}
