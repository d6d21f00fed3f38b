#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

static void moves_only_when_told(void **state)
{
    (void)state;
    struct clock_virtual v;
    clock_virtual_init(&v, 1000);
    int64_t mono_us = clock_mono_us(&v.clock);
    assert_int_equal(clock_wall_us(&v.clock), 1000);
    clock_virtual_advance(&v, 5);
    assert_int_equal(clock_wall_us(&v.clock), 1005);
    assert_int_equal(clock_mono_us(&v.clock), mono_us + 5);
    assert_true(clock_mono_us(clock_system()) > 0);
    assert_true(clock_wall_us(clock_system()) > INT64_C(1600000000) * US_PER_S);
}

static const struct {
    const char *text;
    const char *utc; /* NULL = refused */
} times[] = {
    {"2026-11-23T04:05:06.789Z", "2026-11-23T04:05:06.789Z"},
    {"2026-11-23T12:05:06.789+08:00", "2026-11-23T04:05:06.789Z"},
    {"2026-11-23T12:05:06 08:00", "2026-11-23T04:05:06.000Z"},
    {"2026-11-22t23:35:06-0430", "2026-11-23T04:05:06.000Z"},
    {"2026-11-23 04:05:06.7894567z", "2026-11-23T04:05:06.789Z"},
    {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
    {"1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"},
    {"2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"},
    {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"}, /* a leap second */
    {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"},
    {"1900-02-29T00:00:00Z", NULL},
    {"2026-02-30T00:00:00Z", NULL},
    {"2026-13-01T00:00:00Z", NULL},
    {"2026-00-01T00:00:00Z", NULL},
    {"2026-01-01T24:00:00Z", NULL},
    {"2026-01-01T00:00:00", NULL},
    {"2026-01-01T00:00:00.Z", NULL},
    {"2026-01-01T00:00:00+24:00", NULL},
    {"2026-01-01", NULL},
    {"2026-01-01T00:00:00Zx", NULL},
    {"", NULL},
};

static void reads_and_prints_rfc3339(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        int64_t wall_us = -1;
        int rc = rfc3339_parse(times[i].text, &wall_us);
        if (!times[i].utc) {
            assert_int_equal(rc, ERR_PARSE);
            assert_int_equal(wall_us, -1);
            continue;
        }
        char text[CLOCK_RFC3339_BYTES];
        assert_int_equal(rc, 0);
        assert_string_equal(rfc3339_print(wall_us, text), times[i].utc);
    }
}

static void converts_every_day_both_ways(void **state)
{
    (void)state;
    struct civil before = civil_of(INT64_C(-800) * 365 * 86400 * US_PER_S);
    for (int64_t day = -800 * 365 + 1; day < 800 * 365; day++) {
        int64_t us = day * 86400 * US_PER_S + 3723000456;
        struct civil c = civil_of(us);
        assert_int_equal(civil_to_us(&c), us);
        assert_true(c.hour == 1 && c.minute == 2 && c.second == 3 && c.us == 456);
        bool is_next_day = c.day == before.day + 1 && c.month == before.month;
        bool is_next_month = c.day == 1 && (c.month == before.month + 1 ||
                                            (c.month == 1 && c.year == before.year + 1));
        assert_true(is_next_day || is_next_month);
        before = c;
    }
}

static void ticks_of_any_number_leave_room_for_a_wall_clock(void **state)
{
    (void)state;
    const int64_t now_us = INT64_C(1790000000000000);
    assert_int_equal(us_of_ticks(90000 * INT64_C(3600) + 45, 90000), 3600 * US_PER_S + 500);
    assert_int_equal(us_of_ticks(-90045, 90000), -US_PER_S - 500);
    assert_int_equal(us_of_ticks(1, 0), 0);
    assert_int_equal(us_of_ticks(INT64_MAX, UINT32_MAX), INT64_C(2147483648499999));
    assert_true(us_of_ticks(INT64_MAX, 1) <= INT64_MAX - now_us);
    assert_true(us_of_ticks(INT64_MIN, 1) >= INT64_MIN + now_us);
    assert_true(us_of_ticks(INT64_MAX, 1) > now_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_only_when_told),
        cmocka_unit_test(reads_and_prints_rfc3339),
        cmocka_unit_test(converts_every_day_both_ways),
        cmocka_unit_test(ticks_of_any_number_leave_room_for_a_wall_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
