#include "delivery_rig.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/mem.h"
#include "delivery/clip_priv.h"

struct rig {
    struct rig_source source;
    struct rig_run runs[4];
    struct clip *clip;
    uint8_t *bytes; /* all of it */
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct rig));
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    clip_free(&rig->clip);
    rig_source_fini(&rig->source);
    free(rig->bytes);
    free(rig);
    return 0;
}

static void record(struct rig *rig, const struct rig_run *runs, size_t n)
{
    memcpy(rig->runs, runs, n * sizeof *runs);
    rig_source_init(&rig->source, rig->runs, n);
}

static int plan_us(struct rig *rig, int64_t from_us, int64_t to_us)
{
    clip_free(&rig->clip);
    return clip_plan(&(struct clip_params){.source = &rig->source.source,
                                           .camera_id = "cam-001",
                                           .stream = "main",
                                           .from_us = from_us,
                                           .to_us = to_us},
                     &rig->clip, NULL);
}

/* Plans [from, to) in pictures, reads all bytes. */
static void plan(struct rig *rig, int64_t from, int64_t to)
{
    assert_int_equal(plan_us(rig, rig_time(from), rig_time(to)), 0);
    FREE(&rig->bytes);
    rig->bytes = malloc(clip_size(rig->clip) + 1);
    assert_int_equal(clip_read(rig->clip, 0, rig->bytes, clip_size(rig->clip) + 1, NULL),
                     clip_size(rig->clip));
}

/* The payload of the n-th box of this type anywhere in the header; boxes hold no such bytes but
 * their names. */
static const uint8_t *box(const struct rig *rig, const char *type, int n)
{
    const uint8_t *p = rig->bytes;
    for (size_t i = 4; i + 4 < rig->clip->header.len; i++)
        if (!memcmp(p + i, type, 4) && n-- == 0)
            return p + i + 4;
    fail_msg("no %s", type);
    return NULL;
}

static uint64_t edit_duration(const struct rig *rig)
{
    return get_be64(box(rig, "elst", 0) + 8);
}

static uint64_t edit_start(const struct rig *rig)
{
    return get_be64(box(rig, "elst", 0) + 16);
}

static void expect_pictures(const struct rig *rig, int64_t from, int64_t to, size_t at)
{
    for (int64_t i = from; i < to; i++) {
        int64_t got = 0;
        memcpy(&got, rig->bytes + rig->clip->header.len + (at + (size_t)(i - from)) * 64, 8);
        assert_int_equal(got, i);
    }
}

static const struct rig_run ten_minutes[] = {{.from = 0, .to = 6000, .mark = 16}};

static void is_exact_to_the_frame(void **state)
{
    struct rig *rig = *state;
    record(rig, ten_minutes, 1);
    plan(rig, 25, 63);
    expect_pictures(rig, 20, 63, 0); /* decoding begins at the key frame */
    assert_int_equal(clip_size(rig->clip), rig->clip->header.len + 43 * 64);
    assert_int_equal(clip_n_pictures(rig->clip), 38);
    assert_int_equal(edit_start(rig), 5 * 9000);
    assert_int_equal(edit_duration(rig), 38 * 9000);
    int64_t from_us, to_us;
    clip_bounds(rig->clip, &from_us, &to_us);
    assert_int_equal(from_us, rig_time(25));
    assert_int_equal(to_us, rig_time(63));
    size_t n;
    clip_gaps(rig->clip, &n);
    assert_int_equal(n, 0);
}

static void times_between_pictures_take_those_inside(void **state)
{
    struct rig *rig = *state;
    record(rig, ten_minutes, 1);
    assert_int_equal(plan_us(rig, rig_time(25) + 1, rig_time(63) + 1), 0);
    assert_int_equal(clip_n_pictures(rig->clip), 38);
    int64_t from_us, to_us;
    clip_bounds(rig->clip, &from_us, &to_us);
    assert_int_equal(from_us, rig_time(26));
    assert_int_equal(to_us, rig_time(64));
}

static void any_range_of_bytes_is_a_piece_of_the_whole(void **state)
{
    struct rig *rig = *state;
    static const struct rig_run runs[] = {{.from = 0, .to = 200, .mark = 16, .has_audio = true},
                                          {.from = 200, .to = 500, .mark = 16, .has_audio = true}};
    record(rig, runs, 2);
    plan(rig, 10, 450);
    size_t size = clip_size(rig->clip);
    uint32_t seed = 5;
    for (int i = 0; i < 300; i++) {
        uint8_t piece[5000];
        seed = seed * 1664525 + 1013904223;
        size_t offset = (seed >> 4) % size;
        size_t n = (seed >> 20) % sizeof piece;
        ssize_t got = clip_read(rig->clip, offset, piece, n, NULL);
        assert_int_equal(got, MIN(n, size - offset));
        assert_memory_equal(piece, rig->bytes + offset, got);
    }
    uint8_t byte;
    assert_int_equal(clip_read(rig->clip, size, &byte, 1, NULL), 0);
}

static void gaps_are_skipped_and_listed(void **state)
{
    struct rig *rig = *state;
    static const struct rig_run runs[] = {{.from = 0, .to = 100, .mark = 16},
                                          {.from = 600, .to = 700, .mark = 16}};
    record(rig, runs, 2);
    plan(rig, -50, 900);
    expect_pictures(rig, 0, 100, 0);
    expect_pictures(rig, 600, 700, 100);
    assert_int_equal(edit_duration(rig), 200 * 9000);
    size_t n;
    const struct clip_gap *gaps = clip_gaps(rig->clip, &n);
    assert_int_equal(n, 3);
    assert_int_equal(gaps[0].from_us, rig_time(-50));
    assert_int_equal(gaps[0].to_us, rig_time(0));
    assert_string_equal(gaps[0].cause, "unknown");
    assert_int_equal(gaps[1].from_us, rig_time(100));
    assert_int_equal(gaps[1].to_us, rig_time(600));
    assert_string_equal(gaps[1].cause, "timeout");
    assert_int_equal(gaps[2].to_us, rig_time(900));
    struct buf text;
    char a[CLOCK_RFC3339_BYTES], b[CLOCK_RFC3339_BYTES], expected[128];
    buf_init(&text, 0);
    clip_print_gaps(rig->clip, &text);
    snprintf(expected, sizeof expected, ", %s/%s;timeout, ", rfc3339_print(rig_time(100), a),
             rfc3339_print(rig_time(600), b));
    assert_non_null(strstr(buf_cstr(&text), expected));
    buf_fini(&text);
}

static void a_camera_that_stood_still_is_no_gap(void **state)
{
    struct rig *rig = *state;
    static const struct rig_run runs[] = {
        {.from = 0, .to = 300, .mark = 16, .has_audio = true, .hole_from = 50, .hole_to = 130}};
    record(rig, runs, 1);
    plan(rig, 0, 200);
    assert_int_equal(edit_duration(rig), 200 * 9000);
    size_t n;
    clip_gaps(rig->clip, &n);
    assert_int_equal(n, 0);
}

static void a_gap_may_begin_with_sound(void **state)
{
    struct rig *rig = *state;
    static const struct rig_run runs[] = {
        {.from = 0, .to = 100, .mark = 16, .has_audio = true},
        {.from = 110, .to = 300, .mark = 16, .has_audio = true, .sound_first = true}};
    record(rig, runs, 2);
    plan(rig, 0, 200);
    size_t n;
    const struct clip_gap *gaps = clip_gaps(rig->clip, &n);
    assert_int_equal(n, 1);
    assert_int_equal(gaps[0].from_us, rig_time(100));
    assert_int_equal(gaps[0].to_us, rig_time(110));
    assert_int_equal(edit_duration(rig), 190 * 9000);
}

static void a_start_in_a_gap_begins_behind_it(void **state)
{
    struct rig *rig = *state;
    static const struct rig_run runs[] = {{.from = 0, .to = 100, .mark = 16},
                                          {.from = 600, .to = 700, .mark = 16}};
    record(rig, runs, 2);
    plan(rig, 300, 610);
    expect_pictures(rig, 600, 610, 0);
    assert_int_equal(edit_start(rig), 0);
    assert_int_equal(clip_size(rig->clip), rig->clip->header.len + 10 * 64);
}

static void maps_that_are_cut_give_the_same_clip(void **state)
{
    struct rig *rig = *state;
    record(rig, ten_minutes, 1);
    plan(rig, 25, 1234);
    size_t size = clip_size(rig->clip);
    uint8_t *whole = rig->bytes;
    rig->bytes = NULL;
    rig->source.cut_after = 70;
    plan(rig, 25, 1234);
    assert_true(rig->source.n_calls > 15);
    assert_int_equal(clip_size(rig->clip), size);
    assert_memory_equal(rig->bytes, whole, size);
    free(whole);
}

static void a_changed_format_is_a_second_sample_entry(void **state)
{
    struct rig *rig = *state;
    static const struct rig_run runs[] = {{.from = 0, .to = 200, .mark = 16},
                                          {.from = 200, .to = 400, .mark = 32}};
    record(rig, runs, 2);
    plan(rig, 0, 400);
    assert_int_equal(get_be32(box(rig, "stsd", 0) + 4), 2);
    assert_int_equal(box(rig, "avcC", 0)[40], 16);
    assert_int_equal(box(rig, "avcC", 1)[40], 32);
    size_t n;
    clip_gaps(rig->clip, &n);
    assert_int_equal(n, 1); /* the rig marks every run */
}

static void sound_is_inside_from_first_to_last_picture(void **state)
{
    struct rig *rig = *state;
    static const struct rig_run runs[] = {{.from = 0, .to = 200, .mark = 16, .has_audio = true}};
    record(rig, runs, 1);
    plan(rig, 5, 195);
    const uint8_t *stsz = box(rig, "stsz", 1);
    assert_in_range(get_be32(stsz + 8), 19.5 * 48000 / 1024 - 2, 19.5 * 48000 / 1024 + 2);
    assert_int_equal(clip_n_pictures(rig->clip), 190);
    rig->source.n_calls = 0;
    struct clip *silent;
    assert_int_equal(clip_plan(&(struct clip_params){.source = &rig->source.source,
                                                     .camera_id = "cam-001",
                                                     .from_us = rig_time(5),
                                                     .to_us = rig_time(195),
                                                     .without_audio = true},
                               &silent, NULL),
                     0);
    assert_int_equal(clip_size(silent), silent->header.len + 195 * 64);
    clip_free(&silent);
}

/* Sum of an stts box, ticks. */
static uint64_t track_duration(const struct rig *rig, int track)
{
    const uint8_t *stts = box(rig, "stts", track);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < get_be32(stts + 4); i++)
        sum += (uint64_t)get_be32(stts + 8 + 8 * i) * get_be32(stts + 12 + 8 * i);
    return sum;
}

static void sound_stays_beside_the_picture_across_silence(void **state)
{
    struct rig *rig = *state;
    static const struct rig_run runs[] = {{.from = 0, .to = 100, .mark = 16, .has_audio = true},
                                          {.from = 200, .to = 300, .mark = 16},
                                          {.from = 400, .to = 500, .mark = 16, .has_audio = true}};
    record(rig, runs, 3);
    plan(rig, 0, 500);
    assert_int_equal(track_duration(rig, 0), 300 * 9000);
    assert_in_range(track_duration(rig, 1), 30 * 48000 - 5000, 30 * 48000 + 5000);
}

static void nothing_recorded_is_not_found(void **state)
{
    struct rig *rig = *state;
    record(rig, ten_minutes, 1);
    assert_int_equal(plan_us(rig, rig_time(7000), rig_time(8000)), ERR_NOT_FOUND);
    assert_null(rig->clip);
    assert_int_equal(plan_us(rig, rig_time(20), rig_time(20)), ERR_INVALID);
    rig->source.fails_with = ERR_NOT_FOUND;
    assert_int_equal(plan_us(rig, rig_time(20), rig_time(40)), ERR_NOT_FOUND);
    rig->source.fails_with = -EIO;
    assert_int_equal(plan_us(rig, rig_time(20), rig_time(40)), -EIO);
}

static bool give_up(void *ctx, uint64_t n)
{
    (void)ctx;
    return n < 10000;
}

static void is_written_to_a_file(void **state)
{
    struct rig *rig = *state;
    record(rig, ten_minutes, 1);
    rig->source.picture_bytes = 64;
    plan(rig, 0, 6000);
    int fd = memfd_create("clip", MFD_CLOEXEC);
    assert_int_equal(clip_write(rig->clip, fd, NULL, NULL, NULL), 0);
    size_t size = clip_size(rig->clip);
    uint8_t *written = malloc(size + 1);
    assert_int_equal(pread(fd, written, size + 1, 0), size);
    assert_memory_equal(written, rig->bytes, size);
    assert_int_equal(clip_write(rig->clip, fd, give_up, NULL, NULL), -ECANCELED);
    free(written);
    close(fd);
}

static void a_recording_that_vanished_is_an_error(void **state)
{
    struct rig *rig = *state;
    record(rig, ten_minutes, 1);
    plan(rig, 0, 100);
    assert_int_equal(ftruncate(rig->runs[0].fd, 640), 0);
    uint8_t bytes[4096];
    struct err err = {0};
    assert_int_equal(clip_read(rig->clip, rig->clip->header.len, bytes, 640, &err), 640);
    assert_int_equal(clip_read(rig->clip, rig->clip->header.len, bytes, 641, &err), ERR_EOF);
    assert_true(err.msg[0] != '\0');
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(is_exact_to_the_frame),
        T(times_between_pictures_take_those_inside),
        T(any_range_of_bytes_is_a_piece_of_the_whole),
        T(gaps_are_skipped_and_listed),
        T(a_camera_that_stood_still_is_no_gap),
        T(a_gap_may_begin_with_sound),
        T(a_start_in_a_gap_begins_behind_it),
        T(maps_that_are_cut_give_the_same_clip),
        T(a_changed_format_is_a_second_sample_entry),
        T(sound_is_inside_from_first_to_last_picture),
        T(sound_stays_beside_the_picture_across_silence),
        T(nothing_recorded_is_not_found),
        T(is_written_to_a_file),
        T(a_recording_that_vanished_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
