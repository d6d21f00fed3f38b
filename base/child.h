/* A child process that talks to us over one stream socket pair: its end is descriptor 3.
 *
 * It inherits nothing else but 0, 1 and 2: no descriptors, no environment (which may hold secrets),
 * no signal mask. Its end is reported after it was reaped, however it came.
 * Thread: belongs to the loop given to child_start.
 * Lifetime: in place, zero-initialised. Once started it must stay until `ended` was called. */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"

#define CHILD_FD 3 /* of the child */

/* status is that of waitpid. The child may be started again from within. */
typedef void child_ended_fn(void *ctx, int status);

struct child_params {
    struct loop *loop;
    const char *path;
    int socket_bytes; /* send buffer of both ends; 0 = the system's */
    child_ended_fn *ended;
    void *ctx;
};

struct child {
    struct loop *loop;
    child_ended_fn *ended;
    void *ctx;
    pid_t pid; /* 0 = none, or reaped */
    int pid_fd;
    struct watch reaping;
    struct timer grace;
};

/* Starts the program. *out_fd is our end of the pair, the caller's to close; it blocks unless asked
 * otherwise call by call. On failure (-Exxx) there is nothing to end. */
int child_start(struct child *c, const struct child_params *params, int *out_fd, struct err *err);

/* Kills it after grace_ms (0 = now) unless it ends by itself, which a program that watches
 * descriptor 3 does once the other end is closed. Nothing happens when it ended already; again with
 * less grace is fine. */
void child_stop(struct child *c, int64_t grace_ms);

#endif
