/* Recordings: volumes, recorders, the index, the reader.
 *
 * See docs/design/0002-recording-lifecycle.md for invariants and procedures.
 * Thread: storage_open/close from the main thread; the rest as marked. */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include "base/err.h"
#include "base/loop.h"
#include "media/hub.h"
#include "media/source.h"
#include "storage/catalogue.h"
#include "storage/latency.h"
#include "storage/uptime.h"

struct storage;
struct segment_totals;
struct stock;
struct volume_io;
struct volume_status;

#define STORAGE_MAX_VOLUMES 64

struct volume_config {
    const char *path;
    int64_t reserve_bytes; /* keep so much free; used when reserve_percent is 0 */
    double reserve_percent;
};

/* What is left of recordings that are thinned. */
enum thin_keep {
    THIN_KEYFRAMES, /* of every segment its key frames */
    THIN_MOTION,    /* segments near motion, all where it is not known that there was none */
};

struct storage_params {
    struct catalogue *catalogue;
    const struct clock *clock;
    const struct volume_config *volumes;
    size_t n_volumes;
    int retention_days;  /* 0 = 90 */
    int thin_after_days; /* 0 = never */
    enum thin_keep thin_keep;
    int64_t segment_us;        /* 0 = 10 minutes */
    int64_t segment_max_bytes; /* 0 = 512 MiB */
    int64_t sync_interval_us;  /* what was received longer ago is durable; 0 = 5 s */
    const uint8_t *secret;     /* CHAIN_KEY_BYTES, of the hash chain; copied; NULL = zeros */
    bool is_staggered; /* segments of different cameras end at different times: see recorder.c */
    bool is_reader;    /* for the command line beside a server: nothing is written or repaired */
    bool is_offline; /* for the command line without one: recovery is waited for, nothing expires */
    const struct volume_io *io; /* NULL = the system's; tests fill and break disks with it */
    /* On status_loop, when the state of a volume changes; may be NULL. */
    struct loop *status_loop;
    void (*volume_changed)(void *ctx, const struct volume_status *st);
    void *ctx;
};

/* Opens the volumes (creating marker files in empty ones), recovers segments a crash left open,
 * starts one writer thread per volume. */
int storage_open(const struct storage_params *params, struct storage **out, struct err *err);
void storage_close(struct storage **s); /* every recorder must be gone */

/* --- recording --- */

struct recorder_status {
    char camera_id[65];
    char stream[8];
    bool is_recording;   /* the newest fragment reached the disk and nothing failed since */
    int64_t recorded_us; /* wall clock up to which pictures are on disk and playable; 0 = none */
    int64_t since_us;
    uint64_t n_lost_fragments; /* could not be written */
    char detail[160];          /* why not, when !is_recording; empty = nothing to say */
};

struct recorder_params {
    struct hub *hub; /* a reference is taken; must be called on hub_loop(hub) */
    struct loop *status_loop;
    /* On status_loop: when is_recording changes and at most once per second while recording. */
    void (*status)(void *ctx, const struct recorder_status *st);
    /* On status_loop, exactly once, after recorder_stop and when the last segment is closed and
     * indexed. */
    void (*gone)(void *ctx);
    void *ctx;
};

struct recorder;

/* [hub's loop] Attaches to the hub and records until recorder_stop. */
struct recorder *recorder_start(struct storage *s, const struct recorder_params *params);
void recorder_stop(struct recorder *r);

/* --- reading; [pool] all of it blocks --- */

struct source *storage_source(struct storage *s); /* lives as long as storage */

struct span_row {
    int64_t from_us, to_us;
    int64_t bytes, frames, lost_packets;
};
struct gap_row {
    int64_t from_us, to_us;
    char cause[24];
};
struct recordings {
    struct span_row *spans;
    size_t n_spans;
    struct gap_row *gaps;
    size_t n_gaps;
};
/* Adjacent segments merged; what is being written is included up to its last durable fragment. Gaps
 * carry the cause known from state rows ("unknown" otherwise). */
int storage_recordings(struct storage *s, const char *camera_id, const char *stream,
                       int64_t from_us, int64_t to_us, struct recordings *out, struct err *err);
void recordings_fini(struct recordings *r);

/* What is being written and not in the catalogue yet, up to its last readable fragment, oldest
 * first; *out is the caller's to free. */
size_t storage_open_spans(struct storage *s, const char *camera_id, const char *stream,
                          struct uptime_span **out);

struct volume_status {
    char path[512];
    int64_t key; /* in the catalogue; 0 = not mounted */
    char id[33]; /* in its marker; empty = not mounted */
    char
        state[12]; /* "ok", "full", "missing", "foreign", "swapped", "taken", "failed", "stalled" */
    int64_t total_bytes, free_bytes, reserve_bytes, used_bytes;
    bool is_ok;        /* state is "ok" */
    char detail[224];  /* why not; empty = nothing to say */
    uint64_t n_errors; /* since the server started */
    char last_error[80];
    int64_t last_error_us; /* wall clock; 0 = none */
    struct latency_figures writes, syncs;
    int n_recording; /* streams that are being recorded here */
};
size_t storage_volumes(struct storage *s, struct volume_status *out, size_t cap); /* [any] */

/* [pool, blocks] What is recorded, in all and on each volume as storage_volumes lists them (room
 * for STORAGE_MAX_VOLUMES): finished segments, and those being written up to their last whole
 * fragment.
 */
int storage_totals(struct storage *s, struct segment_totals *all, struct segment_totals *volumes,
                   struct err *err);

/* [pool, blocks] What is kept of every camera and how long the volumes last, at most a minute old;
 * the caller's reference, NULL when the catalogue cannot be read. */
struct stock *storage_stock(struct storage *s, struct err *err);
/* [any] A hold was placed or released: numbers that depend on it are made anew. */
void storage_holds_changed(struct storage *s);

/* What is kept how long: as configured. */
struct storage_policy {
    int retention_days;
    int thin_after_days; /* 0 = never */
    enum thin_keep thin_keep;
};
struct storage_policy storage_policy(const struct storage *s); /* [any] */

/* --- index maintenance; [main, blocks] --- */

struct index_report {
    uint64_t n_segments, n_files, n_bytes;
    uint64_t n_adopted;     /* files without a row, now indexed (rebuild) or found (check) */
    uint64_t n_missing;     /* rows without a file; rebuild: taken out, and in the ledger */
    uint64_t n_mismatch;    /* size or times differ */
    uint64_t n_bad_files;   /* cannot be read as segments */
    uint64_t n_broken;      /* rows that contradict each other */
    uint64_t n_notes;       /* odd, but not wrong */
    bool is_served;         /* check: a server holds the catalogue */
    uint64_t n_writing;     /* files that it writes now */
    uint64_t n_unsettled;   /* files that the next start of the server settles */
    uint64_t n_doomed;      /* files that are being deleted, or are to be at the next start */
    uint64_t n_unreachable; /* volumes that are not there, and rows of theirs: not checked */
    uint64_t n_changed;     /* deep: hashes or links tell that something was changed or taken out */
    uint64_t n_foreign;     /* deep: hashes by another installation's key, not compared */
};
/* path: of a file, a volume, or "index". */
typedef void index_problem_fn(void *ctx, const char *path, const char *what);
/* Of what was done so far, for who waits. */
typedef void index_progress_fn(void *ctx, const struct index_report *so_far);
void storage_index_on_progress(struct storage *s, index_progress_fn *fn, void *ctx);

/* Changes nothing; a server may be recording. Compares files and rows, and verifies what files and
 * rows can show of the invariants of design/0002. Not deep: sizes, and what stands at the end. */
int storage_index_check(struct storage *s, bool is_deep, index_problem_fn *fn, void *ctx,
                        struct index_report *out, struct err *err);
/* ERR_NOT_FOUND: a volume is missing. ERR_CONFLICT, with a sentence about it: segments lie on a
 * volume that is not in the configuration, and a rebuild would take them out as missing. */
int storage_index_covers(struct storage *s, struct err *err);
/* Nothing may be recording. Day by day, so a kill leaves old rows or new ones, and doing it again
 * completes it. ERR_NOT_FOUND: a volume is missing, nothing was changed. */
int storage_index_rebuild(struct storage *s, index_problem_fn *fn, void *ctx,
                          struct index_report *out, struct err *err);

#endif
