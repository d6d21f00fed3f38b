/* Killed at every step: a child records, rotates, stops and deletes on a disk that ends the process
 * at its n-th operation; the parent recovers and checks the invariants of docs/design/0002. */
#include "rig.h"

#include <sys/wait.h>

#include "base/log.h"
#include "media/hub.h"
#include "storage/db.h"
#include "storage/db_segments.h"

/* Records 12 s in segments of 4 s, in the child. */
static void record_until_death(struct rig *rig, int steps)
{
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    atomic_store(&rig->disk.steps_to_death, steps);
    for (int i = 0; i < 6; i++) {
        rig_pictures(rig, 50, 25);
        rig_wait(rig, rig_is_written);
    }
    rig_stop(rig);
    atomic_store(&rig->disk.steps_to_death, 0);
    rig_close(rig);
}

typedef void child_fn(struct rig *rig, int steps);

/* True when the child was killed, false when it came to its end. */
static bool run_child(struct rig *rig, child_fn *fn, int steps)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fn(rig, steps);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 42);
    return WEXITSTATUS(status) == 42;
}

static void wipe(struct rig *rig)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s/*", rig->dir);
    assert_int_equal(system(cmd), 0);
}

/* What was whole on the disk is found again, in one row each, and can be read. */
static void killed_at_every_step_of_recording(void **state)
{
    struct rig *rig = *state;
    int64_t most = 0;
    int n_killed = 0;
    for (int steps = 3;; steps++) {
        wipe(rig);
        bool was_killed = run_child(rig, record_until_death, steps);
        rig_open(rig);
        int64_t frames = rig_check(rig);
        struct segment_row rows[16];
        size_t n = rig_rows(rig, rows, ARRAY_LEN(rows));
        for (size_t i = 0; i + 1 < n; i++)
            assert_true(rows[i].to_us <= rows[i + 1].id.from_us);
        rig_close(rig);
        most = MAX(most, frames);
        n_killed += was_killed;
        if (!was_killed) {
            assert_int_equal(frames, 300);
            break;
        }
        /* a fragment holds 25 pictures, and one fragment is the most that is lost of those sent */
        assert_int_equal(frames % 25, 0);
    }
    assert_true(n_killed >= 15);
    assert_int_equal(most, 300);
}

/* Dies in the middle of recovering from a death. */
static void recover_until_death(struct rig *rig, int steps)
{
    atomic_store(&rig->disk.steps_to_death, steps);
    rig_open(rig);
    atomic_store(&rig->disk.steps_to_death, 0);
    rig_close(rig);
}

static void recovery_is_repeated_without_harm(void **state)
{
    struct rig *rig = *state;
    int64_t frames = -1;
    assert_true(run_child(rig, record_until_death, 12));
    for (int i = 0; i < 3; i++) {
        run_child(rig, recover_until_death, i + 1);
        rig_open(rig);
        int64_t now = rig_check(rig);
        assert_true(frames < 0 || now == frames);
        frames = now;
        rig_close(rig);
    }
    assert_true(frames > 0);
}

static int job_keep_open(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db,
                   "INSERT INTO open_segments(camera, stream, from_us, n, volume, began, doomed)"
                   " SELECT camera, stream, from_us, n, volume, began, 0 FROM segments;"
                   "DELETE FROM segments",
                   err);
}

/* The row of the finished segment never arrived: the file tells everything. */
static void a_closed_file_without_its_row_is_adopted(void **state)
{
    struct rig *rig = *state;
    struct segment_row before[8], after[8];
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 250, 25);
    rig_stop(rig);
    size_t n = rig_rows(rig, before, 8);
    assert_int_equal(catalogue_write(rig->catalogue, job_keep_open, NULL, NULL), 0);
    rig_close(rig);
    rig_open(rig);
    assert_int_equal(rig_rows(rig, after, 8), n);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(&before[i], &after[i], sizeof before[i]);
    rig_check(rig);
}

static int job_doom_first(struct db *db, void *ctx, struct err *err)
{
    int rc = db_segment_doom(db, ctx, "expired", RIG_START_US, err);
    return rc == 1 ? 0 : ERR_INVALID;
}

/* Killed between taking the row away and unlinking the file. */
static void a_doomed_file_is_unlinked(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 250, 25);
    rig_stop(rig);
    size_t n = rig_rows(rig, rows, 8);
    assert_int_equal(catalogue_write(rig->catalogue, job_doom_first, &rows[0], NULL), 0);
    assert_int_equal(rig_unsettled(rig), 1);
    rig_close(rig);
    rig_open(rig);
    assert_int_equal(rig_rows(rig, rows, 8), n - 1);
    rig_check(rig);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_at_every_step_of_recording),
        TEST(recovery_is_repeated_without_harm),
        TEST(a_closed_file_without_its_row_is_adopted),
        TEST(a_doomed_file_is_unlinked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
