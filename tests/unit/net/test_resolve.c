#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/resolve.h"

struct got {
    struct loop *loop;
    int n_calls;
    int code;
    size_t n;
    struct address first;
};

static void on_done(void *ctx, const struct err *err, const struct address *list, size_t n)
{
    struct got *got = ctx;
    loop_assert(got->loop);
    got->n_calls++;
    got->code = err ? err->code : 0;
    got->n = n;
    if (n > 0)
        got->first = list[0];
    loop_stop(got->loop);
}

static void answers_numbers_without_the_pool(void **state)
{
    (void)state;
    struct got got = {.loop = loop_create(NULL)};
    char text[ADDRESS_TEXT_BYTES];
    resolve_start(got.loop, NULL, "10.0.0.7", 554, on_done, &got);
    assert_int_equal(got.n_calls, 0); /* never from within the call */
    loop_run(got.loop);
    assert_int_equal(got.n_calls, 1);
    assert_int_equal(got.n, 1);
    assert_string_equal(address_print(&got.first, text, sizeof text), "10.0.0.7:554");
    loop_destroy(&got.loop);
}

static void asks_the_pool_for_names(void **state)
{
    (void)state;
    struct got got = {.loop = loop_create(NULL)};
    struct pool *pool = pool_create(NULL);
    resolve_start(got.loop, pool, "localhost", 554, on_done, &got);
    loop_run(got.loop);
    assert_int_equal(got.code, 0);
    assert_true(got.n >= 1 && address_is_loopback(&got.first));
    assert_int_equal(address_port(&got.first), 554);
    resolve_start(got.loop, pool, "no such host", 554, on_done, &got);
    loop_run(got.loop);
    assert_int_equal(got.code, ERR_DNS);
    assert_int_equal(got.n_calls, 2);
    pool_destroy(&pool);
    loop_destroy(&got.loop);
}

static void says_nothing_when_cancelled(void **state)
{
    (void)state;
    struct got got = {.loop = loop_create(NULL)};
    struct pool *pool = pool_create(NULL);
    struct resolve *a = resolve_start(got.loop, pool, "localhost", 1, on_done, &got);
    struct resolve *b = resolve_start(got.loop, pool, "::1", 1, on_done, &got);
    resolve_cancel(&a);
    resolve_cancel(&b);
    resolve_cancel(&b);
    assert_null(a);
    pool_destroy(&pool);
    loop_turn(got.loop, false);
    loop_destroy(&got.loop);
    assert_int_equal(got.n_calls, 0);
}

static void says_busy_without_a_place_in_the_pool(void **state)
{
    (void)state;
    struct got got = {.loop = loop_create(NULL)};
    resolve_start(got.loop, NULL, "localhost", 1, on_done, &got);
    loop_run(got.loop);
    assert_int_equal(got.code, ERR_BUSY);
    loop_destroy(&got.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_numbers_without_the_pool),
        cmocka_unit_test(asks_the_pool_for_names),
        cmocka_unit_test(says_nothing_when_cancelled),
        cmocka_unit_test(says_busy_without_a_place_in_the_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
