/* Holds: what they keep, from whom, and until when. */
#include "rig.h"

#include "base/str.h"
#include "storage/db.h"
#include "storage/db_holds.h"
#include "storage/db_segments.h"

#define DAY       (86400 * US_PER_S)
#define SECOND(n) (RIG_START_US + (n)*US_PER_S)

static int job_add(struct db *db, void *ctx, struct err *err)
{
    return db_hold_add(db, ctx, err);
}

static int place(struct rig *rig, const char *id, const char *camera, int64_t from_us,
                 int64_t to_us, int64_t created_us)
{
    struct hold_row row = {.id = id,
                           .camera_id = camera,
                           .from_us = from_us,
                           .to_us = to_us,
                           .user = "judge",
                           .reason = "case 7",
                           .created_us = created_us};
    return catalogue_write(rig->catalogue, job_add, &row, NULL);
}

static int job_release(struct db *db, void *ctx, struct err *err)
{
    return db_hold_release(db, ctx, "clerk", "closed", 77, err);
}

static int release(struct rig *rig, const char *id)
{
    return catalogue_write(rig->catalogue, job_release, (void *)id, NULL);
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

/* The keeper looks when storage opens. */
static void reopen_at(struct rig *rig, int64_t now_us)
{
    rig_close(rig);
    atomic_store(&rig->clock.now_wall_us, now_us);
    rig_open(rig);
}

static bool has_two_rows(struct rig *rig)
{
    return rig_rows(rig, NULL, 0) == 2 && rig_unsettled(rig) == 0;
}

static bool has_one_row(struct rig *rig)
{
    return rig_rows(rig, NULL, 0) == 1 && rig_unsettled(rig) == 0;
}

static bool has_no_rows(struct rig *rig)
{
    return rig_rows(rig, NULL, 0) == 0 && rig_unsettled(rig) == 0;
}

static void a_released_hold_keeps_nothing(void **state)
{
    struct rig *rig = *state;
    record_ten(rig);
    assert_int_equal(place(rig, "h-1", "cam", SECOND(9), SECOND(10), 1), 0);
    assert_int_equal(place(rig, "h-2", "cam", SECOND(30), SECOND(31), 2), 0);
    reopen_at(rig, RIG_START_US + 100 * DAY);
    rig_wait(rig, has_two_rows);
    assert_int_equal(release(rig, "h-1"), 0);
    storage_holds_changed(rig->storage);
    reopen_at(rig, RIG_START_US + 100 * DAY + 60 * US_PER_S);
    rig_wait(rig, has_one_row);
    rig_check(rig);
    assert_int_equal(release(rig, "h-1"), ERR_CONFLICT);
    assert_int_equal(release(rig, "h-3"), ERR_NOT_FOUND);
}

/* Placed while a segment is being written, and before it ever recorded: it is kept all the same. */
static void what_comes_later_is_held_too(void **state)
{
    struct rig *rig = *state;
    struct segment_row row;
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    assert_int_equal(place(rig, "h-0", "other", SECOND(1), SECOND(2), 1), 0);
    rig_record(rig, "cam");
    rig_pictures(rig, 140, 25); /* in the second segment */
    rig_wait(rig, rig_is_written);
    assert_int_equal(place(rig, "h-1", "cam", SECOND(5), SECOND(6), 2), 0);
    rig_pictures(rig, 160, 20);
    rig_stop(rig);
    reopen_at(rig, RIG_START_US + 100 * DAY);
    rig_wait(rig, has_one_row);
    rig_rows(rig, &row, 1);
    assert_true(row.id.from_us <= SECOND(5) && row.to_us >= SECOND(6));
    rig_check(rig);
}

struct chosen {
    struct segment_row rows[16];
    size_t n, n_doomed;
};

static int choose(void *ctx, const struct segment_row *row)
{
    struct chosen *c = ctx;
    c->rows[c->n++] = *row;
    return 0;
}

static int job_choose(struct db *db, void *ctx, struct err *err)
{
    struct deletable_query q = {.limit = 16};
    int rc = db_camera_key(db, "cam", false, &q.camera, err);
    return rc < 0 ? rc : db_segments_deletable(db, &q, choose, ctx, err);
}

static int job_doom(struct db *db, void *ctx, struct err *err)
{
    struct chosen *c = ctx;
    int rc = 0;
    for (size_t i = 0; i < c->n && rc >= 0; i++) {
        rc = db_segment_doom(db, &c->rows[i], "expired", RIG_START_US, err);
        c->n_doomed += rc == 1;
    }
    return rc < 0 ? rc : 0;
}

static void a_hold_placed_after_the_choice_still_counts(void **state)
{
    struct rig *rig = *state;
    struct chosen c = {.n = 0};
    record_ten(rig);
    assert_true(catalogue_read(rig->catalogue, job_choose, &c, NULL) >= 0);
    assert_int_equal(c.n, 10);
    assert_int_equal(place(rig, "h-1", "cam", SECOND(9), SECOND(10), 1), 0);
    assert_int_equal(catalogue_write(rig->catalogue, job_doom, &c, NULL), 0);
    assert_int_equal(c.n_doomed, 9);
    assert_int_equal(rig_rows(rig, c.rows, 16), 1);
    assert_int_equal(c.rows[0].id.from_us, SECOND(8));
    reopen_at(rig, RIG_START_US + DAY); /* the doomed go */
    rig_wait(rig, has_one_row);
    rig_check(rig);
}

/* --- listing --- */

struct listed {
    char ids[64];
    int64_t bytes[8];
    size_t n;
    struct hold_query query;
};

static int list(void *ctx, const struct hold_row *row)
{
    struct listed *l = ctx;
    size_t at = strlen(l->ids);
    snprintf(l->ids + at, sizeof l->ids - at, "%s%s ", row->id, row->released_us ? "!" : "");
    l->bytes[l->n++] = row->bytes;
    assert_string_equal(row->user, "judge");
    assert_string_equal(row->released_by, row->released_us != 0 ? "clerk" : "");
    assert_string_equal(row->released_reason, row->released_us != 0 ? "closed" : "");
    return 0;
}

static int job_list(struct db *db, void *ctx, struct err *err)
{
    struct listed *l = ctx;
    return db_holds_find(db, &l->query, list, l, err);
}

static void assert_listed(struct rig *rig, struct hold_query query, const char *ids)
{
    struct listed l = {.query = query};
    assert_int_equal(catalogue_read(rig->catalogue, job_list, &l, NULL), 0);
    assert_string_equal(l.ids, ids);
}

static void holds_are_listed_newest_first(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[10];
    record_ten(rig);
    assert_int_equal(rig_rows(rig, rows, 10), 10);
    place(rig, "h-1", "cam", SECOND(9), SECOND(10), 1);
    place(rig, "h-2", "other", SECOND(9), SECOND(10), 2);
    place(rig, "h-3", "cam", SECOND(7), SECOND(13), 3);
    assert_int_equal(place(rig, "h-3", "cam", 1, 2, 3), ERR_CONFLICT);
    assert_int_equal(release(rig, "h-1"), 0);
    assert_listed(rig, (struct hold_query){.is_active = -1}, "h-3 h-2 h-1! ");
    assert_listed(rig, (struct hold_query){.is_active = 1}, "h-3 h-2 ");
    assert_listed(rig, (struct hold_query){.is_active = 0}, "h-1! ");
    assert_listed(rig, (struct hold_query){.is_active = -1, .camera_id = "cam"}, "h-3 h-1! ");
    assert_listed(rig,
                  (struct hold_query){.is_active = -1, .before_created_us = 3, .before_id = "h-3"},
                  "h-2 h-1! ");
    struct listed l = {.query = {.is_active = -1}};
    assert_int_equal(catalogue_read(rig->catalogue, job_list, &l, NULL), 0);
    assert_int_equal(l.bytes[0], rows[1].bytes + rows[2].bytes + rows[3].bytes);
    assert_int_equal(l.bytes[1], 0);
    assert_int_equal(l.bytes[2], rows[2].bytes);
}

static int job_bytes(struct db *db, void *ctx, struct err *err)
{
    return db_holds_bytes(db, 0, ctx, err);
}

static int64_t held_bytes(struct rig *rig)
{
    int64_t bytes = 0;
    assert_int_equal(catalogue_read(rig->catalogue, job_bytes, &bytes, NULL), 0);
    return bytes;
}

static void what_two_holds_keep_counts_once(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[10];
    record_ten(rig);
    assert_int_equal(rig_rows(rig, rows, 10), 10);
    assert_int_equal(held_bytes(rig), 0);
    place(rig, "h-1", "cam", SECOND(5), SECOND(10), 1);
    place(rig, "h-2", "cam", SECOND(9), SECOND(10), 2);  /* inside */
    place(rig, "h-3", "cam", SECOND(11), SECOND(14), 3); /* shares a segment */
    place(rig, "h-4", "cam", SECOND(30), SECOND(31), 4);
    place(rig, "h-5", "other", SECOND(0), SECOND(40), 5);
    int64_t all = rows[1].bytes + rows[2].bytes + rows[3].bytes + rows[7].bytes;
    assert_int_equal(held_bytes(rig), all);
    assert_int_equal(release(rig, "h-4"), 0);
    assert_int_equal(held_bytes(rig), all - rows[7].bytes);
}

static bool says_it_is_held(struct rig *rig)
{
    struct volume_status st;
    storage_volumes(rig->storage, &st, 1);
    return !st.is_ok && strstr(st.detail, "are held") != NULL;
}

/* A volume without space of which everything is held: nothing goes, and it says why. */
static void space_takes_nothing_that_is_held(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[16];
    struct volume_status st;
    char bytes[32];
    record_ten(rig);
    rig_rows(rig, rows, 16);
    place(rig, "h-1", "cam", SECOND(12), SECOND(1000), 1);
    rig->volumes[0].reserve_bytes = 1 << 20;
    atomic_store(&rig->disk.capacity, 1 << 20);
    reopen_at(rig, RIG_START_US + DAY);
    rig_wait(rig, says_it_is_held);
    assert_int_equal(rig_rows(rig, rows, 16), 7);
    assert_int_equal(rows[0].id.from_us, SECOND(12));
    storage_volumes(rig->storage, &st, 1);
    snprintf(bytes, sizeof bytes, "%lld bytes are held", (long long)held_bytes(rig));
    if (strstr(st.detail, bytes) == NULL)
        fail_msg("%s, not: %s", bytes, st.detail);
    assert_int_equal(release(rig, "h-1"), 0);
    storage_holds_changed(rig->storage);
    rig_wait(rig, has_no_rows); /* by itself */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_released_hold_keeps_nothing),
        TEST(what_comes_later_is_held_too),
        TEST(a_hold_placed_after_the_choice_still_counts),
        TEST(holds_are_listed_newest_first),
        TEST(what_two_holds_keep_counts_once),
        TEST(space_takes_nothing_that_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
