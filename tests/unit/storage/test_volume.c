/* Disks that stall, fail and come back, and how cameras are spread over those that work. */
#include "rig.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>

#include "base/str.h"
#include "storage/db_segments.h"

#define STEP_US INT64_C(250000)

/* The rig's disk, a different one for each volume. */
struct disks {
    struct volume_io io;
    struct disk {
        const char *path;
        atomic_bool is_stuck, is_sync_stuck, is_full;
        atomic_int write_error, sync_error;
        atomic_int n_waiting; /* operations that do not come back */
        atomic_int n_looks;   /* at its space: the volume's thread is alive */
    } list[3];
};
static struct disks disks;

static struct disk *disk_of(int fd)
{
    char link[64], path[512] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0)
        return &disks.list[0];
    for (size_t i = 0; i < ARRAY_LEN(disks.list); i++) {
        const char *p = disks.list[i].path;
        size_t n = p != NULL ? strlen(p) : 0;
        if (p != NULL && strncmp(path, p, n) == 0 && (path[n] == '/' || path[n] == '\0'))
            return &disks.list[i];
    }
    return &disks.list[0];
}

static void wait_while(struct disk *d, atomic_bool *is_stuck)
{
    atomic_fetch_add(&d->n_waiting, 1);
    while (atomic_load(is_stuck)) {
        struct timespec ms = {.tv_nsec = 1000000};
        nanosleep(&ms, NULL);
    }
    atomic_fetch_sub(&d->n_waiting, 1);
}

/* What cannot be synced does not pass for a disk that works again. */
static int disk_create(const struct volume_io *io, int dirfd, const char *path)
{
    struct disk *d = disk_of(dirfd);
    int error = atomic_load(&d->write_error);
    if (error == 0)
        error = atomic_load(&d->sync_error);
    return error < 0 ? error : volume_io_system()->create(io, dirfd, path);
}

static int disk_write(const struct volume_io *io, int fd, struct iovec *iov, size_t n, uint64_t at)
{
    struct disk *d = disk_of(fd);
    wait_while(d, &d->is_stuck);
    int error = atomic_load(&d->write_error);
    return error < 0 ? error : volume_io_system()->write(io, fd, iov, n, at);
}

static int disk_sync(const struct volume_io *io, int dirfd)
{
    struct disk *d = disk_of(dirfd);
    (void)io;
    wait_while(d, &d->is_sync_stuck);
    return atomic_load(&d->sync_error);
}

static int disk_space(const struct volume_io *io, int dirfd, int64_t *total, int64_t *free_bytes)
{
    struct disk *d = disk_of(dirfd);
    (void)io;
    atomic_fetch_add(&d->n_looks, 1);
    *total = INT64_C(1) << 40;
    *free_bytes = atomic_load(&d->is_full) ? 0 : INT64_C(1) << 39;
    return 0;
}

static int setup(void **state)
{
    if (rig_setup(state) < 0)
        return -1;
    struct rig *rig = *state;
    rig->volumes[1].path = xasprintf("%s/rec2", rig->dir);
    rig->volumes[2].path = xasprintf("%s/rec3", rig->dir);
    rig->volumes[0].reserve_bytes = rig->volumes[1].reserve_bytes = 1 << 30;
    rig->params.n_volumes = 2;
    rig->params.sync_interval_us = 2000;
    memset(&disks, 0, sizeof disks);
    disks.io = (struct volume_io){
        .create = disk_create, .write = disk_write, .sync = disk_sync, .space = disk_space};
    disks.io.cut = volume_io_system()->cut;
    for (size_t i = 0; i < ARRAY_LEN(disks.list); i++)
        disks.list[i].path = rig->volumes[i].path;
    rig->params.io = &disks.io;
    return 0;
}

/* --- time that passes --- */

static struct disk *disk_at(const struct volume *v)
{
    return &disks.list[v->index];
}

static void turn(struct rig *rig)
{
    struct timespec ms = {.tv_nsec = 500000};
    nanosleep(&ms, NULL);
    loop_turn(rig->loop, false);
}

/* In steps that no operation of a disk that works spans: its thread is heard of after each. */
static void advance(struct rig *rig, int64_t us)
{
    for (int64_t left_us = us; left_us > 0; left_us -= STEP_US) {
        clock_virtual_advance(&rig->clock, MIN(left_us, STEP_US));
        for (size_t i = 0; i < rig->params.n_volumes; i++) {
            struct disk *d = &disks.list[i];
            int before = atomic_load(&d->n_looks);
            while (atomic_load(&d->n_looks) == before && atomic_load(&d->n_waiting) == 0)
                turn(rig);
        }
    }
}

/* A second of pictures, beginning with a key frame, of which all but the newest fragment arrive. */
static void second(struct rig *rig)
{
    rig_pictures(rig, 25, 25);
}

static struct disk *waiting_disk;
static bool is_waiting(struct rig *rig)
{
    (void)rig;
    return atomic_load(&waiting_disk->n_waiting) > 0;
}

static void wait_stuck(struct rig *rig, struct disk *d)
{
    waiting_disk = d;
    rig_wait(rig, is_waiting);
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
    advance(rig, VOLUME_STALL_US - STEP_US);
    second(rig); /* not yet */
    assert_int_equal(atomic_load(&first->n_recording), 1);
    advance(rig, 2 * STEP_US);
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
    advance(rig, VOLUME_TRIAL_US / 2 + STEP_US);
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
        atomic_store(&disks.list[i].is_sync_stuck, true);
    }
    clock_virtual_advance(&rig->clock, VOLUME_STALL_US);
    second(rig);
    second(rig);
    assert_int_equal(atomic_load(&v->n_recording), 1);
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&disks.list[i].is_sync_stuck, false);
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
    advance(rig, VOLUME_TRIAL_US + STEP_US);
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

/* --- who gets what --- */

enum { N_CAMERAS = 20000 };

static void count_shares(struct volume *const *list, size_t n, int *shares)
{
    memset(shares, 0, n * sizeof *shares);
    for (int i = 0; i < N_CAMERAS; i++) {
        char id[32];
        snprintf(id, sizeof id, "cam-%05d", i);
        const struct volume *v = volume_pick(list, n, id, 1);
        if (v != NULL)
            shares[v->index]++;
    }
}

static struct volume *fake_volume(size_t index, int64_t total, int64_t free_bytes)
{
    struct volume *v = xcalloc(1, sizeof *v);
    snprintf(v->path, sizeof v->path, "/rec/disk%zu", index);
    v->index = index;
    v->queue_max_bytes = 100;
    v->config.reserve_percent = 5;
    atomic_store(&v->total_bytes, total);
    atomic_store(&v->free_bytes, free_bytes);
    return v;
}

static void assert_share(int n, double expected)
{
    double share = (double)n / N_CAMERAS;
    if (fabs(share - expected) > 0.015)
        fail_msg("share %.3f instead of %.3f", share, expected);
}

static void volumes_get_their_share(void **state)
{
    (void)state;
    const int64_t tb = INT64_C(1) << 40;
    int shares[4], before[4];
    struct volume *list[4] = {fake_volume(0, 4 * tb, 4 * tb), fake_volume(1, 8 * tb, 8 * tb),
                              fake_volume(2, 12 * tb, 12 * tb), fake_volume(3, 16 * tb, 16 * tb)};
    count_shares(list, 4, before); /* by size */
    for (int i = 0; i < 4; i++)
        assert_share(before[i], (i + 1) / 10.0);
    atomic_store(&list[3]->fault, VOLUME_FAILED); /* its cameras go to all the others */
    count_shares(list, 4, shares);
    assert_int_equal(shares[3], 0);
    for (int i = 0; i < 3; i++) {
        assert_true(shares[i] >= before[i]);
        assert_share(shares[i], (i + 1) / 6.0);
    }
    atomic_store(&list[3]->fault, VOLUME_OK); /* all full but one that is new */
    for (int i = 0; i < 4; i++) {
        atomic_store(&list[i]->total_bytes, 8 * tb);
        atomic_store(&list[i]->free_bytes, i == 3 ? 8 * tb : 8 * tb / 20);
    }
    count_shares(list, 4, shares);
    for (int i = 0; i < 4; i++)
        assert_share(shares[i], i == 3 ? 0.4 : 0.2);
    for (int i = 0; i < 4; i++)
        free(list[i]);
}

static void worse_volumes_are_taken_only_without_better_ones(void **state)
{
    (void)state;
    struct volume *list[3] = {fake_volume(0, 100, 50), fake_volume(1, 100, 50),
                              fake_volume(2, 100, 50)};
    int shares[3];
    int64_t now_us = 10 * VOLUME_STALL_US;
    atomic_store(&list[0]->writing.busy_mono_us, now_us - VOLUME_STALL_US);
    atomic_store(&list[1]->sound_us, now_us + 1);
    assert_int_equal(volume_grade(list[0], now_us), VOLUME_SILENT);
    assert_int_equal(volume_grade(list[1], now_us), VOLUME_ON_TRIAL);
    assert_ptr_equal(volume_pick(list, 3, "cam", now_us), list[2]);
    atomic_store(&list[2]->queued_bytes, 51);
    assert_int_equal(volume_grade(list[2], now_us), VOLUME_UNUSABLE);
    assert_ptr_equal(volume_pick(list, 3, "cam", now_us), list[1]);
    atomic_store(&list[1]->fault, VOLUME_MISSING);
    assert_ptr_equal(volume_pick(list, 3, "cam", now_us), list[0]);
    atomic_store(&list[0]->fault, VOLUME_FAILED);
    assert_null(volume_pick(list, 3, "cam", now_us));
    count_shares(list, 3, shares);
    for (int i = 0; i < 3; i++)
        free(list[i]);
}

/* A thousand cameras that start together do not end their segments together, then or later. */
static void rotation_is_spread_over_time(void **state)
{
    (void)state;
    const int64_t period_us = 600 * US_PER_S, start_us = 12345 * US_PER_S;
    int in_second[1200] = {0};
    int most = 0;
    for (int i = 0; i < 1000; i++) {
        char id[32];
        snprintf(id, sizeof id, "cam-%03d", i);
        int64_t first_us = rotation_length_us(id, STREAM_MAIN, start_us, period_us);
        assert_in_range(first_us, period_us / 2, period_us * 3 / 2);
        in_second[first_us / US_PER_S]++;
        /* two seconds late, for the key frame: the next one is early again */
        int64_t next_us =
            rotation_length_us(id, STREAM_MAIN, start_us + first_us + 2 * US_PER_S, period_us);
        assert_int_equal(next_us, period_us - 2 * US_PER_S);
    }
    for (size_t i = 0; i < ARRAY_LEN(in_second); i++)
        most = MAX(most, in_second[i]);
    assert_true(most <= 10); /* 1.7 on average */
}

static void later_segments_have_full_length(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[16];
    rig->params.is_staggered = true;
    rig->params.segment_us = 8 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    for (int i = 0; i < 60; i++)
        second(rig);
    rig_stop(rig);
    size_t n = rig_rows(rig, rows, 16);
    assert_in_range(n, 7, 9);
    assert_true(rows[0].to_us - rows[0].id.from_us <= 13 * US_PER_S);
    for (size_t i = 1; i + 1 < n; i++)
        assert_int_equal(rows[i].to_us - rows[i].id.from_us, 8 * US_PER_S);
    assert_int_equal(rig_check(rig), 60 * 25);
}

/* --- figures --- */

static void latencies_are_those_of_the_last_minutes(void **state)
{
    (void)state;
    struct latency *l = xcalloc(1, sizeof *l);
    struct latency_figures f;
    latency_read(l, 1, &f);
    assert_int_equal(f.n, 0);
    for (int i = 0; i < 980; i++)
        latency_add(l, 30 * US_PER_S + i, 200, 1000);
    for (int i = 0; i < 20; i++)
        latency_add(l, 31 * US_PER_S, 40000 + i, 1000);
    latency_read(l, 45 * US_PER_S, &f);
    assert_int_equal(f.n, 1000);
    assert_in_range(f.median_us, 200, 250);
    assert_in_range(f.p99_us, 40000, 50000);
    assert_int_equal(f.max_us, 40019);
    assert_true(fabs(f.bytes_per_s - 1000 * 1000 / 45.0) < 1);
    latency_add(l, 300 * US_PER_S, 7, 0); /* four minutes later */
    latency_read(l, 300 * US_PER_S, &f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.max_us, 7);
    assert_int_equal(f.median_us, 7);
    latency_read(l, 3000 * US_PER_S, &f);
    assert_int_equal(f.n, 0);
    latency_add(l, 3000 * US_PER_S, INT64_MAX / 2, 0);
    latency_add(l, 3000 * US_PER_S, -5, 0);
    latency_read(l, 3000 * US_PER_S, &f);
    assert_int_equal(f.n, 2);
    free(l);
}

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
    advance(rig, VOLUME_TRIAL_US + STEP_US);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

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
        TEST(later_segments_have_full_length),
        TEST(a_change_of_state_is_told),
        TEST(volumes_are_looked_at_until_the_last_has_ended),
        cmocka_unit_test(volumes_get_their_share),
        cmocka_unit_test(worse_volumes_are_taken_only_without_better_ones),
        cmocka_unit_test(rotation_is_spread_over_time),
        cmocka_unit_test(latencies_are_those_of_the_last_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
