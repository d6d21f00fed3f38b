/* Formats that change, images, and sound beside the pictures. */
#include "rig.h"

static void use_format(struct rig *rig, struct format *f)
{
    format_unref(&rig->format);
    rig->format = f;
}

/* Another height than the rig's own. */
static struct format *other_size(void)
{
    static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70};
    static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    struct format *f = NULL;
    assert_int_equal(format_create_video(CODEC_H264, (struct nal_span){0},
                                         (struct nal_span){sps, sizeof sps},
                                         (struct nal_span){pps, sizeof pps}, &f),
                     0);
    return f;
}

static void another_size_begins_a_new_segment(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 50, 25);
    use_format(rig, other_size());
    rig_pictures(rig, 50, 25);
    use_format(rig, other_size()); /* the same in other memory */
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    rig_check_one_span(rig, 150);
    assert_int_equal(rig_rows(rig, rows, 4), 2);
    assert_int_equal(rows[0].ended, SEGMENT_FORMAT);
    assert_int_equal(rows[0].to_us, rows[1].id.from_us);
    assert_int_equal(rig_check(rig), 150);
}

/* Fragments of a finished segment, by its seek table: each of them begins with a key frame here. */
static size_t n_fragments(struct rig *rig, const struct segment_row *row)
{
    char path[SEGMENT_PATH_BYTES], full[512];
    struct fmp4_seek_entry *seeks = NULL;
    size_t n = 0, size, need;
    snprintf(full, sizeof full, "%s/rec/%s", rig->dir, segment_path(&row->id, path));
    FILE *f = fopen(full, "rb");
    assert_non_null(f);
    uint8_t *bytes = xmalloc(1u << 20);
    size_t n_bytes = fread(bytes, 1, 1u << 20, f);
    fclose(f);
    assert_int_equal(fmp4_read_mfra(bytes, n_bytes, &seeks, &n, &size, &need), 1);
    free(seeks);
    free(bytes);
    return n;
}

/* MJPEG: every picture is a key frame, but no fragment of its own, and another size another file.
 */
static void images_are_gathered_into_fragments(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    rig_open(rig);
    rig_record(rig, "cam");
    use_format(rig, format_create_jpeg(640, 480));
    rig_pictures(rig, 250, 1);
    use_format(rig, format_create_jpeg(1280, 720));
    rig_pictures(rig, 100, 1);
    rig_stop(rig);
    rig_check_one_span(rig, 350);
    assert_int_equal(rig_rows(rig, rows, 4), 2);
    assert_int_equal(rows[0].ended, SEGMENT_FORMAT);
    assert_int_equal(rows[0].frames, 250);
    assert_int_equal(rows[0].to_us, rows[1].id.from_us);
    assert_in_range(n_fragments(rig, &rows[0]), 10, 12);
    assert_in_range(n_fragments(rig, &rows[1]), 4, 5);
    assert_int_equal(rig_check(rig), 350);
}

/* Nothing that cannot be decoded is written: pictures up to the next key frame are a gap. */
static void another_size_without_a_key_frame_is_a_gap(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    struct recordings rec;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 60, 50);
    use_format(rig, other_size());
    for (int i = 0; i < 40; i++)
        rig_picture(rig, false);
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    assert_int_equal(rig_check(rig), 110);
    assert_int_equal(rig_rows(rig, rows, 4), 2);
    assert_int_equal(rows[0].ended, SEGMENT_NO_KEY);
    assert_int_equal(rows[0].to_us, RIG_START_US + 60 * RIG_FRAME_US);
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_gaps, 2);
    assert_string_equal(rec.gaps[1].cause, "no_keyframe");
    assert_int_equal(rec.gaps[1].to_us - rec.gaps[1].from_us, 40 * RIG_FRAME_US);
    recordings_fini(&rec);
}

static size_t map_samples(struct rig *rig, struct sample_map **map)
{
    struct sample_query q = {.camera_id = "cam",
                             .stream = "main",
                             .from_us = RIG_START_US,
                             .to_us = RIG_START_US + 3600 * US_PER_S};
    assert_int_equal(source_map(storage_source(rig->storage), &q, map, NULL), 0);
    return (*map)->n_samples;
}

/* How many parameter sets stand in front of a recorded picture. */
static int n_sets(const struct sample_map *map, size_t i)
{
    struct packet *pkt;
    int n = 0;
    assert_int_equal(sample_read(map, i, &pkt, NULL), 0);
    for (size_t at = 0; pkt->size > 4000 && at < pkt->size - 4000; n++)
        at += 4 + get_be32(pkt->data + at);
    packet_unref(&pkt);
    return n;
}

/* A camera that changes its parameter sets many times a minute keeps one segment; from the first
 * change on every key frame carries its own. */
static void changing_parameter_sets_stay_in_the_segment(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    struct sample_map *map;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 75, 25);
    for (int i = 0; i < 300; i++) {
        if (i % 3 != 1) /* two groups with one, one group with the other */
            use_format(rig, rig_format(i % 3 == 0 ? 7 : 1));
        rig_pictures(rig, 25, 25);
    }
    rig_stop(rig);
    rig_check_one_span(rig, 75 + 7500);
    assert_int_equal(rig_check(rig), 75 + 7500);
    assert_int_equal(rig_rows(rig, rows, 4), 1);
    assert_int_equal(map_samples(rig, &map), 75 + 7500);
    for (size_t i = 0; i < map->n_samples; i += 25)
        assert_int_equal(n_sets(map, i), i < 75 ? 0 : 2);
    assert_int_equal(map->n_formats, 1);
    sample_map_free(&map);
}

/* Sound begins late, jumps, stands still and goes back: pictures are not touched by it. */
static void strange_sound_never_stops_pictures(void **state)
{
    struct rig *rig = *state;
    int64_t ticks = 5000;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    for (int i = 0; i < 400; i++) {
        rig_picture(rig, i % 25 == 0);
        for (int k = 0; k < 2; k++) {
            rig_sound(rig, ticks, rig->wall_us);
            ticks += i == 100 ? 800000 : i == 200 ? -900000 : i > 300 ? 0 : 160;
        }
    }
    rig_stop(rig);
    rig_check_one_span(rig, 500);
    assert_int_equal(rig_check(rig), 500);
}

/* Ten times too much sound, of both kinds: it is cut, the pictures are whole and so is the length.
 */
static void too_much_sound_never_stops_pictures(void **state)
{
    struct rig *rig = *state;
    struct segment_row row;
    int64_t ticks = 0;
    rig_open(rig);
    for (int kind = 0; kind < 2; kind++) {
        if (kind == 1) {
            format_unref(&rig->audio);
            assert_int_equal(format_create_audio(CODEC_AAC, 16000, 1, NULL, 0, &rig->audio), 0);
        }
        rig_record(rig, kind == 0 ? "cam" : "cam-aac");
        int64_t from_us = rig->wall_us;
        for (int i = 0; i < 500; i++) {
            rig_picture(rig, i % 25 == 0);
            for (int k = 0; k < 20; k++, ticks += kind == 0 ? 160 : 1024)
                rig_sound(rig, ticks, rig->wall_us);
        }
        rig_stop(rig);
        struct segment_row rows[4];
        assert_int_equal(rig_rows(rig, rows, 4), kind + 1);
        row = rows[kind];
        assert_int_equal(row.frames, 500);
        assert_int_equal(row.to_us - from_us, 500 * RIG_FRAME_US);
    }
    assert_int_equal(rig_check(rig), 1000);
}

static void sound_is_a_second_track(void **state)
{
    struct rig *rig = *state;
    struct sample_map *map;
    rig_open(rig);
    rig_record(rig, "cam");
    for (int i = 0; i < 250; i++) {
        rig_sound(rig, i * 320, rig->wall_us);
        rig_sound(rig, i * 320 + 160, rig->wall_us + 20000);
        rig_picture(rig, i % 25 == 0);
    }
    rig_stop(rig);
    struct sample_query q = {.camera_id = "cam",
                             .stream = "main",
                             .from_us = RIG_START_US,
                             .to_us = RIG_START_US + 60 * US_PER_S,
                             .wants_audio = true};
    assert_int_equal(source_map(storage_source(rig->storage), &q, &map, NULL), 0);
    size_t n_video = 0, n_audio = 0;
    int64_t last_us[2] = {0}; /* a fragment may begin before the sound of the one in front ends */
    for (size_t i = 0; i < map->n_samples; i++) {
        n_video += map->samples[i].is_video;
        n_audio += !map->samples[i].is_video;
        assert_true(map->samples[i].wall_us > last_us[map->samples[i].is_video]);
        last_us[map->samples[i].is_video] = map->samples[i].wall_us;
    }
    assert_int_equal(n_video, 250);
    assert_true(n_audio >= 490 && n_audio <= 500);
    assert_int_equal(map->n_formats, 2);
    sample_map_free(&map);
}

static void M2_16_bit_samples_last_as_long_as_they_do(void **state)
{
    struct rig *rig = *state;
    struct sample_map *map;
    rig_open(rig);
    format_unref(&rig->audio);
    assert_int_equal(format_create_audio(CODEC_S16LE, 8000, 1, NULL, 0, &rig->audio), 0);
    rig_record(rig, "cam");
    for (int i = 0; i < 100; i++) {
        rig_picture(rig, i % 25 == 0);
        for (int k = 0; k < 4; k++) /* 160 bytes are 80 samples */
            rig_sound(rig, i * 320 + k * 80, rig->wall_us);
    }
    rig_stop(rig);
    struct sample_query q = {.camera_id = "cam",
                             .stream = "main",
                             .from_us = RIG_START_US,
                             .to_us = RIG_START_US + 60 * US_PER_S,
                             .wants_audio = true};
    assert_int_equal(source_map(storage_source(rig->storage), &q, &map, NULL), 0);
    size_t n_audio = 0;
    for (size_t i = 0; i < map->n_samples; i++) {
        if (map->samples[i].is_video)
            continue;
        n_audio++;
        assert_int_equal(map->samples[i].duration, 80);
        assert_int_equal(map->formats[map->samples[i].format]->codec, CODEC_S16LE);
    }
    assert_true(n_audio >= 390);
    sample_map_free(&map);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_size_begins_a_new_segment),
        TEST(images_are_gathered_into_fragments),
        TEST(another_size_without_a_key_frame_is_a_gap),
        TEST(changing_parameter_sets_stay_in_the_segment),
        TEST(strange_sound_never_stops_pictures),
        TEST(too_much_sound_never_stops_pictures),
        TEST(sound_is_a_second_track),
        TEST(M2_16_bit_samples_last_as_long_as_they_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
