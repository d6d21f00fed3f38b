#include "base/loop_priv.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/mem.h"
#include "base/str.h"

static void give_up(const char *what)
{
    fprintf(stderr, "event loop: cannot create %s\n", what);
    abort();
}

static void calls_add(struct calls *c, loop_fn *fn, void *ctx)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->list = xrealloc(c->list, c->cap * sizeof *c->list);
    }
    c->list[c->n++] = (struct call){fn, ctx};
}

static void calls_swap(struct calls *a, struct calls *b)
{
    struct calls t = *a;
    *a = *b;
    *b = t;
}

static void calls_run(struct calls *c)
{
    for (size_t i = 0; i < c->n; i++)
        c->list[i].fn(c->list[i].ctx);
    c->n = 0;
}

static void drain_mail(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    calls_swap(&loop->posted, &loop->running);
    loop->is_woken = false;
    pthread_mutex_unlock(&loop->lock);
    calls_run(&loop->running);
}

static void on_mail(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    uint64_t n_wakes;
    ssize_t rc = read(fd, &n_wakes, sizeof n_wakes);
    (void)rc; /* EAGAIN: somebody was faster */
    drain_mail(ctx);
}

/* Only wakes the loop: what is due runs at the end of every turn. */
static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct loop *loop = ctx;
    loop->timer_fd_due_us = INT64_MAX;
}

struct loop *loop_create(const struct loop_params *params)
{
    struct loop *loop = xcalloc(1, sizeof *loop);
    loop->clock = params && params->clock ? params->clock : clock_system();
    loop->is_clock_steady = loop->clock == clock_system();
    str_copy(loop->name, sizeof loop->name, params && params->name ? params->name : "loop");
    loop->timer_fd_due_us = INT64_MAX;
    pthread_mutex_init(&loop->lock, NULL);
    signal(SIGPIPE, SIG_IGN);

    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (!loop->base)
        give_up("base");
    loop->mail_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->mail_fd < 0)
        give_up("mailbox");
    loop->mail_event = event_new(loop->base, loop->mail_fd, EV_READ | EV_PERSIST, on_mail, loop);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->timer_fd < 0)
        give_up("timer");
    /* Edge-triggered: an expiry needs no read, setting it anew clears it. */
    loop->timer_event =
        event_new(loop->base, loop->timer_fd, EV_READ | EV_PERSIST | EV_ET, on_timer, loop);
    if (!loop->mail_event || !loop->timer_event || event_add(loop->mail_event, NULL) < 0 ||
        event_add(loop->timer_event, NULL) < 0)
        give_up("events");
    return loop;
}

void loop_destroy(struct loop **loopp)
{
    struct loop *loop = *loopp;
    if (!loop)
        return;
    loop_assert(loop);
    /* What runs may post and defer again. */
    while (loop->posted.n > 0 || loop->deferred.n > 0) {
        drain_mail(loop);
        calls_swap(&loop->deferred, &loop->deferred_running);
        calls_run(&loop->deferred_running);
    }
    event_free(loop->mail_event);
    event_free(loop->timer_event);
    event_base_free(loop->base);
    close(loop->mail_fd);
    close(loop->timer_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop->posted.list);
    free(loop->running.list);
    free(loop->deferred.list);
    free(loop->deferred_running.list);
    free(loop->timers.list);
    free(loop->scratch);
    FREE(loopp);
}

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t rc = write(loop->mail_fd, &one, sizeof one);
    (void)rc; /* EAGAIN: it is awake already */
}

void loop_post(struct loop *loop, loop_fn *fn, void *ctx)
{
    pthread_mutex_lock(&loop->lock);
    calls_add(&loop->posted, fn, ctx);
    bool was_woken = loop->is_woken;
    loop->is_woken = true;
    if (!was_woken) /* under the lock: what runs the message may end the loop */
        wake(loop);
    pthread_mutex_unlock(&loop->lock);
}

void loop_defer(struct loop *loop, loop_fn *fn, void *ctx)
{
    loop_assert(loop);
    calls_add(&loop->deferred, fn, ctx);
}

/* Makes the loop wake up no later than the next deadline. It may wake earlier for one that was
 * disarmed meanwhile, which costs less than moving the descriptor's expiry at every re-arm. A
 * descriptor of our own, because libevent's timeouts are as coarse as the kernel's tick. */
static void arm_timer_fd(struct loop *loop)
{
    int64_t due_us = loop__next_due_us(loop);
    if (due_us >= loop->timer_fd_due_us)
        return;
    int64_t wait_us = MAX(due_us - loop_mono_us(loop), 1);
    struct itimerspec spec = {
        .it_value = {wait_us / US_PER_S, wait_us % US_PER_S * 1000},
    };
    timerfd_settime(loop->timer_fd, 0, &spec, NULL);
    loop->timer_fd_due_us = due_us;
}

void loop_turn(struct loop *loop, bool is_blocking)
{
    loop_assert(loop);
    loop->is_mono_fresh = false;
    bool has_work = loop->deferred.n > 0 || loop__next_due_us(loop) <= loop_mono_us(loop);
    if (!has_work && is_blocking)
        arm_timer_fd(loop);
    loop->is_mono_fresh = false;
    event_base_loop(loop->base, EVLOOP_ONCE | (has_work || !is_blocking ? EVLOOP_NONBLOCK : 0));
    loop__run_timers(loop);
    calls_swap(&loop->deferred, &loop->deferred_running);
    calls_run(&loop->deferred_running);
}

static void run_turns(struct loop *loop)
{
    while (!atomic_load(&loop->is_stopping))
        loop_turn(loop, true);
    atomic_store(&loop->is_stopping, false);
}

void loop_run(struct loop *loop)
{
    loop_assert(loop);
    uintptr_t before = atomic_exchange(&loop->owner, (uintptr_t)pthread_self());
    run_turns(loop);
    atomic_store(&loop->owner, before);
}

static void *thread_main(void *ctx)
{
    struct loop *loop = ctx;
    atomic_store(&loop->owner, (uintptr_t)pthread_self());
    pthread_setname_np(pthread_self(), loop->name);
    run_turns(loop);
    return NULL;
}

void loop_start(struct loop *loop)
{
    loop_assert(loop);
    /* Signals are the main thread's business. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&loop->thread, NULL, thread_main, loop) != 0)
        give_up("thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    /* The thread may not have come so far: nobody else owns the loop from here on. */
    atomic_store(&loop->owner, (uintptr_t)loop->thread);
}

void loop_join(struct loop *loop)
{
    pthread_join(loop->thread, NULL);
    atomic_store(&loop->owner, 0);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    wake(loop);
}

bool loop_is_current(const struct loop *loop)
{
    uintptr_t owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);
    return owner == 0 || owner == (uintptr_t)pthread_self();
}

void loop_assert(const struct loop *loop)
{
    if (!loop_is_current(loop)) {
        fprintf(stderr, "loop %s: called from another thread\n", loop->name);
        abort();
    }
}

int64_t loop_mono_us(struct loop *loop)
{
    if (!loop->is_mono_fresh || !loop->is_clock_steady) {
        loop->mono_us = clock_mono_us(loop->clock);
        loop->is_mono_fresh = true;
    }
    return loop->mono_us;
}

int64_t loop_wall_us(struct loop *loop)
{
    return clock_wall_us(loop->clock);
}

const struct clock *loop_clock(struct loop *loop)
{
    return loop->clock;
}

uint8_t *loop_scratch(struct loop *loop)
{
    loop_assert(loop);
    if (!loop->scratch)
        loop->scratch = xmalloc(LOOP_SCRATCH_BYTES);
    return loop->scratch;
}

static bool has_mail(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool has = loop->posted.n > 0;
    pthread_mutex_unlock(&loop->lock);
    return has;
}

/* Lets everything run that needs no more time. */
static void settle(struct loop *loop)
{
    do {
        loop_turn(loop, false);
    } while (has_mail(loop) || loop->deferred.n > 0 ||
             loop__next_due_us(loop) <= loop_mono_us(loop));
}

void loop_advance(struct loop *loop, struct clock_virtual *v, int64_t us)
{
    assert(loop->clock == &v->clock);
    int64_t target_us = loop_mono_us(loop) + us;
    settle(loop);
    for (;;) {
        int64_t due_us = loop__next_due_us(loop);
        if (due_us > target_us)
            break;
        clock_virtual_advance(v, due_us - loop_mono_us(loop));
        settle(loop);
    }
    clock_virtual_advance(v, target_us - loop_mono_us(loop));
    settle(loop);
}

static void on_watch(evutil_socket_t fd, short what, void *ctx)
{
    struct watch *w = ctx;
    w->fn(w->ctx, fd, what);
}

_Static_assert(WATCH_READ == EV_READ, "same bits as libevent");
_Static_assert(WATCH_WRITE == EV_WRITE, "same bits as libevent");
_Static_assert(WATCH_EDGE == EV_ET, "same bits as libevent");

void watch_start(struct watch *w, struct loop *loop, int fd, short what,
                 void (*fn)(void *ctx, int fd, short what), void *ctx)
{
    loop_assert(loop);
    watch_stop(w);
    *w = (struct watch){.loop = loop, .fn = fn, .ctx = ctx, .fd = fd};
    struct event *event = event_new(loop->base, fd, (short)(what | EV_PERSIST), on_watch, w);
    if (!event || event_add(event, NULL) < 0)
        give_up("watch");
    w->event = event;
}

void watch_stop(struct watch *w)
{
    if (!w->event)
        return;
    loop_assert(w->loop);
    event_free(w->event);
    w->event = NULL;
}
