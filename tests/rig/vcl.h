/* The identity of an access unit: a hash over the bytes of its slices (an image's scan) and nothing
 * else, so that it is the same at the simulator's end and in a recording, whatever happens to
 * parameter sets, delimiters, SEI and the head of an image on the way. Pure functions on caller's
 * bytes. */
#ifndef RIG_VCL_H
#define RIG_VCL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "media/format.h"
#include "media/jpeg.h"

static inline bool vcl_is_slice(enum codec codec, uint8_t first)
{
    if (codec == CODEC_H265)
        return ((first >> 1) & 0x3f) < 32;
    return (first & 0x1f) >= 1 && (first & 0x1f) <= 5;
}

static inline uint64_t vcl_mix(uint64_t h, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    for (; n > 0; p++, n--)
        h = (h ^ *p) * UINT64_C(0x100000001b3);
    return h ^ (h >> 32);
}

/* Of an access unit of NAL units with 4-byte lengths, or of an image; 0 when it holds no slice. */
static inline uint64_t vcl_hash(enum codec codec, const uint8_t *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    bool has_slice = false;
    if (codec == CODEC_JPEG) {
        struct jpeg j;
        return jpeg_read(p, n, &j) == 0 ? vcl_mix(h, p + j.scan_at, j.scan_end - j.scan_at) : 0;
    }
    while (n > 4) {
        size_t size = get_be32(p);
        if (size > n - 4)
            break;
        if (size > 0 && vcl_is_slice(codec, p[4])) {
            h = vcl_mix(h ^ size, p + 4, size);
            has_slice = true;
        }
        p += 4 + size;
        n -= 4 + size;
    }
    return has_slice ? h : 0;
}

#endif
