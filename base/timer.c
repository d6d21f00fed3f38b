#include "base/loop_priv.h"

#include <assert.h>

#include "base/mem.h"

static bool is_before(const struct timer *a, const struct timer *b)
{
    if (a->due_mono_us != b->due_mono_us)
        return a->due_mono_us < b->due_mono_us;
    return a->order < b->order;
}

static void put(struct timer_heap *h, size_t i, struct timer *t)
{
    h->list[i] = t;
    t->heap_index = i;
}

static void sift_up(struct timer_heap *h, size_t i)
{
    struct timer *t = h->list[i];
    for (; i > 1 && is_before(t, h->list[i / 2]); i /= 2)
        put(h, i, h->list[i / 2]);
    put(h, i, t);
}

static void sift_down(struct timer_heap *h, size_t i)
{
    struct timer *t = h->list[i];
    for (;;) {
        size_t child = 2 * i;
        if (child > h->n)
            break;
        if (child < h->n && is_before(h->list[child + 1], h->list[child]))
            child++;
        if (!is_before(h->list[child], t))
            break;
        put(h, i, h->list[child]);
        i = child;
    }
    put(h, i, t);
}

void timer_init(struct timer *t, struct loop *loop, loop_fn *fn, void *ctx)
{
    assert(t->heap_index == 0);
    *t = (struct timer){.loop = loop, .fn = fn, .ctx = ctx};
}

void timer_arm_us(struct timer *t, int64_t delay_us)
{
    struct loop *loop = t->loop;
    struct timer_heap *h = &loop->timers;
    loop_assert(loop);
    t->due_mono_us = loop_mono_us(loop) + MAX(delay_us, 0);
    t->order = h->next_order++;
    if (t->heap_index) {
        sift_up(h, t->heap_index);
        sift_down(h, t->heap_index);
        return;
    }
    if (h->n + 2 > h->cap) {
        h->cap = h->cap ? h->cap * 2 : 64;
        h->list = xrealloc(h->list, h->cap * sizeof(struct timer *));
    }
    h->n++;
    put(h, h->n, t);
    sift_up(h, h->n);
}

void timer_arm_ms(struct timer *t, int64_t delay_ms)
{
    timer_arm_us(t, delay_ms * US_PER_MS);
}

void timer_disarm(struct timer *t)
{
    if (t->heap_index == 0)
        return;
    loop_assert(t->loop);
    struct timer_heap *h = &t->loop->timers;
    size_t i = t->heap_index;
    struct timer *last = h->list[h->n--];
    t->heap_index = 0;
    if (last == t)
        return;
    put(h, i, last);
    sift_up(h, i);
    sift_down(h, last->heap_index);
}

int64_t loop__next_due_us(const struct loop *loop)
{
    return loop->timers.n > 0 ? loop->timers.list[1]->due_mono_us : INT64_MAX;
}

void loop__run_timers(struct loop *loop)
{
    struct timer_heap *h = &loop->timers;
    uint64_t end = h->next_order;
    while (h->n > 0) {
        struct timer *t = h->list[1];
        if (t->due_mono_us > loop_mono_us(loop) || t->order >= end)
            return;
        timer_disarm(t);
        t->fn(t->ctx);
    }
}
