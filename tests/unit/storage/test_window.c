/* The reader over real recordings: every picture once, forward and back, from anywhere. */
#include "walks.h"

#include "media/hub.h"
#include "storage/db_segments.h"

static void walks_over_segments(void **state)
{
    struct rig *rig = *state;
    rig_record_some(rig);
    struct numbers all = numbers_from_to(0, 400);
    check_walks(rig, &all);
}

static void walks_over_files_without_an_end(void **state)
{
    struct rig *rig = *state;
    rig_record_some(rig);
    rig_shell(rig, "for f in $(find rec -name '*.mp4'); do truncate -s -16 $f; done");
    struct numbers all = numbers_from_to(0, 400);
    check_walks(rig, &all);
}

static void seeks_to_any_picture(void **state)
{
    struct rig *rig = *state;
    rig_record_some(rig);
    struct reader *r = open_reader(rig);
    for (int64_t i = 0; i < 400; i++) {
        int64_t us = RIG_START_US + i * RIG_FRAME_US;
        assert_int_equal(reader_seek(r, us, READER_AT, NULL), READER_FOUND);
        assert_int_equal(number_at(r), i);
        assert_int_equal(reader_seek(r, us + RIG_FRAME_US - 1, READER_AT, NULL), READER_FOUND);
        assert_int_equal(number_at(r), i);
        assert_int_equal(reader_seek(r, us, READER_BEFORE, NULL),
                         i > 0 ? READER_FOUND : READER_END);
        assert_int_equal(number_at(r), MAX(i - 1, 0));
        if (i > 0) {
            assert_int_equal(reader_seek(r, us, READER_KEY_BEFORE, NULL), READER_FOUND);
            assert_int_equal(number_at(r), (i - 1) / 25 * 25);
        }
        int64_t was = number_at(r);
        int rc = reader_seek(r, us, READER_KEY_AFTER, NULL);
        assert_int_equal(rc == READER_FOUND, i < 375);
        assert_int_equal(number_at(r), rc == READER_FOUND ? (i / 25 + 1) * 25 : was);
    }
    reader_destroy(&r);
}

/* Media time and wall clock part by seconds in one file: the camera's clock runs fast, or slow. */
static void seeks_to_any_picture_of_a_clock_that_drifts(void **state)
{
    struct rig *rig = *state;
    int64_t walls[1500];
    rig_open(rig);
    rig_record(rig, "cam");
    for (int64_t i = 0; i < 1500; i++) {
        walls[i] = rig->wall_us;
        rig_picture(rig, i % 25 == 0);
        int64_t drift_us = i < 750 ? 3000 : -5000;
        rig->wall_us += drift_us;
        rig->mono_us += drift_us;
    }
    rig_stop(rig);
    struct segment_row row;
    assert_int_equal(rig_rows(rig, &row, 1), 1);
    struct reader *r = open_reader(rig);
    for (int64_t i = 0; i < 1500; i++) { /* in a fragment the times are the media's */
        assert_int_equal(reader_seek(r, walls[i] + 20000, READER_AT, NULL), READER_FOUND);
        assert_in_range(number_at(r), i > 4 ? i - 4 : 0, i + 4);
        if (i % 25 == 0) {
            assert_int_equal(reader_seek(r, walls[i], READER_AT, NULL), READER_FOUND);
            assert_int_equal(number_at(r), i);
        }
    }
    reader_destroy(&r);
}

static void steps_by_key_frames(void **state)
{
    struct rig *rig = *state;
    rig_record_some(rig);
    struct numbers keys = {0};
    for (int64_t i = 0; i < 400; i += 25)
        numbers_append(&keys, i, i + 1);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_FOUND);
    walk(r, &keys, 0, reader_next_key, 1);
    walk(r, &keys, keys.n - 1, reader_prev_key, -1);
    assert_int_equal(reader_seek(r, RIG_START_US + 110 * RIG_FRAME_US, READER_AT, NULL), 1);
    assert_int_equal(reader_prev_key(r, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 100); /* of its own group */
    reader_destroy(&r);
}

/* Two recordings with 10 s between in which the camera was down. */
static void record_with_gap(struct rig *rig)
{
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_outage(rig, 10 * US_PER_S);
    rig_pictures(rig, 100, 25);
}

static void tells_gaps_both_ways(void **state)
{
    struct rig *rig = *state;
    record_with_gap(rig);
    rig_stop(rig);
    struct numbers all = numbers_from_to(0, 200);
    check_walks(rig, &all);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US + 99 * RIG_FRAME_US, READER_AT, NULL), 1);
    assert_int_equal(number_at(r), 99);
    assert_int_equal(reader_position(r)->gap.to_us, 0);
    assert_int_equal(reader_next(r, NULL), READER_FOUND);
    expect_gap(r, 4 * US_PER_S, 14 * US_PER_S, "unknown");
    assert_int_equal(reader_prev(r, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 99);
    expect_gap(r, 4 * US_PER_S, 14 * US_PER_S, "unknown");
    /* a time inside it: what comes first behind it, and what came last before it */
    assert_int_equal(reader_seek(r, RIG_START_US + 9 * US_PER_S, READER_AT, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 100);
    expect_gap(r, 9 * US_PER_S, 14 * US_PER_S, "unknown");
    assert_int_equal(reader_seek(r, RIG_START_US + 9 * US_PER_S, READER_BEFORE, NULL), 1);
    assert_int_equal(number_at(r), 99);
    reader_destroy(&r);
}

static void tells_holes_inside_a_segment(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_picture(rig, true);
    for (int i = 1; i < 60; i++)
        rig_picture(rig, false);
    rig_pause(rig, 7 * US_PER_S, true);
    for (int i = 0; i < 60; i++)
        rig_picture(rig, false);
    rig_stop(rig);
    struct segment_row row;
    assert_int_equal(rig_rows(rig, &row, 1), 1);
    assert_int_equal(row.holes.n, 1);
    struct numbers all = numbers_from_to(0, 120);
    check_walks(rig, &all);
    struct reader *r = open_reader(rig);
    int64_t hole_us = 60 * RIG_FRAME_US;
    assert_int_equal(reader_seek(r, RIG_START_US + hole_us - 1, READER_AT, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 59);
    assert_int_equal(reader_next(r, NULL), READER_FOUND);
    expect_gap(r, hole_us, hole_us + 7 * US_PER_S, "timeout");
    assert_int_equal(reader_prev(r, NULL), READER_FOUND);
    expect_gap(r, hole_us, hole_us + 7 * US_PER_S, "timeout");
    assert_int_equal(reader_seek(r, RIG_START_US + hole_us + 5 * US_PER_S, READER_AT, NULL), 1);
    assert_int_equal(number_at(r), 60);
    /* reading comes across it, on the way from the key frame */
    struct reader_item item;
    for (int i = 0; i < 61; i++) {
        assert_int_equal(reader_read(r, &(struct reader_want){0}, &item, NULL), READER_FOUND);
        assert_int_equal(number_of(item.pkt), i);
        assert_int_equal(item.gap.to_us != 0, i == 60);
        packet_unref(&item.pkt);
    }
    reader_destroy(&r);
}

static void gives_everything_when_the_clock_was_set_back(void **state)
{
    struct rig *rig = *state;
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 90, 25);
    rig->wall_us -= 2 * US_PER_S;
    hub_set_up(rig->hub, false);
    hub_set_up(rig->hub, true);
    rig_pictures(rig, 200, 25);
    rig_stop(rig);
    struct numbers all = numbers_from_to(0, 290);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_FOUND);
    walk(r, &all, 0, reader_next, 1);
    walk(r, &all, all.n - 1, reader_prev, -1);
    read_all(r, &all);
    reader_destroy(&r);
}

/* The clock jumps back to the very moment at which the first segment began. */
static void gives_two_segments_with_the_same_start(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    hub_set_up(rig->hub, false);
    rig->wall_us = RIG_START_US;
    hub_set_up(rig->hub, true);
    rig_pictures(rig, 75, 25);
    rig_stop(rig);
    struct segment_row rows[3];
    assert_int_equal(rig_rows(rig, rows, 3), 2);
    assert_int_equal(rows[0].id.from_us, rows[1].id.from_us);
    struct numbers all = numbers_from_to(0, 175);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_FOUND);
    walk(r, &all, 0, reader_next, 1);
    walk(r, &all, all.n - 1, reader_prev, -1);
    reader_destroy(&r);
}

static void follows_what_is_being_written(void **state)
{
    struct rig *rig = *state;
    struct reader_item item;
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 400, 25);
    rig_wait(rig, rig_is_written);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, rig->wall_us, READER_AT, NULL), READER_AGAIN);
    assert_int_equal(reader_seek(r, rig->wall_us, READER_BEFORE, NULL), READER_FOUND);
    int64_t newest = number_at(r);
    assert_in_range(newest, 350, 399);
    assert_int_equal(reader_next(r, NULL), READER_AGAIN);
    assert_int_equal(reader_next_key(r, NULL), READER_AGAIN);
    assert_int_equal(number_at(r), newest);
    struct numbers known = numbers_from_to(0, newest + 1);
    check_walks(rig, &known);

    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_FOUND);
    for (int64_t number = 0, round = 0; round < 20; round++) {
        int rc;
        while ((rc = reader_read(r, &(struct reader_want){0}, &item, NULL)) == READER_FOUND) {
            assert_int_equal(number_of(item.pkt), number);
            packet_unref(&item.pkt);
            number++;
        }
        assert_int_equal(rc, READER_AGAIN);
        assert_true(number > 350 + round * 20);
        rig_pictures(rig, 25, 25);
        rig_wait(rig, rig_is_written);
    }
    rig_stop(rig);
    struct numbers all = numbers_from_to(0, 900);
    check_walks(rig, &all);
    atomic_store(&rig->clock.now_wall_us, rig->wall_us + 20 * US_PER_S);
    assert_int_equal(reader_seek(r, rig->wall_us, READER_AT, NULL), READER_END);
    reader_destroy(&r);
}

static void gives_sound_beside_the_picture(void **state)
{
    struct rig *rig = *state;
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    for (int i = 0; i < 400; i++) {
        rig_picture(rig, i % 25 == 0);
        rig_sound(rig, i * 320, rig->wall_us - 30000);
        rig_sound(rig, i * 320 + 160, rig->wall_us - 10000);
    }
    rig_stop(rig);
    struct reader *r = reader_create(&(struct reader_params){.source = storage_source(rig->storage),
                                                             .camera_id = "cam",
                                                             .stream = "main",
                                                             .wants_audio = true});
    struct reader_item item;
    int64_t last[2] = {-1, -1}, n_sounds = 0, n_pictures = 0;
    assert_int_equal(reader_seek(r, RIG_START_US + 2 * US_PER_S, READER_AT, NULL), READER_FOUND);
    assert_non_null(reader_audio(r));
    while (reader_read(r, &(struct reader_want){.sound = true}, &item, NULL) == READER_FOUND) {
        int64_t number = number_of(item.pkt);
        assert_true(number > last[item.pkt->is_video]);
        last[item.pkt->is_video] = number;
        n_sounds += !item.pkt->is_video;
        n_pictures += item.pkt->is_video;
        packet_unref(&item.pkt);
    }
    assert_int_equal(n_pictures, 350);
    assert_in_range(n_sounds, 690, 700);
    reader_destroy(&r);
}

/* [reader I4] However long the file is, and with sound. */
static void windows_are_some_seconds(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    for (int i = 0; i < 1500; i++) {
        rig_picture(rig, i % 25 == 0);
        rig_sound(rig, i * 320, rig->wall_us - 30000);
        rig_sound(rig, i * 320 + 160, rig->wall_us - 10000);
    }
    rig_stop(rig);
    struct window_query q = {.camera_id = "cam", .stream = "main", .wants_audio = true};
    q.at_us = RIG_START_US + 30 * US_PER_S;
    for (q.kind = WINDOW_AT; q.kind <= WINDOW_PREV; q.kind++) {
        struct sample_window w;
        assert_int_equal(source_window(storage_source(rig->storage), &q, &w, NULL), 0);
        assert_in_range(w.map->n_samples, 75, 700);
        q.place = (struct sample_place){
            .file_us = w.file_us, .file_n = w.file_n, .dts = w.map->samples[0].dts};
        q.keep_dts = q.place.dts;
        sample_map_free(&w.map);
    }
}

static void returns_to_a_picture(void **state)
{
    struct rig *rig = *state;
    struct reader_item item;
    rig_record_some(rig);
    struct reader *r = open_reader(rig);
    struct sample_place place = {0};
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_FOUND);
    for (int i = 0; i < 320; i++) {
        assert_int_equal(reader_read(r, &(struct reader_want){0}, &item, NULL), READER_FOUND);
        if (i == 130)
            place = item.place;
        packet_unref(&item.pkt);
    }
    assert_int_equal(reader_seek(r, rig->wall_us, READER_BEFORE, NULL), READER_FOUND);
    assert_int_equal(reader_read(r, &(struct reader_want){.only_keys = true}, &item, NULL), 1);
    assert_int_equal(number_of(item.pkt), 375);
    struct sample_place last = item.place;
    last.dts += 24 * 3600;
    packet_unref(&item.pkt);
    assert_int_equal(reader_return(r, &place, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 130);
    assert_int_equal(reader_return(r, &last, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 399);
    assert_int_equal(reader_return(r, &place, NULL), READER_FOUND);
    assert_int_equal(reader_read(r, &(struct reader_want){0}, &item, NULL), READER_FOUND);
    assert_int_equal(number_of(item.pkt), 125);
    packet_unref(&item.pkt);
    reader_destroy(&r);
}

static void unknown_cameras_are_not_found(void **state)
{
    struct rig *rig = *state;
    rig_record_some(rig);
    struct reader *r = reader_create(&(struct reader_params){
        .source = storage_source(rig->storage), .camera_id = "other", .stream = "main"});
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), ERR_NOT_FOUND);
    assert_int_equal(reader_next(r, NULL), READER_END);
    reader_destroy(&r);
    r = reader_create(&(struct reader_params){
        .source = storage_source(rig->storage), .camera_id = "cam", .stream = "sub"});
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_END);
    reader_destroy(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(walks_over_segments),
        TEST(walks_over_files_without_an_end),
        TEST(seeks_to_any_picture),
        TEST(seeks_to_any_picture_of_a_clock_that_drifts),
        TEST(steps_by_key_frames),
        TEST(tells_gaps_both_ways),
        TEST(tells_holes_inside_a_segment),
        TEST(gives_everything_when_the_clock_was_set_back),
        TEST(gives_two_segments_with_the_same_start),
        TEST(follows_what_is_being_written),
        TEST(gives_sound_beside_the_picture),
        TEST(windows_are_some_seconds),
        TEST(returns_to_a_picture),
        TEST(unknown_cameras_are_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
