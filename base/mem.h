/* Memory. Small fixed-size allocations abort when there is none; sizes taken from input go through
 * try_ functions, which return NULL and must be checked. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a)                ((sizeof(a)) / sizeof((a)[0]))
#define MIN(a, b)                   ((a) < (b) ? (a) : (b))
#define MAX(a, b)                   ((a) > (b) ? (a) : (b))
#define CLAMP(v, lo, hi)            MAX(lo, MIN(v, hi))
#define CONTAINER_OF(ptr, type, fd) ((type *)(void *)((char *)(ptr)-offsetof(type, fd)))

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void *try_malloc(size_t size) __attribute__((warn_unused_result));
void *try_realloc(void *p, size_t size) __attribute__((warn_unused_result));

/* Frees *p and writes NULL back; accepts a pointer to NULL. */
#define FREE(p)                                                                                    \
    do {                                                                                           \
        free(*(p));                                                                                \
        *(p) = NULL;                                                                               \
    } while (0)

/* Reference count: starts at 1; ref is relaxed, unref is acq_rel and true for the last one. */
struct refcount {
    atomic_uint n;
};

static inline void refcount_init(struct refcount *r)
{
    atomic_init(&r->n, 1);
}
static inline void refcount_inc(struct refcount *r)
{
    atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
}
static inline bool refcount_dec(struct refcount *r)
{
    return atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel) == 1;
}

#endif
