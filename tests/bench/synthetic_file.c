/* Segment files whose headers are real and whose pictures are holes. */
#include "synthetic.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/fmp4.h"
#include "storage/dirs.h"

enum { FPS = 25, GROUP = 50, KEY_BYTES = 60000, DELTA_BYTES = 9000, WRITTEN_BYTES = 8192 };
enum { TICKS = 90000 / FPS, SPS_BYTES = 10 };

struct file {
    int fd;
    uint64_t at;
    struct format *format;
    struct packet *packets[GROUP];
    struct fmp4_sample samples[GROUP];
    struct fmp4_seek_entry seeks[4096];
    size_t n_seeks;
    struct chain_key key;
    struct chain_value value;
};

/* Of every key frame; the others are zeros. */
static const uint8_t picture[KEY_BYTES] = {0x65}, zeros[DELTA_BYTES];

static int make_packets(struct file *f)
{
    const uint8_t sps[SPS_BYTES] = {0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0};
    const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    int rc =
        format_create_video(CODEC_H264, (struct nal_span){0}, (struct nal_span){sps, sizeof sps},
                            (struct nal_span){pps, sizeof pps}, &f->format);
    for (int i = 0; i < GROUP && rc == 0; i++) {
        struct packet *pkt = f->packets[i] = packet_create(16);
        pkt->format = format_ref(f->format);
        pkt->is_video = true;
        pkt->is_key = i == 0;
        pkt->size = i == 0 ? KEY_BYTES : DELTA_BYTES; /* only their sizes are looked at */
        f->samples[i] = (struct fmp4_sample){pkt, TICKS};
    }
    return rc;
}

/* The init, and that nothing is before it. */
static int put_start(struct file *f, const struct segment_id *id, struct buf *head)
{
    static const uint8_t secret[CHAIN_KEY_BYTES]; /* as of a storage that was given none */
    const struct chain_value nothing = {0};
    int rc = fmp4_write_init(f->format, NULL, false, head);
    chain_key_init(&f->key, secret);
    segment_chain_begin(&f->key, id, &nothing, head->data, head->len, &f->value);
    segment_write_chain(&f->key, &nothing, head);
    return rc;
}

static void seal(struct file *f, struct buf *head, size_t hash_at)
{
    struct iovec pieces[1 + GROUP];
    size_t covered_at = hash_at + SEGMENT_HASH_BYTES;
    pieces[0] = (struct iovec){head->data + covered_at, head->len - covered_at};
    pieces[1] = (struct iovec){(void *)picture, KEY_BYTES};
    for (int i = 1; i < GROUP; i++)
        pieces[1 + i] = (struct iovec){(void *)zeros, DELTA_BYTES};
    chain_extend(&f->key, &f->value, pieces, ARRAY_LEN(pieces), &f->value);
    segment_set_hash(head, hash_at, &f->value);
}

static int put_fragment(struct file *f, const struct segment_id *id, int64_t n, int64_t wall_us)
{
    struct buf head;
    buf_init(&head, 0);
    for (int i = 0; i < GROUP; i++) {
        f->packets[i]->dts = f->packets[i]->pts = (n * GROUP + i) * TICKS;
        f->packets[i]->wall_us = wall_us + i * US_PER_S / FPS;
    }
    int rc = n == 0 ? put_start(f, id, &head) : 0;
    size_t hash_at = head.len;
    segment_write_hash(&head);
    const size_t prft_bytes = 32;
    uint64_t moof_at = f->at + head.len + prft_bytes;
    if (rc == 0)
        rc = fmp4_write_fragment(&(struct fmp4_fragment){.sequence = (uint32_t)n + 1,
                                                         .video = f->samples,
                                                         .n_video = GROUP},
                                 &head);
    seal(f, &head, hash_at);
    buf_append(&head, picture, WRITTEN_BYTES);
    if (rc == 0 && pwrite(f->fd, head.data, head.len, (off_t)f->at) != (ssize_t)head.len)
        rc = -errno;
    f->at += head.len - WRITTEN_BYTES + KEY_BYTES + (GROUP - 1) * DELTA_BYTES;
    if (f->n_seeks < ARRAY_LEN(f->seeks))
        f->seeks[f->n_seeks++] =
            (struct fmp4_seek_entry){.time = (uint64_t)(n * GROUP * TICKS), .offset = moof_at};
    buf_fini(&head);
    return rc;
}

static int put_end(struct file *f, struct segment_row *row)
{
    struct buf buf;
    struct segment_end end = {.from_us = row->id.from_us,
                              .to_us = row->to_us,
                              .frames = (uint64_t)row->frames,
                              .began = row->began,
                              .ended = row->ended};
    buf_init(&buf, 0);
    int rc =
        segment_write_end(&end, f->seeks, f->n_seeks, &f->key, &f->value, &row->chain.link, &buf);
    row->chain.has_before = row->chain.has_link = true;
    if (rc == 0 && pwrite(f->fd, buf.data, buf.len, (off_t)f->at) != (ssize_t)buf.len)
        rc = -errno;
    f->at += buf.len;
    buf_fini(&buf);
    return rc;
}

int synthetic_file(int dirfd, struct segment_row *row, int64_t us, bool is_open, struct err *err)
{
    char path[SEGMENT_PATH_BYTES];
    int64_t n = us / (GROUP * US_PER_S / FPS);
    struct file *f = xcalloc(1, sizeof *f);
    int rc = dirs_make_parents_at(dirfd, segment_path(&row->id, path), err);
    f->fd = rc == 0 ? openat(dirfd, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640) : -1;
    if (rc == 0)
        rc = f->fd < 0 ? -errno : make_packets(f);
    for (int64_t i = 0; i < n && rc == 0; i++)
        rc = put_fragment(f, &row->id, i, row->id.from_us + i * GROUP * US_PER_S / FPS);
    row->frames = n * GROUP;
    row->to_us = MAX(row->to_us, row->id.from_us + n * GROUP * US_PER_S / FPS);
    if (rc == 0 && !is_open)
        rc = put_end(f, row);
    if (rc == 0 && ftruncate(f->fd, (off_t)f->at) < 0)
        rc = -errno;
    row->bytes = (int64_t)f->at;
    for (int i = 0; i < GROUP; i++)
        packet_unref(&f->packets[i]);
    format_unref(&f->format);
    if (f->fd >= 0)
        close(f->fd);
    free(f);
    return rc < 0 && (err == NULL || err->code == 0) ? err_set(err, rc, "create %s", path) : rc;
}
