/* What is known of the logins of one host: which were refused, which work. It decides when one may
 * be tried, so that a wrong password is not tried until the device locks us out (quirks A8, L1).
 *
 * A refused login is not tried again before its time, each time twice as long, and after
 * LOGINS_MOST refusals within LOGINS_LATE_US nobody logs in there for the first time.
 *
 * A stream for which a login has worked (is_proven) is not kept from it by refusals of streams for
 * which it never did: they may be channels that this user may not see. Refused to such a stream, a
 * login is in doubt: changed at the device, or its limit of viewers is reached (quirk L1). Then it
 * is tried once after a minute and once every LOGINS_DOUBT_US from then on, until it works for
 * one.
 *
 * Thread: that of the owner. Zero at first; owns nothing. Times: µs of the monotonic clock. */
#ifndef INGEST_LOGINS_H
#define INGEST_LOGINS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define LOGINS_MOST       2 /* of up to two signed tries each; devices lock after five */
#define LOGINS_LATE_US    (1800 * US_PER_S)
#define LOGINS_LONGEST_US (3600 * US_PER_S) /* that one is not tried after a refusal */
#define LOGINS_DOUBT_US   (600 * US_PER_S)
#define LOGINS_TRUST_US   (10 * US_PER_S)
#define LOGINS_FRESH_US   (60 * US_PER_S)

struct refusal {
    uint64_t login; /* 0 = none */
    int64_t at_us, until_us;
};

struct logins {
    struct refusal wrong[LOGINS_MOST];    /* it had not worked; newest first */
    struct refusal doubtful[LOGINS_MOST]; /* it had; newest first */
    uint64_t accepted;                    /* 0 = none yet */
    int64_t accepted_us;
};

/* Stands for user and password at a device; devices behind one address are told apart by their
 * ports. */
uint64_t login_of(const char *user, const char *password, uint16_t port);

/* Refused now, it would be tried again at until_us: answers when it may be, which is later where it
 * was refused before. */
int64_t logins_refused(struct logins *l, uint64_t login, bool is_proven, int64_t now_us,
                       int64_t until_us);

/* When it may be tried: a time in the future, or 0 = now. */
int64_t logins_at(const struct logins *l, uint64_t login, bool is_proven, int64_t now_us);

void logins_accepted(struct logins *l, uint64_t login, int64_t now_us);

/* It was accepted so recently that all may use it at once. */
bool logins_is_trusted(const struct logins *l, uint64_t login, int64_t now_us);

/* The settings of a camera there have changed, to this login (0 = none): what was refused may be
 * right now. The login itself is not tried again when it was refused within LOGINS_FRESH_US, so
 * that a mistake that is made in all channels of a recorder, one after the other, is refused
 * once. */
void logins_forget(struct logins *l, uint64_t login, int64_t now_us);

/* Nothing needs to be remembered any more. */
bool logins_is_blank(const struct logins *l, int64_t now_us);

/* When something was refused last; INT64_MIN = never. */
int64_t logins_refused_us(const struct logins *l);

#endif
