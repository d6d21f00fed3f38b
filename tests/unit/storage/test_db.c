/* States, runs, events and reports, as rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/db_events.h"
#include "storage/db_priv.h"
#include "storage/db_report.h"
#include "storage/db_schema.h"
#include "storage/db_segments.h"
#include "storage/db_states.h"

#define HOUR (3600 * US_PER_S)
#define DAY0 INT64_C(1790006400000000) /* midnight in Shanghai */

struct rig {
    struct db *db;
    struct state_row states[8];
    size_t n_states;
    struct event_row events[16];
    size_t n_events;
};

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    char dir[] = "/tmp/rk-db-XXXXXX", path[64];
    *state = rig;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/c.db", dir);
    int rc = db__open(path, false, &rig->db, NULL);
    if (rc == 0)
        rc = db_migrate(rig->db, NULL);
    char cmd[64]; /* it lives on while it is open */
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    return rc < 0 ? rc : system(cmd);
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    db__close(&rig->db);
    free(rig);
    return 0;
}

/* --- states and runs --- */

static int add_state(void *ctx, const struct state_row *row)
{
    struct rig *rig = ctx;
    assert_true(rig->n_states < ARRAY_LEN(rig->states));
    rig->states[rig->n_states++] = *row;
    return 0;
}

static void change(struct rig *rig, const char *camera, int64_t at_us, const char *cause)
{
    bool is_ok = strcmp(cause, "ok") == 0;
    struct err err = {0};
    struct state_row row = {.from_us = at_us,
                            .evidence_us = at_us - 1,
                            .is_reachable = is_ok,
                            .is_advancing = is_ok,
                            .is_recording = is_ok};
    snprintf(row.camera_id, sizeof row.camera_id, "%s", camera);
    snprintf(row.cause, sizeof row.cause, "%s", cause);
    snprintf(row.detail, sizeof row.detail, "detail of %s at %lld", cause, (long long)at_us);
    if (db_state_change(rig->db, &row, &err) < 0)
        fail_msg("%s", err.msg);
}

static void find_states(struct rig *rig, const char *camera, int64_t from_us, int64_t to_us)
{
    rig->n_states = 0;
    assert_int_equal(db_states_in(rig->db, camera, from_us, to_us, add_state, rig, NULL), 0);
}

static void every_change_is_a_row(void **state)
{
    struct rig *rig = *state;
    change(rig, "a", 100, "connecting");
    change(rig, "a", 200, "ok");
    change(rig, "a", 300, "ok"); /* no change */
    change(rig, "b", 250, "auth");
    change(rig, "a", 400, "timeout");
    find_states(rig, "a", 0, 1000);
    assert_int_equal(rig->n_states, 3);
    assert_string_equal(rig->states[1].cause, "ok");
    assert_int_equal(rig->states[1].from_us, 200);
    assert_int_equal(rig->states[1].to_us, 400);
    assert_int_equal(rig->states[1].evidence_us, 199);
    assert_true(rig->states[1].is_recording);
    assert_int_equal(rig->states[2].to_us, 0);
    assert_string_equal(rig->states[2].detail, "detail of timeout at 400");
    find_states(rig, "a", 200, 400);
    assert_int_equal(rig->n_states, 1);
    find_states(rig, NULL, 0, 1000);
    assert_int_equal(rig->n_states, 4);
    find_states(rig, "never", 0, 1000);
    assert_int_equal(rig->n_states, 0);
    assert_int_equal(db_states_end(rig->db, "a", 500, NULL), 0);
    find_states(rig, "a", 600, 1000);
    assert_int_equal(rig->n_states, 0);
    find_states(rig, "b", 600, 1000);
    assert_int_equal(rig->n_states, 1);
}

static void a_clock_that_steps_back_makes_no_negative_state(void **state)
{
    struct rig *rig = *state;
    change(rig, "a", 1000, "ok");
    change(rig, "a", 500, "auth");
    find_states(rig, "a", 0, 5000);
    for (size_t i = 0; i < rig->n_states; i++)
        assert_true(rig->states[i].to_us == 0 || rig->states[i].to_us >= rig->states[i].from_us);
}

static int count_run(void *ctx, const struct run_row *row)
{
    int64_t *list = ctx;
    list[++list[0]] = row->to_us;
    return 0;
}

static void a_killed_run_ends_with_its_last_beat(void **state)
{
    struct rig *rig = *state;
    int64_t first, second, ends[8] = {0};
    assert_int_equal(db_run_begin(rig->db, 1000, "v1", &first, NULL), 0);
    change(rig, "a", 1500, "ok");
    assert_int_equal(db_run_beat(rig->db, first, 2000, NULL), 0);
    /* kill -9, and up again */
    assert_int_equal(db_run_begin(rig->db, 5000, "v1", &second, NULL), 0);
    find_states(rig, "a", 0, 9000);
    assert_int_equal(rig->states[0].to_us, 2000);
    assert_int_equal(db_run_end(rig->db, second, 6000, NULL), 0);
    assert_int_equal(db_runs_in(rig->db, 0, 9000, count_run, ends, NULL), 0);
    assert_int_equal(ends[0], 2);
    assert_int_equal(ends[1], 2000);
    assert_int_equal(ends[2], 6000);
    /* the run before a range is told too: what lies between them is known */
    memset(ends, 0, sizeof ends);
    assert_int_equal(db_runs_in(rig->db, 3000, 4000, count_run, ends, NULL), 0);
    assert_int_equal(ends[0], 1);
    assert_int_equal(ends[1], 2000);
}

/* --- events --- */

static int add_event(void *ctx, const struct event_row *row)
{
    struct rig *rig = ctx;
    assert_true(rig->n_events < ARRAY_LEN(rig->events));
    rig->events[rig->n_events++] = *row;
    return 0;
}

static int64_t motion(struct rig *rig, const char *camera, int64_t from_us, int64_t to_us)
{
    struct event e = {.type = EVENT_MOTION,
                      .from_us = from_us,
                      .to_us = to_us,
                      .is_open = true,
                      .score = 0.5,
                      .x = 0.25,
                      .w = 0.5};
    int64_t id = 0;
    snprintf(e.camera_id, sizeof e.camera_id, "%s", camera);
    assert_int_equal(db_event_add(rig->db, &e, &id, NULL), 0);
    return id;
}

static int find_events(struct rig *rig, const struct event_query *q)
{
    rig->n_events = 0;
    return db_events_find(rig->db, q, add_event, rig, NULL);
}

static void events_are_found_in_scope(void **state)
{
    struct rig *rig = *state;
    const char *ab[] = {"a", "b"};
    for (int i = 0; i < 5; i++) {
        motion(rig, "a", 1000 + i * 100, 1050 + i * 100);
        motion(rig, "b", 1010 + i * 100, 1060 + i * 100);
        motion(rig, "c", 1020 + i * 100, 1070 + i * 100);
    }
    assert_int_equal(find_events(rig, &(struct event_query){.type = -1}), 15);
    assert_int_equal(rig->events[0].event.from_us, 1420); /* newest first */
    assert_int_equal(find_events(rig, &(struct event_query){.camera_ids = ab, .n_cameras = 2}), 10);
    assert_int_equal(find_events(rig, &(struct event_query){.camera_ids = ab, .n_cameras = 1}), 5);
    assert_string_equal(rig->events[0].event.camera_id, "a");
    assert_true(rig->events[0].event.score == 0.5 && rig->events[0].event.x == 0.25);
    assert_int_equal(find_events(rig, &(struct event_query){.camera_ids = ab, .n_cameras = 0}), 0);
    assert_int_equal(find_events(rig, &(struct event_query){.from_us = 1200, .to_us = 1215}), 2);
    assert_int_equal(find_events(rig, &(struct event_query){.type = EVENT_MOTION + 1}), 0);
}

static void pages_of_events_meet_without_doubles(void **state)
{
    struct rig *rig = *state;
    struct event_query q = {.type = -1, .limit = 4};
    int64_t last = INT64_MAX;
    int n, total = 0;
    for (int i = 0; i < 10; i++)
        motion(rig, "a", 1000 + i / 3, 2000); /* several begin together */
    while ((n = find_events(rig, &q)) > 0) {
        for (int i = 0; i < n; i++) {
            assert_true(rig->events[i].id < last);
            last = rig->events[i].id;
        }
        total += n;
        q.before_from_us = rig->events[n - 1].event.from_us;
        q.before_id = rig->events[n - 1].id;
    }
    assert_int_equal(total, 10);
}

static void events_grow_and_end(void **state)
{
    struct rig *rig = *state;
    int64_t run, id = motion(rig, "a", 1000, 1100);
    struct event e = {.type = EVENT_MOTION, .to_us = 5000, .score = 0.9, .is_open = true};
    assert_int_equal(db_event_update(rig->db, id, &e, NULL), 0);
    assert_int_equal(db_event_update(rig->db, id + 1, &e, NULL), ERR_NOT_FOUND);
    rig->n_events = 0;
    assert_int_equal(db_events_in(rig->db, "a", 4000, 4500, add_event, rig, NULL), 0);
    assert_int_equal(rig->n_events, 1);
    assert_int_equal(rig->events[0].event.from_us, 1000);
    assert_true(rig->events[0].event.is_open);
    /* a crash leaves it open; the next start ends it */
    assert_int_equal(db_run_begin(rig->db, 9000, "", &run, NULL), 0);
    find_events(rig, &(struct event_query){.type = -1});
    assert_false(rig->events[0].event.is_open);
    assert_int_equal(db_events_expire(rig->db, 5000, 100, NULL), 0);
    assert_int_equal(db_events_expire(rig->db, 5001, 100, NULL), 1);
}

/* --- reports --- */

static void segment(struct rig *rig, int64_t from_us, int64_t to_us)
{
    struct segment_row row = {.id = {.camera_id = "a", .from_us = from_us, .n = 1},
                              .volume = 1,
                              .to_us = to_us,
                              .frames = 1};
    assert_int_equal(db_segment_finish(rig->db, &row, NULL), 0);
}

static void uptime_comes_from_the_rows(void **state)
{
    struct rig *rig = *state;
    int64_t run;
    struct uptime u;
    assert_int_equal(db_run_begin(rig->db, DAY0 - HOUR, "", &run, NULL), 0);
    change(rig, "a", DAY0 - HOUR, "ok");
    change(rig, "a", DAY0 + 6 * HOUR, "timeout");
    change(rig, "a", DAY0 + 9 * HOUR, "ok");
    assert_int_equal(db_run_end(rig->db, run, DAY0 + 20 * HOUR, NULL), 0);
    for (int h = -1; h < 6; h++)
        segment(rig, DAY0 + h * HOUR, DAY0 + (h + 1) * HOUR);
    struct report_query q = {.camera_id = "a",
                             .from_us = DAY0,
                             .to_us = DAY0 + 24 * HOUR,
                             .now_us = DAY0 + 48 * HOUR,
                             .zone_minutes = 480,
                             .wants_recording = true};
    assert_int_equal(db_report_uptime(rig->db, &q, &u, NULL), 0);
    assert_int_equal(u.n_days, 1);
    assert_int_equal(u.total.expected_us, 20 * HOUR);
    assert_int_equal(u.total.known_us, 20 * HOUR);
    assert_int_equal(u.total.online_us, 17 * HOUR);
    assert_int_equal(u.total.recorded_us, 6 * HOUR);
    assert_int_equal(u.total.own_down_us, 4 * HOUR);
    assert_int_equal(u.n_outages, 1);
    assert_string_equal(u.outages[0].cause, "timeout");
    uptime_fini(&u);
    q.camera_id = "never heard of";
    assert_int_equal(db_report_uptime(rig->db, &q, &u, NULL), 0);
    assert_int_equal(u.total.known_us, 0);
    assert_int_equal(u.total.expected_us, 20 * HOUR);
    uptime_fini(&u);
}

static int count_report(void *ctx, const struct report_row *row)
{
    (void)row;
    ++*(int *)ctx;
    return 0;
}

static void reports_are_kept(void **state)
{
    struct rig *rig = *state;
    int64_t at_us = 0;
    char *json = NULL;
    int n = 0;
    assert_int_equal(db_report_get(rig->db, "2026-11", &at_us, &json, NULL), ERR_NOT_FOUND);
    assert_int_equal(db_report_put(rig->db, "2026-11", 1, "{}", NULL), 0);
    assert_int_equal(db_report_put(rig->db, "2026-11", 2, "{\"a\":1}", NULL), 0);
    assert_int_equal(db_report_get(rig->db, "2026-11", &at_us, &json, NULL), 0);
    assert_int_equal(at_us, 2);
    assert_string_equal(json, "{\"a\":1}");
    free(json);
    assert_int_equal(db_reports_list(rig->db, count_report, &n, NULL), 0);
    assert_int_equal(n, 1);
}

/* --- segments --- */

static int count_row(void *ctx, const struct segment_row *row)
{
    (void)row;
    ++*(int *)ctx;
    return 0;
}

static void ranges_of_segments(void **state)
{
    struct rig *rig = *state;
    int n = 0;
    for (int i = 0; i < 10; i++)
        segment(rig, DAY0 + i * 600 * US_PER_S, DAY0 + (i + 1) * 600 * US_PER_S);
    assert_int_equal(db_segments_in(rig->db, "a", STREAM_MAIN, DAY0 + 600 * US_PER_S,
                                    DAY0 + 1200 * US_PER_S, count_row, &n, NULL),
                     0);
    assert_int_equal(n, 1);
    n = 0;
    assert_int_equal(db_segments_in(rig->db, "a", STREAM_MAIN, DAY0 + 900 * US_PER_S,
                                    DAY0 + 1201 * US_PER_S, count_row, &n, NULL),
                     0);
    assert_int_equal(n, 2);
    n = 0;
    assert_int_equal(db_segments_in(rig->db, "a", STREAM_SUB, 0, INT64_MAX, count_row, &n, NULL),
                     0);
    assert_int_equal(n, 0);
}

static void paths_name_segments(void **state)
{
    (void)state;
    struct segment_id id = {.camera_id = "cam-001", .stream = STREAM_SUB, .n = 42}, back;
    char path[SEGMENT_PATH_BYTES];
    assert_int_equal(rfc3339_parse("2026-11-23T04:05:06.789Z", &id.from_us), 0);
    id.from_us += 123;
    assert_string_equal(segment_path(&id, path), "cam-001/sub/2026/11/23/040506.789-42.mp4");
    assert_int_equal(segment_path_parse(path, &back), 0);
    assert_string_equal(back.camera_id, "cam-001");
    assert_int_equal(back.stream, STREAM_SUB);
    assert_int_equal(back.n, 42);
    assert_int_equal(back.from_us, id.from_us - 123);
    /* two cameras that rotate in one millisecond */
    char other[SEGMENT_PATH_BYTES];
    back.camera_id[6] = '2';
    assert_string_not_equal(segment_path(&back, other), path);
    static const char *const bad[] = {"",
                                      "cam-001/sub/2026/11/23/040506.789-42.mp4.tmp",
                                      "cam-001/sub/2026/11/23/040506.789.mp4",
                                      "cam-001/third/2026/11/23/040506.789-42.mp4",
                                      "cam 001/sub/2026/11/23/040506.789-42.mp4",
                                      "cam-001/sub/2026/13/23/040506.789-42.mp4",
                                      "../sub/2026/11/23/040506.789-42.mp4",
                                      "cam-001/sub/2026/11/23/040506.789-042.mp4"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(segment_path_parse(bad[i], &back), ERR_PARSE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_change_is_a_row),
        TEST(a_clock_that_steps_back_makes_no_negative_state),
        TEST(a_killed_run_ends_with_its_last_beat),
        TEST(events_are_found_in_scope),
        TEST(pages_of_events_meet_without_doubles),
        TEST(events_grow_and_end),
        TEST(uptime_comes_from_the_rows),
        TEST(reports_are_kept),
        TEST(ranges_of_segments),
        TEST(paths_name_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
