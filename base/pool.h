/* A few threads for work that blocks: SQLite reads, files, names, hashing, exports.
 * Thread: pool_submit from any thread. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>

#include "base/loop.h"

struct pool;

struct pool_params {
    const char *name; /* NULL = "pool" */
    int n_threads;    /* 0 = 4 */
    int max_waiting;  /* jobs that may wait; 0 = 4096 */
};

struct pool *pool_create(const struct pool_params *params);

/* Finishes what was submitted, then ends the threads. */
void pool_destroy(struct pool **pool);

/* For jobs that may not end for long: waits for none. Those that still wait are dropped at once,
 * those that run when they end; drop(ctx) is called in place of their done, from any thread. */
void pool_abandon(struct pool **pool, loop_fn *drop);

/* [any] Runs work(ctx) on a pool thread, then posts done(ctx) to `home` (both may be NULL: then
 * nothing is posted). False when too much is waiting: nothing was taken. */
bool pool_submit(struct pool *pool, loop_fn *work, struct loop *home, loop_fn *done, void *ctx);

#endif
