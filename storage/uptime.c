#include "storage/uptime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/list.h"

#define MIN_OUTAGE_US (5 * US_PER_S)
/* Every camera is tried within so long after the start of a run. */
#define FIRST_ATTEMPT_US (10 * US_PER_S)
#define ZONE_US(zone)    ((int64_t)(zone)*60 * US_PER_S)

int64_t uptime_day_start(int64_t at_us, int zone_minutes)
{
    int64_t local_us = at_us + ZONE_US(zone_minutes);
    int64_t into_us = (local_us % US_PER_DAY + US_PER_DAY) % US_PER_DAY;
    return at_us - into_us;
}

void uptime_add(struct uptime_day *sum, const struct uptime_day *day)
{
    sum->expected_us += day->expected_us;
    sum->known_us += day->known_us;
    sum->online_us += day->online_us;
    sum->recorded_us += day->recorded_us;
    sum->own_down_us += day->own_down_us;
}

/* --- overlaps of ordered lists with a window --- */

static int64_t overlap(int64_t a_from, int64_t a_to, int64_t b_from, int64_t b_to)
{
    int64_t from_us = MAX(a_from, b_from), to_us = MIN(a_to, b_to);
    return MAX(to_us - from_us, 0);
}

/* Walks forward only: `first` is where the last window began. */
static int64_t covered(const struct uptime_span *list, size_t n, size_t *first, int64_t from_us,
                       int64_t to_us)
{
    int64_t sum = 0;
    while (*first < n && list[*first].to_us <= from_us)
        (*first)++;
    for (size_t i = *first; i < n && list[i].from_us < to_us; i++)
        sum += overlap(list[i].from_us, list[i].to_us, from_us, to_us);
    return sum;
}

static bool is_asked(const struct uptime_state *s)
{
    return strcmp(s->cause, "disabled") != 0 && strcmp(s->cause, "idle") != 0;
}

/* The server has just started and never heard of the camera: whether it was there is unknown, and
 * certainly not the institution's fault. The attempt has a deadline, so this is short. */
static bool is_first_attempt(const struct uptime_input *in, const struct uptime_state *s)
{
    if (s->is_online || strcmp(s->cause, "connecting") != 0)
        return false;
    if (s == in->states && s->from_us >= in->from_us)
        return true;
    for (size_t i = 0; i < in->n_runs; i++) {
        int64_t since_us = s->from_us - in->runs[i].from_us;
        if (since_us >= 0 && since_us < FIRST_ATTEMPT_US)
            return true;
    }
    return false;
}

static int64_t state_end(const struct uptime_input *in, const struct uptime_state *s)
{
    return s->to_us != 0 ? s->to_us : in->now_us;
}

/* Where the lists are read next; windows come in order. */
struct progress {
    size_t run, state, run_in_state, recorded;
};

/* Time of [from, to) in which the server ran and nothing was asked of the camera; and what the
 * states say about the rest. */
static void add_states(const struct uptime_input *in, struct progress *p, struct uptime_day *day,
                       int64_t *not_asked_us)
{
    while (p->state < in->n_states && state_end(in, &in->states[p->state]) <= day->from_us)
        p->state++;
    for (size_t i = p->state; i < in->n_states && in->states[i].from_us < day->to_us; i++) {
        const struct uptime_state *s = &in->states[i];
        int64_t from_us = MAX(s->from_us, day->from_us);
        int64_t to_us = MIN(state_end(in, s), day->to_us);
        if (to_us <= from_us)
            continue;
        int64_t run_us = covered(in->runs, in->n_runs, &p->run_in_state, from_us, to_us);
        if (!is_asked(s)) {
            *not_asked_us += run_us;
            continue;
        }
        if (is_first_attempt(in, s))
            continue;
        day->known_us += run_us;
        if (s->is_online)
            day->online_us += run_us;
    }
}

/* Pictures recorded while the server ran and the camera was asked; sound arithmetic needs no more
 * than the smaller of both, because nothing is recorded from a camera that is not asked. */
static void compute_day(const struct uptime_input *in, struct progress *p, struct uptime_day *day)
{
    int64_t not_asked_us = 0;
    int64_t run_us = covered(in->runs, in->n_runs, &p->run, day->from_us, day->to_us);
    int64_t length_us = day->to_us - day->from_us;
    add_states(in, p, day, &not_asked_us);
    day->own_down_us = length_us - run_us;
    day->expected_us = MAX(run_us - not_asked_us, 0);
    int64_t recorded_us =
        covered(in->recorded, in->n_recorded, &p->recorded, day->from_us, day->to_us);
    day->recorded_us = MIN(recorded_us, day->expected_us);
}

/* --- outages --- */

struct outage_builder {
    struct uptime *out;
    struct uptime_outage current;
    int64_t longest_us; /* of its causes */
    bool has_current;
};

static void finish_outage(const struct uptime_input *in, struct outage_builder *b)
{
    int64_t min_us = in->min_outage_us > 0 ? in->min_outage_us : MIN_OUTAGE_US;
    struct uptime *u = b->out;
    if (b->has_current && b->current.to_us - b->current.from_us >= min_us) {
        u->outages = list_room(u->outages, u->n_outages, sizeof *u->outages);
        u->outages[u->n_outages++] = b->current;
    }
    b->has_current = false;
}

static void extend_outage(const struct uptime_input *in, struct outage_builder *b,
                          const struct uptime_state *s, int64_t from_us, int64_t to_us)
{
    if (b->has_current && from_us > b->current.to_us)
        finish_outage(in, b);
    if (!b->has_current) {
        b->current = (struct uptime_outage){.from_us = from_us};
        b->longest_us = -1;
        b->has_current = true;
    }
    b->current.to_us = MAX(b->current.to_us, to_us);
    b->current.is_open = to_us == MIN(in->to_us, in->now_us);
    /* "connecting" is between two attempts, never the reason */
    bool is_reason = strcmp(s->cause, "connecting") != 0;
    int64_t weight_us = is_reason ? to_us - from_us : 0;
    if (weight_us > b->longest_us) {
        b->longest_us = weight_us;
        str_copy(b->current.cause, sizeof b->current.cause, s->cause);
        str_copy(b->current.detail, sizeof b->current.detail, s->detail);
    }
}

static void find_outages(const struct uptime_input *in, int64_t end_us, struct uptime *out)
{
    struct outage_builder b = {.out = out};
    for (size_t i = 0; i < in->n_states; i++) {
        const struct uptime_state *s = &in->states[i];
        int64_t from_us = MAX(s->from_us, in->from_us);
        int64_t to_us = MIN(state_end(in, s), end_us);
        if (to_us <= from_us)
            continue;
        if (s->is_online || !is_asked(s) || is_first_attempt(in, s))
            finish_outage(in, &b);
        else
            extend_outage(in, &b, s, from_us, to_us);
    }
    finish_outage(in, &b);
}

void uptime_compute(const struct uptime_input *in, struct uptime *out)
{
    struct progress p = {0};
    int64_t end_us = MIN(in->to_us, in->now_us);
    *out = (struct uptime){0};
    out->total = (struct uptime_day){.from_us = in->from_us, .to_us = MAX(end_us, in->from_us)};
    if (end_us <= in->from_us)
        return;
    size_t n =
        (size_t)((end_us - uptime_day_start(in->from_us, in->zone_minutes) - 1) / US_PER_DAY) + 1;
    out->days = xcalloc(n, sizeof *out->days);
    for (int64_t at_us = in->from_us; at_us < end_us;) {
        int64_t next_us = uptime_day_start(at_us, in->zone_minutes) + US_PER_DAY;
        struct uptime_day *day = &out->days[out->n_days++];
        *day = (struct uptime_day){.from_us = at_us, .to_us = MIN(next_us, end_us)};
        compute_day(in, &p, day);
        uptime_add(&out->total, day);
        at_us = next_us;
    }
    find_outages(in, end_us, out);
}

void uptime_fini(struct uptime *u)
{
    free(u->days);
    free(u->outages);
    *u = (struct uptime){0};
}

/* --- periods --- */

static int64_t local_midnight(int year, int month, int day, int zone_minutes)
{
    struct civil c = {.year = year, .month = month, .day = day};
    return civil_to_us(&c) - ZONE_US(zone_minutes);
}

/* ISO 8601: the week with the year's fourth of January is the first, weeks begin on Monday. */
static int64_t week_start(int year, int week, int zone_minutes)
{
    int64_t fourth_us = local_midnight(year, 1, 4, zone_minutes);
    int64_t day = (fourth_us + ZONE_US(zone_minutes)) / US_PER_DAY; /* 1970-01-01 was a Thursday */
    int64_t since_monday = ((day + 3) % 7 + 7) % 7;
    return fourth_us + (-since_monday + 7 * (week - 1)) * US_PER_DAY;
}

int uptime_period(const char *text, int zone_minutes, int64_t *out_from_us, int64_t *out_to_us)
{
    int year, month, day, week, end = 0;
    size_t n = strlen(text);
    if (n == 8 && sscanf(text, "%4d-W%2d%n", &year, &week, &end) == 2 && end == 8 && week >= 1 &&
        week <= 53) {
        *out_from_us = week_start(year, week, zone_minutes);
        *out_to_us = *out_from_us + 7 * US_PER_DAY;
        return 0;
    }
    if (n == 10 && sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &end) == 3 && end == 10 &&
        month >= 1 && month <= 12 && day >= 1 && day <= 31) {
        *out_from_us = local_midnight(year, month, day, zone_minutes);
        *out_to_us = *out_from_us + US_PER_DAY;
        struct civil c = civil_of(*out_from_us + ZONE_US(zone_minutes));
        return c.day == day && c.month == month ? 0 : ERR_INVALID;
    }
    if (n == 7 && sscanf(text, "%4d-%2d%n", &year, &month, &end) == 2 && end == 7 && month >= 1 &&
        month <= 12) {
        *out_from_us = local_midnight(year, month, 1, zone_minutes);
        *out_to_us = month == 12 ? local_midnight(year + 1, 1, 1, zone_minutes)
                                 : local_midnight(year, month + 1, 1, zone_minutes);
        return 0;
    }
    return ERR_INVALID;
}
