#include "storage/disk_fragment.h"

#include <stdlib.h>

#include "base/mem.h"

struct disk_fragment *disk_fragment_create(size_t cap_video, size_t cap_audio)
{
    struct disk_fragment *f = xmalloc(sizeof *f);
    *f = (struct disk_fragment){.cap_video = cap_video, .cap_audio = cap_audio};
    f->video = xmalloc(cap_video * sizeof *f->video);
    if (cap_audio > 0)
        f->audio = xmalloc(cap_audio * sizeof *f->audio);
    return f;
}

void disk_fragment_destroy(struct disk_fragment **fp)
{
    struct disk_fragment *f = *fp;
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->n_video; i++)
        packet_unref((struct packet **)&f->video[i].pkt);
    for (size_t i = 0; i < f->n_audio; i++)
        packet_unref((struct packet **)&f->audio[i].pkt);
    format_unref(&f->video_format);
    format_unref(&f->audio_format);
    free(f->video);
    free(f->audio);
    FREE(fp);
}

/* --- its bytes --- */

/* Init and the link of the segment before; both count in the value. */
static int write_start(struct disk_fragment_bytes *b, const struct disk_fragment *f,
                       const struct disk_fragment_chain *chain)
{
    int rc = fmp4_write_init(f->video_format, f->audio_format, false, &b->head);
    if (rc < 0)
        return rc;
    segment_chain_begin(chain->key, chain->id, chain->before, b->head.data, b->head.len, &b->value);
    segment_write_chain(chain->key, chain->before, &b->head);
    return 0;
}

/* Everything in front of the payloads; the hash at *hash_at has no value yet. */
static int write_head(struct disk_fragment_bytes *b, const struct disk_fragment *f,
                      const struct disk_fragment_chain *chain, size_t *hash_at)
{
    struct fmp4_fragment box = {.sequence = f->sequence,
                                .video = f->video,
                                .n_video = f->n_video,
                                .video_base_dts = f->video_base_dts,
                                .audio = f->audio,
                                .n_audio = f->n_audio,
                                .audio_base_dts = f->audio_base_dts};
    int rc = f->video_format != NULL ? write_start(b, f, chain) : 0;
    *hash_at = b->head.len;
    segment_write_hash(&b->head);
    if (f->lost_packets > 0)
        segment_write_loss(f->lost_packets, &b->head);
    const size_t prft_bytes = 32;
    b->moof_at = b->head.len + prft_bytes;
    return rc < 0 ? rc : fmp4_write_fragment(&box, &b->head);
}

static void add_payloads(struct disk_fragment_bytes *b, const struct fmp4_sample *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b->pieces[b->n_pieces++] = (struct iovec){(void *)list[i].pkt->data, list[i].pkt->size};
}

/* The hash of boxes and payloads, of which the first piece is all of the head, goes into the head.
 */
static void seal(struct disk_fragment_bytes *b, const struct chain_key *key, size_t hash_at)
{
    size_t covered_at = hash_at + SEGMENT_HASH_BYTES;
    b->pieces[0] = (struct iovec){b->head.data + covered_at, b->head.len - covered_at};
    chain_extend(key, &b->value, b->pieces, b->n_pieces, &b->value);
    segment_set_hash(&b->head, hash_at, &b->value);
    b->pieces[0] = (struct iovec){b->head.data, b->head.len};
}

int disk_fragment_bytes_init(struct disk_fragment_bytes *b, const struct disk_fragment *f,
                             const struct disk_fragment_chain *chain)
{
    size_t hash_at;
    *b = (struct disk_fragment_bytes){.value = chain->value, .n_pieces = 1};
    b->pieces = xmalloc((1 + f->n_video + f->n_audio) * sizeof *b->pieces);
    buf_init(&b->head, 0);
    int rc = write_head(b, f, chain, &hash_at);
    if (rc < 0)
        return rc;
    add_payloads(b, f->video, f->n_video);
    add_payloads(b, f->audio, f->n_audio);
    seal(b, chain->key, hash_at);
    return 0;
}

void disk_fragment_bytes_fini(struct disk_fragment_bytes *b)
{
    buf_fini(&b->head);
    FREE(&b->pieces);
}
