#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <pthread.h>

#include <cmocka.h>

#include "base/queue.h"

static void is_first_in_first_out(void **state)
{
    (void)state;
    struct queue *q = queue_create(NULL);
    static int items[100];
    size_t at = 0;
    bool was_empty = false;
    assert_null(queue_pop(q));
    for (int i = 0; i < 100; i++) {
        assert_true(queue_push(q, &items[i], 10, &was_empty));
        assert_int_equal(was_empty, i == 0);
        if (i % 3 == 2)
            assert_ptr_equal(queue_pop(q), &items[at++]);
    }
    assert_int_equal(queue_count(q), 100 - at);
    assert_int_equal(queue_bytes(q), 10 * (100 - at));
    while (at < 100)
        assert_ptr_equal(queue_pop(q), &items[at++]);
    assert_null(queue_pop(q));
    queue_destroy(&q);
    queue_destroy(&q);
}

static void is_bounded_in_entries_and_bytes(void **state)
{
    (void)state;
    struct queue *q = queue_create(&(struct queue_params){.max_entries = 3, .max_bytes = 100});
    int x = 0;
    bool was_empty = true;
    assert_true(queue_push(q, &x, 60, NULL));
    assert_false(queue_push(q, &x, 41, &was_empty));
    assert_false(was_empty);
    assert_true(queue_push(q, &x, 40, NULL));
    assert_true(queue_push(q, &x, 0, NULL));
    assert_false(queue_push(q, &x, 0, NULL));
    for (int i = 0; i < 3; i++)
        queue_pop(q);
    assert_true(queue_push(q, &x, 1000, NULL)); /* else it would never pass */
    assert_false(queue_push(q, &x, 1, NULL));
    queue_pop(q);
    queue_destroy(&q);
}

struct race {
    struct queue *q;
    int n_taken;
    long sum;
};

static void *consume(void *ctx)
{
    struct race *r = ctx;
    long *item;
    while ((item = queue_wait(r->q))) {
        r->n_taken++;
        r->sum += *item;
    }
    return NULL;
}

static void serves_a_waiting_thread(void **state)
{
    (void)state;
    enum { ITEMS = 20000 };
    static long items[ITEMS];
    struct race r = {.q = queue_create(&(struct queue_params){.max_entries = 64})};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, consume, &r), 0);
    long sum = 0;
    for (long i = 0; i < ITEMS; i++) {
        items[i] = i;
        sum += i;
        while (!queue_push(r.q, &items[i], 1, NULL))
            continue;
    }
    queue_close(r.q);
    pthread_join(thread, NULL);
    assert_int_equal(r.n_taken, ITEMS);
    assert_int_equal(r.sum, sum);
    assert_false(queue_push(r.q, &items[0], 1, NULL));
    assert_null(queue_wait(r.q));
    queue_destroy(&r.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_first_in_first_out),
        cmocka_unit_test(is_bounded_in_entries_and_bytes),
        cmocka_unit_test(serves_a_waiting_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
