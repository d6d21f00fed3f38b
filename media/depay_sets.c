/* Parameter sets of a video stream: known by type and id, compared by content. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "media/depay_priv.h"
#include "media/h264.h"
#include "media/h265.h"

static void remove_at(struct depay *d, size_t i)
{
    d->sets_bytes -= d->sets[i].n;
    free(d->sets[i].p);
    memmove(&d->sets[i], &d->sets[i + 1], (d->n_sets - i - 1) * sizeof d->sets[0]);
    d->n_sets--;
}

void depay__sets_fini(struct depay *d)
{
    while (d->n_sets > 0)
        remove_at(d, d->n_sets - 1);
}

static uint32_t id_of(const struct depay *d, unsigned type, const uint8_t *p, size_t n)
{
    uint32_t id = 0, sps_id;
    struct h264_sps sps;
    if (d->codec == CODEC_H265)
        h265_read_set_id(p, n, &id);
    else if (type == H264_NAL_PPS)
        h264_read_pps(p, n, &id, &sps_id);
    else if (h264_read_sps(p, n, &sps) >= 0)
        id = sps.id;
    return id;
}

/* Room for n more bytes and one more set: older sets of the same type go first, for a camera that
 * counts its ids up. */
static bool make_room(struct depay *d, unsigned type, size_t n)
{
    size_t bound = FORMAT_CONFIG_MAX_BYTES - 512;
    for (size_t i = d->n_sets; i-- > 0;) {
        if (d->n_sets < NAL_SETS_MAX && d->sets_bytes + n <= bound)
            return true;
        if (d->sets[i].type == type)
            remove_at(d, i);
    }
    return d->n_sets < NAL_SETS_MAX && d->sets_bytes + n <= bound;
}

void depay__set(struct depay *d, const uint8_t *p, size_t n)
{
    unsigned type = d->codec == CODEC_H264 ? h264_nal_type(p[0]) : h265_nal_type(p[0]);
    n = nal_trim((struct nal_span){p, n}).n;
    if (n < 2)
        return;
    for (size_t i = 0; i < d->n_sets; i++) {
        if (d->sets[i].type == type && d->sets[i].n == n && memcmp(d->sets[i].p, p, n) == 0)
            return;
    }
    uint32_t id = id_of(d, type, p, n);
    for (size_t i = 0; i < d->n_sets; i++) {
        if (d->sets[i].type == type && d->sets[i].id == id) {
            remove_at(d, i);
            break;
        }
    }
    if (!make_room(d, type, n)) {
        d->stats.n_bad_payloads++;
        return;
    }
    /* Newest first: the first SPS is the one a format is described by. */
    memmove(&d->sets[1], &d->sets[0], d->n_sets * sizeof d->sets[0]);
    d->sets[0] = (struct param_set){.type = type, .id = id, .n = n, .p = xmalloc(n)};
    memcpy(d->sets[0].p, p, n);
    d->n_sets++;
    d->sets_bytes += n;
    d->is_sets_dirty = true;
}

static void note_interlace(struct depay *d)
{
    struct h264_sps sps;
    d->is_interlaced = false;
    for (size_t i = 0; i < d->n_sets && d->codec == CODEC_H264; i++) {
        if (d->sets[i].type == H264_NAL_SPS && h264_read_sps(d->sets[i].p, d->sets[i].n, &sps) >= 0)
            d->is_interlaced |= sps.is_interlaced;
    }
}

void depay__sets_apply(struct depay *d)
{
    if (!d->is_sets_dirty)
        return;
    struct nal_span spans[NAL_SETS_MAX];
    struct format *f = NULL;
    for (size_t i = 0; i < d->n_sets; i++)
        spans[i] = (struct nal_span){d->sets[i].p, d->sets[i].n};
    if (format_create_sets(d->codec, spans, d->n_sets, &f) < 0)
        return;
    d->is_sets_dirty = false;
    note_interlace(d);
    if (format_eq(f, d->format)) {
        format_unref(&f);
        return;
    }
    if (d->format)
        d->stats.n_format_changes++;
    format_unref(&d->format);
    d->format = f;
}

void depay__sets_init(struct depay *d, const struct format *f)
{
    struct nal_span spans[NAL_SETS_MAX];
    size_t n = f ? format_sets(f, spans, ARRAY_LEN(spans)) : 0;
    /* Backwards, because every set goes to the front. */
    while (n-- > 0)
        depay__set(d, spans[n].p, spans[n].n);
    d->is_sets_dirty = false;
    note_interlace(d);
}
