#include "delivery/fragment.h"

#include "base/buf.h"
#include "media/fmp4.h"

static struct fragment *fragment_of(struct buf *head)
{
    struct fragment *f = head->is_failed ? NULL : try_malloc(sizeof *f + head->len);
    if (f) {
        *f = (struct fragment){.head_size = head->len};
        refcount_init(&f->refs);
        memcpy(f->head, head->data, head->len);
    }
    return f;
}

bool fragment_takes_sound(const struct format *f)
{
    return f && (f->codec == CODEC_AAC || format_moment_bytes(f) > 0);
}

struct fragment *fragment_create_init(struct format *video, struct format *audio)
{
    struct buf head;
    buf_init(&head, 64u << 10);
    struct fragment *f = NULL;
    if (fmp4_write_init(video, audio, false, &head) == 0)
        f = fragment_of(&head);
    if (f) {
        f->video = format_ref(video);
        f->audio = audio ? format_ref(audio) : NULL;
    }
    buf_fini(&head);
    return f;
}

struct fragment *fragment_create(struct packet *pkt, int64_t dts, uint32_t duration,
                                 uint32_t sequence, bool is_discontinuity)
{
    struct fmp4_sample sample = {pkt, duration};
    int64_t base_dts = pkt->dts - dts;
    struct fmp4_fragment moof = {
        .sequence = sequence,
        .video = pkt->is_video ? &sample : NULL,
        .n_video = pkt->is_video,
        .video_base_dts = base_dts,
        .audio = pkt->is_video ? NULL : &sample,
        .n_audio = !pkt->is_video,
        .audio_base_dts = base_dts,
        .without_prft = true, /* the wall header says it; browsers only skip it */
    };
    struct buf head;
    buf_init(&head, 4096);
    struct fragment *f = NULL;
    if (fmp4_write_fragment(&moof, &head) == 0)
        f = fragment_of(&head);
    if (f) {
        f->pkt = packet_ref(pkt);
        f->is_key = pkt->is_video && pkt->is_key;
        f->is_audio = !pkt->is_video;
        f->is_discontinuity = is_discontinuity;
        f->wall_us = pkt->wall_us;
        f->dts = dts;
        f->pts = dts + pkt->pts - pkt->dts;
        f->duration = duration;
    }
    buf_fini(&head);
    return f;
}

struct fragment *fragment_ref(struct fragment *f)
{
    refcount_inc(&f->refs);
    return f;
}

void fragment_unref(struct fragment **f)
{
    struct fragment *frag = *f;
    *f = NULL;
    if (!frag || !refcount_dec(&frag->refs))
        return;
    packet_unref(&frag->pkt);
    format_unref(&frag->video);
    format_unref(&frag->audio);
    free(frag);
}
