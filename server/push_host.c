#include "server/push_host.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "ingest/push_port.h"
#include "ingest/stream.h"
#include "server/fleet.h"

static void lookup(void *ctx, const char *camera_id, const char *stream, struct push_camera *out)
{
    struct server *s = ctx;
    const struct camera_row *r =
        s->district != NULL ? district_camera(s->district, camera_id) : NULL;
    if (r == NULL || r->password == NULL)
        return;
    const char *url = strcmp(stream, "sub") == 0 ? r->sub_url : r->main_url;
    const struct institution_row *inst = district_institution(s->district, r->institution_id);
    str_copy(out->user, sizeof out->user, r->username[0] != '\0' ? r->username : r->id);
    out->is_known = url[0] != '\0' && secrets_unseal(s->secrets, r->password, r->password_bytes,
                                                     out->key, sizeof out->key) == 0;
    out->is_pushed = stream_is_push_url(url);
    out->is_enabled = r->is_enabled && inst != NULL && inst->is_enabled;
}

static void admit(void *ctx, const char *camera_id, const char *stream, struct push_peer *peer)
{
    struct server *s = ctx;
    fleet_adopt(s->fleet, camera_id, stream, peer);
}

void push_host_open(struct server *s)
{
    char listen[300];
    struct err err;
    const struct config_listen *l = &s->config->rtsp;
    if (!l->is_on)
        return;
    err_clear(&err);
    snprintf(listen, sizeof listen, strchr(l->host, ':') ? "[%s]:%u" : "%s:%u", l->host, l->port);
    const struct push_port_params params = {.loop = s->loop,
                                            .listen = listen,
                                            .allowance = &s->allowance,
                                            .lookup = lookup,
                                            .admit = admit,
                                            .ctx = s};
    if (push_port_create(&params, &s->push_port, &err) < 0)
        log_error("push", "encoders cannot push (rtsp.listen): %s", err.msg);
    else
        s->push_number = push_port_number(s->push_port);
}
