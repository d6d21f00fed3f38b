#include "ingest/backoff.h"

#include "rig.h"

#define MIN_US (60 * US_PER_S)

static void assert_within(int64_t us, int64_t low_us, int64_t high_us)
{
    if (us < low_us || us > high_us)
        fail_msg("%lld is not within %lld…%lld", (long long)us, (long long)low_us,
                 (long long)high_us);
}

static void L3_doubles_up_to_half_a_minute(void **state)
{
    static const int seconds[] = {1, 2, 4, 8, 16, 30, 30, 30};
    (void)state;
    for (uint64_t seed = 1; seed < 50; seed++) {
        struct backoff b;
        backoff_init(&b, seed);
        for (size_t i = 0; i < ARRAY_LEN(seconds); i++)
            assert_within(backoff_failed(&b, CAUSE_TIMEOUT, (int64_t)i * MIN_US),
                          seconds[i] * US_PER_S / 2, seconds[i] * US_PER_S * 3 / 2);
    }
}

static void L3_spreads_cameras(void **state)
{
    (void)state;
    int64_t low = INT64_MAX;
    int64_t high = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct backoff b;
        backoff_init(&b, seed);
        int64_t delay_us = backoff_failed(&b, CAUSE_REFUSED, 0);
        low = MIN(low, delay_us);
        high = MAX(high, delay_us);
    }
    assert_within(low, 500000, 520000);
    assert_within(high, 1480000, 1500000);
}

static void forgives_after_good_media(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, 1);
    for (int i = 0; i < 6; i++)
        backoff_failed(&b, CAUSE_TIMEOUT, 0);
    backoff_good(&b, 1000 * US_PER_S, 980 * US_PER_S); /* too short */
    assert_within(backoff_failed(&b, CAUSE_PROTOCOL, 1000 * US_PER_S), 15 * US_PER_S, MIN_US);
    backoff_good(&b, 1040 * US_PER_S, 1010 * US_PER_S);
    assert_within(backoff_failed(&b, CAUSE_TIMEOUT, 1040 * US_PER_S), 0, 1500000);
}

static void L4_retries_fast_while_a_camera_starts(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, 1);
    backoff_good(&b, 100 * US_PER_S, 0);
    static const enum stream_cause causes[] = {CAUSE_REFUSED, CAUSE_TIMEOUT, CAUSE_UNREACHABLE,
                                               CAUSE_NOT_FOUND, CAUSE_BUSY};
    for (int s = 101; s < 220; s += 5)
        assert_within(backoff_failed(&b, causes[s / 5 % 5], s * US_PER_S), 0, 5 * US_PER_S);
    assert_within(backoff_failed(&b, CAUSE_REFUSED, 221 * US_PER_S), 15 * US_PER_S, MIN_US);
}

static void A8_is_careful_with_wrong_passwords(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, 1);
    assert_within(backoff_failed(&b, CAUSE_AUTH, 0), 10 * MIN_US, 12 * MIN_US);
    assert_within(backoff_failed(&b, CAUSE_AUTH, 0), 20 * MIN_US, 24 * MIN_US);
    assert_within(backoff_failed(&b, CAUSE_AUTH, 0), 40 * MIN_US, 48 * MIN_US);
    assert_within(backoff_failed(&b, CAUSE_AUTH, 0), 60 * MIN_US, 72 * MIN_US);
    assert_within(backoff_failed(&b, CAUSE_AUTH, 0), 60 * MIN_US, 72 * MIN_US);
    backoff_reset(&b);
    assert_within(backoff_failed(&b, CAUSE_AUTH, 0), 10 * MIN_US, 12 * MIN_US);
    backoff_reset(&b);
    backoff_good(&b, MIN_US, 0); /* the password was right: a limit of the device */
    assert_within(backoff_failed(&b, CAUSE_AUTH, MIN_US), MIN_US, 2 * MIN_US);
    assert_within(backoff_failed(&b, CAUSE_AUTH, MIN_US), 10 * MIN_US, 12 * MIN_US); /* or not */
    for (int i = 0; i < 10; i++)
        assert_within(backoff_failed(&b, CAUSE_AUTH, MIN_US), 20 * MIN_US, 24 * MIN_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L3_doubles_up_to_half_a_minute),
        cmocka_unit_test(L3_spreads_cameras),
        cmocka_unit_test(forgives_after_good_media),
        cmocka_unit_test(L4_retries_fast_while_a_camera_starts),
        cmocka_unit_test(A8_is_careful_with_wrong_passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
