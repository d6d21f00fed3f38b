/* Shared by the media tests: bytes from hexadecimal text, and real parameter sets as x264 and x265
 * write them. */
#ifndef TESTS_MEDIA_RIG_H
#define TESTS_MEDIA_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "media/format.h"

/* Hexadecimal text, blanks ignored, to at most 512 bytes that live as long as the struct. */
struct bytes {
    uint8_t p[512];
    size_t n;
};

static inline unsigned hex_digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static inline struct bytes unhex(const char *s)
{
    struct bytes b = {.n = 0};
    for (; *s; s++) {
        if (*s == ' ')
            continue;
        assert_true(b.n < sizeof b.p && s[1]);
        b.p[b.n++] = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
        s++;
    }
    return b;
}

static inline struct nal_span span_bytes(const struct bytes *b)
{
    return (struct nal_span){b->p, b->n};
}

/* 1920x1080, High 4.0, 25 fps, HRD, 2 reordered pictures */
#define SPS_1080 "67640028acd940780227e5c044000003000400000300c9898003d090007a12930c01e30632c0"
#define PPS_1080 "68ebe3cb22c0"
/* 640x360, Constrained Baseline 2.2, 15 fps */
#define SPS_360 "6742c016d900a02ff970110000030001000003001e0f162e48"
#define PPS_360 "68cb83cb20"
/* 720x576, interlaced, scaling lists of the standard's default */
#define SPS_576I "6764001eace402d0936022000003000200000300643e285490"
#define PPS_576I "68fb83cb3002c0"
/* 352x288, High 4:2:2 */
#define SPS_CIF_422 "677a000dbcb202c12d80880000030008000003019078a15240"
#define PPS_CIF_422 "68ebc3cb22c0"

/* 2592x1944, Main, level 5 */
#define VPS_5M "40010c01ffff016000000300900000030000030096959809"
#define SPS_5M                                                                                     \
    "420101016000000300900000030000030096a0014420079965959a4932bc05a02000000300200000030281"
#define PPS_5M "4401c172b46240"
/* 704x576, Main 10, scaling lists, no reordering */
#define VPS_D1 "40010c01ffff02200000030090000003000003005a928090"
#define SPS_D1                                                                                     \
    "42010102200000030090000003000003005aa0058200904d964a924e5780b4040000030004000003006420"
#define PPS_D1 "4401c172b46240"
/* 1920x1080, Main, 15 fps, HRD, pyramid of B-frames */
#define VPS_HD "40010c01ffff016000000300900000030000030078959409"
#define SPS_HD                                                                                     \
    "420101016000000300900000030000030078a003c08010e596565924caf01680800000030080000007b04e4a2f00" \
    "07a12000f42440"
#define PPS_HD "4401c172b46240"

static inline struct format *h264_format(const char *sps, const char *pps)
{
    struct bytes s = unhex(sps), p = unhex(pps);
    struct format *f = NULL;
    assert_int_equal(
        format_create_video(CODEC_H264, (struct nal_span){0}, span_bytes(&s), span_bytes(&p), &f),
        0);
    return f;
}

static inline struct format *h265_format(const char *vps, const char *sps, const char *pps)
{
    struct bytes v = unhex(vps), s = unhex(sps), p = unhex(pps);
    struct format *f = NULL;
    assert_int_equal(
        format_create_video(CODEC_H265, span_bytes(&v), span_bytes(&s), span_bytes(&p), &f), 0);
    return f;
}

#endif
