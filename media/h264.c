#include "media/h264.h"

#include "base/err.h"
#include "media/bits.h"

static bool has_chroma_info(uint8_t profile)
{
    static const uint8_t high[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
    for (size_t i = 0; i < sizeof high; i++) {
        if (high[i] == profile)
            return true;
    }
    return false;
}

static void skip_scaling_list(struct bits *b, int size)
{
    int32_t last = 8, next = 8;
    for (int i = 0; i < size && !b->is_failed; i++) {
        if (next != 0)
            next = (int32_t)(((int64_t)last + bits_se(b) + 256) & 0xff);
        last = next == 0 ? last : next;
    }
}

static void read_chroma_info(struct bits *b, struct h264_sps *out)
{
    out->chroma_format = bits_ue_max(b, 3);
    if (out->chroma_format == 3)
        bits_skip(b, 1);
    out->bit_depth_luma = 8 + bits_ue_max(b, 6);
    out->bit_depth_chroma = 8 + bits_ue_max(b, 6);
    bits_skip(b, 1);
    if (!bits_flag(b))
        return;
    int n_lists = out->chroma_format == 3 ? 12 : 8;
    for (int i = 0; i < n_lists; i++) {
        if (bits_flag(b))
            skip_scaling_list(b, i < 6 ? 16 : 64);
    }
}

static uint32_t read_poc_type(struct bits *b)
{
    uint32_t type = bits_ue_max(b, 2);
    if (type == 0)
        bits_ue(b);
    if (type == 1) {
        bits_skip(b, 1);
        bits_se(b);
        bits_se(b);
        for (uint32_t n = bits_ue_max(b, 255); n > 0; n--)
            bits_se(b);
    }
    return type;
}

static void skip_hrd(struct bits *b)
{
    uint32_t n = 1 + bits_ue_max(b, 31);
    bits_skip(b, 8);
    for (; n > 0 && !b->is_failed; n--) {
        bits_ue(b);
        bits_ue(b);
        bits_skip(b, 1);
    }
    bits_skip(b, 20);
}

/* Annex E.1.1; what it says is believed only when it could be read to that place. */
static void read_vui(struct bits *b, struct h264_sps *out)
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
    if (bits_flag(b)) {
        uint32_t tick = bits_u(b, 32), scale = bits_u(b, 32);
        bits_skip(b, 1);
        if (!b->is_failed && tick > 0 && scale > 0)
            out->fps = (double)scale / (2.0 * tick);
    }
    bool has_nal_hrd = bits_flag(b);
    if (has_nal_hrd)
        skip_hrd(b);
    bool has_vcl_hrd = bits_flag(b);
    if (has_vcl_hrd)
        skip_hrd(b);
    bits_skip(b, has_nal_hrd || has_vcl_hrd ? 2 : 1);
    if (!bits_flag(b))
        return;
    bits_skip(b, 1);
    for (int i = 0; i < 4; i++)
        bits_ue(b);
    uint32_t reorder = bits_ue(b);
    if (!b->is_failed && reorder <= 16)
        out->reorder_frames = (int)reorder;
}

static int read_size(struct bits *b, struct h264_sps *out)
{
    int64_t width = 16 * (1 + (int64_t)bits_ue_max(b, 1023));
    int64_t rows = 1 + (int64_t)bits_ue_max(b, 1023);
    out->is_interlaced = !bits_flag(b);
    if (out->is_interlaced)
        bits_skip(b, 1);
    int64_t height = 16 * rows * (out->is_interlaced ? 2 : 1);
    bits_skip(b, 1);
    out->coded_width = (int)width;
    out->coded_height = (int)height;
    if (bits_flag(b)) {
        int64_t unit_x = out->chroma_format == 1 || out->chroma_format == 2 ? 2 : 1;
        int64_t unit_y = (out->chroma_format == 1 ? 2 : 1) * (out->is_interlaced ? 2 : 1);
        width -= unit_x * ((int64_t)bits_ue(b) + bits_ue(b));
        height -= unit_y * ((int64_t)bits_ue(b) + bits_ue(b));
    }
    if (b->is_failed || width <= 0 || height <= 0)
        return ERR_PARSE;
    out->width = (int)width;
    out->height = (int)height;
    return 0;
}

int h264_read_sps(const uint8_t *nal, size_t n, struct h264_sps *out)
{
    *out = (struct h264_sps){
        .chroma_format = 1, .bit_depth_luma = 8, .bit_depth_chroma = 8, .reorder_frames = -1};
    if (n < 4)
        return ERR_PARSE;
    struct bits b;
    bits_init(&b, nal + 1, n - 1);
    out->profile = (uint8_t)bits_u(&b, 8);
    out->constraints = (uint8_t)bits_u(&b, 8);
    out->level = (uint8_t)bits_u(&b, 8);
    out->id = bits_ue_max(&b, 31);
    if (has_chroma_info(out->profile))
        read_chroma_info(&b, out);
    bits_ue(&b);
    uint32_t poc_type = read_poc_type(&b);
    bits_ue(&b);
    bits_skip(&b, 1);
    if (read_size(&b, out) < 0)
        return ERR_PARSE;
    if (bits_flag(&b))
        read_vui(&b, out);
    if (out->reorder_frames < 0 && (out->profile == 66 || poc_type == 2))
        out->reorder_frames = 0;
    return 0;
}

int h264_read_pps(const uint8_t *nal, size_t n, uint32_t *out_id, uint32_t *out_sps_id)
{
    struct bits b;
    if (n < 2)
        return ERR_PARSE;
    bits_init(&b, nal + 1, n - 1);
    *out_id = bits_ue_max(&b, 255);
    *out_sps_id = bits_ue_max(&b, 31);
    return b.is_failed ? ERR_PARSE : 0;
}

static size_t put_sets(const struct nal_span *sets, size_t n, unsigned type, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (sets[i].n == 0 || h264_nal_type(sets[i].p[0]) != type || sets[i].n > UINT16_MAX)
            continue;
        count++;
        if (!out)
            continue;
        buf_put_be16(out, (uint16_t)sets[i].n);
        buf_append(out, sets[i].p, sets[i].n);
    }
    return count;
}

int h264_write_config(const struct nal_span *sets, size_t n, struct buf *out)
{
    size_t n_sps = put_sets(sets, n, H264_NAL_SPS, NULL);
    size_t n_pps = put_sets(sets, n, H264_NAL_PPS, NULL);
    struct h264_sps sps;
    size_t first = 0;
    while (first < n && (sets[first].n == 0 || h264_nal_type(sets[first].p[0]) != H264_NAL_SPS))
        first++;
    if (n_sps == 0 || n_pps == 0 || n_sps > 31 || n_pps > 255 || sets[first].n < 4)
        return ERR_PARSE;
    h264_read_sps(sets[first].p, sets[first].n, &sps);
    buf_put_u8(out, 1);
    buf_append(out, sets[first].p + 1, 3);
    buf_put_u8(out, 0xff);
    buf_put_u8(out, (uint8_t)(0xe0 | n_sps));
    put_sets(sets, n, H264_NAL_SPS, out);
    buf_put_u8(out, (uint8_t)n_pps);
    put_sets(sets, n, H264_NAL_PPS, out);
    if (sps.profile == 100 || sps.profile == 110 || sps.profile == 122 || sps.profile == 144 ||
        sps.profile == 244) {
        buf_put_u8(out, (uint8_t)(0xfc | sps.chroma_format));
        buf_put_u8(out, (uint8_t)(0xf8 | (sps.bit_depth_luma - 8)));
        buf_put_u8(out, (uint8_t)(0xf8 | (sps.bit_depth_chroma - 8)));
        buf_put_u8(out, 0);
    }
    return out->is_failed ? ERR_TOO_BIG : 0;
}

static int take_sets(const uint8_t *p, size_t n, size_t *at, size_t count, struct nal_span *sets,
                     size_t cap, int *n_sets)
{
    for (; count > 0; count--) {
        if (*at + 2 > n || *at + 2 + get_be16(p + *at) > n)
            return ERR_PARSE;
        struct nal_span set = {p + *at + 2, get_be16(p + *at)};
        *at += 2 + set.n;
        if (set.n > 0 && (size_t)*n_sets < cap)
            sets[(*n_sets)++] = set;
    }
    return 0;
}

int h264_read_config(const uint8_t *p, size_t n, struct nal_span *sets, size_t cap)
{
    int n_sets = 0;
    size_t at = 6;
    if (n < 7 || p[0] != 1 || take_sets(p, n, &at, p[5] & 0x1f, sets, cap, &n_sets) < 0)
        return ERR_PARSE;
    if (at >= n)
        return ERR_PARSE;
    size_t n_pps = p[at++];
    if (take_sets(p, n, &at, n_pps, sets, cap, &n_sets) < 0)
        return ERR_PARSE;
    return n_sets;
}
