#include "storage/growth.h"

#include <errno.h>

#include "base/mem.h"
#include "storage/volume.h"

enum { PAGE_MASK = 4095, SLACK_BYTES = 64 << 10 }; /* boxes in front of the pictures */

/* All open files together take no more than half of what is free beside the reserve. */
static bool has_room(const struct volume *v)
{
    int64_t room = atomic_load(&v->free_bytes) - volume_reserve_bytes(v);
    int64_t n_files = MAX(atomic_load(&v->n_recording), 1);
    return room / 2 > n_files * (int64_t)GROWTH_AHEAD_BYTES;
}

void growth_reserve(struct growth *g, struct volume *v, int fd, uint64_t end_bytes)
{
    if (end_bytes + SLACK_BYTES <= g->reserved_bytes || v->cannot_reserve ||
        v->io->reserve == NULL || !has_room(v))
        return;
    uint64_t at = g->reserved_bytes;
    /* whole powers of two are what allocators find in one piece */
    uint64_t to = (end_bytes + SLACK_BYTES + GROWTH_AHEAD_BYTES - 1) & ~(GROWTH_AHEAD_BYTES - 1);
    volume__begin(v, &v->writing);
    int rc = v->io->reserve(v->io, fd, at, to - at);
    volume__end(v, &v->writing, OP_CARE, 0, 0);
    if (rc == 0)
        g->reserved_bytes = to;
    else if (rc == -EOPNOTSUPP || rc == -ENOSYS)
        v->cannot_reserve = true;
    /* else the write that follows tells what is wrong */
}

/* On the sync loop: sending off waits while the disk takes no more. */
struct flush {
    struct volume *volume;
    int fd;
    uint64_t at, bytes;
};

static void on_flush(void *ctx)
{
    struct flush *f = ctx;
    struct volume *v = f->volume;
    volume__begin(v, &v->syncing);
    v->io->flush(v->io, f->fd, f->at, f->bytes);
    volume__end(v, &v->syncing, OP_CARE, 0, 0);
    free(f);
}

static uint64_t flush_bytes(const struct volume *v)
{
    uint64_t n = (uint64_t)v->sync_interval_us / (5 * US_PER_S);
    return CLAMP(n * GROWTH_FLUSH_BYTES, GROWTH_FLUSH_BYTES, GROWTH_AHEAD_BYTES);
}

/* The file is open until then: it is closed after a sync that is asked for later, of the same loop.
 */
void growth_written(struct growth *g, struct volume *v, int fd, uint64_t size_bytes)
{
    if (size_bytes < g->flushed_bytes + flush_bytes(v) || v->io->flush == NULL)
        return;
    struct flush *f = xmalloc(sizeof *f);
    *f = (struct flush){v, fd, g->flushed_bytes, size_bytes - g->flushed_bytes};
    loop_post(v->sync_loop, on_flush, f);
    g->flushed_bytes = size_bytes;
}

void growth_sync_begins(struct growth *g, uint64_t size_bytes)
{
    g->syncing_bytes = size_bytes;
}

static bool is_read(const struct volume *v, int64_t read_mono_us)
{
    return read_mono_us != 0 && clock_mono_us(v->clock) - read_mono_us < GROWTH_READ_KEEP_US;
}

/* Whole pages up to there. */
static void forget(struct growth *g, struct volume *v, int fd, uint64_t to)
{
    to &= ~(uint64_t)PAGE_MASK;
    if (to <= g->forgotten_bytes)
        return;
    volume__begin(v, &v->writing);
    v->io->forget(v->io, fd, g->forgotten_bytes, to - g->forgotten_bytes);
    volume__end(v, &v->writing, OP_CARE, 0, 0);
    g->forgotten_bytes = to;
}

void growth_synced(struct growth *g, struct volume *v, int fd, int64_t read_mono_us)
{
    int64_t now_us = clock_mono_us(v->clock);
    g->synced_bytes = MAX(g->synced_bytes, g->syncing_bytes);
    if (now_us - g->old_mono_us < GROWTH_KEEP_US)
        return;
    if (v->io->forget != NULL && !is_read(v, read_mono_us))
        forget(g, v, fd, g->old_bytes);
    g->old_bytes = g->synced_bytes;
    g->old_mono_us = now_us;
}

void growth_end(struct growth *g, struct volume *v, int fd, uint64_t size_bytes)
{
    if (g->reserved_bytes <= size_bytes)
        return;
    volume__begin(v, &v->writing);
    v->io->cut(v->io, fd, size_bytes); /* to the size it has */
    volume__end(v, &v->writing, OP_CARE, 0, 0);
    g->reserved_bytes = 0;
}

void growth_forget(struct growth *g, struct volume *v, int fd, int64_t read_mono_us)
{
    if (v->io->forget == NULL || is_read(v, read_mono_us))
        return;
    volume__begin(v, &v->writing);
    v->io->forget(v->io, fd, g->forgotten_bytes, 0);
    volume__end(v, &v->writing, OP_CARE, 0, 0);
}
