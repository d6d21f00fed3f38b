/* RTP payloads of one track to access units: H.264 (RFC 6184), H.265 (RFC 7798), JPEG (RFC 2435),
 * AAC (RFC 3640), G.711 and 16-bit samples (RFC 3551). Sans-IO: payload bytes in, packets out
 * through a callback.
 *
 * Access units end by quirks H1-H6: timestamp change, marker after a VCL NAL, or the first slice of
 * a new picture; parameter sets in front belong to the next one. The marker is believed after it
 * was right once: the very first unit waits for the packet after it (or depay_flush). Thread:
 * belongs to its owner. Bounds: PACKET_MAX_BYTES per access unit, 16 KiB per parameter set.
 */
#ifndef MEDIA_DEPAY_H
#define MEDIA_DEPAY_H

#include "media/byte_order.h"
#include "media/packet.h"
#include "media/rtp.h"
#include "media/sdp.h"

struct depay;

/* An access unit is complete: payload, is_video, is_key, format (current, may be NULL when no
 * parameter sets are known yet), lost_before and is_discontinuity are set; `timestamp` is the RTP
 * timestamp of the picture. The callee owns the packet (one reference) and sets the times. */
typedef void depay_fn(void *ctx, struct packet *pkt, uint32_t timestamp);

struct depay_stats {
    uint64_t n_units;        /* access units handed out */
    uint64_t n_damaged;      /* dropped because packets were missing inside */
    uint64_t n_oversize;     /* given up at PACKET_MAX_BYTES (quirk H15) */
    uint64_t n_bad_payloads; /* payloads that could not be read */
    uint64_t n_format_changes;
    enum byte_order byte_order; /* of 16-bit samples, as they show it themselves */
};

/* media tells the codec and starting format; copied. 16-bit samples may show another byte order
 * than it tells, which then is the format's; so nothing comes out for the first second, or until
 * they have shown it (quirk M2). ERR_UNSUPPORTED for CODEC_NONE. */
int depay_create(const struct sdp_media *media, depay_fn *fn, void *ctx, struct depay **out);
void depay_destroy(struct depay **d);

/* One RTP packet in order; lost > 0 when packets are missing before it. */
void depay_input(struct depay *d, const struct rtp *rtp, uint32_t lost);

/* Hands out what is pending (end of stream, or the marker is late). A unit whose end has not come
 * is handed out as far as it goes, so only when nothing more is expected. */
void depay_flush(struct depay *d);

/* Before the packet with this timestamp, the first of a new count (RTP_RESTART): what is open is
 * dropped, but a picture that is whole as far as can be told is handed out. The format stays, and
 * the next unit is flagged is_discontinuity. */
void depay_restart(struct depay *d, uint32_t timestamp);
/* Whether a key frame, or parameter sets, begin in this packet: a look, nothing is taken in. */
bool depay_begins_key(const struct depay *d, const struct rtp *rtp);

const struct depay_stats *depay_stats(const struct depay *d);

#endif
