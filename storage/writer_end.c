#include "storage/writer_end.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "storage/registry.h"
#include "storage/repair.h"
#include "storage/volume.h"

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

/* --- the end of the file --- */

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
    if (w->fd < 0 && !w->is_lost) {
        index_it(w);
        return;
    }
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    remove_file(w);
    await_sync(w);
}

void writer__cut_back(struct writer *w)
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
        writer__cut_back(w);
    buf_fini(&buf);
}

void writer__end(struct writer *w)
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

void writer__count_lost(struct writer *w)
{
    atomic_fetch_add(&w->link->n_lost_fragments, 1);
    recorder_link_set(w->link, RECORDER_FAILED, loop_wall_us(w->volume->loop));
}

/* --- the sync --- */

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
    writer__cut_back(w);
    if (!w->is_tail_left)
        write_end(w);
    return true;
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
        writer__count_lost(w);
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

/* --- what the volume tells all its writers --- */

void writer__sync_begins(struct volume *v)
{
    for (struct writer *w = v->writers; w != NULL; w = w->next)
        if (w->state == WRITER_WRITE)
            growth_sync_begins(&w->growth, (uint64_t)w->row.bytes);
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

void writer__retry(struct volume *v)
{
    for (struct writer *next, *w = v->writers; w != NULL; w = next) {
        next = w->next;
        if (w->state == WRITER_INDEX && !w->is_waiting)
            index_it(w);
    }
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

static void close_fd(void *ctx)
{
    close((int)(intptr_t)ctx);
}

void writer__disk_gone(struct volume *v)
{
    writer__disk_replaced(v);
    for (struct writer *w = v->writers; w != NULL; w = w->next) {
        if (w->fd < 0)
            continue;
        loop_post(v->sync_loop, close_fd, (void *)(intptr_t)w->fd); /* behind what is sent off */
        w->fd = -1;
    }
}
