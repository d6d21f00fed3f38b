#include "server/failures.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "unit.h"

enum { FREE_TRIES = 3 };

static void note(struct failures *f, const char *key, int n, int64_t now_us)
{
    for (int i = 0; i < n; i++)
        failures_note(f, key, FREE_TRIES, now_us);
}

static void each_one_behind_the_free_tries_costs_twice_the_time(void **state)
{
    (void)state;
    struct failures *f = failures_create();
    int64_t now_us = US_PER_S;
    note(f, "a", FREE_TRIES - 1, now_us);
    assert_int_equal(failures_wait_s(f, "a", now_us), 0);
    for (int i = 0; i < 12; i++) {
        note(f, "a", 1, now_us);
        assert_int_equal(failures_wait_s(f, "a", now_us), MIN(1 << i, FAILURES_MAX_WAIT_S));
    }
    assert_int_equal(failures_wait_s(f, "a", now_us + US_PER_S), FAILURES_MAX_WAIT_S - 1);
    assert_int_equal(failures_wait_s(f, "b", now_us), 0);
    failures_forget(f, "a");
    assert_int_equal(failures_wait_s(f, "a", now_us), 0);
    failures_destroy(&f);
}

static void a_long_quiet_time_starts_the_count_anew(void **state)
{
    (void)state;
    struct failures *f = failures_create();
    int64_t now_us = US_PER_S, quiet_us = 2 * FAILURES_MAX_WAIT_S * US_PER_S;
    note(f, "a", FREE_TRIES + 3, now_us);
    now_us += quiet_us;
    note(f, "a", 1, now_us);
    assert_int_equal(failures_wait_s(f, "a", now_us), 16);
    now_us += quiet_us + 1;
    note(f, "a", 1, now_us);
    assert_int_equal(failures_wait_s(f, "a", now_us), 0);
    failures_destroy(&f);
}

static void a_full_one_forgets_the_longest_quiet(void **state)
{
    (void)state;
    struct failures *f = failures_create();
    char key[32];
    for (int i = 0; i <= FAILURES_MAX; i++) {
        snprintf(key, sizeof key, "%d", i);
        note(f, key, FREE_TRIES + 8, US_PER_S + i);
    }
    assert_int_equal(failures_wait_s(f, "0", US_PER_S), 0);
    assert_int_not_equal(failures_wait_s(f, "1", US_PER_S), 0);
    failures_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_one_behind_the_free_tries_costs_twice_the_time),
        cmocka_unit_test(a_long_quiet_time_starts_the_count_anew),
        cmocka_unit_test(a_full_one_forgets_the_longest_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
