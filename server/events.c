#include "server/events.h"

#include <string.h>

#include "base/log.h"
#include "server/feed.h"
#include "server/routes.h"

/* An event under way. Its jobs are applied in order by the catalogue's one writer, which alone
 * touches id until they are done. */
struct open_event {
    int64_t id;
    int n_jobs; /* loop */
    bool is_closed;
};

struct events {
    struct server *server;
    struct map *open; /* camera id → struct open_event, owned */
};

struct event_job {
    struct server *server;
    struct open_event *open;
    bool is_new;
    struct event event;
};

struct events *events_create(struct server *s)
{
    struct events *e = xcalloc(1, sizeof *e);
    e->server = s;
    e->open = map_create();
    return e;
}

void events_destroy(struct events **events)
{
    struct events *e = *events;
    size_t pos = 0;
    const char *id;
    void *value;
    if (e == NULL)
        return;
    while (map_next(e->open, &pos, &id, &value))
        free(value);
    map_destroy(&e->open);
    FREE(events);
}

static int apply(struct db *db, void *ctx, struct err *err)
{
    struct event_job *j = ctx;
    if (j->is_new)
        return db_event_add(db, &j->event, &j->open->id, err);
    if (j->open->id == 0)
        return 0; /* it could not be written when it began, which was told then */
    return db_event_update(db, j->open->id, &j->event, err);
}

static void tell_pages(struct server *s, const struct event *ev, int64_t id)
{
    const struct camera_row *c = district_camera(s->district, ev->camera_id);
    if (s->feed == NULL || feed_count(s->feed) == 0 || c == NULL)
        return;
    struct node n = district_node_of_camera(s->district, c);
    json_t *o = event_json(ev, id, s->district);
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
    feed_publish(s->feed, s->district, &n, event_type_name(ev->type), text);
    free(text);
    json_decref(o);
}

static void release(struct open_event *o)
{
    if (o->is_closed && o->n_jobs == 0)
        free(o);
}

static void applied(void *ctx, const struct err *err)
{
    struct event_job *j = ctx;
    j->open->n_jobs--;
    if (err != NULL)
        log_error(j->event.camera_id, "an event is not kept: %s", err->msg);
    else if (j->open->id != 0)
        tell_pages(j->server, &j->event, j->open->id);
    release(j->open);
    free(j);
}

void events_motion(struct events *e, enum motion_change change, const struct event *ev)
{
    struct open_event *o = map_get(e->open, ev->camera_id);
    bool is_new = o == NULL;
    if (is_new) {
        o = xcalloc(1, sizeof *o);
        map_put(e->open, ev->camera_id, o);
    }
    if (change == MOTION_CLOSED) {
        map_remove(e->open, ev->camera_id);
        o->is_closed = true;
    }
    struct event_job *j = xcalloc(1, sizeof *j);
    *j = (struct event_job){.server = e->server, .open = o, .is_new = is_new, .event = *ev};
    o->n_jobs++;
    if (catalogue_post(e->server->catalogue, apply, j, e->server->loop, applied) < 0) {
        log_error(ev->camera_id, "too much to write: an event is not kept");
        o->n_jobs--;
        release(o);
        free(j);
    }
}

/* --- finding --- */

void event_list_fini(struct event_list *l)
{
    free(l->rows);
    *l = (struct event_list){0};
}

static int take_row(void *ctx, const struct event_row *row)
{
    struct event_list *l = ctx;
    if (l->n == l->max)
        return 0;
    if (l->n % 256 == 0)
        l->rows = xrealloc(l->rows, (l->n + 256) * sizeof *l->rows);
    l->rows[l->n++] = *row;
    return 0;
}

struct search {
    const char *camera_id;
    int64_t from_us, to_us;
    const struct event_query *query;
    struct event_list *list;
};

static int search(struct db *db, void *ctx, struct err *err)
{
    struct search *q = ctx;
    if (q->query != NULL)
        return db_events_find(db, q->query, take_row, q->list, err);
    return db_events_in(db, q->camera_id, q->from_us, q->to_us, take_row, q->list, err);
}

int events_of_camera(struct catalogue *c, const char *camera_id, int64_t from_us, int64_t to_us,
                     size_t max, struct event_list *out, struct err *err)
{
    struct search q = {.camera_id = camera_id, .from_us = from_us, .to_us = to_us, .list = out};
    *out = (struct event_list){.max = max};
    int rc = catalogue_read(c, search, &q, err);
    if (rc < 0)
        event_list_fini(out);
    return rc < 0 ? rc : 0;
}

int events_find(struct catalogue *c, const struct event_query *query, struct event_list *out,
                struct err *err)
{
    struct search q = {.query = query, .list = out};
    *out = (struct event_list){.max = query->limit};
    int rc = catalogue_read(c, search, &q, err);
    if (rc < 0)
        event_list_fini(out);
    return rc < 0 ? rc : 0;
}
