/* When a camera counts as watched. */
#include "unit.h"

#include <stdlib.h>

#include "server/watched.h"
#include "storage/db.h"

#define START_US INT64_C(1790000000000000)
#define BEAT_US  (10 * US_PER_S)

struct rig {
    char dir[32];
    struct catalogue *catalogue;
    struct watched *watched;
    struct motion_watch_stats stats;
    int64_t now_us;
};

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    snprintf(rig->dir, sizeof rig->dir, "/tmp/rk-watched-XXXXXX");
    if (mkdtemp(rig->dir) == NULL ||
        catalogue_open(rig->dir, clock_system(), &rig->catalogue, NULL) < 0)
        return -1;
    rig->watched = watched_create(rig->catalogue);
    rig->now_us = START_US;
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char cmd[64];
    watched_destroy(&rig->watched);
    catalogue_close(&rig->catalogue);
    snprintf(cmd, sizeof cmd, "rm -rf %s", rig->dir);
    free(rig);
    return system(cmd);
}

/* n beats in each of which so many key frames came and were looked at. */
static void beats(struct rig *rig, int n, unsigned n_keys, unsigned n_analysed, unsigned n_failed)
{
    for (int i = 0; i < n; i++) {
        rig->now_us += BEAT_US;
        rig->stats.n_keys += n_keys;
        rig->stats.n_analysed += n_analysed;
        rig->stats.n_failed += n_failed;
        watched_note(rig->watched, "cam", &rig->stats, rig->now_us);
        watched_beat(rig->watched, rig->now_us);
    }
}

static int job_ask(struct db *db, void *ctx, struct err *err)
{
    int64_t *out = ctx;
    struct stmt *s = db_stmt(db, "SELECT count(*), min(from_us), max(to_us) FROM watched", err);
    assert_non_null(s);
    assert_int_equal(stmt_step(s, err), 1);
    for (int i = 0; i < 3; i++)
        out[i] = stmt_i64(s, i);
    stmt_done(s);
    return 0;
}

/* What is written: that many stretches, from the first to the last beat, counted from the start. */
static void expect(struct rig *rig, int64_t n, int64_t first_beat, int64_t last_beat)
{
    int64_t got[3];
    watched_write(rig->watched);
    /* the writer's jobs are applied in order */
    assert_int_equal(catalogue_write(rig->catalogue, job_ask, got, NULL), 0);
    assert_int_equal(got[0], n);
    if (n == 0)
        return;
    assert_int_equal(got[1], START_US + first_beat * BEAT_US);
    assert_int_equal(got[2], START_US + last_beat * BEAT_US);
}

/* The first beat tells how much there was before, the second that it is looked at. */
static void a_stretch_goes_on_while_key_frames_are_looked_at(void **state)
{
    struct rig *rig = *state;
    beats(rig, 20, 10, 9, 0);
    expect(rig, 1, 2, 20);
    beats(rig, 5, 2, 1, 0); /* a key frame every five seconds, half of them */
    expect(rig, 1, 2, 25);
}

static void too_few_or_failed_ones_end_it(void **state)
{
    struct rig *rig = *state;
    beats(rig, 10, 10, 10, 0);
    beats(rig, 1, 10, 4, 0);
    beats(rig, 10, 10, 10, 0);
    expect(rig, 2, 2, 21);
    beats(rig, 1, 10, 9, 1);
    beats(rig, 10, 10, 10, 0);
    expect(rig, 3, 2, 32);
    beats(rig, 10, 0, 0, 0); /* no key frame, nothing known */
    expect(rig, 3, 2, 32);
}

static void a_beat_without_a_note_ends_it(void **state)
{
    struct rig *rig = *state;
    beats(rig, 10, 10, 10, 0);
    expect(rig, 1, 2, 10);
    rig->now_us += BEAT_US;
    watched_beat(rig->watched, rig->now_us);
    beats(rig, 10, 10, 10, 0);
    expect(rig, 2, 2, 21);
}

/* The process stood still, or somebody set the clock. */
static void a_jump_of_time_ends_it(void **state)
{
    struct rig *rig = *state;
    beats(rig, 10, 10, 10, 0);
    expect(rig, 1, 2, 10);
    rig->now_us += 5 * BEAT_US;
    beats(rig, 1, 10, 10, 0);
    expect(rig, 1, 2, 10);
    beats(rig, 3, 10, 10, 0);
    expect(rig, 2, 2, 19);
    rig->now_us -= 60 * BEAT_US;
    beats(rig, 1, 10, 10, 0);
    expect(rig, 2, 2, 19);
}

/* Its counts begin anew. */
static void another_watch_begins_another_stretch(void **state)
{
    struct rig *rig = *state;
    beats(rig, 10, 10, 10, 0);
    expect(rig, 1, 2, 10);
    rig->stats = (struct motion_watch_stats){0};
    beats(rig, 5, 10, 10, 0);
    expect(rig, 2, 2, 15);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stretch_goes_on_while_key_frames_are_looked_at),
        TEST(too_few_or_failed_ones_end_it),
        TEST(a_beat_without_a_note_ends_it),
        TEST(a_jump_of_time_ends_it),
        TEST(another_watch_begins_another_stretch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
