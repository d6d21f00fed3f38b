#include "delivery_rig.h"

#include "delivery/track_clock.h"

struct rig {
    struct axis axis;
    struct track_clock clock;
    struct format *format;
};

static int64_t next(struct rig *rig, int64_t dts, int64_t wall_us, bool closes_gap)
{
    struct packet *pkt = rig_picture(rig->format, 0, 8);
    pkt->dts = dts;
    pkt->wall_us = wall_us;
    int64_t out = track_clock_next(&rig->clock, &rig->axis, pkt, closes_gap);
    packet_unref(&pkt);
    return out;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->format = rig_video(16);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    format_unref(&rig->format);
    free(rig);
    return 0;
}

static void begins_at_0_and_follows_decoding_times(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(next(rig, 5000000, 1000 * US_PER_S, false), 0);
    assert_int_equal(next(rig, 5003600, 1000 * US_PER_S + 41000, false), 3600);
    assert_int_equal(next(rig, 5007200, 1000 * US_PER_S + 79000, false), 7200);
    assert_int_equal(rig->clock.duration, 3600);
}

static void goes_on_by_wall_clock_after_a_reconnect(void **state)
{
    struct rig *rig = *state;
    next(rig, 5000000, 1000 * US_PER_S, false);
    next(rig, 5003600, 1000 * US_PER_S + 40000, false);
    /* 10 s later the camera counts from 0 again */
    assert_int_equal(next(rig, 0, 1010 * US_PER_S + 40000, false), 3600 + 900000);
    assert_int_equal(next(rig, 3600, 1010 * US_PER_S + 80000, false), 7200 + 900000);
}

static void never_goes_back_when_the_wall_clock_does(void **state)
{
    struct rig *rig = *state;
    next(rig, 0, 1000 * US_PER_S, false);
    next(rig, 9000, 1000 * US_PER_S + 100000, false);
    assert_int_equal(next(rig, 18000, 500 * US_PER_S, false), 18000);
    assert_int_equal(next(rig, 27000, 500 * US_PER_S + 100000, false), 27000);
    assert_int_equal(next(rig, 5, 500 * US_PER_S + 200000, false), 36000);
}

static void takes_gaps_out(void **state)
{
    struct rig *rig = *state;
    next(rig, 0, 1000 * US_PER_S, false);
    next(rig, 9000, 1000 * US_PER_S + 100000, false);
    assert_int_equal(next(rig, 0, 4600 * US_PER_S, true), 18000);
    assert_int_equal(next(rig, 9000, 4600 * US_PER_S + 100000, false), 27000);
}

static void keeps_sound_beside_the_picture_across_a_gap(void **state)
{
    struct rig *rig = *state;
    struct track_clock audio = {0};
    struct format *aac = rig_audio();
    struct packet *pkt = rig_sound(aac, 0);
    pkt->wall_us = 1000 * US_PER_S;
    next(rig, 0, 1000 * US_PER_S, false);
    assert_int_equal(track_clock_next(&audio, &rig->axis, pkt, false), 0);
    next(rig, 0, 1100 * US_PER_S, true); /* the picture before lasted 100 ms, by its SPS */
    track_clock_restart(&audio);
    pkt->dts = 0;
    pkt->wall_us = 1100 * US_PER_S + 500000;
    int64_t expected = (int64_t)((0.1 + 0.5) * 48000);
    int64_t out = track_clock_next(&audio, &rig->axis, pkt, false);
    assert_in_range(out, expected - 10, expected + 10);
    packet_unref(&pkt);
    format_unref(&aac);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(begins_at_0_and_follows_decoding_times),      T(goes_on_by_wall_clock_after_a_reconnect),
        T(never_goes_back_when_the_wall_clock_does),    T(takes_gaps_out),
        T(keeps_sound_beside_the_picture_across_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
