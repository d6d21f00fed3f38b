#include "base/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"

struct entry {
    void *p;
    size_t bytes;
};

struct queue {
    /* set at create, then const */
    size_t max_entries;
    size_t max_bytes;

    /* under lock; a leaf: nothing is called while it is held */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct entry *ring; /* grown on demand up to max_entries */
    size_t cap, head;
    bool is_closed;
    int n_waiting;

    /* written under lock, read by any thread */
    atomic_size_t n;
    atomic_size_t bytes;
};

struct queue *queue_create(const struct queue_params *params)
{
    struct queue *q = xcalloc(1, sizeof *q);
    q->max_entries = params && params->max_entries ? params->max_entries : 4096;
    q->max_bytes = params && params->max_bytes ? params->max_bytes : SIZE_MAX;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->wake, NULL);
    return q;
}

void queue_destroy(struct queue **q)
{
    if (!*q)
        return;
    pthread_cond_destroy(&(*q)->wake);
    pthread_mutex_destroy(&(*q)->lock);
    free((*q)->ring);
    FREE(q);
}

static void grow(struct queue *q, size_t n)
{
    size_t cap = MIN(q->cap ? q->cap * 2 : 16, q->max_entries);
    struct entry *ring = xcalloc(cap, sizeof *ring);
    for (size_t i = 0; i < n; i++)
        ring[i] = q->ring[(q->head + i) % q->cap];
    free(q->ring);
    q->ring = ring;
    q->cap = cap;
    q->head = 0;
}

bool queue_push(struct queue *q, void *entry, size_t bytes, bool *out_was_empty)
{
    pthread_mutex_lock(&q->lock);
    size_t n = atomic_load_explicit(&q->n, memory_order_relaxed);
    size_t held = atomic_load_explicit(&q->bytes, memory_order_relaxed);
    /* One entry above the byte bound still passes through an empty queue: else it never would. */
    bool is_full = n >= q->max_entries || (n > 0 && bytes > q->max_bytes - MIN(held, q->max_bytes));
    bool is_taken = !q->is_closed && !is_full;
    if (is_taken) {
        if (n == q->cap)
            grow(q, n);
        q->ring[(q->head + n) % q->cap] = (struct entry){entry, bytes};
        atomic_store_explicit(&q->n, n + 1, memory_order_relaxed);
        atomic_store_explicit(&q->bytes, held + bytes, memory_order_relaxed);
        if (q->n_waiting > 0)
            pthread_cond_signal(&q->wake);
    }
    pthread_mutex_unlock(&q->lock);
    if (out_was_empty)
        *out_was_empty = is_taken && n == 0;
    return is_taken;
}

static void *take(struct queue *q)
{
    size_t n = atomic_load_explicit(&q->n, memory_order_relaxed);
    if (n == 0)
        return NULL;
    struct entry e = q->ring[q->head];
    q->head = (q->head + 1) % q->cap;
    atomic_store_explicit(&q->n, n - 1, memory_order_relaxed);
    size_t held = atomic_load_explicit(&q->bytes, memory_order_relaxed);
    atomic_store_explicit(&q->bytes, held - e.bytes, memory_order_relaxed);
    return e.p;
}

void *queue_pop(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    void *p = take(q);
    pthread_mutex_unlock(&q->lock);
    return p;
}

void *queue_wait(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->n_waiting++;
    while (atomic_load_explicit(&q->n, memory_order_relaxed) == 0 && !q->is_closed)
        pthread_cond_wait(&q->wake, &q->lock);
    q->n_waiting--;
    void *p = take(q);
    pthread_mutex_unlock(&q->lock);
    return p;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->is_closed = true;
    pthread_cond_broadcast(&q->wake);
    pthread_mutex_unlock(&q->lock);
}

size_t queue_count(const struct queue *q)
{
    return atomic_load_explicit(&q->n, memory_order_relaxed);
}

size_t queue_bytes(const struct queue *q)
{
    return atomic_load_explicit(&q->bytes, memory_order_relaxed);
}
