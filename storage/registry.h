/* Who records what right now: recorders with their status, and the segments being written, for
 * searches. One small thread that never touches a disk.
 *
 * Thread: any, unless marked. registry_find blocks for a moment: pool threads only. */
#ifndef STORAGE_REGISTRY_H
#define STORAGE_REGISTRY_H

#include <stdatomic.h>

#include "base/loop.h"
#include "base/mem.h"
#include "storage/storage.h"
#include "storage/writer.h"

/* Of one recorder on one volume; one fragment passes in any case. The volume has a bound of its
 * own.
 */
#define RECORDER_QUEUE_MAX_BYTES (16 << 20)

struct registry;

enum recorder_trouble {
    RECORDER_WAITING, /* no picture was written yet, or the source is down */
    RECORDER_FINE,
    RECORDER_NO_DISK, /* no volume is usable */
    RECORDER_FAILED,  /* the newest fragment could not be written */
    RECORDER_SLOW,    /* too much waits for the disk */
};

/* What a recorder, its segments and its owner share. */
struct recorder_link {
    struct refcount refs;

    /* set at create, then const */
    struct registry *registry;
    char camera_id[65];
    enum stream_kind stream;
    struct loop *status_loop;
    void (*status)(void *ctx, const struct recorder_status *st);
    void (*gone)(void *ctx);
    void *ctx;

    /* any thread, atomic */
    atomic_int trouble;                                /* enum recorder_trouble */
    _Atomic(struct volume *) volume;                   /* of the newest segment; NULL = none yet */
    _Atomic int32_t queued_bytes[STORAGE_MAX_VOLUMES]; /* pictures on their way to each disk */
    _Atomic int64_t recorded_us;
    _Atomic int64_t since_us;
    _Atomic uint64_t n_lost_fragments;
    atomic_bool is_poked;
    atomic_bool is_stopped; /* nothing comes any more */

    /* registry's loop only */
    struct recorder_link *next, **prev_next;
    int n_open; /* segments not settled */
    bool is_stopping;
    int reported_trouble;
    int64_t reported_us;
    uint64_t reported_lost;

    /* status loop only */
    bool is_gone;
};
struct recorder_link *recorder_link_ref(struct recorder_link *l);
void recorder_link_unref(struct recorder_link **l);

/* Sets the trouble and tells the owner soon when it changed. now_us: wall clock. */
void recorder_link_set(struct recorder_link *l, enum recorder_trouble trouble, int64_t now_us);

/* each_second (may be NULL) is called on the registry's loop, which waits for nothing. */
struct registry *registry_create(loop_fn *each_second, void *ctx);
void registry_destroy(struct registry **r); /* every recorder must be gone */

void registry_add(struct registry *r, struct recorder_link *l); /* keeps a reference */
void registry_stopped(struct registry *r, struct recorder_link *l);
void registry_opened(struct registry *r, struct writer *w); /* keeps a reference */
void registry_settled(struct registry *r, struct writer *w);

/* Segments of a stream that are not settled, oldest first; free the list and unref each. Without a
 * camera: of every stream, in any order. */
size_t registry_find(struct registry *r, const char *camera_id, enum stream_kind stream,
                     struct writer ***out);

#endif
