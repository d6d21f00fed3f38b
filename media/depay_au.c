/* Access units out of NAL units: where a picture begins and ends (quirks H1-H5, T4), what is
 * dropped, and what a loss damages. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "media/depay_priv.h"

enum {
    PREFIX_BYTES = 4, /* length in front of every NAL unit */
    MIN_CAPACITY = 2048,
    SCAN_FIRST = 512, /* units searched for start codes before a stream is trusted */
};

static struct nal_info info_of(const struct depay *d, const uint8_t *p, size_t n)
{
    return d->codec == CODEC_H264 ? depay__h264_info(d, p, n) : depay__h265_info(d, p, n);
}

void depay__video_init(struct depay *d, const struct sdp_media *media)
{
    d->has_don = d->codec == CODEC_H265 && media->max_don_diff > 0;
    d->guess[0] = MIN_CAPACITY;
    d->guess[1] = 16 * MIN_CAPACITY;
    depay__sets_init(d, d->format);
}

/* Drops what is under construction; the format and what was learnt stay. */
static void forget_unit(struct depay *d)
{
    packet_unref(&d->au);
    format_unref(&d->au_format);
    d->has_slice = d->is_key = d->is_damaged = d->is_oversize = false;
    d->ends_in_slice = d->is_held = false;
    d->tail_at = 0;
    d->frag.is_open = false;
}

void depay__video_fini(struct depay *d)
{
    forget_unit(d);
    depay__sets_fini(d);
}

/* --- bytes of the unit --- */

static void give_up(struct depay *d)
{
    d->stats.n_oversize += !d->is_oversize;
    d->is_oversize = true;
    packet_unref(&d->au);
    d->tail_at = 0;
    d->frag.is_open = false;
}

/* Room for n bytes, starting from a guess of what the picture will need. */
static bool make_room(struct depay *d, size_t n)
{
    if (d->au && packet_reserve(&d->au, n))
        return true;
    if (d->au || d->is_oversize) {
        give_up(d);
        return false;
    }
    size_t guess = d->has_slice ? d->guess[d->is_key] : 0;
    d->au = packet_create(MAX(n, guess));
    if (!d->au)
        give_up(d);
    return d->au != NULL;
}

static void put_length(uint8_t *p, size_t n)
{
    p[0] = (uint8_t)(n >> 24);
    p[1] = (uint8_t)(n >> 16);
    p[2] = (uint8_t)(n >> 8);
    p[3] = (uint8_t)n;
}

static void append_nal(struct depay *d, const uint8_t *p, size_t n)
{
    if (!make_room(d, PREFIX_BYTES + n))
        return;
    uint8_t *dst = d->au->data + d->au->size;
    put_length(dst, n);
    memcpy(dst + PREFIX_BYTES, p, n);
    d->au->size += PREFIX_BYTES + n;
}

/* --- begin and end of a unit --- */

static void learn_size(struct depay *d)
{
    size_t *guess = &d->guess[d->is_key];
    size_t want = MIN(d->au->size + d->au->size / 8 + 1024, (size_t)PACKET_MAX_BYTES);
    /* Up at once, down slowly. */
    *guess = want > *guess ? want : *guess - (*guess - want) / 4;
}

static void hand_out(struct depay *d)
{
    struct packet *pkt = d->au;
    d->au = NULL;
    pkt->is_key = d->is_key;
    packet_trim(&pkt);
    depay__emit(d, pkt, d->au_format, d->timestamp);
}

/* Prefix units behind the last slice belong to the next picture (quirk H2). */
static struct packet *cut_tail(struct depay *d)
{
    if (!d->au || d->tail_at == 0)
        return NULL;
    size_t n = d->au->size - d->tail_at;
    struct packet *tail = packet_create(n);
    if (tail) {
        memcpy(tail->data, d->au->data + d->tail_at, n);
        tail->size = n;
    }
    d->au->size = d->tail_at;
    return tail;
}

void depay__au_end(struct depay *d)
{
    struct packet *tail = cut_tail(d);
    bool is_whole = !d->is_damaged && d->au && d->au->size > 0;
    d->stats.n_damaged += !is_whole && !d->is_oversize;
    if (is_whole && !d->is_oversize) {
        learn_size(d);
        hand_out(d);
    } else {
        d->is_discontinuity = true;
    }
    forget_unit(d);
    d->au = tail;
}

static void begin_picture(struct depay *d, uint32_t timestamp, const struct nal_info *info)
{
    if (!info->is_first) {
        /* The rest of a picture that its marker ended: the marker comes with every slice. */
        if (d->was_marked && timestamp == d->marked_timestamp && d->lost == 0)
            d->is_marker_wrong = true;
        d->is_damaged = true;
    }
    d->was_marked = false;
    d->has_slice = true;
    d->is_key = info->is_key;
    d->timestamp = timestamp;
    depay__sets_apply(d);
    format_unref(&d->au_format);
    d->au_format = d->format ? format_ref(d->format) : NULL;
    if (d->au && !d->is_oversize && d->au->capacity < d->guess[d->is_key])
        packet_reserve(&d->au, d->guess[d->is_key] - d->au->size);
}

/* A slice is about to be added. */
static void on_slice(struct depay *d, uint32_t timestamp, const struct nal_info *info)
{
    bool is_same = timestamp == d->timestamp;
    if (d->has_slice && (!is_same || (info->is_first && !d->is_interlaced))) {
        d->is_marker_proven |= d->is_held;
        depay__au_end(d);
    }
    if (d->is_held)
        d->is_marker_wrong = true;
    d->is_held = false;
    if (!d->has_slice)
        begin_picture(d, timestamp, info);
    d->tail_at = 0;
    d->is_key |= info->is_key;
    d->ends_in_slice = true;
}

static void on_other(struct depay *d, const struct nal_info *info)
{
    if (info->kind == NAL_KIND_PREFIX && d->has_slice && d->tail_at == 0 && d->au)
        d->tail_at = d->au->size;
    d->ends_in_slice = info->kind == NAL_KIND_SUFFIX && d->has_slice;
}

/* --- whole NAL units --- */

static void take(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n)
{
    struct nal_info info = info_of(d, p, n);
    switch (info.kind) {
    case NAL_KIND_DROP:
        return;
    case NAL_KIND_AUD:
        d->ends_in_slice = false;
        return;
    case NAL_KIND_SET:
        d->ends_in_slice = false;
        depay__set(d, p, n);
        return;
    case NAL_KIND_SLICE:
        on_slice(d, timestamp, &info);
        if (d->is_damaged)
            return;
        break;
    case NAL_KIND_PREFIX:
    case NAL_KIND_SUFFIX:
        on_other(d, &info);
        break;
    }
    append_nal(d, p, n);
}

/* Start codes inside a unit (quirk H4) are no part of H.264 or H.265, so it costs a look at every
 * byte to find out about a camera that has them: slices are searched while the stream is young. */
static bool has_start_code(struct depay *d, const uint8_t *p, size_t n, bool is_slice)
{
    if (is_slice && !d->has_start_codes && d->n_scanned >= SCAN_FIRST)
        return false;
    d->n_scanned += is_slice;
    bool is_found = nal_find_start_code(p, n, 0) < n;
    d->has_start_codes |= is_found;
    return is_found;
}

static void take_annex_b(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n)
{
    struct nal_span nal;
    size_t pos = 0;
    while (nal_next(p, n, &pos, &nal))
        take(d, timestamp, nal.p, nal.n);
}

void depay__nal(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n)
{
    bool is_slice = p[0] != 0 && info_of(d, p, n).kind == NAL_KIND_SLICE;
    if (has_start_code(d, p, n, is_slice))
        take_annex_b(d, timestamp, p, n);
    else
        take(d, timestamp, p, n);
}

/* --- fragments --- */

void depay__frag_start(struct depay *d, uint32_t timestamp, const uint8_t *header,
                       size_t header_size, const uint8_t *p, size_t n)
{
    uint8_t head[4] = {0};
    memcpy(head, header, header_size);
    if (n > 0)
        head[header_size] = p[0];
    struct nal_info info = info_of(d, head, header_size + 1);
    struct fragment *f = &d->frag;
    *f = (struct fragment){.is_slice = info.kind == NAL_KIND_SLICE, .timestamp = timestamp};
    if (f->is_slice)
        on_slice(d, timestamp, &info);
    if (!make_room(d, PREFIX_BYTES + header_size + n))
        return;
    f->is_open = true;
    f->at = d->au->size;
    uint8_t *dst = d->au->data + f->at;
    memcpy(dst + PREFIX_BYTES, header, header_size);
    if (n > 0)
        memcpy(dst + PREFIX_BYTES + header_size, p, n);
    d->au->size += PREFIX_BYTES + header_size + n;
}

void depay__frag_more(struct depay *d, const uint8_t *p, size_t n)
{
    if (n == 0 || !make_room(d, n))
        return;
    memcpy(d->au->data + d->au->size, p, n);
    d->au->size += n;
}

/* What came in fragments is not one plain slice: it is taken in again as a whole. */
static void take_again(struct depay *d, bool is_slice)
{
    const uint8_t *nal = d->au->data + d->frag.at + PREFIX_BYTES;
    size_t n = d->au->size - d->frag.at - PREFIX_BYTES;
    uint8_t *copy = try_malloc(n);
    d->au->size = d->frag.at;
    if (!copy) {
        d->is_damaged = true;
        return;
    }
    memcpy(copy, nal, n);
    if (is_slice) {
        /* The picture has begun with the first unit already. */
        struct nal_span first;
        size_t pos = 0;
        if (nal_next(copy, n, &pos, &first))
            append_nal(d, first.p, first.n);
        take_annex_b(d, d->frag.timestamp, copy + pos, n - pos);
    } else {
        depay__nal(d, d->frag.timestamp, copy, n);
    }
    free(copy);
}

void depay__frag_end(struct depay *d)
{
    struct fragment *f = &d->frag;
    if (!f->is_open)
        return;
    f->is_open = false;
    uint8_t *nal = d->au->data + f->at + PREFIX_BYTES;
    size_t n = d->au->size - f->at - PREFIX_BYTES;
    if (f->is_slice && !has_start_code(d, nal, n, true)) {
        put_length(d->au->data + f->at, n);
        d->ends_in_slice = true;
        return;
    }
    take_again(d, f->is_slice);
}

void depay__frag_orphan(struct depay *d, uint32_t timestamp)
{
    if (d->is_oversize || (d->has_slice && d->is_damaged))
        return;
    if (d->lost == 0)
        d->stats.n_bad_payloads++;
    if (!d->has_slice)
        d->timestamp = timestamp;
    d->has_slice = d->is_damaged = true;
    d->is_held = false;
}

/* --- RTP packets --- */

static void drop_fragment(struct depay *d)
{
    if (d->frag.is_open)
        d->au->size = d->frag.at;
    d->frag.is_open = false;
}

/* A unit that its marker ended is whole, unless the packet after the gap still belongs to it. */
static void on_loss(struct depay *d, uint32_t timestamp)
{
    drop_fragment(d);
    if (d->has_slice && (!d->is_held || timestamp == d->timestamp))
        d->is_damaged = true;
}

void depay__packet_begin(struct depay *d, uint32_t timestamp, uint32_t lost)
{
    if (lost > 0)
        on_loss(d, timestamp);
    if (d->frag.is_open && timestamp != d->frag.timestamp)
        depay__frag_end(d);
    if (d->has_slice && timestamp != d->timestamp) {
        d->is_marker_proven |= d->is_held && lost == 0;
        depay__au_end(d);
    }
    /* Only now: what was lost came after the unit that has just ended. */
    d->lost += lost;
}

void depay__packet_end(struct depay *d, const struct rtp *rtp)
{
    if (!rtp->marker || d->frag.is_open || !d->has_slice || !d->ends_in_slice || d->is_marker_wrong)
        return;
    if (!d->is_marker_proven) {
        d->is_held = true;
        return;
    }
    d->was_marked = true;
    d->marked_timestamp = d->timestamp;
    depay__au_end(d);
}

/* Quirk R5: a count that starts anew is no loss by itself. A picture without its end is incomplete
 * only where markers tell the ends. */
void depay__video_restart(struct depay *d, uint32_t timestamp)
{
    bool has_marker = d->is_marker_proven && !d->is_marker_wrong;
    bool is_whole = !d->frag.is_open && !has_marker && timestamp != d->timestamp;
    drop_fragment(d);
    if (d->has_slice) {
        d->is_damaged |= !is_whole;
        depay__au_end(d);
    }
    d->was_marked = false;
}
