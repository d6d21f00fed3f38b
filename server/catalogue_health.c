#include "server/catalogue_health.h"

#include "server/feed.h"
#include "server/json.h"
#include "server/server.h"

json_t *catalogue_health_json(enum catalogue_trouble trouble)
{
    json_t *o = json_object();
    json_put_text(o, "state", catalogue_trouble_name(trouble));
    json_put_text(o, "detail", catalogue_trouble_text(trouble));
    json_put_text(o, "advice", catalogue_trouble_advice(trouble));
    return o;
}

void catalogue_health_changed(void *ctx)
{
    struct server *s = ctx;
    if (s->catalogue == NULL || s->feed == NULL || feed_count(s->feed) == 0)
        return;
    json_t *o = catalogue_health_json(catalogue_trouble(s->catalogue));
    char *text = json_dumps(o, JSON_COMPACT);
    feed_publish_system(s->feed, "catalogue", text);
    free(text);
    json_decref(o);
}
