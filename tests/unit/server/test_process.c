#include "server/process.h"

#include "unit.h"

static void the_api_has_its_descriptors_before_the_cameras(void **state)
{
    static const int limits[] = {1 << 20, 65536, 8192, 1024, 256, 128, 64, 0};
    struct process_files f, before = {0};
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        process_share_files(limits[i], 60, &f);
        assert_true(f.n_pages >= 16 && f.n_cameras >= 0);
        if (f.n_cameras > 0) /* each page with a file, some to be refused, our own, theirs */
            assert_true(60 + 2 * f.n_pages + f.n_pages + f.n_cameras < limits[i]);
        if (i > 0)
            assert_true(f.n_pages <= before.n_pages && f.n_cameras <= before.n_cameras);
        before = f;
    }
    process_share_files(65536, 100, &f); /* what the service sets */
    assert_int_equal(f.n_pages, 4000);
    assert_true(f.n_cameras / 2 > 2 * 2000);
    process_share_files(1024, 60, &f); /* what a shell has */
    assert_true(f.n_cameras / 2 > 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_api_has_its_descriptors_before_the_cameras),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
