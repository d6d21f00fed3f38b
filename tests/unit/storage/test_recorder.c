#include "rig.h"

#include <errno.h>
#include <unistd.h>

#include "media/hub.h"
#include "storage/db.h"
#include "storage/repair.h"

static void check_one_span(struct rig *rig, int64_t frames)
{
    struct recordings rec;
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, 1);
    assert_int_equal(rec.spans[0].from_us, RIG_START_US);
    assert_int_equal(rec.spans[0].to_us, RIG_START_US + frames * RIG_FRAME_US);
    assert_int_equal(rec.spans[0].frames, frames);
    recordings_fini(&rec);
}

static void records_what_is_published(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 500, 25);
    rig_stop(rig);
    check_one_span(rig, 500);
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
    check_one_span(rig, 500);
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
    check_one_span(rig, 240);
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

static void a_lost_source_is_a_gap(void **state)
{
    struct rig *rig = *state;
    struct recordings rec;
    struct segment_row rows[4];
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    hub_set_up(rig->hub, false);
    rig->wall_us += 30 * US_PER_S;
    hub_set_up(rig->hub, true);
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
    rig_open(rig);
    rig_record(rig, "cam");
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
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 60, 250);
    rig_pause(rig, 5 * US_PER_S, true);
    for (int i = 0; i < 60; i++)
        rig_picture(rig, false);
    rig_pause(rig, 5 * US_PER_S, false);
    for (int i = 0; i < 60; i++)
        rig_picture(rig, false);
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
    char path[SEGMENT_PATH_BYTES];
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 60, 250);
    rig_pause(rig, 5 * US_PER_S, true);
    for (int i = 0; i < 60; i++)
        rig_picture(rig, false);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 2), 1);
    assert_int_equal(rows[0].holes.n, 1);
    struct segment_row seen = {.id = rows[0].id};
    struct volume *v = rig->storage->volumes[0];
    char *file = xasprintf("%s/%s", v->path, segment_path(&rows[0].id, path));
    assert_int_equal(truncate(file, rows[0].bytes - 8), 0);
    free(file);
    assert_int_equal(repair_segment(v->dirfd, path, v->chain, true, &seen, NULL), 0);
    assert_int_equal(seen.frames, 120);
    assert_int_equal(seen.holes.n, 1);
    assert_memory_equal(seen.holes.list, rows[0].holes.list, sizeof seen.holes.list[0]);
}

/* Nothing lies in the future when the source goes right after a pause. */
static void a_pause_does_not_lengthen_what_follows(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    rig_open(rig);
    rig_record(rig, "cam");
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
    rig_open(rig);
    rig_record(rig, "cam");
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

/* A tenth too slow for minutes: cameras whose clocks run wrong, and simulators without rest. */
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
    rig_open(rig);
    rig_record(rig, "cam");
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
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 60, 50);
    rig->wall_us += 86400 * US_PER_S; /* a day forward, between key frames */
    for (int i = 0; i < 15; i++)
        rig_picture(rig, false);
    rig_pictures(rig, 50, 25);
    rig->wall_us -= 2 * 86400 * US_PER_S; /* two days back, at a key frame */
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 4), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(rows[i].to_us - rows[i].id.from_us < 10 * US_PER_S);
    assert_int_equal(rows[0].frames + rows[1].frames + rows[2].frames, 175);
}

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
    check_one_span(rig, 150);
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
    check_one_span(rig, 350);
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
    check_one_span(rig, 75 + 7500);
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
    check_one_span(rig, 500);
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

static bool is_fine_again(struct rig *rig)
{
    rig_pictures(rig, 25, 25);
    return rig->status.is_recording;
}

static bool has_trouble(struct rig *rig)
{
    rig_pictures(rig, 25, 25);
    return !rig->status.is_recording && rig->status.detail[0] != '\0';
}

/* The disk fills up: what cannot be written is counted, told, and after it works again recorded. */
static void a_full_disk_is_a_counted_gap(void **state)
{
    struct rig *rig = *state;
    struct recordings rec;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_wait(rig, rig_is_recording);
    atomic_store(&rig->disk.write_error, -ENOSPC);
    rig_wait(rig, has_trouble);
    assert_non_null(strstr(rig->status.detail, "No space left"));
    assert_true(rig->status.n_lost_fragments > 0);
    atomic_store(&rig->disk.write_error, 0);
    rig_wait(rig, is_fine_again);
    rig_stop(rig);
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, 2);
    for (size_t i = 0; i < rec.n_gaps; i++)
        if (rec.gaps[i].from_us == rec.spans[0].to_us)
            assert_string_equal(rec.gaps[i].cause, "disk");
    recordings_fini(&rec);
    assert_true(rig_check(rig) < rig->next_number);
}

static void a_disk_that_vanishes_is_survived(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    atomic_store(&rig->disk.create_error, -EIO);
    atomic_store(&rig->disk.write_error, -EIO);
    rig_wait(rig, has_trouble);
    atomic_store(&rig->disk.create_error, 0);
    atomic_store(&rig->disk.write_error, 0);
    rig_wait(rig, is_fine_again);
    rig_stop(rig);
    assert_true(rig_check(rig) > 0);
}

/* A disk that does not answer: publishing goes on, memory stays bounded, the gap is counted. */
static void a_stuck_disk_blocks_nobody(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 50, 25);
    rig_wait(rig, rig_is_recording);
    atomic_store(&rig->disk.is_stuck, true);
    rig_pictures(rig, 25000, 25); /* some 28 MB */
    assert_true(atomic_load(&rig->storage->volumes[0]->queued_bytes) <= RECORDER_QUEUE_MAX_BYTES);
    rig_wait(rig, has_trouble);
    assert_non_null(strstr(rig->status.detail, "too slow"));
    atomic_store(&rig->disk.is_stuck, false);
    rig_wait(rig, is_fine_again);
    rig_stop(rig);
    assert_true(rig_check(rig) < rig->next_number);
}

static int job_refuse(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db,
                   "CREATE TRIGGER refuse BEFORE INSERT ON segments"
                   " BEGIN SELECT RAISE(ABORT, 'no room'); END",
                   err);
}

static int job_allow(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db, "DROP TRIGGER refuse", err);
}

/* The catalogue's disk is full: recording goes on, and what is not in the index gets there later.
 */
static void a_catalogue_that_refuses_loses_nothing(void **state)
{
    struct rig *rig = *state;
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_refuse, NULL, NULL), 0);
    rig_record(rig, "cam");
    rig_pictures(rig, 300, 25);
    rig_wait(rig, rig_is_written);
    assert_int_equal(rig_rows(rig, NULL, 0), 0);
    hub_set_up(rig->hub, false);
    assert_int_equal(catalogue_write(rig->catalogue, job_allow, NULL, NULL), 0);
    rig_stop(rig);
    assert_int_equal(rig_check(rig), 300);
}

static void stopping_does_not_wait_for_it_for_ever(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_refuse, NULL, NULL), 0);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    assert_int_equal(rig_unsettled(rig), 1);
    assert_int_equal(catalogue_write(rig->catalogue, job_allow, NULL, NULL), 0);
    rig_close(rig);
    rig_open(rig);
    assert_int_equal(rig_check(rig), 100);
}

static void another_volume_takes_over(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    rig->volumes[1].path = xasprintf("%s/rec2", rig->dir);
    rig->params.n_volumes = 2;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_wait(rig, rig_is_recording);
    struct volume *first = storage__pick_volume(rig->storage, "cam");
    atomic_store(&first->fault, VOLUME_FAILED); /* as its own thread would find */
    assert_ptr_not_equal(storage__pick_volume(rig->storage, "cam"), first);
    hub_set_up(rig->hub, false);
    hub_set_up(rig->hub, true);
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    atomic_store(&first->fault, VOLUME_OK);
    assert_int_equal(rig_rows(rig, rows, 8), 2);
    assert_int_not_equal(rows[0].volume, rows[1].volume);
    assert_int_equal(rig_check(rig), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_what_is_published),
        TEST(rotation_loses_nothing),
        TEST(long_groups_are_cut_into_fragments),
        TEST(waits_for_a_key_frame),
        TEST(a_lost_source_is_a_gap),
        TEST(missing_pictures_are_a_hole),
        TEST(a_pause_inside_a_group_is_a_gap),
        TEST(a_pause_is_found_again_after_a_crash),
        TEST(a_pause_does_not_lengthen_what_follows),
        TEST(many_pauses_end_the_segment),
        TEST(a_gap_has_one_cause_however_it_is_asked_for),
        TEST(a_camera_whose_clock_runs_wrong_has_no_gaps),
        TEST(clock_steps_keep_lengths_true),
        TEST(another_size_begins_a_new_segment),
        TEST(images_are_gathered_into_fragments),
        TEST(another_size_without_a_key_frame_is_a_gap),
        TEST(changing_parameter_sets_stay_in_the_segment),
        TEST(strange_sound_never_stops_pictures),
        TEST(too_much_sound_never_stops_pictures),
        TEST(sound_is_a_second_track),
        TEST(M2_16_bit_samples_last_as_long_as_they_do),
        TEST(is_playable_while_written),
        TEST(a_full_disk_is_a_counted_gap),
        TEST(a_disk_that_vanishes_is_survived),
        TEST(a_stuck_disk_blocks_nobody),
        TEST(a_catalogue_that_refuses_loses_nothing),
        TEST(stopping_does_not_wait_for_it_for_ever),
        TEST(another_volume_takes_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
