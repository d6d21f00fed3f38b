#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/motion_events.h"
#include "base/clock.h"

struct rig {
    struct motion_events events;
    int n_opened, n_updated, n_closed;
    struct event last;
};

static void on_event(void *ctx, enum motion_change change, const struct event *ev)
{
    struct rig *rig = ctx;
    rig->n_opened += change == MOTION_OPENED;
    rig->n_updated += change == MOTION_UPDATED;
    rig->n_closed += change == MOTION_CLOSED;
    assert_int_equal(ev->is_open, change != MOTION_CLOSED);
    rig->last = *ev;
}

static void rig_init(struct rig *rig)
{
    *rig = (struct rig){0};
    motion_events_init(&rig->events, &(struct motion_events_params){
                                         .camera_id = "cam-001", .fn = on_event, .ctx = rig});
}

static void picture(struct rig *rig, int64_t at_s, double score)
{
    struct motion_result r = {.is_motion = score > 0, .score = score};
    if (r.is_motion) {
        r.x = 0.5 - score / 2;
        r.y = 0.4;
        r.w = score;
        r.h = 0.2;
    }
    motion_events_add(&rig->events, &r, at_s * US_PER_S);
}

static void opens_with_motion_and_closes_after_quiet(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    picture(&rig, 100, 0);
    assert_int_equal(rig.n_opened, 0);
    picture(&rig, 102, 0.1);
    assert_int_equal(rig.n_opened, 1);
    picture(&rig, 104, 0.3);
    picture(&rig, 106, 0.2);
    for (int64_t t = 108; t <= 114; t += 2)
        picture(&rig, t, 0);
    assert_int_equal(rig.n_closed, 0);
    picture(&rig, 116, 0);
    assert_int_equal(rig.n_closed, 1);
    assert_string_equal(rig.last.camera_id, "cam-001");
    assert_int_equal(rig.last.from_us, 102 * US_PER_S);
    assert_int_equal(rig.last.to_us, 106 * US_PER_S);
    assert_true(rig.last.score == 0.3);
    assert_true(rig.last.x == 0.35 && rig.last.w > 0.299 && rig.last.w < 0.301);
}

static void pauses_shorter_than_quiet_stay_one_event(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    for (int64_t t = 0; t < 60; t += 2)
        picture(&rig, 100 + t, t % 6 == 0 ? 0.2 : 0);
    assert_int_equal(rig.n_opened, 1);
    assert_int_equal(rig.n_closed, 0);
    assert_true(rig.n_updated >= 8 && rig.n_updated <= 12);
}

static void a_long_event_is_cut(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    for (int64_t t = 0; t <= 1300; t += 2)
        picture(&rig, 100 + t, 0.2);
    assert_int_equal(rig.n_closed, 2);
    assert_int_equal(rig.n_opened, 3);
}

static void a_camera_that_falls_silent_closes_its_event(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    picture(&rig, 100, 0.2);
    motion_events_tick(&rig.events, 105 * US_PER_S);
    assert_int_equal(rig.n_closed, 0);
    motion_events_tick(&rig.events, 109 * US_PER_S);
    assert_int_equal(rig.n_closed, 1);
    motion_events_end(&rig.events);
    assert_int_equal(rig.n_closed, 1);
}

static void sparse_key_frames_do_not_split_an_event(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    for (int64_t t = 0; t <= 200; t += 10)
        picture(&rig, 100 + t, 0);
    for (int64_t t = 210; t <= 250; t += 10)
        picture(&rig, 100 + t, 0.2);
    assert_int_equal(rig.n_opened, 1);
    assert_int_equal(rig.n_closed, 0);
}

static void a_clock_that_steps_back_ends_the_event(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    picture(&rig, 100000, 0.2);
    picture(&rig, 50000, 0.2);
    assert_int_equal(rig.n_closed, 1);
    assert_int_equal(rig.n_opened, 2);
    assert_int_equal(rig.last.from_us, 50000 * US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_with_motion_and_closes_after_quiet),
        cmocka_unit_test(pauses_shorter_than_quiet_stay_one_event),
        cmocka_unit_test(a_long_event_is_cut),
        cmocka_unit_test(a_camera_that_falls_silent_closes_its_event),
        cmocka_unit_test(sparse_key_frames_do_not_split_an_event),
        cmocka_unit_test(a_clock_that_steps_back_ends_the_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
