/* Uptime by arithmetic: from intervals of what is known about a camera to numerators and
 * denominators per natural day. What is unknown is no uptime and no downtime: it lowers the
 * coverage.
 *
 *   expected  the camera is asked to deliver, and the server was there to see it
 *   known     of expected: a state says how it was; the first attempt to connect after the server
 *             started says nothing yet
 *   online    of known: reachable and advancing (and recording, where it is to be recorded)
 *   recorded  of expected: pictures are in the index
 *   own_down  the server was not running; nobody's fault but ours, not expected
 *
 * online rate = online / known · recording rate = recorded / expected · coverage = known /
 * expected. Thread: pure functions. */
#ifndef STORAGE_UPTIME_H
#define STORAGE_UPTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uptime_span {
    int64_t from_us, to_us;
};

/* How a camera was; in order, not overlapping. */
struct uptime_state {
    int64_t from_us, to_us; /* to_us 0 = until `now` */
    char cause[24];         /* `disabled` and `idle`: nothing is expected */
    char detail[200];
    bool is_online;
};

struct uptime_outage {
    int64_t from_us, to_us;
    char cause[24]; /* the one that lasted longest */
    char detail[200];
    bool is_open; /* still lasting at the end of what was asked */
};

struct uptime_day {
    int64_t from_us, to_us; /* of the natural day, cut by what was asked */
    int64_t expected_us, known_us, online_us, recorded_us, own_down_us;
};

struct uptime_input {
    int64_t from_us, to_us; /* to_us is cut at now_us */
    int64_t now_us;
    int zone_minutes; /* east of UTC; 480 = Asia/Shanghai */
    const struct uptime_state *states;
    size_t n_states;
    const struct uptime_span *runs; /* of the server, in order, not overlapping */
    size_t n_runs;
    const struct uptime_span *recorded; /* in order, not overlapping */
    size_t n_recorded;
    int64_t min_outage_us; /* shorter ones are not listed; 0 = 5 s */
};

struct uptime {
    struct uptime_day *days;
    size_t n_days;
    struct uptime_outage *outages; /* separate states of trouble that touch are one outage */
    size_t n_outages;
    struct uptime_day total;
};

void uptime_compute(const struct uptime_input *in, struct uptime *out);
void uptime_fini(struct uptime *u);
void uptime_add(struct uptime_day *sum, const struct uptime_day *day);

/* The start of the natural day that holds `at_us`. */
int64_t uptime_day_start(int64_t at_us, int zone_minutes);

/* "2026-11", "2026-W47" or "2026-11-23" as a range of time in the zone; ERR_INVALID. */
int uptime_period(const char *text, int zone_minutes, int64_t *out_from_us, int64_t *out_to_us);

#endif
