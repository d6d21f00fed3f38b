#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"

static void keeps_what_was_put(void **state)
{
    (void)state;
    struct map *m = map_create();
    int a = 0;
    int b = 0;
    assert_null(map_get(m, "x"));
    assert_null(map_put(m, "x", &a));
    assert_ptr_equal(map_put(m, "x", &b), &a);
    assert_ptr_equal(map_get(m, "x"), &b);
    assert_int_equal(map_count(m), 1);
    assert_ptr_equal(map_remove(m, "x"), &b);
    assert_null(map_remove(m, "x"));
    assert_int_equal(map_count(m), 0);
    map_destroy(&m);
    assert_null(m);
    map_destroy(&m);
}

/* Against a plain array, with many collisions and removals. */
static void agrees_with_an_array(void **state)
{
    (void)state;
    enum { KEYS = 300 };
    static char truth[KEYS];
    struct map *m = map_create();
    uint32_t random = 1;
    for (int i = 0; i < 20000; i++) {
        random = random * 1664525 + 1013904223;
        int k = (int)(random >> 8) % KEYS;
        char key[16];
        snprintf(key, sizeof key, "cam-%d", k);
        bool is_put = random >> 31;
        void *want = truth[k] ? &truth[k] : NULL;
        assert_ptr_equal(is_put ? map_put(m, key, &truth[k]) : map_remove(m, key), want);
        truth[k] = is_put;
    }
    size_t n = 0;
    for (int k = 0; k < KEYS; k++) {
        char key[16];
        snprintf(key, sizeof key, "cam-%d", k);
        assert_ptr_equal(map_get(m, key), truth[k] ? &truth[k] : NULL);
        n += truth[k] != 0;
    }
    assert_int_equal(map_count(m), n);
    size_t pos = 0;
    size_t seen = 0;
    const char *key = NULL;
    void *value = NULL;
    while (map_next(m, &pos, &key, &value)) {
        assert_ptr_equal(map_get(m, key), value);
        seen++;
    }
    assert_int_equal(seen, n);
    map_destroy(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_put),
        cmocka_unit_test(agrees_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
