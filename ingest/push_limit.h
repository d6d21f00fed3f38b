/* Slows down who guesses keys: wrong ones are counted per address (IPv6: per /64), and beyond
 * PUSH_LIMIT_BURST only one login per PUSH_LIMIT_US is looked at from there. Nobody is locked out:
 * an encoder with the right key behind the same NAT waits a little.
 * Thread: belongs to one owner. Bounds: PUSH_LIMIT_ADDRESSES; the one that has waited longest is
 * forgotten for a new one. */
#ifndef INGEST_PUSH_LIMIT_H
#define INGEST_PUSH_LIMIT_H

#include "base/clock.h"
#include "net/socket.h"

#define PUSH_LIMIT_BURST     10
#define PUSH_LIMIT_US        (2 * US_PER_S)
#define PUSH_LIMIT_ADDRESSES 512

struct push_limit {
    struct {
        uint8_t address[16];
        int64_t debt_until_us; /* when all its failures are forgiven; in the past = no entry */
    } list[PUSH_LIMIT_ADDRESSES];
};

/* How long a login from there has to wait; 0 = it may be looked at now. */
int64_t push_limit_wait_us(const struct push_limit *l, const struct address *from, int64_t mono_us);

void push_limit_failed(struct push_limit *l, const struct address *from, int64_t mono_us);

#endif
