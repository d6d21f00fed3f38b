#include "storage/latency.h"

#include "base/clock.h"
#include "base/mem.h"

static unsigned bucket_of(int64_t us)
{
    if (us < 4)
        return (unsigned)MAX(us, 0);
    unsigned octave = 63u - (unsigned)__builtin_clzll((unsigned long long)us);
    unsigned i = (octave - 1) * 4 + (unsigned)(us >> (octave - 2) & 3);
    return MIN(i, LATENCY_BUCKETS - 1u);
}

/* The first value that falls into the next bucket. */
static int64_t bucket_end_us(unsigned i)
{
    if (i < 4)
        return (int64_t)i + 1;
    unsigned octave = i / 4 + 1;
    return (int64_t)(i % 4 + 5) << (octave - 2);
}

static int64_t number_at(int64_t now_mono_us)
{
    return now_mono_us / LATENCY_SLICE_US + 1;
}

static void set(_Atomic int64_t *to, int64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static int64_t get(const _Atomic int64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static struct latency_slice *slice_at(struct latency *l, int64_t number)
{
    struct latency_slice *s = &l->slices[number % LATENCY_SLICES];
    if (get(&s->number) == number)
        return s;
    set(&s->number, 0);
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        atomic_store_explicit(&s->counts[i], 0, memory_order_relaxed);
    set(&s->max_us, 0);
    set(&s->bytes, 0);
    set(&s->number, number);
    return s;
}

void latency_add(struct latency *l, int64_t now_mono_us, int64_t took_us, int64_t bytes)
{
    struct latency_slice *s = slice_at(l, number_at(now_mono_us));
    _Atomic uint32_t *count = &s->counts[bucket_of(took_us)];
    uint32_t n = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, n + 1, memory_order_relaxed);
    set(&s->bytes, get(&s->bytes) + bytes);
    if (took_us > get(&s->max_us))
        set(&s->max_us, took_us);
}

static int64_t quantile_us(const uint64_t *counts, uint64_t rank)
{
    unsigned i = 0;
    for (uint64_t n = 0; i < LATENCY_BUCKETS - 1u && (n += counts[i]) < rank; i++)
        continue;
    return bucket_end_us(i);
}

static int64_t bytes_of(const struct latency *l, int64_t number)
{
    const struct latency_slice *s = &l->slices[number % LATENCY_SLICES];
    return number > 0 && get(&s->number) == number ? get(&s->bytes) : 0;
}

void latency_read(const struct latency *l, int64_t now_mono_us, struct latency_figures *out)
{
    uint64_t counts[LATENCY_BUCKETS] = {0};
    int64_t now = number_at(now_mono_us);
    *out = (struct latency_figures){0};
    for (size_t k = 0; k < LATENCY_SLICES; k++) {
        const struct latency_slice *s = &l->slices[k];
        int64_t number = get(&s->number);
        if (number == 0 || number <= now - LATENCY_SLICES || number > now)
            continue;
        for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
            uint32_t n = atomic_load_explicit(&s->counts[i], memory_order_relaxed);
            counts[i] += n;
            out->n += n;
        }
        out->max_us = MAX(out->max_us, get(&s->max_us));
    }
    if (out->n == 0)
        return;
    out->median_us = MIN(quantile_us(counts, (out->n + 1) / 2), out->max_us);
    out->p99_us = MIN(quantile_us(counts, out->n - out->n / 100), out->max_us);
    int64_t window_us = LATENCY_SLICE_US + now_mono_us % LATENCY_SLICE_US;
    out->bytes_per_s =
        (double)(bytes_of(l, now) + bytes_of(l, now - 1)) / ((double)window_us / (double)US_PER_S);
}
