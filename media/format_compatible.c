/* What one sample entry can serve (ISO/IEC 14496-15 5.3.3.1.2 and 8.3.3.1.2). */
#include "media/format.h"

#include <string.h>

#include "media/h264.h"
#include "media/h265.h"
#include "media/nal.h"

/* The sequence parameter set a format is described by; n = 0 when there is none. */
static struct nal_span first_sps(const struct format *f)
{
    struct nal_span sets[NAL_SETS_MAX];
    size_t n = format_sets(f, sets, ARRAY_LEN(sets));
    for (size_t i = 0; i < n; i++) {
        if (f->codec == CODEC_H264 ? h264_nal_type(sets[i].p[0]) == H264_NAL_SPS
                                   : h265_nal_type(sets[i].p[0]) == H265_NAL_SPS)
            return sets[i];
    }
    return (struct nal_span){0};
}

static bool is_same_set(struct nal_span a, struct nal_span b)
{
    return a.n > 0 && a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool keeps_h264(struct nal_span entry, struct nal_span next)
{
    struct h264_sps a, b;
    if (h264_read_sps(entry.p, entry.n, &a) < 0 || h264_read_sps(next.p, next.n, &b) < 0)
        return false;
    return a.profile == b.profile && (a.constraints & ~b.constraints) == 0 && b.level <= a.level &&
           a.coded_width == b.coded_width && a.coded_height == b.coded_height &&
           a.width == b.width && a.height == b.height && a.chroma_format == b.chroma_format &&
           a.bit_depth_luma == b.bit_depth_luma && a.bit_depth_chroma == b.bit_depth_chroma;
}

/* general_profile_compatibility_flags and general_constraint_indicator_flags: no promise less. */
static bool keeps_flags(const uint8_t entry[12], const uint8_t next[12])
{
    for (size_t i = 1; i < 11; i++) {
        if (entry[i] & ~next[i])
            return false;
    }
    return true;
}

static bool keeps_h265(struct nal_span entry, struct nal_span next)
{
    struct h265_sps a, b;
    if (h265_read_sps(entry.p, entry.n, &a) < 0 || h265_read_sps(next.p, next.n, &b) < 0)
        return false;
    return a.ptl[0] == b.ptl[0] && keeps_flags(a.ptl, b.ptl) && b.ptl[11] <= a.ptl[11] &&
           a.coded_width == b.coded_width && a.coded_height == b.coded_height &&
           a.width == b.width && a.height == b.height && a.chroma_format == b.chroma_format &&
           a.bit_depth_luma == b.bit_depth_luma && a.bit_depth_chroma == b.bit_depth_chroma;
}

bool format_is_compatible(const struct format *entry, const struct format *next)
{
    if (format_eq(entry, next))
        return true;
    if (!entry || !next || entry->codec != next->codec)
        return false;
    if (entry->codec != CODEC_H264 && entry->codec != CODEC_H265)
        return false;
    struct nal_span a = first_sps(entry), b = first_sps(next);
    if (is_same_set(a, b))
        return true;
    return entry->codec == CODEC_H264 ? keeps_h264(a, b) : keeps_h265(a, b);
}
