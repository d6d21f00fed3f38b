/* What clocks do to recordings: the wall clock is set by a day, summer time begins or ends, two
 * cameras rotate in the same instant. Nothing is lost, and the files alone tell the same. */
#include "rig.h"

#include "media/hub.h"
#include "storage/db_segments.h"

static void check_and_rebuild(struct rig *rig, int64_t frames)
{
    struct segment_row before[16], after[16];
    struct index_report report;
    size_t n = rig_rows(rig, before, 16);
    assert_true(n <= 16);
    assert_int_equal(rig_check(rig), frames);
    assert_int_equal(storage_index_rebuild(rig->storage, NULL, NULL, &report, NULL), 0);
    assert_int_equal(rig_rows(rig, after, 16), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(after[i].id.from_us, before[i].id.from_us);
        assert_int_equal(after[i].to_us, before[i].to_us);
        assert_int_equal(after[i].frames, before[i].frames);
    }
}

/* The segments of two cameras have the same times to the microsecond. */
static void two_cameras_rotate_in_one_instant(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[16];
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    struct rig second = *rig;
    rig_record(rig, "cam");
    rig_record(&second, "cam-2");
    for (int i = 0; i < 6; i++) {
        rig_pictures(rig, 50, 25);
        rig_pictures(&second, 50, 25);
    }
    rig_stop(&second);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 16), 6);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rows[i].id.from_us, rows[i + 3].id.from_us);
        assert_string_not_equal(rows[i].id.camera_id, rows[i + 3].id.camera_id);
    }
    check_and_rebuild(rig, 600);
}

/* Every jump cuts; what is recorded in the wrong day stands there. */
static void the_clock_is_set_by_a_day_and_back(void **state)
{
    static const int64_t jumps[] = {US_PER_DAY, -US_PER_DAY, -US_PER_DAY, US_PER_DAY};
    struct rig *rig = *state;
    struct segment_row rows[16];
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
        rig->wall_us += jumps[i];
        rig_pictures(rig, 100, 25);
    }
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 16), 5);
    int n_clock = 0;
    for (size_t i = 0; i < 5; i++) {
        n_clock += rows[i].ended == SEGMENT_CLOCK;
        assert_true(rows[i].to_us - rows[i].id.from_us < 10 * US_PER_S);
    }
    assert_int_equal(n_clock, 4);
    check_and_rebuild(rig, 500);
}

/* Back by less than a segment: the same moments are recorded twice, in two files. */
static void an_hour_comes_twice_when_the_clock_is_set_back(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 200, 25);
    rig->wall_us -= 4 * US_PER_S;
    rig_pictures(rig, 200, 25);
    rig_stop(rig);
    check_and_rebuild(rig, 400);
}

/* Names and rows are in UTC; the time zone of the machine changes nothing. */
static void summer_time_ends_without_a_trace(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[SEGMENT_PATH_BYTES];
    const char *zone = getenv("TZ");
    char *kept = zone != NULL ? xstrdup(zone) : NULL;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    rig->wall_us = INT64_C(1792889990000000); /* 2026-10-25T00:59:50Z, 02:59:50 in summer */
    atomic_store(&rig->clock.now_wall_us, rig->wall_us);
    rig->params.segment_us = 10 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 500, 25);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 8), 2);
    assert_int_equal(rows[0].ended, SEGMENT_ROTATED);
    assert_int_equal(rows[0].to_us, rows[1].id.from_us);
    assert_non_null(strstr(segment_path(&rows[1].id, path), "/2026/10/25/010000.000-"));
    check_and_rebuild(rig, 500);
    if (kept != NULL)
        setenv("TZ", kept, 1);
    else
        unsetenv("TZ");
    tzset();
    free(kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_cameras_rotate_in_one_instant),
        TEST(the_clock_is_set_by_a_day_and_back),
        TEST(an_hour_comes_twice_when_the_clock_is_set_back),
        TEST(summer_time_ends_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
