#include "base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Open addressing with linear probing; removal shifts the run back, so there are no tombstones. */
struct slot {
    char *key; /* NULL = free */
    uint64_t hash;
    void *value;
};

struct map {
    struct slot *slots;
    size_t n_slots; /* a power of two */
    size_t n_used;
    uint64_t seed;
};

#define MAP_MIN_SLOTS 16

/* FNV-1a with a seed, then a final mix: keys come from administrators, not from attackers' traffic,
 * but neighbouring ids must spread. */
static uint64_t hash_of(const struct map *m, const char *key)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ m->seed;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

static size_t find(const struct map *m, const char *key, uint64_t hash)
{
    size_t i = hash & (m->n_slots - 1);
    while (m->slots[i].key && (m->slots[i].hash != hash || strcmp(m->slots[i].key, key) != 0))
        i = (i + 1) & (m->n_slots - 1);
    return i;
}

struct map *map_create(void)
{
    struct map *m = xcalloc(1, sizeof *m);
    m->n_slots = MAP_MIN_SLOTS;
    m->slots = xcalloc(m->n_slots, sizeof *m->slots);
    m->seed = (uint64_t)(uintptr_t)m * UINT64_C(0x9e3779b97f4a7c15);
    return m;
}

void map_destroy(struct map **m)
{
    if (!*m)
        return;
    for (size_t i = 0; i < (*m)->n_slots; i++)
        free((*m)->slots[i].key);
    free((*m)->slots);
    FREE(m);
}

void *map_get(const struct map *m, const char *key)
{
    return m->slots[find(m, key, hash_of(m, key))].value;
}

static void grow(struct map *m)
{
    struct slot *old = m->slots;
    size_t n_old = m->n_slots;
    m->n_slots *= 2;
    m->slots = xcalloc(m->n_slots, sizeof *m->slots);
    for (size_t i = 0; i < n_old; i++) {
        if (!old[i].key)
            continue;
        size_t at = old[i].hash & (m->n_slots - 1);
        while (m->slots[at].key)
            at = (at + 1) & (m->n_slots - 1);
        m->slots[at] = old[i];
    }
    free(old);
}

void *map_put(struct map *m, const char *key, void *value)
{
    uint64_t hash = hash_of(m, key);
    size_t i = find(m, key, hash);
    if (m->slots[i].key) {
        void *before = m->slots[i].value;
        m->slots[i].value = value;
        return before;
    }
    if ((m->n_used + 1) * 4 > m->n_slots * 3) {
        grow(m);
        i = find(m, key, hash);
    }
    m->slots[i] = (struct slot){xstrdup(key), hash, value};
    m->n_used++;
    return NULL;
}

void *map_remove(struct map *m, const char *key)
{
    size_t hole = find(m, key, hash_of(m, key));
    if (!m->slots[hole].key)
        return NULL;
    void *value = m->slots[hole].value;
    free(m->slots[hole].key);
    size_t mask = m->n_slots - 1;
    for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        /* The entry may fill the hole when its home is not between the hole and itself. */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct slot){0};
    m->n_used--;
    return value;
}

size_t map_count(const struct map *m)
{
    return m->n_used;
}

bool map_next(const struct map *m, size_t *pos, const char **out_key, void **out_value)
{
    for (; *pos < m->n_slots; (*pos)++) {
        const struct slot *s = &m->slots[*pos];
        if (!s->key)
            continue;
        if (out_key)
            *out_key = s->key;
        if (out_value)
            *out_value = s->value;
        (*pos)++;
        return true;
    }
    return false;
}
