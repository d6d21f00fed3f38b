/* The machine: load, and the description of this API. */
#include <string.h>
#include <sys/resource.h>

#include "base/str.h"
#include "server/catalogue_health.h"
#include "server/feed.h"
#include "server/json.h"
#include "server/process.h"
#include "server/routes.h"

void system_get(struct api_call *call)
{
    struct server *s = call->server;
    struct fleet_totals totals;
    struct process_load load;
    int64_t now_us = loop_wall_us(s->loop);
    fleet_totals(s->fleet, &totals);
    process_load(&load);
    json_t *loops = json_array(), *o = call->json = json_object();
    json_array_append_new(loops, json_string("server"));
    for (int i = 0; i < s->n_ingest; i++) {
        char name[32];
        snprintf(name, sizeof name, "ingest-%d", i);
        json_array_append_new(loops, json_string(name));
    }
    json_put_text(o, "version", server_version());
    json_put_text(o, "commit", server_commit());
    json_put_time(o, "started_at", s->started_us);
    json_put_real(o, "uptime_s", (double)(now_us - s->started_us) / (double)US_PER_S);
    json_put_text(o, "time_zone", call->time_zone);
    json_put_int(o, "cameras", totals.n_cameras);
    json_put_int(o, "recording", totals.n_recording);
    json_put(o, "loops", loops);
    json_put_real(o, "cpu_s", load.cpu_s);
    json_put_int(o, "rss_bytes", load.rss_bytes);
    json_put_int(o, "viewers", totals.n_viewers);
    enum catalogue_trouble trouble = catalogue_trouble(s->catalogue);
    json_put(o, "catalogue", catalogue_health_json(trouble));
    json_put_text(o, "catalogue_trouble", catalogue_trouble_text(trouble));
    api_finish(call);
}

extern const char openapi_yaml[];
extern const unsigned openapi_yaml_bytes;

void openapi_get(struct api_call *call)
{
    http_add_header(call->req, "Cache-Control", "no-cache");
    http_reply(call->req, 200, "application/yaml", openapi_yaml, openapi_yaml_bytes);
    api_call_free(call);
}
