#include "rig.h"

static void records_what_is_published(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 500, 25);
    rig_stop(rig);
    rig_check_one_span(rig, 500);
    assert_int_equal(rig_check(rig), 500);
}

static void rotation_loses_nothing(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 500, 25);
    rig_stop(rig);
    rig_check_one_span(rig, 500);
    assert_int_equal(rig_check(rig), 500);
    assert_int_equal(rig_rows(rig, rows, 8), 5);
    for (size_t i = 0; i + 1 < 5; i++) {
        assert_int_equal(rows[i].to_us, rows[i + 1].id.from_us);
        assert_int_equal(rows[i].ended, SEGMENT_ROTATED);
        assert_int_equal(rows[i + 1].began, SEGMENT_ROTATED);
    }
    assert_int_equal(rows[0].began, SEGMENT_START);
    assert_int_equal(rows[4].ended, SEGMENT_STOPPED);
}

/* A group of 10 s at a changing frame rate, as cameras with "smart" codecs send. */
static void long_groups_are_cut_into_fragments(void **state)
{
    struct rig *rig = *state;
    struct recordings rec;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 240, 250);
    rig_wait(rig, rig_is_written);
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, 1);
    assert_true(rec.spans[0].to_us >= rig->wall_us - 2 * US_PER_S);
    recordings_fini(&rec);
    rig_stop(rig);
    rig_check_one_span(rig, 240);
}

static void waits_for_a_key_frame(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    for (int i = 0; i < 10; i++)
        rig_picture(rig, false);
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    assert_int_equal(rig_check(rig), 50);
}

static void is_playable_while_written(void **state)
{
    struct rig *rig = *state;
    struct sample_map *map;
    struct packet *pkt;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 260, 25);
    rig_wait(rig, rig_is_written);
    struct sample_query q = {.camera_id = "cam",
                             .from_us = RIG_START_US + 3 * US_PER_S + 500000,
                             .to_us = RIG_START_US + 60 * US_PER_S};
    assert_int_equal(source_map(storage_source(rig->storage), &q, &map, NULL), 0);
    assert_true(map->n_samples >= 175 - 25);
    assert_true(map->samples[0].is_key);
    assert_int_equal(map->samples[0].wall_us, RIG_START_US + 3 * US_PER_S);
    assert_int_equal(sample_read(map, 0, &pkt, NULL), 0);
    int64_t number;
    memcpy(&number, pkt->data, sizeof number);
    assert_int_equal(number, 75);
    packet_unref(&pkt);
    sample_map_free(&map);
    rig_stop(rig);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_what_is_published),          TEST(rotation_loses_nothing),
        TEST(long_groups_are_cut_into_fragments), TEST(waits_for_a_key_frame),
        TEST(is_playable_while_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
