/* Where time comes from. Code reads time only through a struct clock, so that a virtual twin can
 * stand in for it in tests. Thread: reading is allowed from any thread; setting a virtual clock is
 * atomic, but only its test does it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define US_PER_S            INT64_C(1000000)
#define US_PER_DAY          (86400 * US_PER_S)
#define US_PER_MS           INT64_C(1000)
#define CLOCK_RFC3339_BYTES 32

struct clock {
    int64_t (*wall_us)(const struct clock *c); /* since 1970 UTC */
    int64_t (*mono_us)(const struct clock *c); /* from an arbitrary start, never steps */
};

/* The system's clock; never freed. */
const struct clock *clock_system(void);

struct clock_virtual {
    struct clock clock;
    _Atomic int64_t now_wall_us;
    _Atomic int64_t now_mono_us;
};
void clock_virtual_init(struct clock_virtual *v, int64_t wall_us);
void clock_virtual_advance(struct clock_virtual *v, int64_t us);

static inline int64_t clock_wall_us(const struct clock *c)
{
    return c->wall_us(c);
}
static inline int64_t clock_mono_us(const struct clock *c)
{
    return c->mono_us(c);
}

/* Media time; 0 without a timescale. What comes from a file may be any number: the result is
 * clamped to a quarter of the range, so that a wall clock can be added. */
static inline int64_t us_of_ticks(int64_t ticks, uint32_t timescale)
{
    const int64_t most_us = INT64_MAX / 4;
    if (timescale == 0)
        return 0;
    if (ticks / timescale >= most_us / US_PER_S)
        return most_us;
    if (ticks / timescale <= -(most_us / US_PER_S))
        return -most_us;
    return ticks / timescale * US_PER_S + ticks % timescale * US_PER_S / timescale;
}

/* The reverse, rounded towards 0, for times that differ by less than a century. */
static inline int64_t ticks_of_us(int64_t us, uint32_t timescale)
{
    return us / US_PER_S * timescale + us % US_PER_S * timescale / US_PER_S;
}

/* "2026-11-23T04:05:06.789Z"; dst holds CLOCK_RFC3339_BYTES. Returns dst. */
char *rfc3339_print(int64_t wall_us, char *dst);

/* Any offset, optional fraction; 0 or ERR_PARSE. The clock is not consulted. */
int rfc3339_parse(const char *s, int64_t *out_wall_us);

/* UTC calendar, proleptic Gregorian; no time zone database is consulted. */
struct civil {
    int year, month, day, hour, minute, second; /* month and day from 1 */
    int us;
};
struct civil civil_of(int64_t wall_us);
int64_t civil_to_us(const struct civil *c);

#endif
