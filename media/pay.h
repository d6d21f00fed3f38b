/* Access units to RTP packets, for serving: the simulator now, the RTSP server and WebRTC later.
 * Pure: payloads reference the packet's bytes. */
#ifndef MEDIA_PAY_H
#define MEDIA_PAY_H

#include "media/packet.h"
#include "media/rtp.h"

#define PAY_PREFIX_MAX_BYTES 272 /* JPEG: three headers and two tables */

/* One RTP packet: header and payload prefix are the callee's, the rest points into the access unit.
 */
struct pay_piece {
    uint8_t prefix[PAY_PREFIX_MAX_BYTES];
    size_t prefix_size;
    const uint8_t *data;
    size_t size;
    bool marker; /* last of the access unit */
};
typedef void pay_fn(void *ctx, const struct pay_piece *piece);

/* Cuts a packet (with its format's parameter sets in front when is_key and with_sets) into pieces
 * of at most max_payload bytes: single NAL or FU for video; a JPEG image loses its head, whose
 * tables go in front of the first piece (which max_payload must have room for), and must be one
 * that RFC 2435 can carry (else ERR_UNSUPPORTED); AAC gets its AU header; G.711 is cut plain. */
int pay_packet(const struct packet *pkt, bool with_sets, size_t max_payload, pay_fn *fn, void *ctx);

#endif
