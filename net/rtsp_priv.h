/* Shared by rtsp.c (messages and frames) and rtsp_look.c (what some bytes seem to be). */
#ifndef NET_RTSP_PRIV_H
#define NET_RTSP_PRIV_H

#include "net/rtsp.h"

/* An RTP and RTCP packet begins with version 2 and has at least 8 bytes. */
#define FRAME_MIN_BYTES 8

/* What stands at the front of some bytes. */
enum look {
    LOOK_GARBAGE,
    LOOK_SHORT, /* too few bytes to tell */
    LOOK_BLANK, /* CR or LF */
    LOOK_FRAME,
    LOOK_RUNT, /* a frame too short for RTP or RTCP */
    LOOK_REQUEST,
    LOOK_RESPONSE,
    LOOK_HTTP,
};

/* In step, a low channel nobody asked for is just an unwanted stream; out of step it is more likely
 * to be chance. */
static inline bool rtsp__is_channel(const struct rtsp_parser *p, uint8_t channel, bool is_strict)
{
    return (channel < 16 && !is_strict) || (p->channels[channel >> 6] >> (channel & 63) & 1);
}

/* In step. */
enum look rtsp__look(const struct rtsp_parser *p, const uint8_t *d, size_t n);
/* A request whose method we do not know: "FOO rtsp://… RTSP/1.0". Only looked for in step. */
enum look rtsp__look_at_foreign_request(const uint8_t *d, size_t n);
/* After a loss: a frame is believed when what follows it looks right too. */
enum look rtsp__look_sure(const struct rtsp_parser *p, const uint8_t *d, size_t n);
/* Whether the frame that ends at `end` is to be believed, by what follows. */
enum look rtsp__look_behind(const struct rtsp_parser *p, const uint8_t *d, size_t n, size_t end);

#endif
