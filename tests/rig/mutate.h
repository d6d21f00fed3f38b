/* What happens to a client's RTP and RTCP on its way: named changes from the camera's "rtp" list,
 * which README.md describes for who writes them. A mutator takes whole units and says what goes
 * over the wire instead; it numbers packets itself, so that what it adds or leaves out is no loss
 * unless a change says so. Thread: the simulator's loop. One per client, made when it plays. */
#ifndef RIG_MUTATE_H
#define RIG_MUTATE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "reel.h"

#define MUTATE_MAX_CHANGES 16
#define MUTATE_TRACKS      2

struct mutator;

/* Whether names and parameters of "rtp" are known; ERR_INVALID names what is not. */
int mutate_check(const json_t *list, struct err *err);

struct mutate_params {
    const json_t *list; /* borrowed: outlives the mutator */
    bool is_udp;
    int connection;                 /* of the camera, from 1 */
    uint8_t channel[MUTATE_TRACKS]; /* of RTP; the next one is RTCP */
    const struct reel *other;       /* pictures of the other stream; NULL = none */
    /* A datagram, or whole frames of the connection. */
    void (*send)(void *ctx, int track, bool is_rtcp, const uint8_t *p, size_t n);
    void *ctx;
};

struct mutator *mutator_create(const struct mutate_params *params);
void mutator_destroy(struct mutator **m);

/* The unit has its stamp (unit_patch). */
void mutator_unit(struct mutator *m, int track, enum codec codec, const struct unit *unit);

/* A sender report, 28 bytes, changed in place. */
void mutator_report(struct mutator *m, int track, uint8_t *p, size_t n);

#endif
