/* Disks and catalogues that fail while it records. */
#include "rig.h"

#include <errno.h>

#include "media/hub.h"
#include "storage/db.h"

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
        TEST(a_full_disk_is_a_counted_gap),
        TEST(a_disk_that_vanishes_is_survived),
        TEST(a_stuck_disk_blocks_nobody),
        TEST(a_catalogue_that_refuses_loses_nothing),
        TEST(stopping_does_not_wait_for_it_for_ever),
        TEST(another_volume_takes_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
