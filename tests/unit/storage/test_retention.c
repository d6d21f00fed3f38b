#include "rig.h"

#include <pthread.h>
#include <sys/statvfs.h>

#include "storage/db.h"
#include "storage/db_segments.h"

#define DAY (86400 * US_PER_S)

struct hold {
    int64_t from_us, to_us;
};

static int job_hold(struct db *db, void *ctx, struct err *err)
{
    const struct hold *h = ctx;
    struct stmt *s = db_stmt(db,
                             "INSERT INTO holds(id, camera, from_us, to_us, user, created_us)"
                             " SELECT 'h1', key, ?1, ?2, 'judge', 0 FROM camera_keys",
                             err);
    assert_non_null(s);
    stmt_bind_i64(s, 1, h->from_us);
    stmt_bind_i64(s, 2, h->to_us);
    return stmt_run(s, err);
}

static int job_camera(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db,
                   "INSERT INTO townships VALUES('t', 'T');"
                   "INSERT INTO institutions(id, name, township_id) VALUES('i', 'I', 't');"
                   "INSERT INTO cameras(id, name, institution_id, retention_days)"
                   " VALUES('cam', 'C', 'i', 5);",
                   err);
}

/* Ten segments of 4 s at the start. */
static void record_ten(struct rig *rig)
{
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 1000, 25);
    rig_stop(rig);
}

static size_t n_rows(struct rig *rig)
{
    return rig_rows(rig, NULL, 0);
}

static bool has_no_rows(struct rig *rig)
{
    return n_rows(rig) == 0 && rig_unsettled(rig) == 0;
}

static bool has_one_row(struct rig *rig)
{
    return n_rows(rig) == 1 && rig_unsettled(rig) == 0;
}

/* The keeper looks when storage opens. */
static void reopen_at(struct rig *rig, int64_t now_us)
{
    rig_close(rig);
    atomic_store(&rig->clock.now_wall_us, now_us);
    rig_open(rig);
}

static int job_chains(struct db *db, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT count(*) FROM chains", err);
    assert_non_null(s);
    assert_int_equal(stmt_step(s, err), 1);
    *(int64_t *)ctx = stmt_i64(s, 0);
    stmt_done(s);
    return 0;
}

static bool has_no_chains(struct rig *rig)
{
    int64_t n = -1;
    assert_int_equal(catalogue_read(rig->catalogue, job_chains, &n, NULL), 0);
    return n == 0;
}

/* The ends of hash chains outlive their segments until the next day, or start. */
static void chains_go_after_their_segments(void **state)
{
    struct rig *rig = *state;
    record_ten(rig);
    reopen_at(rig, RIG_START_US + 91 * DAY);
    rig_wait(rig, has_no_rows);
    assert_false(has_no_chains(rig));
    reopen_at(rig, RIG_START_US + 91 * DAY);
    rig_wait(rig, has_no_chains);
}

static void old_segments_go_with_their_directories(void **state)
{
    struct rig *rig = *state;
    struct recordings rec;
    char cmd[128];
    record_ten(rig);
    reopen_at(rig, RIG_START_US + 89 * DAY);
    assert_int_equal(n_rows(rig), 10);
    reopen_at(rig, RIG_START_US + 91 * DAY);
    rig_wait(rig, has_no_rows);
    rig_check(rig);
    snprintf(cmd, sizeof cmd, "test -z \"$(find %s/rec -name 2026)\"", rig->dir);
    assert_int_equal(system(cmd), 0);
    /* the ledger says why there is nothing */
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, 0);
    assert_int_equal(rec.n_gaps, 3);
    assert_string_equal(rec.gaps[1].cause, "expired");
    assert_int_equal(rec.gaps[1].from_us, RIG_START_US);
    assert_int_equal(rec.gaps[1].to_us, RIG_START_US + 40 * US_PER_S);
    recordings_fini(&rec);
}

static atomic_int keepers_dirfd;

static int note_sync(const struct volume_io *io, int dirfd)
{
    char thread[16] = "";
    (void)io;
    pthread_getname_np(pthread_self(), thread, sizeof thread);
    if (strcmp(thread, "keeper") == 0)
        atomic_store(&keepers_dirfd, dirfd);
    return 0;
}

/* The system tells of what it could not write once per open directory. */
static void deleting_takes_no_error_from_recording(void **state)
{
    struct rig *rig = *state;
    record_ten(rig);
    atomic_store(&keepers_dirfd, -1);
    rig->disk.io.sync = note_sync;
    reopen_at(rig, RIG_START_US + 91 * DAY);
    rig_wait(rig, has_no_rows);
    assert_int_not_equal(atomic_load(&keepers_dirfd), -1);
    assert_int_not_equal(atomic_load(&keepers_dirfd), rig->storage->volumes[0]->dirfd);
}

static void a_camera_may_keep_less(void **state)
{
    struct rig *rig = *state;
    record_ten(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_camera, NULL, NULL), 0);
    reopen_at(rig, RIG_START_US + 6 * DAY);
    rig_wait(rig, has_no_rows);
}

static void what_is_held_stays(void **state)
{
    struct rig *rig = *state;
    struct segment_row row;
    struct hold hold = {RIG_START_US + 9 * US_PER_S, RIG_START_US + 10 * US_PER_S};
    record_ten(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_hold, &hold, NULL), 0);
    reopen_at(rig, RIG_START_US + 100 * DAY);
    rig_wait(rig, has_one_row);
    rig_rows(rig, &row, 1);
    assert_int_equal(row.id.from_us, RIG_START_US + 8 * US_PER_S);
    rig_check(rig);
}

static bool has_six_rows(struct rig *rig)
{
    return n_rows(rig) == 6 && rig_unsettled(rig) == 0;
}

/* Three segments too little: the oldest go, and one more so that the next is not called for at
 * once. */
static void space_takes_the_oldest(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[16];
    struct recordings rec;
    record_ten(rig);
    assert_int_equal(rig_rows(rig, rows, 16), 10);
    rig->volumes[0].reserve_bytes = 1 << 20;
    atomic_store(&rig->disk.capacity, (1 << 20) + 7 * rows[0].bytes);
    reopen_at(rig, rig->wall_us);
    rig_wait(rig, has_six_rows);
    rig_check(rig);
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, 1);
    assert_int_equal(rec.spans[0].from_us, RIG_START_US + 16 * US_PER_S);
    assert_string_equal(rec.gaps[1].cause, "space");
    recordings_fini(&rec);
}

static size_t n_rows_on(struct rig *rig, const struct volume *v)
{
    struct segment_row rows[64];
    size_t n = rig_rows(rig, rows, 64), n_on = 0;
    for (size_t i = 0; i < n; i++)
        n_on += rows[i].volume == atomic_load(&v->key);
    return n_on;
}

static bool is_second_empty(struct rig *rig)
{
    return n_rows_on(rig, rig->storage->volumes[1]) == 0;
}

/* Neither has space; nothing is asked of the one that does not answer. */
static void a_stalled_volume_is_left_alone(void **state)
{
    struct rig *rig = *state;
    rig->volumes[1].path = xasprintf("%s/rec2", rig->dir);
    rig->volumes[0].reserve_bytes = rig->volumes[1].reserve_bytes = 1 << 20;
    rig->params.n_volumes = 2;
    rig_open(rig);
    struct volume *first = rig->storage->volumes[0];
    /* cameras choose by a hash of their name and the path, which is another one each time */
    for (int i = 0; i < 40 && (n_rows_on(rig, first) == 0 || is_second_empty(rig)); i++) {
        char id[16];
        snprintf(id, sizeof id, "cam-%d", i);
        rig_record(rig, id);
        rig_pictures(rig, 50, 25);
        rig_stop(rig);
    }
    size_t n = n_rows_on(rig, first);
    assert_true(n > 0 && !is_second_empty(rig));
    atomic_store(&first->prompt_us, INT64_MAX);
    atomic_store(&rig->disk.capacity, 1 << 20);
    rig_wait(rig, is_second_empty);
    assert_int_equal(n_rows_on(rig, first), n);
    atomic_store(&first->prompt_us, 0);
    rig_wait(rig, has_no_rows);
}

static bool is_full(struct rig *rig)
{
    struct volume_status st;
    storage_volumes(rig->storage, &st, 1);
    return !st.is_ok;
}

static bool is_fine(struct rig *rig)
{
    return !is_full(rig);
}

static void nothing_left_to_delete_stops_recording(void **state)
{
    struct rig *rig = *state;
    struct volume_status st;
    rig->volumes[0].reserve_bytes = 1 << 20;
    atomic_store(&rig->disk.capacity, (1 << 20) - 1);
    rig_open(rig);
    rig_wait(rig, is_full);
    storage_volumes(rig->storage, &st, 1);
    assert_non_null(strstr(st.detail, "full"));
    atomic_store(&rig->disk.capacity, 10 << 20);
    rig_wait(rig, is_fine); /* by itself */
}

static bool has_recorded_much(struct rig *rig)
{
    rig_pictures(rig, 25, 25);
    loop_turn(rig->loop, false);
    return rig->next_number > 40000;
}

/* There is room again, so no round begins, and none is on its way. */
static bool is_deleting_done(struct rig *rig)
{
    struct statvfs st;
    return statvfs(rig->volumes[0].path, &st) == 0 &&
           (int64_t)(st.f_bavail * st.f_frsize) >= rig->volumes[0].reserve_bytes &&
           rig_unsettled(rig) == 0;
}

/* A disk of 8 MiB and pictures for 48: the oldest make room, and what is left is whole. */
static void a_small_disk_keeps_the_newest(void **state)
{
    struct rig *rig = *state;
    struct recordings rec;
    char cmd[200];
    snprintf(cmd, sizeof cmd, "mkdir %s/rec && mount -t tmpfs -o size=8m tmpfs %s/rec 2>&1",
             rig->dir, rig->dir);
    if (system(cmd) != 0) {
        print_message("skipped: this machine forbids mounting a tmpfs\n");
        skip();
    }
    rig->params.segment_us = 10 * US_PER_S;
    rig->volumes[0].reserve_bytes = 3 << 20;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_wait(rig, has_recorded_much);
    rig_stop(rig);
    rig_wait(rig, is_deleting_done);
    rig_recordings(rig, &rec);
    assert_true(rec.n_spans > 0);
    assert_true(rec.spans[rec.n_spans - 1].to_us > RIG_START_US + 30 * 60 * US_PER_S / 2);
    recordings_fini(&rec);
    int64_t frames = rig_check(rig);
    assert_true(frames > 1000 && frames < 9000);
    rig_close(rig);
    snprintf(cmd, sizeof cmd, "umount %s/rec", rig->dir);
    assert_int_equal(system(cmd), 0);
}

/* Deleted while somebody reads: he has the file open and reads to its end. */
static void a_reader_keeps_what_he_has(void **state)
{
    struct rig *rig = *state;
    struct sample_map *map;
    struct packet *pkt;
    record_ten(rig);
    struct sample_query q = {
        .camera_id = "cam", .from_us = RIG_START_US, .to_us = RIG_START_US + 60 * US_PER_S};
    assert_int_equal(source_map(storage_source(rig->storage), &q, &map, NULL), 0);
    reopen_at(rig, RIG_START_US + 100 * DAY);
    rig_wait(rig, has_no_rows);
    assert_int_equal(sample_read(map, map->n_samples - 1, &pkt, NULL), 0);
    packet_unref(&pkt);
    sample_map_free(&map);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(old_segments_go_with_their_directories),
        TEST(deleting_takes_no_error_from_recording),
        TEST(chains_go_after_their_segments),
        TEST(a_camera_may_keep_less),
        TEST(what_is_held_stays),
        TEST(space_takes_the_oldest),
        TEST(a_stalled_volume_is_left_alone),
        TEST(nothing_left_to_delete_stops_recording),
        TEST(a_small_disk_keeps_the_newest),
        TEST(a_reader_keeps_what_he_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
