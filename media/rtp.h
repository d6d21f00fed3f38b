/* RTP and RTCP packets (RFC 3550). Pure functions on caller's bytes. */
#ifndef MEDIA_RTP_H
#define MEDIA_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtp {
    uint8_t payload_type;
    bool marker;
    uint16_t seq;
    uint32_t timestamp;
    uint32_t ssrc;
    const uint8_t *payload;
    size_t payload_size;
    uint16_t extension_profile; /* what the header extension is; extension_size 0 = none */
    const uint8_t *extension;
    size_t extension_size;
};

/* Reads header, CSRC list, extension and padding. 0 or ERR_PARSE. */
int rtp_parse(const uint8_t *p, size_t n, struct rtp *out);

/* Writes the 12-byte header. */
#define RTP_HEADER_BYTES 12
void rtp_print_header(const struct rtp *r, uint8_t dst[RTP_HEADER_BYTES]);

/* Quirk I4: looks like RTCP whatever channel it came on. */
bool rtp_is_rtcp(const uint8_t *p, size_t n);

/* Sequence numbers: which packet is next, what is lost. One per track; zero-initialise. */
struct rtp_seq {
    bool is_reliable; /* TCP: nothing comes late, so a step back is a restart (quirk R5) */
    bool is_started;
    bool has_late; /* a late packet may be the first of a restart: see late_next */
    uint16_t late_next;
    uint16_t expected;
    uint32_t timestamp; /* of the newest packet: what steps back in both is a repetition */
    int n_repeated;     /* in a row */
    uint64_t n_received, n_lost, n_late;
    uint32_t cycles; /* wraps, for the extended highest sequence number of reports */
};
enum rtp_order {
    RTP_IN_ORDER,
    RTP_AFTER_LOSS, /* *out_lost packets are missing before this one; else it is 0 */
    RTP_LATE,       /* a duplicate, or overtaken by more than the receiver waits for: drop it */
    RTP_RESTART,    /* the sender counts anew: depay_restart, then go on with this packet */
};
enum rtp_order rtp_seq_next(struct rtp_seq *s, uint16_t seq, uint32_t timestamp,
                            uint32_t *out_lost);

struct rtcp_sender_report {
    uint32_t ssrc;
    uint64_t ntp;       /* 32.32 seconds since 1900 */
    uint32_t timestamp; /* RTP clock at the same instant */
};
struct rtcp_summary {
    bool has_sender_report, has_bye;
    struct rtcp_sender_report sr;
};
/* Walks a compound packet, skipping what is broken. 0 or ERR_PARSE when nothing was readable. */
int rtcp_parse(const uint8_t *p, size_t n, struct rtcp_summary *out);

/* A receiver report with one block; returns bytes written (32). */
struct rtcp_report {
    uint32_t own_ssrc, ssrc;
    uint32_t highest_seq;
    uint64_t n_lost;
    uint32_t last_sr, delay_since_sr;
};
size_t rtcp_print_receiver_report(const struct rtcp_report *r, uint8_t *dst, size_t cap);

/* A sender report without blocks (28 bytes), for serving. */
size_t rtcp_print_sender_report(const struct rtcp_sender_report *sr, uint32_t n_packets,
                                uint32_t n_bytes, uint8_t *dst, size_t cap);

#endif
