#include "storage/writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "storage/disk_fragment.h"
#include "storage/registry.h"
#include "storage/volume.h"
#include "storage/writer_end.h"

/* --- references --- */

struct writer *writer_ref(struct writer *w)
{
    refcount_inc(&w->refs);
    return w;
}

void writer_unref(struct writer **wp)
{
    struct writer *w = *wp;
    *wp = NULL;
    if (w == NULL || !refcount_dec(&w->refs))
        return;
    assert(w->fd < 0 && w->first_waiting == NULL);
    writer_unref(&w->before);
    recorder_link_unref(&w->link);
    free(w->seeks);
    free(w);
}

/* --- fragments to the file --- */

static void give_back(struct writer *w, const struct disk_fragment *f)
{
    volume_give_back(w->volume, (int64_t)f->bytes);
    atomic_fetch_sub(&w->link->queued_bytes[w->volume->index], (int32_t)f->bytes);
}

static void discard(struct writer *w, struct disk_fragment **f)
{
    give_back(w, *f);
    writer__count_lost(w);
    disk_fragment_destroy(f);
}

/* The file ends where its last whole fragment does; the recorder opens another. */
static void give_up(struct writer *w, int code)
{
    atomic_store(&w->is_failed, true);
    w->is_failed_here = true;
    w->row.ended = SEGMENT_DISK;
    /* a name that is taken says nothing about the disk, and one that is not used has said it */
    if (code != -EEXIST && code != -ENODEV)
        volume__set_fault(w->volume, VOLUME_FAILED, code);
    log_warn(w->path, "write: %s", err_name(code));
    writer__cut_back(w);
}

static void add_seek(struct writer *w, const struct disk_fragment *f, uint64_t moof_at)
{
    if (f->n_video == 0 || !f->video[0].pkt->is_key)
        return;
    if (w->n_seeks == w->cap_seeks) {
        w->cap_seeks = MAX(64, w->cap_seeks * 2);
        w->seeks = xrealloc(w->seeks, w->cap_seeks * sizeof *w->seeks);
    }
    w->seeks[w->n_seeks++] = (struct fmp4_seek_entry){
        .time = (uint64_t)(f->video[0].pkt->dts - f->video_base_dts), .offset = moof_at};
}

static void note_written(struct writer *w, const struct disk_fragment *f,
                         const struct disk_fragment_bytes *bytes)
{
    add_seek(w, f, (uint64_t)w->row.bytes + bytes->moof_at);
    w->value = bytes->value;
    w->row.bytes += (int64_t)(bytes->head.len + f->bytes);
    w->row.frames += (int64_t)f->n_video;
    w->row.lost_packets += f->lost_packets;
    w->row.to_us = f->to_us;
    if (f->hole.to_us != 0 && w->row.holes.n < SEGMENT_HOLES_MAX)
        w->row.holes.list[w->row.holes.n++] = f->hole;
}

static int write_fragment(struct writer *w, const struct disk_fragment *f)
{
    struct disk_fragment_bytes bytes;
    struct disk_fragment_chain chain = {
        .key = w->volume->chain, .id = &w->id, .before = &w->row.chain.before, .value = w->value};
    int rc = disk_fragment_bytes_init(&bytes, f, &chain);
    if (rc == 0)
        rc = volume__write(w->volume, w->fd, bytes.pieces, bytes.n_pieces, (uint64_t)w->row.bytes);
    if (rc == 0)
        note_written(w, f, &bytes);
    disk_fragment_bytes_fini(&bytes);
    return rc;
}

static void publish(struct writer *w)
{
    atomic_store(&w->readable_frames, w->row.frames);
    atomic_store(&w->readable_lost, w->row.lost_packets);
    for (size_t i = atomic_load(&w->n_readable_holes); i < w->row.holes.n; i++)
        w->readable_holes[i] = w->row.holes.list[i];
    atomic_store(&w->n_readable_holes, w->row.holes.n);
    atomic_store(&w->readable_us, w->row.to_us);
    atomic_store(&w->readable_bytes, (uint64_t)w->row.bytes);
    atomic_store(&w->link->recorded_us, w->row.to_us);
    /* written late; nothing comes any more */
    if (w->is_close_asked && w->close_ended == SEGMENT_DOWN)
        return;
    /* a recorder that is shut out says itself when it is let in again */
    int trouble = atomic_load(&w->link->trouble);
    if (trouble != RECORDER_NO_DISK && trouble != RECORDER_SLOW)
        recorder_link_set(w->link, RECORDER_FINE, w->row.to_us);
}

static void take_fragment(struct writer *w, struct disk_fragment *f)
{
    int rc = -EIO;
    if (!w->is_failed_here) {
        growth_reserve(&w->growth, w->volume, w->fd, (uint64_t)w->row.bytes + f->bytes);
        rc = write_fragment(w, f);
    }
    if (rc < 0) {
        if (!w->is_failed_here)
            give_up(w, rc);
        discard(w, &f);
        return;
    }
    publish(w);
    growth_written(&w->growth, w->volume, w->fd, (uint64_t)w->row.bytes);
    volume__want_sync(w->volume, false);
    give_back(w, f);
    disk_fragment_destroy(&f);
}

/* --- messages --- */

static void on_fragment(void *ctx)
{
    struct disk_fragment *f = ctx;
    struct writer *w = f->writer;
    if (w->state == WRITER_REGISTER) {
        *w->last_waiting = f;
        w->last_waiting = &f->next;
        return;
    }
    take_fragment(w, f);
}

struct close_message {
    struct writer *writer;
    int64_t to_us;
    enum segment_edge ended;
};

static void on_close(void *ctx)
{
    struct close_message *m = ctx;
    struct writer *w = m->writer;
    w->close_to_us = m->to_us;
    w->close_ended = m->ended;
    w->is_close_asked = true;
    if (m->ended == SEGMENT_DOWN)
        recorder_link_set(w->link, RECORDER_WAITING, m->to_us);
    if (w->state == WRITER_WRITE)
        writer__end(w);
    writer_unref(&w);
    free(m);
}

/* The chain goes on with the recorder's last segment when it was written by this loop: it has its
 * end then, since messages arrive in order. When that one lies on another volume nobody knows which
 * of the two is settled first: a strand of its own begins. Without one, after a start, it goes on
 * with what the catalogue knew when the row went in. */
static void join_chain(struct writer *w)
{
    const struct writer *before = w->before;
    struct segment_chain *chain = &w->row.chain;
    chain->has_before = true;
    if (before != NULL && before->volume != w->volume)
        chain->before = (struct chain_value){0};
    else if (before != NULL)
        chain->before =
            before->row.chain.has_link ? before->row.chain.link : before->row.chain.before;
    writer_unref(&w->before);
}

/* The row is durable: now the file may exist. When the catalogue fails, recording goes on; the
 * file is then found by the next check of the index. */
static void on_registered(void *ctx, const struct err *err)
{
    struct writer *w = ctx;
    w->is_waiting = false;
    w->is_registered = err == NULL;
    join_chain(w);
    if (err != NULL)
        log_error(w->path, "is recorded without being registered: %s", err->msg);
    w->state = WRITER_WRITE;
    int fd = -ENODEV;
    if (volume_is_ok(w->volume))
        fd = volume__create_file(w->volume, w->path);
    if (fd < 0)
        give_up(w, fd);
    else
        w->fd = fd;
    for (struct disk_fragment *next, *f = w->first_waiting; f != NULL; f = next) {
        next = f->next;
        take_fragment(w, f);
    }
    w->first_waiting = NULL;
    w->last_waiting = &w->first_waiting;
    if (w->is_close_asked)
        writer__end(w);
}

static int job_open(struct db *db, void *ctx, struct err *err)
{
    struct writer *w = ctx;
    return db_segment_open(db, &w->row, err);
}

static void on_open(void *ctx)
{
    struct writer *w = ctx;
    w->next = w->volume->writers;
    w->volume->writers = w;
    w->row.volume = atomic_load(&w->volume->key);
    w->is_waiting = true;
    if (catalogue_post(w->volume->catalogue, job_open, w, w->volume->loop, on_registered) < 0) {
        struct err err;
        err_set(&err, ERR_BUSY, "catalogue");
        on_registered(w, &err);
    }
}

/* --- the recorder's side --- */

struct writer *writer_create(struct volume *volume, struct recorder_link *link,
                             const struct segment_id *id, enum segment_edge began,
                             struct writer **before)
{
    struct writer *w = xcalloc(1, sizeof *w);
    refcount_init(&w->refs);
    w->volume = volume;
    w->link = recorder_link_ref(link);
    w->id = *id;
    w->row = (struct segment_row){.id = *id, .began = began, .to_us = id->from_us};
    segment_path(id, w->path);
    w->last_waiting = &w->first_waiting;
    w->fd = -1;
    w->before = *before;
    *before = NULL;
    atomic_fetch_add(&volume->n_recording, 1);
    registry_opened(link->registry, w);
    loop_post(volume->loop, on_open, writer_ref(w));
    return w;
}

bool writer_send(struct writer *w, struct disk_fragment *f)
{
    int64_t bytes = (int64_t)f->bytes;
    _Atomic int32_t *queue = &w->link->queued_bytes[w->volume->index];
    int64_t queued = atomic_load(queue);
    if (queued > 0 && queued + bytes > RECORDER_QUEUE_MAX_BYTES)
        return false;
    if (!volume_take(w->volume, bytes))
        return false;
    atomic_fetch_add(queue, (int32_t)bytes);
    f->writer = w;
    loop_post(w->volume->loop, on_fragment, f);
    return true;
}

void writer_close(struct writer *w, int64_t to_us, enum segment_edge ended)
{
    struct close_message *m = xmalloc(sizeof *m);
    *m = (struct close_message){.writer = writer_ref(w), .to_us = to_us, .ended = ended};
    atomic_fetch_sub(&w->volume->n_recording, 1);
    loop_post(w->volume->loop, on_close, m);
}
