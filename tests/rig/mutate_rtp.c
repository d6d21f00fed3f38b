/* Packets: numbers, senders, headers, markers, and what gets lost. */
#include <string.h>

#include "mutate_priv.h"

/* A packet of somebody else among the unit's: another payload type with a neighbour's number, or a
 * ghost with another sender. */
static void foreign(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    size_t at = mutate__is(r, "at", "back") ? b->n_packets : 0;
    if (b->n_packets == 0)
        return;
    const struct rtp next = b->packets[MIN(at, b->n_packets - 1)].rtp;
    struct mutate_packet *p = mutate__add(b, at);
    p->rtp.marker = mutate__int(r, "marker", 1);
    p->rtp.payload_type = (uint8_t)mutate__int(r, "pt", b->payload_type);
    p->rtp.seq = (uint16_t)(next.seq + (mutate__is(r, "seq", "previous") ? -1 : 0));
    p->rtp.ssrc = (uint32_t)mutate__int(r, "ssrc", b->ssrc);
    p->channel = (int)mutate__int(r, "channel", -1);
    p->is_unnumbered = true;
    if (p->rtp.ssrc != b->ssrc)
        p->rtp.seq = (uint16_t)(b->number * 7919);
    buf_init(&p->payload, 0);
    mutate__bytes(m, r, &p->payload);
}

static void header(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    for (size_t i = 0; i < b->n_packets; i++) {
        struct mutate_packet *p = &b->packets[i];
        p->n_csrc = (uint8_t)mutate__int(r, "csrc", 0);
        p->n_extension_words = (uint8_t)mutate__int(r, "extension", 0);
        p->padding = (int)mutate__int(r, "padding", 0);
    }
}

/* Another sender from here on, with its own count and clock. */
static void new_sender(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    struct mutate_track *t = &m->tracks[b->track];
    t->ssrc = (uint32_t)mutate__int(r, "ssrc", (int64_t)t->ssrc + 77777);
    t->offset += (uint32_t)mutate__int(r, "ticks", 0);
    b->ssrc = t->ssrc;
    b->timestamp += (uint32_t)mutate__int(r, "ticks", 0);
    b->seq_restart = mutate__int(r, "seq", 1);
}

/* The count starts anew at this unit. */
static void restart(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    b->seq_restart = mutate__int(r, "seq", 0);
}

/* Numbered, but lost on the way: the n-th packet, from behind when negative; with "share" a share
 * of all. */
static void lose(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    double share = mutate__real(r, "share", -1);
    int64_t nth = mutate__int(r, "nth", 0);
    int64_t n = (int64_t)b->n_packets;
    for (int64_t i = 0; i < n; i++) {
        bool is_chosen =
            share < 0 ? i == (nth < 0 ? n + nth : nth) : mutate__random(m) % 10000 < share * 10000;
        b->packets[i].is_lost |= is_chosen;
    }
}

static void repeat(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    for (size_t i = 0; i < b->n_packets; i++)
        b->packets[i].n_copies = (int)mutate__int(r, "copies", 1);
}

/* The last packets once more, all together: "whole write repeated". */
static void again(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    size_t n = MIN((size_t)mutate__int(r, "packets", 3), b->n_packets);
    for (size_t i = 0; i < n; i++) {
        struct mutate_packet *to = mutate__add(b, b->n_packets);
        const struct mutate_packet *from = &b->packets[b->n_packets - 1 - n];
        to->rtp = from->rtp;
        buf_init(&to->payload, 0);
        buf_append(&to->payload, from->payload.data, from->payload.len);
    }
}

/* Each pair of packets in the other order. */
static void swap(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    (void)r;
    for (size_t i = 0; i + 1 < b->n_packets; i += 2) {
        struct mutate_packet first = b->packets[i];
        b->packets[i] = b->packets[i + 1];
        b->packets[i + 1] = first;
    }
}

/* "on": never; nals: at the end of each NAL unit; sets: on parameter sets too. */
static void marker(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    for (size_t i = 0; i < b->n_packets; i++) {
        struct mutate_packet *p = &b->packets[i];
        if (mutate__is(r, "on", "never"))
            p->rtp.marker = false;
        else if (mutate__is(r, "on", "nals"))
            p->rtp.marker |= p->ends_nal;
        else
            p->rtp.marker |= p->is_set;
    }
}

/* Parameter sets bear the stamp of the picture before. */
static void stale_sets(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)r;
    for (size_t i = 0; i < b->n_packets; i++)
        if (b->packets[i].is_set)
            b->packets[i].rtp.timestamp = m->tracks[b->track].last_timestamp;
}

const struct mutate_change mutate__packets[] = {
    {"foreign", MUTATE_PACKETS, "pt bytes hex seq at ssrc channel marker", foreign},
    {"header", MUTATE_PACKETS, "csrc extension padding", header},
    {"new_sender", MUTATE_STAMP, "ssrc ticks seq", new_sender},
    {"restart", MUTATE_STAMP, "seq", restart},
    {"lose", MUTATE_PACKETS, "nth share", lose},
    {"repeat", MUTATE_PACKETS, "copies", repeat},
    {"again", MUTATE_PACKETS, "packets", again},
    {"swap", MUTATE_PACKETS, "", swap},
    {"marker", MUTATE_PACKETS, "on", marker},
    {"stale_sets", MUTATE_PACKETS, "", stale_sets},
    {NULL, 0, NULL, NULL},
};
