/* Rows of recordings: segments, files that are not settled, the ledger of deletions.
 * Thread: inside a catalogue job. */
#ifndef STORAGE_DB_SEGMENTS_H
#define STORAGE_DB_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "storage/segment.h"

struct db;

/* Its place in the hash chain, as the file says. */
struct segment_chain {
    bool has_before, has_link;
    struct chain_value before, link;
};

struct segment_row {
    struct segment_id id;
    int64_t camera; /* key; filled by db_segment_open, and when read */
    int64_t volume; /* key */
    int64_t to_us;
    int64_t bytes, frames, lost_packets;
    enum segment_edge began, ended;
    struct segment_holes holes;
    struct segment_chain chain; /* never read from the catalogue */
    bool is_thinned;            /* only key frames are left */
    bool is_doomed;             /* of unsettled files */
    bool is_recorded;           /* of what a search finds: has a row in segments */
};

/* What is recorded without a hole: piece i of holes.n + 1. */
struct segment_hole segment_row_piece(const struct segment_row *row, size_t i);

/* Called per row; < 0 stops and is returned. */
typedef int segment_row_fn(void *ctx, const struct segment_row *row);

/* The small number of a camera. ERR_NOT_FOUND when it never recorded and !is_created. */
int db_camera_key(struct db *db, const char *camera_id, bool is_created, int64_t *out,
                  struct err *err);

/* An unsettled file: about to be written. Fills row->camera, and chain.before with the newest link
 * of its stream that is known. */
int db_segment_open(struct db *db, struct segment_row *row, struct err *err);
/* Settles it: the finished segment takes its place, and its link the end of a chain. Replaces a row
 * of the same name. */
int db_segment_finish(struct db *db, struct segment_row *row, struct err *err);
/* Settles it: there is no such file (any more). */
int db_segment_forget(struct db *db, const struct segment_row *row, struct err *err);
/* Whether a file of this name is; 1 or 0. */
int db_segment_is_unsettled(struct db *db, const struct segment_id *id, struct err *err);
int db_segments_unsettled(struct db *db, segment_row_fn *fn, void *ctx, struct err *err);

/* Segments that touch [from_us, to_us), in order. */
int db_segments_in(struct db *db, const char *camera_id, enum stream_kind stream, int64_t from_us,
                   int64_t to_us, segment_row_fn *fn, void *ctx, struct err *err);
/* Segments of a stream in order, from the one with this start and number on, or those in front of
 * it backwards; fn ends it. */
int db_segments_from(struct db *db, const char *camera_id, enum stream_kind stream, int64_t from_us,
                     int64_t n, segment_row_fn *fn, void *ctx, struct err *err);
int db_segments_before(struct db *db, const char *camera_id, enum stream_kind stream,
                       int64_t from_us, int64_t n, segment_row_fn *fn, void *ctx, struct err *err);
/* One row by name; ERR_NOT_FOUND. */
int db_segment_get(struct db *db, const struct segment_id *id, struct segment_row *out,
                   struct err *err);
/* All of them, in pages: rows after *after (zero at first), which is moved on. Returns how many. */
int db_segments_page(struct db *db, struct segment_row *after, size_t limit, segment_row_fn *fn,
                     void *ctx, struct err *err);

/* Removes a row: its file is doomed (stays unsettled until db_segment_forget) and the ledger says
 * why, joined with what was deleted right before it. 1, or 0 when nothing was done: a hold was
 * placed since it was chosen, or it is gone. */
int db_segment_doom(struct db *db, const struct segment_row *row, const char *why, int64_t now_us,
                    struct err *err);

/* A file that thinning writes: unsettled as doomed, so that a crash leaves nothing of it. */
int db_segment_announce(struct db *db, const struct segment_row *twin, struct err *err);
/* The twin takes the place of the whole segment, whose file is doomed, and the ledger says by how
 * much it shrank. 1, or 0 when nothing was done, as with db_segment_doom. */
int db_segment_replace(struct db *db, const struct segment_row *whole, struct segment_row *twin,
                       int64_t now_us, struct err *err);
/* It has key frames only as it is. */
int db_segment_mark_thinned(struct db *db, const struct segment_row *row, struct err *err);

/* Every camera that ever recorded, and for how many days its recordings are kept. */
typedef void stream_kept_fn(void *ctx, int64_t camera, int64_t days);
int db_streams_kept(struct db *db, int default_days, stream_kept_fn *fn, void *ctx,
                    struct err *err);

int db_camera_max(struct db *db, int64_t *out_key, struct err *err); /* the newest; 0 = none */

/* Segments of a stream that no hold touches, oldest first, from one on. Returns how many. */
struct deletable_query {
    int64_t camera;
    int stream;
    int64_t volume;          /* 0 = on any */
    int64_t from_us, from_n; /* this one or behind it */
    bool is_whole;           /* leaves out what is thinned */
    size_t limit;
};
int db_segments_deletable(struct db *db, const struct deletable_query *q, segment_row_fn *fn,
                          void *ctx, struct err *err);

/* What is recorded altogether; oldest_us 0 = nothing is. */
struct segment_totals {
    int64_t n, bytes, oldest_us;
};
int db_segment_totals(struct db *db, struct segment_totals *out, struct err *err);

/* What was deleted of a stream and why, touching [from_us, to_us). */
typedef int deletion_fn(void *ctx, int64_t from_us, int64_t to_us, const char *why);
int db_deletions_in(struct db *db, const char *camera_id, enum stream_kind stream, int64_t from_us,
                    int64_t to_us, deletion_fn *fn, void *ctx, struct err *err);

/* Whether one of the stream begins in [from_us, to_us), settled or not: 1 or 0. */
int db_segment_begins_in(struct db *db, int64_t camera, enum stream_kind stream, int64_t from_us,
                         int64_t to_us, struct err *err);

#endif
