/* Events of analysis: kept while they happen, told to open pages, found again.
 * Thread: as marked. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "analysis/motion_events.h"
#include "server/server.h"
#include "storage/db_events.h"

/* [server's loop] The events that are open; lives as long as the fleet. */
struct events;
struct events *events_create(struct server *s);
/* Nothing may be under way in the catalogue any more. */
void events_destroy(struct events **e);

/* Writes the change and tells pages once it is durable. */
void events_motion(struct events *e, enum motion_change change, const struct event *ev);

struct event_list {
    struct event_row *rows;
    size_t n, max;
};
void event_list_fini(struct event_list *l);

/* [pool] Events of one camera that touch the range, oldest first; at most max. */
int events_of_camera(struct catalogue *c, const char *camera_id, int64_t from_us, int64_t to_us,
                     size_t max, struct event_list *out, struct err *err);
/* [pool] */
int events_find(struct catalogue *c, const struct event_query *q, struct event_list *out,
                struct err *err);

#endif
