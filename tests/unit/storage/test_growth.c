/* Blocks ahead, dirty pages, memory: what is done for a file that grows, and that nothing depends
 * on it. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "storage/growth.h"
#include "storage/repair.h"

#define MIB (UINT64_C(1) << 20)

/* The system's disk, asked with one ear. */
static struct {
    struct volume_io io;
    atomic_int n_reserves, n_flushes, n_forgets, n_syncs;
    atomic_int reserve_error;
    _Atomic uint64_t flushed_to, forgotten_to;
    atomic_bool has_flush_hole;
    _Atomic int64_t free_bytes;
} disk;

static int disk_reserve(const struct volume_io *io, int fd, uint64_t at, uint64_t bytes)
{
    int error = atomic_load(&disk.reserve_error);
    atomic_fetch_add(&disk.n_reserves, 1);
    return error < 0 ? error : volume_io_system()->reserve(io, fd, at, bytes);
}

static void disk_flush(const struct volume_io *io, int fd, uint64_t at, uint64_t bytes)
{
    (void)io;
    (void)fd;
    atomic_fetch_add(&disk.n_flushes, 1);
    if (atomic_exchange(&disk.flushed_to, at + bytes) != at)
        atomic_store(&disk.has_flush_hole, true);
}

static void disk_forget(const struct volume_io *io, int fd, uint64_t at, uint64_t bytes)
{
    (void)io;
    (void)fd;
    atomic_fetch_add(&disk.n_forgets, 1);
    atomic_store(&disk.forgotten_to, bytes > 0 ? at + bytes : UINT64_MAX);
}

static int disk_sync(const struct volume_io *io, int dirfd)
{
    (void)io;
    (void)dirfd;
    atomic_fetch_add(&disk.n_syncs, 1);
    return 0;
}

static int disk_space(const struct volume_io *io, int dirfd, int64_t *total, int64_t *free_bytes)
{
    (void)io;
    (void)dirfd;
    *total = INT64_C(1) << 40;
    *free_bytes = atomic_load(&disk.free_bytes);
    return 0;
}

static int setup(void **state)
{
    memset(&disk, 0, sizeof disk);
    disk.io = *volume_io_system();
    disk.io.reserve = disk_reserve;
    disk.io.flush = disk_flush;
    disk.io.forget = disk_forget;
    disk.io.sync = disk_sync;
    disk.io.space = disk_space;
    atomic_store(&disk.free_bytes, INT64_C(1) << 39);
    if (rig_setup(state) < 0)
        return -1;
    struct rig *rig = *state;
    rig->params.io = &disk.io;
    rig->picture_bytes = 40000; /* a second is a megabyte */
    return 0;
}

static void record(struct rig *rig, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        rig_pictures(rig, 25, 25);
        rig_wait(rig, rig_is_written); /* what waits is bounded */
    }
}

static char *newest_file(struct rig *rig, char *path, size_t cap)
{
    char cmd[160];
    snprintf(cmd, sizeof cmd, "find %s/rec -name '*.mp4'", rig->dir);
    FILE *f = popen(cmd, "r");
    assert_non_null(fgets(path, (int)cap, f));
    pclose(f);
    path[strcspn(path, "\n")] = '\0';
    return path;
}

/* Blocks beyond what the file holds. */
static int64_t spare_bytes(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (int64_t)st.st_blocks * 512 - (int64_t)st.st_size;
}

static bool can_reserve(struct rig *rig)
{
    char path[128];
    snprintf(path, sizeof path, "%s/probe", rig->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = volume_io_system()->reserve(NULL, fd, 0, 4096);
    close(fd);
    return rc == 0;
}

static void blocks_are_reserved_and_given_back(void **state)
{
    struct rig *rig = *state;
    char path[256];
    rig_open(rig);
    rig_record(rig, "cam");
    record(rig, 20);
    int n = atomic_load(&disk.n_reserves);
    assert_in_range(n, 2, 4); /* 20 MB, 8 MiB at a time */
    newest_file(rig, path, sizeof path);
    bool is_able = can_reserve(rig);
    if (is_able)
        assert_true(spare_bytes(path) > (int64_t)MIB);
    rig_stop(rig);
    if (is_able)
        assert_true(spare_bytes(path) < 65536);
    assert_int_equal(rig_check(rig), 500);
}

/* A crash gave nothing back. */
static void recovery_gives_blocks_back(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[2], seen;
    char path[SEGMENT_PATH_BYTES], full[512 + SEGMENT_PATH_BYTES];
    rig_open(rig);
    rig_record(rig, "cam");
    record(rig, 3);
    rig_stop(rig);
    if (!can_reserve(rig))
        return;
    assert_int_equal(rig_rows(rig, rows, 2), 1);
    struct volume *v = rig->storage->volumes[0];
    segment_path(&rows[0].id, path);
    for (int is_torn = 0; is_torn < 2; is_torn++) {
        int fd = openat(v->dirfd, path, O_RDWR | O_CLOEXEC);
        if (is_torn)
            assert_int_equal(ftruncate(fd, rows[0].bytes - 100), 0);
        assert_int_equal(volume_io_system()->reserve(NULL, fd, (uint64_t)rows[0].bytes, 8 * MIB),
                         0);
        close(fd);
        snprintf(full, sizeof full, "%s/%s", v->path, path);
        assert_true(spare_bytes(full) > (int64_t)(7 * MIB));
        seen = (struct segment_row){.id = rows[0].id};
        assert_int_equal(repair_segment(v->dirfd, path, &rig->storage->chain, true, &seen, NULL),
                         0);
        assert_true(spare_bytes(full) < 65536);
    }
}

static void file_systems_without_it_are_asked_once(void **state)
{
    struct rig *rig = *state;
    rig->params.segment_us = 4 * US_PER_S;
    atomic_store(&disk.reserve_error, -EOPNOTSUPP);
    rig_open(rig);
    rig_record(rig, "cam");
    record(rig, 20);
    rig_stop(rig);
    assert_int_equal(atomic_load(&disk.n_reserves), 1);
    assert_int_equal(rig_check(rig), 500);
}

static void no_room_ahead_is_no_error(void **state)
{
    struct rig *rig = *state;
    struct volume_status st;
    atomic_store(&disk.reserve_error, -ENOSPC);
    rig_open(rig);
    rig_record(rig, "cam");
    record(rig, 5);
    storage_volumes(rig->storage, &st, 1);
    assert_true(st.is_ok);
    assert_int_equal(st.n_errors, 0);
    assert_true(atomic_load(&disk.n_reserves) > 1);
    rig_stop(rig);
    assert_int_equal(rig_check(rig), 125);
}

static void little_room_is_not_taken(void **state)
{
    struct rig *rig = *state;
    atomic_store(&disk.free_bytes, (int64_t)(10 * MIB));
    rig_open(rig);
    rig_record(rig, "cam");
    record(rig, 5);
    rig_stop(rig);
    assert_int_equal(atomic_load(&disk.n_reserves), 0);
    assert_int_equal(rig_check(rig), 125);
}

static bool is_sent_off(struct rig *rig)
{
    (void)rig;
    return atomic_load(&disk.flushed_to) > 14 * MIB;
}

/* However long the next sync takes to come: a megabyte of each file is dirty, and a fragment. */
/* 1 MiB at a time for each 5 s between syncs. */
static void dirty_pages_are_sent_off_early(void **state)
{
    struct rig *rig = *state;
    rig->params.sync_interval_us = 15 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    record(rig, 20);
    rig_wait(rig, is_sent_off);
    assert_int_equal(atomic_load(&disk.n_syncs), 0);
    assert_in_range(atomic_load(&disk.n_flushes), 4, 5);
    assert_false(atomic_load(&disk.has_flush_hole));
    rig_stop(rig);
}

static int wanted_syncs;

static bool is_synced(struct rig *rig)
{
    (void)rig;
    return atomic_load(&disk.n_syncs) >= wanted_syncs;
}

/* A second of pictures for each of three: only what is dirty is synced, and time passes with them.
 */
static void wait_synced(struct rig *rig)
{
    for (int i = 0; i < 3; i++) {
        wanted_syncs = atomic_load(&disk.n_syncs) + 1;
        rig_pictures(rig, 25, 25);
        rig_wait(rig, is_synced);
    }
    rig_wait(rig, rig_is_written);
}

static void pass(struct rig *rig, int64_t us)
{
    atomic_fetch_add(&rig->clock.now_mono_us, us);
}

/* While the file is open, behind the newest half minute. */
static void what_nobody_reads_is_forgotten(void **state)
{
    struct rig *rig = *state;
    struct recordings rec;
    rig_open(rig);
    rig_record(rig, "cam");
    record(rig, 1);
    wait_synced(rig);
    int n = atomic_load(&disk.n_forgets);
    assert_int_equal(n, 0);
    pass(rig, GROWTH_KEEP_US);
    wait_synced(rig); /* from here on it ages */
    uint64_t first = atomic_load(&rig->storage->volumes[0]->writers->readable_bytes);
    pass(rig, GROWTH_KEEP_US);
    wait_synced(rig);
    assert_true(atomic_load(&disk.n_forgets) > 0);
    assert_true(atomic_load(&disk.forgotten_to) <= first);
    assert_true(atomic_load(&disk.forgotten_to) > 0);
    n = atomic_load(&disk.n_forgets);
    rig_recordings(rig, &rec); /* somebody looks */
    recordings_fini(&rec);
    pass(rig, GROWTH_KEEP_US);
    wait_synced(rig);
    assert_int_equal(atomic_load(&disk.n_forgets), n);
    rig_stop(rig);
    assert_int_equal(atomic_load(&disk.n_forgets), n);
}

static void a_closed_file_is_forgotten(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    record(rig, 3);
    rig_stop(rig);
    assert_int_equal(atomic_load(&disk.n_forgets), 1);
    assert_true(atomic_load(&disk.forgotten_to) == UINT64_MAX);
}

/* Then nothing can be created, and old recordings must go. */
static void out_of_inodes_is_full(void **state)
{
    (void)state;
    int64_t total, free_bytes;
    struct statvfs st = {
        .f_frsize = 4096, .f_blocks = 1000, .f_bavail = 800, .f_files = 500, .f_favail = 400};
    volume_io_space(&st, &total, &free_bytes);
    assert_int_equal(total, 1000 * 4096);
    assert_int_equal(free_bytes, 800 * 4096);
    st.f_favail = 10;
    volume_io_space(&st, &total, &free_bytes);
    assert_int_equal(free_bytes, 20 * 4096);
    st.f_favail = 0;
    volume_io_space(&st, &total, &free_bytes);
    assert_int_equal(free_bytes, 0);
    st.f_files = 0; /* some file systems have no such bound */
    volume_io_space(&st, &total, &free_bytes);
    assert_int_equal(free_bytes, 800 * 4096);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_are_reserved_and_given_back),
        TEST(recovery_gives_blocks_back),
        TEST(file_systems_without_it_are_asked_once),
        TEST(no_room_ahead_is_no_error),
        TEST(little_room_is_not_taken),
        TEST(dirty_pages_are_sent_off_early),
        TEST(what_nobody_reads_is_forgotten),
        TEST(a_closed_file_is_forgotten),
        cmocka_unit_test(out_of_inodes_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
