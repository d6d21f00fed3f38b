/* Holds: recordings of a camera and a range of time that no deletion touches, because somebody
 * needs them as evidence. A released hold stays listed. Thread: inside a catalogue job. */
#ifndef STORAGE_DB_HOLDS_H
#define STORAGE_DB_HOLDS_H

#include <stdint.h>

#include "base/err.h"

struct db;

/* Texts are borrowed: the caller's when added, valid during the callback when listed. */
struct hold_row {
    const char *id, *camera_id;
    int64_t from_us, to_us;
    const char *user, *reason;
    int64_t created_us;
    int64_t released_us; /* 0 = in force */
    const char *released_by, *released_reason;
    int64_t bytes; /* what is recorded there now, of both streams; filled when listed */
};
typedef int hold_row_fn(void *ctx, const struct hold_row *row);

/* A camera that never recorded may be held too: what it records in that range will be. */
int db_hold_add(struct db *db, const struct hold_row *row, struct err *err);
/* ERR_NOT_FOUND; ERR_CONFLICT when it was released before. */
int db_hold_release(struct db *db, const char *id, const char *by, const char *reason,
                    int64_t now_us, struct err *err);
/* ERR_NOT_FOUND. */
int db_hold_get(struct db *db, const char *id, hold_row_fn *fn, void *ctx, struct err *err);

struct hold_query {
    const char *camera_id;     /* NULL = of every camera */
    int is_active;             /* 1, 0, or < 0 = both */
    int64_t before_created_us; /* cursor: older than this hold; 0 = from the newest */
    const char *before_id;
};
/* Newest first, until fn returns < 0. */
int db_holds_find(struct db *db, const struct hold_query *q, hold_row_fn *fn, void *ctx,
                  struct err *err);

/* What the holds in force keep, each segment counted once; volume 0 = on all of them. */
int db_holds_bytes(struct db *db, int64_t volume, int64_t *out, struct err *err);

#endif
