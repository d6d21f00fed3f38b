/* When motion analysis looked at a camera: without it, that nothing was seen says nothing.
 * Thread: inside a catalogue job. */
#ifndef STORAGE_DB_WATCHED_H
#define STORAGE_DB_WATCHED_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct db;

/* A stretch, or how far one goes that began then. */
int db_watched_put(struct db *db, const char *camera_id, int64_t from_us, int64_t to_us,
                   struct err *err);

/* 1 = it was watched all through [from_us, to_us] and no event touches that; 0 = something was
 * seen, or nobody knows. */
int db_watched_still(struct db *db, int64_t camera, int64_t from_us, int64_t to_us,
                     struct err *err);

/* Forgets stretches that ended before, as events are forgotten; at most `limit`. Returns how many.
 */
int db_watched_expire(struct db *db, int64_t before_us, size_t limit, struct err *err);

#endif
