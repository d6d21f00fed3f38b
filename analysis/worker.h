/* A decoding process: hostile bytes stay in a cage (`rookery-worker`).
 *
 * The client starts the process when there is work, sends key frames over a socket pair and gets
 * pictures or luma grids back. A worker that dies, breaks the protocol or passes the deadline is
 * killed and started again with growing delay; the request that was under way fails, the waiting
 * ones go on. One request is decoded at a time; one client is one core at most.
 * Thread: belongs to the loop given at creation.
 * Bounds: max_waiting requests; WORKER_MAX_WAITING_BYTES of packets referenced by them. */
#ifndef ANALYSIS_WORKER_H
#define ANALYSIS_WORKER_H

#include "analysis/motion.h"
#include "base/err.h"
#include "base/loop.h"
#include "media/packet.h"

#define WORKER_MAX_WAITING_BYTES (64u << 20)

struct worker;

struct worker_params {
    struct loop *loop;
    const char *path;    /* of rookery-worker; copied */
    const char *name;    /* for the log; NULL = "worker" */
    int max_waiting;     /* 0 = 64 */
    int64_t deadline_ms; /* per request, from sending it; 0 = 5000 */
};

struct worker_stats {
    uint64_t n_requests, n_failed, n_refused;
    uint64_t n_deaths; /* processes that ended or were killed */
    int n_waiting;
    int pid; /* 0 = not running */
};

struct worker *worker_create(const struct worker_params *params);

/* Fails what waits with ERR_CLOSED, ends the process, frees, then calls done(ctx) once (may be
 * NULL). */
void worker_stop(struct worker *w, loop_fn *done, void *ctx);
void worker_stats(const struct worker *w, struct worker_stats *out);

/* jpeg is borrowed; err NULL = success. ERR_PARSE: could not be decoded; -ETIMEDOUT; ERR_EOF: the
 * worker died; ERR_CLOSED. Never called from within the request. */
typedef void worker_picture_fn(void *ctx, const uint8_t *jpeg, size_t n, const struct err *err);

/* Decodes a key frame (its format set) and encodes it as JPEG, `width` pixels wide (0 = as it is,
 * never enlarged; the height follows). Takes its own reference. 0 = fn will be called exactly once;
 * ERR_BUSY, ERR_INVALID (no key frame or no format), ERR_CLOSED: not taken. */
int worker_picture(struct worker *w, struct packet *key, int width, worker_picture_fn *fn,
                   void *ctx);

typedef void worker_grid_fn(void *ctx, const struct luma_grid *grid, const struct err *err);

/* The same, answering the block means of the picture for motion_update. */
int worker_grid(struct worker *w, struct packet *key, worker_grid_fn *fn, void *ctx);

#endif
