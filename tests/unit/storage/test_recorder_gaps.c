/* What is missing between pictures, and how long they last. */
#include "rig.h"

#include <unistd.h>

#include "media/hub.h"
#include "storage/repair.h"

/* A camera that is recorded. */
static int setup(void **state)
{
    if (rig_setup(state) < 0)
        return -1;
    rig_open(*state);
    rig_record(*state, "cam");
    return 0;
}

/* Pictures that go on with the group. */
static void deltas(struct rig *rig, int n)
{
    for (int i = 0; i < n; i++)
        rig_picture(rig, false);
}

static void a_lost_source_is_a_gap(void **state)
{
    struct rig *rig = *state;
    struct recordings rec;
    struct segment_row rows[4];
    rig_pictures(rig, 100, 25);
    rig_outage(rig, 30 * US_PER_S);
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, 2);
    assert_int_equal(rec.spans[0].to_us, RIG_START_US + 4 * US_PER_S);
    assert_int_equal(rec.spans[1].from_us, RIG_START_US + 34 * US_PER_S);
    assert_int_equal(rec.n_gaps, 2); /* in front, between; not what is still to come */
    assert_string_equal(rec.gaps[1].cause, "unknown");
    assert_int_equal(rec.gaps[1].from_us, rec.spans[0].to_us);
    assert_int_equal(rec.gaps[1].to_us, rec.spans[1].from_us);
    recordings_fini(&rec);
    assert_int_equal(rig_rows(rig, rows, 4), 2);
    assert_int_equal(rows[0].ended, SEGMENT_DOWN);
    assert_int_equal(rig_check(rig), 200);
}

/* Whether the camera's time went on or not: nothing was seen for five seconds. */
static void missing_pictures_are_a_hole(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    rig_pictures(rig, 50, 25);
    rig_pause(rig, 5 * US_PER_S, true);
    rig_pictures(rig, 50, 25);
    rig_pause(rig, 5 * US_PER_S, false);
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 4), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rows[i].id.from_us, RIG_START_US + (int64_t)i * 7 * US_PER_S);
        assert_int_equal(rows[i].to_us, rows[i].id.from_us + 2 * US_PER_S);
    }
    assert_int_equal(rows[0].ended, SEGMENT_HOLE);
    assert_int_equal(rig_check(rig), 150);
}

static void check_holes(struct rig *rig, const int64_t *from_us, size_t n)
{
    struct recordings rec;
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, n + 1);
    assert_int_equal(rec.n_gaps, n + 1); /* one is in front of it all */
    for (size_t i = 0; i < n; i++) {
        const struct gap_row *gap = &rec.gaps[i + 1];
        assert_string_equal(gap->cause, "timeout");
        assert_int_equal(gap->from_us, from_us[i]);
        assert_int_equal(gap->to_us - gap->from_us, 5 * US_PER_S);
        assert_int_equal(rec.spans[i].to_us, gap->from_us);
        assert_int_equal(rec.spans[i + 1].from_us, gap->to_us);
    }
    recordings_fini(&rec);
}

/* The source stands still in the middle of a group and goes on with it: no picture is lost, and the
 * gap has its place and its cause, also when the index is made from the files. */
static void a_pause_inside_a_group_is_a_gap(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    struct sample_map *map;
    struct index_report report;
    rig_pictures(rig, 60, 250);
    rig_pause(rig, 5 * US_PER_S, true);
    deltas(rig, 60);
    rig_pause(rig, 5 * US_PER_S, false);
    deltas(rig, 60);
    rig_wait(rig, rig_is_written);
    const int64_t from_us[] = {RIG_START_US + 60 * RIG_FRAME_US,
                               RIG_START_US + 120 * RIG_FRAME_US + 5 * US_PER_S};
    check_holes(rig, from_us, 2); /* while it is written */
    struct uptime_span *open = NULL;
    assert_int_equal(storage_open_spans(rig->storage, "cam", "main", &open), 3);
    assert_int_equal(open[0].to_us, from_us[0]);
    assert_int_equal(open[1].from_us, from_us[0] + 5 * US_PER_S);
    assert_int_equal(open[2].from_us, from_us[1] + 5 * US_PER_S);
    free(open);
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    check_holes(rig, from_us, 2);
    assert_int_equal(rig_check(rig), 230);
    assert_int_equal(rig_rows(rig, rows, 4), 1);
    assert_int_equal(rows[0].to_us, RIG_START_US + 230 * RIG_FRAME_US + 10 * US_PER_S);
    struct sample_query q = {
        .camera_id = "cam", .from_us = RIG_START_US, .to_us = RIG_START_US + 60 * US_PER_S};
    assert_int_equal(source_map(storage_source(rig->storage), &q, &map, NULL), 0);
    assert_int_equal(map->n_samples, 230);
    for (size_t i = 0; i < map->n_samples; i++)
        assert_int_equal(map->samples[i].is_after_gap, i == 60 || i == 120);
    sample_map_free(&map);
    assert_int_equal(storage_index_rebuild(rig->storage, NULL, NULL, &report, NULL), 0);
    check_holes(rig, from_us, 2);
}

/* A crash leaves no list of holes: the fragments tell. */
static void a_pause_is_found_again_after_a_crash(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[2];
    char path[RIG_PATH_BYTES], name[SEGMENT_PATH_BYTES];
    rig_pictures(rig, 60, 250);
    rig_pause(rig, 5 * US_PER_S, true);
    deltas(rig, 60);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 2), 1);
    assert_int_equal(rows[0].holes.n, 1);
    struct segment_row seen = {.id = rows[0].id};
    struct volume *v = rig->storage->volumes[0];
    assert_int_equal(truncate(rig_file(rig, &rows[0], path), rows[0].bytes - 8), 0);
    segment_path(&rows[0].id, name);
    assert_int_equal(repair_segment(v->dirfd, name, v->chain, true, &seen, NULL), 0);
    assert_int_equal(seen.frames, 120);
    assert_int_equal(seen.holes.n, 1);
    assert_memory_equal(seen.holes.list, rows[0].holes.list, sizeof seen.holes.list[0]);
}

/* Nothing lies in the future when the source goes right after a pause. */
static void a_pause_does_not_lengthen_what_follows(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    rig_pictures(rig, 60, 250);
    rig_pause(rig, 9 * US_PER_S, true);
    rig_picture(rig, false);
    hub_set_up(rig->hub, false);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 4), 1);
    assert_int_equal(rows[0].to_us, rig->wall_us);
    assert_int_equal(rig_check(rig), 61);
}

/* What a row can tell is bounded: the segment ends at a key frame before, or without one. */
static void many_pauses_end_the_segment(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    for (int i = 0; i < 7; i++) {
        rig_picture(rig, i == 0);
        rig_picture(rig, false);
        rig_pause(rig, i < 6 ? 3 * US_PER_S : 0, true);
    }
    rig_picture(rig, true);
    for (int i = 0; i < SEGMENT_HOLES_MAX + 1; i++) {
        rig_pause(rig, 3 * US_PER_S, true);
        rig_picture(rig, false);
    }
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 8), 2);
    assert_int_equal(rows[0].holes.n, 6);
    assert_int_equal(rows[0].ended, SEGMENT_ROTATED);
    assert_int_equal(rows[0].to_us, rows[1].id.from_us);
    assert_int_equal(rows[1].holes.n, SEGMENT_HOLES_MAX);
    assert_int_equal(rows[1].ended, SEGMENT_NO_KEY);
    rig_check(rig);
}

static void expect_cause(struct rig *rig, int64_t from_us, int64_t to_us, const char *cause)
{
    struct recordings rec;
    assert_int_equal(storage_recordings(rig->storage, "cam", "main", from_us, to_us, &rec, NULL),
                     0);
    assert_int_equal(rec.n_gaps, 1);
    assert_string_equal(rec.gaps[0].cause, cause);
    assert_true(rec.gaps[0].from_us >= from_us && rec.gaps[0].to_us <= to_us);
    recordings_fini(&rec);
}

/* From midnight on, up to now, or exactly as playback does. */
static void a_gap_has_one_cause_however_it_is_asked_for(void **state)
{
    struct rig *rig = *state;
    rig_pictures(rig, 50, 25);
    int64_t from_us = rig->wall_us;
    rig_pause(rig, 7 * US_PER_S, true);
    int64_t to_us = rig->wall_us;
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    expect_cause(rig, from_us - US_PER_S, to_us + US_PER_S, "timeout");
    expect_cause(rig, from_us, to_us, "timeout");
    expect_cause(rig, from_us + US_PER_S, to_us - US_PER_S, "timeout");
    expect_cause(rig, from_us + US_PER_S, to_us + US_PER_S, "timeout");
    expect_cause(rig, from_us - US_PER_S, to_us - US_PER_S, "timeout");
}

/* A tenth too slow for minutes: cameras whose clocks run wrong, and simulators without rest. */
static void a_camera_whose_clock_runs_wrong_has_no_gaps(void **state)
{
    struct rig *rig = *state;
    struct recordings rec;
    struct segment_row rows[64];
    rig->params.segment_us = 60 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    for (int i = 0; i < 3000; i++) {
        rig_picture(rig, i % 25 == 0);
        rig_pause(rig, RIG_FRAME_US / 10, false);
    }
    rig_stop(rig);
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, 1);
    assert_int_equal(rec.spans[0].frames, 3000);
    assert_true(rec.spans[0].to_us - RIG_START_US > 131 * US_PER_S);
    recordings_fini(&rec);
    assert_int_equal(rig_rows(rig, rows, 64), 2);
    assert_int_equal(rig_check(rig), 3000);
}

static void clock_steps_keep_lengths_true(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    rig_pictures(rig, 60, 50);
    rig->wall_us += 86400 * US_PER_S; /* a day forward, between key frames */
    deltas(rig, 15);
    rig_pictures(rig, 50, 25);
    rig->wall_us -= 2 * 86400 * US_PER_S; /* two days back, at a key frame */
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 4), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(rows[i].to_us - rows[i].id.from_us < 10 * US_PER_S);
    assert_int_equal(rows[0].frames + rows[1].frames + rows[2].frames, 175);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lost_source_is_a_gap),
        TEST(missing_pictures_are_a_hole),
        TEST(a_pause_inside_a_group_is_a_gap),
        TEST(a_pause_is_found_again_after_a_crash),
        TEST(a_pause_does_not_lengthen_what_follows),
        TEST(many_pauses_end_the_segment),
        TEST(a_gap_has_one_cause_however_it_is_asked_for),
        cmocka_unit_test_setup_teardown(a_camera_whose_clock_runs_wrong_has_no_gaps, rig_setup,
                                        rig_teardown),
        TEST(clock_steps_keep_lengths_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
