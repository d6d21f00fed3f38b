/* Units to RTP payloads, in the ways cameras have of doing it. */
#include <string.h>

#include "mutate_priv.h"

#define AAC_HEADER_BYTES 4 /* of a unit's payload: see pay.c */

/* --- units apart --- */

static void add_nal(struct mutate_batch *b, struct buf *nal)
{
    if (nal->len > 0 && b->n_nals < MUTATE_MAX_NALS) {
        struct mutate_nal *to = &b->nals[b->n_nals++];
        to->p = buf_steal(nal, &to->n);
    }
    buf_clear(nal);
}

/* Puts fragments together; everything else is one NAL unit. */
static void split_payload(struct mutate_batch *b, struct buf *nal, const uint8_t *p, size_t n)
{
    size_t header = b->codec == CODEC_H264 ? 1 : 2;
    bool is_fu = b->codec == CODEC_H264 ? (p[0] & 0x1f) == 28 : (p[0] >> 1 & 0x3f) == 49;
    uint8_t fu = p[header];
    if (!is_fu || fu & 0x80)
        add_nal(b, nal);
    if (!is_fu) {
        buf_append(nal, p, n);
        return;
    }
    if (fu & 0x80 && b->codec == CODEC_H264) {
        buf_put_u8(nal, (uint8_t)((p[0] & 0xe0) | (fu & 0x1f)));
    } else if (fu & 0x80) {
        buf_put_u8(nal, (uint8_t)((p[0] & 0x81) | (fu & 0x3f) << 1));
        buf_put_u8(nal, p[1]);
    }
    buf_append(nal, p + header + 1, n - header - 1);
}

void mutate__split(struct mutate_batch *b, const struct unit *u)
{
    size_t at = 0;
    size_t size;
    uint8_t *frame;
    struct buf nal;
    buf_init(&nal, 0);
    while (unit_next(u, &at, &frame, &size)) {
        const uint8_t *p = frame + 4 + RTP_HEADER_BYTES;
        size_t n = size - 4 - RTP_HEADER_BYTES;
        if (codec_is_video(b->codec))
            split_payload(b, &nal, p, n);
        else
            buf_append(&nal, p + (b->codec == CODEC_AAC ? AAC_HEADER_BYTES : 0),
                       n - (b->codec == CODEC_AAC ? AAC_HEADER_BYTES : 0));
    }
    add_nal(b, &nal);
    buf_fini(&nal);
}

/* --- video --- */

static struct buf *new_payload(struct mutate_batch *b)
{
    struct mutate_packet *p = mutate__add(b, b->n_packets);
    buf_init(&p->payload, 0);
    return &p->payload;
}

static void end_nal(struct mutate_batch *b, const uint8_t *nal)
{
    struct mutate_packet *p = &b->packets[b->n_packets - 1];
    p->ends_nal = true;
    p->is_set = mutate__is_set(b->codec, nal);
}

static void put_don(const struct mutate_batch *b, struct buf *out, bool is_short)
{
    if (b->style.has_don && is_short)
        buf_put_u8(out, 0);
    else if (b->style.has_don)
        buf_put_be16(out, (uint16_t)b->number);
}

static void put_fu_head(struct mutate_batch *b, struct buf *out, const uint8_t *nal, bool is_first,
                        bool is_last)
{
    const struct mutate_style *s = &b->style;
    bool is_h264 = b->codec == CODEC_H264;
    uint8_t flags = (uint8_t)((is_first ? 0x80 : 0) | (is_last && !s->has_no_end ? 0x40 : 0));
    unsigned type = is_h264 ? nal[0] & 0x1f : nal[0] >> 1 & 0x3f;
    if (s->has_other_type && !is_first)
        type ^= 4;
    if (is_h264) {
        buf_put_u8(out, (uint8_t)((nal[0] & 0xe0) | 28));
        buf_put_u8(out, (uint8_t)(flags | (s->has_reserved_bit ? 0x20 : 0) | type));
    } else {
        buf_put_u8(out, (uint8_t)((nal[0] & 0x81) | 49 << 1));
        buf_put_u8(out, nal[1]);
        buf_put_u8(out, (uint8_t)(flags | type));
        if (is_first)
            put_don(b, out, false);
    }
}

static void put_fragments(struct mutate_batch *b, const uint8_t *nal, size_t n, size_t max)
{
    size_t header = b->codec == CODEC_H264 ? 1 : 2;
    size_t at = header;
    while (at < n) {
        size_t size = MIN(max - header - 3, n - at);
        bool is_first = at == header;
        struct buf *out = new_payload(b);
        put_fu_head(b, out, nal, is_first, at + size == n && b->style.swell == 0);
        buf_append(out, nal + at, size);
        at += size;
        if (b->style.has_empty && is_first && at < n)
            put_fu_head(b, new_payload(b), nal, false, false);
    }
    for (size_t i = 0; i < b->style.swell; i += max) {
        struct buf *out = new_payload(b);
        put_fu_head(b, out, nal, false, false);
        while (out->len < max)
            buf_put_u8(out, 0xaa);
    }
}

/* The payload header content information of RFC 7798 4.4.4, without extensions. */
static void put_paci(struct buf *out, const uint8_t *nal, size_t n)
{
    buf_put_u8(out, (uint8_t)((nal[0] & 1) | 50 << 1));
    buf_put_u8(out, nal[1]);
    buf_put_u8(out, (uint8_t)(nal[0] & 0x7e));
    buf_put_u8(out, 0);
    buf_append(out, nal + 2, n - 2);
}

static void put_nal(struct mutate_batch *b, const uint8_t *nal, size_t n)
{
    const struct mutate_style *s = &b->style;
    size_t max = s->max ? s->max : MUTATE_PAYLOAD_BYTES;
    bool is_slice = mutate__is_slice(b->codec, nal);
    size_t header = b->codec == CODEC_H264 ? 1 : 2;
    bool is_fu = n + 8 > max || (is_slice && (s->is_always_fu || s->swell > 0));
    if (is_fu && s->is_start_end && n + 8 <= 60000) {
        put_fragments(b, nal, n, n + 8);
    } else if (is_fu) {
        /* At least two pieces, so that there is a middle to be odd about. */
        put_fragments(b, nal, n, s->is_always_fu ? MIN(max, n / 3 + header + 4) : max);
    } else if (s->is_paci && is_slice) {
        put_paci(new_payload(b), nal, n);
    } else {
        struct buf *out = new_payload(b);
        if (s->annex_b == ANNEX_B_HEAD)
            buf_append(out, "\0\0\0\1", 4);
        buf_append(out, nal, header);
        put_don(b, out, false);
        buf_append(out, nal + header, n - header);
    }
    end_nal(b, nal);
}

/* Everything in front of the slices in one packet. Returns how many NAL units that were. */
static size_t put_aggregate(struct mutate_batch *b)
{
    size_t n = 0;
    while (n < b->n_nals && !mutate__is_slice(b->codec, b->nals[n].p))
        n++;
    if (n == 0)
        return 0;
    struct buf *out = new_payload(b);
    buf_append(out, b->codec == CODEC_H264 ? "\x78" : "\x60\x01", b->codec == CODEC_H264 ? 1 : 2);
    for (size_t i = 0; i < n; i++) {
        put_don(b, out, i > 0);
        buf_put_be16(out, (uint16_t)b->nals[i].n);
        buf_append(out, b->nals[i].p, b->nals[i].n);
    }
    for (size_t i = 0; i < b->style.padding; i++)
        buf_put_u8(out, 0);
    if (b->style.is_overlong)
        buf_append(out, "\x7f\xff\x65\xaa", 4);
    end_nal(b, b->nals[0].p);
    return n;
}

/* The whole unit as a byte stream: in one payload, or in fragments of "NAL type 0". */
static void put_annex_b(struct mutate_batch *b)
{
    struct buf all;
    size_t max = b->style.max ? b->style.max : MUTATE_PAYLOAD_BYTES;
    bool is_fu = b->style.annex_b == ANNEX_B_FU;
    buf_init(&all, 0);
    for (size_t i = 0; i < b->n_nals; i++) {
        if (i > 0 || is_fu)
            buf_append(&all, "\0\0\0\1", 4);
        buf_append(&all, b->nals[i].p, b->nals[i].n);
    }
    if (!is_fu) {
        put_nal(b, all.data, all.len);
    } else {
        /* The first pieces cut the start code apart, as they happen to do. */
        for (size_t at = 1, size = 2; at < all.len; at += size, size = max) {
            struct buf *out = new_payload(b);
            size = MIN(size, all.len - at);
            buf_put_u8(out, 0x7c);
            buf_put_u8(out, (uint8_t)((at == 1 ? 0x80 : 0) | (at + size == all.len ? 0x40 : 0)));
            buf_append(out, all.data + at, size);
        }
        b->packets[b->n_packets - 1].ends_nal = true;
    }
    buf_fini(&all);
}

static void pay_video(struct mutate_batch *b)
{
    size_t i = 0;
    if (b->style.annex_b == ANNEX_B_JOINED || b->style.annex_b == ANNEX_B_FU) {
        put_annex_b(b);
    } else {
        if (b->style.is_aggregated)
            i = put_aggregate(b);
        for (; i < b->n_nals; i++)
            put_nal(b, b->nals[i].p, b->nals[i].n);
    }
    if (b->n_packets > 0)
        b->packets[b->n_packets - 1].rtp.marker = b->style.swell == 0;
}

/* --- audio --- */

static void put_au_header(struct buf *out, size_t n)
{
    buf_put_be16(out, (uint16_t)(n << 3));
}

/* 16 kHz mono AAC-LC, as the rig's tone is. */
static void put_adts(struct buf *out, size_t n)
{
    size_t size = n + 7;
    const uint8_t head[7] = {0xff,
                             0xf1,
                             0x60,
                             (uint8_t)(0x40 | size >> 11),
                             (uint8_t)(size >> 3),
                             (uint8_t)(size << 5 | 0x1f),
                             0xfc};
    buf_append(out, head, sizeof head);
}

static void pay_aac_frame(struct mutate_batch *b, const uint8_t *p, size_t n)
{
    size_t piece = b->style.aac == AAC_PIECES ? n / 2 + 1 : n;
    for (size_t at = 0; at < n; at += piece) {
        struct buf *out = new_payload(b);
        bool has_adts = b->style.aac == AAC_ADTS || b->style.aac == AAC_BARE_ADTS;
        if (b->style.aac == AAC_BROKEN)
            buf_put_be16(out, 0x7ff0);
        else if (b->style.aac != AAC_BARE_ADTS)
            buf_put_be16(out, b->style.aac == AAC_BYTES ? 2 : 16);
        if (b->style.aac != AAC_BARE_ADTS)
            put_au_header(out, has_adts ? n + 7 : n);
        if (has_adts)
            put_adts(out, n);
        buf_append(out, p + at, MIN(piece, n - at));
    }
    b->packets[b->n_packets - 1].rtp.marker = true;
}

/* Several frames in one packet, with the stamp of the first. */
static void join_aac(struct mutator *m, struct mutate_batch *b, const uint8_t *p, size_t n)
{
    struct mutate_track *t = &m->tracks[b->track];
    if (t->n_joined == 0)
        t->joined_timestamp = b->timestamp;
    buf_put_be16(&t->joined, (uint16_t)n);
    buf_append(&t->joined, p, n);
    if (++t->n_joined < b->style.join)
        return;
    struct buf *out = new_payload(b);
    b->packets[0].rtp.timestamp = t->joined_timestamp;
    b->packets[0].rtp.marker = true;
    buf_put_be16(out, (uint16_t)(16 * t->n_joined));
    for (size_t at = 0; at < t->joined.len; at += 2 + get_be16(t->joined.data + at))
        put_au_header(out, get_be16(t->joined.data + at));
    for (size_t at = 0; at < t->joined.len; at += 2 + get_be16(t->joined.data + at))
        buf_append(out, t->joined.data + at + 2, get_be16(t->joined.data + at));
    buf_clear(&t->joined);
    t->n_joined = 0;
}

static void pay_audio(struct mutator *m, struct mutate_batch *b)
{
    const uint8_t *p = b->nals[0].p;
    size_t n = b->nals[0].n;
    if (b->codec == CODEC_AAC && b->style.join > 1) {
        join_aac(m, b, p, n);
    } else if (b->codec == CODEC_AAC) {
        pay_aac_frame(b, p, n);
    } else if (b->style.is_odd && n > 2) {
        size_t first = n / 2 | 1;
        buf_append(new_payload(b), p, first);
        buf_append(new_payload(b), p + first, n - first);
        b->packets[1].rtp.timestamp += (uint32_t)first;
    } else {
        buf_append(new_payload(b), p, n);
    }
}

void mutate__pay(struct mutator *m, struct mutate_batch *b)
{
    if (b->n_nals == 0)
        return;
    if (codec_is_video(b->codec))
        pay_video(b);
    else
        pay_audio(m, b);
}

/* --- what rules say about it --- */

static void video(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    struct mutate_style *s = &b->style;
    s->max = (size_t)mutate__int(r, "max", 0);
    s->is_always_fu = mutate__int(r, "fu", 0);
    s->is_start_end = mutate__int(r, "start_end", 0);
    s->has_no_end = mutate__int(r, "no_end", 0);
    s->has_empty = mutate__int(r, "empty", 0);
    s->has_reserved_bit = mutate__int(r, "reserved", 0);
    s->has_other_type = mutate__int(r, "other_type", 0);
    s->is_aggregated = mutate__int(r, "aggregate", 0);
    s->padding = (size_t)mutate__int(r, "padding", 0);
    s->is_overlong = mutate__int(r, "overlong", 0);
    s->has_don = mutate__int(r, "don", 0);
    s->is_paci = mutate__int(r, "paci", 0);
    s->swell = (size_t)mutate__int(r, "swell", 0);
    s->annex_b = mutate__is(r, "annex_b", "joined") ? ANNEX_B_JOINED
                 : mutate__is(r, "annex_b", "head") ? ANNEX_B_HEAD
                 : mutate__is(r, "annex_b", "fu")   ? ANNEX_B_FU
                                                    : ANNEX_B_NONE;
}

static void audio(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    static const char *const kinds[] = {"plain", "adts", "bare_adts", "bytes", "broken", "pieces"};
    (void)m;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (mutate__is(r, "aac", kinds[i]))
            b->style.aac = (int)i;
    b->style.join = (size_t)mutate__int(r, "join", 0);
    b->style.is_odd = mutate__int(r, "odd", 0);
}

const struct mutate_change mutate__styles[] = {
    {"payload", MUTATE_STYLE,
     "max fu start_end no_end empty reserved other_type aggregate padding overlong don paci swell "
     "annex_b",
     video},
    {"audio_payload", MUTATE_STYLE, "aac join odd", audio},
    {NULL, 0, NULL, NULL},
};
