/* Thinning: what is left of a segment is its key frames, in the same time and with the same holes.
 */
#include "rig.h"

#include "base/str.h"
#include "media/reader.h"
#include "storage/db.h"
#include "storage/db_events.h"
#include "storage/db_holds.h"
#include "storage/db_ledger.h"
#include "storage/db_watched.h"

#define DAY       (86400 * US_PER_S)
#define PAUSE_US  INT64_C(2500000)
#define SECOND(n) (RIG_START_US + (n)*US_PER_S)

enum { GROUP = 25 };

/* Seven segments of 4 s at the start, in the third a pause of 2.5 s in the middle of a group. */
static void record_seven(struct rig *rig)
{
    rig->params.segment_us = 4 * US_PER_S;
    rig->params.thin_keep = THIN_KEYFRAMES;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 210, GROUP);
    rig_pause(rig, PAUSE_US, true);
    for (int i = 210; i < 700; i++)
        rig_picture(rig, i % GROUP == 0);
    rig_stop(rig);
}

static void thin_at(struct rig *rig, int64_t now_us)
{
    rig_close(rig);
    rig->params.thin_after_days = 30;
    atomic_store(&rig->clock.now_wall_us, now_us);
    rig_open(rig);
}

static size_t n_thinned(struct rig *rig)
{
    struct segment_row rows[32];
    size_t n = rig_rows(rig, rows, 32), n_thinned = 0;
    for (size_t i = 0; i < n; i++)
        n_thinned += rows[i].is_thinned;
    return n_thinned;
}

static bool is_all_thinned(struct rig *rig)
{
    return n_thinned(rig) == rig_rows(rig, NULL, 0) && rig_unsettled(rig) == 0;
}

static bool is_all_but_one_thinned(struct rig *rig)
{
    return n_thinned(rig) + 1 == rig_rows(rig, NULL, 0) && rig_unsettled(rig) == 0;
}

struct key {
    int64_t number, wall_us;
};

/* The pictures of the recording; number -1 ends the list. */
static size_t read_all(struct rig *rig, struct key *out, size_t cap, bool keys_only)
{
    struct sample_map *map;
    struct sample_query q = {.camera_id = "cam", .from_us = RIG_START_US, .to_us = SECOND(120)};
    size_t n = 0;
    assert_int_equal(source_map(storage_source(rig->storage), &q, &map, NULL), 0);
    for (size_t i = 0; i < map->n_samples; i++) {
        struct packet *pkt;
        if (keys_only && !map->samples[i].is_key)
            continue;
        assert_int_equal(sample_read(map, i, &pkt, NULL), 0);
        assert_true(n < cap);
        out[n] = (struct key){rig_number_of(pkt->data, pkt->size), map->samples[i].wall_us};
        assert_true(out[n++].number >= 0);
        packet_unref(&pkt);
    }
    sample_map_free(&map);
    return n;
}

/* The key frame in front of the pause is shown until it began, and the one behind follows a gap. */
static void expect_pause_in_samples(struct rig *rig)
{
    struct sample_map *map;
    struct sample_query q = {.camera_id = "cam", .from_us = RIG_START_US, .to_us = SECOND(120)};
    assert_int_equal(source_map(storage_source(rig->storage), &q, &map, NULL), 0);
    for (size_t i = 0; i < map->n_samples; i++) {
        const struct sample *s = &map->samples[i];
        bool is_before = s->wall_us == RIG_START_US + 200 * RIG_FRAME_US;
        bool is_behind = i > 0 && map->samples[i - 1].wall_us == RIG_START_US + 200 * RIG_FRAME_US;
        assert_int_equal(s->duration, (is_before ? 10 : GROUP) * 3600);
        assert_int_equal(s->is_after_gap, is_behind);
    }
    sample_map_free(&map);
}

static void expect_gap_of_pause(const struct recordings *rec)
{
    assert_int_equal(rec->n_spans, 2);
    assert_int_equal(rec->spans[0].from_us, RIG_START_US);
    assert_int_equal(rec->spans[0].to_us, RIG_START_US + 210 * RIG_FRAME_US);
    assert_int_equal(rec->spans[1].from_us, RIG_START_US + 210 * RIG_FRAME_US + PAUSE_US);
    assert_string_equal(rec->gaps[1].cause, "timeout");
}

static int add_entry(void *ctx, const struct ledger_row *row)
{
    assert_string_equal(row->why, "thinned");
    *(int64_t *)ctx += row->bytes;
    return 0;
}

static int job_ledger(struct db *db, void *ctx, struct err *err)
{
    const struct ledger_query q = {.limit = 100};
    return db_ledger_find(db, &q, add_entry, ctx, err);
}

static int64_t bytes_of_rows(struct rig *rig)
{
    struct segment_row rows[32];
    size_t n = rig_rows(rig, rows, 32);
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += rows[i].bytes;
    return sum;
}

static void key_frames_are_left_where_they_were(void **state)
{
    struct rig *rig = *state;
    static struct key before[1000], after[1000];
    struct recordings rec;
    struct index_report report;
    int64_t freed = 0;
    record_seven(rig);
    size_t n_keys = read_all(rig, before, 1000, true);
    int64_t bytes = bytes_of_rows(rig);
    assert_int_equal(n_keys, 28);
    thin_at(rig, SECOND(0) + 31 * DAY);
    rig_wait(rig, is_all_thinned);
    assert_int_equal(rig_check(rig), 28);
    assert_int_equal(read_all(rig, after, 1000, false), n_keys);
    assert_memory_equal(before, after, n_keys * sizeof before[0]);
    expect_pause_in_samples(rig);
    rig_recordings(rig, &rec);
    expect_gap_of_pause(&rec);
    recordings_fini(&rec);
    assert_int_equal(catalogue_read(rig->catalogue, job_ledger, &freed, NULL) > 0, true);
    assert_int_equal(bytes_of_rows(rig), bytes - freed);
    assert_true(freed > bytes / 2);
    /* the files are what the index says, by every hash */
    assert_int_equal(storage_index_check(rig->storage, true, NULL, NULL, &report, NULL), 0);
    assert_int_equal(report.n_bad_files + report.n_mismatch + report.n_adopted + report.n_missing,
                     0);
}

static int job_finish(struct db *db, void *ctx, struct err *err)
{
    return db_segment_finish(db, ctx, err);
}

/* As where the clock was set back: the second one's twin would get the other one's number. */
static void two_that_begin_together_are_told_apart(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[16];
    struct index_report report;
    char from[SEGMENT_PATH_BYTES], to[SEGMENT_PATH_BYTES];
    record_seven(rig);
    size_t n = rig_rows(rig, rows, 16);
    struct segment_row twin = rows[1];
    assert_int_equal(twin.id.n, 2);
    twin.id.n = 3;
    char *cmd = xasprintf("cd %s/rec && cp %s %s", rig->dir, segment_path(&rows[1].id, from),
                          segment_path(&twin.id, to));
    assert_int_equal(system(cmd), 0);
    free(cmd);
    assert_true(catalogue_write(rig->catalogue, job_finish, &twin, NULL) >= 0);
    thin_at(rig, SECOND(0) + 31 * DAY);
    rig_wait(rig, is_all_thinned);
    assert_int_equal(storage_index_check(rig->storage, false, NULL, NULL, &report, NULL), 0);
    assert_int_equal(report.n_files, n + 1);
    assert_int_equal(report.n_missing + report.n_adopted, 0);
}

/* The place of a picture holds while its segment is thinned: it is what is shown then. */
static void a_reader_goes_on_in_the_twin(void **state)
{
    struct rig *rig = *state;
    struct reader_want want = {.sound = false};
    struct reader_item item = {.duration = 0};
    record_seven(rig);
    struct reader_params params = {
        .source = storage_source(rig->storage), .camera_id = "cam", .stream = "main"};
    struct reader *r = reader_create(&params);
    int64_t at_us = RIG_START_US + 135 * RIG_FRAME_US; /* in the second segment */
    assert_int_equal(reader_seek(r, at_us, READER_AT, NULL), READER_FOUND);
    while (item.pkt == NULL || item.pkt->wall_us < at_us) {
        packet_unref(&item.pkt);
        assert_int_equal(reader_read(r, &want, &item, NULL), READER_FOUND);
    }
    packet_unref(&item.pkt);
    reader_destroy(&r);
    thin_at(rig, SECOND(0) + 31 * DAY);
    rig_wait(rig, is_all_thinned);
    params.source = storage_source(rig->storage);
    r = reader_create(&params);
    assert_int_equal(reader_return(r, &item.place, NULL), READER_FOUND);
    assert_int_equal(reader_position(r)->wall_us, RIG_START_US + 125 * RIG_FRAME_US);
    assert_int_equal(reader_next(r, NULL), READER_FOUND);
    assert_int_equal(reader_position(r)->wall_us, RIG_START_US + 150 * RIG_FRAME_US);
    assert_int_equal(reader_position(r)->gap.to_us, 0);
    reader_destroy(&r);
}

static void a_rebuilt_index_knows_what_is_thinned(void **state)
{
    struct rig *rig = *state;
    struct index_report report;
    static struct segment_row before[16], after[16];
    record_seven(rig);
    thin_at(rig, SECOND(0) + 31 * DAY);
    rig_wait(rig, is_all_thinned);
    size_t n = rig_rows(rig, before, 16);
    rig->params.thin_after_days = 0;
    rig_close(rig);
    rig_open(rig);
    assert_int_equal(storage_index_rebuild(rig->storage, NULL, NULL, &report, NULL), 0);
    assert_int_equal(rig_rows(rig, after, 16), n);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(&before[i], &after[i], sizeof before[i]);
}

static void young_ones_stay_whole(void **state)
{
    struct rig *rig = *state;
    record_seven(rig);
    thin_at(rig, SECOND(30) + 30 * DAY); /* the last one ended 30.5 s after the start */
    rig_wait(rig, is_all_but_one_thinned);
    rig_close(rig);
    rig_open(rig);
    assert_int_equal(n_thinned(rig), rig_rows(rig, NULL, 0) - 1);
}

/* Every picture can be shown by itself: nothing is written anew. */
static void key_frames_alone_are_left_as_they_are(void **state)
{
    struct rig *rig = *state;
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 300, 1);
    rig_stop(rig);
    int64_t bytes = bytes_of_rows(rig);
    int n_writes = atomic_load(&rig->disk.n_writes);
    thin_at(rig, SECOND(0) + 31 * DAY);
    rig_wait(rig, is_all_thinned);
    assert_int_equal(bytes_of_rows(rig), bytes);
    assert_int_equal(atomic_load(&rig->disk.n_writes), n_writes);
    assert_int_equal(rig_check(rig), 300);
}

/* --- holds --- */

static int job_hold(struct db *db, void *ctx, struct err *err)
{
    const struct hold_row row = {.id = "h1",
                                 .camera_id = "cam",
                                 .from_us = SECOND(5),
                                 .to_us = SECOND(6),
                                 .user = "u",
                                 .reason = "r",
                                 .created_us = 1};
    (void)ctx;
    return db_hold_add(db, &row, err);
}

static int job_release(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_hold_release(db, "h1", "u", "r", 2, err);
}

static void what_is_held_stays_whole(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[16];
    record_seven(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_hold, NULL, NULL), 0);
    thin_at(rig, SECOND(0) + 31 * DAY);
    rig_wait(rig, is_all_but_one_thinned);
    rig_rows(rig, rows, 16);
    assert_int_equal(rows[1].id.from_us, SECOND(4));
    assert_false(rows[1].is_thinned);
    assert_int_equal(rig_check(rig), 28 - 4 + 4 * GROUP);
    assert_int_equal(catalogue_write(rig->catalogue, job_release, NULL, NULL), 0);
    thin_at(rig, SECOND(1) + 31 * DAY);
    rig_wait(rig, is_all_thinned);
}

struct exchange {
    struct segment_row whole, thin;
    int rc;
};

static int job_announce(struct db *db, void *ctx, struct err *err)
{
    struct exchange *e = ctx;
    return db_segment_announce(db, &e->thin, err);
}

static int job_replace(struct db *db, void *ctx, struct err *err)
{
    struct exchange *e = ctx;
    e->rc = db_segment_replace(db, &e->whole, &e->thin, 1, err);
    return e->rc;
}

static void a_hold_placed_while_the_twin_is_written_counts(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[16];
    struct exchange e = {.rc = -1};
    record_seven(rig);
    rig_rows(rig, rows, 16);
    e.whole = e.thin = rows[1];
    e.thin.id.n = 1000;
    assert_int_equal(catalogue_write(rig->catalogue, job_announce, &e, NULL), 0);
    assert_int_equal(catalogue_write(rig->catalogue, job_hold, NULL, NULL), 0);
    assert_int_equal(catalogue_write(rig->catalogue, job_replace, &e, NULL), 0);
    assert_int_equal(e.rc, 0);
    rig_rows(rig, rows, 16);
    assert_int_equal(rows[1].id.n, e.whole.id.n);
    rig_close(rig);
    rig_open(rig); /* the twin goes */
    rig_check(rig);
}

/* A segment whose file cannot be read is left alone, and does not stop the others. */
static void a_broken_file_stays_as_it_is(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[16];
    char cmd[400], path[SEGMENT_PATH_BYTES];
    record_seven(rig);
    rig_rows(rig, rows, 16);
    snprintf(cmd, sizeof cmd, "truncate -s 3000 %s/rec/%s", rig->dir,
             segment_path(&rows[3].id, path));
    assert_int_equal(system(cmd), 0);
    thin_at(rig, SECOND(0) + 31 * DAY);
    rig_wait(rig, is_all_but_one_thinned);
    rig_rows(rig, rows, 16);
    assert_false(rows[3].is_thinned);
}

/* --- near motion --- */

static int job_camera(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db,
                   "INSERT INTO townships VALUES('t', 'T');"
                   "INSERT INTO institutions(id, name, township_id) VALUES('i', 'I', 't');"
                   "INSERT INTO cameras(id, name, institution_id, retention_days)"
                   " VALUES('cam', 'C', 'i', 100);",
                   err);
}

struct seen {
    int64_t watched_from_us, watched_to_us, event_from_us, event_to_us;
};

static int job_see(struct db *db, void *ctx, struct err *err)
{
    const struct seen *s = ctx;
    struct event e = {.type = EVENT_MOTION, .from_us = s->event_from_us, .to_us = s->event_to_us};
    int64_t id;
    int rc = 0;
    str_copy(e.camera_id, sizeof e.camera_id, "cam");
    if (s->watched_to_us != 0)
        rc = db_watched_put(db, "cam", s->watched_from_us, s->watched_to_us, err);
    if (rc >= 0 && s->event_to_us != 0)
        rc = db_event_add(db, &e, &id, err);
    return rc;
}

static void see(struct rig *rig, struct seen s)
{
    assert_int_equal(catalogue_write(rig->catalogue, job_see, &s, NULL), 0);
}

static size_t n_wanted; /* of rows that are left */

static bool has_n_rows(struct rig *rig)
{
    return rig_rows(rig, NULL, 0) == n_wanted && rig_unsettled(rig) == 0;
}

#define MINUTE(n) (RIG_START_US + (n)*60 * US_PER_S)

/* Twenty segments of a minute; each group of pictures arrives before time goes on. */
static void record_twenty(struct rig *rig)
{
    rig->params.segment_us = 60 * US_PER_S;
    rig->params.thin_keep = THIN_MOTION;
    rig_open(rig);
    rig_record(rig, "cam");
    for (int i = 0; i < 800; i++) {
        rig_picture(rig, i % 2 == 0);
        rig_pause(rig, 1500 * US_PER_MS - RIG_FRAME_US, true);
        if (i % 2 == 0)
            rig_wait(rig, rig_is_written);
    }
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, NULL, 0), 20);
}

/* An event in the tenth keeps it and its neighbours; whose neighbour was not watched stays too. */
static void what_is_near_motion_stays(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[32];
    struct recordings rec;
    record_twenty(rig);
    see(rig, (struct seen){SECOND(0), MINUTE(20), SECOND(570), SECOND(575)});
    thin_at(rig, SECOND(0) + 31 * DAY);
    n_wanted = 5; /* the first and the last as well */
    rig_wait(rig, has_n_rows);
    rig_rows(rig, rows, 32);
    const int64_t kept[] = {0, 8, 9, 10, 19};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        assert_int_equal(rows[i].id.from_us, MINUTE(kept[i]));
    rig_check(rig);
    assert_int_equal(
        storage_recordings(rig->storage, "cam", "main", SECOND(0), MINUTE(20), &rec, NULL), 0);
    assert_int_equal(rec.n_gaps, 2);
    assert_string_equal(rec.gaps[0].cause, "thinned");
    recordings_fini(&rec);
}

/* That nothing was seen says nothing when nobody looked, or not all the time. */
static void what_nobody_watched_stays(void **state)
{
    struct rig *rig = *state;
    record_twenty(rig);
    see(rig, (struct seen){.watched_from_us = SECOND(0), .watched_to_us = MINUTE(3)});
    see(rig, (struct seen){.watched_from_us = MINUTE(3), .watched_to_us = SECOND(375)});
    see(rig, (struct seen){.watched_from_us = MINUTE(16), .watched_to_us = SECOND(985)});
    thin_at(rig, SECOND(0) + 31 * DAY);
    n_wanted = 18; /* segment 1 and segment 4: the stretches cover both neighbours */
    rig_wait(rig, has_n_rows);
    thin_at(rig, SECOND(0) + 32 * DAY);
    rig_wait(rig, has_n_rows);
}

/* Events are forgotten after retention.days; a camera may keep its recordings longer. */
static void what_is_older_than_events_stays(void **state)
{
    struct rig *rig = *state;
    record_twenty(rig);
    rig->params.retention_days = 40;
    assert_int_equal(catalogue_write(rig->catalogue, job_camera, NULL, NULL), 0);
    thin_at(rig, SECOND(0) + 41 * DAY);
    see(rig, (struct seen){.watched_from_us = SECOND(0), .watched_to_us = MINUTE(20)});
    thin_at(rig, SECOND(1) + 41 * DAY);
    for (int i = 0; i < 20; i++) {
        loop_turn(rig->loop, false);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_int_equal(rig_rows(rig, NULL, 0), 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(key_frames_are_left_where_they_were),
        TEST(two_that_begin_together_are_told_apart),
        TEST(a_reader_goes_on_in_the_twin),
        TEST(a_rebuilt_index_knows_what_is_thinned),
        TEST(young_ones_stay_whole),
        TEST(key_frames_alone_are_left_as_they_are),
        TEST(what_is_held_stays_whole),
        TEST(a_hold_placed_while_the_twin_is_written_counts),
        TEST(a_broken_file_stays_as_it_is),
        TEST(what_is_near_motion_stays),
        TEST(what_nobody_watched_stays),
        TEST(what_is_older_than_events_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
