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
    /* Everything written to the volume so far becomes durable. */
    int (*sync)(const struct volume_io *io, int dirfd);
    int (*space)(const struct volume_io *io, int dirfd, int64_t *total_bytes, int64_t *free_bytes);
};

const struct volume_io *volume_io_system(void);

#endif
