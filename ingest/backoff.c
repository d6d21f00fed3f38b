#include "ingest/backoff.h"

#include "base/clock.h"
#include "base/mem.h"

#define MAX_DELAY_US      (30 * US_PER_S)
#define FORGIVE_US        (30 * US_PER_S)
#define STARTING_UP_US    (120 * US_PER_S)
#define STARTING_MAX_US   (5 * US_PER_S)
#define AUTH_US           (600 * US_PER_S)
#define AUTH_KNOWN_US     (60 * US_PER_S)
#define AUTH_MAX_US       (3600 * US_PER_S)
#define AUTH_KNOWN_MAX_US (1200 * US_PER_S)

/* SplitMix64: spreads the cameras, nothing secret. */
static uint64_t next_random(struct backoff *b)
{
    uint64_t z = (b->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* base * [low, high), in thousandths */
static int64_t jitter(struct backoff *b, int64_t base_us, int low, int high)
{
    return base_us / 1000 * (low + (int64_t)(next_random(b) % (uint64_t)(high - low)));
}

void backoff_init(struct backoff *b, uint64_t seed)
{
    *b = (struct backoff){.random = seed};
}

void backoff_reset(struct backoff *b)
{
    backoff_init(b, b->random);
}

void backoff_good(struct backoff *b, int64_t mono_us, int64_t since_us)
{
    b->good_mono_us = MAX(mono_us, 1);
    if (mono_us - since_us < FORGIVE_US)
        return;
    b->n_failures = 0;
    b->n_auth = 0;
}

static int64_t wait_after_auth(const struct backoff *b)
{
    bool is_known = b->good_mono_us > 0;
    if (is_known && b->n_auth == 0) /* a limit of the device, which may pass */
        return AUTH_KNOWN_US;
    int n = MIN(b->n_auth - is_known, 6);
    return MIN(AUTH_US << n, is_known ? AUTH_KNOWN_MAX_US : AUTH_MAX_US);
}

int64_t backoff_failed(struct backoff *b, enum stream_cause cause, int64_t mono_us)
{
    int n = MIN(b->n_failures, 16);
    b->n_failures++;
    if (cause == CAUSE_AUTH) {
        int64_t delay_us = wait_after_auth(b);
        b->n_auth++;
        return jitter(b, delay_us, 1000, 1200);
    }
    bool may_pass = cause == CAUSE_REFUSED || cause == CAUSE_NOT_FOUND || cause == CAUSE_BUSY ||
                    cause == CAUSE_TIMEOUT || cause == CAUSE_UNREACHABLE;
    bool may_be_starting =
        may_pass && b->good_mono_us > 0 && mono_us - b->good_mono_us < STARTING_UP_US;
    int64_t most_us = may_be_starting ? STARTING_MAX_US * 2 / 3 : MAX_DELAY_US;
    return jitter(b, MIN(US_PER_S << n, most_us), 500, 1500);
}

int64_t backoff_spread(struct backoff *b)
{
    return jitter(b, US_PER_S, 0, 2000);
}
