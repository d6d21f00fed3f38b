/* Which segments go next: the oldest of a volume over all streams, or those that are older than
 * their cameras keep. Never what is held. Exactly in the order of their beginnings (by age: of
 * becoming too old), at about one look-up per segment.
 * Thread: inside a catalogue job; the frontier belongs to whoever waits for the job. */
#ifndef STORAGE_CANDIDATES_H
#define STORAGE_CANDIDATES_H

#include "storage/db_segments.h"
#include "storage/frontier.h"

#define CANDIDATES_MAX 256

struct candidates_query {
    int64_t now_us;
    int64_t volume;       /* key; 0 = by age, of any volume */
    int64_t wanted_bytes; /* of a volume: enough once they are so many */
    int default_days;     /* by age: of cameras that say nothing else */
    bool is_thinning;     /* what is whole and older than default_days, whatever cameras say */
    size_t limit;         /* 0 = CANDIDATES_MAX */
};

struct candidates {
    struct segment_row rows[CANDIDATES_MAX];
    size_t n;
    int64_t bytes;
    bool is_cut; /* a bound ended the search: more may be found at once */
};

/* Raises the bounds of the frontier up to what it gives. When that is not deleted after all, the
 * frontier must be reset. A camera that is new is found by itself. */
int candidates_find(struct db *db, struct frontier *f, const struct candidates_query *q,
                    struct candidates *out, struct err *err);

/* For when cameras' days may have changed. */
int candidates_refresh(struct db *db, struct frontier *f, const struct candidates_query *q,
                       struct err *err);

#endif
