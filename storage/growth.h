/* How a file that grows is looked after: blocks for what comes next, so that it lies together on
 * the disk though hundreds grow beside it; dirty pages are sent off early, so that a sync has
 * little left; pages that are on the disk are dropped from memory, unless somebody reads them.
 *
 * All of it helps and nothing of it is needed: where a file system cannot do it, or has no room,
 * the file is written without. Thread: the volume's loop. */
#ifndef STORAGE_GROWTH_H
#define STORAGE_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

struct volume;

#define GROWTH_AHEAD_BYTES (UINT64_C(8) << 20) /* reserved at a time */
/* Dirty pages of one file before they are sent off, per 5 s of the volume's sync interval: who asks
 * for fewer syncs wants longer writes. At most what is reserved at a time. */
#define GROWTH_FLUSH_BYTES  (UINT64_C(1) << 20)
#define GROWTH_KEEP_US      INT64_C(30000000) /* the newest stay in memory */
#define GROWTH_READ_KEEP_US INT64_C(60000000) /* all do, so long after somebody read the file */

struct growth {
    uint64_t reserved_bytes;  /* there are blocks up to here; 0 = none were asked for */
    uint64_t flushed_bytes;   /* writing up to here has begun */
    uint64_t syncing_bytes;   /* what the newest sync found */
    uint64_t synced_bytes;    /* what is durable for sure */
    uint64_t old_bytes;       /* what was durable at old_mono_us */
    uint64_t forgotten_bytes; /* no longer in memory */
    int64_t old_mono_us;
};

/* Before a write that ends at end_bytes, or a little behind it. */
void growth_reserve(struct growth *g, struct volume *v, int fd, uint64_t end_bytes);
/* The file is whole up to size_bytes. Its fd stays open until a sync
 * that begins later has ended. */
void growth_written(struct growth *g, struct volume *v, int fd, uint64_t size_bytes);
/* A sync begins, and has ended well. read_mono_us: when somebody read the file last; 0 = nobody. */
void growth_sync_begins(struct growth *g, uint64_t size_bytes);
void growth_synced(struct growth *g, struct volume *v, int fd, int64_t read_mono_us);
/* Nothing follows: gives back what was reserved too much. */
void growth_end(struct growth *g, struct volume *v, int fd, uint64_t size_bytes);
/* Before the file is closed, when all of it is durable. */
void growth_forget(struct growth *g, struct volume *v, int fd, int64_t read_mono_us);

#endif
