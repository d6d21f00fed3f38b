/* Access units to RTP packets, for serving: the simulator now, the RTSP server and WebRTC later.
 * Pure: payloads reference the packet's bytes. */
#ifndef MEDIA_PAY_H
#define MEDIA_PAY_H

#include "media/packet.h"
#include "media/rtp.h"

/* One RTP packet: header and payload prefix are the callee's (prefix 0-4 bytes), the rest points
 * into the access unit. */
struct pay_piece {
    uint8_t prefix[4];
    size_t prefix_size;
    const uint8_t *data;
    size_t size;
    bool marker; /* last of the access unit */
};
typedef void pay_fn(void *ctx, const struct pay_piece *piece);

/* Cuts a packet (with its format's parameter sets in front when is_key and with_sets) into pieces
 * of at most max_payload bytes: single NAL or FU for video; AAC gets its AU header; G.711 is cut
 * plain. */
int pay_packet(const struct packet *pkt, bool with_sets, size_t max_payload, pay_fn *fn, void *ctx);

#endif
