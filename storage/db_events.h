/* Events of analysis in the catalogue. Thread: inside a catalogue job. */
#ifndef STORAGE_DB_EVENTS_H
#define STORAGE_DB_EVENTS_H

#include "base/err.h"
#include "media/event.h"

struct db;

struct event_row {
    int64_t id;
    struct event event;
};
typedef int event_row_fn(void *ctx, const struct event_row *row);

int db_event_add(struct db *db, const struct event *e, int64_t *out_id, struct err *err);
/* New to_us, is_open, score and region. ERR_NOT_FOUND. */
int db_event_update(struct db *db, int64_t id, const struct event *e, struct err *err);

struct event_query {
    const char *const *camera_ids; /* in this set; NULL = every camera (n_cameras is ignored) */
    size_t n_cameras;
    int type;               /* enum event_type; < 0 = all */
    int64_t from_us, to_us; /* touches [from_us, to_us); to_us 0 = no end */
    int64_t before_from_us; /* cursor: older than this event; 0 = from the newest */
    int64_t before_id;
    size_t limit; /* 0 = 100 */
};
/* Newest first. Returns how many were given. The cursor of the next page is from_us and id of the
 * last one. */
int db_events_find(struct db *db, const struct event_query *q, event_row_fn *fn, void *ctx,
                   struct err *err);

/* Of one camera in order of time, for drawing: all fields are set. */
int db_events_in(struct db *db, const char *camera_id, int64_t from_us, int64_t to_us,
                 event_row_fn *fn, void *ctx, struct err *err);

/* Deletes what ended before; at most `limit` rows. Returns how many. */
int db_events_expire(struct db *db, int64_t before_us, size_t limit, struct err *err);

#endif
