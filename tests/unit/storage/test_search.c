/* The pull side: recordings and their gaps, and samples found by time. */
#include "rig.h"

#include <unistd.h>

#include "base/str.h"
#include "storage/db.h"
#include "storage/db_segments.h"
#include "storage/db_states.h"

static struct sample_map *map_of(struct rig *rig, int64_t from_us, int64_t to_us)
{
    struct sample_map *map = NULL;
    struct err err = {0};
    struct sample_query q = {.camera_id = "cam",
                             .stream = "main",
                             .from_us = RIG_START_US + from_us,
                             .to_us = RIG_START_US + to_us};
    if (source_map(storage_source(rig->storage), &q, &map, &err) < 0)
        fail_msg("%s", err.msg);
    return map;
}

static int64_t number_of(const struct sample_map *map, size_t i)
{
    struct packet *pkt = NULL;
    int64_t number = -1;
    assert_int_equal(sample_read(map, i, &pkt, NULL), 0);
    memcpy(&number, pkt->data, sizeof number);
    packet_unref(&pkt);
    return number;
}

/* Any start gives the newest key frame at or before it, and every picture after it once. */
static void check_seek(struct rig *rig, int64_t from_us, int64_t to_us)
{
    struct sample_map *map = map_of(rig, from_us, to_us);
    int64_t first = MAX(from_us, 0) / US_PER_S * 25;
    int64_t last = MIN((to_us + RIG_FRAME_US - 1) / RIG_FRAME_US, 400);
    assert_int_equal(map->n_samples, MAX(last - first, 0));
    for (size_t i = 0; i < map->n_samples; i++) {
        assert_int_equal(number_of(map, i), first + (int64_t)i);
        assert_int_equal(map->samples[i].wall_us,
                         RIG_START_US + (first + (int64_t)i) * RIG_FRAME_US);
        assert_int_equal(map->samples[i].is_key, (first + (int64_t)i) % 25 == 0);
        assert_false(map->samples[i].is_after_gap);
    }
    assert_int_equal(map->next_us, 0);
    sample_map_free(&map);
}

static void check_seeks(struct rig *rig)
{
    static const int64_t starts_ms[] = {0,    1,    999,  1000, 3960,  3999,  4000,
                                        4001, 7500, 8000, 9990, 12040, 15000, 15999};
    for (size_t i = 0; i < ARRAY_LEN(starts_ms); i++) {
        check_seek(rig, starts_ms[i] * 1000, starts_ms[i] * 1000 + 40000);
        check_seek(rig, starts_ms[i] * 1000, 16 * US_PER_S);
    }
    check_seek(rig, -5 * US_PER_S, 16 * US_PER_S);
}

static void finds_the_key_frame_before(void **state)
{
    struct rig *rig = *state;
    rig_record_some(rig);
    check_seeks(rig);
}

static void finds_it_in_recovered_files_too(void **state)
{
    struct rig *rig = *state;
    rig_record_some(rig);
    /* as a crash on a full disk leaves them: without their ends */
    rig_shell(rig, "for f in $(find rec -name '*.mp4'); do truncate -s -16 $f; done");
    check_seeks(rig);
}

static void a_bound_tells_where_to_go_on(void **state)
{
    struct rig *rig = *state;
    struct sample_map *map;
    int64_t at_us = RIG_START_US, next_number = 0;
    rig_record_some(rig);
    for (int rounds = 0; at_us != 0; rounds++) {
        struct sample_query q = {.camera_id = "cam",
                                 .from_us = at_us,
                                 .to_us = RIG_START_US + 100 * US_PER_S,
                                 .max_samples = 60};
        assert_int_equal(source_map(storage_source(rig->storage), &q, &map, NULL), 0);
        assert_true(map->n_samples > 0 && rounds < 20);
        for (size_t i = 0; i < map->n_samples; i++) {
            int64_t number = number_of(map, i);
            assert_true(number <= next_number); /* again from the key frame, never a hole */
            next_number = MAX(next_number, number + 1);
        }
        at_us = map->next_us;
        sample_map_free(&map);
    }
    assert_int_equal(next_number, 400);
}

static void gaps_are_marked(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_outage(rig, 10 * US_PER_S);
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    struct sample_map *map = map_of(rig, 0, 18 * US_PER_S);
    assert_int_equal(map->n_samples, 200);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(map->samples[i].is_after_gap, i == 100);
    assert_int_equal(map->n_gaps, 1);
    assert_int_equal(map->gaps[0].to_us - map->gaps[0].from_us, 10 * US_PER_S);
    sample_map_free(&map);
    map = map_of(rig, 5 * US_PER_S, 6 * US_PER_S); /* inside the gap */
    assert_int_equal(map->n_samples, 0);
    assert_int_equal(map->n_gaps, 1);
    sample_map_free(&map);
}

static void a_file_that_is_gone_is_a_gap(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[RIG_PATH_BYTES];
    rig_record_some(rig);
    rig_rows(rig, rows, 8);
    assert_int_equal(unlink(rig_file(rig, &rows[1], path)), 0);
    struct sample_map *map = map_of(rig, 0, 16 * US_PER_S);
    assert_int_equal(map->n_samples, 300);
    assert_true(map->samples[100].is_after_gap);
    sample_map_free(&map);
}

static void overlapping_segments_are_played_once(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_outage(rig, -2 * US_PER_S); /* the clock steps back */
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    struct sample_map *map = map_of(rig, 0, 20 * US_PER_S);
    for (size_t i = 1; i < map->n_samples; i++)
        assert_true(map->samples[i].wall_us > map->samples[i - 1].wall_us);
    assert_int_equal(map->n_samples, 150);
    sample_map_free(&map);
}

static void unknown_cameras_are_not_found(void **state)
{
    struct rig *rig = *state;
    struct sample_map *map;
    struct recordings rec;
    rig_record_some(rig);
    struct sample_query q = {.camera_id = "other", .from_us = 0, .to_us = INT64_MAX / 2};
    assert_int_equal(source_map(storage_source(rig->storage), &q, &map, NULL), ERR_NOT_FOUND);
    assert_null(map);
    assert_int_equal(storage_recordings(rig->storage, "other", "main", 0, 1, &rec, NULL),
                     ERR_NOT_FOUND);
    recordings_fini(&rec);
    assert_int_equal(storage_recordings(rig->storage, "cam", "middle", 0, 1, &rec, NULL),
                     ERR_INVALID);
}

/* --- causes of gaps, from the states and runs of the catalogue --- */

/* The server starts, and the camera records. */
static int begin_recording(struct db *db, struct state_row *row, int64_t *run, struct err *err)
{
    *row = (struct state_row){.camera_id = "cam", .from_us = RIG_START_US, .cause = "ok"};
    row->is_reachable = row->is_advancing = row->is_recording = true;
    int rc = db_run_begin(db, RIG_START_US, "test", run, err);
    return rc == 0 ? db_state_change(db, row, err) : rc;
}

static int job_story(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    int64_t run, t = RIG_START_US;
    struct state_row row;
    int rc = begin_recording(db, &row, &run, err);
    row = (struct state_row){.camera_id = "cam", .from_us = t + 7 * US_PER_S, .cause = "timeout"};
    if (rc == 0)
        rc = db_state_change(db, &row, err);
    if (rc == 0)
        rc = db_run_beat(db, run, t + 20 * US_PER_S, err);
    /* killed; the next run ends what was left open */
    if (rc == 0)
        rc = db_run_begin(db, t + 50 * US_PER_S, "test", &run, err);
    row = (struct state_row){.camera_id = "cam", .from_us = t + 52 * US_PER_S, .cause = "auth"};
    if (rc == 0)
        rc = db_state_change(db, &row, err);
    return rc == 0 ? db_run_end(db, run, t + 60 * US_PER_S, err) : rc;
}

/* The 4 s of the camera whose gaps have a cause. */
static void record_4_s(struct rig *rig)
{
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
}

static struct recordings recordings_to(struct rig *rig, int64_t to_s)
{
    struct recordings rec;
    assert_int_equal(storage_recordings(rig->storage, "cam", "main", RIG_START_US,
                                        RIG_START_US + to_s * US_PER_S, &rec, NULL),
                     0);
    return rec;
}

static void check_gap(const struct recordings *rec, size_t i, int64_t from_s, int64_t to_s,
                      const char *cause)
{
    assert_true(i < rec->n_gaps);
    assert_string_equal(rec->gaps[i].cause, cause);
    assert_int_equal(rec->gaps[i].from_us, RIG_START_US + from_s * US_PER_S);
    assert_int_equal(rec->gaps[i].to_us, RIG_START_US + to_s * US_PER_S);
}

static void gaps_have_causes(void **state)
{
    struct rig *rig = *state;
    record_4_s(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_story, NULL, NULL), 0);
    atomic_store(&rig->clock.now_wall_us, RIG_START_US + 100 * US_PER_S);
    struct recordings rec = recordings_to(rig, 1000);
    assert_int_equal(rec.n_gaps, 4);
    check_gap(&rec, 0, 4, 20, "timeout"); /* also the seconds before it was noticed */
    check_gap(&rec, 1, 20, 50, "server_stopped");
    check_gap(&rec, 2, 50, 60, "auth");
    check_gap(&rec, 3, 60, 100, "server_stopped");
    recordings_fini(&rec);
}

static int job_restart(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    int64_t run, t = RIG_START_US;
    int rc = db_run_begin(db, t, "test", &run, err);
    if (rc == 0)
        rc = db_run_end(db, run, t + 39 * US_PER_S / 10, err);
    return rc == 0 ? db_run_begin(db, t + 395 * US_PER_S / 100, "test", &run, err) : rc;
}

/* The last picture was to be shown for longer than the server was away. */
static void a_short_restart_is_the_cause_of_what_it_left_out(void **state)
{
    struct rig *rig = *state;
    record_4_s(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_restart, NULL, NULL), 0);
    rig_pause(rig, US_PER_S / 5, true);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    struct recordings rec = recordings_to(rig, 8);
    assert_int_equal(rec.n_gaps, 1);
    assert_string_equal(rec.gaps[0].cause, "server_stopped");
    recordings_fini(&rec);
}

static int job_off_and_on(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    int64_t run, t = RIG_START_US;
    struct state_row row;
    int rc = begin_recording(db, &row, &run, err);
    row.from_us = t + 5 * US_PER_S; /* watched, and not recorded any more */
    row.is_recording = false;
    row.is_unasked = true;
    if (rc == 0)
        rc = db_state_change(db, &row, err);
    row.from_us = t + 20 * US_PER_S; /* does not come either, which is not why */
    str_copy(row.cause, sizeof row.cause, "timeout");
    if (rc == 0)
        rc = db_state_change(db, &row, err);
    row.from_us = t + 25 * US_PER_S; /* to be recorded again */
    row.is_unasked = false;
    if (rc == 0)
        rc = db_state_change(db, &row, err);
    row.from_us = t + 30 * US_PER_S;
    row.is_unasked = true;
    str_copy(row.cause, sizeof row.cause, "disabled");
    if (rc == 0)
        rc = db_state_change(db, &row, err);
    return rc == 0 ? db_run_beat(db, run, t + 40 * US_PER_S, err) : rc;
}

static void what_nobody_asked_for_is_no_fault(void **state)
{
    struct rig *rig = *state;
    record_4_s(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_off_and_on, NULL, NULL), 0);
    atomic_store(&rig->clock.now_wall_us, RIG_START_US + 40 * US_PER_S);
    struct recordings rec = recordings_to(rig, 1000);
    assert_int_equal(rec.n_gaps, 3);
    check_gap(&rec, 0, 4, 25, "not_recorded");
    check_gap(&rec, 1, 25, 30, "timeout");
    check_gap(&rec, 2, 30, 40, "disabled");
    recordings_fini(&rec);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_the_key_frame_before),
        TEST(finds_it_in_recovered_files_too),
        TEST(a_bound_tells_where_to_go_on),
        TEST(gaps_are_marked),
        TEST(a_file_that_is_gone_is_a_gap),
        TEST(overlapping_segments_are_played_once),
        TEST(unknown_cameras_are_not_found),
        TEST(gaps_have_causes),
        TEST(what_nobody_asked_for_is_no_fault),
        TEST(a_short_restart_is_the_cause_of_what_it_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
