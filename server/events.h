/* Events in the catalogue: kept while they happen, found again.
 * Thread: as marked. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "analysis/motion_events.h"
#include "media/event.h"
#include "storage/catalogue.h"

struct event_item {
    int64_t id;
    struct event event;
};

struct event_list {
    struct event_item *rows;
    size_t n;
};
void event_list_fini(struct event_list *l);

/* [pool] Events of one camera that touch the range, oldest first; at most max. */
int events_of_camera(struct catalogue *c, const char *camera_id, int64_t from_us, int64_t to_us,
                     size_t max, struct event_list *out, struct err *err);

#endif
