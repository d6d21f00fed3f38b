#include "storage/writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "storage/disk_fragment.h"
#include "storage/registry.h"
#include "storage/repair.h"
#include "storage/volume.h"

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

enum { MAX_REFUSALS = 3 };

/* --- settling: the catalogue learns what became of the file --- */

static void settle(struct writer *w)
{
    struct writer **at = &w->volume->writers;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    registry_settled(w->link->registry, w);
    writer_unref(&w);
}

static int job_finish(struct db *db, void *ctx, struct err *err)
{
    struct writer *w = ctx;
    return w->row.frames > 0 ? db_segment_finish(db, &w->row, err)
                             : db_segment_forget(db, &w->row, err);
}

/* Who was stopped does not wait for ever: the next start finds the file by its unsettled row. */
static bool has_waited_enough(struct writer *w)
{
    return atomic_load(&w->link->is_stopped) && ++w->n_refusals >= MAX_REFUSALS;
}

static void on_indexed(void *ctx, const struct err *err)
{
    struct writer *w = ctx;
    w->is_waiting = false;
    if (err == NULL) {
        settle(w);
        return;
    }
    if (!w->is_refused) /* once: it is tried every second */
        log_error(w->path, "is recorded but not in the index yet: %s", err->msg);
    w->is_refused = true;
    if (has_waited_enough(w))
        settle(w);
}

/* Repeated by writer__retry until it works: what is on the disk must be found. */
static void index_it(struct writer *w)
{
    w->state = WRITER_INDEX;
    if (w->row.frames == 0 && !w->is_registered) {
        settle(w);
        return;
    }
    w->is_waiting =
        catalogue_post(w->volume->catalogue, job_finish, w, w->volume->loop, on_indexed) == 0;
}

void writer__retry(struct volume *v)
{
    for (struct writer *next, *w = v->writers; w != NULL; w = next) {
        next = w->next;
        if (w->state == WRITER_INDEX && !w->is_waiting)
            index_it(w);
    }
}

/* --- the end of the file --- */

void writer__sync_begins(struct volume *v)
{
    for (struct writer *w = v->writers; w != NULL; w = w->next)
        if (w->state == WRITER_WRITE)
            growth_sync_begins(&w->growth, (uint64_t)w->row.bytes);
}

static void await_sync(struct writer *w)
{
    w->state = WRITER_SYNC;
    /* a sync that is under way may have passed this file already */
    w->sync_epoch = w->volume->sync_epoch + 1;
    volume__want_sync(w->volume, w->row.ended == SEGMENT_STOPPED);
}

static void remove_file(struct writer *w)
{
    w->is_tail_left = unlinkat(w->volume->dirfd, w->path, 0) < 0 && errno != ENOENT;
}

/* A file without a whole fragment is none; but a power cut may bring it back. */
static void drop_file(struct writer *w)
{
    if (w->fd < 0) {
        index_it(w);
        return;
    }
    close(w->fd);
    w->fd = -1;
    remove_file(w);
    await_sync(w);
}

/* Behind its last whole fragment. */
static void cut_back(struct writer *w)
{
    const struct volume_io *io = w->volume->io;
    int rc = w->fd >= 0 && !w->is_lost ? io->cut(io, w->fd, (uint64_t)w->row.bytes) : 0;
    w->is_tail_left = rc < 0;
    if (rc < 0)
        log_warn(w->path, "cannot be cut back to its last whole fragment: %s", err_name(rc));
}

static void write_end(struct writer *w)
{
    struct buf buf;
    struct segment_end end = {.from_us = w->row.id.from_us,
                              .to_us = w->row.to_us,
                              .frames = (uint64_t)w->row.frames,
                              .lost_packets = (uint64_t)w->row.lost_packets,
                              .began = w->row.began,
                              .ended = w->row.ended,
                              .holes = w->row.holes};
    buf_init(&buf, 0);
    int rc = segment_write_end(&end, w->seeks, w->n_seeks, w->volume->chain, &w->value,
                               &w->row.chain.link, &buf);
    struct iovec iov = {.iov_base = buf.data, .iov_len = buf.len};
    if (rc == 0)
        rc = volume__write(w->volume, w->fd, &iov, 1, (uint64_t)w->row.bytes);
    w->row.chain.has_link = true;
    if (rc < 0) /* as who reads it will say */
        w->row.chain.link = w->value;
    w->is_end_missing = rc < 0;
    if (rc == 0)
        w->row.bytes += (int64_t)buf.len;
    else /* readable without it */
        cut_back(w);
    buf_fini(&buf);
}

static void close_file(struct writer *w)
{
    if (w->fd < 0)
        return;
    growth_forget(&w->growth, w->volume, w->fd, atomic_load(&w->read_mono_us));
    close(w->fd);
    w->fd = -1;
}

/* What the disk refused is tried once more when it works again; a tail that cannot be cut off would
 * not be the row's, so that is tried until it can. Returns whether there is to be another sync. */
static bool mend_end(struct writer *w)
{
    if (!w->is_tail_left && (!w->is_end_missing || w->is_end_retried))
        return false;
    w->is_end_retried = true;
    if (w->row.frames == 0) {
        remove_file(w);
        return true;
    }
    cut_back(w);
    if (!w->is_tail_left)
        write_end(w);
    return true;
}

static void count_lost(struct writer *w)
{
    atomic_fetch_add(&w->link->n_lost_fragments, 1);
    recorder_link_set(w->link, RECORDER_FAILED, loop_wall_us(w->volume->loop));
}

/* --- after a sync that failed: the system may have dropped what it could not write, and the next
 * sync says nothing of it. So the file is read again, from the disk, and ends where its hashes are
 * no longer right. --- */

static void on_verified(void *ctx)
{
    struct writer *w = ctx;
    if (w->verified_rc < 0 && w->verified_rc != ERR_NOT_FOUND) {
        log_error(w->path, "is left to the next start: %s", err_name(w->verified_rc));
        settle(w);
        return;
    }
    int64_t n_lost = w->row.frames - (w->verified_rc == 0 ? w->verified.frames : 0);
    if (n_lost > 0) {
        log_warn(w->path, "the disk lost the newest %lld pictures", (long long)n_lost);
        count_lost(w);
    }
    if (w->verified_rc == 0)
        w->row = w->verified;
    else
        w->row.frames = 0;
    index_it(w);
}

/* On the sync loop: reading a file takes seconds from a cold disk, and writing goes on meanwhile.
 */
static void verify_work(void *ctx)
{
    struct writer *w = ctx;
    const struct volume *v = w->volume;
    w->verified_rc = repair_segment(v->dirfd, w->path, v->chain, true, &w->verified, NULL);
    loop_post(v->loop, on_verified, w);
}

static void verify(struct writer *w)
{
    if (w->fd >= 0)
        posix_fadvise(w->fd, 0, 0, POSIX_FADV_DONTNEED);
    close_file(w);
    w->sync_epoch = UINT64_MAX; /* no sync is waited for */
    w->verified = w->row;
    w->verified.ended = SEGMENT_DISK; /* unless its end is true */
    loop_post(w->volume->sync_loop, verify_work, w);
}

static void wait_on(struct writer *w)
{
    if (has_waited_enough(w)) {
        close_file(w);
        settle(w);
        return;
    }
    w->sync_epoch = w->volume->sync_epoch + 1;
    volume__want_sync(w->volume, atomic_load(&w->link->is_stopped));
}

void writer__synced(struct volume *v, uint64_t epoch, int rc)
{
    for (struct writer *next, *w = v->writers; w != NULL; w = next) {
        next = w->next;
        w->is_doubtful |= rc < 0;
        if (rc == 0 && w->state == WRITER_WRITE && w->fd >= 0)
            growth_synced(&w->growth, v, w->fd, atomic_load(&w->read_mono_us));
        if (w->state != WRITER_SYNC || w->sync_epoch > epoch)
            continue;
        if (rc < 0 || mend_end(w)) { /* the fault told volume__want_sync the same */
            wait_on(w);
            continue;
        }
        if (w->is_doubtful && w->row.frames > 0) {
            verify(w);
            continue;
        }
        close_file(w);
        index_it(w);
    }
}

static void end_file(struct writer *w)
{
    if (w->row.frames == 0) {
        drop_file(w);
        return;
    }
    if (!w->is_failed_here) {
        w->row.to_us = w->close_to_us;
        w->row.ended = w->close_ended;
    }
    if (!w->is_lost) {
        write_end(w);
        growth_end(&w->growth, w->volume, w->fd, (uint64_t)w->row.bytes);
    }
    await_sync(w);
}

void writer__disk_replaced(struct volume *v)
{
    for (struct writer *w = v->writers; w != NULL; w = w->next) {
        bool is_open = w->state == WRITER_WRITE;
        if (!is_open && (w->state != WRITER_SYNC || w->sync_epoch == UINT64_MAX))
            continue;
        w->is_lost = w->is_doubtful = true;
        w->is_end_missing = false;
        w->is_tail_left = !is_open && w->row.frames == 0; /* it may be there, and has no row */
        if (!is_open)
            continue;
        atomic_store(&w->is_failed, true);
        w->is_failed_here = true;
        w->row.ended = SEGMENT_DISK;
    }
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
    count_lost(w);
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
    cut_back(w);
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
    if (w->is_close_asked &&
        w->close_ended == SEGMENT_DOWN) /* written late; nothing comes any more */
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
        end_file(w);
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
        end_file(w);
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
