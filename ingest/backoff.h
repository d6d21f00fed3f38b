/* When to try a camera again. Pure policy over the monotonic clock (quirks A8, L1, L3, L4).
 * Thread: belongs to its owner. */
#ifndef INGEST_BACKOFF_H
#define INGEST_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "ingest/cause.h"

struct backoff {
    uint64_t random;
    int n_failures;       /* since the last good media */
    int n_auth;           /* of these, wrong passwords */
    int64_t good_mono_us; /* when good media was last seen; 0 = never */
};

void backoff_init(struct backoff *b, uint64_t seed);

/* Media flows, and has for `since_us`; after 30 s everything before is forgiven. */
void backoff_good(struct backoff *b, int64_t mono_us, int64_t since_us);

/* A try failed: how long to wait for the next, in µs. 1, 2, 4, … 30 s ± 50 %; at most 5 s while a
 * camera that was good within the last 2 min may be starting up or the power coming back; 10 min to
 * 1 h after a wrong password; when the same one worked before 1 min, then 10, then 20 min, because
 * it may work again. */
int64_t backoff_failed(struct backoff *b, enum stream_cause cause, int64_t mono_us);

/* Up to 2 s, so that those who wait for one moment do not come in it together. */
int64_t backoff_spread(struct backoff *b);

/* Settings changed: nothing that was known holds. */
void backoff_reset(struct backoff *b);

#endif
