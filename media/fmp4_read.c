/* Reading back the fragments and the seek table that fmp4_write.c writes, tolerant of other boxes
 * and of a truncated tail. Clauses are of ISO/IEC 14496-12. */
#include "media/fmp4_priv.h"

#include <errno.h>

enum { MOOF_MAX_BYTES = 8 << 20, MFRA_MAX_BYTES = 8 << 20 };
enum { MAX_SAMPLES = 100000 };

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

bool fmp4__next_box(struct fmp4_cursor *c, uint32_t *type, struct fmp4_cursor *body)
{
    struct fmp4_box box;
    if (c->n == 0 || fmp4_read_box(c->p, c->n, &box) != 1)
        return false;
    if (box.size == UINT64_MAX)
        box.size = c->n;
    if (box.size > c->n)
        return false;
    *type = box.type;
    *body =
        (struct fmp4_cursor){.p = c->p + box.header_size, .n = (size_t)box.size - box.header_size};
    fmp4__take(c, (size_t)box.size);
    return true;
}

bool fmp4__find_box(struct fmp4_cursor in, uint32_t type, struct fmp4_cursor *body)
{
    uint32_t t;
    while (fmp4__next_box(&in, &t, body))
        if (t == type)
            return true;
    return false;
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
static void read_prft(struct fmp4_cursor c, struct fmp4_read_fragment *out)
{
    fmp4__take(&c, 8);
    uint64_t seconds = fmp4__take_u32(&c);
    uint64_t fraction = fmp4__take_u32(&c);
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
static bool read_tfhd(struct fmp4_cursor c, struct traf *t)
{
    uint32_t flags = fmp4__take_u32(&c);
    t->track = fmp4__take_u32(&c);
    if (flags & 0x1)
        return false; /* absolute offsets: not ours */
    if (flags & 0x2)
        fmp4__take(&c, 4);
    if (flags & 0x8)
        t->default_duration = fmp4__take_u32(&c);
    if (flags & 0x10)
        t->default_size = fmp4__take_u32(&c);
    if (flags & 0x20)
        t->default_flags = fmp4__take_u32(&c);
    return !c.is_short;
}

/* 8.8.8 */
static bool read_trun(struct fmp4_cursor c, struct traf *t, struct fmp4_read_fragment *out)
{
    uint32_t flags = fmp4__take_u32(&c) & 0xffffff;
    uint32_t n = fmp4__take_u32(&c);
    uint32_t first_flags = t->default_flags;
    if (flags & 0x1)
        t->offset = fmp4__take_u32(&c);
    if (flags & 0x4)
        first_flags = fmp4__take_u32(&c);
    if (c.is_short || !add_samples(out, n))
        return false;
    for (uint32_t i = 0; i < n && !c.is_short; i++) {
        struct fmp4_read_sample *s = &out->samples[out->n_samples + i];
        uint32_t sample_flags = i == 0 ? first_flags : t->default_flags;
        *s = (struct fmp4_read_sample){
            .is_video = t->track == FMP4_TRACK_VIDEO, .dts = t->dts, .offset = t->offset};
        s->duration = flags & 0x100 ? fmp4__take_u32(&c) : t->default_duration;
        s->size = flags & 0x200 ? fmp4__take_u32(&c) : t->default_size;
        if (flags & 0x400)
            sample_flags = fmp4__take_u32(&c);
        s->pts_offset = flags & 0x800 ? (int32_t)fmp4__take_u32(&c) : 0;
        s->is_key = !(sample_flags & 0x10000);
        t->offset += s->size;
        t->dts = (int64_t)((uint64_t)t->dts + s->duration);
    }
    if (!c.is_short)
        out->n_samples += n;
    return !c.is_short;
}

static bool read_traf(struct fmp4_cursor c, struct fmp4_read_fragment *out)
{
    struct traf t = {.default_flags = 0x10000};
    struct fmp4_cursor body;
    uint32_t type;
    while (fmp4__next_box(&c, &type, &body)) {
        if (type == FMP4_TYPE('t', 'f', 'h', 'd')) {
            if (!read_tfhd(body, &t))
                return false;
        } else if (type == FMP4_TYPE('t', 'f', 'd', 't')) {
            bool is_wide = fmp4__take_u32(&body) >> 24 == 1;
            t.dts = is_wide ? (int64_t)fmp4__take_u64(&body) : (int64_t)fmp4__take_u32(&body);
            if (body.is_short || t.dts < 0)
                return false;
        } else if (type == FMP4_TYPE('t', 'r', 'u', 'n')) {
            if (!read_trun(body, &t, out))
                return false;
        }
    }
    return c.n == 0;
}

static bool read_moof(struct fmp4_cursor c, struct fmp4_read_fragment *out)
{
    struct fmp4_cursor body;
    uint32_t type;
    while (fmp4__next_box(&c, &type, &body)) {
        if (type == FMP4_TYPE('m', 'f', 'h', 'd')) {
            fmp4__take(&body, 4);
            out->sequence = fmp4__take_u32(&body);
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
    out->moof_at = 0;
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
        struct fmp4_cursor body = {.p = p + at + box.header_size,
                                   .n = (size_t)box.size - box.header_size};
        if (box.type == FMP4_TYPE('p', 'r', 'f', 't')) {
            read_prft(body, out);
        } else if (box.type == FMP4_TYPE('m', 'o', 'o', 'f')) {
            if (moof_at != UINT64_MAX || !read_moof(body, out))
                return err_set(err, ERR_PARSE, "moof at %llu", (unsigned long long)at);
            moof_at = out->moof_at = at;
        }
        at += box.size;
        if (at > MOOF_MAX_BYTES * 2)
            return err_set(err, ERR_PARSE, "no fragment in %llu bytes", (unsigned long long)at);
    }
}

/* --- the seek table --- */

static int read_tfra(struct fmp4_cursor c, struct fmp4_seek_entry **entries, size_t *n_entries)
{
    bool is_wide = fmp4__take_u32(&c) >> 24 == 1;
    uint32_t track = fmp4__take_u32(&c);
    uint32_t lengths = fmp4__take_u32(&c);
    size_t tail = 3 + (lengths >> 4 & 3) + (lengths >> 2 & 3) + (lengths & 3);
    uint32_t n = fmp4__take_u32(&c);
    if (c.is_short || n > c.n / ((is_wide ? 16 : 8) + tail))
        return ERR_PARSE;
    if (track != FMP4_TRACK_VIDEO || *entries != NULL)
        return 0;
    *entries = try_malloc(MAX(n, 1) * sizeof **entries);
    if (*entries == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        (*entries)[i].time = is_wide ? fmp4__take_u64(&c) : fmp4__take_u32(&c);
        (*entries)[i].offset = is_wide ? fmp4__take_u64(&c) : fmp4__take_u32(&c);
        fmp4__take(&c, tail);
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
    struct fmp4_cursor all = {.p = p + n - size, .n = size}, mfra, body;
    uint32_t type;
    if (!fmp4__next_box(&all, &type, &mfra) || type != FMP4_TYPE('m', 'f', 'r', 'a') || all.n != 0)
        return ERR_NOT_FOUND;
    int rc = 0;
    while (rc == 0 && fmp4__next_box(&mfra, &type, &body))
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
