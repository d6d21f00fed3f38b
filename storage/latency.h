/* How long the operations of one thread on a disk took in the last minutes: a histogram with four
 * buckets per octave, in slices of half a minute that replace one another. Memory is constant, and
 * adding costs two stores.
 * Thread: one thread adds, any thread reads; a reader may see the newest operation half. */
#ifndef STORAGE_LATENCY_H
#define STORAGE_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

#define LATENCY_SLICES   8
#define LATENCY_BUCKETS  104 /* the last begins at 2 minutes */
#define LATENCY_SLICE_US INT64_C(30000000)

struct latency {
    struct latency_slice {
        _Atomic int64_t number; /* of the half-minute, from 1; 0 = unused */
        _Atomic uint32_t counts[LATENCY_BUCKETS];
        _Atomic int64_t max_us;
        _Atomic int64_t bytes;
    } slices[LATENCY_SLICES];
};

struct latency_figures {
    uint64_t n; /* operations; without any the rest is 0 */
    int64_t median_us, p99_us, max_us;
    double bytes_per_s; /* in the last half to whole minute */
};

void latency_add(struct latency *l, int64_t now_mono_us, int64_t took_us, int64_t bytes);

/* Of the last four minutes. Quantiles are the upper ends of their buckets: at most a fifth too
 * high. */
void latency_read(const struct latency *l, int64_t now_mono_us, struct latency_figures *out);

#endif
