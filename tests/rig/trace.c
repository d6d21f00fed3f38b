#include <string.h>

#include "client_priv.h"

json_t *trace_event(struct camera *camera, int connection, const char *what)
{
    if (!camera->trace || json_array_size(camera->trace) >= TRACE_MAX_ENTRIES)
        return NULL;
    json_t *entry =
        json_pack("{s:i, s:I, s:s}", "connection", connection, "at_ms",
                  (json_int_t)(loop_mono_us(camera->sim->loop) / US_PER_MS), "what", what);
    json_array_append_new(camera->trace, entry);
    return entry;
}

static json_t *text_of(struct span s)
{
    json_t *text = json_stringn(s.p, s.n);
    return text ? text : json_string("?");
}

void trace_request(struct client *c, const struct rtsp_message *m)
{
    c->request_trace = c->camera ? trace_event(c->camera, c->connection, "request") : NULL;
    if (!c->request_trace)
        return;
    json_t *headers = json_object();
    for (size_t i = 0; i < m->n_headers; i++) {
        char name[128];
        if (span_copy(m->headers[i].name, name, sizeof name))
            json_object_set_new(headers, name, text_of(m->headers[i].value));
    }
    json_object_set_new(c->request_trace, "method", json_string(rtsp_method_name(m->method)));
    json_object_set_new(c->request_trace, "uri", text_of(m->uri));
    json_object_set_new(c->request_trace, "headers", headers);
}

void trace_answer(struct client *c, const struct rtsp_message *m)
{
    json_t *entry = trace_event(c->camera, c->connection, "answer");
    if (!entry)
        return;
    json_object_set_new(entry, "status", json_integer(m->status));
    json_object_set_new(entry, "cseq", json_integer(m->cseq));
}

void trace_status(struct client *c, int status)
{
    if (c->request_trace)
        json_object_set_new(c->request_trace, "status", json_integer(status));
    c->request_trace = NULL;
}
