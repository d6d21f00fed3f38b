#include "storage/thin.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "storage/list.h"

/* Gathered before they are written. */
enum { WRITE_BYTES = 1 << 20 };

struct thinner {
    const struct volume_io *io;
    const struct chain_key *key;
    struct segment_reader in;
    int fd_in, fd_out;
    struct segment_end end; /* of the whole segment */

    struct packet *pkt;    /* the newest key frame; its duration is not known yet */
    int64_t base_dts;      /* of the first one */
    int64_t end_dts;       /* where the pictures read so far end */
    uint32_t shown_ticks;  /* of pkt, once a hole ended it; else 0 */
    uint32_t lost_packets; /* before it, since the key frame in front */
    uint32_t loss_of_pkt;

    struct buf out;
    uint64_t out_bytes; /* in the file */
    struct chain_value value;
    struct fmp4_seek_entry *seeks;
    size_t n_seeks;
    uint64_t n_left_out;
};

static int flush(struct thinner *t)
{
    struct iovec iov = {t->out.data, t->out.len};
    int rc = t->out.len > 0 ? t->io->write(t->io, t->fd_out, &iov, 1, t->out_bytes) : 0;
    t->out_bytes += t->out.len;
    t->out.len = 0;
    return rc;
}

/* --- one key frame, one fragment --- */

static void seal(struct thinner *t, size_t at)
{
    size_t covered_at = at + SEGMENT_HASH_BYTES, n = t->out.len - covered_at - t->pkt->size;
    const struct iovec pieces[] = {{t->out.data + covered_at, n},
                                   {t->out.data + covered_at + n, t->pkt->size}};
    chain_extend(t->key, &t->value, pieces, 2, &t->value);
    segment_set_hash(&t->out, at, &t->value);
}

static int write_key(struct thinner *t, uint32_t ticks)
{
    struct fmp4_sample sample = {.pkt = t->pkt, .duration = ticks};
    struct fmp4_fragment f = {.sequence = (uint32_t)t->n_seeks + 1,
                              .video = &sample,
                              .n_video = 1,
                              .video_base_dts = t->base_dts};
    const size_t prft_bytes = 32;
    size_t at = t->out.len;
    segment_write_hash(&t->out);
    if (t->loss_of_pkt > 0)
        segment_write_loss(t->loss_of_pkt, &t->out);
    t->seeks = list_room(t->seeks, t->n_seeks, sizeof *t->seeks);
    t->seeks[t->n_seeks++] =
        (struct fmp4_seek_entry){.time = (uint64_t)(t->pkt->dts - t->base_dts),
                                 .offset = t->out_bytes + t->out.len + prft_bytes};
    int rc = fmp4_write_fragment(&f, &t->out);
    if (rc < 0)
        return rc;
    buf_append(&t->out, t->pkt->data, t->pkt->size);
    seal(t, at);
    return t->out.len >= WRITE_BYTES ? flush(t) : 0;
}

/* The newest key frame is complete: it is shown until `until_dts`, or where a hole ended it. */
static int finish_key(struct thinner *t, int64_t until_dts)
{
    if (t->pkt == NULL)
        return 0;
    int64_t ticks = t->shown_ticks > 0 ? t->shown_ticks : until_dts - t->pkt->dts;
    int rc = write_key(t, (uint32_t)CLAMP(ticks, 1, UINT32_MAX));
    packet_unref(&t->pkt);
    t->shown_ticks = 0;
    return rc;
}

/* --- reading --- */

static int read_key(struct thinner *t, const struct fmp4_read_sample *s, int64_t wall_us,
                    struct err *err)
{
    struct packet *pkt = packet_create(s->size);
    if (pkt == NULL)
        return err_text(err, ERR_PARSE, "a key frame of %u bytes", s->size);
    t->pkt = pkt;
    pkt->size = s->size;
    pkt->format = format_ref(t->in.init.video);
    pkt->dts = s->dts;
    pkt->pts = s->dts + s->pts_offset;
    pkt->wall_us = wall_us;
    pkt->is_video = pkt->is_key = true;
    for (size_t at = 0; at < pkt->size;) {
        ssize_t n = pread(t->fd_in, pkt->data + at, pkt->size - at,
                          (off_t)(t->in.fragment_at + s->offset + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, n < 0 ? -errno : ERR_PARSE, "read a key frame");
        at += (size_t)n;
    }
    t->loss_of_pkt = t->lost_packets;
    t->lost_packets = 0;
    if (t->n_seeks == 0)
        t->base_dts = pkt->dts;
    return 0;
}

static int take_picture(struct thinner *t, const struct fmp4_read_sample *s, int64_t wall_us,
                        struct err *err)
{
    uint32_t timescale = t->in.init.video->timescale;
    bool is_behind_hole =
        t->pkt != NULL && us_of_ticks(s->dts - t->end_dts, timescale) > SEGMENT_HOLE_US;
    if (is_behind_hole && t->shown_ticks == 0)
        t->shown_ticks = (uint32_t)CLAMP(t->end_dts - t->pkt->dts, 1, UINT32_MAX);
    t->end_dts = s->dts + s->duration;
    if (!s->is_key) {
        t->n_left_out++;
        return 0;
    }
    int rc = finish_key(t, s->dts);
    return rc < 0 ? err_set(err, rc, "write a key frame") : read_key(t, s, wall_us, err);
}

static int take_fragment(struct thinner *t, struct err *err)
{
    const struct fmp4_read_fragment *f = &t->in.fragment;
    const struct fmp4_read_sample *first = NULL;
    int rc = 0;
    t->lost_packets += t->in.lost_packets;
    for (size_t i = 0; i < f->n_samples && rc == 0; i++) {
        const struct fmp4_read_sample *s = &f->samples[i];
        if (!s->is_video)
            continue;
        first = first != NULL ? first : s;
        rc = take_picture(
            t, s, f->wall_us + us_of_ticks(s->dts - first->dts, t->in.init.video->timescale), err);
    }
    return rc;
}

static int read_all(struct thinner *t, struct err *err)
{
    int rc;
    while ((rc = segment_reader_next(&t->in, err)) == 1)
        if ((rc = take_fragment(t, err)) < 0)
            return rc;
    if (rc == 0)
        rc = finish_key(t, t->end_dts);
    return rc < 0 && err != NULL && err->code == 0 ? err_set(err, rc, "write key frames") : rc;
}

/* --- the file --- */

static int write_start(struct thinner *t, const struct segment_row *whole,
                       const struct segment_id *id)
{
    int rc = fmp4_write_init(t->in.init.video, NULL, false, &t->out);
    /* in the chain it stands where the whole one stood */
    const struct chain_value *before = &whole->chain.before;
    segment_chain_begin(t->key, id, before, t->out.data, t->out.len, &t->value);
    segment_write_chain(t->key, before, &t->out);
    return rc;
}

static int write_end(struct thinner *t, struct segment_row *twin)
{
    struct segment_end end = t->end;
    struct chain_value link;
    end.frames = t->n_seeks;
    end.is_thinned = true;
    int rc = segment_write_end(&end, t->seeks, t->n_seeks, t->key, &t->value, &link, &t->out);
    if (rc == 0)
        rc = flush(t);
    twin->bytes = (int64_t)t->out_bytes;
    twin->frames = (int64_t)t->n_seeks;
    return rc;
}

/* A first look at the headers: does any picture depend on another one? */
static int has_others(struct thinner *t, struct err *err)
{
    int rc;
    while ((rc = segment_reader_next(&t->in, err)) == 1)
        for (size_t i = 0; i < t->in.fragment.n_samples; i++)
            if (t->in.fragment.samples[i].is_video && !t->in.fragment.samples[i].is_key)
                return 1;
    return rc;
}

static int open_whole(struct thinner *t, int dirfd, struct segment_row *whole, struct err *err)
{
    char path[SEGMENT_PATH_BYTES];
    uint64_t bytes = (uint64_t)whole->bytes;
    t->fd_in = openat(dirfd, segment_path(&whole->id, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (t->fd_in < 0)
        return err_set(err, -errno, "open %s", path);
    int rc = segment_read_end(t->fd_in, bytes, &t->end, NULL, NULL, err);
    if (rc == 0)
        rc = err_text(err, ERR_PARSE, "%s has no end: it is left whole", path);
    if (rc > 0)
        rc = segment_reader_init(&t->in, t->fd_in, bytes, err);
    if (rc < 0)
        return rc;
    whole->chain.before = t->in.before;
    uint64_t start_at = t->in.next_at;
    rc = has_others(t, err);
    t->in.next_at = start_at;
    if (rc == 0)
        return err_text(err, ERR_UNSUPPORTED, "%s has key frames only", path);
    return rc < 0 ? rc : 0;
}

int thin_segment(const struct volume_io *io, int dirfd, const struct chain_key *key,
                 const struct segment_row *whole, struct segment_row *twin, struct err *err)
{
    char path[SEGMENT_PATH_BYTES];
    struct thinner t = {.io = io, .key = key, .fd_in = -1, .fd_out = -1};
    struct segment_row from = *whole;
    buf_init(&t.out, 0);
    int rc = open_whole(&t, dirfd, &from, err);
    if (rc == 0) {
        t.fd_out = io->create(io, dirfd, segment_path(&twin->id, path));
        rc = t.fd_out < 0 ? err_set(err, t.fd_out, "create %s", path) : 0;
    }
    if (rc == 0)
        rc = write_start(&t, &from, &twin->id);
    if (rc == 0)
        rc = read_all(&t, err);
    if (rc == 0 && t.n_seeks == 0)
        rc = err_text(err, ERR_PARSE, "no key frame: it is left whole");
    if (rc == 0)
        rc = write_end(&t, twin);
    for (int i = 0; i < 2; i++) {
        int fd = i == 0 ? t.fd_in : t.fd_out;
        if (fd < 0)
            continue;
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
    segment_reader_fini(&t.in);
    packet_unref(&t.pkt);
    buf_fini(&t.out);
    free(t.seeks);
    return rc;
}
