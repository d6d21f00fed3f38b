/* Headers of tar archives (POSIX.1-2017 pax, "ustar interchange format"), regular files only; sizes
 * above 8 GiB as GNU and star write them, in base 256. Thread: pure functions. */
#ifndef SERVER_TAR_H
#define SERVER_TAR_H

#include <stdint.h>

enum { TAR_BLOCK = 512, TAR_NAME_BYTES = 101 };

struct tar_entry {
    char name[TAR_NAME_BYTES];
    uint64_t bytes;  /* of the content that follows, padded with zeros to whole blocks */
    int64_t mtime_s; /* since 1970 UTC */
    unsigned mode;
};

/* The name must fit. Owner and group are left empty: root's, or whose who unpacks. */
void tar_write_header(const struct tar_entry *e, uint8_t block[TAR_BLOCK]);

/* 1 = a file, 0 = a block of zeros: the end; ERR_PARSE for everything else. */
int tar_read_header(const uint8_t block[TAR_BLOCK], struct tar_entry *out);

/* Bytes of padding behind the content. */
static inline uint64_t tar_padding(uint64_t bytes)
{
    return (TAR_BLOCK - bytes % TAR_BLOCK) % TAR_BLOCK;
}

#endif
