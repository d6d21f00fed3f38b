#include "media/h265.h"

#include "base/err.h"
#include "base/mem.h"
#include "media/bits.h"

#define MAX_RPS       64
#define MAX_DPB       16
#define MIN_SPS_BYTES 16

static void read_profile_tier_level(struct bits *b, uint32_t max_sub_layer, struct h265_sps *out)
{
    uint32_t flags[8] = {0};
    for (size_t i = 0; i < sizeof out->ptl; i++)
        out->ptl[i] = (uint8_t)bits_u(b, 8);
    for (uint32_t i = 0; i < max_sub_layer; i++)
        flags[i] = bits_u(b, 2);
    if (max_sub_layer > 0)
        bits_skip(b, 2 * (8 - max_sub_layer));
    for (uint32_t i = 0; i < max_sub_layer; i++) {
        bits_skip(b, flags[i] & 2 ? 88 : 0);
        bits_skip(b, flags[i] & 1 ? 8 : 0);
    }
}

static void skip_scaling_lists(struct bits *b)
{
    for (int size = 0; size < 4; size++) {
        for (int matrix = 0; matrix < 6 && !b->is_failed; matrix += size == 3 ? 3 : 1) {
            if (!bits_flag(b)) {
                bits_ue(b);
                continue;
            }
            int n = MIN(64, 1 << (4 + 2 * size));
            if (size > 1)
                bits_se(b);
            for (int i = 0; i < n; i++)
                bits_se(b);
        }
    }
}

/* 7.3.7: only the number of pictures matters here, because the next set may be told as a difference
 * from this one. */
static uint32_t skip_ref_pic_set(struct bits *b, uint32_t index, uint32_t n_previous)
{
    if (index > 0 && bits_flag(b)) {
        uint32_t n = 0;
        bits_skip(b, 1);
        bits_ue(b);
        for (uint32_t i = 0; i <= n_previous; i++) {
            bool is_used = bits_flag(b);
            n += is_used || bits_flag(b);
        }
        return MIN(n, MAX_DPB);
    }
    uint32_t n_negative = bits_ue_max(b, MAX_DPB);
    uint32_t n_positive = bits_ue_max(b, MAX_DPB);
    uint32_t n = MIN(n_negative + n_positive, MAX_DPB);
    for (uint32_t i = 0; i < n_negative + n_positive && !b->is_failed; i++) {
        bits_ue(b);
        bits_skip(b, 1);
    }
    return n;
}

/* Annex E.2.1, up to the timing. */
static void read_vui(struct bits *b, struct h265_sps *out)
{
    if (bits_flag(b) && bits_u(b, 8) == 255)
        bits_skip(b, 32);
    if (bits_flag(b))
        bits_skip(b, 1);
    if (bits_flag(b)) {
        bits_skip(b, 4);
        if (bits_flag(b))
            bits_skip(b, 24);
    }
    if (bits_flag(b)) {
        bits_ue(b);
        bits_ue(b);
    }
    bits_skip(b, 3);
    if (bits_flag(b)) {
        for (int i = 0; i < 4; i++)
            bits_ue(b);
    }
    if (!bits_flag(b))
        return;
    uint32_t tick = bits_u(b, 32), scale = bits_u(b, 32);
    if (!b->is_failed && tick > 0 && scale > 0)
        out->fps = (double)scale / tick;
}

static int read_size(struct bits *b, struct h265_sps *out)
{
    out->chroma_format = bits_ue_max(b, 3);
    if (out->chroma_format == 3)
        bits_skip(b, 1);
    int64_t width = bits_ue_max(b, 16384), height = bits_ue_max(b, 16384);
    out->coded_width = (int)width;
    out->coded_height = (int)height;
    if (bits_flag(b)) {
        int64_t unit_x = out->chroma_format == 1 || out->chroma_format == 2 ? 2 : 1;
        int64_t unit_y = out->chroma_format == 1 ? 2 : 1;
        width -= unit_x * ((int64_t)bits_ue(b) + bits_ue(b));
        height -= unit_y * ((int64_t)bits_ue(b) + bits_ue(b));
    }
    if (b->is_failed || width <= 0 || height <= 0)
        return ERR_PARSE;
    out->width = (int)width;
    out->height = (int)height;
    return 0;
}

/* From the sub-layer ordering to the VUI. */
static void read_rest(struct bits *b, uint32_t max_sub_layer, struct h265_sps *out)
{
    uint32_t poc_bits = 4 + bits_ue_max(b, 12);
    for (uint32_t i = bits_flag(b) ? 0 : max_sub_layer; i <= max_sub_layer; i++) {
        bits_ue(b);
        uint32_t reorder = bits_ue_max(b, MAX_DPB);
        bits_ue(b);
        out->reorder_frames = b->is_failed ? 0 : (int)reorder;
    }
    for (int i = 0; i < 6; i++)
        bits_ue(b);
    if (bits_flag(b) && bits_flag(b))
        skip_scaling_lists(b);
    bits_skip(b, 2);
    if (bits_flag(b)) {
        bits_skip(b, 8);
        bits_ue(b);
        bits_ue(b);
        bits_skip(b, 1);
    }
    uint32_t n_sets = bits_ue_max(b, MAX_RPS);
    for (uint32_t i = 0, n = 0; i < n_sets && !b->is_failed; i++)
        n = skip_ref_pic_set(b, i, n);
    if (bits_flag(b)) {
        for (uint32_t n = bits_ue_max(b, 32); n > 0; n--)
            bits_skip(b, poc_bits + 1);
    }
    bits_skip(b, 2);
    if (bits_flag(b))
        read_vui(b, out);
}

int h265_read_sps(const uint8_t *nal, size_t n, struct h265_sps *out)
{
    *out = (struct h265_sps){.chroma_format = 1};
    out->n_temporal_layers = 1;
    if (n < MIN_SPS_BYTES)
        return ERR_PARSE;
    struct bits b;
    bits_init(&b, nal + 2, n - 2);
    bits_skip(&b, 4);
    uint32_t max_sub_layer = bits_u(&b, 3);
    max_sub_layer = MIN(max_sub_layer, 6u);
    out->n_temporal_layers = max_sub_layer + 1;
    out->is_temporal_nested = bits_flag(&b);
    read_profile_tier_level(&b, max_sub_layer, out);
    out->id = bits_ue_max(&b, 15);
    if (read_size(&b, out) < 0)
        return ERR_PARSE;
    out->bit_depth_luma = bits_ue_max(&b, 8);
    out->bit_depth_chroma = bits_ue_max(&b, 8);
    read_rest(&b, max_sub_layer, out);
    out->bit_depth_luma += 8;
    out->bit_depth_chroma += 8;
    return 0;
}

int h265_read_set_id(const uint8_t *nal, size_t n, uint32_t *out_id)
{
    struct bits b;
    struct h265_sps sps;
    if (n < 3)
        return ERR_PARSE;
    switch (h265_nal_type(nal[0])) {
    case H265_NAL_VPS:
        *out_id = nal[2] >> 4;
        return 0;
    case H265_NAL_SPS:
        if (h265_read_sps(nal, n, &sps) < 0)
            return ERR_PARSE;
        *out_id = sps.id;
        return 0;
    default:
        bits_init(&b, nal + 2, n - 2);
        *out_id = bits_ue_max(&b, 63);
        return b.is_failed ? ERR_PARSE : 0;
    }
}

static size_t count_sets(const struct nal_span *sets, size_t n, unsigned type)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (sets[i].n >= 3 && sets[i].n <= UINT16_MAX && h265_nal_type(sets[i].p[0]) == type)
            count++;
    }
    return count;
}

static void put_array(const struct nal_span *sets, size_t n, unsigned type, struct buf *out)
{
    buf_put_u8(out, (uint8_t)type);
    buf_put_be16(out, (uint16_t)count_sets(sets, n, type));
    for (size_t i = 0; i < n; i++) {
        if (sets[i].n < 3 || sets[i].n > UINT16_MAX || h265_nal_type(sets[i].p[0]) != type)
            continue;
        buf_put_be16(out, (uint16_t)sets[i].n);
        buf_append(out, sets[i].p, sets[i].n);
    }
}

int h265_write_config(const struct nal_span *sets, size_t n, struct buf *out)
{
    if (!count_sets(sets, n, H265_NAL_VPS) || !count_sets(sets, n, H265_NAL_SPS) ||
        !count_sets(sets, n, H265_NAL_PPS))
        return ERR_PARSE;
    struct h265_sps sps = {0};
    for (size_t i = 0; i < n; i++) {
        if (sets[i].n >= 3 && h265_nal_type(sets[i].p[0]) == H265_NAL_SPS) {
            h265_read_sps(sets[i].p, sets[i].n, &sps);
            break;
        }
    }
    buf_put_u8(out, 1);
    buf_append(out, sps.ptl, sizeof sps.ptl);
    buf_put_be16(out, 0xf000); /* no spatial segmentation promised */
    buf_put_u8(out, 0xfc);     /* parallelism unknown */
    buf_put_u8(out, (uint8_t)(0xfc | sps.chroma_format));
    buf_put_u8(out, (uint8_t)(0xf8 | (MAX(sps.bit_depth_luma, 8u) - 8)));
    buf_put_u8(out, (uint8_t)(0xf8 | (MAX(sps.bit_depth_chroma, 8u) - 8)));
    buf_put_be16(out, 0); /* frame rate not said */
    buf_put_u8(out, (uint8_t)(sps.n_temporal_layers << 3 | (sps.is_temporal_nested ? 4 : 0) | 3));
    buf_put_u8(out, 3);
    put_array(sets, n, H265_NAL_VPS, out);
    put_array(sets, n, H265_NAL_SPS, out);
    put_array(sets, n, H265_NAL_PPS, out);
    return out->is_failed ? ERR_TOO_BIG : 0;
}

int h265_read_config(const uint8_t *p, size_t n, struct nal_span *sets, size_t cap)
{
    if (n < 23 || p[0] != 1)
        return ERR_PARSE;
    size_t at = 23;
    size_t n_sets = 0;
    for (unsigned i = 0; i < p[22]; i++) {
        if (at + 3 > n)
            return ERR_PARSE;
        size_t count = get_be16(p + at + 1);
        at += 3;
        for (; count > 0; count--) {
            if (at + 2 > n || at + 2 + get_be16(p + at) > n)
                return ERR_PARSE;
            struct nal_span set = {p + at + 2, get_be16(p + at)};
            at += 2 + set.n;
            if (set.n > 0 && n_sets < cap)
                sets[n_sets++] = set;
        }
    }
    return (int)n_sets;
}
