#include "storage/recorder_volume.h"

/* Whether so much of this recorder waits for the volume that no more should be added. */
static bool is_behind(const struct recorder_link *l, const struct volume *v)
{
    return atomic_load(&l->queued_bytes[v->index]) > RECORDER_QUEUE_MAX_BYTES / 2;
}

bool recorder_volume_is_to_be_left(struct storage *s, const struct recorder_link *l,
                                   const struct volume *v)
{
    int64_t now_us = clock_mono_us(s->clock);
    enum volume_grade grade = is_behind(l, v) ? VOLUME_UNUSABLE : volume_grade(v, now_us);
    if (grade == VOLUME_SOUND)
        return false;
    const struct volume *other = storage__pick_volume(s, l->camera_id);
    return other != NULL && other != v && volume_grade(other, now_us) < grade &&
           !is_behind(l, other);
}

/* v: the best there is, which is behind; NULL when none can be used. */
static void refuse(struct storage *s, struct recorder_link *l, const struct volume *v,
                   int64_t wall_us)
{
    const struct volume *last = atomic_load(&l->volume);
    bool is_slow = v != NULL || (last != NULL && volume_is_ok(last));
    if (v == NULL && last == NULL) /* none was ever used: one tells why */
        atomic_store(&l->volume, s->volumes[0]);
    atomic_fetch_add(&l->n_lost_fragments, 1);
    recorder_link_set(l, is_slow ? RECORDER_SLOW : RECORDER_NO_DISK, wall_us);
}

struct volume *recorder_volume_take(struct storage *s, struct recorder_link *l, int64_t wall_us)
{
    struct volume *v = storage__pick_volume(s, l->camera_id);
    if (v == NULL || is_behind(l, v)) {
        refuse(s, l, v, wall_us);
        return NULL;
    }
    int trouble = atomic_load(&l->trouble);
    if (trouble == RECORDER_NO_DISK || trouble == RECORDER_SLOW)
        recorder_link_set(l, RECORDER_WAITING, wall_us);
    atomic_store(&l->volume, v);
    return v;
}
