/* What a volume asks of its disk, so that tests can fill, break and slow it.
 * Thread: the volume's threads; implementations block. */
#ifndef STORAGE_VOLUME_IO_H
#define STORAGE_VOLUME_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct volume_io {
    /* A new file below dirfd, with the directories above it; the descriptor or -errno. */
    int (*create)(const struct volume_io *io, int dirfd, const char *path);
    /* All of it, or -errno; what was written then is undefined. Consumes iov. */
    int (*write)(const struct volume_io *io, int fd, struct iovec *iov, size_t n, uint64_t at);
    /* The file ends there, and blocks that were reserved behind it are free again; 0 or -errno. */
    int (*cut)(const struct volume_io *io, int fd, uint64_t size_bytes);
    /* Everything written to the volume so far becomes durable. */
    int (*sync)(const struct volume_io *io, int dirfd);
    int (*space)(const struct volume_io *io, int dirfd, int64_t *total_bytes, int64_t *free_bytes);

    /* What helps and may fail; each may be NULL. */
    /* Blocks for a range, without changing the size of the file. -EOPNOTSUPP: never here. */
    int (*reserve)(const struct volume_io *io, int fd, uint64_t at, uint64_t bytes);
    /* Begins to write what is dirty in a range; waits only while the disk takes no more. */
    void (*flush)(const struct volume_io *io, int fd, uint64_t at, uint64_t bytes);
    /* What is clean in a range need not stay in memory; 0 bytes = to the end. */
    void (*forget)(const struct volume_io *io, int fd, uint64_t at, uint64_t bytes);
};

const struct volume_io *volume_io_system(void);

struct statvfs;
/* Where inodes are scarce, no more is free than their share of the whole. */
void volume_io_space(const struct statvfs *st, int64_t *total_bytes, int64_t *free_bytes);

#endif
