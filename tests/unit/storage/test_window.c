/* The reader over real recordings: every picture once, forward and back, from anywhere, whatever
 * happened to the files. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "media/hub.h"
#include "media/reader.h"
#include "storage/db.h"
#include "storage/db_segments.h"

#define MOST 20000

/* The numbers of the pictures that can be read, in order. */
struct numbers {
    int64_t list[MOST];
    size_t n;
};

static struct numbers from_to(int64_t from, int64_t to)
{
    struct numbers all = {0};
    while (from < to)
        all.list[all.n++] = from++;
    return all;
}

static void append(struct numbers *all, int64_t from, int64_t to)
{
    while (from < to)
        all->list[all->n++] = from++;
}

static struct reader *open_reader(struct rig *rig)
{
    return reader_create(&(struct reader_params){
        .source = storage_source(rig->storage), .camera_id = "cam", .stream = "main"});
}

static int64_t number_of(const struct packet *pkt)
{
    int64_t number;
    memcpy(&number, pkt->data, sizeof number);
    return number;
}

static int64_t number_at(struct reader *r)
{
    struct packet *pkt = NULL;
    struct err err = {0};
    if (reader_picture(r, &pkt, &err) < 0)
        fail_msg("%s", err.msg);
    int64_t number = number_of(pkt);
    assert_int_equal(pkt->wall_us, reader_position(r)->wall_us);
    packet_unref(&pkt);
    return number;
}

typedef int step_fn(struct reader *r, struct err *err);

/* [reader I2] From one picture to the next, or back. */
static void check_gap(const struct reader_at *at, int64_t last_us, int64_t numbers, int by)
{
    int64_t forward_us = (at->wall_us - last_us) * by;
    bool is_set_back = forward_us <= 0;
    bool is_missing = numbers != by || forward_us > US_PER_S;
    if (!is_set_back && is_missing != (at->gap.to_us != 0))
        fail_msg("%lld us and %lld pictures on: %s", (long long)forward_us, (long long)numbers,
                 is_missing ? "no gap is told" : "no gap is there");
}

/* Walks on from the picture it stands on, which is at `at`, to the end of the list. */
static void walk(struct reader *r, const struct numbers *all, size_t at, step_fn *step, int by)
{
    bool by_picture = step == reader_next || step == reader_prev;
    for (;; at += (size_t)by) {
        int64_t number = number_at(r);
        if (number != all->list[at])
            fail_msg("picture %lld instead of %lld", (long long)number, (long long)all->list[at]);
        int64_t wall_us = reader_position(r)->wall_us;
        int rc = step(r, NULL);
        assert_true(rc >= 0);
        bool is_end = by > 0 ? at + 1 == all->n : at == 0;
        assert_int_equal(rc == READER_FOUND, !is_end);
        if (is_end) { /* it stays where it was: [reader I3] */
            assert_int_equal(reader_position(r)->wall_us, wall_us);
            assert_int_equal(number_at(r), number);
            return;
        }
        if (by_picture)
            check_gap(reader_position(r), wall_us, number_at(r) - number, by);
    }
}

static size_t index_of(const struct numbers *all, int64_t number)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i] == number)
            return i;
    fail_msg("picture %lld should not be there", (long long)number);
    return 0;
}

static void read_all(struct reader *r, const struct numbers *all)
{
    struct reader_item item;
    int64_t from_us = RIG_START_US - 86400 * US_PER_S;
    assert_int_equal(reader_seek(r, from_us, READER_AT, NULL), READER_FOUND);
    for (size_t i = 0; i < all->n; i++) {
        assert_int_equal(reader_read(r, &(struct reader_want){0}, &item, NULL), READER_FOUND);
        assert_int_equal(number_of(item.pkt), all->list[i]);
        packet_unref(&item.pkt);
    }
    assert_true(reader_read(r, &(struct reader_want){0}, &item, NULL) != READER_FOUND);
}

/* [reader I1] */
static void check_walks(struct rig *rig, const struct numbers *all)
{
    struct reader *r = open_reader(rig);
    int64_t from_us = RIG_START_US - 86400 * US_PER_S, to_us = RIG_START_US + 7 * 86400 * US_PER_S;
    assert_int_equal(reader_seek(r, from_us, READER_AT, NULL), READER_FOUND);
    walk(r, all, 0, reader_next, 1);
    walk(r, all, all->n - 1, reader_prev, -1);
    assert_int_equal(reader_seek(r, to_us, READER_BEFORE, NULL), READER_FOUND);
    walk(r, all, all->n - 1, reader_prev, -1);
    for (int64_t at_us = RIG_START_US - US_PER_S; at_us < rig->wall_us; at_us += 710000) {
        assert_int_equal(reader_seek(r, at_us, READER_AT, NULL) >= 0, true);
        size_t at = index_of(all, number_at(r));
        walk(r, all, at, at_us % 2 != 0 ? reader_next : reader_prev, at_us % 2 != 0 ? 1 : -1);
    }
    read_all(r, all);
    reader_destroy(&r);
}

static void file_of(struct rig *rig, const struct segment_row *row, char *out, size_t n)
{
    char path[SEGMENT_PATH_BYTES];
    snprintf(out, n, "%s/rec/%s", rig->dir, segment_path(&row->id, path));
}

/* Four segments of 4 s, a key frame every second, the numbers 0..399 inside. */
static void record_some(struct rig *rig)
{
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 400, 25);
}

static void walks_over_segments(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_stop(rig);
    struct numbers all = from_to(0, 400);
    check_walks(rig, &all);
}

static void walks_over_files_without_an_end(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_stop(rig);
    char cmd[256];
    snprintf(cmd, sizeof cmd,
             "cd %s/rec && for f in $(find . -name '*.mp4'); do truncate -s -16 $f; done",
             rig->dir);
    assert_int_equal(system(cmd), 0);
    struct numbers all = from_to(0, 400);
    check_walks(rig, &all);
}

static void seeks_to_any_picture(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_stop(rig);
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
    record_some(rig);
    rig_stop(rig);
    struct numbers keys = {0};
    for (int64_t i = 0; i < 400; i += 25)
        append(&keys, i, i + 1);
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
    hub_set_up(rig->hub, false);
    rig->wall_us += 10 * US_PER_S;
    hub_set_up(rig->hub, true);
    rig_pictures(rig, 100, 25);
}

static void expect_gap(struct reader *r, int64_t from_us, int64_t to_us, const char *cause)
{
    const struct sample_gap *gap = &reader_position(r)->gap;
    assert_int_equal(gap->from_us, RIG_START_US + from_us);
    assert_int_equal(gap->to_us, RIG_START_US + to_us);
    assert_string_equal(gap->cause, cause);
}

static void tells_gaps_both_ways(void **state)
{
    struct rig *rig = *state;
    record_with_gap(rig);
    rig_stop(rig);
    struct numbers all = from_to(0, 200);
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
    struct numbers all = from_to(0, 120);
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
    struct numbers all = from_to(0, 290);
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
    struct numbers all = from_to(0, 175);
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
    record_some(rig);
    rig_wait(rig, rig_is_written);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, rig->wall_us, READER_AT, NULL), READER_AGAIN);
    assert_int_equal(reader_seek(r, rig->wall_us, READER_BEFORE, NULL), READER_FOUND);
    int64_t newest = number_at(r);
    assert_in_range(newest, 350, 399);
    assert_int_equal(reader_next(r, NULL), READER_AGAIN);
    assert_int_equal(reader_next_key(r, NULL), READER_AGAIN);
    assert_int_equal(number_at(r), newest);
    struct numbers known = from_to(0, newest + 1);
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
    struct numbers all = from_to(0, 900);
    check_walks(rig, &all);
    atomic_store(&rig->clock.now_wall_us, rig->wall_us + 20 * US_PER_S);
    assert_int_equal(reader_seek(r, rig->wall_us, READER_AT, NULL), READER_END);
    reader_destroy(&r);
}

static void a_file_that_is_gone_is_a_gap(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[300];
    record_some(rig);
    rig_stop(rig);
    rig_rows(rig, rows, 8);
    file_of(rig, &rows[1], path, sizeof path);
    assert_int_equal(unlink(path), 0);
    struct numbers all = from_to(0, 100);
    append(&all, 200, 400);
    check_walks(rig, &all);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US + 6 * US_PER_S, READER_AT, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 200);
    assert_int_equal(reader_prev(r, NULL), READER_FOUND);
    expect_gap(r, 4 * US_PER_S, 8 * US_PER_S, "missing");
    reader_destroy(&r);
}

static void a_file_cut_short_is_a_gap_from_there(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[300];
    record_some(rig);
    rig_stop(rig);
    rig_rows(rig, rows, 8);
    file_of(rig, &rows[1], path, sizeof path);
    assert_int_equal(truncate(path, rows[1].bytes / 2), 0);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US + 4 * US_PER_S, READER_AT, NULL), READER_FOUND);
    int64_t last = number_at(r);
    assert_int_equal(last, 100);
    while (reader_position(r)->gap.to_us == 0) {
        last = number_at(r);
        assert_int_equal(reader_next(r, NULL), READER_FOUND);
    }
    assert_in_range(last, 124, 150);
    assert_int_equal(number_at(r), 200);
    expect_gap(r, (last + 1) * RIG_FRAME_US, 8 * US_PER_S, "missing");
    struct numbers all = from_to(0, last + 1);
    append(&all, 200, 400);
    check_walks(rig, &all);
    assert_int_equal(reader_seek(r, RIG_START_US + 7 * US_PER_S, READER_AT, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 200);
    reader_destroy(&r);
}

static void garbage_is_a_gap(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[300], cmd[400];
    record_some(rig);
    rig_stop(rig);
    rig_rows(rig, rows, 8);
    file_of(rig, &rows[2], path, sizeof path);
    snprintf(cmd, sizeof cmd, "head -c %lld /dev/urandom > %s", (long long)rows[2].bytes, path);
    assert_int_equal(system(cmd), 0);
    struct numbers all = from_to(0, 200);
    append(&all, 300, 400);
    check_walks(rig, &all);
}

/* Bytes here and there are others: whatever it makes of that file, it comes through it both ways,
 * and the other files are whole. */
static void comes_through_damaged_files(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[300];
    record_some(rig);
    rig_stop(rig);
    rig_rows(rig, rows, 8);
    file_of(rig, &rows[1], path, sizeof path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t *whole = xmalloc((size_t)rows[1].bytes);
    assert_int_equal(pread(fd, whole, (size_t)rows[1].bytes, 0), rows[1].bytes);
    srand48(4);
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i <= round % 12; i++) {
            /* headers are where the zeros of the payload are not */
            off_t at = lrand48() % rows[1].bytes;
            while (whole[at] == 0)
                at = (at + 1) % rows[1].bytes;
            uint8_t byte = (uint8_t)lrand48();
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        struct reader *r = open_reader(rig);
        int n_before = 0, n_behind = 0, n = 1;
        assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_FOUND);
        for (int rc = READER_FOUND; rc == READER_FOUND && n < 1000;
             rc = reader_next(r, NULL), n++) {
            n_before += reader_position(r)->wall_us < rows[1].id.from_us;
            n_behind += reader_position(r)->wall_us >= rows[2].id.from_us;
        }
        assert_in_range(n_before, 100, 200);
        assert_in_range(n_behind, 200, 300);
        int n_back = 1;
        while (reader_prev(r, NULL) == READER_FOUND && n_back < 1000)
            n_back++;
        assert_in_range(n_back, 300, 500);
        struct reader_item item;
        while (reader_read(r, &(struct reader_want){0}, &item, NULL) == READER_FOUND)
            packet_unref(&item.pkt);
        reader_destroy(&r);
        assert_int_equal(pwrite(fd, whole, (size_t)rows[1].bytes, 0), rows[1].bytes);
    }
    free(whole);
    close(fd);
}

/* Records on until the disk is (not) in trouble. */
static bool has_trouble(struct rig *rig)
{
    rig_pictures(rig, 25, 25);
    return !rig->status.is_recording && rig->status.detail[0] != '\0';
}

static bool is_fine_again(struct rig *rig)
{
    rig_pictures(rig, 25, 25);
    return rig->status.is_recording;
}

static void a_disk_that_fails_leaves_a_gap(void **state)
{
    struct rig *rig = *state;
    log_set_level(LOG_ERROR);
    rig->picture_bytes = 200;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_wait(rig, rig_is_written);
    atomic_store(&rig->disk.write_error, -EIO);
    rig_wait(rig, has_trouble);
    atomic_store(&rig->disk.write_error, 0);
    rig_wait(rig, is_fine_again);
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    struct reader *r = open_reader(rig);
    static struct numbers all;
    all.n = 0;
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_FOUND);
    do
        all.list[all.n++] = number_at(r);
    while (all.n < MOST && reader_next(r, NULL) == READER_FOUND);
    reader_destroy(&r);
    assert_int_equal(all.list[all.n - 1], rig->next_number - 1);
    assert_in_range(all.n, 190, rig->next_number - 1);
    check_walks(rig, &all);
}

static int job_move(struct db *db, void *ctx, struct err *err)
{
    return db_segment_finish(db, ctx, err);
}

static void walks_over_volumes(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[SEGMENT_PATH_BYTES], cmd[700];
    rig->volumes[1].path = xasprintf("%s/more", rig->dir);
    rig->params.n_volumes = 2;
    record_some(rig);
    rig_stop(rig);
    rig_rows(rig, rows, 8);
    int64_t keys[2];
    for (int i = 0; i < 2; i++)
        keys[i] = atomic_load(&rig->storage->volumes[i]->key);
    for (int i = 0; i < 4; i += 2) { /* every second segment to the other one */
        bool is_first = rows[i].volume == keys[0];
        segment_path(&rows[i].id, path);
        snprintf(cmd, sizeof cmd, "cd %s && mkdir -p $(dirname %s/%s) && mv %s/%s %s/%s", rig->dir,
                 is_first ? "more" : "rec", path, is_first ? "rec" : "more", path,
                 is_first ? "more" : "rec", path);
        assert_int_equal(system(cmd), 0);
        rows[i].volume = keys[is_first];
        assert_int_equal(catalogue_write(rig->catalogue, job_move, &rows[i], NULL), 0);
    }
    struct numbers all = from_to(0, 400);
    check_walks(rig, &all);

    /* the one with the second and the last is gone */
    atomic_store(&rig->storage->volumes[rows[1].volume == keys[1]]->key, 99);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US + 99 * RIG_FRAME_US, READER_AT, NULL), 1);
    assert_int_equal(reader_next(r, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 200);
    expect_gap(r, 4 * US_PER_S, 8 * US_PER_S, "missing");
    reader_destroy(&r);
}

static void reads_on_when_its_file_is_deleted(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_stop(rig);
    struct segment_row rows[8];
    char path[300];
    rig_rows(rig, rows, 8);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US + 4100000, READER_AT, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 102);
    file_of(rig, &rows[1], path, sizeof path);
    assert_int_equal(unlink(path), 0);
    int64_t number = 102;
    while (reader_next(r, NULL) == READER_FOUND && number_at(r) < 200) {
        number++;
        assert_int_equal(number_at(r), number);
    }
    assert_true(number > 110); /* the rest of what it had loaded */
    assert_int_equal(number_at(r), 200);
    expect_gap(r, (number + 1) * RIG_FRAME_US, 8 * US_PER_S, "missing");
    reader_destroy(&r);
}

static int job_thin(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db, "UPDATE segments SET n = n + 1000, thinned = 1", err);
}

/* Thinning puts a file of the same times in the place of the one that is read. */
static void goes_on_in_the_thinned_twin(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char old[300], new[300];
    record_some(rig);
    rig_stop(rig);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US + 5 * US_PER_S, READER_AT, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 125);
    size_t n = rig_rows(rig, rows, 8);
    for (size_t i = 0; i < n; i++) {
        file_of(rig, &rows[i], old, sizeof old);
        rows[i].id.n += 1000;
        file_of(rig, &rows[i], new, sizeof new);
        assert_int_equal(rename(old, new), 0);
    }
    assert_int_equal(catalogue_write(rig->catalogue, job_thin, NULL, NULL), 0);
    int64_t last = 125;
    while (reader_next(r, NULL) == READER_FOUND) {
        assert_in_range(number_at(r), last - 25, last + 1); /* a key frame perhaps again */
        last = number_at(r);
    }
    assert_int_equal(last, 399);
    reader_destroy(&r);
}

static void passes_over_a_volume_that_is_gone(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_stop(rig);
    struct volume *v = rig->storage->volumes[0];
    int64_t key = atomic_load(&v->key);
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_FOUND);
    atomic_store(&v->key, key + 100);
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_END);
    assert_int_equal(number_at(r), 0); /* what it holds it still has */
    atomic_store(&v->key, key);
    assert_int_equal(reader_seek(r, RIG_START_US, READER_AT, NULL), READER_FOUND);
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
    record_some(rig);
    rig_stop(rig);
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
    record_some(rig);
    rig_stop(rig);
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
        TEST(a_file_that_is_gone_is_a_gap),
        TEST(a_file_cut_short_is_a_gap_from_there),
        TEST(garbage_is_a_gap),
        TEST(comes_through_damaged_files),
        TEST(a_disk_that_fails_leaves_a_gap),
        TEST(walks_over_volumes),
        TEST(reads_on_when_its_file_is_deleted),
        TEST(goes_on_in_the_thinned_twin),
        TEST(passes_over_a_volume_that_is_gone),
        TEST(gives_sound_beside_the_picture),
        TEST(windows_are_some_seconds),
        TEST(returns_to_a_picture),
        TEST(unknown_cameras_are_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
