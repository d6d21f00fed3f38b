/* The tracks of one stream: RTP and RTCP in, finished packets out. Sans-IO.
 *
 * Per track: header → payload type filter → SSRC → reorder window (UDP) → sequence → access unit →
 * timeline → packet. What comes out starts with a key frame after every receiver_open; audio
 * follows it. Trouble of the audio never touches the video. Thread: belongs to one loop. Bounds:
 * per track RECEIVER_WINDOW packets held back, 20 of another sender, and what depay holds. */
#ifndef INGEST_RECEIVER_H
#define INGEST_RECEIVER_H

#include "media/byte_order.h"
#include "media/packet.h"
#include "media/sdp.h"

#define RECEIVER_WINDOW    32 /* packets, UDP only (quirk R7) */
#define RECEIVER_WINDOW_US INT64_C(100000)

enum { RECEIVER_VIDEO, RECEIVER_AUDIO, RECEIVER_TRACKS };

struct receiver;

struct receiver_params {
    /* Borrowed for the call; immutable from here on. */
    void (*publish)(void *ctx, struct packet *pkt);
    void *ctx;
    uint32_t own_ssrc; /* of our receiver reports */
};

/* Totals since receiver_create unless said otherwise. */
struct receiver_stats {
    uint64_t n_bytes;     /* of RTP packets that belong to a track */
    uint64_t n_pictures;  /* whole access units, published or not */
    uint64_t n_published; /* pictures */
    uint64_t n_keys;      /* of these, key frames */
    uint64_t n_sounds;    /* audio frames published since receiver_open */
    uint64_t n_lost_packets;
    uint64_t n_damaged;  /* pictures dropped because something was missing inside */
    uint64_t n_oversize; /* pictures dropped because they did not end within PACKET_MAX_BYTES */
    uint64_t n_foreign;  /* packets of no track's payload type or of another sender */
    /* since receiver_open; 0 = none yet */
    int64_t picture_mono_us; /* arrival of the newest whole picture */
    int64_t published_mono_us;
    int64_t published_wall_us;
    /* of the newest pictures */
    int64_t frame_us;        /* smoothed distance of two pictures; 0 = unknown */
    uint64_t n_sizes;        /* times that their size changed */
    double gop_s;            /* the last whole group; 0 = unknown */
    bool is_endless;         /* the newest picture did not end within PACKET_MAX_BYTES */
    bool has_parameter_sets; /* seen in this connection, or described */
    bool has_clock_offset;
    double clock_offset_s;      /* the camera's clock minus ours */
    enum byte_order byte_order; /* of the sound, as it shows itself (depay_stats) */
};

struct receiver *receiver_create(const struct receiver_params *params);
void receiver_destroy(struct receiver **r);

/* A new connection: forgets what is pending and takes these tracks. audio may be NULL, and is left
 * out when it cannot be unpacked. 0, or ERR_UNSUPPORTED for the video. */
int receiver_open(struct receiver *r, const struct sdp_media *video, const struct sdp_media *audio,
                  bool is_udp);
void receiver_close(struct receiver *r);
bool receiver_has_audio(const struct receiver *r);

/* When the bytes of the following calls were read. */
void receiver_arrive(struct receiver *r, int64_t mono_us, int64_t wall_us);

/* One RTP or RTCP packet that came on the track's channel or port; borrowed. */
void receiver_input(struct receiver *r, int track, const uint8_t *p, size_t n);

/* Gives up on packets that are waited for too long (UDP). Call it now and then. */
void receiver_tick(struct receiver *r, int64_t mono_us);

/* A receiver report about the track; 0 bytes when nothing was received yet. */
size_t receiver_report(struct receiver *r, int track, int64_t mono_us, uint8_t *dst, size_t cap);

const struct receiver_stats *receiver_stats(struct receiver *r);

/* Of the newest published picture; NULL = none in this connection. Borrowed. */
const struct format *receiver_format(const struct receiver *r);

#endif
