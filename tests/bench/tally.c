#include "tally.h"

#include <inttypes.h>
#include <stdio.h>

#include "rig/vcl.h"

static void count_frame(const struct identity_table *t, uint64_t identity, struct tally *tally)
{
    tally->n_frames++;
    size_t place = identity_find(t, identity, tally->has_started ? tally->expected : t->n);
    if (place == IDENTITY_NONE) {
        tally->n_unknown++;
        return;
    }
    if (tally->has_started && place != tally->expected) {
        size_t jump = (place + t->n - tally->expected) % t->n;
        tally->n_breaks++;
        if (jump < t->n / 2)
            tally->n_missing += jump;
        else
            tally->n_doubled += t->n - jump;
    }
    tally->has_started = true;
    tally->expected = (place + 1) % t->n;
}

static void count_time(const struct fmp4_read_fragment *f, struct tally *tally)
{
    int64_t ticks = 0;
    for (size_t i = 0; i < f->n_samples; i++) {
        tally->n_sounds += !f->samples[i].is_video;
        ticks += f->samples[i].is_video ? f->samples[i].duration : 0;
    }
    if (tally->media_90k == 0)
        tally->from_wall_us = f->wall_us;
    tally->media_90k += ticks;
    tally->to_wall_us = f->wall_us + ticks * 100 / 9;
}

int64_t tally_fragments(struct tally *tally, const struct identity_table *t,
                        const struct fmp4_init *init, struct fmp4_read_fragment *f,
                        const uint8_t *p, size_t n, bool *out_is_end, struct err *err)
{
    size_t at = 0;
    int rc = 1;
    while (at < n) {
        size_t need = 0;
        rc = fmp4_read_fragment(p + at, n - at, f, &need, err);
        if (rc <= 0 || f->size > n - at)
            break;
        count_time(f, tally);
        for (size_t i = 0; i < f->n_samples; i++) {
            const struct fmp4_read_sample *s = &f->samples[i];
            /* Sound in MP4 has no ADTS headers. */
            if (!s->is_video && init->audio && init->audio->codec == CODEC_AAC && s->size > 1)
                tally->n_unknown += get_be16(p + at + s->offset) >> 4 == 0xfff;
            if (s->is_video && init->video)
                count_frame(t, vcl_hash(init->video->codec, p + at + s->offset, s->size), tally);
        }
        at += f->size;
    }
    *out_is_end = rc == ERR_EOF;
    tally->n_bytes += at;
    return rc < 0 && rc != ERR_EOF ? rc : (int64_t)at;
}

bool tally_print(const struct tally *tally, const char *name)
{
    printf("%s files=%" PRIu64 " frames=%" PRIu64 " missing=%" PRIu64 " doubled=%" PRIu64
           " unknown=%" PRIu64 " breaks=%" PRIu64 " bytes=%" PRIu64 " sounds=%" PRIu64
           " media_ms=%" PRId64 " from_ms=%" PRId64 " to_ms=%" PRId64 "\n",
           name, tally->n_files, tally->n_frames, tally->n_missing, tally->n_doubled,
           tally->n_unknown, tally->n_breaks, tally->n_bytes, tally->n_sounds,
           tally->media_90k / 90, tally->from_wall_us / 1000, tally->to_wall_us / 1000);
    return tally->n_frames == 0 || tally->n_breaks > 0 || tally->n_unknown > 0;
}
