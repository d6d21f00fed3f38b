#include "rig.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "media/hub.h"
#include "storage/db.h"
#include "storage/db_segments.h"

static void record_some(struct rig *rig)
{
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 300, 25);
    rig_outage(rig, 10 * US_PER_S + 123);
    rig_pictures(rig, 100, 25);
    rig_stop(rig);
}

static void on_problem(void *ctx, const char *path, const char *what)
{
    (void)path;
    (void)what;
    ++*(int *)ctx;
}

static struct index_report check(struct rig *rig, bool is_deep, int n_problems)
{
    struct index_report report;
    struct err err = {0};
    int n = 0;
    if (storage_index_check(rig->storage, is_deep, on_problem, &n, &report, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(n, n_problems);
    return report;
}

static struct index_report rebuild(struct rig *rig)
{
    struct index_report report;
    struct err err = {0};
    if (storage_index_rebuild(rig->storage, NULL, NULL, &report, &err) < 0)
        fail_msg("%s", err.msg);
    return report;
}

static void all_is_well(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    struct index_report report = check(rig, true, 0);
    assert_int_equal(report.n_segments, 4);
    assert_int_equal(report.n_files, 4);
    assert_int_equal(report.n_adopted + report.n_missing + report.n_mismatch + report.n_bad_files,
                     0);
}

static void every_kind_of_damage_is_named(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char full[4][RIG_PATH_BYTES];
    record_some(rig);
    rig_rows(rig, rows, 8);
    for (int i = 0; i < 4; i++)
        rig_file(rig, &rows[i], full[i]);
    assert_int_equal(unlink(full[0]), 0);
    assert_int_equal(truncate(full[1], rows[1].bytes - 5000), 0);
    rig_shell(rig, "cp %s %.*s-99.mp4 && echo x > rec/cam/note.mp4", full[2],
              (int)(strrchr(full[2], '-') - full[2]), full[2]);
    struct index_report report = check(rig, false, 4);
    assert_int_equal(report.n_missing, 1);
    assert_int_equal(report.n_adopted, 1);
    assert_int_equal(report.n_bad_files, 2);
}

static void the_index_is_made_again_from_the_files_alone(void **state)
{
    struct rig *rig = *state;
    struct segment_row before[8], after[8];
    record_some(rig);
    size_t n = rig_rows(rig, before, 8);
    rig_sql(rig, "DELETE FROM segments; DELETE FROM camera_keys;");
    struct index_report report = rebuild(rig);
    assert_int_equal(report.n_adopted, n);
    assert_int_equal(rig_rows(rig, after, 8), n);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(&before[i], &after[i], sizeof before[i]);
    check(rig, true, 0);
}

/* The catalogue is gone altogether: the volume is recognised by its marker. */
static void a_lost_catalogue_is_no_lost_recording(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_close(rig);
    rig_shell(rig, "rm catalog.db*");
    rig_open(rig);
    rebuild(rig);
    assert_int_equal(rig_check(rig), 400);
}

static void a_torn_file_is_mended_by_rebuild(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[RIG_PATH_BYTES];
    record_some(rig);
    rig_rows(rig, rows, 8);
    rig_file(rig, &rows[1], path);
    assert_int_equal(truncate(path, rows[1].bytes - 5000), 0);
    struct index_report report = rebuild(rig);
    assert_int_equal(report.n_bad_files, 0);
    assert_int_equal(rig_check(rig), 375); /* all but the torn fragment */
}

static void a_missing_volume_loses_no_rows(void **state)
{
    struct rig *rig = *state;
    struct index_report report;
    struct err err = {0};
    record_some(rig);
    rig_close(rig);
    rig_shell(rig, "mv rec away");
    rig_open(rig);
    assert_int_equal(storage_index_rebuild(rig->storage, NULL, NULL, &report, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "mounted"));
    assert_int_equal(rig_rows(rig, NULL, 0), 4);
}

/* --- what rows can show of the invariants --- */

static struct {
    char path[8][200], what[8][200];
    int n;
} told;

static void on_told(void *ctx, const char *path, const char *what)
{
    (void)ctx;
    if (told.n < 8) {
        snprintf(told.path[told.n], sizeof told.path[0], "%s", path);
        snprintf(told.what[told.n], sizeof told.what[0], "%s", what);
    }
    told.n++;
}

static struct index_report check_telling(struct rig *rig)
{
    struct index_report report;
    struct err err = {0};
    told.n = 0;
    if (storage_index_check(rig->storage, false, on_told, NULL, &report, &err) < 0)
        fail_msg("%s", err.msg);
    return report;
}

static void rows_that_contradict_each_other_are_told(void **state)
{
    static const char *const cases[][3] = {
        /* what is done, what is told, what undoes it */
        {"UPDATE volumes SET bytes = bytes + 1", "counted as",
         "UPDATE volumes SET bytes = bytes - 1"},
        {"UPDATE volumes SET segments = segments + 1", "counted as",
         "UPDATE volumes SET segments = segments - 1"},
        {"INSERT INTO open_segments SELECT camera, stream, from_us, n, volume, began, 0"
         " FROM segments LIMIT 1",
         "both settled and not", "DELETE FROM open_segments"},
        {"INSERT INTO open_segments VALUES(1, 0, 5000000, 9, 1, 0, 1)",
         "without an entry in the ledger", "DELETE FROM open_segments"},
        {"INSERT INTO holds(id, camera, from_us, to_us, user, reason, created_us)"
         " VALUES('h', 77, 1, 2, 'lin', '', 1)",
         "no name", "DELETE FROM holds"},
    };
    struct rig *rig = *state;
    record_some(rig);
    check(rig, false, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig_sql(rig, cases[i][0]);
        assert_int_equal(check_telling(rig).n_broken, 1);
        assert_int_equal(told.n, 1);
        assert_non_null(strstr(told.what[0], cases[i][1]));
        rig_sql(rig, cases[i][2]);
    }
    check(rig, false, 0);
}

static void odd_things_are_told_and_not_wrong(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_sql(rig, "INSERT INTO holds(id, camera, from_us, to_us, user, reason, created_us)"
                 " VALUES('h', 1, 1000, 2000, 'lin', '', 1);"
                 "INSERT INTO open_segments VALUES(1, 0, 5000000, 9, 1, 0, 0)");
    struct index_report report = check_telling(rig);
    assert_int_equal(report.n_broken, 0);
    assert_int_equal(report.n_notes, 2);
    assert_non_null(strstr(told.what[1], "left open"));
    assert_non_null(strstr(told.what[0], "holds nothing"));
}

static void segments_of_an_unknown_volume_are_told_once(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_sql(rig, "UPDATE segments SET volume = 99 WHERE n = (SELECT min(n) FROM segments)");
    struct index_report report = check_telling(rig);
    assert_int_equal(report.n_unreachable, 1);
    assert_int_equal(report.n_adopted, 1); /* the index knows it elsewhere */
    assert_non_null(strstr(told.what[0], "counted as"));
    assert_non_null(strstr(told.what[1], "volume that is not known"));
}

/* [storage I5] */
static void what_is_missing_between_two_segments_that_followed_each_other_is_told(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[RIG_PATH_BYTES];
    record_some(rig);
    rig_rows(rig, rows, 8);
    assert_int_equal(rows[0].ended, SEGMENT_ROTATED);
    assert_int_equal(rows[1].ended, SEGMENT_ROTATED);
    rig_file(rig, &rows[1], path);
    assert_int_equal(unlink(path), 0);
    rig_sql(rig, "DELETE FROM segments WHERE n = (SELECT n FROM segments ORDER BY from_us"
                 " LIMIT 1 OFFSET 1)");
    struct index_report report = check_telling(rig);
    assert_int_equal(report.n_broken, 1);
    assert_non_null(strstr(told.what[0], "4000 ms are missing"));
    /* unless the ledger says that it was deleted */
    rig_sql(rig, "INSERT INTO deletions SELECT camera, 0, to_us, to_us + 4000000, 1, 1, 1, 'space'"
                 " FROM segments ORDER BY from_us LIMIT 1");
    check(rig, false, 0);
}

/* A segment that was lost whole with the disk: the camera had gone on on another. */
static void what_a_failed_disk_took_is_told_and_not_wrong(void **state)
{
    struct rig *rig = *state;
    struct recordings rec;
    struct segment_row rows[8];
    char path[RIG_PATH_BYTES];
    record_some(rig);
    rig_rows(rig, rows, 8);
    rig_file(rig, &rows[1], path);
    assert_int_equal(unlink(path), 0);
    rig_sql(rig, "DELETE FROM segments WHERE n = (SELECT n FROM segments ORDER BY from_us"
                 " LIMIT 1 OFFSET 1);"
                 "UPDATE segments SET began = 10 WHERE n = (SELECT n FROM segments ORDER BY from_us"
                 " LIMIT 1 OFFSET 1)");
    struct index_report report = check_telling(rig);
    assert_int_equal(report.n_broken, 0);
    assert_int_equal(report.n_notes, 1);
    assert_non_null(
        strstr(told.what[0], "4000 ms are missing in front of it, where a disk failed"));
    rig_recordings(rig, &rec);
    bool is_told = false;
    for (size_t i = 0; i < rec.n_gaps; i++)
        is_told |= rec.gaps[i].from_us == rows[0].to_us && strcmp(rec.gaps[i].cause, "disk") == 0;
    assert_true(is_told);
    recordings_fini(&rec);
}

/* Rebuilding takes a cut file for one that a crash left; but a crash would have cut the next too.
 */
static void a_tail_that_was_cut_off_shows_after_a_rebuild(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[RIG_PATH_BYTES];
    record_some(rig);
    rig_rows(rig, rows, 8);
    rig_file(rig, &rows[1], path);
    assert_int_equal(truncate(path, rows[1].bytes / 2), 0);
    rebuild(rig);
    struct index_report report = check_telling(rig);
    assert_int_equal(report.n_broken, 1);
    assert_non_null(strstr(told.what[0], "whose end was cut off"));
}

static void an_overlap_is_told(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_sql(rig, "UPDATE segments SET to_us = to_us + 1500000 WHERE n ="
                 " (SELECT n FROM segments ORDER BY from_us LIMIT 1)");
    struct index_report report = check_telling(rig);
    assert_int_equal(report.n_broken, 1);
    assert_int_equal(report.n_mismatch, 1); /* and the file says something else */
    assert_non_null(strstr(told.what[1], "overlaps the segment in front by 1500 ms"));
}

static void a_copy_on_another_volume_is_told(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    char path[SEGMENT_PATH_BYTES];
    rig->volumes[1].path = xasprintf("%s/more", rig->dir);
    rig->params.n_volumes = 2;
    record_some(rig);
    rig_rows(rig, rows, 8);
    bool is_first = storage__volume(rig->storage, rows[0].volume) == rig->storage->volumes[0];
    const char *from = is_first ? "rec" : "more", *to = is_first ? "more" : "rec";
    segment_path(&rows[0].id, path);
    rig_shell(rig, "mkdir -p $(dirname %s/%s) && cp %s/%s %s/%s", to, path, from, path, to, path);
    struct index_report report = check_telling(rig);
    assert_int_equal(report.n_adopted, 1);
    assert_non_null(strstr(told.what[0], "is a second one"));
}

/* --- beside a server, and again after a kill --- */

/* What a command has open. */
struct beside {
    struct catalogue *catalogue;
    struct storage *storage;
};

static struct beside open_beside(struct rig *rig)
{
    struct beside b;
    assert_int_equal(catalogue_open_shared(rig->dir, clock_system(), &b.catalogue, NULL), 0);
    struct storage_params params = rig->params;
    params.catalogue = b.catalogue;
    params.is_reader = true;
    assert_int_equal(storage_open(&params, &b.storage, NULL), 0);
    return b;
}

static void close_beside(struct beside *b)
{
    storage_close(&b->storage);
    catalogue_close(&b->catalogue);
}

static struct index_report check_beside(struct rig *rig)
{
    struct index_report report;
    struct beside b = open_beside(rig);
    told.n = 0;
    assert_int_equal(storage_index_check(b.storage, false, on_told, NULL, &report, NULL), 0);
    close_beside(&b);
    if (report.n_adopted + report.n_broken + report.n_bad_files > 0)
        fail_msg("%s: %s", told.path[0], told.what[0]);
    return report;
}

static void what_is_being_written_is_no_mistake(void **state)
{
    struct rig *rig = *state;
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    for (int i = 0; i < 20; i++) {
        rig_pictures(rig, 60, 20);
        check_beside(rig);
        assert_int_equal(told.n, 0);
    }
    rig_stop(rig);
}

/* Finished segments as a kill would have left them. */
static void unsettle(struct rig *rig, const char *doomed)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "INSERT INTO open_segments SELECT camera, stream, from_us, n, volume, began, %s"
             " FROM segments; DELETE FROM segments",
             doomed);
    rig_sql(rig, sql);
}

static void what_a_kill_left_is_named(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    struct index_report whole = check_beside(rig);
    assert_true(whole.n_segments >= 2);
    assert_int_equal(whole.n_writing + whole.n_unsettled + whole.n_doomed, 0);
    unsettle(rig, "0");
    struct index_report running = check_beside(rig);
    assert_true(running.is_served);
    assert_int_equal(running.n_writing, whole.n_segments);
    assert_int_equal(running.n_unsettled, 0);
    assert_int_equal(told.n, 0);

    storage_close(&rig->storage);
    catalogue_close(&rig->catalogue);
    struct index_report killed = check_beside(rig);
    assert_false(killed.is_served);
    assert_int_equal(killed.n_writing, 0);
    assert_int_equal(killed.n_unsettled, whole.n_segments);
    assert_int_equal(told.n, whole.n_segments);
    assert_non_null(strstr(told.path[0], ".mp4"));
    assert_non_null(strstr(told.what[0], "unfinished: settled at the next start"));

    rig_open(rig);
    struct index_report settled = check_beside(rig);
    assert_int_equal(settled.n_segments, whole.n_segments);
    assert_int_equal(settled.n_writing + settled.n_unsettled, 0);
    assert_int_equal(told.n, 0);
}

static void one_that_is_settled_late_is_not_missing(void **state)
{
    static char middle[] =
        "INSERT INTO open_segments SELECT camera, stream, from_us, n, volume, began, 0 FROM segments"
        " WHERE n = (SELECT min(n) + 1 FROM segments);"
        "DELETE FROM segments WHERE n = (SELECT min(n) + 1 FROM segments)";
    struct rig *rig = *state;
    record_some(rig);
    rig_sql(rig, middle);
    struct index_report report = check_beside(rig);
    assert_int_equal(report.n_writing, 1);
    assert_int_equal(told.n, 0);
}

static void what_is_doomed_is_counted(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_sql(rig, "INSERT INTO deletions SELECT camera, stream, from_us, to_us, 1, 1, bytes,"
                 " 'expired' FROM segments");
    uint64_t n = check_beside(rig).n_segments;
    storage_close(&rig->storage); /* or it deletes them */
    unsettle(rig, "1");
    struct index_report report = check_beside(rig);
    assert_int_equal(report.n_doomed, n);
    assert_int_equal(report.n_writing, 0);
}

static void rebuild_enters_what_is_missing_into_the_ledger(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[8];
    struct recordings found;
    char path[RIG_PATH_BYTES];
    record_some(rig);
    rig_rows(rig, rows, 8);
    rig_file(rig, &rows[1], path);
    assert_int_equal(unlink(path), 0);
    struct index_report report = rebuild(rig);
    assert_int_equal(report.n_missing, 1);
    check(rig, true, 0);
    rig_recordings(rig, &found);
    bool is_told = false;
    for (size_t i = 0; i < found.n_gaps; i++)
        is_told |= strcmp(found.gaps[i].cause, "missing") == 0 &&
                   found.gaps[i].from_us == rows[1].id.from_us;
    assert_true(is_told);
    recordings_fini(&found);
}

static void rebuild_is_killed_and_done_again(void **state)
{
    struct rig *rig = *state;
    struct segment_row before[8], after[8];
    record_some(rig);
    size_t n = rig_rows(rig, before, 8);
    rig_close(rig);
    rig_shell(rig, "rm catalog.db*");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { /* dies with the first row in the index */
        struct index_report r;
        rig_open(rig);
        rig_sql(rig, "CREATE TRIGGER stop BEFORE INSERT ON segments WHEN (SELECT count(*) FROM"
                     " segments) = 1 BEGIN SELECT RAISE(ABORT, 'stop'); END");
        _exit(storage_index_rebuild(rig->storage, NULL, NULL, &r, NULL) < 0 ? 3 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 3);
    rig_open(rig);
    rig_sql(rig, "DROP TRIGGER stop");
    rebuild(rig);
    assert_int_equal(rig_rows(rig, after, 8), n);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(&before[i].id, &after[i].id, sizeof before[i].id);
    check(rig, true, 0);
}

static void rebuild_takes_out_rows_of_days_without_files(void **state)
{
    struct rig *rig = *state;
    record_some(rig);
    rig_sql(rig,
            "INSERT INTO segments(camera, stream, from_us, n, to_us, volume, bytes, frames,"
            " lost_packets, began, ended) VALUES(1, 0, 1000000, 1, 2000000, 1, 10, 1, 0, 0, 0)");
    assert_int_equal(check_telling(rig).n_missing, 1);
    rebuild(rig);
    assert_int_equal(rig_rows(rig, NULL, 0), 4);
    check(rig, false, 0);
}

static void tools_only_read(void **state)
{
    struct rig *rig = *state;
    struct sample_map *map;
    record_some(rig);
    struct beside b = open_beside(rig);
    struct sample_query q = {
        .camera_id = "cam", .from_us = RIG_START_US, .to_us = RIG_START_US + 60 * US_PER_S};
    assert_int_equal(source_map(storage_source(b.storage), &q, &map, NULL), 0);
    assert_int_equal(map->n_samples, 400);
    sample_map_free(&map);
    close_beside(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_is_well),
        TEST(every_kind_of_damage_is_named),
        TEST(the_index_is_made_again_from_the_files_alone),
        TEST(a_lost_catalogue_is_no_lost_recording),
        TEST(a_torn_file_is_mended_by_rebuild),
        TEST(a_missing_volume_loses_no_rows),
        TEST(rows_that_contradict_each_other_are_told),
        TEST(odd_things_are_told_and_not_wrong),
        TEST(segments_of_an_unknown_volume_are_told_once),
        TEST(what_is_missing_between_two_segments_that_followed_each_other_is_told),
        TEST(what_a_failed_disk_took_is_told_and_not_wrong),
        TEST(a_tail_that_was_cut_off_shows_after_a_rebuild),
        TEST(an_overlap_is_told),
        TEST(a_copy_on_another_volume_is_told),
        TEST(what_is_being_written_is_no_mistake),
        TEST(what_a_kill_left_is_named),
        TEST(one_that_is_settled_late_is_not_missing),
        TEST(what_is_doomed_is_counted),
        TEST(rebuild_enters_what_is_missing_into_the_ledger),
        TEST(rebuild_is_killed_and_done_again),
        TEST(rebuild_takes_out_rows_of_days_without_files),
        TEST(tools_only_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
