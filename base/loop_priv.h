/* Shared by loop.c and timer.c only. */
#ifndef BASE_LOOP_PRIV_H
#define BASE_LOOP_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/loop.h"

struct event;

struct call {
    loop_fn *fn;
    void *ctx;
};

struct calls {
    struct call *list;
    size_t n, cap;
};

/* Binary heap by due time, then by order of arming; [0] is unused, so index 0 means "not in it". */
struct timer_heap {
    struct timer **list;
    size_t n, cap;
    uint64_t next_order;
};

struct loop {
    /* set at create, then const */
    const struct clock *clock;
    bool is_clock_steady; /* the system's clock: may be cached for a batch */
    struct event_base *base;
    struct event *mail_event;
    struct event *timer_event;
    int mail_fd;
    int timer_fd;
    char name[16];

    /* the loop's thread only */
    struct calls running; /* swapped with posted while draining */
    struct calls deferred;
    struct calls deferred_running;
    struct timer_heap timers;
    int64_t timer_fd_due_us; /* INT64_MAX = not pending */
    int64_t mono_us;
    bool is_mono_fresh;
    uint8_t *scratch;
    pthread_t thread; /* of loop_start */

    /* any thread, under lock; a leaf: nothing is called while it is held */
    pthread_mutex_t lock;
    struct calls posted;
    bool is_woken;

    /* any thread, atomic */
    atomic_bool is_stopping;
    _Atomic(uintptr_t) owner; /* pthread_t of the thread that runs it; 0 = none */
};

/* Runs what is due, but nothing armed meanwhile. */
void loop__run_timers(struct loop *loop);

/* The next deadline, or INT64_MAX. */
int64_t loop__next_due_us(const struct loop *loop);

#endif
