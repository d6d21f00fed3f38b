/* A volume: a directory on a disk, its writer thread, its sync thread and its health.
 *
 * Health has two parts. A fault is what the volume's own thread knows and says. That a disk does
 * not answer it cannot say, because it waits itself: whoever asks looks at how long the operation
 * under way has taken (volume_grade). After a stall or an error a volume is on trial: it is used
 * only where no sound one is, until it has worked promptly for VOLUME_TRIAL_US.
 *
 * Thread: each function says. Between volume_start and volume_stop everything not marked otherwise
 * belongs to the volume's loop.
 * Bound: so many bytes of pictures wait for one disk, and for all of them; see volume_take. */
#ifndef STORAGE_VOLUME_H
#define STORAGE_VOLUME_H

#include <stdatomic.h>

#include "base/loop.h"
#include "storage/catalogue.h"
#include "storage/latency.h"
#include "storage/storage.h"
#include "storage/volume_io.h"

#define VOLUME_QUEUE_MAX_BYTES (INT64_C(1) << 30) /* less where memory is small */
#define VOLUME_UUID_CHARS      33                 /* with the NUL */

#define VOLUME_STALL_US  INT64_C(2000000) /* an operation that takes longer: the disk stalls */
#define VOLUME_PROMPT_US INT64_C(1000000) /* on trial, this is too long too */
#define VOLUME_TRIAL_US  INT64_C(30000000)

enum volume_fault {
    VOLUME_OK,
    VOLUME_MISSING, /* it was here, now there is no marker: the disk is not mounted */
    VOLUME_SWAPPED, /* another disk is where this one was */
    VOLUME_FOREIGN, /* files of somebody else are in it */
    VOLUME_TAKEN,   /* another server writes in it */
    VOLUME_FULL,    /* nothing left to delete */
    VOLUME_FAILED,  /* the system said no; fault_code tells what */
    VOLUME_STALLED, /* never stored: see volume_state */
};

/* How much a volume is to be preferred now; less is better. */
enum volume_grade {
    VOLUME_SOUND,
    VOLUME_ON_TRIAL, /* answers, but did not a moment ago */
    VOLUME_SILENT,   /* an operation has not come back */
    VOLUME_UNUSABLE, /* has a fault, or too much waits for it */
};

enum volume_op { OP_CREATE, OP_WRITE, OP_SYNC, OP_SPACE, OP_CARE, VOLUME_OPS };

/* What one thread does on the disk. */
struct volume_lane {
    _Atomic int64_t busy_mono_us; /* when the operation under way began; 0 = none is */
    struct latency latency;       /* of writes, or of syncs */
};

struct writer;

/* What the volumes of one storage share: pictures that wait take no more memory than this in all.
 */
struct volume_budget {
    int64_t max_bytes;
    _Atomic int64_t queued_bytes;
};

struct volume {
    /* set at create, then const */
    char path[512];
    size_t index; /* among the volumes of its storage */
    const struct clock *clock;
    struct volume *const *siblings; /* STORAGE_MAX_VOLUMES; NULL behind the last */
    struct volume_budget *budget;
    int64_t queue_max_bytes;
    struct catalogue *catalogue;
    const struct volume_io *io;
    const struct chain_key *chain;
    struct volume_config config;
    int64_t sync_interval_us; /* what was received longer ago is durable */
    int64_t sync_period_us;   /* from one sync to the next; shorter, for fragments wait too */
    bool is_reader;           /* never written to by this process */
    struct loop *loop;        /* writes */
    struct loop *sync_loop;   /* waits for the disk, so that writing need not */

    /* volume loop only (main thread before volume_start) */
    int dirfd; /* -1 while not mounted; then the number stays: readers use it */
    int marker_fd;
    char uuid[VOLUME_UUID_CHARS];
    struct timer tick;
    struct writer *writers; /* not settled yet */
    bool cannot_reserve;    /* blocks ahead: not on this file system */
    bool is_dirty;
    bool is_syncing;
    bool is_sync_wanted; /* somebody waits for his file */
    uint64_t sync_epoch; /* of the newest sync started */
    int64_t sync_started_mono_us, sync_took_us;
    int64_t probed_mono_us;
    atomic_bool is_let_go; /* dirfd leads nowhere; the sync loop reads it, too */

    /* sync loop writes, volume loop reads after the answer was posted */
    int sync_rc;

    /* any thread, atomic */
    atomic_int fault;      /* enum volume_fault */
    atomic_int fault_code; /* -errno */
    _Atomic int64_t key;   /* in the catalogue; 0 = not mounted yet */
    _Atomic int64_t queued_bytes;
    _Atomic int64_t total_bytes, free_bytes;
    atomic_bool is_exhausted;      /* retention found nothing to delete */
    _Atomic int64_t held_bytes;    /* then: what holds keep on it */
    struct volume_lane writing;    /* the volume loop's */
    struct volume_lane syncing;    /* the sync loop's */
    _Atomic int64_t prompt_us;     /* mono: from then on it no longer counts as stalled */
    _Atomic int64_t sound_us;      /* mono: from then on it has had no error for long enough */
    _Atomic uint64_t n_errors;     /* since start */
    atomic_int last_error;         /* -errno; 0 = none yet */
    atomic_int last_error_op;      /* enum volume_op */
    _Atomic int64_t last_error_us; /* wall clock */
    atomic_int n_recording;        /* segments that recorders have open here */

    /* registry's loop only */
    int reported_fault; /* what storage__watch told last */
};

struct volume_params {
    size_t index;
    const struct clock *clock;
    struct volume *const *siblings;
    struct volume_budget *budget;
    int64_t queue_max_bytes;
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
/* [main] Ends its loops: it says nothing to anybody any more, but may still be looked at. No writer
 * may be left but those that could not be indexed. */
void volume_stop(struct volume *v);
void volume_destroy(struct volume **v);

/* [any] Room for so many bytes of pictures in the queue; false when the disk is too far behind.
 * Given back by the volume's loop through volume_give_back. */
bool volume_take(struct volume *v, int64_t bytes);
void volume_give_back(struct volume *v, int64_t bytes);

/* [any] */
bool volume_is_ok(const struct volume *v); /* has no fault */
int64_t volume_reserve_bytes(const struct volume *v);
void volume_describe(const struct volume *v, char *dst, size_t cap); /* its fault in a sentence */

/* [any] */
enum volume_grade volume_grade(const struct volume *v, int64_t now_mono_us);
/* Its fault, or VOLUME_STALLED when it has none and does not answer, or did not a moment ago. */
enum volume_fault volume_state(const struct volume *v, int64_t now_mono_us);
const char *volume_fault_name(enum volume_fault fault); /* "ok", "full" … */
void volume_fill_status(const struct volume *v, int64_t now_mono_us, struct volume_status *out);

/* [any] The best of the list for the next segment of a camera; NULL when none is usable. Among
 * equally good ones every camera ranks them by itself, in proportion to what they hold and have
 * free: when one fails only its cameras move, and spread over all the others. */
struct volume *volume_pick(struct volume *const *list, size_t n, const char *camera_id,
                           int64_t now_mono_us);

/* [the lane's thread] Around everything that may wait for the disk; rc < 0 is counted as an error.
 * Costs two readings of the clock. */
void volume__begin(struct volume *v, struct volume_lane *lane);
void volume__end(struct volume *v, struct volume_lane *lane, enum volume_op op, int rc,
                 int64_t bytes);

/* volume_io's create and write, watched. */
int volume__create_file(struct volume *v, const char *path);
int volume__write(struct volume *v, int fd, struct iovec *iov, size_t n, uint64_t at);

/* [keeper, blocks] Makes what is on the volume durable, for others than its own sync. */
int volume__sync_apart(const struct volume *v);

/* Opens the directory, checks or makes the marker, learns its key. Sets the fault. */
void volume__mount(struct volume *v);
/* Of one that does not work. A disk that was pulled and put back, or unmounted, repaired and
 * mounted, is another file system: takes it over when its marker is ours and it works. One that
 * cannot even be read is let go: nothing of it stays open, so that it can be unmounted. */
void volume__remount(struct volume *v);
/* Writes a small file below dirfd and removes it: does the disk work? */
int volume__try_file(struct volume *v, int dirfd);
void volume__set_fault(struct volume *v, enum volume_fault fault, int code);
/* Makes what was written so far durable soon; at once when is_urgent. */
void volume__want_sync(struct volume *v, bool is_urgent);

#endif
