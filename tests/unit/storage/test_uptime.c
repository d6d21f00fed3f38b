#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "storage/uptime.h"

enum { ZONE = 480 };
#define HOUR (3600 * US_PER_S)

/* Midnight of 2026-11-23 in Shanghai. */
static int64_t midnight(void)
{
    int64_t from, to;
    assert_int_equal(uptime_period("2026-11-23", ZONE, &from, &to), 0);
    return from;
}

static struct uptime_state state(int64_t from_h, int64_t to_h, const char *cause)
{
    struct uptime_state s = {.from_us = midnight() + from_h * HOUR,
                             .to_us = to_h < 0 ? 0 : midnight() + to_h * HOUR,
                             .is_online = strcmp(cause, "ok") == 0};
    snprintf(s.cause, sizeof s.cause, "%s", cause);
    snprintf(s.detail, sizeof s.detail, "because %s", cause);
    return s;
}

static struct uptime_span span(int64_t from_h, int64_t to_h)
{
    return (struct uptime_span){midnight() + from_h * HOUR, midnight() + to_h * HOUR};
}

static struct uptime compute(const struct uptime_state *states, size_t n_states,
                             const struct uptime_span *runs, size_t n_runs,
                             const struct uptime_span *recorded, size_t n_recorded, int hours)
{
    struct uptime u;
    struct uptime_input in = {.from_us = midnight(),
                              .to_us = midnight() + hours * HOUR,
                              .now_us = midnight() + 1000 * HOUR,
                              .zone_minutes = ZONE,
                              .states = states,
                              .n_states = n_states,
                              .runs = runs,
                              .n_runs = n_runs,
                              .recorded = recorded,
                              .n_recorded = n_recorded};
    uptime_compute(&in, &u);
    return u;
}

static void the_first_attempt_after_a_start_is_unknown(void **unused)
{
    (void)unused;
    struct uptime_state s[] = {state(2, 3, "connecting"), state(3, 10, "ok"),
                               state(10, 11, "connecting"), state(11, 24, "ok")};
    struct uptime_span run[] = {span(2, 30)}, rec[] = {span(3, 24)};
    struct uptime u = compute(s, 4, run, 1, rec, 1, 24);
    assert_int_equal(u.total.expected_us, 22 * HOUR);
    assert_int_equal(u.total.known_us, 21 * HOUR); /* the later attempt counts */
    assert_int_equal(u.total.online_us, 20 * HOUR);
    assert_int_equal(u.n_outages, 1);
    assert_int_equal(u.outages[0].from_us, midnight() + 10 * HOUR);
    uptime_fini(&u);
}

static void a_perfect_day(void **unused)
{
    (void)unused;
    struct uptime_state s[] = {state(0, 24, "ok")};
    struct uptime_span run[] = {span(-5, 30)}, rec[] = {span(0, 24)};
    struct uptime u = compute(s, 1, run, 1, rec, 1, 24);
    assert_int_equal(u.n_days, 1);
    assert_int_equal(u.total.expected_us, 24 * HOUR);
    assert_int_equal(u.total.known_us, 24 * HOUR);
    assert_int_equal(u.total.online_us, 24 * HOUR);
    assert_int_equal(u.total.recorded_us, 24 * HOUR);
    assert_int_equal(u.total.own_down_us, 0);
    assert_int_equal(u.n_outages, 0);
    uptime_fini(&u);
}

static void what_is_unknown_is_never_good(void **unused)
{
    (void)unused;
    struct uptime_state s[] = {state(0, 6, "ok"), state(18, 24, "ok")};
    struct uptime_span run[] = {span(0, 24)};
    struct uptime u = compute(s, 2, run, 1, NULL, 0, 24);
    assert_int_equal(u.total.expected_us, 24 * HOUR);
    assert_int_equal(u.total.known_us, 12 * HOUR);
    assert_int_equal(u.total.online_us, 12 * HOUR);
    uptime_fini(&u);
}

static void our_own_downtime_is_nobody_elses(void **unused)
{
    (void)unused;
    /* the state is said to last, but for six hours nobody was there to see it */
    struct uptime_state s[] = {state(0, 24, "timeout")};
    struct uptime_span run[] = {span(0, 6), span(12, 24)};
    struct uptime u = compute(s, 1, run, 2, NULL, 0, 24);
    assert_int_equal(u.total.own_down_us, 6 * HOUR);
    assert_int_equal(u.total.expected_us, 18 * HOUR);
    assert_int_equal(u.total.known_us, 18 * HOUR);
    assert_int_equal(u.total.online_us, 0);
    uptime_fini(&u);
}

static void a_disabled_camera_owes_nothing(void **unused)
{
    (void)unused;
    struct uptime_state s[] = {state(0, 8, "ok"), state(8, 20, "disabled"), state(20, 22, "idle"),
                               state(22, 24, "auth")};
    struct uptime_span run[] = {span(0, 24)}, rec[] = {span(0, 8)};
    struct uptime u = compute(s, 4, run, 1, rec, 1, 24);
    assert_int_equal(u.total.expected_us, 10 * HOUR);
    assert_int_equal(u.total.known_us, 10 * HOUR);
    assert_int_equal(u.total.online_us, 8 * HOUR);
    assert_int_equal(u.total.recorded_us, 8 * HOUR);
    assert_int_equal(u.n_outages, 1);
    assert_string_equal(u.outages[0].cause, "auth");
    uptime_fini(&u);
}

static void days_are_natural_days_of_the_zone(void **unused)
{
    (void)unused;
    struct uptime_state s[] = {state(0, 36, "ok"), state(36, 60, "refused"), state(60, -1, "ok")};
    struct uptime_span run[] = {span(0, 100)}, rec[] = {span(0, 36), span(60, 72)};
    struct uptime u = compute(s, 3, run, 1, rec, 2, 72);
    assert_int_equal(u.n_days, 3);
    assert_int_equal(u.days[0].online_us, 24 * HOUR);
    assert_int_equal(u.days[1].online_us, 12 * HOUR);
    assert_int_equal(u.days[2].online_us, 12 * HOUR);
    assert_int_equal(u.days[1].recorded_us, 12 * HOUR);
    assert_int_equal(u.days[1].from_us, midnight() + 24 * HOUR);
    assert_int_equal(u.n_outages, 1);
    assert_int_equal(u.outages[0].to_us - u.outages[0].from_us, 24 * HOUR);
    assert_false(u.outages[0].is_open);
    uptime_fini(&u);
}

static void touching_troubles_are_one_outage(void **unused)
{
    (void)unused;
    struct uptime_state s[] = {state(0, 1, "ok"),         state(1, 2, "timeout"),
                               state(2, 5, "connecting"), state(5, 7, "auth"),
                               state(7, 8, "ok"),         state(8, 24, "dns")};
    struct uptime_span run[] = {span(0, 24)};
    struct uptime u = compute(s, 6, run, 1, NULL, 0, 24);
    assert_int_equal(u.n_outages, 2);
    assert_int_equal(u.outages[0].to_us - u.outages[0].from_us, 6 * HOUR);
    assert_string_equal(u.outages[0].cause, "auth");
    assert_string_equal(u.outages[0].detail, "because auth");
    assert_true(u.outages[1].is_open);
    uptime_fini(&u);
}

static void the_future_is_not_counted(void **unused)
{
    (void)unused;
    struct uptime_state s[] = {state(0, -1, "ok")};
    struct uptime_span run[] = {span(0, 10)};
    struct uptime u;
    struct uptime_input in = {.from_us = midnight(),
                              .to_us = midnight() + 24 * HOUR,
                              .now_us = midnight() + 10 * HOUR,
                              .zone_minutes = ZONE,
                              .states = s,
                              .n_states = 1,
                              .runs = run,
                              .n_runs = 1};
    uptime_compute(&in, &u);
    assert_int_equal(u.total.expected_us, 10 * HOUR);
    assert_int_equal(u.total.online_us, 10 * HOUR);
    uptime_fini(&u);
}

/* Sums over days equal the whole, however the range is cut: the report can be recomputed. */
static void sums_do_not_depend_on_cuts(void **unused)
{
    (void)unused;
    enum { N = 40 };
    struct uptime_state s[N];
    struct uptime_span run[] = {span(1, 20), span(23, 60), span(61, 90)};
    struct uptime_span rec[] = {span(2, 11), span(12, 45), span(70, 71)};
    static const char *const causes[] = {"ok", "timeout", "connecting", "disabled", "auth"};
    for (int i = 0; i < N; i++)
        s[i] = state(i * 2 + i % 2, i * 2 + 2, causes[i * 7 % 5]);
    struct uptime whole = compute(s, N, run, 3, rec, 3, 96);
    struct uptime_day sum = {0};
    for (int h = 0; h < 96; h += 3) {
        struct uptime part;
        struct uptime_input in = {.from_us = midnight() + h * HOUR,
                                  .to_us = midnight() + (h + 3) * HOUR,
                                  .now_us = midnight() + 1000 * HOUR,
                                  .zone_minutes = ZONE,
                                  .states = s,
                                  .n_states = N,
                                  .runs = run,
                                  .n_runs = 3,
                                  .recorded = rec,
                                  .n_recorded = 3};
        uptime_compute(&in, &part);
        uptime_add(&sum, &part.total);
        uptime_fini(&part);
    }
    assert_int_equal(sum.expected_us, whole.total.expected_us);
    assert_int_equal(sum.known_us, whole.total.known_us);
    assert_int_equal(sum.online_us, whole.total.online_us);
    assert_int_equal(sum.own_down_us, whole.total.own_down_us);
    uptime_fini(&whole);
}

static void periods(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        int rc;
        const char *from, *to;
    } rows[] = {
        {"2026-11", 0, "2026-10-31T16:00:00.000Z", "2026-11-30T16:00:00.000Z"},
        {"2026-12", 0, "2026-11-30T16:00:00.000Z", "2026-12-31T16:00:00.000Z"},
        {"2026-11-23", 0, "2026-11-22T16:00:00.000Z", "2026-11-23T16:00:00.000Z"},
        {"2026-W47", 0, "2026-11-15T16:00:00.000Z", "2026-11-22T16:00:00.000Z"},
        {"2026-W01", 0, "2025-12-28T16:00:00.000Z", "2026-01-04T16:00:00.000Z"},
        {"2021-W01", 0, "2021-01-03T16:00:00.000Z", "2021-01-10T16:00:00.000Z"},
        {"2024-02-29", 0, "2024-02-28T16:00:00.000Z", "2024-02-29T16:00:00.000Z"},
        {"2026-02-29", ERR_INVALID, "", ""},
        {"2026-13", ERR_INVALID, "", ""},
        {"2026-W54", ERR_INVALID, "", ""},
        {"2026", ERR_INVALID, "", ""},
        {"2026-11-2x", ERR_INVALID, "", ""},
        {"", ERR_INVALID, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t from, to;
        char text[CLOCK_RFC3339_BYTES];
        assert_int_equal(uptime_period(rows[i].text, ZONE, &from, &to), rows[i].rc);
        if (rows[i].rc < 0)
            continue;
        assert_string_equal(rfc3339_print(from, text), rows[i].from);
        assert_string_equal(rfc3339_print(to, text), rows[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_attempt_after_a_start_is_unknown),
        cmocka_unit_test(a_perfect_day),
        cmocka_unit_test(what_is_unknown_is_never_good),
        cmocka_unit_test(our_own_downtime_is_nobody_elses),
        cmocka_unit_test(a_disabled_camera_owes_nothing),
        cmocka_unit_test(days_are_natural_days_of_the_zone),
        cmocka_unit_test(touching_troubles_are_one_outage),
        cmocka_unit_test(the_future_is_not_counted),
        cmocka_unit_test(sums_do_not_depend_on_cuts),
        cmocka_unit_test(periods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
