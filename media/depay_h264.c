/* RTP payloads of H.264 (RFC 6184). The packetization mode of the description is not looked at
 * (quirk H14). */
#include "base/buf.h"
#include "media/depay_priv.h"
#include "media/h264.h"

enum {
    STAP_A = 24,
    STAP_B = 25,
    MTAP_16 = 26,
    MTAP_24 = 27,
    FU_A = 28,
    FU_B = 29,
};

struct nal_info depay__h264_info(const struct depay *d, const uint8_t *p, size_t n)
{
    (void)d;
    switch (h264_nal_type(p[0])) {
    case H264_NAL_SLICE:
    case H264_NAL_IDR:
        /* first_mb_in_slice is ue(v): zero is the single bit 1. */
        return (struct nal_info){.kind = NAL_KIND_SLICE,
                                 .is_first = n > 1 && (p[1] & 0x80),
                                 .is_key = h264_nal_type(p[0]) == H264_NAL_IDR};
    case H264_NAL_SPS:
    case H264_NAL_PPS:
        return (struct nal_info){.kind = NAL_KIND_SET};
    case H264_NAL_AUD:
        return (struct nal_info){.kind = NAL_KIND_AUD};
    case H264_NAL_SEI:
    case 13:
    case 14:
    case 15:
    case 16:
    case 17:
    case 18:
        return (struct nal_info){.kind = NAL_KIND_PREFIX};
    case H264_NAL_END_SEQUENCE:
    case H264_NAL_END_STREAM:
    case H264_NAL_SLICE_AUX:
    case H264_NAL_SLICE_EXT:
    case 21:
    case 22:
    case 23:
        return (struct nal_info){.kind = NAL_KIND_SUFFIX};
    default:
        /* Data partitions (2-4) too: no camera has them, but H.265 taken for H.264 looks so, and
         * then it is better to see no pictures than wrong ones. */
        return (struct nal_info){.kind = NAL_KIND_DROP};
    }
}

/* Size-prefixed units; `skip` bytes stand between a size and its unit (MTAP). The good ones in
 * front are taken, padding and what is cut off is not (quirk H6). */
static void take_aggregate(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n,
                           size_t skip)
{
    while (n > 2) {
        size_t size = get_be16(p);
        p += 2;
        n -= 2;
        if (size == 0)
            return;
        if (size > n) {
            d->stats.n_bad_payloads++;
            return;
        }
        if (size > skip)
            depay__nal(d, timestamp, p + skip, size - skip);
        p += size;
        n -= size;
    }
}

static void take_fragment(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n,
                          size_t header_size)
{
    if (n < header_size) {
        d->stats.n_bad_payloads++;
        return;
    }
    bool is_start = p[1] & 0x80, is_end = p[1] & 0x40;
    if (is_start) {
        uint8_t header = (uint8_t)((p[0] & 0xe0) | (p[1] & 0x1f));
        /* Annex B cut into fragments: what stands where the header should is a start code's zero.
         */
        if ((header & 0x1f) == 0)
            header = 0;
        depay__frag_end(d);
        depay__frag_start(d, timestamp, &header, 1, p + header_size, n - header_size);
    } else if (d->frag.is_open) {
        depay__frag_more(d, p + header_size, n - header_size);
    } else {
        depay__frag_orphan(d, timestamp);
    }
    if (is_end)
        depay__frag_end(d);
}

void depay__h264_payload(struct depay *d, const struct rtp *rtp)
{
    const uint8_t *p = rtp->payload;
    size_t n = rtp->payload_size;
    unsigned type = n > 0 ? h264_nal_type(p[0]) : 0;
    if (n < 2) {
        d->stats.n_bad_payloads += n > 0;
        return;
    }
    if (type == FU_A || type == FU_B) {
        take_fragment(d, rtp->timestamp, p, n, type == FU_B && (p[1] & 0x80) ? 4 : 2);
        return;
    }
    depay__frag_end(d);
    switch (type) {
    case STAP_A:
        take_aggregate(d, rtp->timestamp, p + 1, n - 1, 0);
        break;
    case STAP_B:
        if (n > 3)
            take_aggregate(d, rtp->timestamp, p + 3, n - 3, 0);
        break;
    case MTAP_16:
    case MTAP_24:
        /* The size covers the decoding order and time offset in front of the unit. */
        if (n > 3)
            take_aggregate(d, rtp->timestamp, p + 3, n - 3, type == MTAP_16 ? 3 : 4);
        break;
    default:
        depay__nal(d, rtp->timestamp, p, n);
        break;
    }
}

bool depay__h264_begins_key(const uint8_t *p, size_t n)
{
    unsigned type = n > 4 ? h264_nal_type(p[0]) : 0;
    if (type == STAP_A)
        type = h264_nal_type(p[3]);
    else if (type == FU_A)
        type = p[1] & 0x80 ? p[1] & 0x1f : 0;
    return type == H264_NAL_IDR || type == H264_NAL_SPS;
}
