/* How cameras are spread: over the volumes, and over time. */
#include "storage/storage_priv.h"

#include <math.h>

/* --- over the volumes: weighted rendezvous hashing --- */

static uint64_t hash_of(const char *camera_id, const char *path)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a, then a finishing mix */
    for (const char *parts[] = {camera_id, path, NULL}, **p = parts; *p != NULL; p++)
        for (const char *c = *p; *c != '\0'; c++)
            h = (h ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    return h ^ h >> 33;
}

/* What it holds, plus what is still free of that. When all are full, each keeps equally many days;
 * a new and empty one fills up faster, but never with more than twice its share of the writing. */
static double weight_of(const struct volume *v)
{
    int64_t reserve = volume_reserve_bytes(v);
    int64_t holds = MAX(atomic_load(&v->total_bytes) - reserve, 1);
    int64_t room = CLAMP(atomic_load(&v->free_bytes) - reserve, 0, holds);
    return (double)holds + (double)room;
}

struct volume *volume_pick(struct volume *const *list, size_t n, const char *camera_id,
                           int64_t now_mono_us)
{
    struct volume *best = NULL;
    enum volume_grade best_grade = VOLUME_UNUSABLE;
    double best_score = 0;
    for (size_t i = 0; i < n; i++) {
        enum volume_grade grade = volume_grade(list[i], now_mono_us);
        if (grade == VOLUME_UNUSABLE || grade > best_grade)
            continue;
        double u = ((double)(hash_of(camera_id, list[i]->path) >> 11) + 0.5) / (double)(1ull << 53);
        double score = weight_of(list[i]) / -log(u);
        if (best == NULL || grade < best_grade || score > best_score) {
            best = list[i];
            best_grade = grade;
            best_score = score;
        }
    }
    return best;
}

/* --- over time --- */

int64_t rotation_length_us(const char *camera_id, enum stream_kind stream, int64_t now_mono_us,
                           int64_t period_us)
{
    uint64_t hash = hash_of(camera_id, stream_kind_name(stream));
    int64_t phase_us = (int64_t)(hash % (uint64_t)period_us);
    int64_t into_us = (now_mono_us + period_us / 2 + period_us - phase_us) % period_us;
    return period_us / 2 + period_us - into_us;
}
