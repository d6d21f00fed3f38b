/* How cameras are spread: over the volumes that work, and over time. */
#include "rig.h"

#include <math.h>

#include "storage/db_segments.h"

enum { N_CAMERAS = 20000 };

static void count_shares(struct volume *const *list, size_t n, int *shares)
{
    memset(shares, 0, n * sizeof *shares);
    for (int i = 0; i < N_CAMERAS; i++) {
        char id[32];
        snprintf(id, sizeof id, "cam-%05d", i);
        const struct volume *v = volume_pick(list, n, id, 1);
        if (v != NULL)
            shares[v->index]++;
    }
}

static struct volume *fake_volume(size_t index, int64_t total, int64_t free_bytes)
{
    struct volume *v = xcalloc(1, sizeof *v);
    snprintf(v->path, sizeof v->path, "/rec/disk%zu", index);
    v->index = index;
    v->queue_max_bytes = 100;
    v->config.reserve_percent = 5;
    atomic_store(&v->total_bytes, total);
    atomic_store(&v->free_bytes, free_bytes);
    return v;
}

static void assert_share(int n, double expected)
{
    double share = (double)n / N_CAMERAS;
    if (fabs(share - expected) > 0.015)
        fail_msg("share %.3f instead of %.3f", share, expected);
}

static void volumes_get_their_share(void **state)
{
    (void)state;
    const int64_t tb = INT64_C(1) << 40;
    int shares[4], before[4];
    struct volume *list[4] = {fake_volume(0, 4 * tb, 4 * tb), fake_volume(1, 8 * tb, 8 * tb),
                              fake_volume(2, 12 * tb, 12 * tb), fake_volume(3, 16 * tb, 16 * tb)};
    count_shares(list, 4, before); /* by size */
    for (int i = 0; i < 4; i++)
        assert_share(before[i], (i + 1) / 10.0);
    atomic_store(&list[3]->fault, VOLUME_FAILED); /* its cameras go to all the others */
    count_shares(list, 4, shares);
    assert_int_equal(shares[3], 0);
    for (int i = 0; i < 3; i++) {
        assert_true(shares[i] >= before[i]);
        assert_share(shares[i], (i + 1) / 6.0);
    }
    atomic_store(&list[3]->fault, VOLUME_OK); /* all full but one that is new */
    for (int i = 0; i < 4; i++) {
        atomic_store(&list[i]->total_bytes, 8 * tb);
        atomic_store(&list[i]->free_bytes, i == 3 ? 8 * tb : 8 * tb / 20);
    }
    count_shares(list, 4, shares);
    for (int i = 0; i < 4; i++)
        assert_share(shares[i], i == 3 ? 0.4 : 0.2);
    for (int i = 0; i < 4; i++)
        free(list[i]);
}

static void worse_volumes_are_taken_only_without_better_ones(void **state)
{
    (void)state;
    struct volume *list[3] = {fake_volume(0, 100, 50), fake_volume(1, 100, 50),
                              fake_volume(2, 100, 50)};
    int shares[3];
    int64_t now_us = 10 * VOLUME_STALL_US;
    atomic_store(&list[0]->writing.busy_mono_us, now_us - VOLUME_STALL_US);
    atomic_store(&list[1]->sound_us, now_us + 1);
    assert_int_equal(volume_grade(list[0], now_us), VOLUME_SILENT);
    assert_int_equal(volume_grade(list[1], now_us), VOLUME_ON_TRIAL);
    assert_ptr_equal(volume_pick(list, 3, "cam", now_us), list[2]);
    atomic_store(&list[2]->queued_bytes, 51);
    assert_int_equal(volume_grade(list[2], now_us), VOLUME_UNUSABLE);
    assert_ptr_equal(volume_pick(list, 3, "cam", now_us), list[1]);
    atomic_store(&list[1]->fault, VOLUME_MISSING);
    assert_ptr_equal(volume_pick(list, 3, "cam", now_us), list[0]);
    atomic_store(&list[0]->fault, VOLUME_FAILED);
    assert_null(volume_pick(list, 3, "cam", now_us));
    count_shares(list, 3, shares);
    for (int i = 0; i < 3; i++)
        free(list[i]);
}

/* A thousand cameras that start together do not end their segments together, then or later. */
static void rotation_is_spread_over_time(void **state)
{
    (void)state;
    const int64_t period_us = 600 * US_PER_S, start_us = 12345 * US_PER_S;
    int in_second[1200] = {0};
    int most = 0;
    for (int i = 0; i < 1000; i++) {
        char id[32];
        snprintf(id, sizeof id, "cam-%03d", i);
        int64_t first_us = rotation_length_us(id, STREAM_MAIN, start_us, period_us);
        assert_in_range(first_us, period_us / 2, period_us * 3 / 2);
        in_second[first_us / US_PER_S]++;
        /* two seconds late, for the key frame: the next one is early again */
        int64_t next_us =
            rotation_length_us(id, STREAM_MAIN, start_us + first_us + 2 * US_PER_S, period_us);
        assert_int_equal(next_us, period_us - 2 * US_PER_S);
    }
    for (size_t i = 0; i < ARRAY_LEN(in_second); i++)
        most = MAX(most, in_second[i]);
    assert_true(most <= 10); /* 1.7 on average */
}

static void later_segments_have_full_length(void **state)
{
    struct rig *rig = *state;
    struct segment_row rows[16];
    rig->params.is_staggered = true;
    rig->params.segment_us = 8 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    for (int i = 0; i < 60; i++)
        rig_pictures(rig, 25, 25);
    rig_stop(rig);
    size_t n = rig_rows(rig, rows, 16);
    assert_in_range(n, 7, 9);
    assert_true(rows[0].to_us - rows[0].id.from_us <= 13 * US_PER_S);
    for (size_t i = 1; i + 1 < n; i++)
        assert_int_equal(rows[i].to_us - rows[i].id.from_us, 8 * US_PER_S);
    assert_int_equal(rig_check(rig), 60 * 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volumes_get_their_share),
        cmocka_unit_test(worse_volumes_are_taken_only_without_better_ones),
        cmocka_unit_test(rotation_is_spread_over_time),
        cmocka_unit_test_setup_teardown(later_segments_have_full_length, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
