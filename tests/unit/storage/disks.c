#include "disks.h"

#include <time.h>
#include <unistd.h>

static struct {
    struct volume_io io;
    struct disk list[3]; /* of each volume */
} disks;

static struct disk *disk_of(int fd)
{
    char link[64], path[512] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0)
        return &disks.list[0];
    for (size_t i = 0; i < ARRAY_LEN(disks.list); i++) {
        const char *p = disks.list[i].path;
        size_t n = p != NULL ? strlen(p) : 0;
        if (p != NULL && strncmp(path, p, n) == 0 && (path[n] == '/' || path[n] == '\0'))
            return &disks.list[i];
    }
    return &disks.list[0];
}

static void wait_while(struct disk *d, atomic_bool *is_stuck)
{
    atomic_fetch_add(&d->n_waiting, 1);
    while (atomic_load(is_stuck)) {
        struct timespec ms = {.tv_nsec = 1000000};
        nanosleep(&ms, NULL);
    }
    atomic_fetch_sub(&d->n_waiting, 1);
}

/* What cannot be synced does not pass for a disk that works again. */
static int disk_create(const struct volume_io *io, int dirfd, const char *path)
{
    struct disk *d = disk_of(dirfd);
    int error = atomic_load(&d->write_error);
    if (error == 0)
        error = atomic_load(&d->sync_error);
    return error < 0 ? error : volume_io_system()->create(io, dirfd, path);
}

static int disk_write(const struct volume_io *io, int fd, struct iovec *iov, size_t n, uint64_t at)
{
    struct disk *d = disk_of(fd);
    wait_while(d, &d->is_stuck);
    int error = atomic_load(&d->write_error);
    return error < 0 ? error : volume_io_system()->write(io, fd, iov, n, at);
}

static int disk_sync(const struct volume_io *io, int dirfd)
{
    struct disk *d = disk_of(dirfd);
    (void)io;
    wait_while(d, &d->is_sync_stuck);
    return atomic_load(&d->sync_error);
}

static int disk_space(const struct volume_io *io, int dirfd, int64_t *total, int64_t *free_bytes)
{
    struct disk *d = disk_of(dirfd);
    (void)io;
    atomic_fetch_add(&d->n_looks, 1);
    *total = INT64_C(1) << 40;
    *free_bytes = atomic_load(&d->is_full) ? 0 : INT64_C(1) << 39;
    return 0;
}

int disks_setup(void **state)
{
    if (rig_setup(state) < 0)
        return -1;
    struct rig *rig = *state;
    rig->volumes[1].path = xasprintf("%s/rec2", rig->dir);
    rig->volumes[2].path = xasprintf("%s/rec3", rig->dir);
    rig->volumes[0].reserve_bytes = rig->volumes[1].reserve_bytes = 1 << 30;
    rig->params.n_volumes = 2;
    rig->params.sync_interval_us = 2000;
    memset(&disks, 0, sizeof disks);
    disks.io = (struct volume_io){
        .create = disk_create, .write = disk_write, .sync = disk_sync, .space = disk_space};
    disks.io.cut = volume_io_system()->cut;
    for (size_t i = 0; i < ARRAY_LEN(disks.list); i++)
        disks.list[i].path = rig->volumes[i].path;
    rig->params.io = &disks.io;
    return 0;
}

struct disk *disk_at(const struct volume *v)
{
    return &disks.list[v->index];
}

void turn(struct rig *rig)
{
    struct timespec ms = {.tv_nsec = 500000};
    nanosleep(&ms, NULL);
    loop_turn(rig->loop, false);
}

void advance(struct rig *rig, int64_t us)
{
    for (int64_t left_us = us; left_us > 0; left_us -= DISKS_STEP_US) {
        clock_virtual_advance(&rig->clock, MIN(left_us, DISKS_STEP_US));
        for (size_t i = 0; i < rig->params.n_volumes; i++) {
            struct disk *d = &disks.list[i];
            int before = atomic_load(&d->n_looks);
            while (atomic_load(&d->n_looks) == before && atomic_load(&d->n_waiting) == 0)
                turn(rig);
        }
    }
}

static struct disk *waiting_disk;
static bool is_waiting(struct rig *rig)
{
    (void)rig;
    return atomic_load(&waiting_disk->n_waiting) > 0;
}

void wait_stuck(struct rig *rig, struct disk *d)
{
    waiting_disk = d;
    rig_wait(rig, is_waiting);
}
