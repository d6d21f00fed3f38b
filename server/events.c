#include "server/events.h"

#include "base/mem.h"

void event_list_fini(struct event_list *l)
{
    free(l->rows);
    *l = (struct event_list){0};
}

int events_of_camera(struct catalogue *c, const char *camera_id, int64_t from_us, int64_t to_us,
                     size_t max, struct event_list *out, struct err *err)
{
    (void)c, (void)camera_id, (void)from_us, (void)to_us, (void)max, (void)err;
    *out = (struct event_list){0};
    return 0;
}
