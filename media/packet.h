/* One access unit (video) or one audio frame. Refcounted; immutable once published.
 *
 * Video payload is length-prefixed NAL units (4 bytes, ISO/IEC 14496-15), without parameter sets
 * that equal those of `format`, without access unit delimiters; or one whole JPEG image. Thread:
 * ref, unref and reading from any thread. */
#ifndef MEDIA_PACKET_H
#define MEDIA_PACKET_H

#include "media/format.h"

#define PACKET_MAX_BYTES (8u << 20) /* quirk H15: larger access units are dropped */

struct packet {
    struct refcount refs;
    struct format *format; /* owned reference */
    int64_t pts;     /* ticks of format->timescale, unwrapped, monotonic per hub epoch with dts */
    int64_t dts;     /* strictly increasing per track within an epoch */
    int64_t wall_us; /* server wall clock of this picture: arrival steered by the timeline */
    int64_t arrival_mono_us; /* when its last byte was read */
    uint32_t seq; /* set by hub_publish: counts packets per track; a hole = something is missing */
    bool is_video;
    bool is_key;           /* IDR/CRA/BLA: decodable from here with format */
    bool is_discontinuity; /* something is missing or time jumped before this packet */
    uint32_t lost_before;  /* RTP packets known lost since the previous packet of the track */
    size_t size;           /* bytes of payload */
    size_t capacity;
    uint8_t data[];
};

/* An unpublished packet with room for `capacity` bytes and size 0; NULL without memory or above
 * PACKET_MAX_BYTES. format may be NULL until publishing. */
struct packet *packet_create(size_t capacity) __attribute__((warn_unused_result));

/* Makes room for n more bytes; may move *pkt. False above the bound (the packet stays). */
bool packet_grow(struct packet **pkt, size_t n);
static inline bool packet_reserve(struct packet **pkt, size_t n)
{
    return n <= (*pkt)->capacity - (*pkt)->size || packet_grow(pkt, n);
}

/* Gives room that is not used back, when it is much; may move *pkt. Before publishing only. */
void packet_trim(struct packet **pkt);

/* A copy of a video packet with parameter sets of its format in front (packets are immutable): all
 * of them, or with `known` those that `known` does not have. The caller's own; NULL without memory
 * or above PACKET_MAX_BYTES. */
struct packet *packet_with_sets(const struct packet *pkt, const struct format *known)
    __attribute__((warn_unused_result));

struct packet *packet_ref(struct packet *pkt);
void packet_unref(struct packet **pkt);

#endif
