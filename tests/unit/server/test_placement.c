#include "server/placement.h"

#include "unit.h"

static void the_cameras_of_a_recorder_share_a_loop(void **state)
{
    (void)state;
    struct placement *p = placement_create(4);
    int first = placement_take(p, "rtsp://10.0.0.5:554/ch1");
    for (int i = 0; i < 31; i++)
        assert_int_equal(placement_take(p, "rtsp://10.0.0.5/ch2"), first);
    placement_destroy(&p);
}

static void hosts_are_spread_evenly(void **state)
{
    (void)state;
    int n[4] = {0};
    struct placement *p = placement_create(4);
    for (int i = 0; i < 400; i++) {
        char url[64];
        snprintf(url, sizeof url, "rtsp://10.0.%d.%d/main", i / 200, i % 200);
        n[placement_take(p, url)]++;
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(n[i], 100);
    placement_destroy(&p);
}

static void a_gateway_spills_over(void **state)
{
    (void)state;
    int n[2] = {0};
    struct placement *p = placement_create(2);
    for (int i = 0; i < 1000; i++)
        n[placement_take(p, "rtsp://127.0.0.1/x")]++;
    assert_true(n[0] >= 400 && n[1] >= 400);
    for (int loop = 0; loop < 2; loop++)
        while (n[loop]-- > 0)
            placement_give(p, "rtsp://127.0.0.1/x", loop);
    assert_int_equal(placement_take(p, "no address"), 0); /* all is forgotten */
    placement_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cameras_of_a_recorder_share_a_loop),
        cmocka_unit_test(hosts_are_spread_evenly),
        cmocka_unit_test(a_gateway_spills_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
