#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

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
    resolve_start(got.loop, NULL, "10.0.0.7", 554, false, on_done, &got);
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
    struct resolver *resolver = resolver_create(NULL);
    resolve_start(got.loop, resolver, "localhost", 554, false, on_done, &got);
    loop_run(got.loop);
    assert_int_equal(got.code, 0);
    assert_true(got.n >= 1 && address_is_loopback(&got.first));
    assert_int_equal(address_port(&got.first), 554);
    resolve_start(got.loop, resolver, "no such host", 554, false, on_done, &got);
    loop_run(got.loop);
    assert_int_equal(got.code, ERR_DNS);
    assert_int_equal(got.n_calls, 2);
    resolver_destroy(&resolver);
    loop_destroy(&got.loop);
}

static void says_nothing_when_cancelled(void **state)
{
    (void)state;
    struct got got = {.loop = loop_create(NULL)};
    struct resolver *resolver = resolver_create(NULL);
    struct resolve *a = resolve_start(got.loop, resolver, "localhost", 1, false, on_done, &got);
    struct resolve *b = resolve_start(got.loop, resolver, "::1", 1, false, on_done, &got);
    resolve_cancel(&a);
    resolve_cancel(&b);
    resolve_cancel(&b);
    assert_null(a);
    resolver_destroy(&resolver);
    loop_turn(got.loop, false);
    loop_destroy(&got.loop);
    assert_int_equal(got.n_calls, 0);
}

/* --- names that do not resolve --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_open;
    int n_asked, n_left;
} system_ = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

/* Nobody answers for "dead". */
static int look_up(const char *host, struct address list[RESOLVE_MAX_ADDRESSES], struct err *err)
{
    pthread_mutex_lock(&system_.lock);
    bool is_dead = strcmp(host, "dead") == 0;
    system_.n_asked += is_dead;
    pthread_cond_broadcast(&system_.wake);
    while (is_dead && !system_.is_open)
        pthread_cond_wait(&system_.wake, &system_.lock);
    system_.n_left += is_dead;
    pthread_cond_broadcast(&system_.wake);
    pthread_mutex_unlock(&system_.lock);
    if (is_dead)
        return err_text(err, ERR_DNS, "nobody answers");
    address_parse("10.0.0.1", 0, &list[0]);
    return 1;
}

static void wait_for(const int *counter, int n)
{
    pthread_mutex_lock(&system_.lock);
    while (*counter < n)
        pthread_cond_wait(&system_.wake, &system_.lock);
    pthread_mutex_unlock(&system_.lock);
}

static void a_dead_name_server_holds_up_nobody_else(void **state)
{
    (void)state;
    enum { DEAD = 3 * RESOLVE_DOUBTFUL_THREADS };
    struct got got = {.loop = loop_create(NULL)}, never = got;
    struct resolver *resolver = resolver_create(look_up);
    struct resolve *dead[DEAD];
    for (int i = 0; i < DEAD; i++)
        dead[i] = resolve_start(got.loop, resolver, "dead", 1, true, on_done, &never);
    wait_for(&system_.n_asked, RESOLVE_DOUBTFUL_THREADS);
    resolve_start(got.loop, resolver, "alive", 554, false, on_done, &got);
    loop_run(got.loop);
    assert_int_equal(got.code, 0);
    assert_int_equal(address_port(&got.first), 554);
    int n_begun = 0;
    for (int i = 0; i < DEAD; i++) {
        n_begun += resolve_has_begun(dead[i]);
        resolve_cancel(&dead[i]);
    }
    assert_int_equal(n_begun, RESOLVE_DOUBTFUL_THREADS);
    resolver_destroy(&resolver); /* though some are asked for */
    loop_turn(got.loop, false);
    loop_destroy(&got.loop);
    pthread_mutex_lock(&system_.lock);
    system_.is_open = true;
    pthread_cond_broadcast(&system_.wake);
    pthread_mutex_unlock(&system_.lock);
    wait_for(&system_.n_left, RESOLVE_DOUBTFUL_THREADS);
    assert_int_equal(system_.n_asked, RESOLVE_DOUBTFUL_THREADS); /* what was cancelled never was */
    assert_int_equal(never.n_calls, 0);
}

static void says_busy_without_a_place_in_the_pool(void **state)
{
    (void)state;
    struct got got = {.loop = loop_create(NULL)};
    resolve_start(got.loop, NULL, "localhost", 1, false, on_done, &got);
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
        cmocka_unit_test(a_dead_name_server_holds_up_nobody_else),
        cmocka_unit_test(says_busy_without_a_place_in_the_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
