#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

static int64_t system_wall_us(const struct clock *c)
{
    (void)c;
    return read_us(CLOCK_REALTIME);
}

static int64_t system_mono_us(const struct clock *c)
{
    (void)c;
    return read_us(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void)
{
    static const struct clock system_clock = {system_wall_us, system_mono_us};
    return &system_clock;
}

static int64_t virtual_wall_us(const struct clock *c)
{
    const struct clock_virtual *v = (const void *)c; /* first member */
    return atomic_load(&v->now_wall_us);
}

static int64_t virtual_mono_us(const struct clock *c)
{
    const struct clock_virtual *v = (const void *)c;
    return atomic_load(&v->now_mono_us);
}

void clock_virtual_init(struct clock_virtual *v, int64_t wall_us)
{
    v->clock = (struct clock){virtual_wall_us, virtual_mono_us};
    atomic_init(&v->now_wall_us, wall_us);
    atomic_init(&v->now_mono_us, US_PER_S);
}

void clock_virtual_advance(struct clock_virtual *v, int64_t us)
{
    atomic_fetch_add(&v->now_wall_us, us);
    atomic_fetch_add(&v->now_mono_us, us);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 of a proleptic Gregorian date. Years are counted from March, so that the
 * leap day is a year's last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t days_before_month = (153 * m + 2) / 5;
    return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) + days_before_month +
           day - 1 - 719468;
}

struct civil civil_of(int64_t wall_us)
{
    int64_t days = floor_div(wall_us, 86400 * US_PER_S);
    int64_t in_day_us = wall_us - days * 86400 * US_PER_S;
    int64_t z = days + 719468; /* since 0000-03-01 */
    int64_t era = floor_div(z, 146097);
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    int64_t s = in_day_us / US_PER_S;
    return (struct civil){
        .year = (int)(year_of_era + era * 400 + (m >= 10)),
        .month = (int)(m < 10 ? m + 3 : m - 9),
        .day = (int)(day_of_year - (153 * m + 2) / 5 + 1),
        .hour = (int)(s / 3600),
        .minute = (int)(s / 60 % 60),
        .second = (int)(s % 60),
        .us = (int)(in_day_us % US_PER_S),
    };
}

int64_t civil_to_us(const struct civil *c)
{
    int64_t s = days_of(c->year, c->month, c->day) * 86400 + (int64_t)c->hour * 3600 +
                (int64_t)c->minute * 60 + c->second;
    return s * US_PER_S + c->us;
}

char *rfc3339_print(int64_t wall_us, char *dst)
{
    struct civil c = civil_of(wall_us);
    snprintf(dst, CLOCK_RFC3339_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", c.year, c.month,
             c.day, c.hour, c.minute, c.second, c.us / 1000);
    return dst;
}
