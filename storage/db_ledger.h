/* The ledger: what was deleted, when and why. Thread: inside a catalogue job. */
#ifndef STORAGE_DB_LEDGER_H
#define STORAGE_DB_LEDGER_H

#include "base/err.h"
#include "storage/db_segments.h"

struct db;

/* Enters a segment that is deleted; joined with what was deleted right before it for the same
 * reason. why: expired, space, thinned, missing, or who did it. */
int db_ledger_add(struct db *db, const struct segment_row *row, const char *why, int64_t now_us,
                  struct err *err);

struct ledger_row {
    int64_t camera; /* key */
    const char *camera_id;
    enum stream_kind stream;
    int64_t from_us, to_us;
    int64_t at_us; /* when the last segment of it was deleted */
    int64_t segments, bytes;
    const char *why;
};
typedef int ledger_row_fn(void *ctx, const struct ledger_row *row);

struct ledger_query {
    const char *const *camera_ids; /* in this set; NULL = every camera (n_cameras is ignored) */
    size_t n_cameras;
    int64_t from_us, to_us; /* recorded in [from_us, to_us); to_us 0 = no end */
    const char *why;        /* NULL = all */
    size_t limit;
    /* cursor: behind this row; at_us 0 = from the newest */
    struct ledger_row after;
};
/* Newest first. Returns how many were given; the cursor of the next page is the last row. */
int db_ledger_find(struct db *db, const struct ledger_query *q, ledger_row_fn *fn, void *ctx,
                   struct err *err);

#endif
