/* Reading back what fmp4_write.c writes, tolerant of other boxes and of a truncated tail.
 * Clauses are of ISO/IEC 14496-12. */
#include "media/fmp4_priv.h"

#include <errno.h>

enum { MOOV_MAX_BYTES = 1 << 20, MOOF_MAX_BYTES = 8 << 20, MFRA_MAX_BYTES = 8 << 20 };
enum { MAX_SAMPLES = 100000 };

/* Bytes still to be read; reading past the end gives zeros and sets is_short. */
struct cursor {
    const uint8_t *p;
    size_t n;
    bool is_short;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
    if (n > c->n) {
        c->is_short = true;
        c->n = 0;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    c->n -= n;
    return p;
}

static uint32_t take_u8(struct cursor *c)
{
    const uint8_t *p = take(c, 1);
    return p != NULL ? *p : 0;
}
static uint32_t take_u16(struct cursor *c)
{
    const uint8_t *p = take(c, 2);
    return p != NULL ? get_be16(p) : 0;
}
static uint32_t take_u32(struct cursor *c)
{
    const uint8_t *p = take(c, 4);
    return p != NULL ? get_be32(p) : 0;
}
static uint64_t take_u64(struct cursor *c)
{
    const uint8_t *p = take(c, 8);
    return p != NULL ? get_be64(p) : 0;
}

int fmp4_read_box(const uint8_t *p, size_t n, struct fmp4_box *out)
{
    if (n < 8)
        return 0;
    *out = (struct fmp4_box){.type = get_be32(p + 4), .size = get_be32(p), .header_size = 8};
    if (out->size == 1) {
        if (n < 16)
            return 0;
        out->size = get_be64(p + 8);
        out->header_size = 16;
    } else if (out->size == 0) {
        out->size = UINT64_MAX;
    }
    return out->size < out->header_size ? ERR_PARSE : 1;
}

/* The next child box; false at the end or when the rest is no box. */
static bool next_box(struct cursor *c, uint32_t *type, struct cursor *body)
{
    struct fmp4_box box;
    if (c->n == 0 || fmp4_read_box(c->p, c->n, &box) != 1)
        return false;
    if (box.size == UINT64_MAX)
        box.size = c->n;
    if (box.size > c->n)
        return false;
    *type = box.type;
    *body = (struct cursor){.p = c->p + box.header_size, .n = (size_t)box.size - box.header_size};
    take(c, (size_t)box.size);
    return true;
}

static bool find_box(struct cursor in, uint32_t type, struct cursor *body)
{
    uint32_t t;
    while (next_box(&in, &t, body))
        if (t == type)
            return true;
    return false;
}

/* --- init segment --- */

/* Sizes of MPEG-4 descriptors: seven bits per byte (ISO/IEC 14496-1 8.3.3). */
static bool take_descriptor(struct cursor *c, uint32_t *tag, struct cursor *body)
{
    uint32_t size = 0, byte;
    int n = 0;
    *tag = take_u8(c);
    do {
        byte = take_u8(c);
        size = size << 7 | (byte & 0x7f);
    } while ((byte & 0x80) && ++n < 4);
    const uint8_t *p = take(c, size);
    if (p == NULL)
        return false;
    *body = (struct cursor){.p = p, .n = size};
    return true;
}

static struct cursor esds_config(struct cursor esds)
{
    struct cursor es, config, decoder, none = {0};
    uint32_t tag;
    take(&esds, 4);
    if (!take_descriptor(&esds, &tag, &es) || tag != 3)
        return none;
    take(&es, 3);
    if (!take_descriptor(&es, &tag, &decoder) || tag != 4)
        return none;
    take(&decoder, 13);
    if (!take_descriptor(&decoder, &tag, &config) || tag != 5)
        return none;
    return config;
}

static int read_video_entry(enum codec codec, struct cursor entry, struct format **out)
{
    struct cursor config;
    take(&entry, 24);
    int width = (int)take_u16(&entry);
    int height = (int)take_u16(&entry);
    take(&entry, 50);
    uint32_t type =
        codec == CODEC_H264 ? FMP4_TYPE('a', 'v', 'c', 'C') : FMP4_TYPE('h', 'v', 'c', 'C');
    if (!find_box(entry, type, &config))
        return ERR_PARSE;
    return format_create_config(codec, config.p, config.n, width, height, 0, 0, out);
}

static int read_audio_entry(enum codec codec, struct cursor entry, struct format **out)
{
    struct cursor esds, config = {0};
    take(&entry, 16);
    int channels = (int)take_u16(&entry);
    take(&entry, 6);
    int sample_rate = (int)(take_u32(&entry) >> 16);
    if (entry.is_short)
        return ERR_PARSE;
    if (codec == CODEC_AAC) {
        if (!find_box(entry, FMP4_TYPE('e', 's', 'd', 's'), &esds))
            return ERR_PARSE;
        config = esds_config(esds);
        if (config.n == 0)
            return ERR_PARSE;
    }
    return format_create_config(codec, config.p, config.n, 0, 0, sample_rate, channels, out);
}

static int read_stsd(struct cursor stsd, struct format **out)
{
    static const struct {
        uint32_t type;
        enum codec codec;
    } entries[] = {
        {FMP4_TYPE('a', 'v', 'c', '1'), CODEC_H264}, {FMP4_TYPE('a', 'v', 'c', '3'), CODEC_H264},
        {FMP4_TYPE('h', 'v', 'c', '1'), CODEC_H265}, {FMP4_TYPE('h', 'e', 'v', '1'), CODEC_H265},
        {FMP4_TYPE('m', 'p', '4', 'a'), CODEC_AAC},  {FMP4_TYPE('a', 'l', 'a', 'w'), CODEC_PCMA},
        {FMP4_TYPE('u', 'l', 'a', 'w'), CODEC_PCMU},
    };
    struct cursor entry;
    uint32_t type;
    take(&stsd, 8);
    if (!next_box(&stsd, &type, &entry))
        return ERR_PARSE;
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        if (entries[i].type != type)
            continue;
        return codec_is_video(entries[i].codec) ? read_video_entry(entries[i].codec, entry, out)
                                                : read_audio_entry(entries[i].codec, entry, out);
    }
    return ERR_UNSUPPORTED;
}

static uint32_t mdhd_timescale(struct cursor mdhd)
{
    uint32_t version = take_u32(&mdhd) >> 24;
    take(&mdhd, version == 1 ? 16 : 8);
    return take_u32(&mdhd);
}

static int read_trak(struct cursor trak, struct fmp4_init *out)
{
    struct cursor mdia, mdhd, minf, stbl, stsd;
    struct format *format = NULL;
    if (!find_box(trak, FMP4_TYPE('m', 'd', 'i', 'a'), &mdia) ||
        !find_box(mdia, FMP4_TYPE('m', 'd', 'h', 'd'), &mdhd) ||
        !find_box(mdia, FMP4_TYPE('m', 'i', 'n', 'f'), &minf) ||
        !find_box(minf, FMP4_TYPE('s', 't', 'b', 'l'), &stbl) ||
        !find_box(stbl, FMP4_TYPE('s', 't', 's', 'd'), &stsd))
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

static int read_moov(struct cursor moov, struct fmp4_init *out, struct err *err)
{
    struct cursor body;
    uint32_t type;
    while (next_box(&moov, &type, &body)) {
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
        struct cursor moov = {.p = p + at - box.size + box.header_size,
                              .n = (size_t)box.size - box.header_size};
        int rc = read_moov(moov, out, err);
        if (rc < 0)
            fmp4_init_fini(out);
        *out_size = at;
        return rc;
    }
    return err_set(err, ERR_PARSE, "no moov at the start");
}

/* --- fragments --- */

void fmp4_read_fragment_fini(struct fmp4_read_fragment *f)
{
    free(f->samples);
    *f = (struct fmp4_read_fragment){0};
}

static bool add_samples(struct fmp4_read_fragment *f, size_t n)
{
    if (n > MAX_SAMPLES - f->n_samples)
        return false;
    if (f->n_samples + n <= f->cap_samples)
        return true;
    size_t cap = MAX(f->n_samples + n, 64);
    struct fmp4_read_sample *list = try_realloc(f->samples, cap * sizeof *list);
    if (list == NULL)
        return false;
    f->samples = list;
    f->cap_samples = cap;
    return true;
}

/* 8.16.5 */
static void read_prft(struct cursor c, struct fmp4_read_fragment *out)
{
    take(&c, 8);
    uint64_t seconds = take_u32(&c);
    uint64_t fraction = take_u32(&c);
    if (c.is_short)
        return;
    if (seconds < FMP4_NTP_OFFSET_S)
        seconds += UINT64_C(1) << 32; /* the era that begins in 2036 */
    out->wall_us = (int64_t)((seconds - FMP4_NTP_OFFSET_S) * 1000000 +
                             ((fraction * 1000000 + (UINT64_C(1) << 31)) >> 32));
}

struct traf {
    uint32_t track;
    uint32_t default_duration, default_size, default_flags;
    int64_t dts;
    uint64_t offset; /* from moof, of the next sample */
};

/* 8.8.7 */
static bool read_tfhd(struct cursor c, struct traf *t)
{
    uint32_t flags = take_u32(&c);
    t->track = take_u32(&c);
    if (flags & 0x1)
        return false; /* absolute offsets: not ours */
    if (flags & 0x2)
        take(&c, 4);
    if (flags & 0x8)
        t->default_duration = take_u32(&c);
    if (flags & 0x10)
        t->default_size = take_u32(&c);
    if (flags & 0x20)
        t->default_flags = take_u32(&c);
    return !c.is_short;
}

/* 8.8.8 */
static bool read_trun(struct cursor c, struct traf *t, struct fmp4_read_fragment *out)
{
    uint32_t flags = take_u32(&c) & 0xffffff;
    uint32_t n = take_u32(&c);
    uint32_t first_flags = t->default_flags;
    if (flags & 0x1)
        t->offset = take_u32(&c);
    if (flags & 0x4)
        first_flags = take_u32(&c);
    if (c.is_short || !add_samples(out, n))
        return false;
    for (uint32_t i = 0; i < n && !c.is_short; i++) {
        struct fmp4_read_sample *s = &out->samples[out->n_samples + i];
        uint32_t sample_flags = i == 0 ? first_flags : t->default_flags;
        *s = (struct fmp4_read_sample){
            .is_video = t->track == FMP4_TRACK_VIDEO, .dts = t->dts, .offset = t->offset};
        s->duration = flags & 0x100 ? take_u32(&c) : t->default_duration;
        s->size = flags & 0x200 ? take_u32(&c) : t->default_size;
        if (flags & 0x400)
            sample_flags = take_u32(&c);
        s->pts_offset = flags & 0x800 ? (int32_t)take_u32(&c) : 0;
        s->is_key = !(sample_flags & 0x10000);
        t->offset += s->size;
        t->dts = (int64_t)((uint64_t)t->dts + s->duration);
    }
    if (!c.is_short)
        out->n_samples += n;
    return !c.is_short;
}

static bool read_traf(struct cursor c, struct fmp4_read_fragment *out)
{
    struct traf t = {.default_flags = 0x10000};
    struct cursor body;
    uint32_t type;
    while (next_box(&c, &type, &body)) {
        if (type == FMP4_TYPE('t', 'f', 'h', 'd')) {
            if (!read_tfhd(body, &t))
                return false;
        } else if (type == FMP4_TYPE('t', 'f', 'd', 't')) {
            bool is_wide = take_u32(&body) >> 24 == 1;
            t.dts = is_wide ? (int64_t)take_u64(&body) : (int64_t)take_u32(&body);
            if (body.is_short || t.dts < 0)
                return false;
        } else if (type == FMP4_TYPE('t', 'r', 'u', 'n')) {
            if (!read_trun(body, &t, out))
                return false;
        }
    }
    return c.n == 0;
}

static bool read_moof(struct cursor c, struct fmp4_read_fragment *out)
{
    struct cursor body;
    uint32_t type;
    while (next_box(&c, &type, &body)) {
        if (type == FMP4_TYPE('m', 'f', 'h', 'd')) {
            take(&body, 4);
            out->sequence = take_u32(&body);
        } else if (type == FMP4_TYPE('t', 'r', 'a', 'f')) {
            if (!read_traf(body, out))
                return false;
        }
    }
    return c.n == 0;
}

/* Offsets came relative to moof; now from the start of the fragment, and inside mdat. */
static bool settle_offsets(struct fmp4_read_fragment *f, uint64_t moof_at, uint64_t payload_at)
{
    for (size_t i = 0; i < f->n_samples; i++) {
        struct fmp4_read_sample *s = &f->samples[i];
        s->offset += moof_at;
        if (s->offset < payload_at || s->offset > f->size || s->size > f->size - s->offset)
            return false;
    }
    return true;
}

/* Boxes that end the fragments of a file. */
static bool is_end(uint32_t type)
{
    return type == FMP4_TYPE('m', 'f', 'r', 'a');
}

int fmp4_read_fragment(const uint8_t *p, size_t n, struct fmp4_read_fragment *out, size_t *out_need,
                       struct err *err)
{
    uint64_t at = 0, moof_at = UINT64_MAX;
    out->n_samples = 0;
    out->wall_us = 0;
    out->sequence = 0;
    out->size = 0;
    if (n == 0)
        return ERR_EOF;
    for (;;) {
        struct fmp4_box box;
        size_t left = at < n ? n - (size_t)at : 0;
        int rc = fmp4_read_box(p + (left > 0 ? at : 0), left, &box);
        if (rc < 0)
            return err_set(err, rc, "box at %llu", (unsigned long long)at);
        if (rc == 0) {
            *out_need = (size_t)at + 16;
            return 0;
        }
        if (is_end(box.type) && moof_at == UINT64_MAX)
            return ERR_EOF;
        bool is_mdat = box.type == FMP4_TYPE('m', 'd', 'a', 't');
        if (box.size > INT64_MAX / 2 || (!is_mdat && box.size > MOOF_MAX_BYTES))
            return err_set(err, ERR_PARSE, "size of box at %llu", (unsigned long long)at);
        if (is_mdat) {
            out->size = at + box.size;
            if (moof_at == UINT64_MAX || !settle_offsets(out, moof_at, at + box.header_size))
                return err_set(err, ERR_PARSE, "mdat at %llu", (unsigned long long)at);
            return 1;
        }
        if (box.size > left) {
            *out_need = (size_t)(at + box.size) + 16;
            return 0;
        }
        struct cursor body = {.p = p + at + box.header_size,
                              .n = (size_t)box.size - box.header_size};
        if (box.type == FMP4_TYPE('p', 'r', 'f', 't')) {
            read_prft(body, out);
        } else if (box.type == FMP4_TYPE('m', 'o', 'o', 'f')) {
            if (moof_at != UINT64_MAX || !read_moof(body, out))
                return err_set(err, ERR_PARSE, "moof at %llu", (unsigned long long)at);
            moof_at = at;
        }
        at += box.size;
        if (at > MOOF_MAX_BYTES * 2)
            return err_set(err, ERR_PARSE, "no fragment in %llu bytes", (unsigned long long)at);
    }
}

/* --- the seek table --- */

static int read_tfra(struct cursor c, struct fmp4_seek_entry **entries, size_t *n_entries)
{
    bool is_wide = take_u32(&c) >> 24 == 1;
    uint32_t track = take_u32(&c);
    uint32_t lengths = take_u32(&c);
    size_t tail = 3 + (lengths >> 4 & 3) + (lengths >> 2 & 3) + (lengths & 3);
    uint32_t n = take_u32(&c);
    if (c.is_short || n > c.n / ((is_wide ? 16 : 8) + tail))
        return ERR_PARSE;
    if (track != FMP4_TRACK_VIDEO || *entries != NULL)
        return 0;
    *entries = try_malloc(MAX(n, 1) * sizeof **entries);
    if (*entries == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        (*entries)[i].time = is_wide ? take_u64(&c) : take_u32(&c);
        (*entries)[i].offset = is_wide ? take_u64(&c) : take_u32(&c);
        take(&c, tail);
    }
    *n_entries = n;
    return 0;
}

int fmp4_read_mfra(const uint8_t *p, size_t n, struct fmp4_seek_entry **entries, size_t *n_entries,
                   size_t *out_size, size_t *out_need)
{
    *entries = NULL;
    *n_entries = 0;
    if (n < 16) {
        *out_need = 16;
        return 0;
    }
    if (get_be32(p + n - 16) != 16 || get_be32(p + n - 12) != FMP4_TYPE('m', 'f', 'r', 'o'))
        return ERR_NOT_FOUND;
    uint32_t size = get_be32(p + n - 4);
    if (size < 24 || size > MFRA_MAX_BYTES)
        return ERR_NOT_FOUND;
    if (size > n) {
        *out_need = size;
        return 0;
    }
    struct cursor all = {.p = p + n - size, .n = size}, mfra, body;
    uint32_t type;
    if (!next_box(&all, &type, &mfra) || type != FMP4_TYPE('m', 'f', 'r', 'a') || all.n != 0)
        return ERR_NOT_FOUND;
    int rc = 0;
    while (rc == 0 && next_box(&mfra, &type, &body))
        if (type == FMP4_TYPE('t', 'f', 'r', 'a'))
            rc = read_tfra(body, entries, n_entries);
    if (rc < 0) {
        FREE(entries);
        *n_entries = 0;
        return rc;
    }
    *out_size = size;
    return 1;
}
