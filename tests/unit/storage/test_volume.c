/* Disks that stall, fail and come back: what becomes of the cameras that record on them. */
#include "disks.h"

#include <errno.h>
#include <pthread.h>

#include "storage/db_segments.h"

/* A second of pictures, beginning with a key frame, of which all but the newest fragment arrive. */
static void second(struct rig *rig)
{
    rig_pictures(rig, 25, 25);
}

static struct volume *record_a_while(struct rig *rig)
{
    rig_open(rig);
    rig_record(rig, "cam");
    struct volume *v = storage__pick_volume(rig->storage, "cam");
    for (int i = 0; i < 4; i++)
        second(rig);
    rig_wait(rig, rig_is_recording);
    rig_wait(rig, rig_is_written);
    return v;
}

static void check_moved(struct rig *rig, int64_t frames)
{
    struct segment_row rows[8];
    struct recordings rec;
    assert_int_equal(rig_rows(rig, rows, 8), 2);
    assert_int_equal(rows[0].ended, SEGMENT_MOVED);
    assert_int_equal(rows[1].began, SEGMENT_MOVED);
    assert_int_equal(rows[0].to_us, rows[1].id.from_us);
    assert_int_not_equal(rows[0].volume, rows[1].volume);
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, 1);
    recordings_fini(&rec);
    assert_int_equal(rig_check(rig), frames);
}

/* --- stalls --- */

static void a_stalled_volume_is_left_and_nothing_is_lost(void **state)
{
    struct rig *rig = *state;
    struct volume *first = record_a_while(rig);
    struct disk *d = disk_at(first);
    atomic_store(&d->is_stuck, true);
    second(rig);
    second(rig);
    wait_stuck(rig, d);
    advance(rig, VOLUME_STALL_US - DISKS_STEP_US);
    second(rig); /* not yet */
    assert_int_equal(atomic_load(&first->n_recording), 1);
    advance(rig, 2 * DISKS_STEP_US);
    assert_int_equal(volume_state(first, atomic_load(&rig->clock.now_mono_us)), VOLUME_STALLED);
    second(rig);
    assert_int_equal(atomic_load(&first->n_recording), 0);
    for (int i = 0; i < 3; i++)
        second(rig);
    struct volume *other = rig->storage->volumes[1 - first->index];
    while (atomic_load(&other->queued_bytes) > 0)
        turn(rig);
    assert_true(rig->status.is_recording);
    assert_int_equal(rig->status.n_lost_fragments, 0);
    assert_true(atomic_load(&first->queued_bytes) > 0);
    atomic_store(&d->is_stuck, false);
    rig_stop(rig);
    check_moved(rig, 11 * 25);
}

/* What waits for the one that stalls does not count against the other. */
static void much_that_waits_does_not_shut_a_camera_out(void **state)
{
    struct rig *rig = *state;
    struct volume *first = record_a_while(rig);
    struct disk *d = disk_at(first);
    rig->picture_bytes = 40000; /* a second is a megabyte */
    atomic_store(&d->is_stuck, true);
    second(rig);
    second(rig);
    wait_stuck(rig, d);
    for (int i = 0; i < 12; i++)
        second(rig);
    assert_true(atomic_load(&first->queued_bytes) > RECORDER_QUEUE_MAX_BYTES / 2);
    advance(rig, VOLUME_STALL_US);
    for (int i = 0; i < 3; i++)
        second(rig);
    assert_int_equal(atomic_load(&first->n_recording), 0);
    atomic_store(&d->is_stuck, false);
    rig_stop(rig);
    assert_int_equal(rig->status.n_lost_fragments, 0);
    check_moved(rig, 21 * 25);
}

/* Writes go to memory and come back at once; that the disk is gone shows when it is synced. */
static void a_sync_that_does_not_end_is_a_stall(void **state)
{
    struct rig *rig = *state;
    struct volume *first = record_a_while(rig);
    struct disk *d = disk_at(first);
    atomic_store(&d->is_sync_stuck, true);
    second(rig);
    second(rig);
    wait_stuck(rig, d);
    advance(rig, VOLUME_STALL_US);
    second(rig);
    assert_int_equal(atomic_load(&first->n_recording), 0);
    second(rig);
    atomic_store(&d->is_sync_stuck, false);
    rig_stop(rig);
    check_moved(rig, 8 * 25);
}

static size_t volumes_of(struct rig *rig, int64_t *keys, size_t cap)
{
    struct segment_row rows[16];
    size_t n = rig_rows(rig, rows, ARRAY_LEN(rows));
    for (size_t i = 0; i < n && i < cap; i++)
        keys[i] = rows[i].volume;
    return n;
}

/* It is used again after it has answered promptly for half a minute, and by a camera when its
 * segment ends anyway. */
static void a_volume_that_answers_again_is_returned_to(void **state)
{
    struct rig *rig = *state;
    int64_t keys[8] = {0};
    rig->params.segment_us = 5 * US_PER_S;
    struct volume *first = record_a_while(rig);
    struct disk *d = disk_at(first);
    atomic_store(&d->is_stuck, true);
    second(rig);
    wait_stuck(rig, d);
    advance(rig, VOLUME_STALL_US);
    second(rig); /* moves */
    atomic_store(&d->is_stuck, false);
    while (atomic_load(&first->queued_bytes) > 0)
        turn(rig);
    advance(rig, VOLUME_TRIAL_US / 2);
    for (int i = 0; i < 5; i++)
        second(rig);
    assert_int_equal(atomic_load(&first->n_recording), 0); /* it ended once meanwhile */
    advance(rig, VOLUME_TRIAL_US / 2 + DISKS_STEP_US);
    assert_int_equal(volume_state(first, atomic_load(&rig->clock.now_mono_us)), VOLUME_OK);
    second(rig);
    assert_int_equal(atomic_load(&first->n_recording), 0);
    for (int i = 0; i < 5; i++)
        second(rig);
    assert_int_equal(atomic_load(&first->n_recording), 1);
    rig_stop(rig);
    assert_int_equal(volumes_of(rig, keys, 8), 4);
    assert_int_not_equal(keys[1], keys[0]);
    assert_int_equal(keys[2], keys[1]);
    assert_int_equal(keys[3], keys[0]);
    assert_int_equal(rig_check(rig), 17 * 25);
}

static void a_slow_operation_on_trial_begins_it_anew(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    struct volume *v = rig->storage->volumes[0];
    int64_t now_us = atomic_load(&rig->clock.now_mono_us);
    atomic_store(&v->prompt_us, now_us + VOLUME_TRIAL_US);
    advance(rig, VOLUME_TRIAL_US / 2);
    rig_close(rig);

    struct clock_virtual clock;
    clock_virtual_init(&clock, RIG_START_US);
    struct volume fresh = {.clock = &clock.clock, .queue_max_bytes = 1};
    const int64_t took_us[] = {VOLUME_PROMPT_US, VOLUME_STALL_US, VOLUME_PROMPT_US, 1000};
    const bool is_anew[] = {false, true, true, false};
    for (size_t i = 0; i < ARRAY_LEN(took_us); i++) {
        int64_t before_us = atomic_load(&fresh.prompt_us);
        volume__begin(&fresh, &fresh.writing);
        clock_virtual_advance(&clock, took_us[i]);
        volume__end(&fresh, &fresh.writing, OP_WRITE, 0, 1);
        assert_int_equal(atomic_load(&fresh.prompt_us) != before_us, is_anew[i]);
    }
}

/* Better late than not at all. */
static void the_only_volume_is_kept_through_a_stall(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[4];
    rig->params.n_volumes = 1;
    struct volume *v = record_a_while(rig);
    struct disk *d = disk_at(v);
    atomic_store(&d->is_stuck, true);
    second(rig);
    wait_stuck(rig, d);
    advance(rig, 5 * US_PER_S);
    for (int i = 0; i < 5; i++)
        second(rig);
    assert_int_equal(atomic_load(&v->n_recording), 1);
    atomic_store(&d->is_stuck, false);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 4), 1);
    assert_int_equal(rig_check(rig), 10 * 25);
}

static void stalled_all_of_them_nobody_moves(void **state)
{
    struct rig *rig = *state;
    struct volume *v = record_a_while(rig);
    for (size_t i = 0; i < 2; i++) {
        volume__begin(rig->storage->volumes[i], &rig->storage->volumes[i]->syncing);
        atomic_store(&disk_at(rig->storage->volumes[i])->is_sync_stuck, true);
    }
    clock_virtual_advance(&rig->clock, VOLUME_STALL_US);
    second(rig);
    second(rig);
    assert_int_equal(atomic_load(&v->n_recording), 1);
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&disk_at(rig->storage->volumes[i])->is_sync_stuck, false);
        atomic_store(&rig->storage->volumes[i]->syncing.busy_mono_us, 0);
    }
    rig_stop(rig);
    assert_int_equal(rig_check(rig), 6 * 25);
}

/* --- errors --- */

/* A write fails: the camera goes on elsewhere with the next group of pictures, the gap is counted
 * and the disk that failed is not trusted for a while though it works again. */
static void after_an_error_another_volume_takes_over(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    struct recordings rec;
    struct volume_status st[2];
    struct volume *first = record_a_while(rig);
    struct disk *d = disk_at(first);
    atomic_store(&d->write_error, -EIO);
    while (volume_is_ok(first)) { /* it is known before the next second comes */
        second(rig);
        rig_wait(rig, rig_is_written);
    }
    second(rig);
    assert_int_equal(storage_volumes(rig->storage, st, 2), 2);
    assert_false(st[first->index].is_ok);
    assert_string_equal(st[first->index].state, "failed");
    assert_true(st[first->index].n_errors > 0);
    assert_non_null(strstr(st[first->index].last_error, "Input/output error"));
    assert_true(st[first->index].last_error_us >= RIG_START_US);
    atomic_store(&d->write_error, 0);
    while (!volume_is_ok(first))
        turn(rig);
    assert_int_equal(volume_grade(first, atomic_load(&rig->clock.now_mono_us)), VOLUME_ON_TRIAL);
    assert_ptr_not_equal(storage__pick_volume(rig->storage, "cam"), first);
    advance(rig, VOLUME_TRIAL_US + DISKS_STEP_US);
    assert_ptr_equal(storage__pick_volume(rig->storage, "cam"), first);
    second(rig);
    rig_stop(rig);
    size_t n = rig_rows(rig, rows, 8);
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].ended, SEGMENT_DISK);
    assert_true(rows[1].id.from_us - rows[0].to_us <= 3 * US_PER_S);
    rig_recordings(rig, &rec); /* nothing else knows: the camera was never down */
    assert_int_equal(rec.n_gaps, 2);
    assert_string_equal(rec.gaps[1].cause, "disk");
    recordings_fini(&rec);
    assert_true(rig->status.n_lost_fragments > 0);
    rig_check(rig);
}

static void a_volume_that_cannot_be_synced_is_left_without_a_gap(void **state)
{
    struct rig *rig = *state;
    struct volume *first = record_a_while(rig);
    atomic_store(&disk_at(first)->sync_error, -EIO);
    second(rig); /* something to sync */
    while (volume_is_ok(first))
        turn(rig);
    second(rig);
    assert_int_equal(atomic_load(&first->n_recording), 0);
    second(rig);
    atomic_store(&disk_at(first)->sync_error, 0); /* what it took is read again then */
    rig_stop(rig);
    check_moved(rig, 7 * 25);
}

/* Whatever it is that is wrong with it, this camera's pictures all get there. */
static void a_full_volume_is_left_without_a_gap(void **state)
{
    struct rig *rig = *state;
    struct volume *first = record_a_while(rig);
    atomic_store(&disk_at(first)->is_full, true);
    while (volume_is_ok(first))
        turn(rig);
    second(rig);
    assert_int_equal(atomic_load(&first->n_recording), 0);
    atomic_store(&disk_at(first)->is_full, false); /* before retention deletes there */
    second(rig);
    rig_stop(rig);
    check_moved(rig, 6 * 25);
}

/* --- what is told --- */

struct told {
    struct volume_status last;
    int n;
};

static void on_volume(void *ctx, const struct volume_status *st)
{
    struct told *t = ctx;
    t->last = *st;
    t->n++;
}

static struct told told;

static bool is_told_stalled(struct rig *rig)
{
    (void)rig;
    return strcmp(told.last.state, "stalled") == 0;
}

static bool is_told_ok(struct rig *rig)
{
    (void)rig;
    return strcmp(told.last.state, "ok") == 0;
}

static void a_change_of_state_is_told(void **state)
{
    struct rig *rig = *state;
    memset(&told, 0, sizeof told);
    rig->params.status_loop = rig->loop;
    rig->params.volume_changed = on_volume;
    rig->params.ctx = &told;
    struct volume *v = record_a_while(rig);
    struct disk *d = disk_at(v);
    atomic_store(&d->is_stuck, true);
    second(rig);
    second(rig);
    wait_stuck(rig, d);
    advance(rig, VOLUME_STALL_US);
    rig_wait(rig, is_told_stalled);
    assert_string_equal(told.last.path, v->path);
    assert_non_null(strstr(told.last.detail, "does not answer"));
    assert_false(told.last.is_ok);
    assert_int_equal(told.n, 1);
    atomic_store(&d->is_stuck, false);
    while (atomic_load(&v->queued_bytes) > 0)
        turn(rig);
    advance(rig, VOLUME_TRIAL_US + DISKS_STEP_US);
    rig_wait(rig, is_told_ok);
    assert_true(told.last.is_ok);
    assert_true(told.last.writes.max_us >= VOLUME_STALL_US);
    rig_stop(rig);
}

/* --- the end --- */

struct closing {
    struct rig *rig;
    struct volume *volume;
    pthread_t closer;
};

static bool is_told(struct rig *rig)
{
    (void)rig;
    return told.n > 0;
}

/* Stays in the mailbox of a volume until that ends in the thread that closes the storage, and holds
 * it up there until the registry has looked at the volumes once more. */
static void hold_up(void *ctx)
{
    struct closing *c = ctx;
    if (pthread_equal(pthread_self(), c->closer))
        rig_wait(c->rig, is_told);
    else
        loop_post(c->volume->loop, hold_up, c);
}

static void volumes_are_looked_at_until_the_last_has_ended(void **state)
{
    struct rig *rig = *state;
    memset(&told, 0, sizeof told);
    rig->params.status_loop = rig->loop;
    rig->params.volume_changed = on_volume;
    rig->params.ctx = &told;
    rig_open(rig);
    struct closing c = {rig, rig->storage->volumes[1], pthread_self()};
    loop_post(c.volume->loop, hold_up, &c);
    atomic_store(&rig->storage->volumes[0]->prompt_us, INT64_MAX); /* something to tell */
    rig_close(rig);
    assert_string_equal(told.last.path, rig->volumes[0].path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, disks_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stalled_volume_is_left_and_nothing_is_lost),
        TEST(much_that_waits_does_not_shut_a_camera_out),
        TEST(a_sync_that_does_not_end_is_a_stall),
        TEST(a_volume_that_answers_again_is_returned_to),
        TEST(a_slow_operation_on_trial_begins_it_anew),
        TEST(the_only_volume_is_kept_through_a_stall),
        TEST(stalled_all_of_them_nobody_moves),
        TEST(after_an_error_another_volume_takes_over),
        TEST(a_volume_that_cannot_be_synced_is_left_without_a_gap),
        TEST(a_full_volume_is_left_without_a_gap),
        TEST(a_change_of_state_is_told),
        TEST(volumes_are_looked_at_until_the_last_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
