/* What is kept of every camera, and the ledger. */
#include "rig.h"

#include <pthread.h>

#include "base/str.h"
#include "storage/db.h"
#include "storage/db_ledger.h"
#include "storage/stock.h"
#include "storage/writing.h"

#define DAY    (86400 * US_PER_S)
#define MINUTE (60 * US_PER_S)
#define NOW    (RIG_START_US + 40 * DAY)

struct batch {
    const char *camera;
    int64_t from_us, to_us; /* segments of ten minutes without a gap */
    enum stream_kind stream;
    int64_t bytes; /* of each */
    int64_t volume;
};

static int job_batch(struct db *db, void *ctx, struct err *err)
{
    const struct batch *b = ctx;
    int rc = 0;
    for (int64_t us = b->from_us; us < b->to_us && rc >= 0; us += 10 * MINUTE) {
        struct segment_row row = {.id = {.stream = b->stream, .from_us = us, .n = 1},
                                  .to_us = MIN(us + 10 * MINUTE, b->to_us),
                                  .volume = b->volume,
                                  .bytes = b->bytes};
        str_copy(row.id.camera_id, sizeof row.id.camera_id, b->camera);
        rc = db_segment_finish(db, &row, err);
    }
    return rc;
}

static void put(struct rig *rig, struct batch b)
{
    if (b.volume == 0)
        b.volume = 1;
    assert_int_equal(catalogue_write(rig->catalogue, job_batch, &b, NULL), 0);
}

static const struct stock_row *row_of(struct stock *s, const char *camera)
{
    const struct stock_row *row = stock_find(s, camera);
    assert_non_null(row);
    return row;
}

static struct stock *stock_of(struct rig *rig)
{
    struct err err = {0};
    storage_holds_changed(rig->storage);
    struct stock *s = storage_stock(rig->storage, &err);
    if (s == NULL)
        fail_msg("%s", err.msg);
    return s;
}

static void start(struct rig *rig)
{
    atomic_store(&rig->clock.now_wall_us, NOW);
    rig_open(rig);
}

static void the_pace_is_that_of_the_last_day(void **state)
{
    struct rig *rig = *state;
    start(rig);
    put(rig, (struct batch){"long", NOW - 30 * DAY, NOW, STREAM_MAIN, 1000, 0});
    put(rig, (struct batch){"long", NOW - 2 * DAY, NOW, STREAM_SUB, 100, 0});
    put(rig, (struct batch){"young", NOW - 60 * MINUTE, NOW, STREAM_MAIN, 1000, 0});
    put(rig, (struct batch){"off", NOW - 20 * DAY, NOW - 10 * DAY, STREAM_MAIN, 1000, 0});
    put(rig, (struct batch){"half", NOW - 20 * DAY, NOW - 10 * DAY, STREAM_MAIN, 1000, 0});
    put(rig,
        (struct batch){"half", NOW - DAY / 2 - 5 * MINUTE, NOW - DAY / 2, STREAM_MAIN, 1000, 0});
    struct stock *s = stock_of(rig);
    assert_int_equal(row_of(s, "long")->bytes_per_day, 144 * 1100);
    assert_int_equal(row_of(s, "young")->bytes_per_day, 144 * 1000);
    assert_int_equal(row_of(s, "off")->bytes_per_day, 0);
    assert_int_equal(row_of(s, "half")->bytes_per_day, 1000);
    assert_int_equal(s->bytes_per_day, 144 * 2100 + 1000);
    assert_int_equal(row_of(s, "long")->oldest_us, NOW - 30 * DAY);
    assert_null(stock_find(s, "none"));
    stock_unref(&s);
}

/* A segment that began before the day counts with the part inside. */
static void a_segment_at_the_edge_counts_in_part(void **state)
{
    struct rig *rig = *state;
    start(rig);
    put(rig, (struct batch){"cam", NOW - 30 * DAY - 5 * MINUTE, NOW - DAY + 5 * MINUTE, STREAM_MAIN,
                            1000, 0});
    put(rig, (struct batch){"cam", NOW - 30 * MINUTE, NOW, STREAM_MAIN, 1000, 0});
    struct stock *s = stock_of(rig);
    assert_int_equal(row_of(s, "cam")->bytes_per_day, 500 + 3000);
    stock_unref(&s);
}

static int job_hold(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db,
                   "INSERT INTO holds(id, camera, from_us, to_us, user, created_us)"
                   " SELECT 'h', key, 0, 1790000000000000 + 20 * 86400000000, 'u', 1"
                   " FROM camera_keys WHERE camera_id = 'cam'",
                   err);
}

/* Old evidence does not make a camera look well kept. */
static void what_is_held_is_not_the_oldest(void **state)
{
    struct rig *rig = *state;
    start(rig);
    put(rig,
        (struct batch){"cam", RIG_START_US + 19 * DAY, RIG_START_US + 20 * DAY, STREAM_MAIN, 7, 0});
    assert_int_equal(catalogue_write(rig->catalogue, job_hold, NULL, NULL), 0);
    struct stock *s = stock_of(rig);
    assert_int_equal(row_of(s, "cam")->oldest_us, RIG_START_US + 19 * DAY); /* there is no other */
    stock_unref(&s);
    put(rig, (struct batch){"cam", RIG_START_US + 30 * DAY, NOW, STREAM_MAIN, 7, 0});
    s = stock_of(rig);
    assert_int_equal(row_of(s, "cam")->oldest_us, RIG_START_US + 30 * DAY);
    assert_int_equal(row_of(s, "cam")->n_holds, 1);
    assert_int_equal(s->held_bytes, 144 * 7);
    stock_unref(&s);
}

/* --- the ledger --- */

struct deletion {
    const char *why;
    int64_t from_us, to_us, at_us;
    int64_t bytes; /* of each */
};

static int job_delete(struct db *db, void *ctx, struct err *err)
{
    const struct deletion *d = ctx;
    int64_t camera;
    int rc = db_camera_key(db, "cam", true, &camera, err);
    for (int64_t us = d->from_us; us < d->to_us && rc == 0; us += 10 * MINUTE) {
        struct segment_row row = {
            .camera = camera, .id.from_us = us, .to_us = us + 10 * MINUTE, .bytes = d->bytes};
        rc = db_ledger_add(db, &row, d->why, d->at_us, err);
    }
    return rc;
}

static void drop(struct rig *rig, const char *why, int64_t from_min, int64_t to_min, int64_t at)
{
    struct deletion d = {why, RIG_START_US + from_min * MINUTE, RIG_START_US + to_min * MINUTE, at,
                         5};
    assert_int_equal(catalogue_write(rig->catalogue, job_delete, &d, NULL), 0);
}

struct listed {
    struct ledger_query query;
    char text[400];
    int n;
};

static int list(void *ctx, const struct ledger_row *row)
{
    struct listed *l = ctx;
    size_t at = strlen(l->text);
    snprintf(l->text + at, sizeof l->text - at, "%s %lld-%lld %lldx%lld; ", row->why,
             (long long)((row->from_us - RIG_START_US) / MINUTE),
             (long long)((row->to_us - RIG_START_US) / MINUTE), (long long)row->segments,
             (long long)row->bytes);
    assert_string_equal(row->camera_id, "cam");
    l->query.after = *row;
    return 0;
}

static int job_list(struct db *db, void *ctx, struct err *err)
{
    struct listed *l = ctx;
    l->text[0] = '\0';
    l->n = db_ledger_find(db, &l->query, list, l, err);
    return l->n;
}

static const char *listed(struct rig *rig, struct listed *l)
{
    if (l->query.limit == 0)
        l->query.limit = 100;
    assert_true(catalogue_read(rig->catalogue, job_list, l, NULL) >= 0);
    return l->text;
}

static void the_ledger_joins_what_follows(void **state)
{
    struct rig *rig = *state;
    static const char *const other[] = {"none"}, *const ours[] = {"cam"};
    start(rig);
    drop(rig, "expired", 0, 60, 1000);
    drop(rig, "expired", 60, 90, 2000);
    drop(rig, "space", 90, 100, 3000);
    drop(rig, "expired", 200, 230, 2500);
    struct listed l = {.n = 0};
    assert_string_equal(listed(rig, &l), "space 90-100 1x5; expired 200-230 3x15; "
                                         "expired 0-90 9x45; ");
    l = (struct listed){.query.why = "space"};
    assert_string_equal(listed(rig, &l), "space 90-100 1x5; ");
    l = (struct listed){
        .query = {.from_us = RIG_START_US + 90 * MINUTE, .to_us = RIG_START_US + 200 * MINUTE}};
    assert_string_equal(listed(rig, &l), "space 90-100 1x5; ");
    l = (struct listed){.query.limit = 2};
    assert_string_equal(listed(rig, &l), "space 90-100 1x5; expired 200-230 3x15; ");
    assert_string_equal(listed(rig, &l), "expired 0-90 9x45; ");
    assert_string_equal(listed(rig, &l), "");
    l = (struct listed){.query = {.camera_ids = other, .n_cameras = 1}};
    assert_string_equal(listed(rig, &l), "");
    l = (struct listed){.query = {.camera_ids = ours, .n_cameras = 1, .limit = 1}};
    assert_string_equal(listed(rig, &l), "space 90-100 1x5; ");
    assert_string_equal(listed(rig, &l), "expired 200-230 3x15; ");
}

/* First thinned here and there, then expired all through: one entry of expiry. */
static void an_entry_grows_over_those_of_another_reason(void **state)
{
    struct rig *rig = *state;
    start(rig);
    drop(rig, "thinned", 0, 30, 1000);
    drop(rig, "thinned", 40, 50, 1000);
    drop(rig, "expired", 0, 30, 2000);
    drop(rig, "expired", 30, 60, 2000);
    struct listed l = {.query.why = "expired"};
    assert_string_equal(listed(rig, &l), "expired 0-60 6x30; ");
}

static void something_older_that_was_deleted_is_a_cut(void **state)
{
    struct rig *rig = *state;
    start(rig);
    put(rig, (struct batch){"cam", RIG_START_US + 90 * MINUTE, RIG_START_US + 120 * MINUTE,
                            STREAM_MAIN, 7, 0});
    struct stock *s = stock_of(rig);
    assert_int_equal(row_of(s, "cam")->cut_us, 0);
    stock_unref(&s);
    drop(rig, "thinned", 80, 90, 1);
    drop(rig, "missing", 100, 110, 1); /* not older */
    s = stock_of(rig);
    assert_int_equal(row_of(s, "cam")->cut_us, 0);
    stock_unref(&s);
    drop(rig, "space", 0, 60, 1);
    s = stock_of(rig);
    assert_int_equal(row_of(s, "cam")->cut_us, RIG_START_US + 60 * MINUTE);
    stock_unref(&s);
}

/* Our bytes, and what is free beside the reserve; a file system that two volumes share once. */
static void capacity_is_what_fits_within_the_reserves(void **state)
{
    struct rig *rig = *state;
    rig->volumes[0].reserve_bytes = rig->volumes[1].reserve_bytes = 100;
    rig->volumes[1].path = xasprintf("%s/rec2", rig->dir);
    rig->params.n_volumes = 2;
    atomic_store(&rig->disk.capacity, 100000);
    start(rig);
    put(rig, (struct batch){"cam", NOW - 30 * MINUTE, NOW, STREAM_MAIN, 20000, 1});
    put(rig, (struct batch){"cam", NOW - 60 * MINUTE, NOW - 30 * MINUTE, STREAM_MAIN, 30000, 2});
    int64_t free_bytes = atomic_load(&rig->storage->volumes[0]->free_bytes);
    struct stock *s = stock_of(rig);
    assert_int_equal(s->capacity_bytes, 60000 + free_bytes - 100 + 90000);
    stock_unref(&s);
}

static void a_stock_serves_for_some_seconds(void **state)
{
    struct rig *rig = *state;
    start(rig);
    put(rig, (struct batch){"cam", NOW - 30 * MINUTE, NOW, STREAM_MAIN, 20000, 1});
    struct stock *first = storage_stock(rig->storage, NULL);
    struct stock *second = storage_stock(rig->storage, NULL);
    assert_ptr_equal(first, second);
    stock_unref(&second);
    atomic_fetch_add(&rig->clock.now_mono_us, 6 * US_PER_S);
    second = storage_stock(rig->storage, NULL);
    assert_ptr_not_equal(first, second);
    storage_holds_changed(rig->storage);
    struct stock *third = storage_stock(rig->storage, NULL);
    assert_ptr_not_equal(third, second);
    stock_unref(&first);
    stock_unref(&second);
    stock_unref(&third);
}

/* --- what thinning saves --- */

/* Ten minutes each: 1000 bytes, of which a tenth is left when they are older than 30 days. */
static void put_thinned(struct rig *rig, int64_t from_us, int64_t thinned_to_us)
{
    put(rig, (struct batch){"cam", from_us, thinned_to_us, STREAM_MAIN, 100, 0});
    put(rig, (struct batch){"cam", thinned_to_us, NOW, STREAM_MAIN, 1000, 0});
    struct deletion d = {"thinned", from_us, thinned_to_us, NOW, 900};
    assert_int_equal(catalogue_write(rig->catalogue, job_delete, &d, NULL), 0);
}

static void thinned_days_weigh_what_is_left_of_them(void **state)
{
    struct rig *rig = *state;
    rig->params.thin_after_days = 30;
    start(rig);
    storage_close(&rig->storage); /* nothing is thinned meanwhile */
    rig->params.is_reader = true;
    assert_int_equal(storage_open(&rig->params, &rig->storage, NULL), 0);
    put_thinned(rig, NOW - 35 * DAY, NOW - 30 * DAY);
    struct stock *s = stock_of(rig);
    const double day = 144 * 1000;
    assert_int_equal(s->bytes_per_day, 144 * 1000);
    assert_float_equal(stock_thinned_share(s), 0.1, 0.001);
    assert_float_equal(stock_weight(s, s->bytes_per_day, 20, 30), 20 * day, day / 100);
    assert_float_equal(stock_weight(s, s->bytes_per_day, 40, 30), 31 * day, day / 10);
    assert_float_equal(stock_days(s, 20 * day, 30), 20, 0.01);
    assert_float_equal(stock_days(s, 31 * day, 30), 40, 0.1);
    stock_unref(&s);
}

/* Entries of the ledger here and there, as thinning to motion leaves them. */
static void what_went_of_the_day_is_summed_up(void **state)
{
    struct rig *rig = *state;
    int64_t day_us = NOW - 31 * DAY - 60 * MINUTE;
    rig->params.thin_after_days = 30;
    rig->params.is_reader = true;
    start(rig);
    put(rig, (struct batch){"cam", day_us - 120 * MINUTE, day_us - 60 * MINUTE, STREAM_MAIN, 7, 0});
    put(rig,
        (struct batch){"cam", day_us + 600 * MINUTE, day_us + 700 * MINUTE, STREAM_MAIN, 9, 0});
    const struct deletion gone[] = {
        {"expired", day_us - 900 * MINUTE, day_us - 120 * MINUTE, NOW, 1},
        {"thinned", day_us - 60 * MINUTE, day_us + 60 * MINUTE, NOW, 5}, /* half of it */
        {"thinned", day_us + 100 * MINUTE, day_us + 200 * MINUTE, NOW, 5},
        {"space", day_us + 300 * MINUTE, day_us + 400 * MINUTE, NOW, 5},
        {"thinned", day_us + DAY - 10 * MINUTE, day_us + DAY + 10 * MINUTE, NOW, 5}, /* half */
    };
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        assert_int_equal(catalogue_write(rig->catalogue, job_delete, (void *)&gone[i], NULL), 0);
    struct stock *s = stock_of(rig);
    assert_int_equal(s->thinned_bytes, 6 * 5 + 10 * 5 + 5);
    assert_int_equal(s->left_bytes, 90);
    stock_unref(&s);
}

/* Before a whole day is thinned nothing is known: the hours so far may be those of the night. */
static void what_thinning_saves_is_not_guessed(void **state)
{
    struct rig *rig = *state;
    rig->params.thin_after_days = 30;
    rig->params.is_reader = true;
    start(rig);
    put_thinned(rig, NOW - 31 * DAY, NOW - 30 * DAY);
    struct stock *s = stock_of(rig);
    assert_true(stock_thinned_share(s) < 0);
    assert_float_equal(stock_days(s, 40 * 144 * 1000.0, 30), 40, 0.01);
    assert_float_equal(stock_weight(s, 10, 40, 30), 400, 0.01);
    stock_unref(&s);
}

/* --- what is being written --- */

static struct segment_totals totals_of(struct rig *rig, struct segment_totals *on_volume)
{
    struct segment_totals all, volumes[STORAGE_MAX_VOLUMES];
    assert_int_equal(storage_totals(rig->storage, &all, volumes, NULL), 0);
    *on_volume = volumes[0];
    return all;
}

/* From the first fragment on, long before the first segment is finished. */
static void what_is_being_written_counts(void **state)
{
    struct rig *rig = *state;
    struct segment_totals volume;
    rig_open(rig);
    rig_record(rig, "cam");
    struct segment_totals all = totals_of(rig, &volume);
    assert_int_equal(all.n + all.bytes + all.oldest_us + volume.n, 0);
    rig_pictures(rig, 25 * 60, 25);
    rig_wait(rig, rig_is_written);
    all = totals_of(rig, &volume);
    assert_int_equal(all.n, 1);
    assert_true(all.bytes > 25 * 55 * 1000);
    assert_int_equal(all.oldest_us, RIG_START_US);
    assert_int_equal(volume.n, 1);
    assert_int_equal(volume.bytes, all.bytes);
    struct stock *s = stock_of(rig);
    const struct stock_row *row = row_of(s, "cam");
    assert_int_equal(row->oldest_us, RIG_START_US);
    assert_in_range(row->bytes_per_day, 1440 * all.bytes * 99 / 100, 1440 * all.bytes * 105 / 100);
    assert_int_equal(s->bytes_per_day, row->bytes_per_day);
    int64_t free_bytes = atomic_load(&rig->storage->volumes[0]->free_bytes) -
                         volume_reserve_bytes(rig->storage->volumes[0]);
    assert_int_equal(s->capacity_bytes, all.bytes + free_bytes);
    stock_unref(&s);
    rig_stop(rig);
    struct segment_totals settled = totals_of(rig, &volume);
    assert_int_equal(settled.n, 1);
    assert_int_equal(settled.oldest_us, RIG_START_US);
    assert_true(settled.bytes > all.bytes);
}

/* Ten seconds tell no pace; they would make of a camera that just begins one that needs nothing. */
static void a_few_seconds_tell_no_pace(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 25 * 8, 25);
    rig_wait(rig, rig_is_written);
    struct stock *s = stock_of(rig);
    assert_int_equal(row_of(s, "cam")->oldest_us, RIG_START_US);
    assert_int_equal(row_of(s, "cam")->bytes_per_day, 0);
    stock_unref(&s);
    rig_stop(rig);
}

static int job_settle(struct db *db, void *ctx, struct err *err)
{
    return db_segment_finish(db, ctx, err);
}

/* Found as being written a moment before its row came: counted once. */
static void what_is_settled_meanwhile_counts_once(void **state)
{
    struct rig *rig = *state;
    struct writing writing;
    struct segment_totals volume;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 25 * 20, 25);
    rig_wait(rig, rig_is_written);
    writing_ask(rig->storage, &writing);
    assert_int_equal(writing.n, 1);
    struct segment_row row = writing.rows[0];
    writing_fini(&writing);
    assert_int_equal(catalogue_write(rig->catalogue, job_settle, &row, NULL), 0);
    struct segment_totals all = totals_of(rig, &volume);
    assert_int_equal(all.n, 1);
    assert_int_equal(all.bytes, row.bytes);
    assert_int_equal(volume.n, 1);
    rig_stop(rig);
}

static int job_hold_all(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db,
                   "INSERT INTO holds(id, camera, from_us, to_us, user, created_us)"
                   " SELECT 'h', key, 0, 1790000000000000 + 3600000000, 'u', 1"
                   " FROM camera_keys WHERE camera_id = 'cam'",
                   err);
}

/* Nothing else is there: it is kept from where it begins. */
static void what_is_being_written_and_held_is_kept(void **state)
{
    struct rig *rig = *state;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 25 * 20, 25);
    rig_wait(rig, rig_is_written);
    put(rig, (struct batch){"other", RIG_START_US - 60 * MINUTE, RIG_START_US, STREAM_MAIN, 7, 0});
    assert_int_equal(catalogue_write(rig->catalogue, job_hold_all, NULL, NULL), 0);
    struct stock *s = stock_of(rig);
    assert_int_equal(row_of(s, "cam")->oldest_us, RIG_START_US);
    assert_int_equal(row_of(s, "other")->oldest_us, RIG_START_US - 60 * MINUTE);
    struct writing writing;
    writing_ask(rig->storage, &writing);
    assert_true(writing.rows[0].bytes > 25 * 15 * 1000);
    assert_int_equal(s->held_bytes, writing.rows[0].bytes);
    assert_int_equal(writing_bytes(&writing, "cam", 0, RIG_START_US + MINUTE), s->held_bytes);
    assert_int_equal(writing_bytes(&writing, "cam", 0, RIG_START_US), 0);
    assert_int_equal(writing_bytes(&writing, "other", 0, RIG_START_US + MINUTE), 0);
    writing_fini(&writing);
    stock_unref(&s);
    put(rig, (struct batch){"cam", RIG_START_US + 120 * MINUTE, RIG_START_US + 130 * MINUTE,
                            STREAM_SUB, 7, 0});
    s = stock_of(rig);
    assert_int_equal(row_of(s, "cam")->oldest_us, RIG_START_US);
    stock_unref(&s);
    rig_stop(rig);
}

static void *ask_often(void *ctx)
{
    struct rig *rig = ctx;
    for (int i = 0; i < 100; i++) {
        struct stock *s = storage_stock(rig->storage, NULL);
        if (s == NULL || s->n != 1 || s->rows[0].oldest_us != NOW - 30 * MINUTE)
            return rig;
        stock_unref(&s);
        if (i % 5 == 0)
            storage_holds_changed(rig->storage);
    }
    return NULL;
}

/* Nobody gets nothing, while others make the next one and take the old one away. */
static void many_may_ask_at_once(void **state)
{
    struct rig *rig = *state;
    pthread_t threads[4];
    void *failed = NULL;
    start(rig);
    put(rig, (struct batch){"cam", NOW - 30 * MINUTE, NOW, STREAM_MAIN, 20000, 1});
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, rig), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_pace_is_that_of_the_last_day),
        TEST(a_segment_at_the_edge_counts_in_part),
        TEST(what_is_held_is_not_the_oldest),
        TEST(the_ledger_joins_what_follows),
        TEST(an_entry_grows_over_those_of_another_reason),
        TEST(something_older_that_was_deleted_is_a_cut),
        TEST(capacity_is_what_fits_within_the_reserves),
        TEST(a_stock_serves_for_some_seconds),
        TEST(thinned_days_weigh_what_is_left_of_them),
        TEST(what_went_of_the_day_is_summed_up),
        TEST(what_thinning_saves_is_not_guessed),
        TEST(what_is_being_written_counts),
        TEST(a_few_seconds_tell_no_pace),
        TEST(what_is_settled_meanwhile_counts_once),
        TEST(what_is_being_written_and_held_is_kept),
        TEST(many_may_ask_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
