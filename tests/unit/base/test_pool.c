#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"

struct job {
    struct loop *loop;
    pthread_t worker;
    int n_done;
    atomic_int *n_worked;
};

static void work(void *ctx)
{
    struct job *job = ctx;
    job->worker = pthread_self();
    atomic_fetch_add(job->n_worked, 1);
}

static void done(void *ctx)
{
    struct job *job = ctx;
    loop_assert(job->loop);
    job->n_done++;
}

static void works_elsewhere_and_answers_at_home(void **state)
{
    (void)state;
    enum { JOBS = 500 };
    static struct job jobs[JOBS];
    atomic_int n_worked = 0;
    struct loop *loop = loop_create(NULL);
    struct pool *pool = pool_create(&(struct pool_params){.name = "test", .n_threads = 3});
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.loop = loop, .n_worked = &n_worked};
        assert_true(pool_submit(pool, work, loop, done, &jobs[i]));
    }
    struct job silent = {.n_worked = &n_worked};
    assert_true(pool_submit(pool, work, NULL, NULL, &silent));
    pool_destroy(&pool); /* finishes what was submitted */
    assert_int_equal(atomic_load(&n_worked), JOBS + 1);
    loop_turn(loop, false);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].n_done, 1);
        assert_false(pthread_equal(jobs[i].worker, pthread_self()));
    }
    assert_int_equal(silent.n_done, 0);
    loop_destroy(&loop);
}

struct gate {
    pthread_mutex_t lock;
    atomic_int n_entered;
};

static void enter(void *ctx)
{
    struct gate *gate = ctx;
    atomic_fetch_add(&gate->n_entered, 1);
    pthread_mutex_lock(&gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void refuses_when_too_much_waits(void **state)
{
    (void)state;
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct pool *pool = pool_create(&(struct pool_params){.n_threads = 1, .max_waiting = 20});
    pthread_mutex_lock(&gate.lock);
    assert_true(pool_submit(pool, enter, NULL, NULL, &gate));
    while (atomic_load(&gate.n_entered) == 0)
        poll(NULL, 0, 1);
    for (int i = 0; i < 20; i++)
        assert_true(pool_submit(pool, enter, NULL, NULL, &gate));
    assert_false(pool_submit(pool, enter, NULL, NULL, &gate));
    pthread_mutex_unlock(&gate.lock);
    pool_destroy(&pool);
    assert_int_equal(atomic_load(&gate.n_entered), 21);
}

static atomic_int n_dropped;

static void drop(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&n_dropped, 1);
}

static void abandoned_it_waits_for_nobody(void **state)
{
    (void)state;
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct loop *loop = loop_create(NULL);
    struct pool *pool = pool_create(&(struct pool_params){.n_threads = 2});
    pthread_mutex_lock(&gate.lock);
    for (int i = 0; i < 10; i++) /* done would stop at what is no job */
        assert_true(pool_submit(pool, enter, loop, done, &gate));
    while (atomic_load(&gate.n_entered) < 2)
        poll(NULL, 0, 1);
    pool_abandon(&pool, drop);
    assert_null(pool);
    assert_int_equal(atomic_load(&n_dropped), 8); /* those that waited */
    loop_turn(loop, false);
    loop_destroy(&loop); /* while two still run */
    pthread_mutex_unlock(&gate.lock);
    while (atomic_load(&n_dropped) < 10)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&gate.n_entered), 2);
    pool = pool_create(NULL);
    pool_abandon(&pool, drop); /* idle */
    assert_int_equal(atomic_load(&n_dropped), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_elsewhere_and_answers_at_home),
        cmocka_unit_test(refuses_when_too_much_waits),
        cmocka_unit_test(abandoned_it_waits_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
