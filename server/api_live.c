/* Streams of the present: live.mp4, the wall, events. They take the request over on the loop. */
#include <string.h>

#include "base/str.h"
#include "delivery/live.h"
#include "server/feed.h"
#include "server/fleet.h"
#include "server/routes.h"
#include "server/wall_host.h"

void live_get(struct api_call *call)
{
    struct server *s = call->server;
    struct err err;
    err_clear(&err);
    const char *stream = api_query_stream(call, &err);
    if (stream == NULL) {
        api_fail(call, &err);
        return;
    }
    struct wall_grant grant;
    int rc = wall_host_grant(s, &call->user, call->id, stream, WALL_LIVE, &grant);
    if (rc == 0 && grant.hub == NULL) {
        err_say(&err, ERR_BUSY, "no_picture", "there is no live picture: %s",
                grant.state.detail[0] ? grant.state.detail : grant.state.cause);
        api_fail(call, &err);
        return;
    }
    if (rc < 0) {
        err = grant.why;
        err.code = rc == ERR_UNSUPPORTED ? ERR_NOT_FOUND : rc;
        api_fail(call, &err);
        return;
    }
    http_add_header(call->req, "Cache-Control", "no-store");
    /* Sound that is not there is not waited for. */
    struct camera_state st;
    bool is_silent =
        fleet_stream_state(s->fleet, call->id, stream, &st) && st.is_advancing && !st.has_audio;
    live_start(&(struct live_params){.packagers = s->packagers,
                                     .hub = grant.hub,
                                     .loop = s->loop,
                                     .req = call->req,
                                     .without_audio = is_silent});
    hub_unref(&grant.hub);
    api_call_free(call);
}

/* A page of another site must not open a wall with our user's cookie. */
static bool is_own_origin(const struct api_call *call)
{
    const char *origin = http_header(call->req, "Origin");
    const char *host = http_header(call->req, "Host");
    if (!call->is_cookie)
        return true;
    if (origin == NULL || host == NULL)
        return false;
    const char *authority = strstr(origin, "://");
    return authority != NULL && strcmp(authority + 3, host) == 0;
}

void wall_open(struct api_call *call)
{
    if (!is_own_origin(call)) {
        http_reply_problem(call->req, 403, "the wall can only be opened by the server's own pages");
    } else if (!http_wants_websocket(call->req)) {
        http_add_header(call->req, "Upgrade", "websocket");
        http_reply_problem(call->req, 426, "this is a WebSocket: connect with subprotocol %s",
                           WALL_SUBPROTOCOL);
    } else {
        wall_host_accept(call->server, call->req, &call->user);
    }
    api_call_free(call);
}

void events_stream(struct api_call *call)
{
    feed_accept(call->server->feed, call->req, &call->user);
    api_call_free(call);
}
