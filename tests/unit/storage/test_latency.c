#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/latency.h"

static void latencies_are_those_of_the_last_minutes(void **state)
{
    (void)state;
    struct latency *l = xcalloc(1, sizeof *l);
    struct latency_figures f;
    latency_read(l, 1, &f);
    assert_int_equal(f.n, 0);
    for (int i = 0; i < 980; i++)
        latency_add(l, 30 * US_PER_S + i, 200, 1000);
    for (int i = 0; i < 20; i++)
        latency_add(l, 31 * US_PER_S, 40000 + i, 1000);
    latency_read(l, 45 * US_PER_S, &f);
    assert_int_equal(f.n, 1000);
    assert_in_range(f.median_us, 200, 250);
    assert_in_range(f.p99_us, 40000, 50000);
    assert_int_equal(f.max_us, 40019);
    assert_true(fabs(f.bytes_per_s - 1000 * 1000 / 45.0) < 1);
    latency_add(l, 300 * US_PER_S, 7, 0); /* four minutes later */
    latency_read(l, 300 * US_PER_S, &f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.max_us, 7);
    assert_int_equal(f.median_us, 7);
    latency_read(l, 3000 * US_PER_S, &f);
    assert_int_equal(f.n, 0);
    latency_add(l, 3000 * US_PER_S, INT64_MAX / 2, 0);
    latency_add(l, 3000 * US_PER_S, -5, 0);
    latency_read(l, 3000 * US_PER_S, &f);
    assert_int_equal(f.n, 2);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latencies_are_those_of_the_last_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
