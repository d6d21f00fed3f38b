/* An access unit or audio frame as ready-made interleaved RTP (RFC 2326 10.12): '$', channel,
 * length, RTP header, payload, packet behind packet. Made once; the fields that differ per sending
 * are patched in place right before. Thread: one owner at a time; patching makes it unfit for
 * sharing between threads. */
#ifndef RIG_UNIT_H
#define RIG_UNIT_H

#include "media/packet.h"

#define UNIT_RTP_PAYLOAD_BYTES 1400

struct unit {
    int64_t dts, pts;       /* ticks of the track's clock since the start of its reel or shot */
    uint64_t identity;      /* vcl_hash; 0 for audio */
    size_t n_payload_bytes; /* for sender reports */
    uint32_t n_packets;
    bool is_key; /* audio: always */
    int channel; /* patched last; -1 = never */
    size_t size;
    uint8_t *bytes;
};

/* Takes times, key flag and format from pkt; parameter sets go in front of key frames. ERR_TOO_BIG
 * or ERR_PARSE when it cannot be cut. */
int unit_create(const struct packet *pkt, struct unit **out);
void unit_destroy(struct unit **u);

/* What is written into the headers before each sending. */
struct unit_stamp {
    uint8_t payload_type;
    uint16_t seq; /* of the first packet */
    uint32_t timestamp, ssrc;
};
void unit_patch(struct unit *u, const struct unit_stamp *s);
void unit_set_channel(struct unit *u, int channel);

/* Steps through the packets: start with *at = 0; false at the end. *out_frame points at the '$'. */
bool unit_next(const struct unit *u, size_t *at, uint8_t **out_frame, size_t *out_size);

#endif
