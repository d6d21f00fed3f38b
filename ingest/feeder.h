/* The process rookery-remux that reads one foreign stream for us: started, told its job, ended.
 *
 * What it says comes over a socket that is the caller's (link_adopt, rtsp_push with is_own).
 * Thread: belongs to the loop given to feeder_start.
 * Lifetime: in place, zero-initialised; after a start it stays until `ended`. */
#ifndef INGEST_FEEDER_H
#define INGEST_FEEDER_H

#include "base/child.h"
#include "ingest/remux_message.h"

struct feeder {
    struct child child;
};

struct feeder_params {
    struct loop *loop;
    const char *path; /* of rookery-remux */
    const struct url *url;
    const char *user; /* "" = none */
    const char *password;
    child_ended_fn *ended; /* the process is gone; whatever it said may still wait to be read */
    void *ctx;
};

/* *out_fd is the caller's. On failure the process may still be alive: then `ended` follows. */
int feeder_start(struct feeder *f, const struct feeder_params *params, int *out_fd,
                 struct err *err);

/* To be called after the socket was closed, which the process takes for a request to say goodbye to
 * its peer and end. It is killed after a second. `ended` follows. */
void feeder_stop(struct feeder *f);

static inline bool feeder_is_alive(const struct feeder *f)
{
    return f->child.pid != 0;
}

#endif
