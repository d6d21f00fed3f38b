/* Which ingest loop a camera works on: the cameras of one host share a loop, so that the limits of
 * that host (ingest/gate.h) need no lock; the rest is spread evenly. A host with more than
 * PLACEMENT_PER_HOST cameras (a gateway, not a recorder) spills over.
 * Thread: the server's loop. */
#ifndef SERVER_PLACEMENT_H
#define SERVER_PLACEMENT_H

#define PLACEMENT_PER_HOST  64
#define PLACEMENT_MAX_LOOPS 64

struct placement;

struct placement *placement_create(int n_loops); /* 1 to PLACEMENT_MAX_LOOPS */
void placement_destroy(struct placement **p);

/* A loop's index for one more camera of the address (a URL; what is none counts as a host of its
 * own). Give it back with the same address. */
int placement_take(struct placement *p, const char *url);
void placement_give(struct placement *p, const char *url, int loop);

#endif
