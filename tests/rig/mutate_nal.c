/* What stands in an access unit. */
#include <string.h>

#include "media/h264.h"
#include "media/h265.h"
#include "mutate_priv.h"

static unsigned type_of(enum codec codec, const uint8_t *nal)
{
    return codec == CODEC_H264 ? h264_nal_type(nal[0]) : h265_nal_type(nal[0]);
}

bool mutate__is_set(enum codec codec, const uint8_t *nal)
{
    unsigned type = type_of(codec, nal);
    if (codec == CODEC_H264)
        return type == H264_NAL_SPS || type == H264_NAL_PPS;
    return codec == CODEC_H265 && type >= H265_NAL_VPS && type <= H265_NAL_PPS;
}

bool mutate__is_slice(enum codec codec, const uint8_t *nal)
{
    unsigned type = type_of(codec, nal);
    return codec == CODEC_H264 ? type >= 1 && type <= 5 : codec == CODEC_H265 && type < 32;
}

static void remove_at(struct mutate_batch *b, size_t i)
{
    free(b->nals[i].p);
    memmove(&b->nals[i], &b->nals[i + 1], (b->n_nals - i - 1) * sizeof b->nals[0]);
    b->n_nals--;
}

/* No parameter sets in band. */
static void no_sets(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    (void)r;
    for (size_t i = b->n_nals; i-- > 0;)
        if (mutate__is_set(b->codec, b->nals[i].p))
            remove_at(b, i);
}

/* One NAL unit more: "hex" and "bytes", in front, behind, or before the slices. */
static void insert(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    struct buf nal;
    size_t at = mutate__is(r, "at", "back") ? b->n_nals : 0;
    if (b->n_nals == MUTATE_MAX_NALS)
        return;
    while (mutate__is(r, "at", "slice") && at < b->n_nals &&
           !mutate__is_slice(b->codec, b->nals[at].p))
        at++;
    buf_init(&nal, 0);
    mutate__bytes(m, r, &nal);
    /* Random bytes must not look like a start code. */
    for (size_t i = nal.len - (size_t)mutate__int(r, "bytes", 0); i < nal.len; i++)
        nal.data[i] |= 1;
    memmove(&b->nals[at + 1], &b->nals[at], (b->n_nals - at) * sizeof b->nals[0]);
    b->nals[at].p = buf_steal(&nal, &b->nals[at].n);
    b->n_nals++;
}

static bool is_meant(const struct mutate_rule *r, const struct mutate_batch *b, const uint8_t *nal)
{
    unsigned type = type_of(b->codec, nal);
    bool is_h264 = b->codec == CODEC_H264;
    if (mutate__is(r, "set", "sps"))
        return type == (is_h264 ? (unsigned)H264_NAL_SPS : (unsigned)H265_NAL_SPS);
    return type == (is_h264 ? (unsigned)H264_NAL_PPS : (unsigned)H265_NAL_PPS);
}

/* The last bit in front of the stop bit. */
static void flip(uint8_t *p, size_t n)
{
    while (n > 0 && p[n - 1] == 0)
        n--;
    if (n < 3)
        return;
    int stop = __builtin_ctz(p[n - 1]);
    if (stop < 7)
        p[n - 1] ^= (uint8_t)(2u << stop);
    else
        p[n - 2] ^= 1;
}

/* "flip" changes a bit at the end of the set, "hex" stands behind it. */
static void edit_set(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    for (size_t i = 0; i < b->n_nals; i++) {
        struct mutate_nal *nal = &b->nals[i];
        if (!is_meant(r, b, nal->p))
            continue;
        struct buf edited;
        buf_init(&edited, 0);
        buf_append(&edited, nal->p, nal->n);
        if (mutate__int(r, "flip", 0))
            flip(edited.data, edited.len);
        mutate__bytes(m, r, &edited);
        free(nal->p);
        nal->p = buf_steal(&edited, &nal->n);
    }
}

/* Pictures of the camera's sub stream instead, from its beginning. */
static void other(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    const struct reel *reel = m->params.other;
    if (!reel || reel->format->codec != b->codec)
        return;
    while (b->n_nals > 0)
        remove_at(b, b->n_nals - 1);
    mutate__split(b, reel->units[(r->n_done - 1) % reel->n_units]);
}

const struct mutate_change mutate__nals[] = {
    {"other", MUTATE_NALS, "", other},
    {"no_sets", MUTATE_NALS, "", no_sets},
    {"insert", MUTATE_NALS, "hex bytes at", insert},
    {"edit_set", MUTATE_NALS, "set flip hex bytes", edit_set},
    {NULL, 0, NULL, NULL},
};
