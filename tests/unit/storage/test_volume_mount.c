/* Which disk is which: missing, swapped, moved, copied and unknown ones. */
#include "rig.h"

#include <errno.h>
#include <sys/stat.h>

#include "storage/db.h"

static void shell(const char *cmd)
{
    if (system(cmd) != 0)
        fail_msg("%s", cmd);
}

#define SHELL(...)                                                                                 \
    do {                                                                                           \
        char *cmd_ = xasprintf(__VA_ARGS__);                                                       \
        shell(cmd_);                                                                               \
        free(cmd_);                                                                                \
    } while (0)

static struct volume_status status_of(struct rig *rig, size_t i)
{
    struct volume_status st[3];
    assert_true(storage_volumes(rig->storage, st, 3) > i);
    return st[i];
}

static void assert_state(struct rig *rig, size_t i, const char *state)
{
    assert_string_equal(status_of(rig, i).state, state);
    assert_int_equal(status_of(rig, i).is_ok, strcmp(state, "ok") == 0);
}

static void record_some(struct rig *rig)
{
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 400, 25);
    rig_stop(rig);
    rig_close(rig);
}

/* A volume of somebody else's catalogue at rig->dir/NAME. */
static void make_foreign(struct rig *rig, const char *name)
{
    struct rig second = *rig;
    snprintf(second.dir, sizeof second.dir, "%.40s/second", rig->dir);
    SHELL("mkdir %s", second.dir);
    second.volumes[0].path = xasprintf("%s/rec", second.dir);
    second.params.volumes = second.volumes;
    rig_open(&second);
    rig_close(&second);
    SHELL("mv %s/second/rec %s/%s && rm -r %s/second", rig->dir, rig->dir, name, rig->dir);
    free((char *)second.volumes[0].path);
}

static bool has_detail(struct rig *rig)
{
    return rig->status.detail[0] != '\0';
}

/* Put there by mistake while the right one is away: its own recordings stay untouched. */
static void another_disk_at_a_known_path_is_not_written_to(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    SHELL("mv %s/rec %s/away", rig->dir, rig->dir);
    make_foreign(rig, "rec");
    rig_open(rig);
    assert_state(rig, 0, "swapped");
    assert_non_null(strstr(status_of(rig, 0).detail, "another disk"));
    assert_int_equal(status_of(rig, 0).key, 0);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_wait(rig, has_detail);
    assert_non_null(strstr(rig->status.detail, "another disk")); /* the camera says why, too */
    SHELL("test $(find %s/rec -type f | wc -l) = 1", rig->dir);  /* the marker */
    SHELL("mv %s/rec %s/wrong && mv %s/away %s/rec", rig->dir, rig->dir, rig->dir, rig->dir);
    while (!status_of(rig, 0).is_ok)
        loop_turn(rig->loop, false);
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    assert_int_equal(rig_check(rig), 500);
    assert_true(status_of(rig, 0).key != 0);
    assert_int_equal(strlen(status_of(rig, 0).id), 32);
}

static void a_missing_disk_is_named(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    SHELL("mv %s/rec %s/away && mkdir %s/rec", rig->dir, rig->dir, rig->dir);
    rig->volumes[1].path = xasprintf("%s/rec2", rig->dir);
    rig->params.n_volumes = 2;
    rig_open(rig);
    assert_state(rig, 0, "missing");
    assert_state(rig, 1, "ok"); /* which records meanwhile */
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    SHELL("test -z \"$(ls -A %s/rec)\"", rig->dir);
}

static int job_unsettle(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db,
                   "INSERT INTO open_segments(camera, stream, from_us, n, volume, began, doomed)"
                   " SELECT camera, stream, from_us, n, volume, began, n = 1 FROM segments;"
                   "DELETE FROM segments",
                   err);
}

static bool is_settled(struct rig *rig)
{
    return rig_unsettled(rig) == 0;
}

/* A crash left files open on it, and one was to be deleted. */
static void a_disk_that_comes_late_is_recovered_then(void **state)
{
    struct rig *rig = *state;
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 400, 25);
    rig_stop(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_unsettle, NULL, NULL), 0);
    rig_close(rig);
    SHELL("mv %s/rec %s/away && mkdir %s/rec", rig->dir, rig->dir, rig->dir);
    rig->params.sync_interval_us = US_PER_S / 4; /* looks as often for the disk */
    rig_open(rig);
    assert_state(rig, 0, "missing");
    assert_int_equal(rig_unsettled(rig), 4);
    SHELL("rmdir %s/rec && mv %s/away %s/rec", rig->dir, rig->dir, rig->dir);
    rig_wait(rig, is_settled);
    assert_int_equal(rig_check(rig), 300); /* and no file without a row */
}

static void a_disk_at_another_path_is_used(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    SHELL("mv %s/rec %s/elsewhere", rig->dir, rig->dir);
    free((char *)rig->volumes[0].path);
    rig->volumes[0].path = xasprintf("%s/elsewhere", rig->dir);
    rig_open(rig);
    assert_state(rig, 0, "ok");
    assert_int_equal(rig_check(rig), 400);
    rig_close(rig);
    make_foreign(rig, "rec"); /* the old path is free for another one now */
    rig->volumes[1].path = xasprintf("%s/rec", rig->dir);
    rig->params.n_volumes = 2;
    rig_open(rig);
    assert_state(rig, 0, "ok");
    assert_state(rig, 1, "ok");
    assert_int_equal(rig_check(rig), 400);
}

/* Both are known, so every recording is found where it is. */
static void two_disks_that_changed_places_are_used(void **state)
{
    struct rig *rig = *state;
    rig->volumes[1].path = xasprintf("%s/rec2", rig->dir);
    rig->params.n_volumes = 2;
    record_some(rig);
    SHELL("mv %s/rec %s/x && mv %s/rec2 %s/rec && mv %s/x %s/rec2", rig->dir, rig->dir, rig->dir,
          rig->dir, rig->dir, rig->dir);
    rig_open(rig);
    assert_state(rig, 0, "ok");
    assert_state(rig, 1, "ok");
    assert_int_equal(rig_check(rig), 400);
}

static void an_archive_from_elsewhere_is_adopted(void **state)
{
    struct rig *rig = *state;
    make_foreign(rig, "rec");
    rig_open(rig);
    assert_state(rig, 0, "ok");
}

/* What a row means must be one file. */
static void a_copy_beside_its_original_is_refused(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    SHELL("cp -a %s/rec %s/rec2", rig->dir, rig->dir);
    rig->volumes[1].path = xasprintf("%s/rec2", rig->dir);
    rig->params.n_volumes = 2;
    rig_open(rig);
    assert_state(rig, 0, "ok");
    assert_state(rig, 1, "taken");
    assert_int_equal(status_of(rig, 1).key, 0);
}

static bool is_broken(struct rig *rig)
{
    rig_pictures(rig, 25, 25);
    return !status_of(rig, 0).is_ok;
}

static bool is_swapped(struct rig *rig)
{
    return strcmp(status_of(rig, 0).state, "swapped") == 0;
}

/* Pulled, and another one put in its place while the server runs. */
static void a_disk_that_was_exchanged_is_not_taken_over(void **state)
{
    struct rig *rig = *state;
    make_foreign(rig, "other");
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 50, 25);
    atomic_store(&rig->disk.create_error, -EIO);
    atomic_store(&rig->disk.write_error, -EIO);
    rig_wait(rig, is_broken);
    SHELL("mv %s/rec %s/away && mv %s/other %s/rec", rig->dir, rig->dir, rig->dir, rig->dir);
    rig_wait(rig, is_swapped);
    SHELL("test $(find %s/rec -type f | wc -l) = 1", rig->dir);
    rig_stop(rig);
}

static bool is_put_back(struct rig *rig)
{
    char path[80];
    struct stat a, b;
    snprintf(path, sizeof path, "%s/rec", rig->dir);
    return stat(path, &a) == 0 && fstat(rig->storage->volumes[0]->dirfd, &b) == 0 &&
           a.st_ino == b.st_ino;
}

static bool is_usable(struct rig *rig)
{
    return volume_is_ok(rig->storage->volumes[0]);
}

/* It holds less than was written, and files that are open still lead to the disk of before. */
static void a_disk_that_was_pulled_and_put_back_counts_as_it_is(void **state)
{
    struct rig *rig = *state;
    rig->params.sync_interval_us = US_PER_S / 4; /* looks as often for the disk */
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 60, 25);
    rig_wait(rig, rig_is_written);
    SHELL("cp -a %s/rec %s/back", rig->dir, rig->dir);
    rig_pictures(rig, 60, 25);
    rig_wait(rig, rig_is_written);
    atomic_store(&rig->disk.create_error, -EIO);
    atomic_store(&rig->disk.write_error, -EIO);
    atomic_store(&rig->disk.cut_error, -EIO);
    atomic_store(&rig->disk.sync_error, -EIO);
    rig_wait(rig, is_broken);
    SHELL("mv %s/rec %s/away && mv %s/back %s/rec", rig->dir, rig->dir, rig->dir, rig->dir);
    rig_wait(rig, is_put_back);
    atomic_store(&rig->disk.create_error, 0);
    atomic_store(&rig->disk.write_error, 0);
    atomic_store(&rig->disk.sync_error, 0);
    rig_wait(rig, is_usable);
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    SHELL("rm -r %s/away", rig->dir);
    assert_int_equal(rig_check(rig), 50 + 100); /* whole fragments */
}

static void a_reader_does_not_mistake_one_for_the_other(void **state)
{
    struct rig *rig = *state;
    struct catalogue *shared;
    struct storage *reader;
    struct volume_status st;
    record_some(rig);
    SHELL("mv %s/rec %s/away", rig->dir, rig->dir);
    make_foreign(rig, "rec");
    rig_open(rig);
    assert_int_equal(catalogue_open_shared(rig->dir, clock_system(), &shared, NULL), 0);
    struct storage_params params = rig->params;
    params.catalogue = shared;
    params.is_reader = true;
    assert_int_equal(storage_open(&params, &reader, NULL), 0);
    storage_volumes(reader, &st, 1);
    assert_string_equal(st.state, "swapped");
    assert_int_equal(st.key, 0);
    storage_close(&reader);
    catalogue_close(&shared);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_disk_at_a_known_path_is_not_written_to),
        TEST(a_missing_disk_is_named),
        TEST(a_disk_that_comes_late_is_recovered_then),
        TEST(a_disk_at_another_path_is_used),
        TEST(two_disks_that_changed_places_are_used),
        TEST(an_archive_from_elsewhere_is_adopted),
        TEST(a_copy_beside_its_original_is_refused),
        TEST(a_disk_that_was_exchanged_is_not_taken_over),
        TEST(a_disk_that_was_pulled_and_put_back_counts_as_it_is),
        TEST(a_reader_does_not_mistake_one_for_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
