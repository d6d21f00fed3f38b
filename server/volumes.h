/* Volumes as the API tells them.
 * Thread: the server's loop, or the pool for plain functions on values. */
#ifndef SERVER_VOLUMES_H
#define SERVER_VOLUMES_H

#include <jansson.h>

#include "base/buf.h"
#include "storage/storage.h"

/* [pool, blocks] All of them, with the segments and bytes on each. */
json_t *volumes_json(struct storage *storage, struct catalogue *catalogue);

/* [loop] ctx is the struct server: tells open pages of those who may manage the system. */
void volumes_changed(void *ctx, const struct volume_status *v);

/* As Prometheus text. */
void volumes_metrics(struct storage *storage, struct buf *b);

#endif
