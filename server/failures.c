#include "server/failures.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_WAIT_US (FAILURES_MAX_WAIT_S * US_PER_S)

struct failures {
    struct map *counts; /* key → struct count, owned */
};

struct count {
    int n;
    int64_t until_mono_us; /* no try before */
    int64_t last_mono_us;
};

struct failures *failures_create(void)
{
    struct failures *f = xcalloc(1, sizeof *f);
    f->counts = map_create();
    return f;
}

void failures_destroy(struct failures **fp)
{
    struct failures *f = *fp;
    if (f == NULL)
        return;
    size_t pos = 0;
    const char *key;
    void *value;
    while (map_next(f->counts, &pos, &key, &value))
        free(value);
    map_destroy(&f->counts);
    FREE(fp);
}

/* Returns when the oldest key failed last; INT64_MAX = there is none. */
static int64_t find_oldest(const struct failures *f, char key_of_oldest[FAILURE_KEY_BYTES])
{
    size_t pos = 0;
    const char *key;
    void *value;
    int64_t oldest_us = INT64_MAX;
    while (map_next(f->counts, &pos, &key, &value)) {
        const struct count *c = value;
        if (c->last_mono_us < oldest_us) {
            oldest_us = c->last_mono_us;
            str_copy(key_of_oldest, FAILURE_KEY_BYTES, key);
        }
    }
    return oldest_us;
}

/* What is over goes when the map is half full, and one more whatever it is when it is full. */
static void make_room(struct failures *f, int64_t now_us)
{
    while (map_count(f->counts) >= FAILURES_MAX / 2) {
        char key[FAILURE_KEY_BYTES];
        int64_t oldest_us = find_oldest(f, key);
        if (now_us - oldest_us <= MAX_WAIT_US && map_count(f->counts) < FAILURES_MAX)
            return;
        free(map_remove(f->counts, key));
    }
}

void failures_note(struct failures *f, const char *key, int n_free_tries, int64_t now_mono_us)
{
    struct count *c = map_get(f->counts, key);
    if (c == NULL) {
        make_room(f, now_mono_us);
        c = xcalloc(1, sizeof *c);
        map_put(f->counts, key, c);
    }
    if (now_mono_us - c->last_mono_us > 2 * MAX_WAIT_US)
        c->n = 0;
    c->n++;
    c->last_mono_us = now_mono_us;
    if (c->n >= n_free_tries) {
        int shift = MIN(c->n - n_free_tries, 16);
        c->until_mono_us = now_mono_us + MIN(INT64_C(1) << shift, FAILURES_MAX_WAIT_S) * US_PER_S;
    }
}

void failures_forget(struct failures *f, const char *key)
{
    free(map_remove(f->counts, key));
}

int failures_wait_s(const struct failures *f, const char *key, int64_t now_mono_us)
{
    const struct count *c = map_get(f->counts, key);
    int64_t left_us = c != NULL ? c->until_mono_us - now_mono_us : 0;
    return left_us > 0 ? (int)((left_us + US_PER_S - 1) / US_PER_S) : 0;
}
