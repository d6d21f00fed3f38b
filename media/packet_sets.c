#include "media/packet.h"

#include <string.h>

#include "media/nal.h"

enum { PREFIX_BYTES = 4 }; /* length in front of every NAL unit */

static bool has_set(const struct nal_span *sets, size_t n, struct nal_span set)
{
    for (size_t i = 0; i < n; i++) {
        if (sets[i].n == set.n && memcmp(sets[i].p, set.p, set.n) == 0)
            return true;
    }
    return false;
}

/* Leaves in sets only what `known` does not have; returns how many. */
static size_t only_unknown(struct nal_span *sets, size_t n, const struct format *known)
{
    struct nal_span old[NAL_SETS_MAX];
    size_t n_old = format_sets(known, old, ARRAY_LEN(old)), n_left = 0;
    for (size_t i = 0; i < n; i++) {
        if (!has_set(old, n_old, sets[i]))
            sets[n_left++] = sets[i];
    }
    return n_left;
}

static void append_nal(struct packet *pkt, struct nal_span nal)
{
    uint8_t *p = pkt->data + pkt->size;
    p[0] = (uint8_t)(nal.n >> 24);
    p[1] = (uint8_t)(nal.n >> 16);
    p[2] = (uint8_t)(nal.n >> 8);
    p[3] = (uint8_t)nal.n;
    memcpy(p + PREFIX_BYTES, nal.p, nal.n);
    pkt->size += PREFIX_BYTES + nal.n;
}

struct packet *packet_with_sets(const struct packet *pkt, const struct format *known)
{
    struct nal_span sets[NAL_SETS_MAX];
    size_t n = format_sets(pkt->format, sets, ARRAY_LEN(sets)), bytes = pkt->size;
    if (known)
        n = only_unknown(sets, n, known);
    for (size_t i = 0; i < n; i++)
        bytes += PREFIX_BYTES + sets[i].n;
    struct packet *copy = packet_create(bytes);
    if (!copy)
        return NULL;
    copy->format = format_ref(pkt->format);
    copy->pts = pkt->pts;
    copy->dts = pkt->dts;
    copy->wall_us = pkt->wall_us;
    copy->arrival_mono_us = pkt->arrival_mono_us;
    copy->seq = pkt->seq;
    copy->is_video = pkt->is_video;
    copy->is_key = pkt->is_key;
    copy->is_discontinuity = pkt->is_discontinuity;
    copy->lost_before = pkt->lost_before;
    for (size_t i = 0; i < n; i++)
        append_nal(copy, sets[i]);
    memcpy(copy->data + copy->size, pkt->data, pkt->size);
    copy->size += pkt->size;
    return copy;
}
