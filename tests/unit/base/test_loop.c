#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <fcntl.h>
#include <pthread.h>
#include <poll.h>

#include <cmocka.h>

#include "base/loop.h"
#include "base/mem.h"

struct rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct timer timers[8];
    char trace[256];
    int n;
};

static struct rig *rig_create(void)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    clock_virtual_init(&rig->clock, 0);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    return rig;
}

static void rig_destroy(struct rig *rig)
{
    loop_destroy(&rig->loop);
    free(rig);
}

static int64_t passed_ms(struct rig *rig)
{
    return (clock_mono_us(&rig->clock.clock) - US_PER_S) / US_PER_MS;
}

static void note(struct rig *rig, char what)
{
    size_t n = strlen(rig->trace);
    snprintf(rig->trace + n, sizeof rig->trace - n, "%c%lld ", what, (long long)passed_ms(rig));
}

static void on_a(void *ctx)
{
    note(ctx, 'a');
}

static void on_b(void *ctx)
{
    note(ctx, 'b');
}

static void on_again(void *ctx)
{
    struct rig *rig = ctx;
    note(rig, 'r');
    if (++rig->n < 3)
        timer_arm_ms(&rig->timers[2], 10);
    loop_post(rig->loop, on_a, rig);
}

static void fires_timers_at_their_instants(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    timer_init(&rig->timers[0], rig->loop, on_a, rig);
    timer_init(&rig->timers[1], rig->loop, on_b, rig);
    timer_init(&rig->timers[2], rig->loop, on_again, rig);
    timer_arm_ms(&rig->timers[0], 20);
    timer_arm_ms(&rig->timers[1], 5);
    loop_advance(rig->loop, &rig->clock, 4999);
    assert_string_equal(rig->trace, "");
    loop_advance(rig->loop, &rig->clock, 1);
    assert_string_equal(rig->trace, "b5 ");
    assert_false(timer_is_armed(&rig->timers[1]));
    timer_arm_ms(&rig->timers[2], 10);
    loop_advance(rig->loop, &rig->clock, 100 * US_PER_MS);
    assert_string_equal(rig->trace, "b5 r15 a15 a20 r25 a25 r35 a35 ");
    assert_int_equal(passed_ms(rig), 105);
    rig_destroy(rig);
}

static void keeps_the_order_of_arming_and_disarms(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    for (int i = 0; i < 8; i++) {
        timer_init(&rig->timers[i], rig->loop, i % 2 ? on_b : on_a, rig);
        timer_arm_ms(&rig->timers[i], 7);
    }
    timer_disarm(&rig->timers[0]);
    timer_disarm(&rig->timers[0]);
    timer_disarm(&rig->timers[4]);
    timer_arm_ms(&rig->timers[2], 9); /* later */
    timer_arm_ms(&rig->timers[7], 1); /* earlier */
    loop_advance(rig->loop, &rig->clock, US_PER_S);
    assert_string_equal(rig->trace, "b1 b7 b7 b7 a7 a9 ");
    rig_destroy(rig);
}

static int n_order_errors;
static int64_t last_due_us;

static void check_order(void *ctx)
{
    struct timer *t = ctx;
    n_order_errors += t->due_mono_us < last_due_us;
    last_due_us = t->due_mono_us;
}

static void keeps_many_timers_in_order(void **state)
{
    (void)state;
    enum { TIMERS = 2000 };
    struct rig *rig = rig_create();
    struct timer *timers = xcalloc(TIMERS, sizeof *timers);
    uint32_t random = 7;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < TIMERS; i++) {
            random = random * 1664525 + 1013904223;
            if (round == 0)
                timer_init(&timers[i], rig->loop, check_order, &timers[i]);
            if (random >> 30 == 0)
                timer_disarm(&timers[i]);
            else
                timer_arm_us(&timers[i], random >> 12);
        }
    }
    n_order_errors = 0;
    last_due_us = 0;
    loop_advance(rig->loop, &rig->clock, 10 * US_PER_S);
    assert_int_equal(n_order_errors, 0);
    for (int i = 0; i < TIMERS; i++)
        assert_false(timer_is_armed(&timers[i]));
    free(timers);
    rig_destroy(rig);
}

static void defer_both(void *ctx)
{
    struct rig *rig = ctx;
    loop_defer(rig->loop, on_b, rig);
    note(rig, 'd');
}

static void defers_to_the_end_of_the_turn(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    loop_post(rig->loop, defer_both, rig);
    loop_post(rig->loop, on_a, rig);
    loop_turn(rig->loop, true);
    assert_string_equal(rig->trace, "d0 a0 b0 ");
    loop_defer(rig->loop, defer_both, rig);
    loop_turn(rig->loop, true); /* must not sleep */
    loop_turn(rig->loop, true);
    assert_string_equal(rig->trace, "d0 a0 b0 d0 b0 ");
    rig_destroy(rig);
}

static void runs_what_is_left_when_destroyed(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    loop_post(rig->loop, defer_both, rig);
    struct rig *kept = rig;
    loop_destroy(&rig->loop);
    /* defer_both ran while the loop was still there, and so did what it deferred */
    assert_string_equal(kept->trace, "d0 b0 ");
    free(kept);
}

static void on_readable(void *ctx, int fd, short what)
{
    struct rig *rig = ctx;
    char byte;
    assert_int_equal(what, WATCH_READ);
    assert_int_equal(read(fd, &byte, 1), 1);
    note(rig, byte);
}

static void watches_descriptors(void **state)
{
    (void)state;
    struct rig *rig = rig_create();
    struct watch w = {0};
    int fds[2];
    watch_stop(&w);
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    watch_start(&w, rig->loop, fds[0], WATCH_READ, on_readable, rig);
    loop_turn(rig->loop, false);
    assert_int_equal(write(fds[1], "xy", 2), 2);
    loop_turn(rig->loop, true);
    loop_turn(rig->loop, true);
    loop_turn(rig->loop, false);
    assert_string_equal(rig->trace, "x0 y0 ");
    watch_stop(&w);
    watch_stop(&w);
    assert_int_equal(write(fds[1], "z", 1), 1);
    loop_turn(rig->loop, false);
    assert_string_equal(rig->trace, "x0 y0 ");
    close(fds[0]);
    close(fds[1]);
    rig_destroy(rig);
}

struct flood {
    struct loop *loop;
    int n; /* on the loop */
    int last[4];
    int n_disorder;
};

struct flood_message {
    struct flood *flood;
    int thread, number;
};

static void on_flood(void *ctx)
{
    struct flood_message *m = ctx;
    struct flood *f = m->flood;
    loop_assert(f->loop);
    f->n++;
    f->n_disorder += m->number <= f->last[m->thread];
    f->last[m->thread] = m->number;
    free(m);
}

struct flood_thread {
    struct flood *flood;
    int index;
};

static void *flood_main(void *ctx)
{
    struct flood_thread *t = ctx;
    for (int i = 1; i <= 5000; i++) {
        struct flood_message *m = xmalloc(sizeof *m);
        *m = (struct flood_message){t->flood, t->index, i};
        loop_post(t->flood->loop, on_flood, m);
    }
    return NULL;
}

static void takes_posts_of_many_threads_in_order(void **state)
{
    (void)state;
    struct flood flood = {.loop = loop_create(NULL)};
    pthread_t threads[4];
    struct flood_thread args[4];
    loop_start(flood.loop);
    assert_false(loop_is_current(flood.loop));
    for (int i = 0; i < 4; i++) {
        args[i] = (struct flood_thread){&flood, i};
        assert_int_equal(pthread_create(&threads[i], NULL, flood_main, &args[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    loop_stop(flood.loop);
    loop_join(flood.loop);
    assert_true(loop_is_current(flood.loop));
    struct loop *loop = flood.loop;
    loop_destroy(&loop); /* runs what had not been run */
    assert_int_equal(flood.n, 20000);
    assert_int_equal(flood.n_disorder, 0);
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

static void fires_real_timers_in_time(void **state)
{
    (void)state;
    struct loop *loop = loop_create(NULL);
    struct timer soon = {0};
    struct timer late = {0};
    timer_init(&soon, loop, stop, loop);
    timer_init(&late, loop, stop, loop);
    timer_arm_ms(&late, 60000);
    int64_t before_us = clock_mono_us(clock_system());
    timer_arm_us(&soon, 20000);
    loop_run(loop);
    int64_t took_us = clock_mono_us(clock_system()) - before_us;
    assert_true(took_us >= 20000 && took_us < 5 * US_PER_S);
    timer_disarm(&late);
    loop_destroy(&loop);
}

static void can_be_stopped_before_it_runs(void **state)
{
    (void)state;
    struct loop *loop = loop_create(NULL);
    loop_stop(loop);
    loop_run(loop);
    assert_ptr_equal(loop_scratch(loop), loop_scratch(loop));
    loop_start(loop);
    loop_stop(loop);
    loop_join(loop);
    loop_destroy(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_timers_at_their_instants),
        cmocka_unit_test(keeps_the_order_of_arming_and_disarms),
        cmocka_unit_test(keeps_many_timers_in_order),
        cmocka_unit_test(defers_to_the_end_of_the_turn),
        cmocka_unit_test(runs_what_is_left_when_destroyed),
        cmocka_unit_test(watches_descriptors),
        cmocka_unit_test(takes_posts_of_many_threads_in_order),
        cmocka_unit_test(fires_real_timers_in_time),
        cmocka_unit_test(can_be_stopped_before_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
