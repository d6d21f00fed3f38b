/* Events of analysis. */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "server/api_page.h"
#include "server/events.h"
#include "server/json.h"
#include "server/routes.h"

json_t *event_json(const struct event *ev, int64_t id, const struct district *d)
{
    const struct camera_row *c = district_camera(d, ev->camera_id);
    const struct institution_row *inst = c ? district_institution(d, c->institution_id) : NULL;
    json_t *o = json_object(), *region = json_object();
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, id);
    json_put_text(o, "id", text);
    json_put_text(o, "camera_id", ev->camera_id);
    json_put_text(o, "camera_name", c ? c->name : "");
    json_put_text(o, "institution_name", inst ? inst->name : "");
    json_put_text(o, "type", event_type_name(ev->type));
    json_put_time(o, "from", ev->from_us);
    json_put_time(o, "to", ev->to_us);
    json_put_bool(o, "open", ev->is_open);
    json_put_real(o, "score", ev->score);
    json_put_real(region, "x", ev->x);
    json_put_real(region, "y", ev->y);
    json_put_real(region, "w", ev->w);
    json_put_real(region, "h", ev->h);
    json_put(o, "region", region);
    return o;
}

static int read_query(const struct api_call *call, struct event_query *q, struct err *err)
{
    int64_t limit = 100;
    const char *type = api_query(call, "type"), *cursor = api_query(call, "cursor");
    *q = (struct event_query){.type = -1};
    int rc = api_query_int(call, "limit", 1, 5000, &limit, err);
    if (rc == 0)
        rc = api_query_time(call, "from", false, &q->from_us, err);
    if (rc == 0)
        rc = api_query_time(call, "to", false, &q->to_us, err);
    if (rc < 0)
        return rc;
    q->limit = (size_t)limit;
    if (type != NULL && strcmp(type, event_type_name(EVENT_MOTION)) == 0)
        q->type = EVENT_MOTION;
    else if (type != NULL && type[0] != '\0')
        return err_text(err, ERR_INVALID, "type: this version knows motion only");
    if (cursor != NULL) {
        struct span rest = span_of(cursor), head;
        if (!span_cut(&rest, '-', &head) || !span_i64(head, &q->before_from_us) ||
            !span_i64(rest, &q->before_id))
            return err_text(err, ERR_INVALID, "cursor: give back the `next` of the page before");
    }
    return 0;
}

int events_list(struct api_call *call, struct err *err)
{
    struct event_query q;
    struct event_list list;
    int rc = read_query(call, &q, err);
    if (rc < 0)
        return rc;
    const char **ids = page_cameras(call, &q.n_cameras);
    q.camera_ids = ids;
    rc = events_find(call->server->catalogue, &q, &list, err);
    free(ids);
    if (rc < 0)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < list.n; i++)
        json_array_append_new(items,
                              event_json(&list.rows[i].event, list.rows[i].id, call->district));
    call->json = json_list(items);
    if (list.n == q.limit) {
        char next[64];
        snprintf(next, sizeof next, "%" PRId64 "-%" PRId64, list.rows[list.n - 1].event.from_us,
                 list.rows[list.n - 1].id);
        json_put_text(call->json, "next", next);
    }
    event_list_fini(&list);
    return 0;
}
