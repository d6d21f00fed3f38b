/* Uptime reports out of rows: sums, scopes, and the reports made by themselves. */
#include "unit.h"

#include <string.h>

#include "server/report.h"
#include "storage/db_report.h"
#include "storage/db_states.h"
#include "unit_district.h"

/* Noon of 2026-11-23 in Asia/Shanghai. */
#define NOON_US (INT64_C(1795406400) * US_PER_S)
#define HOUR_US (3600 * US_PER_S)

struct rig {
    char *folder;
    struct catalogue *catalogue;
    struct district *district;
    struct report_params params;
};

/* The server runs all day; c-1 is fine but for an hour of timeout, c-2 is unknown, c-3 is fine, c-4
 * is switched off. Nothing is to be recorded. */
static int write_rows(struct db *db, void *ctx, struct err *err)
{
    static const struct {
        const char *camera, *cause;
        int hour;
        bool is_ok;
    } states[] = {
        {"c-1", "ok", -2, true}, {"c-1", "timeout", -1, false},  {"c-1", "ok", 0, true},
        {"c-3", "ok", -2, true}, {"c-4", "disabled", -2, false},
    };
    int64_t id;
    (void)ctx;
    int rc = db_run_begin(db, NOON_US - 2 * HOUR_US, "test", &id, err);
    for (size_t i = 0; i < ARRAY_LEN(states) && rc == 0; i++) {
        struct state_row row = {.from_us = NOON_US + states[i].hour * HOUR_US,
                                .is_reachable = states[i].is_ok,
                                .is_advancing = states[i].is_ok};
        snprintf(row.camera_id, sizeof row.camera_id, "%s", states[i].camera);
        snprintf(row.cause, sizeof row.cause, "%s", states[i].cause);
        rc = db_state_change(db, &row, err);
    }
    return rc < 0 ? rc : db_run_beat(db, id, NOON_US + 2 * HOUR_US, err);
}

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    struct err err;
    err_clear(&err);
    rig->folder = unit_folder();
    rig->district = unit_district();
    for (size_t i = 0; i < rig->district->rows.n_cameras; i++) {
        free(rig->district->rows.cameras[i].record);
        rig->district->rows.cameras[i].record = xstrdup("off");
        rig->district->rows.cameras[i].created_us = NOON_US - 2 * HOUR_US;
    }
    assert_int_equal(catalogue_open(rig->folder, clock_system(), &rig->catalogue, &err), 0);
    assert_int_equal(catalogue_write(rig->catalogue, write_rows, NULL, &err), 0);
    rig->params = (struct report_params){.catalogue = rig->catalogue,
                                         .district = rig->district,
                                         .period = "2026-11-23",
                                         .time_zone = "Asia/Shanghai",
                                         .zone_minutes = 480,
                                         .now_us = NOON_US + 2 * HOUR_US};
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    catalogue_close(&rig->catalogue);
    district_unref(&rig->district);
    unit_folder_remove(&rig->folder);
    free(rig);
    return 0;
}

static double number(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static json_t *get(const struct rig *rig)
{
    json_t *report = NULL;
    struct err err;
    assert_int_equal(report_get(&rig->params, &report, &err), 0);
    return report;
}

static void rates_are_sums_over_sums(void **state)
{
    struct rig *rig = *state;
    json_t *report = get(rig);
    json_t *list = json_object_get(report, "institutions"), *first = json_array_get(list, 0);
    json_t *totals = json_object_get(report, "totals");
    assert_int_equal(json_array_size(list), 3);
    /* c-1: 3 of 4 h online; c-2: nothing known of 4 h */
    assert_true(number(first, "known_s") == 4 * 3600);
    assert_true(number(first, "expected_s") == 8 * 3600);
    assert_true(number(first, "online_rate") == 0.75);
    assert_true(number(first, "coverage") == 0.5);
    assert_int_equal(json_integer_value(json_object_get(first, "cameras")), 2);
    assert_int_equal(json_integer_value(json_object_get(first, "outage_count")), 1);
    assert_true(number(first, "longest_outage_s") == 3600);
    assert_string_equal(json_string_value(json_object_get(first, "main_cause")), "timeout");
    assert_true(number(json_array_get(json_object_get(first, "days"), 0), "online_rate") == 0.75);
    /* i-3 has only a camera that is switched off: nothing to say */
    assert_true(json_is_null(json_object_get(json_array_get(list, 2), "online_rate")));
    assert_true(number(totals, "online_rate") == 7.0 / 8);
    assert_int_equal(json_integer_value(json_object_get(totals, "cameras")), 4);
    assert_true(number(totals, "own_downtime_s") == 0);
    json_decref(report);
}

static void a_report_is_cut_to_node_and_scope(void **state)
{
    struct rig *rig = *state;
    struct user user = {.name = "u", .role = "admin", .scope = "township:t-2"};
    struct node node;
    rig->params.user = &user;
    json_t *report = get(rig);
    assert_int_equal(json_array_size(json_object_get(report, "institutions")), 1);
    json_decref(report);
    rig->params.user = NULL;
    assert_int_equal(district_node(rig->district, "camera:c-2", &node), 0);
    rig->params.node = &node;
    report = get(rig);
    json_t *totals = json_object_get(report, "totals");
    assert_int_equal(json_integer_value(json_object_get(totals, "cameras")), 1);
    assert_true(number(totals, "known_s") == 0);
    json_decref(report);
}

static void a_wrong_period_is_refused(void **state)
{
    static const char *const periods[] = {"", "2026", "2026-13", "2026-W60", "2026-02-30", "x"};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(periods); i++) {
        json_t *report = NULL;
        struct err err;
        rig->params.period = periods[i];
        assert_int_equal(report_get(&rig->params, &report, &err), ERR_INVALID);
    }
}

static int list_one(void *ctx, const struct report_row *row)
{
    char *text = ctx;
    size_t n = strlen(text);
    snprintf(text + n, 200 - n, "%s ", row->period);
    return 0;
}

static int list_all(struct db *db, void *ctx, struct err *err)
{
    return db_reports_list(db, list_one, ctx, err);
}

static void finished_periods_are_kept_once(void **state)
{
    struct rig *rig = *state;
    struct err err;
    char text[200] = "";
    /* one minute into the next day it is too early, at six it is made */
    rig->params.now_us = NOON_US + 12 * HOUR_US + 60 * US_PER_S;
    assert_int_equal(report_keep_missing(&rig->params, &err), 0);
    rig->params.now_us = NOON_US + 18 * HOUR_US;
    assert_int_equal(report_keep_missing(&rig->params, &err), 1);
    assert_int_equal(report_keep_missing(&rig->params, &err), 0);
    /* on the next Monday the week (and the days between), in December the month */
    rig->params.now_us = NOON_US + (7 * 24 - 6) * HOUR_US;
    assert_int_equal(report_keep_missing(&rig->params, &err), 7);
    rig->params.now_us = NOON_US + (8 * 24 - 6) * HOUR_US;
    assert_int_equal(report_keep_missing(&rig->params, &err), 2);
    assert_int_equal(catalogue_read(rig->catalogue, list_all, text, &err), 0);
    assert_non_null(strstr(text, "2026-11-23 "));
    assert_non_null(strstr(text, "2026-W48 "));
    assert_non_null(strstr(text, "2026-11 "));
    assert_null(strstr(text, "2026-11-22 "));
}

static void a_kept_report_answers_and_is_cut_alike(void **state)
{
    struct rig *rig = *state;
    struct err err;
    struct user user = {.name = "u", .role = "admin", .scope = "institution:i-1"};
    rig->params.now_us = NOON_US + 18 * HOUR_US;
    assert_int_equal(report_keep_missing(&rig->params, &err), 1);
    rig->params.now_us += 24 * HOUR_US;
    rig->params.period = "2026-11-23";
    rig->params.user = &user;
    json_t *report = get(rig);
    json_t *list = json_object_get(report, "institutions");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "id")), "i-1");
    assert_true(number(json_object_get(report, "totals"), "expected_s") ==
                number(json_array_get(list, 0), "expected_s"));
    assert_string_equal(json_string_value(json_object_get(report, "generated_at")),
                        "2026-11-23T22:00:00.000Z");
    json_decref(report);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rates_are_sums_over_sums),
        TEST(a_report_is_cut_to_node_and_scope),
        TEST(a_wrong_period_is_refused),
        TEST(finished_periods_are_kept_once),
        TEST(a_kept_report_answers_and_is_cut_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
