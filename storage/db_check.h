/* What `rookery index` asks of the catalogue. Thread: inside a catalogue job. */
#ifndef STORAGE_DB_CHECK_H
#define STORAGE_DB_CHECK_H

#include "storage/db_segments.h"

struct db;

/* Rows of a stream that begin in [from_us, to_us), in order, and in front of them the newest that
 * begin in the hour before. */
int db_check_day(struct db *db, const char *camera_id, enum stream_kind stream, int64_t from_us,
                 int64_t to_us, segment_row_fn *fn, void *ctx, struct err *err);

/* Unsettled files of a stream. */
int db_check_unsettled(struct db *db, const char *camera_id, enum stream_kind stream,
                       segment_row_fn *fn, void *ctx, struct err *err);

/* The first row of a stream that begins at from_us or later; 1 or 0. */
int db_check_next(struct db *db, int64_t camera, enum stream_kind stream, int64_t from_us,
                  int64_t *out_us, struct err *err);

/* Every camera that has a number. */
typedef int camera_key_fn(void *ctx, int64_t key, const char *camera_id, bool is_in_district);
int db_check_cameras(struct db *db, camera_key_fn *fn, void *ctx, struct err *err);

/* Where rows contradict each other, in sentences. is_note: odd, but not wrong. Reads every row of
 * segments once. older_us: a hold on what ended before should hold something. */
typedef void db_check_fn(void *ctx, const char *what, bool is_note);
int db_check_rows(struct db *db, int64_t older_us, db_check_fn *fn, void *ctx, struct err *err);

/* Puts rows in the place of those of a stream that begin in [from_us, to_us). What is not among
 * them any more goes to the ledger as missing; *out_missing counts it. */
struct check_replace {
    const char *camera_id;
    enum stream_kind stream;
    int64_t from_us, to_us;
    struct segment_row *rows;
    size_t n_rows;
    int64_t now_us;
};
int db_check_replace(struct db *db, const struct check_replace *r, uint64_t *out_missing,
                     struct err *err);

/* Volumes that segments lie on. */
typedef int db_check_volume_fn(void *ctx, int64_t key, const char *path, int64_t n_segments);
int db_check_volumes(struct db *db, db_check_volume_fn *fn, void *ctx, struct err *err);

#endif
