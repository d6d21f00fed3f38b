/* A bounded queue of pointers between threads, waking a loop once per batch or serving a thread
 * that waits. Bounded in entries and in bytes. Thread: push from any thread; pop from the
 * consumer's. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue_params {
    size_t max_entries; /* 0 = 4096 */
    size_t max_bytes;   /* 0 = no bound in bytes */
};

struct queue *queue_create(const struct queue_params *params);
void queue_destroy(struct queue **q); /* must be empty or its content is the caller's loss */

/* [any] False when full: the entry stays the caller's. *out_was_empty (may be NULL) tells that the
 * consumer must be woken. */
bool queue_push(struct queue *q, void *entry, size_t bytes, bool *out_was_empty);

/* Takes the oldest; NULL when empty. */
void *queue_pop(struct queue *q);

/* Takes the oldest, waiting for one; NULL after queue_close when empty. */
void *queue_wait(struct queue *q);

/* [any] No more waiting: queue_wait returns NULL once drained, push returns false. */
void queue_close(struct queue *q);

size_t queue_count(const struct queue *q); /* [any] a moment's value */
size_t queue_bytes(const struct queue *q); /* [any] a moment's value */

#endif
