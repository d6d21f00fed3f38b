/* Who may connect now: when the power comes back a thousand cameras do not knock at once, a
 * recorder with many channels is not overrun, and a wrong password is not tried until the device
 * locks us out (quirks A8, L1, L3).
 *
 * A stream enters before it connects and leaves when media flows or the try has failed. At most
 * GATE_PER_HOST streams of one host are inside at once, and `max_inside` in all. A suspect (its
 * last try ran into silence) waits behind the others and gets at most half of the places, so that
 * dead cameras, which hold theirs for many seconds, delay nobody.
 *
 * A login that has not worked at the host within LOGINS_TRUST_US is tried by one stream at a time
 * (a scout): the channels of a recorder do not find out each by itself that their password is
 * wrong. A scout that gets no answer holds the others up for GATE_SCOUT_US only, or
 * GATE_NEW_SCOUT_US where its login has never worked: a channel without a camera may never be
 * described, and a wrong password is refused sooner. What is known of the logins of a host is kept
 * here for all its streams (ingest/logins.h).
 *
 * Thread: one per ingest loop; the fleet keeps the cameras of a host on one loop.
 * Bounds: one entry per stream inside or waiting, and GATE_MAX_HOSTS remembered hosts. */
#ifndef INGEST_GATE_H
#define INGEST_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "ingest/logins.h"

#define GATE_PER_HOST     4
#define GATE_SCOUT_US     (2 * US_PER_S)
#define GATE_NEW_SCOUT_US (5 * US_PER_S)
#define GATE_MAX_HOSTS    512

struct gate;
struct gate_host;
struct gate_scout;

/* A stream's place. Embedded in its owner, zero at first. */
struct gate_pass {
    loop_fn *enter; /* it is this one's turn; from the loop, not from within gate_enter */
    void *ctx;
    uint64_t login; /* set before gate_enter; 0 = none */
    bool is_proven; /* with it: it has worked for the owner */

    /* the gate's own */
    enum { GATE_OUTSIDE, GATE_WAITING, GATE_INSIDE } place;
    bool is_suspect;
    struct gate_scout *scout; /* inside with a login that may be wrong; NULL = it is not */
    struct gate_host *host;
    struct gate_pass *next, *prev; /* while waiting */
};

struct gate *gate_create(struct loop *loop, int max_inside);

/* Nobody may be inside or waiting. */
void gate_destroy(struct gate **g);

/* Waits for a turn at the host (its name or address as configured; case does not matter). */
void gate_enter(struct gate *g, struct gate_pass *pass, const char *host, bool is_suspect);

/* From waiting or inside; outside nothing happens. */
void gate_leave(struct gate *g, struct gate_pass *pass);

/* Others that wait, for the detail of a state. */
int gate_n_waiting(const struct gate *g);

/* As those of ingest/logins.h, at the host. */
int64_t gate_login_refused(struct gate *g, const char *host, uint64_t login, bool is_proven,
                           int64_t until_us);
int64_t gate_login_at(struct gate *g, const char *host, uint64_t login, bool is_proven);
void gate_login_accepted(struct gate *g, const char *host, uint64_t login);
void gate_login_forget(struct gate *g, const char *host, uint64_t login);

#endif
