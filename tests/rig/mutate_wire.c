/* Frames of the connection, and sender reports. */
#include <string.h>

#include "mutate_priv.h"

static const char answer[] = "RTSP/1.0 200 OK\r\nCSeq: 99\r\nSession: 1\r\n\r\n";

static struct mutate_packet *chosen(const struct mutate_rule *r, struct mutate_batch *b)
{
    int64_t nth = mutate__int(r, "nth", 0);
    int64_t at = nth < 0 ? (int64_t)b->n_packets + nth : nth;
    return at >= 0 && at < (int64_t)b->n_packets ? &b->packets[at] : NULL;
}

/* Bytes that are nothing, in front of a frame. */
static void garbage(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    struct mutate_packet *p = chosen(r, b);
    if (p)
        mutate__bytes(m, r, &p->before);
}

/* The end of a frame is left out. */
static void cut(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    struct mutate_packet *p = chosen(r, b);
    if (p)
        p->n_cut = (size_t)mutate__int(r, "bytes", 100);
}

/* An answer between two frames, or written into one. */
static void text(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    struct mutate_packet *p = chosen(r, b);
    if (p)
        buf_puts(mutate__is(r, "at", "inside") ? &p->inside : &p->before, answer);
}

/* A frame of that few bytes. */
static void runt(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    struct mutate_packet *p = chosen(r, b);
    if (!p)
        return;
    struct buf body;
    buf_init(&body, 0);
    mutate__bytes(m, r, &body);
    buf_put_u8(&p->before, '$');
    buf_put_u8(&p->before, m->params.channel[b->track]);
    buf_put_be16(&p->before, (uint16_t)body.len);
    buf_append(&p->before, body.data, body.len);
    buf_fini(&body);
}

static void channel(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    for (size_t i = 0; i < b->n_packets; i++)
        b->packets[i].channel = (int)mutate__int(r, "to", -1);
}

static void put_rtp(struct mutator *m, const struct mutate_packet *p, struct buf *out)
{
    uint8_t head[RTP_HEADER_BYTES];
    rtp_print_header(&p->rtp, head);
    head[0] |= (uint8_t)((p->padding ? 0x20 : 0) | (p->n_extension_words ? 0x10 : 0) | p->n_csrc);
    buf_append(out, head, sizeof head);
    for (int i = 0; i < p->n_csrc; i++)
        buf_put_be32(out, mutate__random(m));
    if (p->n_extension_words) {
        buf_put_be32(out, 0xabac0000u | p->n_extension_words);
        for (int i = 0; i < p->n_extension_words; i++)
            buf_put_be32(out, mutate__random(m));
    }
    buf_append(out, p->payload.data, p->payload.len);
    for (int i = 1; i < p->padding; i++)
        buf_put_u8(out, 0xee);
    if (p->padding)
        buf_put_u8(out, (uint8_t)MAX(p->padding, 0));
}

static void put_frame(struct mutator *m, const struct mutate_batch *b,
                      const struct mutate_packet *p, const struct buf *rtp, struct buf *out)
{
    size_t half = rtp->len / 2;
    uint8_t number = p->channel >= 0 ? (uint8_t)p->channel : m->params.channel[b->track];
    buf_append(out, p->before.data, p->before.len);
    size_t from = out->len;
    buf_put_u8(out, '$');
    buf_put_u8(out, number);
    buf_put_be16(out, (uint16_t)rtp->len);
    buf_append(out, rtp->data, half);
    buf_append(out, p->inside.data, p->inside.len);
    buf_append(out, rtp->data + half, rtp->len - half);
    out->len -= MIN(p->n_cut, out->len - from - 1);
}

void mutate__send(struct mutator *m, struct mutate_batch *b)
{
    struct buf rtp;
    struct buf all;
    buf_init(&rtp, 0);
    buf_init(&all, 0);
    for (size_t i = 0; i < b->n_packets; i++) {
        const struct mutate_packet *p = &b->packets[i];
        buf_clear(&rtp);
        put_rtp(m, p, &rtp);
        for (int k = 0; k <= p->n_copies && !p->is_lost; k++) {
            if (m->params.is_udp)
                m->params.send(m->params.ctx, b->track, false, rtp.data, rtp.len);
            else
                put_frame(m, b, p, &rtp, &all);
        }
    }
    if (all.len > 0)
        m->params.send(m->params.ctx, b->track, false, all.data, all.len);
    buf_fini(&rtp);
    buf_fini(&all);
}

/* --- sender reports --- */

/* What the "report" rule of a track says about the 28 bytes of one. Other changes of the rule's
 * row do not apply: reports have a pace of their own. */
static void edit_report(struct mutator *m, struct mutate_rule *r, struct buf *report)
{
    uint8_t *p = report->data;
    if (mutate__is(r, "ntp", "zero"))
        memset(p + 8, 0, 8);
    if (mutate__is(r, "ntp", "1970"))
        buf_set_be32(report, 8, get_be32(p + 8) - 1700000000u);
    if (mutate__is(r, "ntp", "steps"))
        buf_set_be32(report, 8, get_be32(p + 8) + (uint32_t)(r->n_done * 3600));
    if (mutate__is(r, "ntp", "chaos"))
        buf_set_be32(report, 8, mutate__random(m) * 200u);
    if (mutate__int(r, "other_ssrc", 0))
        buf_set_be32(report, 4, get_be32(p + 4) + 1);
    if (mutate__is(r, "rtptime", "chaos"))
        buf_set_be32(report, 16, mutate__random(m) * 200u);
    if (json_object_get(r->o, "length")) {
        p[2] = 0;
        p[3] = (uint8_t)mutate__int(r, "length", 6);
    }
    if (mutate__int(r, "no_sdes_end", 0))
        buf_append(report, "\x81\xca\0\2\1\2\3\4\1\2ab", 12);
    if (mutate__int(r, "bye", 0))
        buf_append(report, "\x81\xcb\0\1\1\2\3\4", 8);
    r->n_done++;
}

void mutator_report(struct mutator *m, int track, uint8_t *p, size_t n)
{
    struct buf report;
    int number = -1;
    int64_t n_copies = 1;
    buf_init(&report, 0);
    buf_append(&report, p, n);
    for (size_t i = 0; i < m->n_rules; i++) {
        struct mutate_rule *r = &m->rules[i];
        if ((mutate__is(r, "track", "audio") ? 1 : 0) != track)
            continue;
        if (strcmp(r->change->name, "channel") == 0)
            number = (int)mutate__int(r, "rtcp", mutate__int(r, "to", -1));
        if (strcmp(r->change->name, "report") != 0)
            continue;
        n_copies = mutate__int(r, "copies", 1);
        edit_report(m, r, &report);
    }
    struct buf out;
    buf_init(&out, 0);
    if (!m->params.is_udp) {
        buf_put_u8(&out, '$');
        buf_put_u8(&out, number >= 0 ? (uint8_t)number : (uint8_t)(m->params.channel[track] + 1));
        buf_put_be16(&out, (uint16_t)report.len);
    }
    buf_append(&out, report.data, report.len);
    for (; n_copies > 0; n_copies--)
        m->params.send(m->params.ctx, track, true, out.data, out.len);
    buf_fini(&out);
    buf_fini(&report);
}

const struct mutate_change mutate__wire[] = {
    {"garbage", MUTATE_WIRE, "hex bytes nth", garbage},
    {"cut", MUTATE_WIRE, "bytes nth", cut},
    {"text", MUTATE_WIRE, "at nth", text},
    {"runt", MUTATE_WIRE, "hex bytes nth", runt},
    {"channel", MUTATE_WIRE, "to rtcp", channel},
    {"report", MUTATE_WIRE, "ntp rtptime other_ssrc length no_sdes_end bye copies", NULL},
    {NULL, 0, NULL, NULL},
};
