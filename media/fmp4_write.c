/* Fragmented files: init segment, fragments, the seek table at the end.
 * Clauses are of ISO/IEC 14496-12. */
#include "media/fmp4_priv.h"

#include <errno.h>

static int put_trak(struct buf *b, uint32_t track, const struct format *f, bool is_inband)
{
    size_t trak = fmp4__box(b, FMP4_TYPE('t', 'r', 'a', 'k'));
    fmp4__tkhd(b, track, f, 0, 0);
    size_t mdia = fmp4__box(b, FMP4_TYPE('m', 'd', 'i', 'a'));
    fmp4__mdia_head(b, f, 0, 0);
    size_t minf = fmp4__box(b, FMP4_TYPE('m', 'i', 'n', 'f'));
    fmp4__minf_head(b, f);
    size_t stbl = fmp4__box(b, FMP4_TYPE('s', 't', 'b', 'l'));
    size_t stsd = fmp4__full_box(b, FMP4_TYPE('s', 't', 's', 'd'), 0, 0);
    buf_put_be32(b, 1);
    int rc = fmp4__sample_entry(b, f, is_inband);
    fmp4__end(b, stsd);
    /* the samples are in the fragments: empty tables */
    static const uint32_t empty[] = {FMP4_TYPE('s', 't', 't', 's'), FMP4_TYPE('s', 't', 's', 'c'),
                                     FMP4_TYPE('s', 't', 's', 'z'), FMP4_TYPE('s', 't', 'c', 'o')};
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        size_t box = fmp4__full_box(b, empty[i], 0, 0);
        if (empty[i] == FMP4_TYPE('s', 't', 's', 'z'))
            buf_put_be32(b, 0);
        buf_put_be32(b, 0);
        fmp4__end(b, box);
    }
    fmp4__end(b, stbl);
    fmp4__end(b, minf);
    fmp4__end(b, mdia);
    fmp4__end(b, trak);
    return rc;
}

/* 8.8.3 */
static void put_trex(struct buf *b, uint32_t track)
{
    size_t box = fmp4__full_box(b, FMP4_TYPE('t', 'r', 'e', 'x'), 0, 0);
    buf_put_be32(b, track);
    buf_put_be32(b, 1);
    fmp4__zeros(b, 8);
    buf_put_be32(b, track == FMP4_TRACK_VIDEO ? FMP4_FLAGS_NON_SYNC : FMP4_FLAGS_SYNC);
    fmp4__end(b, box);
}

int fmp4_write_init(const struct format *video, const struct format *audio, bool is_inband,
                    struct buf *out)
{
    int rc = 0;
    fmp4__ftyp(out, true);
    size_t moov = fmp4__box(out, FMP4_TYPE('m', 'o', 'o', 'v'));
    fmp4__mvhd(out, 0, 0);
    if (video != NULL)
        rc = put_trak(out, FMP4_TRACK_VIDEO, video, is_inband);
    if (rc == 0 && audio != NULL)
        rc = put_trak(out, FMP4_TRACK_AUDIO, audio, is_inband);
    size_t mvex = fmp4__box(out, FMP4_TYPE('m', 'v', 'e', 'x'));
    if (video != NULL)
        put_trex(out, FMP4_TRACK_VIDEO);
    if (audio != NULL)
        put_trex(out, FMP4_TRACK_AUDIO);
    fmp4__end(out, mvex);
    fmp4__end(out, moov);
    if (rc == 0 && out->is_failed)
        rc = ERR_TOO_BIG;
    return rc;
}

/* What one track adds to a fragment. */
struct track_plan {
    uint32_t track;
    const struct fmp4_sample *samples;
    size_t n;
    uint64_t tfdt;
    uint64_t payload_bytes;
    uint32_t trun_flags;
    uint32_t default_flags;
    size_t traf_bytes; /* 0 = no samples */
};

enum { TRUN_OFFSET = 0x1, TRUN_FIRST = 0x4, TRUN_DURATION = 0x100, TRUN_SIZE = 0x200 };
enum { TRUN_FLAGS = 0x400, TRUN_CTO = 0x800 };
enum { TFHD_BYTES = 20, TFDT_BYTES = 20, TRUN_BYTES = 20 };

/* A GOP's only key frame is its first, or all are: four bytes for the whole run, or none, instead
 * of four per sample. */
static int plan_track(struct track_plan *p, uint32_t track, const struct fmp4_sample *samples,
                      size_t n, int64_t base_dts)
{
    bool is_video = track == FMP4_TRACK_VIDEO;
    *p = (struct track_plan){.track = track, .samples = samples, .n = n};
    if (n == 0)
        return 0;
    if (samples[0].pkt->dts < base_dts)
        return -EINVAL;
    bool has_cto = false;
    bool has_later_key = false, has_delta = false;
    for (size_t i = 0; i < n; i++) {
        const struct packet *pkt = samples[i].pkt;
        p->payload_bytes += pkt->size;
        has_cto |= pkt->pts != pkt->dts;
        has_later_key |= i > 0 && pkt->is_key;
        has_delta |= is_video && !pkt->is_key;
    }
    p->tfdt = (uint64_t)(samples[0].pkt->dts - base_dts);
    p->default_flags = has_delta ? FMP4_FLAGS_NON_SYNC : FMP4_FLAGS_SYNC;
    p->trun_flags = TRUN_OFFSET | TRUN_DURATION | TRUN_SIZE;
    if (has_cto && is_video)
        p->trun_flags |= TRUN_CTO;
    if (has_delta && has_later_key)
        p->trun_flags |= TRUN_FLAGS;
    else if (has_delta && samples[0].pkt->is_key)
        p->trun_flags |= TRUN_FIRST;
    size_t row = 8 + (p->trun_flags & TRUN_CTO ? 4u : 0u) + (p->trun_flags & TRUN_FLAGS ? 4u : 0u);
    p->traf_bytes =
        8 + TFHD_BYTES + TFDT_BYTES + TRUN_BYTES + (p->trun_flags & TRUN_FIRST ? 4u : 0u) + n * row;
    return 0;
}

/* 8.16.5; flags 24: the time at which the picture was taken, as far as we know */
static uint8_t *write_prft(uint8_t *w, const struct track_plan *p)
{
    uint64_t wall_us = (uint64_t)MAX(p->samples[0].pkt->wall_us, 0);
    uint64_t fraction = (((wall_us % 1000000) << 32) + 500000) / 1000000;
    w = fmp4__w32(w, FMP4_PRFT_BYTES);
    w = fmp4__w32(w, FMP4_TYPE('p', 'r', 'f', 't'));
    w = fmp4__w32(w, 1u << 24 | 24);
    w = fmp4__w32(w, p->track);
    w = fmp4__w32(w, (uint32_t)(wall_us / 1000000 + FMP4_NTP_OFFSET_S));
    w = fmp4__w32(w, (uint32_t)fraction);
    return fmp4__w64(w, p->tfdt);
}

/* 8.8.6 to 8.8.8 and 8.8.12 */
static uint8_t *write_traf(uint8_t *w, const struct track_plan *p, uint32_t data_offset)
{
    w = fmp4__w32(w, (uint32_t)p->traf_bytes);
    w = fmp4__w32(w, FMP4_TYPE('t', 'r', 'a', 'f'));

    w = fmp4__w32(w, TFHD_BYTES);
    w = fmp4__w32(w, FMP4_TYPE('t', 'f', 'h', 'd'));
    w = fmp4__w32(w, 0x020020); /* offsets count from moof; default flags */
    w = fmp4__w32(w, p->track);
    w = fmp4__w32(w, p->default_flags);

    w = fmp4__w32(w, TFDT_BYTES);
    w = fmp4__w32(w, FMP4_TYPE('t', 'f', 'd', 't'));
    w = fmp4__w32(w, 1u << 24);
    w = fmp4__w64(w, p->tfdt);

    w = fmp4__w32(w, (uint32_t)(p->traf_bytes - 8 - TFHD_BYTES - TFDT_BYTES));
    w = fmp4__w32(w, FMP4_TYPE('t', 'r', 'u', 'n'));
    w = fmp4__w32(w, 1u << 24 | p->trun_flags); /* version 1: signed composition offsets */
    w = fmp4__w32(w, (uint32_t)p->n);
    w = fmp4__w32(w, data_offset);
    if (p->trun_flags & TRUN_FIRST)
        w = fmp4__w32(w, FMP4_FLAGS_SYNC);
    for (size_t i = 0; i < p->n; i++) {
        const struct packet *pkt = p->samples[i].pkt;
        w = fmp4__w32(w, p->samples[i].duration);
        w = fmp4__w32(w, (uint32_t)pkt->size);
        if (p->trun_flags & TRUN_FLAGS)
            w = fmp4__w32(w, pkt->is_key ? FMP4_FLAGS_SYNC : FMP4_FLAGS_NON_SYNC);
        if (p->trun_flags & TRUN_CTO)
            w = fmp4__w32(w, (uint32_t)(int32_t)(pkt->pts - pkt->dts));
    }
    return w;
}

int fmp4_write_fragment(const struct fmp4_fragment *f, struct buf *out)
{
    struct track_plan video = {0}, audio = {0};
    int rc = plan_track(&video, FMP4_TRACK_VIDEO, f->video, f->n_video, f->video_base_dts);
    if (rc == 0)
        rc = plan_track(&audio, FMP4_TRACK_AUDIO, f->audio, f->n_audio, f->audio_base_dts);
    if (rc < 0)
        return rc;
    if (video.n + audio.n == 0)
        return -EINVAL;
    size_t prft_bytes = f->without_prft ? 0 : FMP4_PRFT_BYTES;
    size_t moof_bytes = 8 + 16 + video.traf_bytes + audio.traf_bytes;
    uint64_t mdat_bytes = 8 + video.payload_bytes + audio.payload_bytes;
    if (moof_bytes > INT32_MAX || mdat_bytes > INT32_MAX)
        return ERR_TOO_BIG;
    if (!buf_reserve(out, prft_bytes + moof_bytes + 8))
        return ERR_TOO_BIG;

    uint8_t *w = out->data + out->len;
    if (!f->without_prft)
        w = write_prft(w, video.n > 0 ? &video : &audio);
    w = fmp4__w32(w, (uint32_t)moof_bytes);
    w = fmp4__w32(w, FMP4_TYPE('m', 'o', 'o', 'f'));
    w = fmp4__w32(w, 16);
    w = fmp4__w32(w, FMP4_TYPE('m', 'f', 'h', 'd'));
    w = fmp4__w32(w, 0);
    w = fmp4__w32(w, f->sequence);
    if (video.n > 0)
        w = write_traf(w, &video, (uint32_t)moof_bytes + 8);
    if (audio.n > 0)
        w = write_traf(w, &audio, (uint32_t)(moof_bytes + 8 + video.payload_bytes));
    w = fmp4__w32(w, (uint32_t)mdat_bytes);
    w = fmp4__w32(w, FMP4_TYPE('m', 'd', 'a', 't'));
    out->len = (size_t)(w - out->data);
    return 0;
}

/* 8.8.9 to 8.8.11 */
int fmp4_write_mfra(const struct fmp4_seek_entry *entries, size_t n, struct buf *out)
{
    if (n > UINT32_MAX / 32)
        return ERR_TOO_BIG;
    size_t mfra = fmp4__box(out, FMP4_TYPE('m', 'f', 'r', 'a'));
    size_t tfra = fmp4__full_box(out, FMP4_TYPE('t', 'f', 'r', 'a'), 1, 0);
    buf_put_be32(out, FMP4_TRACK_VIDEO);
    buf_put_be32(out, 0); /* one byte each for the numbers of traf, trun and sample */
    buf_put_be32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        buf_put_be64(out, entries[i].time);
        buf_put_be64(out, entries[i].offset);
        buf_put_be24(out, 0x010101);
    }
    fmp4__end(out, tfra);
    size_t mfro = fmp4__full_box(out, FMP4_TYPE('m', 'f', 'r', 'o'), 0, 0);
    buf_put_be32(out, (uint32_t)(out->len + 4 - mfra));
    fmp4__end(out, mfro);
    fmp4__end(out, mfra);
    return out->is_failed ? ERR_TOO_BIG : 0;
}
