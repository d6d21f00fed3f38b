/* Which disk is which: missing, swapped, moved, copied and unknown ones. */
#include "rig.h"

#include <errno.h>
#include "base/str.h"

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

static void record_and_close(struct rig *rig)
{
    rig_record_some(rig);
    rig_close(rig);
}

/* A volume of somebody else's catalogue at rig->dir/NAME. */
static void make_foreign(struct rig *rig, const char *name)
{
    struct rig second = *rig;
    snprintf(second.dir, sizeof second.dir, "%.40s/second", rig->dir);
    rig_shell(rig, "mkdir %s", second.dir);
    second.volumes[0].path = xasprintf("%s/rec", second.dir);
    second.params.volumes = second.volumes;
    rig_open(&second);
    rig_close(&second);
    rig_shell(rig, "mv second/rec %s && rm -r second", name);
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
    record_and_close(rig);
    rig_shell(rig, "mv rec away");
    make_foreign(rig, "rec");
    rig_open(rig);
    assert_state(rig, 0, "swapped");
    assert_non_null(strstr(status_of(rig, 0).detail, "another disk"));
    assert_int_equal(status_of(rig, 0).key, 0);
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_wait(rig, has_detail);
    assert_non_null(strstr(rig->status.detail, "another disk")); /* the camera says why, too */
    rig_shell(rig, "test $(find rec -type f | wc -l) = 1");      /* the marker */
    rig_shell(rig, "mv rec wrong && mv away rec");
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
    record_and_close(rig);
    rig_shell(rig, "mv rec away && mkdir rec");
    rig->volumes[1].path = xasprintf("%s/rec2", rig->dir);
    rig->params.n_volumes = 2;
    rig_open(rig);
    assert_state(rig, 0, "missing");
    assert_state(rig, 1, "ok"); /* which records meanwhile */
    rig_record(rig, "cam");
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
    rig_shell(rig, "test -z \"$(ls -A rec)\"");
}

static void unsettle(struct rig *rig)
{
    rig_sql(rig, "INSERT INTO open_segments(camera, stream, from_us, n, volume, began, doomed)"
                 " SELECT camera, stream, from_us, n, volume, began, n = 1 FROM segments;"
                 "DELETE FROM segments");
}

static bool is_settled(struct rig *rig)
{
    return rig_unsettled(rig) == 0;
}

/* A crash left files open on it, and one was to be deleted. */
static void a_disk_that_comes_late_is_recovered_then(void **state)
{
    struct rig *rig = *state;
    rig_record_some(rig);
    unsettle(rig);
    rig_close(rig);
    rig_shell(rig, "mv rec away && mkdir rec");
    rig->params.sync_interval_us = US_PER_S / 4; /* looks as often for the disk */
    rig_open(rig);
    assert_state(rig, 0, "missing");
    assert_int_equal(rig_unsettled(rig), 4);
    rig_shell(rig, "rmdir rec && mv away rec");
    rig_wait(rig, is_settled);
    assert_int_equal(rig_check(rig), 300); /* and no file without a row */
}

static void a_disk_at_another_path_is_used(void **state)
{
    struct rig *rig = *state;
    record_and_close(rig);
    rig_shell(rig, "mv rec elsewhere");
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
    record_and_close(rig);
    rig_shell(rig, "mv rec x && mv rec2 rec && mv x rec2");
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
    record_and_close(rig);
    rig_shell(rig, "cp -a rec rec2");
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
    rig_shell(rig, "mv rec away && mv other rec");
    rig_wait(rig, is_swapped);
    rig_shell(rig, "test $(find rec -type f | wc -l) = 1");
    rig_stop(rig);
}

/* Nothing of it is open: it can be unmounted. */
static bool is_let_go(struct rig *rig)
{
    char link[64], target[256], path[80];
    snprintf(path, sizeof path, "%s/away", rig->dir);
    if (!atomic_load(&rig->storage->volumes[0]->is_let_go))
        return false;
    for (int fd = 3; fd < 300; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        target[MAX(n, 0)] = '\0';
        if (str_starts(target, path))
            return false;
    }
    return true;
}

static bool is_usable(struct rig *rig)
{
    return volume_is_ok(rig->storage->volumes[0]);
}

static void break_disk(struct rig *rig, int error)
{
    atomic_store(&rig->disk.create_error, error);
    atomic_store(&rig->disk.write_error, error);
    atomic_store(&rig->disk.cut_error, error);
    atomic_store(&rig->disk.sync_error, error);
}

/* Fails in the middle of a segment, and is pulled. */
static void lose_disk(struct rig *rig)
{
    break_disk(rig, -EIO);
    rig_wait(rig, is_broken);
    rig_shell(rig, "mv rec away");
    rig_wait(rig, is_let_go);
}

/* Of five seconds the last is lost with it, because it was not written yet. */
static void record_and_lose_disk(struct rig *rig)
{
    rig->params.sync_interval_us = US_PER_S / 4; /* looks as often for the disk */
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 125, 25);
    rig_wait(rig, rig_is_written);
    lose_disk(rig);
}

static void use_disk_again(struct rig *rig, const char *name)
{
    rig_shell(rig, "mv %s rec", name);
    break_disk(rig, 0);
    rig_wait(rig, is_usable);
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
}

/* It holds less than was written. */
static void a_disk_that_was_pulled_and_put_back_counts_as_it_is(void **state)
{
    struct rig *rig = *state;
    rig->params.sync_interval_us = US_PER_S / 4; /* looks as often for the disk */
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 60, 25);
    rig_wait(rig, rig_is_written);
    rig_shell(rig, "cp -a rec back");
    rig_pictures(rig, 60, 25);
    rig_wait(rig, rig_is_written);
    lose_disk(rig);
    use_disk_again(rig, "back");
    rig_shell(rig, "rm -r away");
    assert_int_equal(rig_check(rig), 50 + 100); /* whole fragments */
}

/* One that failed has to be unmounted before it can be repaired. */
static void a_disk_that_was_repaired_is_used_again(void **state)
{
    struct rig *rig = *state;
    record_and_lose_disk(rig);
    use_disk_again(rig, "away");
    assert_int_equal(rig_check(rig), 100 + 100);
    assert_int_equal(rig_unsettled(rig), 0);
}

/* The server ends without waiting for it, and the next start finds what is there. */
static void a_disk_that_stays_away_holds_up_no_end(void **state)
{
    struct rig *rig = *state;
    record_and_lose_disk(rig);
    rig_stop(rig);
    rig_close(rig);
    break_disk(rig, 0);
    rig_shell(rig, "mv away rec");
    rig_open(rig);
    assert_int_equal(rig_check(rig), 100);
}

static void a_reader_does_not_mistake_one_for_the_other(void **state)
{
    struct rig *rig = *state;
    struct catalogue *shared;
    struct storage *reader;
    struct volume_status st;
    record_and_close(rig);
    rig_shell(rig, "mv rec away");
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

static void a_directory_with_foreign_files_is_refused(void **state)
{
    struct rig *rig = *state;
    rig_shell(rig, "mkdir rec && touch rec/thesis.doc");
    rig_open(rig);
    assert_false(status_of(rig, 0).is_ok);
    assert_non_null(strstr(status_of(rig, 0).detail, "empty directory"));
}

static void a_disk_that_comes_back_is_used_again(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_close(rig);
    rig_shell(rig, "mv rec away && mkdir rec");
    rig_open(rig);
    assert_false(status_of(rig, 0).is_ok);
    rig_record(rig, "cam");
    rig_pictures(rig, 50, 25); /* nothing is written into the bare mount point */
    rig_shell(rig, "rmdir rec && mv away rec");
    while (!status_of(rig, 0).is_ok)
        loop_turn(rig->loop, false);
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    assert_int_equal(rig_check(rig), 50);
}

static bool is_ok(struct rig *rig)
{
    return status_of(rig, 0).is_ok;
}

/* Pulled and put back: another file system with the same marker, as a copy of the directory is. */
static void a_disk_that_was_pulled_is_taken_over(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    atomic_store(&rig->disk.create_error, -EIO);
    atomic_store(&rig->disk.write_error, -EIO);
    rig_wait(rig, is_broken);
    rig_shell(rig, "mv rec old && cp -a old rec");
    for (int i = 0; i < 5; i++) { /* some probes that fail */
        int before = atomic_load(&rig->disk.n_creates);
        while (atomic_load(&rig->disk.n_creates) == before)
            loop_turn(rig->loop, false);
    }
    atomic_store(&rig->disk.create_error, 0);
    atomic_store(&rig->disk.write_error, 0);
    rig_wait(rig, is_ok);
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    rig_shell(rig, "rm -r old");
    assert_int_equal(rig_check(rig), 50);
}

static void two_servers_never_share_a_volume(void **state)
{
    struct rig *rig = *state;
    struct rig second = *rig;
    char dir[80];
    rig_open(rig);
    snprintf(dir, sizeof dir, "%s/second", rig->dir);
    snprintf(second.dir, sizeof second.dir, "%.60s", dir);
    second.params.volumes = rig->volumes;
    rig_open(&second);
    assert_false(status_of(&second, 0).is_ok);
    assert_non_null(strstr(status_of(&second, 0).detail, "another server"));
    rig_close(&second);
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
        TEST(a_disk_that_was_repaired_is_used_again),
        TEST(a_disk_that_stays_away_holds_up_no_end),
        TEST(a_reader_does_not_mistake_one_for_the_other),
        TEST(a_directory_with_foreign_files_is_refused),
        TEST(a_disk_that_comes_back_is_used_again),
        TEST(a_disk_that_was_pulled_is_taken_over),
        TEST(two_servers_never_share_a_volume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
