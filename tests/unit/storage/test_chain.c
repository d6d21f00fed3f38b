/* What was written once cannot be changed, exchanged or taken out without showing; and what a power
 * cut left of the newest fragments is not taken for pictures. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "storage/chain_check.h"
#include "storage/chain_read.h"
#include "storage/db.h"
#include "storage/db_chains.h"
#include "storage/db_segments.h"

/* --- the function --- */

static const uint8_t secret[CHAIN_KEY_BYTES] = {1, 2, 3};

static struct chain_value mac(const char *first, const char *second)
{
    struct chain_key key;
    struct chain_value out, before = {.bytes = {7}};
    chain_key_init(&key, secret);
    const struct iovec pieces[] = {{(void *)first, strlen(first)},
                                   {(void *)second, strlen(second)}};
    chain_extend(&key, &before, pieces, 2, &out);
    return out;
}

static void every_bit_and_every_border_counts(void **state)
{
    (void)state;
    struct chain_value a = mac("moof", "picture"), b = mac("moof", "picture");
    assert_true(chain_is_equal(&a, &b));
    b = mac("moof", "pictusre");
    assert_false(chain_is_equal(&a, &b));
    b = mac("moofp", "icture");
    assert_false(chain_is_equal(&a, &b));
    b = mac("picture", "moof");
    assert_false(chain_is_equal(&a, &b));
}

/* Files are read by later versions: a value must never come out otherwise. */
static void the_function_is_fixed_for_ever(void **state)
{
    (void)state;
    static const uint8_t expected[8] = {0x57, 0x37, 0xc3, 0x49, 0xbe, 0x5c, 0xa3, 0x62};
    struct chain_value a = mac("moof", "picture");
    assert_memory_equal(a.bytes, expected, sizeof expected);
}

static void another_secret_is_another_chain(void **state)
{
    (void)state;
    static const uint8_t other[CHAIN_KEY_BYTES] = {9};
    struct chain_key one, two;
    struct chain_value a, b, zero = {0};
    chain_key_init(&one, secret);
    chain_key_init(&two, other);
    assert_memory_not_equal(one.id, two.id, sizeof one.id);
    chain_extend(&one, &zero, NULL, 0, &a);
    chain_extend(&two, &zero, NULL, 0, &b);
    assert_false(chain_is_equal(&a, &b));
}

/* --- recordings that somebody laid hands on --- */

/* Of the latest check. */
static struct {
    int n;
    char what[16][400];
} told;

static void on_problem(void *ctx, const char *path, const char *what)
{
    (void)ctx;
    if (told.n < 16)
        snprintf(told.what[told.n], sizeof told.what[0], "%s: %s", path, what);
    told.n++;
}

static struct index_report check(struct rig *rig)
{
    struct index_report report;
    struct err err = {0};
    told.n = 0;
    if (storage_index_check(rig->storage, true, on_problem, NULL, &report, &err) < 0)
        fail_msg("%s", err.msg);
    return report;
}

static void check_fine(struct rig *rig)
{
    check(rig);
    if (told.n > 0)
        fail_msg("%s", told.what[0]);
}

static void check_tells(struct rig *rig, uint64_t n_changed, const char *what)
{
    assert_int_equal(check(rig).n_changed, n_changed);
    assert_non_null(strstr(told.what[0], what));
}

/* What was recorded, three of the four of one strand, and the files. */
static struct segment_row rows[16];
static char paths[4][RIG_PATH_BYTES];

static size_t look(struct rig *rig)
{
    return rig_rows(rig, rows, ARRAY_LEN(rows));
}

static int setup(void **state)
{
    if (rig_setup(state) < 0)
        return -1;
    struct rig *rig = *state;
    rig_record_some(rig);
    assert_int_equal(look(rig), 4);
    for (size_t i = 0; i < 4; i++)
        rig_file(rig, &rows[i], paths[i]);
    check_fine(rig);
    return 0;
}

static void poke(const char *path, off_t at, const void *bytes, size_t n)
{
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void flip(const char *path, off_t at)
{
    uint8_t b;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &b, 1, at), 1);
    close(fd);
    b ^= 1;
    poke(path, at, &b, 1);
}

static void a_single_bit_anywhere_shows(void **state)
{
    struct rig *rig = *state;
    int n_silent = 0;
    for (off_t at = 0; at < rows[1].bytes; at += 97) {
        flip(paths[1], at);
        struct index_report report = check(rig);
        bool is_seen = report.n_changed + report.n_bad_files + report.n_mismatch > 0;
        if (!is_seen)
            print_error("byte %ld of %ld was changed unseen\n", (long)at, (long)rows[1].bytes);
        n_silent += !is_seen;
        flip(paths[1], at);
    }
    assert_int_equal(n_silent, 0);
    check_fine(rig);
}

static void a_changed_picture_is_named_with_its_time(void **state)
{
    struct rig *rig = *state;
    flip(paths[1], rows[1].bytes / 2);
    struct index_report report = check(rig);
    assert_int_equal(report.n_changed, 1);
    assert_non_null(strstr(told.what[0], "2026-09-21T14:13:"));
    assert_non_null(strstr(told.what[0], "was changed after it was written"));
}

/* Both files are whole and by our own key, but one stands where the other was. */
static void exchanged_files_show(void **state)
{
    struct rig *rig = *state;
    rig_shell(rig, "mv %s aside && mv %s %s && mv aside %s", paths[1], paths[2], paths[1],
              paths[2]);
    assert_true(check(rig).n_changed >= 2);
}

/* The file and its row: files and index agree, but the chain does not. */
static void take_out(struct rig *rig, const struct segment_row *row)
{
    char path[RIG_PATH_BYTES], sql[100];
    assert_int_equal(unlink(rig_file(rig, row, path)), 0);
    snprintf(sql, sizeof sql, "DELETE FROM segments WHERE from_us = %lld",
             (long long)row->id.from_us);
    rig_sql(rig, sql);
}

static void a_segment_taken_out_with_its_row_shows(void **state)
{
    struct rig *rig = *state;
    take_out(rig, &rows[2]);
    struct index_report report = check(rig);
    assert_int_equal(report.n_changed, 1);
    assert_int_equal(report.n_missing + report.n_adopted + report.n_mismatch, 0);
    assert_non_null(strstr(told.what[0], "taken out"));
}

static void the_newest_taken_out_shows_too(void **state)
{
    struct rig *rig = *state;
    take_out(rig, &rows[3]);
    check_tells(rig, 1, "taken out");
}

static void the_oldest_taken_out_shows_too(void **state)
{
    struct rig *rig = *state;
    struct index_report report;
    assert_int_equal(storage_index_rebuild(rig->storage, NULL, NULL, &report, NULL), 0);
    take_out(rig, &rows[0]); /* of one strand now, whatever was settled first */
    check_tells(rig, 1, "segments in front of it were taken out");
}

static void a_whole_stream_taken_out_shows(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < 4; i++)
        take_out(rig, &rows[i]);
    assert_true(check(rig).n_changed > 0);
    assert_non_null(strstr(told.what[0], "taken out"));
}

/* Then segments of before and after lie between each other in the order of time. */
static void a_clock_that_was_set_back_is_no_tampering(void **state)
{
    struct rig *rig = *state;
    rig_record(rig, "cam");
    rig_pictures(rig, 300, 25);
    rig->wall_us -= 9 * US_PER_S;
    rig_pictures(rig, 500, 25);
    rig_stop(rig);
    size_t n = look(rig);
    assert_true(n > 10);
    check_fine(rig);
    for (size_t i = 1; i < n; i++)
        if (rows[i].id.n < rows[i - 1].id.n && rows[i + 1].id.n > rows[i - 1].id.n) {
            take_out(rig, &rows[i + 1]); /* of the strand from after, in the middle */
            assert_int_equal(check(rig).n_changed, 1);
            return;
        }
    fail_msg("no segments lie between others");
}

static bool is_recorder_gone(struct rig *rig)
{
    return rig->n_gone > 0;
}

/* Recording is switched off and on while the stream goes on. */
static void record_again(struct rig *rig)
{
    recorder_stop(rig->recorder);
    rig_wait(rig, is_recorder_gone);
    rig_start_recorder(rig);
}

/* Each of them begins with the key frame of the group: their segments begin in one moment. */
static void recording_twice_within_a_group_is_no_tampering(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 60, 25);
    for (int i = 0; i < 3; i++) {
        record_again(rig);
        for (int k = 0; k < 2; k++)
            rig_picture(rig, false);
    }
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    assert_int_equal(look(rig), 4);
    assert_int_equal(rows[2].id.from_us, rows[1].id.from_us);
    check_fine(rig);
    take_out(rig, &rows[2]);
    check(rig);
    assert_int_not_equal(told.n, 0);
}

static int job_doom(struct db *db, void *ctx, struct err *err)
{
    int rc = db_segment_doom(db, ctx, "expired", RIG_START_US, err);
    return rc < 0 ? rc : db_segment_forget(db, ctx, err);
}

static void record_more(struct rig *rig)
{
    rig_record(rig, "cam");
    rig_pictures(rig, 300, 25);
    rig_stop(rig);
}

/* Rows are read a page at a time, and their files for hours: what the catalogue says of a stream's
 * strands is newer than they are. */
static void what_is_recorded_meanwhile_is_no_tampering(void **state)
{
    struct rig *rig = *state;
    struct index_report report = {0};
    struct chain_check check = {.storage = rig->storage, .fn = on_problem, .report = &report};
    static const size_t seen[] = {0, 2, 3}; /* the second was settled late */
    char path[SEGMENT_PATH_BYTES];
    told.n = 0;
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        const struct segment_row *row = &rows[seen[i]];
        if (i == 1)
            record_more(rig);
        assert_int_equal(chain_check_row(&check, rig->storage->volumes[0]->dirfd,
                                         segment_path(&row->id, path), row, NULL),
                         0);
    }
    record_more(rig);
    assert_int_equal(chain_check_finish(&check, NULL), 0);
    chain_check_fini(&check);
    if (told.n > 0)
        fail_msg("%s", told.what[0]);
}

static void what_the_ledger_explains_is_no_tampering(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 4; i += 2) { /* the oldest, and one in the middle */
        assert_int_equal(unlink(paths[i]), 0);
        assert_int_equal(catalogue_write(rig->catalogue, job_doom, &rows[i], NULL), 0);
    }
    check_fine(rig);
}

static void a_chain_goes_on_over_a_restart(void **state)
{
    struct rig *rig = *state;
    rig_reopen(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 200, 25);
    rig_stop(rig);
    assert_int_equal(look(rig), 6);
    check_fine(rig);
    take_out(rig, &rows[3]); /* the last of before: the next one tells */
    assert_int_equal(check(rig).n_changed, 1);
}

static void hashes_of_another_installation_are_told_not_blamed(void **state)
{
    struct rig *rig = *state;
    rig_close(rig);
    rig->params.secret = secret;
    rig_open(rig);
    struct index_report report = check(rig);
    assert_int_equal(report.n_foreign, 4);
    assert_int_equal(report.n_changed, 0);
    rig_close(rig);
    rig->params.secret = NULL;
    rig_open(rig);
}

static void a_rebuilt_index_knows_the_chains_again(void **state)
{
    struct rig *rig = *state;
    struct index_report report;
    assert_int_equal(storage_index_rebuild(rig->storage, NULL, NULL, &report, NULL), 0);
    check_fine(rig);
    take_out(rig, &rows[3]);
    assert_int_equal(check(rig).n_changed, 1);
}

/* --- after a crash --- */

static void unsettle_newest(struct rig *rig)
{
    rig_sql(rig, "INSERT INTO open_segments(camera, stream, from_us, n, volume, began, doomed)"
                 " SELECT camera, stream, from_us, n, volume, began, 0 FROM segments"
                 " ORDER BY from_us DESC LIMIT 1;"
                 "DELETE FROM segments WHERE from_us = (SELECT max(from_us) FROM segments);"
                 "DELETE FROM chains");
}

/* The file of the newest segment as it was before its end was written; returns its length then. */
static off_t cut_end(struct rig *rig)
{
    struct segment_reader r;
    int fd = open(paths[3], O_RDWR);
    assert_true(fd >= 0);
    assert_true(segment_reader_init(&r, fd, (uint64_t)rows[3].bytes, NULL) >= 0);
    while (segment_reader_next(&r, NULL) == 1)
        continue;
    off_t bytes = (off_t)r.next_at;
    segment_reader_fini(&r);
    assert_int_equal(ftruncate(fd, bytes), 0);
    close(fd);
    unsettle_newest(rig);
    return bytes;
}

static void a_crash_does_not_end_the_chain(void **state)
{
    struct rig *rig = *state;
    cut_end(rig);
    rig_reopen(rig);
    assert_int_equal(look(rig), 4);
    assert_int_equal(rows[3].frames, 100);
    check_fine(rig);
    flip(paths[3], rows[3].bytes / 2);
    assert_int_equal(check(rig).n_changed, 1);
}

/* The length of a file survived, its bytes did not: the file system gives zeros. */
static void pictures_of_zeros_are_left_out(void **state)
{
    struct rig *rig = *state;
    static const uint8_t zeros[20000];
    off_t bytes = cut_end(rig);
    poke(paths[3], bytes - (off_t)sizeof zeros, zeros, sizeof zeros);
    rig_reopen(rig);
    assert_int_equal(look(rig), 4);
    assert_int_equal(rows[3].frames, 75); /* one fragment of 25 is torn */
    check_fine(rig);
}

/* The end reached the disk, a fragment in front of it did not. */
static void an_end_does_not_vouch_for_the_pictures(void **state)
{
    struct rig *rig = *state;
    flip(paths[3], rows[3].bytes / 2);
    unsettle_newest(rig);
    rig_reopen(rig);
    assert_int_equal(look(rig), 4);
    assert_true(rows[3].frames == 25 || rows[3].frames == 50);
    assert_int_equal(rows[3].ended, SEGMENT_CRASH);
    check_fine(rig);
}

static bool is_usable(struct rig *rig)
{
    return volume_is_ok(rig->storage->volumes[0]);
}

/* The disk was full: the file has no end, and the chain goes on all the same. */
static void a_file_without_room_for_its_end_is_a_link(void **state)
{
    struct rig *rig = *state;
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 60, 25);
    rig_wait(rig, rig_is_written);
    atomic_store(&rig->disk.write_error, -ENOSPC);
    rig_pictures(rig, 50, 25);
    rig_wait(rig, rig_is_written);
    atomic_store(&rig->disk.write_error, 0);
    rig_wait(rig, is_usable);
    rig_pictures(rig, 50, 25);
    rig_stop(rig);
    assert_true(look(rig) >= 2);
    check_fine(rig);
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
#define FRESH(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_and_every_border_counts),
        cmocka_unit_test(the_function_is_fixed_for_ever),
        cmocka_unit_test(another_secret_is_another_chain),
        TEST(a_single_bit_anywhere_shows),
        TEST(a_changed_picture_is_named_with_its_time),
        TEST(exchanged_files_show),
        TEST(a_segment_taken_out_with_its_row_shows),
        TEST(the_newest_taken_out_shows_too),
        TEST(the_oldest_taken_out_shows_too),
        TEST(a_whole_stream_taken_out_shows),
        TEST(a_clock_that_was_set_back_is_no_tampering),
        FRESH(recording_twice_within_a_group_is_no_tampering),
        TEST(what_is_recorded_meanwhile_is_no_tampering),
        TEST(what_the_ledger_explains_is_no_tampering),
        TEST(a_chain_goes_on_over_a_restart),
        TEST(hashes_of_another_installation_are_told_not_blamed),
        TEST(a_rebuilt_index_knows_the_chains_again),
        TEST(a_crash_does_not_end_the_chain),
        TEST(pictures_of_zeros_are_left_out),
        TEST(an_end_does_not_vouch_for_the_pictures),
        FRESH(a_file_without_room_for_its_end_is_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
