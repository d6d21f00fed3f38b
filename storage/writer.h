/* Writes one segment file: fragments in order, then the end; every step on the volume's loop, fed
 * by messages from the recorder. Procedures and durability points: docs/design/0002.
 *
 *              registered            close                  synced             row durable
 *  REGISTER ───────────────► WRITE ─────────► SYNC ─────────────────► INDEX ──────────────► settled
 *     │ cannot create          │ write fails    ▲ nothing in it: unlink ──►│
 *     └───────────────────────┴──────────────►─┘
 *
 * REGISTER  the row of the unsettled file is on its way; there is no file; fragments wait
 * WRITE     the file ends with a whole fragment after each message
 * SYNC      the end is written (or the file cut back); waiting for the volume's next sync
 * INDEX     the file is durable and closed; the row of the segment is on its way
 *
 * Lifetime: refcounted: the recorder until it closes, the volume until settled, searches while they
 * read. */
#ifndef STORAGE_WRITER_H
#define STORAGE_WRITER_H

#include <stdatomic.h>

#include "base/mem.h"
#include "media/fmp4.h"
#include "storage/db_segments.h"
#include "storage/growth.h"

struct volume;
struct recorder_link;
struct disk_fragment;

enum writer_state { WRITER_REGISTER, WRITER_WRITE, WRITER_SYNC, WRITER_INDEX };

struct writer {
    struct refcount refs;

    /* set at create, then const */
    struct volume *volume;
    struct recorder_link *link; /* a reference */
    struct segment_id id;
    char path[SEGMENT_PATH_BYTES];

    /* volume loop only; row belongs to the catalogue's thread while is_waiting */
    struct writer *next; /* in volume->writers */
    enum writer_state state;
    struct segment_row row;
    bool is_registered;
    bool is_waiting; /* for the catalogue */
    bool is_refused; /* by it, which is logged */
    bool is_failed_here;
    bool is_tail_left;   /* the disk refused to cut off what is behind the last whole fragment */
    bool is_end_missing; /* and so it did the end */
    bool is_end_retried;
    bool is_doubtful;            /* a sync failed while it was open */
    bool is_lost;                /* its disk was pulled and put back: fd leads nowhere */
    struct segment_row verified; /* the sync loop's until it has posted on_verified */
    int verified_rc;
    int n_refusals; /* by the disk or the catalogue, since the recorder was stopped */
    struct disk_fragment *first_waiting, **last_waiting;
    bool is_close_asked;
    int64_t close_to_us;
    enum segment_edge close_ended;
    int fd;
    struct fmp4_seek_entry *seeks;
    size_t n_seeks, cap_seeks;
    struct growth growth;
    uint64_t sync_epoch;      /* of the sync to wait for; 0 = not started yet */
    struct writer *before;    /* the recorder's last one, a reference until the file is begun */
    struct chain_value value; /* of what the file holds */

    /* any thread, atomic: how far the file may be read */
    _Atomic uint64_t readable_bytes;
    _Atomic int64_t readable_us; /* wall clock; 0 = nothing yet */
    _Atomic int64_t readable_frames, readable_lost;
    struct segment_hole readable_holes[SEGMENT_HOLES_MAX]; /* the first n are never changed */
    _Atomic size_t n_readable_holes;
    _Atomic int64_t read_mono_us; /* when a search found it last; 0 = never */
    atomic_bool is_failed;        /* the recorder must open another */

    /* registry only */
    struct writer *next_open;
};

/* [hub's loop] A new segment of a recorder; the caller has one reference. *before: the recorder's
 * last one, whose hash chain goes on (NULL = the newest in the catalogue); takes that reference. */
struct writer *writer_create(struct volume *volume, struct recorder_link *link,
                             const struct segment_id *id, enum segment_edge began,
                             struct writer **before);
struct writer *writer_ref(struct writer *w); /* [any] */
void writer_unref(struct writer **w);        /* [any] */

/* [hub's loop] Takes the fragment; false when too much waits for the disk: it stays the caller's.
 */
bool writer_send(struct writer *w, struct disk_fragment *f);

/* [hub's loop] No more fragments; the caller keeps its reference. to_us: where the segment ends, in
 * wall clock (the first picture of the next one when nothing is missing between). */
void writer_close(struct writer *w, int64_t to_us, enum segment_edge ended);

#endif
