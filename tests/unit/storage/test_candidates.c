/* What goes next, against a plain sort of everything. */
#include "rig.h"

#include <stdlib.h>

#include "base/str.h"
#include "storage/candidates.h"
#include "storage/db.h"

#define DAY    (86400 * US_PER_S)
#define MINUTE (60 * US_PER_S)
#define NOW    (RIG_START_US + 100 * DAY)

enum { N_CAMERAS = 7, N_VOLUMES = 3, ROWS_MAX = 4000, DAYS = 30 };

struct model {
    struct rig *rig;
    struct frontier frontier;
    struct candidates_query query;
    struct candidates found;
    struct segment_row rows[ROWS_MAX]; /* all there are */
    size_t n;
    struct {
        int64_t camera, from_us, to_us;
    } holds[16];
    size_t n_holds;
    unsigned seed;
};

/* The same numbers every time. */
static unsigned pick(struct model *m, unsigned below)
{
    m->seed = m->seed * 1103515245u + 12345u;
    return (m->seed >> 8) % below;
}

static int setup(void **state)
{
    struct rig *rig;
    if (rig_setup((void **)&rig) != 0)
        return -1;
    struct model *m = xcalloc(1, sizeof *m);
    struct err err = {0};
    if (catalogue_open(rig->dir, &rig->clock.clock, &rig->catalogue, &err) < 0)
        fail_msg("%s", err.msg);
    m->rig = rig;
    m->seed = 4;
    m->query = (struct candidates_query){.now_us = NOW, .default_days = DAYS};
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct model *m = *state;
    void *rig = m->rig;
    frontier_fini(&m->frontier);
    free(m);
    return rig_teardown(&rig);
}

static int job_fill(struct db *db, void *ctx, struct err *err)
{
    struct model *m = ctx;
    int rc = 0;
    for (size_t i = 0; i < m->n && rc >= 0; i++)
        rc = db_segment_finish(db, &m->rows[i], err);
    return rc;
}

static void add_row(struct model *m, unsigned camera, int64_t from_us, int64_t us)
{
    struct segment_row *row = &m->rows[m->n++];
    *row = (struct segment_row){.id = {.stream = pick(m, 4) == 0 ? STREAM_SUB : STREAM_MAIN,
                                       .from_us = from_us,
                                       .n = (int64_t)m->n},
                                .to_us = from_us + us,
                                .volume = 1 + pick(m, N_VOLUMES),
                                .bytes = 100 + pick(m, 100)};
    row->is_thinned = m->query.is_thinning && pick(m, 2) == 0;
    snprintf(row->id.camera_id, sizeof row->id.camera_id, "cam-%u", camera);
}

/* Streams of different ages, with pauses; moved volumes; two segments that begin together. */
static void fill(struct model *m, size_t n)
{
    int64_t at[N_CAMERAS];
    for (unsigned i = 0; i < N_CAMERAS; i++)
        at[i] = NOW - (int64_t)(20 + pick(m, 60)) * DAY;
    size_t first = m->n;
    for (size_t i = 0; i < n; i++) {
        unsigned camera = pick(m, N_CAMERAS);
        add_row(m, camera, at[camera], (int64_t)(1 + pick(m, 10)) * MINUTE);
        if (pick(m, 20) > 0)
            at[camera] += (int64_t)(10 + pick(m, 100)) * MINUTE;
    }
    assert_int_equal(catalogue_write(m->rig->catalogue, job_fill, m, NULL), 0);
    assert_true(first < m->n);
}

static int job_hold(struct db *db, void *ctx, struct err *err)
{
    struct model *m = ctx;
    struct stmt *s =
        db_stmt(db,
                "INSERT INTO holds(id, camera, from_us, to_us, user, created_us) VALUES(?1, ?2, ?3,"
                " ?4, 'u', 1)",
                err);
    char id[16];
    snprintf(id, sizeof id, "h-%zu", m->n_holds);
    stmt_bind_text(s, 1, id);
    stmt_bind_i64(s, 2, m->holds[m->n_holds].camera);
    stmt_bind_i64(s, 3, m->holds[m->n_holds].from_us);
    stmt_bind_i64(s, 4, m->holds[m->n_holds].to_us);
    return stmt_run(s, err);
}

static void hold(struct model *m, const struct segment_row *row, int64_t us)
{
    m->holds[m->n_holds].camera = row->camera;
    m->holds[m->n_holds].from_us = row->id.from_us + 1;
    m->holds[m->n_holds].to_us = row->id.from_us + 1 + us;
    assert_int_equal(catalogue_write(m->rig->catalogue, job_hold, m, NULL), 0);
    m->n_holds++;
}

static bool may_go(const struct model *m, const struct segment_row *row)
{
    for (size_t i = 0; i < m->n_holds; i++)
        if (m->holds[i].camera == row->camera && m->holds[i].from_us < row->to_us &&
            m->holds[i].to_us > row->id.from_us)
            return false;
    if (m->query.volume != 0)
        return row->volume == m->query.volume;
    if (m->query.is_thinning && row->is_thinned)
        return false;
    return row->to_us <= NOW - DAYS * DAY;
}

static int job_find(struct db *db, void *ctx, struct err *err)
{
    struct model *m = ctx;
    return candidates_find(db, &m->frontier, &m->query, &m->found, err);
}

static int job_doom(struct db *db, void *ctx, struct err *err)
{
    struct model *m = ctx;
    int rc = 0;
    for (size_t i = 0; i < m->found.n && rc >= 0; i++)
        rc = db_segment_doom(db, &m->found.rows[i], "space", NOW, err);
    return rc;
}

static void find(struct model *m)
{
    assert_int_equal(catalogue_read(m->rig->catalogue, job_find, m, NULL), 0);
}

/* Rounds until nothing is left: everything that may go went, the oldest first. Returns how many. */
static size_t delete_all(struct model *m)
{
    size_t n = 0;
    int64_t last_us = 0;
    do {
        find(m);
        assert_int_equal(catalogue_write(m->rig->catalogue, job_doom, m, NULL) < 0, false);
        for (size_t i = 0; i < m->found.n; i++) {
            const struct segment_row *row = &m->found.rows[i];
            assert_true(row->id.from_us >= last_us);
            last_us = row->id.from_us;
            size_t k = 0;
            while (k < m->n && (m->rows[k].id.n != row->id.n || m->rows[k].bytes == 0))
                k++;
            assert_true(k < m->n && may_go(m, &m->rows[k]));
            m->rows[k].bytes = 0; /* gone */
            n++;
        }
    } while (m->found.is_cut);
    for (size_t k = 0; k < m->n; k++)
        assert_true(m->rows[k].bytes == 0 || !may_go(m, &m->rows[k]));
    return n;
}

static void of_each_volume_the_oldest_go_first(void **state)
{
    struct model *m = *state;
    fill(m, 3000);
    for (int64_t volume = 1; volume <= N_VOLUMES; volume++) {
        frontier_fini(&m->frontier);
        m->query.volume = volume;
        m->query.wanted_bytes = INT64_MAX;
        assert_true(delete_all(m) > 800);
    }
}

static void by_age_goes_what_is_too_old_and_not_held(void **state)
{
    struct model *m = *state;
    fill(m, 3000);
    hold(m, &m->rows[0], 1);
    hold(m, &m->rows[50], DAY);
    hold(m, &m->rows[60], 60 * DAY);
    size_t n = delete_all(m);
    assert_true(n > 500 && n < 2900);
    /* nothing new: nothing is found, and later what came meanwhile */
    find(m);
    assert_int_equal(m->found.n, 0);
    m->query.now_us += DAY;
    find(m);
    assert_true(m->found.n > 0);
}

/* It would be read again every day, and nothing else be come to. */
static void what_is_thinned_is_not_thinned_again(void **state)
{
    struct model *m = *state;
    m->query.is_thinning = true;
    fill(m, 1000);
    size_t n = delete_all(m);
    assert_true(n > 100 && n < 600);
    frontier_reset(&m->frontier);
    find(m);
    assert_int_equal(m->found.n, 0);
}

static void enough_is_enough(void **state)
{
    struct model *m = *state;
    fill(m, 500);
    m->query.volume = 2;
    m->query.wanted_bytes = 1000;
    find(m);
    assert_true(m->found.bytes >= 1000);
    assert_true(m->found.bytes - m->found.rows[m->found.n - 1].bytes < 1000);
    assert_false(m->found.is_cut);
}

static int job_release(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db, "UPDATE holds SET released_us = 1", err);
}

/* What a hold kept lies behind the bounds until they are forgotten. */
static void a_reset_finds_what_was_released(void **state)
{
    struct model *m = *state;
    fill(m, 1000);
    hold(m, &m->rows[3], DAY);
    size_t n = delete_all(m);
    assert_true(n > 0);
    assert_int_equal(catalogue_write(m->rig->catalogue, job_release, NULL, NULL), 0);
    find(m);
    assert_int_equal(m->found.n, 0);
    m->n_holds = 0;
    frontier_reset(&m->frontier);
    assert_true(delete_all(m) > 0);
}

static void a_new_camera_is_found_by_itself(void **state)
{
    struct model *m = *state;
    m->query.volume = 1;
    m->query.wanted_bytes = INT64_MAX;
    find(m);
    assert_int_equal(m->found.n, 0);
    fill(m, 100);
    assert_true(delete_all(m) > 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(of_each_volume_the_oldest_go_first),   TEST(by_age_goes_what_is_too_old_and_not_held),
        TEST(what_is_thinned_is_not_thinned_again), TEST(enough_is_enough),
        TEST(a_reset_finds_what_was_released),      TEST(a_new_camera_is_found_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
