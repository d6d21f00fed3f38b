#include "media_rig.h"

#include <math.h>

#include "base/clock.h"
#include "media/timeline.h"

#define WALL0 INT64_C(1800000000000000)
#define FRAME 3600 /* 25 fps */

/* A camera: stamps `ticks` per frame, delivers one frame per `real_us`, arriving up to jitter_us
 * late. Checks every stamp's promises on the way. */
struct cam {
    struct timeline t;
    uint32_t rtp;
    double due_us;
    int64_t mono_us;
    uint32_t random;
    struct timeline_stamp last;
    bool has_last;
    double worst_s;                /* |wall - arrival| */
    double min_step_s, max_step_s; /* of dts */
    int n_jumps;
};

static struct cam new_cam(uint32_t timescale, int reorder)
{
    struct cam c = {.rtp = 0xfffff000, .random = 1, .min_step_s = INFINITY};
    timeline_init(&c.t, timescale, reorder);
    return c;
}

static struct timeline_stamp feed(struct cam *c, uint32_t rtp, int64_t mono_us)
{
    c->mono_us = mono_us > c->mono_us ? mono_us : c->mono_us;
    struct timeline_stamp s = timeline_next(&c->t, rtp, c->mono_us, WALL0 + c->mono_us);
    assert_true(s.pts >= s.dts);
    if (c->has_last) {
        assert_true(s.dts > c->last.dts);
        assert_true(s.wall_us >= c->last.wall_us);
        double step = (double)(s.dts - c->last.dts) / c->t.timescale;
        c->min_step_s = fmin(c->min_step_s, step);
        c->max_step_s = fmax(c->max_step_s, step);
    } else {
        assert_int_equal(s.dts, 0);
    }
    c->n_jumps += s.is_jump;
    c->worst_s = fmax(c->worst_s, fabs((double)(s.wall_us - WALL0 - c->mono_us)) / 1e6);
    c->last = s;
    c->has_last = true;
    return s;
}

static void forget_extremes(struct cam *c)
{
    c->worst_s = c->max_step_s = 0;
    c->min_step_s = INFINITY;
    c->n_jumps = 0;
}

static void run(struct cam *c, int n, uint32_t ticks, double real_us, uint32_t jitter_us)
{
    for (int i = 0; i < n; i++) {
        c->random = c->random * 1664525 + 1013904223;
        uint32_t late = jitter_us ? (c->random >> 8) % jitter_us : 0;
        feed(c, c->rtp, (int64_t)c->due_us + late);
        c->rtp += ticks;
        c->due_us += real_us;
    }
}

static void follows_an_honest_camera_exactly(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 100000, FRAME, 40000, 15000); /* 66 minutes, across a wrap of the RTP clock's sign */
    assert_int_equal(c.last.dts, 99999 * (int64_t)FRAME);
    assert_int_equal(c.last.pts, c.last.dts);
    assert_true(c.min_step_s == 0.04 && c.max_step_s == 0.04);
    assert_true(c.worst_s < 0.035);
    assert_int_equal(c.n_jumps, 0);
    assert_int_equal(c.t.n_outliers, 0);
}

static void T5_unwraps_the_clock(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 20 * 60 * 60 / 4 + 1, 4 * 90000, 4e6, 0); /* 20 hours at one picture in 4 s */
    assert_int_equal(c.last.dts, INT64_C(20) * 3600 * 90000);
    assert_int_equal(c.n_jumps, 0);
}

static bool is_exact(const struct cam *c, uint32_t ticks)
{
    double step_s = (double)ticks / c->t.timescale;
    return c->min_step_s == step_s && c->max_step_s == step_s;
}

static void bears_jitter(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct cam c = new_cam(90000, 0);
        c.random = seed * 7919;
        run(&c, 20000, FRAME, 40000, 120000); /* +-60 ms */
        assert_true(is_exact(&c, FRAME));
        assert_true(c.worst_s < 0.2);
        assert_int_equal(c.t.n_steered, 0);
    }
}

/* TCP hands over several pictures at once. */
static void bears_bursts(void **state)
{
    (void)state;
    static const int sizes[] = {5, 2, 10, 3};
    for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
        struct cam c = new_cam(90000, 0);
        for (int i = 0; i < 20000; i++) {
            int whole = i / sizes[k] * sizes[k] + sizes[k] - 1;
            feed(&c, (uint32_t)i * FRAME, whole * INT64_C(40000));
        }
        assert_true(is_exact(&c, FRAME));
        assert_true(c.worst_s < 0.4);
        assert_int_equal(c.t.n_steered, 0);
    }
}

static void bears_bursts_of_b_frames(void **state)
{
    (void)state;
    static const int order[] = {4, 2, 1, 3}; /* a pyramid */
    for (int burst = 1; burst <= 9; burst += 2) {
        struct cam c = new_cam(90000, 2);
        for (int i = 0; i < 20000; i++) {
            int display = i == 0 ? 0 : (i - 1) / 4 * 4 + order[(i - 1) % 4];
            int64_t mono_us = (i / burst * burst + burst - 1) * INT64_C(40000);
            struct timeline_stamp s = feed(&c, 77u + (uint32_t)display * FRAME, mono_us);
            assert_int_equal(s.dts, i * (int64_t)FRAME);
            assert_int_equal(s.pts, (display + 2) * (int64_t)FRAME);
        }
        assert_int_equal(c.t.n_steered, 0);
        assert_int_equal(c.n_jumps, 0);
    }
}

/* A live camera over TCP: late by what the encoder takes, sometimes by a stall. */
static void follows_15_fps_exactly(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    for (int i = 0; i < 15 * 600; i++) {
        c.random = c.random * 1664525 + 1013904223;
        int64_t late_us = (c.random >> 8) % 25000 + (i % 97 < 3 ? 300000 : 0) + (i == 0) * 80000;
        feed(&c, (uint32_t)i * 6000, i * INT64_C(1000000) / 15 + late_us);
    }
    assert_true(is_exact(&c, 6000));
    assert_int_equal(c.t.n_steered, 0);
}

static void takes_a_backlog_at_the_start(void **state)
{
    (void)state;
    for (int n = 5; n <= 250; n += 35) {
        struct cam c = new_cam(90000, 0);
        run(&c, n, FRAME, 0, 0);
        c.due_us += 40000;
        run(&c, 15000, FRAME, 40000, 10000);
        assert_true(is_exact(&c, FRAME));
        assert_true(c.worst_s < 0.2);
        assert_int_equal(c.t.n_steered, 0);
    }
}

static void T2_absorbs_drift_of_a_day(void **state)
{
    (void)state;
    static const double drift[] = {50e-6, -50e-6, 20e-6, -100e-6};
    for (size_t i = 0; i < ARRAY_LEN(drift); i++) {
        struct cam c = new_cam(90000, 0);
        run(&c, 25 * 86400, FRAME, 40000 * (1 + drift[i]), 30000);
        assert_true(c.worst_s < 0.2);
        assert_true(c.min_step_s > 0.04 * 0.99 && c.max_step_s < 0.04 * 1.01);
        double media_s = (double)c.last.dts / 90000;
        assert_true(media_s > 86390);
        assert_true(fabs(media_s - (double)c.mono_us / 1e6) < 0.25);
        assert_true(c.t.rate == 1 && c.t.n_steered > 0);
    }
}

/* T1: nominal stamps, slower or faster delivery, in the first second or in the middle. */
static void T1_steers_wrong_speeds_to_arrival(void **state)
{
    (void)state;
    static const double fps[] = {21, 24, 24.9, 25.1, 27, 15, 50, 12, 8};
    for (size_t i = 0; i < ARRAY_LEN(fps); i++) {
        struct cam c = new_cam(90000, 0);
        double real = 1e6 / fps[i];
        run(&c, (int)(fps[i] * 10), FRAME, real, 5000);
        run(&c, (int)(fps[i] * 170), FRAME, real,
            5000); /* learns, and makes good what was before */
        forget_extremes(&c);
        int64_t dts = c.last.dts, mono_us = c.mono_us;
        run(&c, (int)(fps[i] * 600), FRAME, real, 5000);
        if (c.worst_s >= 0.2)
            print_error("%g fps: %g s\n", fps[i], c.worst_s);
        assert_true(c.worst_s < 0.2);
        /* smooth */
        assert_true(c.min_step_s > 0.9 / fps[i] && c.max_step_s < 1.1 / fps[i]);
        assert_int_equal(c.n_jumps, 0);
        /* media time is real time */
        double media_s = (double)(c.last.dts - dts) / 90000;
        assert_true(fabs(media_s - (double)(c.mono_us - mono_us) / 1e6) < 0.2);
    }
}

static void T1_holds_over_hours(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 21 * 15, FRAME, 1e6 / 21, 20000);
    forget_extremes(&c);
    run(&c, 21 * 3600 * 4, FRAME, 1e6 / 21, 20000);
    assert_true(c.worst_s < 0.2);
    assert_true(c.min_step_s > 0.9 / 21 && c.max_step_s < 1.1 / 21);
    run(&c, 25 * 30, FRAME, 40000, 20000); /* snaps back */
    assert_true(c.t.rate == 1);
}

static void T2_absorbs_drift(void **state)
{
    (void)state;
    static const double drift[] = {50e-6, 0.001, 0.01, -50e-6, -0.001, -0.01};
    for (size_t i = 0; i < ARRAY_LEN(drift); i++) {
        struct cam c = new_cam(90000, 0);
        run(&c, 25 * 3600, FRAME, 40000 * (1 + drift[i]), 10000);
        assert_true(c.worst_s < 0.2);
        assert_true(c.min_step_s > 0.037 && c.max_step_s < 0.043);
        assert_int_equal(c.n_jumps, 0);
    }
}

static void follows_a_change_of_speed(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 250, FRAME, 40000, 5000);
    run(&c, 21 * 20, FRAME, 1e6 / 21, 5000); /* night: fewer frames, the same stamps */
    forget_extremes(&c);
    run(&c, 21 * 60, FRAME, 1e6 / 21, 5000);
    assert_true(c.worst_s < 0.2);
    run(&c, 25 * 20, FRAME, 40000, 5000);
    forget_extremes(&c);
    run(&c, 25 * 60, FRAME, 40000, 5000);
    assert_true(c.worst_s < 0.2);
    /* and one that says so */
    run(&c, 3 * 20, 30000, 1e6 / 3, 5000);
    run(&c, 25 * 20, FRAME, 40000, 5000);
    forget_extremes(&c);
    run(&c, 25 * 60, FRAME, 40000, 5000);
    assert_true(c.worst_s < 0.1);
}

static void is_not_pushed_by_a_stall(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 500, FRAME, 40000, 2000);
    /* two seconds of frames arrive at once */
    int64_t end_us = (int64_t)c.due_us + 2000000;
    for (int i = 0; i < 50; i++) {
        feed(&c, c.rtp, end_us);
        c.rtp += FRAME;
        c.due_us += 40000;
    }
    assert_true(is_exact(&c, FRAME));
    forget_extremes(&c);
    run(&c, 500, FRAME, 40000, 2000);
    assert_true(c.worst_s < 0.1);
    assert_true(is_exact(&c, FRAME));
    assert_int_equal(c.n_jumps, 0);
}

/* A link that is too narrow for two seconds, then catches up. */
static void is_not_misled_by_a_dip(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 500, FRAME, 40000, 2000);
    forget_extremes(&c);
    run(&c, 50, FRAME, 52000, 2000);
    run(&c, 50, FRAME, 28000, 2000);
    run(&c, 500, FRAME, 40000, 2000);
    assert_true(is_exact(&c, FRAME));
}

/* Recorders and some cameras send what they have kept at once when play starts. */
static void is_not_misled_by_a_burst_at_the_start(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 75, FRAME, 100, 0);
    c.due_us += 40000;
    run(&c, 250, FRAME, 40000, 2000);
    assert_true(c.worst_s < 0.25);
    forget_extremes(&c);
    run(&c, 1000, FRAME, 40000, 2000);
    assert_true(c.worst_s < 0.2);
    assert_true(is_exact(&c, FRAME));
}

/* T3: single outliers are replaced, without moving anything else. */
static void T3_replaces_outliers(void **state)
{
    (void)state;
    static const int32_t far_off[] = {-9800 * 90000, 6 * 90000, INT32_MAX, INT32_MIN, -90000 * 3};
    for (size_t k = 0; k < ARRAY_LEN(far_off); k++) {
        struct cam c = new_cam(90000, 0);
        for (int i = 0; i < 500; i++) {
            uint32_t rtp = c.rtp + (i % 50 == 30 ? (uint32_t)far_off[k] : 0);
            struct timeline_stamp s = feed(&c, rtp, (int64_t)c.due_us);
            assert_int_equal(s.dts, i * (int64_t)FRAME);
            c.rtp += FRAME;
            c.due_us += 40000;
        }
        assert_int_equal(c.n_jumps, 0);
        assert_int_equal(c.t.n_outliers, 10);
    }
}

static void T3_joins_a_new_start_after_three_that_agree(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 100, FRAME, 40000, 0);
    c.rtp -= 777777777;
    run(&c, 2, FRAME, 40000, 0);
    assert_int_equal(c.n_jumps, 0);
    run(&c, 1, FRAME, 40000, 0);
    assert_int_equal(c.n_jumps, 1);
    run(&c, 100, FRAME, 40000, 0);
    assert_int_equal(c.n_jumps, 1);
    assert_int_equal(c.last.dts, 202 * (int64_t)FRAME);
}

static void believes_a_pause_that_the_arrival_confirms(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 100, FRAME, 40000, 0);
    c.rtp += 20 * 90000;
    c.due_us += 20e6;
    run(&c, 100, FRAME, 40000, 0);
    assert_int_equal(c.last.dts, 199 * (int64_t)FRAME + 20 * 90000);
    assert_int_equal(c.n_jumps, 0);
    assert_true(c.worst_s < 0.01);
}

/* The camera was stuck and goes on counting where it stopped. */
static void catches_up_with_time_that_stamps_do_not_tell(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 500, FRAME, 40000, 0);
    c.due_us += 8e6;
    run(&c, 500, FRAME, 40000, 0);
    assert_int_equal(c.n_jumps, 1);
    forget_extremes(&c);
    run(&c, 500, FRAME, 40000, 0);
    assert_true(c.worst_s < 0.1);
}

/* T4 */
static void T4_spreads_equal_stamps(void **state)
{
    (void)state;
    struct cam c = new_cam(90000, 0);
    run(&c, 50, 2 * FRAME, 80000, 0);
    for (int i = 0; i < 500; i++) {
        feed(&c, c.rtp, (int64_t)c.due_us);
        c.rtp += i & 1 ? 2 * FRAME : 0;
        c.due_us += 40000;
    }
    assert_true(c.worst_s < 0.1);
    assert_int_equal(c.n_jumps, 0);
    struct cam frozen = new_cam(90000, 0);
    run(&frozen, 1000, 0, 40000, 0);
    forget_extremes(&frozen);
    run(&frozen, 1000, 0, 40000, 0);
    assert_true(frozen.worst_s < 0.2);
}

/* IPBB: stamps of P lie ahead. */
static void H13_derives_decode_times_of_b_frames(void **state)
{
    (void)state;
    static const int order[] = {0, 3, 1, 2};
    struct cam c = new_cam(90000, 2);
    for (int i = 0; i < 900; i++) {
        int display = i == 0 ? 0 : (i - 1) / 3 * 3 + order[1 + (i - 1) % 3];
        struct timeline_stamp s = feed(&c, c.rtp + (uint32_t)display * FRAME, (int64_t)i * 40000);
        assert_int_equal(s.dts, i * (int64_t)FRAME);
        assert_int_equal(s.pts, (display + 2) * (int64_t)FRAME);
    }
    assert_int_equal(c.n_jumps, 0);
    assert_true(c.worst_s < 0.15);
}

/* A cached group comes at once: times are pressed together, but pictures stay in order. */
static void H13_keeps_the_order_of_b_frames_in_a_burst(void **state)
{
    (void)state;
    static const int order[] = {0, 3, 1, 2};
    struct cam c = new_cam(90000, 2);
    int64_t pts[301] = {0};
    for (int i = 0; i <= 300; i++) {
        int display = i == 0 ? 0 : (i - 1) / 3 * 3 + order[1 + (i - 1) % 3];
        pts[display] = feed(&c, c.rtp + (uint32_t)display * FRAME, (int64_t)i * 16000).pts;
    }
    for (int i = 1; i <= 300; i++)
        assert_true(pts[i] > pts[i - 1]);
}

static void begins_to_reorder_with_a_new_format(void **state)
{
    (void)state;
    static const int order[] = {0, 3, 1, 2};
    struct cam c = new_cam(90000, 0);
    run(&c, 100, FRAME, 40000, 0);
    c.t.reorder_frames = 2;
    int64_t first = 0, last = 0;
    for (int i = 0; i <= 300; i++) {
        int display = i == 0 ? 0 : (i - 1) / 3 * 3 + order[1 + (i - 1) % 3];
        struct timeline_stamp s =
            feed(&c, c.rtp + (uint32_t)display * FRAME, (int64_t)c.due_us + (int64_t)i * 40000);
        first = i == 0 ? s.pts : first;
        assert_int_equal(s.pts - first, display * (int64_t)FRAME);
        assert_true(i == 0 || s.dts == last + FRAME);
        last = s.dts;
    }
    assert_true(c.worst_s < 0.15);
    assert_int_equal(c.n_jumps, 0);
}

static void H13_finds_b_frames_that_nobody_told_of(void **state)
{
    (void)state;
    static const int order[] = {0, 3, 1, 2};
    struct cam c = new_cam(90000, 0);
    int64_t offset = 0;
    for (int i = 0; i < 900; i++) {
        int display = i == 0 ? 0 : (i - 1) / 3 * 3 + order[1 + (i - 1) % 3];
        struct timeline_stamp s = feed(&c, c.rtp + (uint32_t)display * FRAME, (int64_t)i * 40000);
        assert_true(s.pts - s.dts <= 4 * FRAME);
        if (i == 30)
            offset = s.pts - display * (int64_t)FRAME;
        assert_true(i < 30 || s.pts - display * (int64_t)FRAME == offset);
    }
    assert_true(offset > 0 && offset < 12 * FRAME);
    assert_true(c.worst_s < 0.25);
}

static void follows_steps_of_the_wall_clock(void **state)
{
    (void)state;
    struct timeline t;
    timeline_init(&t, 90000, 0);
    int64_t wall = WALL0;
    for (uint32_t i = 0; i < 300; i++) {
        int64_t mono = (int64_t)i * 40000;
        if (i == 100)
            wall += 86400 * US_PER_S;
        if (i == 200)
            wall -= 2 * 86400 * US_PER_S;
        struct timeline_stamp s = timeline_next(&t, i * FRAME, mono, wall + mono);
        assert_true(llabs(s.wall_us - wall - mono) < 1000);
        assert_int_equal(s.dts, i * (int64_t)FRAME);
    }
}

static void steers_audio_alike(void **state)
{
    (void)state;
    struct cam c = new_cam(16000, 0);
    run(&c, 20000, 1024, 64000, 5000);
    assert_int_equal(c.last.dts, 19999 * INT64_C(1024));
    struct cam half = new_cam(16000, 0); /* stamped at 8000, as the rtpmap says */
    run(&half, 2000, 512, 64000, 5000);
    forget_extremes(&half);
    run(&half, 20000, 512, 64000, 5000);
    assert_true(half.worst_s < 0.2);
}

/* Whatever comes, the promises hold. */
static void keeps_its_promises_with_noise(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        struct cam c = new_cam(seed % 2 ? 90000 : 8000, (int)(seed % 5));
        uint32_t r = seed;
        for (int i = 0; i < 500; i++) {
            r = r * 1664525 + 1013904223;
            c.rtp += r >> 28 == 0 ? r : (r >> 16) % 8000 - 1000;
            feed(&c, c.rtp, c.mono_us + (r >> 4) % 200000);
            assert_true(c.last.wall_us - WALL0 < c.mono_us + 2000000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_an_honest_camera_exactly),
        cmocka_unit_test(bears_jitter),
        cmocka_unit_test(bears_bursts),
        cmocka_unit_test(bears_bursts_of_b_frames),
        cmocka_unit_test(follows_15_fps_exactly),
        cmocka_unit_test(takes_a_backlog_at_the_start),
        cmocka_unit_test(T2_absorbs_drift_of_a_day),
        cmocka_unit_test(T5_unwraps_the_clock),
        cmocka_unit_test(T1_steers_wrong_speeds_to_arrival),
        cmocka_unit_test(T1_holds_over_hours),
        cmocka_unit_test(T2_absorbs_drift),
        cmocka_unit_test(follows_a_change_of_speed),
        cmocka_unit_test(is_not_pushed_by_a_stall),
        cmocka_unit_test(is_not_misled_by_a_dip),
        cmocka_unit_test(is_not_misled_by_a_burst_at_the_start),
        cmocka_unit_test(T3_replaces_outliers),
        cmocka_unit_test(T3_joins_a_new_start_after_three_that_agree),
        cmocka_unit_test(believes_a_pause_that_the_arrival_confirms),
        cmocka_unit_test(catches_up_with_time_that_stamps_do_not_tell),
        cmocka_unit_test(T4_spreads_equal_stamps),
        cmocka_unit_test(H13_derives_decode_times_of_b_frames),
        cmocka_unit_test(H13_keeps_the_order_of_b_frames_in_a_burst),
        cmocka_unit_test(begins_to_reorder_with_a_new_format),
        cmocka_unit_test(H13_finds_b_frames_that_nobody_told_of),
        cmocka_unit_test(follows_steps_of_the_wall_clock),
        cmocka_unit_test(steers_audio_alike),
        cmocka_unit_test(keeps_its_promises_with_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
