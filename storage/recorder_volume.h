/* Which volume the segments of a recorder go to.
 * Thread: the hub's loop. */
#ifndef STORAGE_RECORDER_VOLUME_H
#define STORAGE_RECORDER_VOLUME_H

#include "storage/storage_priv.h"

/* For a segment that begins at wall_us. NULL when it cannot be recorded now, which is counted and
 * told; otherwise the link has it. */
struct volume *recorder_volume_take(struct storage *s, struct recorder_link *l, int64_t wall_us);

/* At a key frame a volume may be left without losing a picture: whether v, which this recorder
 * writes to, does not answer, has a fault or is far behind, and another one is better off. What
 * waits for it is written when it answers. */
bool recorder_volume_is_to_be_left(struct storage *s, const struct recorder_link *l,
                                   const struct volume *v);

#endif
