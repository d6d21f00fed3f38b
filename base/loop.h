/* An event loop: one thread, one libevent base, a mailbox and timers.
 *
 * Thread: everything belongs to the loop's own thread, except functions marked [any].
 * Lifetime: objects that live on a loop are released before it is destroyed. Memory of an object
 * whose callback may be running is released with loop_defer.
 * Timers follow the loop's struct clock; with a virtual clock loop_advance moves time and runs what
 * is due, in order, without sleeping. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct event_base;
struct loop;

typedef void loop_fn(void *ctx);

struct loop_params {
    const char *name;          /* thread name, at most 15 bytes; NULL = "loop" */
    const struct clock *clock; /* NULL = clock_system(); must outlive the loop */
};

/* Also makes the process ignore SIGPIPE: a vanished peer is an error code here. */
struct loop *loop_create(const struct loop_params *params);

/* The loop must not be running. Messages still in the mailbox are run first, so that what they own
 * is released. */
void loop_destroy(struct loop **loop);

/* Runs in the calling thread until loop_stop. */
void loop_run(struct loop *loop);

/* Runs in a thread of its own; loop_join waits for its end after loop_stop. */
void loop_start(struct loop *loop);
void loop_join(struct loop *loop);
void loop_stop(struct loop *loop); /* [any] */

/* One turn: waits at most until something happens when is_blocking. For tests and start-up. */
void loop_turn(struct loop *loop, bool is_blocking);

/* [any] Runs fn(ctx) on the loop, in order of posting per thread. Never blocks, never fails; wakes
 * the loop once however many messages wait. */
void loop_post(struct loop *loop, loop_fn *fn, void *ctx);

/* Runs fn(ctx) after the current dispatch, before the loop sleeps. */
void loop_defer(struct loop *loop, loop_fn *fn, void *ctx);

bool loop_is_current(const struct loop *loop); /* [any] true also while no thread runs it */
void loop_assert(const struct loop *loop);     /* [any] aborts when called from another thread */

/* Monotonic time read once per dispatch batch (cheap); wall time read now. */
int64_t loop_mono_us(struct loop *loop);
int64_t loop_wall_us(struct loop *loop);
const struct clock *loop_clock(struct loop *loop);

/* Scratch shared by everything on the loop for the duration of one callback. */
#define LOOP_SCRATCH_BYTES (512u << 10)
uint8_t *loop_scratch(struct loop *loop);

/* Virtual clock only: moves time forward by `us`, firing timers at their instants and draining
 * posts and deferrals after each. `v` is the clock the loop was created with. */
void loop_advance(struct loop *loop, struct clock_virtual *v, int64_t us);

/* A one-shot timer; arm again for more. In place, zero-initialise then timer_init. Disarm before
 * releasing its memory. */
struct timer {
    struct loop *loop;
    loop_fn *fn;
    void *ctx;
    int64_t due_mono_us;
    uint64_t order;    /* of arming: timers due at one instant run in it */
    size_t heap_index; /* 0 = not armed */
};
void timer_init(struct timer *t, struct loop *loop, loop_fn *fn, void *ctx);
void timer_arm_ms(struct timer *t, int64_t delay_ms);
void timer_arm_us(struct timer *t, int64_t delay_us);
void timer_disarm(struct timer *t);
static inline bool timer_is_armed(const struct timer *t)
{
    return t->heap_index != 0;
}

/* Watches a descriptor. In place. The descriptor stays the caller's. */
struct watch {
    struct loop *loop;
    void *event; /* libevent's */
    void (*fn)(void *ctx, int fd, short what);
    void *ctx;
    int fd;
};
enum { WATCH_READ = 0x02, WATCH_WRITE = 0x04, WATCH_EDGE = 0x20 }; /* equal to EV_* */
void watch_start(struct watch *w, struct loop *loop, int fd, short what,
                 void (*fn)(void *ctx, int fd, short what), void *ctx);
void watch_stop(struct watch *w); /* accepts one that never started */

#endif
