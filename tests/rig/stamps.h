/* When the sending of each picture of each camera last began, in a file that others map: one row
 * per camera, one column per place in the loop. CLOCK_MONOTONIC in microseconds, 0 = never.
 * Thread: one writer; readers in other processes see whole values. */
#ifndef RIG_STAMPS_H
#define RIG_STAMPS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define STAMPS_MAGIC UINT64_C(0x524b53544d503031)

struct stamps {
    uint64_t magic;
    uint64_t n_cameras, n_units;
    _Atomic int64_t sent_mono_us[];
};

static inline size_t stamps_bytes(size_t n_cameras, size_t n_units)
{
    return sizeof(struct stamps) + n_cameras * n_units * sizeof(int64_t);
}

/* Creates the file, or opens an existing one for reading. */
int stamps_create(const char *path, size_t n_cameras, size_t n_units, struct stamps **out,
                  struct err *err);
int stamps_open(const char *path, struct stamps **out, struct err *err);
void stamps_close(struct stamps **s);

static inline void stamps_set(struct stamps *s, size_t camera, size_t unit, int64_t mono_us)
{
    if (camera < s->n_cameras && unit < s->n_units)
        atomic_store_explicit(&s->sent_mono_us[camera * s->n_units + unit], mono_us,
                              memory_order_release);
}

static inline int64_t stamps_get(const struct stamps *s, size_t camera, size_t unit)
{
    if (camera >= s->n_cameras || unit >= s->n_units)
        return 0;
    return atomic_load_explicit(&s->sent_mono_us[camera * s->n_units + unit], memory_order_acquire);
}

#endif
