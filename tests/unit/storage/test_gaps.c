#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"
#include "storage/gaps.h"

struct rig {
    struct facts facts;
    struct recordings rec;
    struct span_row spans[8];
    size_t n_spans;
};

static int setup(void **state)
{
    *state = xcalloc(1, sizeof(struct rig));
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    facts_fini(&rig->facts);
    free(rig->rec.gaps);
    free(rig);
    return 0;
}

static void span(struct rig *rig, int64_t from, int64_t to)
{
    rig->spans[rig->n_spans++] = (struct span_row){.from_us = from, .to_us = to};
}

static void find(struct rig *rig, int64_t from, int64_t to)
{
    gaps_find(rig->spans, rig->n_spans, &rig->facts, from, to, &rig->rec);
}

static void check(struct rig *rig, size_t i, int64_t from, int64_t to, const char *cause)
{
    assert_true(i < rig->rec.n_gaps);
    assert_int_equal(rig->rec.gaps[i].from_us, from);
    assert_int_equal(rig->rec.gaps[i].to_us, to);
    assert_string_equal(rig->rec.gaps[i].cause, cause);
}

static void no_facts_no_cause(void **state)
{
    struct rig *rig = *state;
    span(rig, 10, 20);
    span(rig, 30, 40);
    find(rig, 0, 50);
    assert_int_equal(rig->rec.n_gaps, 3);
    check(rig, 0, 0, 10, "unknown");
    check(rig, 1, 20, 30, "unknown");
    check(rig, 2, 40, 50, "unknown");
}

static void nothing_is_missing(void **state)
{
    struct rig *rig = *state;
    span(rig, 0, 100);
    find(rig, 10, 50);
    assert_int_equal(rig->rec.n_gaps, 0);
}

/* The source was down before anybody noticed, and up again before the first key frame. */
static void the_cause_covers_what_was_noticed_late(void **state)
{
    struct rig *rig = *state;
    facts_add(&rig->facts, FACT_STATE, 0, 25, "ok");
    facts_add(&rig->facts, FACT_STATE, 25, 40, "timeout");
    facts_add(&rig->facts, FACT_STATE, 40, 45, "connecting");
    facts_add(&rig->facts, FACT_STATE, 45, 90, "ok");
    span(rig, 0, 20);
    span(rig, 47, 90);
    find(rig, 0, 90);
    assert_int_equal(rig->rec.n_gaps, 1);
    check(rig, 0, 20, 47, "timeout");
}

static void a_gap_of_two_causes_is_two(void **state)
{
    struct rig *rig = *state;
    facts_add(&rig->facts, FACT_STATE, 0, 30, "auth");
    facts_add(&rig->facts, FACT_STATE, 30, 100, "refused");
    find(rig, 0, 60);
    assert_int_equal(rig->rec.n_gaps, 2);
    check(rig, 0, 0, 30, "auth");
    check(rig, 1, 30, 60, "refused");
}

static void stronger_facts_win(void **state)
{
    struct rig *rig = *state;
    facts_add(&rig->facts, FACT_DELETED, 0, 50, "expired");
    facts_add(&rig->facts, FACT_STATE, 0, 200, "auth");
    facts_add(&rig->facts, FACT_STOPPED, 40, 120, "server_stopped");
    find(rig, 0, 200);
    assert_int_equal(rig->rec.n_gaps, 3);
    check(rig, 0, 0, 50, "expired");
    check(rig, 1, 50, 120, "server_stopped");
    check(rig, 2, 120, 200, "auth");
}

static void a_moment_of_silence_is_not_unknown(void **state)
{
    struct rig *rig = *state;
    int64_t s = 1000000;
    facts_add(&rig->facts, FACT_STOPPED, 0, 100 * s, "server_stopped");
    facts_add(&rig->facts, FACT_STATE, 102 * s, 110 * s, "auth");
    find(rig, 0, 200 * s);
    assert_int_equal(rig->rec.n_gaps, 3);
    check(rig, 1, 100 * s, 110 * s, "auth");
    check(rig, 2, 110 * s, 200 * s, "unknown");
}

static void ok_alone_explains_nothing(void **state)
{
    struct rig *rig = *state;
    facts_add(&rig->facts, FACT_STATE, 0, 100, "ok");
    span(rig, 0, 10);
    span(rig, 20, 100);
    find(rig, 0, 100);
    assert_int_equal(rig->rec.n_gaps, 1);
    check(rig, 0, 10, 20, "unknown");
}

/* Another address, another transport: we know that we were on our way. */
static void new_settings_are_told_as_connecting(void **state)
{
    struct rig *rig = *state;
    facts_add(&rig->facts, FACT_STATE, 0, 15, "ok");
    facts_add(&rig->facts, FACT_STATE, 15, 18, "connecting");
    facts_add(&rig->facts, FACT_STATE, 18, 100, "ok");
    span(rig, 0, 10);
    span(rig, 20, 30);
    span(rig, 40, 100);
    find(rig, 0, 100);
    assert_int_equal(rig->rec.n_gaps, 2);
    check(rig, 0, 10, 20, "connecting");
    check(rig, 1, 30, 40, "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_facts_no_cause),
        TEST(nothing_is_missing),
        TEST(the_cause_covers_what_was_noticed_late),
        TEST(a_gap_of_two_causes_is_two),
        TEST(stronger_facts_win),
        TEST(a_moment_of_silence_is_not_unknown),
        TEST(new_settings_are_told_as_connecting),
        TEST(ok_alone_explains_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
