/* RTP payloads of H.265 (RFC 7798). */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "media/depay_priv.h"
#include "media/h265.h"

enum {
    AGGREGATE = 48,
    FRAGMENT = 49,
    PACI = 50,
};

struct nal_info depay__h265_info(const struct depay *d, const uint8_t *p, size_t n)
{
    (void)d;
    unsigned type = h265_nal_type(p[0]);
    bool is_base_layer = !(p[0] & 1) && n > 1 && p[1] >> 3 == 0;
    if (!is_base_layer)
        return (struct nal_info){.kind = NAL_KIND_DROP};
    if (type <= 9 || (type >= H265_NAL_IRAP_FIRST && type <= H265_NAL_IRAP_LAST))
        return (struct nal_info){.kind = NAL_KIND_SLICE,
                                 .is_first = n > 2 && (p[2] & 0x80),
                                 .is_key = type >= H265_NAL_IRAP_FIRST};
    switch (type) {
    case H265_NAL_VPS:
    case H265_NAL_SPS:
    case H265_NAL_PPS:
        return (struct nal_info){.kind = NAL_KIND_SET};
    case H265_NAL_AUD:
        return (struct nal_info){.kind = NAL_KIND_AUD};
    case H265_NAL_SEI_PREFIX:
    case 41:
    case 42:
    case 43:
    case 44:
        return (struct nal_info){.kind = NAL_KIND_PREFIX};
    case H265_NAL_END_SEQUENCE:
    case H265_NAL_END_STREAM:
    case H265_NAL_SEI_SUFFIX:
    case 45:
    case 46:
    case 47:
        return (struct nal_info){.kind = NAL_KIND_SUFFIX};
    default:
        return (struct nal_info){.kind = NAL_KIND_DROP};
    }
}

/* With decoding order numbers, two bytes stand in front of the first unit and one in front of each
 * other. They are not needed: nothing sends out of decoding order within one stream of a camera. */
static void take_aggregate(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n)
{
    size_t skip = d->has_don ? 2 : 0;
    while (n > skip + 2) {
        p += skip;
        n -= skip;
        size_t size = get_be16(p);
        p += 2;
        n -= 2;
        if (size == 0)
            return;
        if (size > n) {
            d->stats.n_bad_payloads++;
            return;
        }
        depay__nal(d, timestamp, p, size);
        p += size;
        n -= size;
        skip = d->has_don ? 1 : 0;
    }
}

static void take_fragment(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n)
{
    bool is_start = p[2] & 0x80, is_end = p[2] & 0x40;
    size_t header_size = 3 + (is_start && d->has_don ? 2 : 0);
    if (n < header_size) {
        d->stats.n_bad_payloads++;
        return;
    }
    if (is_start) {
        uint8_t header[2] = {(uint8_t)((p[0] & 0x81) | (p[2] & 0x3f) << 1), p[1]};
        depay__frag_end(d);
        depay__frag_start(d, timestamp, header, 2, p + header_size, n - header_size);
    } else if (d->frag.is_open) {
        depay__frag_more(d, p + header_size, n - header_size);
    } else {
        depay__frag_orphan(d, timestamp);
    }
    if (is_end)
        depay__frag_end(d);
}

static void take_payload(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n);

/* The extensions of a PACI are skipped; what it carries has its type in cType. */
static void take_paci(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n)
{
    size_t extensions = n >= 4 ? (size_t)(p[2] & 1) << 4 | p[3] >> 4 : 0;
    size_t from = 4 + extensions;
    unsigned type = (p[2] >> 1) & 0x3f;
    uint8_t *copy = n > from && type != PACI ? try_malloc(2 + n - from) : NULL;
    if (!copy) {
        d->stats.n_bad_payloads++;
        return;
    }
    copy[0] = (uint8_t)((p[0] & 1) | type << 1);
    copy[1] = p[1];
    memcpy(copy + 2, p + from, n - from);
    take_payload(d, timestamp, copy, 2 + n - from);
    free(copy);
}

static void take_payload(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n)
{
    if (n < 3) {
        d->stats.n_bad_payloads += n > 0;
        return;
    }
    unsigned type = h265_nal_type(p[0]);
    if (type == FRAGMENT) {
        take_fragment(d, timestamp, p, n);
        return;
    }
    depay__frag_end(d);
    if (type == AGGREGATE) {
        take_aggregate(d, timestamp, p + 2, n - 2);
    } else if (type == PACI) {
        take_paci(d, timestamp, p, n);
    } else if (d->has_don && n > 4) {
        uint8_t *copy = try_malloc(n - 2);
        if (!copy)
            return;
        memcpy(copy, p, 2);
        memcpy(copy + 2, p + 4, n - 4);
        depay__nal(d, timestamp, copy, n - 2);
        free(copy);
    } else {
        depay__nal(d, timestamp, p, n);
    }
}

void depay__h265_payload(struct depay *d, const struct rtp *rtp)
{
    take_payload(d, rtp->timestamp, rtp->payload, rtp->payload_size);
}

bool depay__h265_begins_key(const uint8_t *p, size_t n)
{
    unsigned type = n > 5 ? h265_nal_type(p[0]) : 0;
    if (type == AGGREGATE)
        type = h265_nal_type(p[4]);
    else if (type == FRAGMENT)
        type = p[2] & 0x80 ? p[2] & 0x3f : 0;
    return (type >= H265_NAL_IRAP_FIRST && type <= H265_NAL_IRAP_LAST) ||
           (type >= H265_NAL_VPS && type <= H265_NAL_SPS);
}
