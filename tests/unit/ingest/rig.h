/* Shared by the tests of ingest: an RTSP client with a scripted camera, and bytes of RTP. */
#ifndef TESTS_INGEST_RIG_H
#define TESTS_INGEST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

/* 640x360, baseline */
#define RIG_SPS                                                                                    \
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x16, 0xa0, 0xc0, 0xc0, 0xd4,      \
        0xa0, 0x00, 0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x06, 0x51, 0xe2, 0xc5, 0xc9
#define RIG_PPS      0x68, 0xcb, 0x8c, 0xb2
#define RIG_SPROP    "Z0LAHtkAoC/5cBagwMDUoAAAAwAgAAAGUeLFyQ==,aMuMsg=="
#define RIG_VIDEO    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
#define RIG_FMTP     "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=" RIG_SPROP "\r\n"
#define RIG_AUDIO    "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
#define RIG_SDP_HEAD "v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=cam\r\nt=0 0\r\n"

/* One RTP packet; the payload is `n` bytes, of which the first is `first` and the rest counts. */
static inline size_t rig_rtp(uint8_t *dst, uint8_t pt, bool marker, uint16_t seq, uint32_t ts,
                             uint32_t ssrc, const uint8_t *payload, size_t n)
{
    dst[0] = 0x80;
    dst[1] = (uint8_t)((marker ? 0x80 : 0) | pt);
    dst[2] = (uint8_t)(seq >> 8);
    dst[3] = (uint8_t)seq;
    for (int i = 0; i < 4; i++) {
        dst[4 + i] = (uint8_t)(ts >> (24 - 8 * i));
        dst[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    }
    memcpy(dst + 12, payload, n);
    return 12 + n;
}

/* A slice that begins a picture: header byte, then first_mb_in_slice = 0. */
static inline size_t rig_slice(uint8_t *dst, bool is_key, size_t n)
{
    dst[0] = is_key ? 0x65 : 0x41;
    dst[1] = is_key ? 0x88 : 0x9a;
    for (size_t i = 2; i < n; i++)
        dst[i] = (uint8_t)(0x10 + i % 200);
    return n;
}

#endif
