/* The moov of a plain file: sample tables, edit lists. Clauses are of ISO/IEC 14496-12. */
#include "media/fmp4_priv.h"

#include <errno.h>

/* One track of the clip while its tables are written. */
struct clip_track {
    const struct fmp4_clip *clip;
    bool is_video;
    uint32_t number;
    const struct format *format; /* the first one used: timescale, size */
    size_t n_samples;
    size_t first;       /* index of its first sample */
    uint64_t duration;  /* ticks */
    uint16_t *entry_of; /* sample entry (from 1) by format index; 0 = not of this track */
    bool is_big;        /* chunk offsets need 64 bits */
    size_t offsets_at;  /* where the chunk offsets stand in the buffer */
};

static bool is_mine(const struct clip_track *t, size_t i)
{
    return t->clip->samples[i].is_video == t->is_video;
}

static int scan_track(struct clip_track *t)
{
    uint16_t n_entries = 0;
    for (size_t i = 0; i < t->clip->n_samples; i++) {
        const struct fmp4_clip_sample *s = &t->clip->samples[i];
        if (!is_mine(t, i))
            continue;
        if (s->format >= t->clip->n_formats)
            return -EINVAL;
        if (t->entry_of[s->format] == 0)
            t->entry_of[s->format] = ++n_entries;
        if (t->n_samples++ == 0) {
            t->first = i;
            t->format = t->clip->formats[s->format];
        }
        t->duration += s->duration;
    }
    return 0;
}

/* Entries in the order of their first use, which is the order of their numbers. */
static int put_stsd(struct buf *b, const struct clip_track *t)
{
    size_t box = fmp4__full_box(b, FMP4_TYPE('s', 't', 's', 'd'), 0, 0);
    size_t count_at = b->len;
    uint32_t n = 0;
    buf_put_be32(b, 0);
    for (size_t i = 0; i < t->clip->n_samples; i++) {
        uint16_t format = t->clip->samples[i].format;
        if (!is_mine(t, i) || t->entry_of[format] != n + 1)
            continue;
        n++;
        int rc = fmp4__sample_entry(b, t->clip->formats[format], false);
        if (rc < 0)
            return rc;
    }
    if (!b->is_failed)
        buf_set_be32(b, count_at, n);
    fmp4__end(b, box);
    return 0;
}

/* A table whose rows are (count, value) runs: stts and ctts. */
static void put_runs(struct buf *b, const struct clip_track *t, bool is_ctts)
{
    size_t box = is_ctts ? fmp4__full_box(b, FMP4_TYPE('c', 't', 't', 's'), 1, 0)
                         : fmp4__full_box(b, FMP4_TYPE('s', 't', 't', 's'), 0, 0);
    size_t count_at = b->len;
    uint32_t n = 0, run = 0, value = 0;
    buf_put_be32(b, 0);
    for (size_t i = t->first; i < t->clip->n_samples; i++) {
        const struct fmp4_clip_sample *s = &t->clip->samples[i];
        if (!is_mine(t, i))
            continue;
        uint32_t v = is_ctts ? (uint32_t)s->pts_offset : s->duration;
        if (run > 0 && v != value) {
            buf_put_be32(b, run);
            buf_put_be32(b, value);
            n++;
            run = 0;
        }
        value = v;
        run++;
    }
    buf_put_be32(b, run);
    buf_put_be32(b, value);
    if (!b->is_failed)
        buf_set_be32(b, count_at, n + 1);
    fmp4__end(b, box);
}

static bool has_offsets(const struct clip_track *t)
{
    for (size_t i = t->first; i < t->clip->n_samples; i++)
        if (is_mine(t, i) && t->clip->samples[i].pts_offset != 0)
            return true;
    return false;
}

static void put_stsz(struct buf *b, const struct clip_track *t)
{
    size_t box = fmp4__full_box(b, FMP4_TYPE('s', 't', 's', 'z'), 0, 0);
    buf_put_be32(b, 0);
    buf_put_be32(b, (uint32_t)t->n_samples);
    for (size_t i = t->first; i < t->clip->n_samples; i++)
        if (is_mine(t, i))
            buf_put_be32(b, t->clip->samples[i].size);
    fmp4__end(b, box);
}

static void put_stss(struct buf *b, const struct clip_track *t)
{
    size_t box = fmp4__full_box(b, FMP4_TYPE('s', 't', 's', 's'), 0, 0);
    size_t count_at = b->len;
    uint32_t n = 0, number = 0;
    buf_put_be32(b, 0);
    for (size_t i = t->first; i < t->clip->n_samples; i++) {
        if (!is_mine(t, i))
            continue;
        number++;
        if (t->clip->samples[i].is_key) {
            buf_put_be32(b, number);
            n++;
        }
    }
    if (!b->is_failed)
        buf_set_be32(b, count_at, n);
    fmp4__end(b, box);
}

/* A chunk is a run of samples of one track and one format. */
static bool starts_chunk(const struct clip_track *t, size_t i)
{
    const struct fmp4_clip_sample *s = t->clip->samples;
    return i == t->first || s[i - 1].is_video != s[i].is_video || s[i - 1].format != s[i].format;
}

static void put_stsc(struct buf *b, const struct clip_track *t)
{
    size_t box = fmp4__full_box(b, FMP4_TYPE('s', 't', 's', 'c'), 0, 0);
    size_t count_at = b->len;
    uint32_t n = 0, chunk = 0, last_size = 0, last_entry = 0;
    buf_put_be32(b, 0);
    for (size_t i = t->first; i < t->clip->n_samples;) {
        if (!is_mine(t, i)) {
            i++;
            continue;
        }
        uint32_t size = 0, entry = t->entry_of[t->clip->samples[i].format];
        do {
            size++;
            i++;
        } while (i < t->clip->n_samples && is_mine(t, i) && !starts_chunk(t, i));
        chunk++;
        if (size == last_size && entry == last_entry)
            continue;
        buf_put_be32(b, chunk);
        buf_put_be32(b, size);
        buf_put_be32(b, entry);
        last_size = size;
        last_entry = entry;
        n++;
    }
    if (!b->is_failed)
        buf_set_be32(b, count_at, n);
    fmp4__end(b, box);
}

/* Offsets count from the start of the payloads here; fix_offsets adds what stands before. */
static void put_chunk_offsets(struct buf *b, struct clip_track *t)
{
    size_t box = fmp4__full_box(
        b, t->is_big ? FMP4_TYPE('c', 'o', '6', '4') : FMP4_TYPE('s', 't', 'c', 'o'), 0, 0);
    uint32_t n = 0;
    uint64_t offset = 0;
    t->offsets_at = b->len;
    buf_put_be32(b, 0);
    for (size_t i = 0; i < t->clip->n_samples; i++) {
        if (is_mine(t, i) && starts_chunk(t, i)) {
            n++;
            if (t->is_big)
                buf_put_be64(b, offset);
            else
                buf_put_be32(b, (uint32_t)offset);
        }
        offset += t->clip->samples[i].size;
    }
    if (!b->is_failed)
        buf_set_be32(b, t->offsets_at, n);
    fmp4__end(b, box);
}

static void fix_offsets(struct buf *b, const struct clip_track *t)
{
    if (b->is_failed || t->n_samples == 0)
        return;
    uint8_t *p = b->data + t->offsets_at;
    uint32_t n = get_be32(p);
    p += 4;
    for (; n > 0; n--) {
        if (t->is_big)
            p = fmp4__w64(p, get_be64(p) + b->len);
        else
            p = fmp4__w32(p, get_be32(p) + (uint32_t)b->len);
    }
}

static int64_t us_to_ticks(int64_t us, int64_t timescale)
{
    int64_t whole = us / 1000000 * timescale;
    return whole + (us % 1000000 * timescale + 500000) / 1000000;
}

/* 8.6.6: what is before the asked start is decoded but not shown. */
static void put_edts(struct buf *b, const struct clip_track *t, uint64_t duration)
{
    const struct fmp4_clip *clip = t->clip;
    int64_t start_us = clip->trim_start_us - (t->is_video ? 0 : clip->audio_start_us);
    uint64_t wait = start_us < 0 ? (uint64_t)us_to_ticks(-start_us, FMP4_MOVIE_TIMESCALE) : 0;
    wait = MIN(wait, duration);
    int64_t media_time = start_us > 0 ? us_to_ticks(start_us, t->format->timescale) : 0;
    media_time += clip->samples[t->first].pts_offset;

    size_t edts = fmp4__box(b, FMP4_TYPE('e', 'd', 't', 's'));
    size_t elst = fmp4__full_box(b, FMP4_TYPE('e', 'l', 's', 't'), 1, 0);
    buf_put_be32(b, wait > 0 ? 2 : 1);
    if (wait > 0) {
        buf_put_be64(b, wait);
        buf_put_be64(b, UINT64_MAX); /* nothing is shown */
        buf_put_be32(b, 0x10000);
    }
    buf_put_be64(b, duration - wait);
    buf_put_be64(b, (uint64_t)MAX(media_time, 0));
    buf_put_be32(b, 0x10000);
    fmp4__end(b, elst);
    fmp4__end(b, edts);
}

static int put_trak(struct buf *b, struct clip_track *t, uint64_t duration)
{
    const struct fmp4_clip *clip = t->clip;
    size_t trak = fmp4__box(b, FMP4_TYPE('t', 'r', 'a', 'k'));
    fmp4__tkhd(b, t->number, t->format, duration, clip->wall_us);
    put_edts(b, t, duration);
    size_t mdia = fmp4__box(b, FMP4_TYPE('m', 'd', 'i', 'a'));
    fmp4__mdia_head(b, t->format, t->duration, clip->wall_us);
    size_t minf = fmp4__box(b, FMP4_TYPE('m', 'i', 'n', 'f'));
    fmp4__minf_head(b, t->format);
    size_t stbl = fmp4__box(b, FMP4_TYPE('s', 't', 'b', 'l'));
    int rc = put_stsd(b, t);
    if (rc < 0)
        return rc;
    put_runs(b, t, false);
    if (has_offsets(t))
        put_runs(b, t, true);
    if (t->is_video)
        put_stss(b, t);
    put_stsz(b, t);
    put_stsc(b, t);
    put_chunk_offsets(b, t);
    fmp4__end(b, stbl);
    fmp4__end(b, minf);
    fmp4__end(b, mdia);
    fmp4__end(b, trak);
    return 0;
}

static void put_mdat_header(struct buf *b, uint64_t payload_bytes)
{
    bool is_big = payload_bytes + 8 > UINT32_MAX;
    buf_put_be32(b, is_big ? 1 : (uint32_t)payload_bytes + 8);
    buf_put_be32(b, FMP4_TYPE('m', 'd', 'a', 't'));
    if (is_big)
        buf_put_be64(b, payload_bytes + 16);
}

int fmp4_write_clip_header(const struct fmp4_clip *clip, struct buf *out)
{
    if (clip->n_samples == 0 || clip->n_samples > UINT32_MAX / 64 || clip->n_formats > UINT16_MAX)
        return -EINVAL;
    struct clip_track tracks[2] = {
        {.clip = clip, .is_video = true, .number = FMP4_TRACK_VIDEO},
        {.clip = clip, .is_video = false, .number = FMP4_TRACK_AUDIO},
    };
    uint64_t payload_bytes = 0;
    uint64_t duration = (uint64_t)us_to_ticks(MAX(clip->duration_us, 0), FMP4_MOVIE_TIMESCALE);
    uint16_t *entries = xcalloc(2 * clip->n_formats, sizeof *entries);
    for (size_t i = 0; i < clip->n_samples; i++)
        payload_bytes += clip->samples[i].size;

    fmp4__ftyp(out, false);
    size_t moov = fmp4__box(out, FMP4_TYPE('m', 'o', 'o', 'v'));
    fmp4__mvhd(out, duration, clip->wall_us);
    int rc = 0;
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        tracks[i].entry_of = entries + i * clip->n_formats;
        /* no header is near 64 MiB, the bound of `out` */
        tracks[i].is_big = payload_bytes > UINT32_MAX - (64u << 20);
        rc = scan_track(&tracks[i]);
        if (rc == 0 && tracks[i].n_samples > 0)
            rc = put_trak(out, &tracks[i], duration);
    }
    fmp4__end(out, moov);
    put_mdat_header(out, payload_bytes);
    for (size_t i = 0; i < 2 && rc == 0; i++)
        fix_offsets(out, &tracks[i]);
    free(entries);
    if (rc == 0 && out->is_failed)
        rc = ERR_TOO_BIG;
    return rc;
}
