/* Hours of packets as a receiver makes them, recorded in short segments. */
#include "rig.h"

#include <math.h>

#include "../media/camera_model.h"
#include "media/timeline.h"

#define MAX_KEYS      20000
#define MAX_ROWS      256
#define OFF_US        INT64_C(200000)
#define PICTURE_BYTES 40
#define WRITE_EVERY   5000

/* When key frames came: a segment begins with one of them. */
struct arrivals {
    int64_t n, n_keys;
    struct model_picture keys[MAX_KEYS], last;
};

static struct arrivals *record(struct rig *rig, const struct camera_traits *traits)
{
    struct arrivals *a = xcalloc(1, sizeof *a);
    struct camera_model m;
    struct model_picture p;
    struct timeline t;
    camera_model_init(&m, traits);
    timeline_init(&t, 90000, 0);
    while (camera_model_next(&m, &p)) {
        int64_t wall_us = RIG_START_US + p.arrival_us;
        struct timeline_stamp s = timeline_next(&t, p.rtp, p.arrival_us, wall_us);
        rig->ticks = s.dts;
        rig->wall_us = s.wall_us;
        rig->mono_us = p.arrival_us;
        rig_picture(rig, p.is_key);
        if (p.is_key) {
            assert_true(a->n_keys < MAX_KEYS);
            a->keys[a->n_keys++] = p;
        }
        a->last = p;
        if (++a->n % WRITE_EVERY == 0)
            rig_wait(rig, rig_is_written);
    }
    return a;
}

/* Whether the time is that of the picture: between its punctual and its real arrival. */
static bool is_time_of(int64_t wall_us, const struct model_picture *p)
{
    int64_t us = wall_us - RIG_START_US;
    return us > p->punctual_us - OFF_US && us < p->arrival_us + OFF_US;
}

/* From `at` on. False when it is the time of no key frame. */
static bool find_key(const struct arrivals *a, int64_t wall_us, int64_t *at)
{
    while (*at < a->n_keys && !is_time_of(wall_us, &a->keys[*at]))
        ++*at;
    return *at < a->n_keys;
}

static void check(struct rig *rig, const struct camera_traits *traits, const struct arrivals *a,
                  int64_t from_us)
{
    struct segment_row rows[MAX_ROWS];
    size_t n = rig_rows(rig, rows, MAX_ROWS);
    int64_t frames = 0, at = 0;
    assert_true(n > (size_t)(traits->hours * 55) && n <= MAX_ROWS);
    for (size_t i = 0; i < n; i++) {
        frames += rows[i].frames;
        if (rows[i].id.from_us >= from_us && !find_key(a, rows[i].id.from_us, &at))
            fail_msg("%s: segment %zu does not begin when its key frame came", traits->name, i);
        if (i == 0)
            continue;
        if (rows[i].id.from_us != rows[i - 1].to_us)
            fail_msg("%s: segment %zu is %ld us off the one before", traits->name, i,
                     (long)(rows[i].id.from_us - rows[i - 1].to_us));
        assert_int_equal(rows[i - 1].ended, SEGMENT_ROTATED);
    }
    assert_int_equal(frames, a->n);
    /* in all: to the end of the last picture */
    struct model_picture end = a->last;
    int64_t step_us = llround(1e6 / traits->fps);
    end.punctual_us += step_us;
    end.arrival_us += step_us;
    assert_true(is_time_of(rows[n - 1].to_us, &end));
    assert_true(rows[0].id.from_us >= RIG_START_US);
    assert_true(rows[0].id.from_us < RIG_START_US + OFF_US);
}

static const struct camera_traits cameras[] = {
    {.name = "true", .hours = 2, .fps = 25},
    {.name = "drift 300 ppm", .hours = 2, .fps = 25, .drift = 300e-6},
    {.name = "drift -1 %", .hours = 1, .fps = 25, .drift = -1e-2},
    {.name = "stamped 25, delivered 21", .hours = 2, .fps = 21, .stamp_fps = 25},
    {.name = "outliers", .hours = 1, .fps = 25, .outlier_every = 40},
    {.name = "varying", .hours = 1, .fps = 25, .is_varying = true},
    {.name = "stalls of 1.5 s", .hours = 1, .fps = 25, .stall_every_s = 60, .stall_s = 1.5},
    {.name = "narrow",
     .hours = 1,
     .fps = 25,
     .narrow_every_s = 100,
     .narrow_for_s = 4,
     .narrow_share = 0.8},
};

static void run(const struct camera_traits *traits)
{
    void *state = NULL;
    assert_int_equal(rig_setup(&state), 0);
    struct rig *rig = state;
    rig->params.segment_us = 60 * US_PER_S;
    rig->picture_bytes = PICTURE_BYTES;
    rig_open(rig);
    rig_record(rig, "cam");
    struct arrivals *a = record(rig, traits);
    rig_stop(rig);
    /* a wrong speed is known after 12 s */
    check(rig, traits, a, RIG_START_US + (traits->stamp_fps > 0 ? 12 * US_PER_S : 0));
    assert_int_equal(rig_check(rig), a->n);
    free(a);
    assert_int_equal(rig_teardown(&state), 0);
}

static void segments_tell_the_time_for_hours(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cameras); i++)
        run(&cameras[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(segments_tell_the_time_for_hours)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
