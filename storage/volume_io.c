#include "storage/volume_io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "storage/dirs.h"

enum { IOV_PER_CALL = 1000, FILE_MODE = 0640 }; /* below IOV_MAX */

static int sys_create(const struct volume_io *io, int dirfd, const char *path)
{
    (void)io;
    /* retention may remove an empty directory in between */
    for (int tries = 0; tries < 3; tries++) {
        int fd = openat(dirfd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
        if (fd >= 0)
            return fd;
        if (errno != ENOENT)
            return -errno;
        int rc = dirs_make_parents_at(dirfd, path, NULL);
        if (rc < 0)
            return rc;
    }
    return -ENOENT;
}

static int sys_write(const struct volume_io *io, int fd, struct iovec *iov, size_t n, uint64_t at)
{
    (void)io;
    while (n > 0) {
        ssize_t rc = pwritev(fd, iov, (int)MIN(n, IOV_PER_CALL), (off_t)at);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc <= 0)
            return rc < 0 ? -errno : -EIO;
        at += (uint64_t)rc;
        size_t left = (size_t)rc;
        while (n > 0 && left >= iov->iov_len) {
            left -= iov->iov_len;
            iov++;
            n--;
        }
        if (left > 0) {
            iov->iov_base = (char *)iov->iov_base + left;
            iov->iov_len -= left;
        }
    }
    return 0;
}

static int sys_sync(const struct volume_io *io, int dirfd)
{
    (void)io;
    return syncfs(dirfd) < 0 ? -errno : 0;
}

/* A file system that is out of inodes is as full as one that is out of blocks. */
enum { INODES_SCARCE_PERCENT = 10 };

void volume_io_space(const struct statvfs *st, int64_t *total_bytes, int64_t *free_bytes)
{
    *total_bytes = (int64_t)(st->f_blocks * st->f_frsize);
    *free_bytes = (int64_t)(st->f_bavail * st->f_frsize);
    if (st->f_files == 0 || st->f_favail >= st->f_files * INODES_SCARCE_PERCENT / 100)
        return;
    double share = (double)st->f_favail / (double)st->f_files;
    *free_bytes = MIN(*free_bytes, (int64_t)((double)*total_bytes * share));
}

static int sys_space(const struct volume_io *io, int dirfd, int64_t *total_bytes,
                     int64_t *free_bytes)
{
    (void)io;
    struct statvfs st;
    if (fstatvfs(dirfd, &st) < 0)
        return -errno;
    volume_io_space(&st, total_bytes, free_bytes);
    return 0;
}

/* Where memory is the disk, blocks ahead are memory nobody uses. */
static int sys_reserve(const struct volume_io *io, int fd, uint64_t at, uint64_t bytes)
{
    (void)io;
    struct statfs st;
    if (fstatfs(fd, &st) < 0)
        return -errno;
    if (st.f_type == TMPFS_MAGIC || st.f_type == RAMFS_MAGIC)
        return -EOPNOTSUPP;
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)bytes) < 0 ? -errno : 0;
}

static int sys_cut(const struct volume_io *io, int fd, uint64_t size_bytes)
{
    (void)io;
    return ftruncate(fd, (off_t)size_bytes) < 0 ? -errno : 0;
}

static void sys_flush(const struct volume_io *io, int fd, uint64_t at, uint64_t bytes)
{
    (void)io;
    sync_file_range(fd, (off_t)at, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
}

static void sys_forget(const struct volume_io *io, int fd, uint64_t at, uint64_t bytes)
{
    (void)io;
    posix_fadvise(fd, (off_t)at, (off_t)bytes, POSIX_FADV_DONTNEED);
}

const struct volume_io *volume_io_system(void)
{
    static const struct volume_io io = {.create = sys_create,
                                        .write = sys_write,
                                        .sync = sys_sync,
                                        .space = sys_space,
                                        .reserve = sys_reserve,
                                        .cut = sys_cut,
                                        .flush = sys_flush,
                                        .forget = sys_forget};
    return &io;
}
