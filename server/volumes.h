/* Volumes as the API tells them.
 * Thread: the server's loop, or the pool for plain functions on values. */
#ifndef SERVER_VOLUMES_H
#define SERVER_VOLUMES_H

#include <jansson.h>

#include "base/buf.h"
#include "storage/storage.h"

struct segment_totals;

/* All of them, with the segments and bytes on each as storage_totals has them. */
json_t *volumes_json(struct storage *storage, const struct segment_totals *totals);

/* [loop] ctx is the struct server: tells open pages of those who may manage the system. */
void volumes_changed(void *ctx, const struct volume_status *v);

/* As Prometheus text. */
void volumes_metrics(struct storage *storage, struct buf *b);

#endif
