/* Shared by receiver.c, reorder.c, rival.c and reports.c. */
#ifndef INGEST_RECEIVER_PRIV_H
#define INGEST_RECEIVER_PRIV_H

#include "ingest/receiver.h"
#include "media/depay.h"
#include "media/rtp.h"
#include "media/timeline.h"

struct held {
    uint8_t *p; /* owned copy of a whole RTP packet; NULL = free */
    size_t n;
    uint16_t seq;
    int64_t mono_us;
};

/* Packets that came too early, by seq modulo the size. */
struct reorder {
    struct held held[RECEIVER_WINDOW];
    int n_held;
};

/* What the last sender reports said. */
struct clock_reports {
    uint64_t ntp;
    int64_t mono_us; /* arrival; 0 = none */
    int n_agreeing;
};

/* When bytes were read. */
struct arrival {
    int64_t mono_us, wall_us;
};

struct rival;

struct track {
    struct receiver *r;
    bool is_open, is_video, is_udp;
    uint8_t payload_type;
    struct depay *depay;
    struct timeline timeline;
    struct rtp_seq seq;
    struct reorder reorder;
    struct clock_reports sr;

    uint32_t ssrc;
    bool has_ssrc;
    bool is_sure;         /* a key frame of this sender has begun */
    struct arrival heard; /* the newest packet before the one in hand */
    uint32_t timestamp;   /* of the packet in hand */
    struct rival *rival;  /* another sender; NULL = none */
    uint64_t n_oversize;  /* of depay_stats, so far */

    bool needs_key; /* nothing was published yet */
    bool is_broken; /* the next packet is discontinuous */

    bool has_last, has_last_key;
    int64_t last_dts, last_key_pts;
};

struct receiver {
    struct receiver_params params;
    struct track tracks[RECEIVER_TRACKS];
    struct arrival arrival;
    struct format *format; /* of the newest published picture */
    struct receiver_stats stats;
    /* of connections and senders that are over */
    uint64_t n_lost_before, n_damaged_before, n_oversize_before;
};

/* receiver.c: a packet of the track's sender; and the next one in order. */
void receiver__take(struct track *t, const struct rtp *rtp, const uint8_t *p, size_t n);
void receiver__deliver(struct track *t, const struct rtp *rtp);

/* From here on the track follows the sender of this packet. */
void receiver__new_sender(struct track *t, const struct rtp *rtp);

/* rival.c: a packet of another sender; and the track's own one is alive, or the track ends. */
void receiver__rival(struct track *t, const struct rtp *rtp, const uint8_t *p, size_t n);
void receiver__rival_fini(struct track *t);

/* reorder.c */
void receiver__reorder(struct track *t, const struct rtp *rtp, const uint8_t *p, size_t n);
void receiver__reorder_tick(struct track *t, int64_t mono_us);
void receiver__reorder_fini(struct reorder *w);

/* reports.c */
void receiver__rtcp(struct track *t, const uint8_t *p, size_t n);

#endif
