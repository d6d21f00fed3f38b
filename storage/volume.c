#include "storage/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/writer_end.h"

enum { TICK_MS = 1000 };

/* The newest picture of a fragment waited no longer than the first for its end. */
#define FRAGMENT_MAX_US INT64_C(2000000)
/* The picture that tells a fragment's end, and a thread that comes late. */
#define SYNC_SLACK_US INT64_C(300000)

/* --- any thread --- */

bool volume_take(struct volume *v, int64_t bytes)
{
    if (atomic_load(&v->queued_bytes) > v->queue_max_bytes - bytes ||
        atomic_load(&v->budget->queued_bytes) > v->budget->max_bytes - bytes)
        return false;
    atomic_fetch_add(&v->queued_bytes, bytes);
    atomic_fetch_add(&v->budget->queued_bytes, bytes);
    return true;
}

void volume_give_back(struct volume *v, int64_t bytes)
{
    atomic_fetch_sub(&v->queued_bytes, bytes);
    atomic_fetch_sub(&v->budget->queued_bytes, bytes);
}

bool volume_is_ok(const struct volume *v)
{
    return atomic_load(&v->fault) == VOLUME_OK;
}

int64_t volume_reserve_bytes(const struct volume *v)
{
    if (v->config.reserve_percent > 0)
        return (int64_t)((double)atomic_load(&v->total_bytes) * v->config.reserve_percent / 100);
    return v->config.reserve_bytes;
}

static void describe_full(const struct volume *v, char *dst, size_t cap)
{
    int64_t held_bytes = atomic_load(&v->held_bytes);
    if (!atomic_load(&v->is_exhausted))
        snprintf(dst, cap, "volume %s is full: old recordings are being deleted", v->path);
    else if (held_bytes > 0)
        snprintf(dst, cap, "volume %s is full: %lld bytes are held, nothing else may be deleted",
                 v->path, (long long)held_bytes);
    else
        snprintf(dst, cap, "volume %s is full: nothing may be deleted", v->path);
}

void volume_describe(const struct volume *v, char *dst, size_t cap)
{
    switch ((enum volume_fault)atomic_load(&v->fault)) {
    case VOLUME_OK:
        str_copy(dst, cap, "");
        return;
    case VOLUME_MISSING:
        snprintf(dst, cap, "volume %s has lost its marker file: is the disk mounted?", v->path);
        return;
    case VOLUME_SWAPPED:
        snprintf(dst, cap,
                 "volume %s is another disk than the one that was here: mount the right one, or"
                 " give this one a path of its own",
                 v->path);
        return;
    case VOLUME_FOREIGN:
        snprintf(dst, cap, "volume %s holds files but no marker: give an empty directory", v->path);
        return;
    case VOLUME_TAKEN:
        snprintf(dst, cap, "volume %s is used by another server", v->path);
        return;
    case VOLUME_FULL:
        describe_full(v, dst, cap);
        return;
    case VOLUME_FAILED:
        snprintf(dst, cap, "volume %s: %s", v->path, err_name(atomic_load(&v->fault_code)));
        return;
    case VOLUME_STALLED:
        return;
    }
}

/* --- health --- */

void volume__set_fault(struct volume *v, enum volume_fault fault, int code)
{
    char text[256];
    enum volume_fault before = (enum volume_fault)atomic_load(&v->fault);
    atomic_store(&v->fault_code, code);
    atomic_store(&v->fault, (int)fault);
    if (fault == before)
        return;
    v->probed_mono_us = loop_mono_us(v->loop);
    volume_describe(v, text, sizeof text);
    if (fault == VOLUME_OK)
        log_info(v->path, "volume is usable");
    else
        log_error(v->path, "%s", text);
}

/* Half of the reserve is for what arrives while retention works; below that, or with nothing left
 * to delete, recording stops so that the disk never fills up to the last byte. */
static bool has_space(const struct volume *v)
{
    int64_t reserve = volume_reserve_bytes(v);
    int64_t free_bytes = atomic_load(&v->free_bytes);
    return atomic_load(&v->is_exhausted) ? free_bytes >= reserve : free_bytes >= reserve / 2;
}

static void look_at_space(struct volume *v)
{
    int64_t total, free_bytes;
    volume__begin(v, &v->writing);
    int rc = v->io->space(v->io, v->dirfd, &total, &free_bytes);
    volume__end(v, &v->writing, OP_SPACE, rc, 0);
    if (rc < 0) {
        volume__set_fault(v, VOLUME_FAILED, rc);
        return;
    }
    atomic_store(&v->total_bytes, total);
    atomic_store(&v->free_bytes, free_bytes);
    enum volume_fault fault = (enum volume_fault)atomic_load(&v->fault);
    if (fault == VOLUME_OK && !has_space(v))
        volume__set_fault(v, VOLUME_FULL, -ENOSPC);
    else if (fault == VOLUME_FULL && has_space(v))
        volume__set_fault(v, VOLUME_OK, 0);
}

static int write_probe(const struct volume *v, int dirfd)
{
    static const char name[] = ".rookery-probe";
    char text[] = "probe\n";
    struct iovec iov = {.iov_base = text, .iov_len = sizeof text - 1};
    unlinkat(dirfd, name, 0);
    int fd = v->io->create(v->io, dirfd, name);
    if (fd < 0)
        return fd;
    int rc = v->io->write(v->io, fd, &iov, 1, 0);
    if (rc == 0 && fdatasync(fd) < 0)
        rc = -errno;
    close(fd);
    unlinkat(dirfd, name, 0);
    return rc;
}

int volume__try_file(struct volume *v, int dirfd)
{
    volume__begin(v, &v->writing);
    int rc = write_probe(v, dirfd);
    volume__end(v, &v->writing, OP_CREATE, rc, 0);
    return rc;
}

static void probe(struct volume *v)
{
    v->probed_mono_us = loop_mono_us(v->loop);
    if (v->dirfd < 0) {
        volume__mount(v);
        return;
    }
    if (atomic_load(&v->is_let_go)) {
        volume__remount(v);
        return;
    }
    int rc = volume__try_file(v, v->dirfd);
    if (rc == 0) {
        volume__set_fault(v, VOLUME_OK, 0);
        return;
    }
    atomic_store(&v->fault_code, rc);
    volume__remount(v);
}

/* --- sync: one call makes everything on the volume durable, whatever the number of files --- */

static void sync_done(void *ctx)
{
    struct volume *v = ctx;
    v->is_syncing = false;
    v->sync_took_us = loop_mono_us(v->loop) - v->sync_started_mono_us;
    if (v->sync_rc < 0 && !atomic_load(&v->is_let_go))
        volume__set_fault(v, VOLUME_FAILED, v->sync_rc);
    writer__synced(v, v->sync_epoch, v->sync_rc);
    if (v->is_sync_wanted)
        volume__want_sync(v, true);
}

static void sync_work(void *ctx)
{
    struct volume *v = ctx;
    v->sync_rc = -ENODEV;
    if (!atomic_load(&v->is_let_go)) {
        volume__begin(v, &v->syncing);
        v->sync_rc = v->io->sync(v->io, v->dirfd);
        volume__end(v, &v->syncing, OP_SYNC, v->sync_rc, 0);
    }
    loop_post(v->loop, sync_done, v);
}

/* The system tells of what it could not write once per open directory. Whoever else syncs must not
 * take that from the volume's own sync, which has files read again then. */
int volume__sync_apart(const struct volume *v)
{
    int fd = openat(v->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = v->io->sync(v->io, fd);
    close(fd);
    return rc;
}

void volume__want_sync(struct volume *v, bool is_urgent)
{
    v->is_dirty = true;
    if (!is_urgent)
        return;
    v->is_sync_wanted = true;
    if (v->is_syncing)
        return;
    v->is_sync_wanted = false;
    v->is_dirty = false;
    v->is_syncing = true;
    v->sync_epoch++;
    v->sync_started_mono_us = loop_mono_us(v->loop);
    writer__sync_begins(v);
    loop_post(v->sync_loop, sync_work, v);
}

/* A broken disk, and one on trial that nobody writes to: what it does is seen only if it is asked
 * to do something. One that does not answer is left alone, for this thread would wait with it. */
static bool is_probe_due(const struct volume *v, int64_t now_us)
{
    enum volume_fault fault = (enum volume_fault)atomic_load(&v->fault);
    bool is_broken = fault != VOLUME_OK && fault != VOLUME_FULL;
    bool is_idle = !v->is_dirty && !v->is_syncing;
    bool is_on_trial = is_idle && volume_grade(v, clock_mono_us(v->clock)) == VOLUME_ON_TRIAL;
    return (is_broken || is_on_trial) && now_us - v->probed_mono_us >= v->sync_interval_us;
}

/* What it covers must not be older than promised when it ends, so a slow disk is asked earlier. */
static int64_t sync_due_us(const struct volume *v)
{
    return v->sync_started_mono_us + v->sync_period_us -
           MIN(v->sync_took_us, v->sync_period_us / 2);
}

static void on_tick(void *ctx)
{
    struct volume *v = ctx;
    int64_t now_us = loop_mono_us(v->loop);
    if (v->dirfd >= 0 && !atomic_load(&v->is_let_go))
        look_at_space(v);
    if (is_probe_due(v, now_us))
        probe(v);
    int64_t due_us = sync_due_us(v) - now_us;
    if (v->is_dirty && !v->is_syncing && due_us <= 0) {
        volume__want_sync(v, true);
        due_us = v->sync_period_us;
    }
    writer__retry(v);
    timer_arm_us(&v->tick, v->is_dirty && !v->is_syncing ? MIN(TICK_MS * 1000, due_us)
                                                         : MIN(TICK_MS * 1000, v->sync_period_us));
}

/* --- life --- */

struct volume *volume_create(const struct volume_params *params)
{
    struct volume *v = xcalloc(1, sizeof *v);
    str_copy(v->path, sizeof v->path, params->config.path);
    v->config = params->config;
    v->config.path = v->path;
    v->catalogue = params->catalogue;
    v->io = params->io;
    v->chain = params->chain;
    v->sync_interval_us = params->sync_interval_us;
    v->sync_period_us = MAX(params->sync_interval_us - FRAGMENT_MAX_US - SYNC_SLACK_US,
                            params->sync_interval_us / 4);
    v->index = params->index;
    v->clock = params->clock;
    v->siblings = params->siblings;
    v->budget = params->budget;
    v->queue_max_bytes = params->queue_max_bytes;
    v->is_reader = params->is_reader;
    v->dirfd = v->marker_fd = -1;
    v->loop = loop_create(&(struct loop_params){.name = "volume"});
    v->sync_loop = loop_create(&(struct loop_params){.name = "sync"});
    v->sync_started_mono_us = loop_mono_us(v->loop);
    timer_init(&v->tick, v->loop, on_tick, v);
    volume__mount(v);
    if (v->dirfd >= 0)
        look_at_space(v);
    return v;
}

static void start_tick(void *ctx)
{
    struct volume *v = ctx;
    on_tick(v);
}

void volume_start(struct volume *v)
{
    loop_post(v->loop, start_tick, v);
    loop_start(v->sync_loop);
    loop_start(v->loop);
}

void volume_stop(struct volume *v)
{
    loop_stop(v->loop);
    loop_join(v->loop);
    timer_disarm(&v->tick);
    loop_stop(v->sync_loop);
    loop_join(v->sync_loop);
    loop_destroy(&v->sync_loop);
    loop_destroy(&v->loop);
}

void volume_destroy(struct volume **vp)
{
    struct volume *v = *vp;
    if (v == NULL)
        return;
    loop_destroy(&v->sync_loop);
    loop_destroy(&v->loop);
    if (v->dirfd >= 0)
        close(v->dirfd);
    if (v->marker_fd >= 0)
        close(v->marker_fd);
    FREE(vp);
}
