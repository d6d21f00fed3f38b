/* How many descriptors the cameras may hold together, so that some are left for the API, the
 * catalogue and the files of those that are recorded.
 *
 * What is taken stands for what a connection brings with it, too: the segment that is recorded of
 * it. Nothing is opened or closed here.
 * Thread: any. Lifetime: outlives the streams and ports that take from it. */
#ifndef INGEST_ALLOWANCE_H
#define INGEST_ALLOWANCE_H

#include <stdatomic.h>
#include <stdbool.h>

struct allowance {
    int n_allowed; /* const */
    atomic_int n_taken;
};

void allowance_init(struct allowance *a, int n_allowed);

/* All n or none of them. a may be NULL: no limit. */
bool allowance_take(struct allowance *a, int n);
void allowance_give(struct allowance *a, int n);

#endif
