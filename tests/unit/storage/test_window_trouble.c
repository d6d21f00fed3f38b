/* The reader over recordings of which something is lost, damaged or moved: what is left it gives,
 * and tells the rest as gaps. */
#include "walks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "storage/db_segments.h"

/* What was recorded: pictures 0 to 99, 100 to 199 and so on. */
static struct segment_row rows[4];

static int setup(void **state)
{
    if (rig_setup(state) < 0)
        return -1;
    rig_record_some(*state);
    assert_int_equal(rig_rows(*state, rows, 4), 4);
    return 0;
}

static void a_file_that_is_gone_is_a_gap(void **state)
{
    struct rig *rig = *state;
    char path[RIG_PATH_BYTES];
    assert_int_equal(unlink(rig_file(rig, &rows[1], path)), 0);
    struct numbers all = numbers_from_to(0, 100);
    numbers_append(&all, 200, 400);
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
    char path[RIG_PATH_BYTES];
    rig_file(rig, &rows[1], path);
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
    struct numbers all = numbers_from_to(0, last + 1);
    numbers_append(&all, 200, 400);
    check_walks(rig, &all);
    assert_int_equal(reader_seek(r, RIG_START_US + 7 * US_PER_S, READER_AT, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 200);
    reader_destroy(&r);
}

static void garbage_is_a_gap(void **state)
{
    struct rig *rig = *state;
    char path[RIG_PATH_BYTES];
    rig_file(rig, &rows[2], path);
    rig_shell(rig, "head -c %lld /dev/urandom > %s", (long long)rows[2].bytes, path);
    struct numbers all = numbers_from_to(0, 200);
    numbers_append(&all, 300, 400);
    check_walks(rig, &all);
}

/* Bytes here and there are others: whatever it makes of that file, it comes through it both ways,
 * and the other files are whole. */
static void comes_through_damaged_files(void **state)
{
    struct rig *rig = *state;
    char path[RIG_PATH_BYTES];
    rig_file(rig, &rows[1], path);
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
    while (all.n < NUMBERS_MAX && reader_next(r, NULL) == READER_FOUND);
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
    char path[SEGMENT_PATH_BYTES];
    rig->volumes[1].path = xasprintf("%s/more", rig->dir);
    rig->params.n_volumes = 2;
    rig_record_some(rig);
    rig_rows(rig, rows, 4);
    int64_t keys[2];
    for (int i = 0; i < 2; i++)
        keys[i] = atomic_load(&rig->storage->volumes[i]->key);
    for (int i = 0; i < 4; i += 2) { /* every second segment to the other one */
        bool is_first = rows[i].volume == keys[0];
        segment_path(&rows[i].id, path);
        const char *from = is_first ? "rec" : "more", *to = is_first ? "more" : "rec";
        rig_shell(rig, "mkdir -p $(dirname %s/%s) && mv %s/%s %s/%s", to, path, from, path, to,
                  path);
        rows[i].volume = keys[is_first];
        assert_int_equal(catalogue_write(rig->catalogue, job_move, &rows[i], NULL), 0);
    }
    struct numbers all = numbers_from_to(0, 400);
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
    char path[RIG_PATH_BYTES];
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US + 4100000, READER_AT, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 102);
    assert_int_equal(unlink(rig_file(rig, &rows[1], path)), 0);
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

/* Thinning puts a file of the same times in the place of the one that is read. */
static void goes_on_in_the_thinned_twin(void **state)
{
    struct rig *rig = *state;
    char old[RIG_PATH_BYTES], new[RIG_PATH_BYTES];
    struct reader *r = open_reader(rig);
    assert_int_equal(reader_seek(r, RIG_START_US + 5 * US_PER_S, READER_AT, NULL), READER_FOUND);
    assert_int_equal(number_at(r), 125);
    for (size_t i = 0; i < 4; i++) {
        rig_file(rig, &rows[i], old);
        rows[i].id.n += 1000;
        rig_file(rig, &rows[i], new);
        assert_int_equal(rename(old, new), 0);
    }
    rig_sql(rig, "UPDATE segments SET n = n + 1000, thinned = 1");
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

#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
#define FRESH(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_gone_is_a_gap),
        TEST(a_file_cut_short_is_a_gap_from_there),
        TEST(garbage_is_a_gap),
        TEST(comes_through_damaged_files),
        FRESH(a_disk_that_fails_leaves_a_gap),
        FRESH(walks_over_volumes),
        TEST(reads_on_when_its_file_is_deleted),
        TEST(goes_on_in_the_thinned_twin),
        TEST(passes_over_a_volume_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
