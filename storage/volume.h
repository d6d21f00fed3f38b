/* A volume: a directory on a disk, its writer thread, its sync thread and its health.
 *
 * Thread: each function says. Between volume_start and volume_stop everything not marked otherwise
 * belongs to the volume's loop.
 * Bound: VOLUME_QUEUE_MAX_BYTES of pictures wait for one disk; see volume_take. */
#ifndef STORAGE_VOLUME_H
#define STORAGE_VOLUME_H

#include <stdatomic.h>

#include "base/loop.h"
#include "storage/catalogue.h"
#include "storage/storage.h"
#include "storage/volume_io.h"

#define VOLUME_QUEUE_MAX_BYTES (256 << 20)
#define VOLUME_UUID_CHARS      33 /* with the NUL */

enum volume_fault {
    VOLUME_OK,
    VOLUME_MISSING, /* it was here, now there is no marker: the disk is not mounted */
    VOLUME_FOREIGN, /* files of somebody else are in it */
    VOLUME_TAKEN,   /* another server writes in it */
    VOLUME_FULL,    /* nothing left to delete */
    VOLUME_FAILED,  /* the system said no; fault_code tells what */
};

struct writer;

struct volume {
    /* set at create, then const */
    char path[512];
    struct catalogue *catalogue;
    const struct volume_io *io;
    const struct chain_key *chain;
    struct volume_config config;
    int64_t sync_interval_us;
    bool is_reader;         /* never written to by this process */
    struct loop *loop;      /* writes */
    struct loop *sync_loop; /* waits for the disk, so that writing need not */

    /* volume loop only (main thread before volume_start) */
    int dirfd; /* -1 while not mounted; then the number stays: readers use it */
    int marker_fd;
    char uuid[VOLUME_UUID_CHARS];
    struct timer tick;
    struct writer *writers; /* not settled yet */
    bool is_dirty;
    bool is_syncing;
    bool is_sync_wanted; /* somebody waits for his file */
    uint64_t sync_epoch; /* of the newest sync started */
    int64_t sync_started_mono_us;
    int64_t probed_mono_us;

    /* sync loop writes, volume loop reads after the answer was posted */
    int sync_rc;

    /* any thread, atomic */
    atomic_int fault;      /* enum volume_fault */
    atomic_int fault_code; /* -errno */
    _Atomic int64_t key;   /* in the catalogue; 0 = not mounted yet */
    _Atomic int64_t queued_bytes;
    _Atomic int64_t total_bytes, free_bytes;
    atomic_bool is_exhausted;   /* retention found nothing to delete */
    _Atomic int64_t held_bytes; /* then: what holds keep on it */
};

struct volume_params {
    struct volume_config config;
    struct catalogue *catalogue;
    const struct volume_io *io;
    const struct chain_key *chain;
    int64_t sync_interval_us;
    bool is_reader;
};

/* [main] Tries to mount; a volume that cannot be mounted is there with its fault. */
struct volume *volume_create(const struct volume_params *params);
void volume_start(struct volume *v);
/* [main] No writer may be left but those that could not be indexed. */
void volume_stop(struct volume *v);
void volume_destroy(struct volume **v);

/* [any] Room for so many bytes of pictures in the queue; false when the disk is too far behind.
 * Given back by the volume's loop through volume_give_back. */
bool volume_take(struct volume *v, int64_t bytes);
void volume_give_back(struct volume *v, int64_t bytes);

/* [any] */
bool volume_is_ok(const struct volume *v);
int64_t volume_reserve_bytes(const struct volume *v);
void volume_describe(const struct volume *v, char *dst, size_t cap); /* its fault in a sentence */

/* Opens the directory, checks or makes the marker, learns its key. Sets the fault. */
void volume__mount(struct volume *v);
/* A disk that was pulled and put back is another file system: takes it over when its marker is
 * ours. */
void volume__remount(struct volume *v);
void volume__set_fault(struct volume *v, enum volume_fault fault, int code);
/* Makes what was written so far durable soon; at once when is_urgent. */
void volume__want_sync(struct volume *v, bool is_urgent);

/* writer.c: the volume's newest sync, of this epoch, has ended. */
void writer__synced(struct volume *v, uint64_t epoch, int rc);
void writer__retry(struct volume *v);

#endif
