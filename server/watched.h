/* Notes when motion analysis looks at which camera, so that thinning can tell "nothing moved" from
 * "nobody looked".
 *
 * A stretch goes on from beat to beat while analysis saw at least every second key frame of the
 * camera, or one a second; anything less ends it, and so does the end of the process.
 * Thread: belongs to its loop. */
#ifndef SERVER_WATCHED_H
#define SERVER_WATCHED_H

#include "analysis/motion_watch.h"
#include "base/map.h"
#include "storage/catalogue.h"

struct watched;

struct watched *watched_create(struct catalogue *c);
void watched_destroy(struct watched **w);

/* At every beat for every camera that is watched; n counts since its watch began. */
void watched_note(struct watched *w, const char *camera_id, const struct motion_watch_stats *n,
                  int64_t now_us);
/* The end of a beat, with the time that the notes had: who was not noted is not watched any more.
 * Writes once a minute. */
void watched_beat(struct watched *w, int64_t now_us);
void watched_write(struct watched *w); /* at once: the process ends */

#endif
