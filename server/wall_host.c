#include "server/wall_host.h"

#include <string.h>

#include "base/str.h"

struct watcher {
    struct user user;
    int64_t since_us;
};

void wall_host_state(const struct camera_state *st, int64_t now_us, struct wall_state *out)
{
    /* that it cannot be recorded does not trouble the live picture */
    enum stream_cause cause = st->cause == CAUSE_DISK && st->is_advancing ? CAUSE_OK : st->cause;
    *out = (struct wall_state){.is_advancing = st->is_advancing, .retry_s = -1};
    str_copy(out->cause, sizeof out->cause, cause_name(cause));
    str_copy(out->detail, sizeof out->detail, st->detail);
    if (st->retry_us != 0)
        out->retry_s = MAX((double)(st->retry_us - now_us) / (double)US_PER_S, 0.0);
}

static int unknown(struct wall_grant *out, const char *camera_id)
{
    return err_say(&out->why, ERR_NOT_FOUND, "unknown_thing", "there is no %s %.64s", "camera",
                   camera_id);
}

/* "auto" means the small stream for live pictures, and whatever is recorded for the past. */
static const char *resolve_stream(struct server *s, const struct camera_row *c, const char *stream,
                                  enum wall_action action)
{
    if (strcmp(stream, "auto") != 0)
        return stream;
    if (action == WALL_PLAYBACK)
        return strcmp(c->record, "sub") == 0 ? "sub" : "main";
    return fleet_has_stream(s->fleet, c->id, "sub") ? "sub" : "main";
}

int wall_host_grant(struct server *s, const struct user *user, const char *camera_id,
                    const char *stream, enum wall_action action, struct wall_grant *out)
{
    *out = (struct wall_grant){.state = {.retry_s = -1}};
    const struct camera_row *c = district_camera(s->district, camera_id);
    if (c == NULL)
        return unknown(out, camera_id);
    struct node n = district_node_of_camera(s->district, c);
    int rc = access_check(user, action == WALL_LIVE ? PERM_VIEW_LIVE : PERM_VIEW_RECORDED,
                          s->district, &n);
    if (rc == ERR_NOT_FOUND)
        return unknown(out, camera_id);
    if (rc < 0)
        return err_say(&out->why, rc, "watch_forbidden", "this account may not watch it");
    if (action == WALL_LIVE && s->config->policy == POLICY_OFF)
        return err_say(&out->why, ERR_FORBIDDEN, "live_off",
                       "live viewing is switched off in this district");
    str_copy(out->stream, sizeof out->stream, resolve_stream(s, c, stream, action));
    if (action == WALL_PLAYBACK) {
        out->source = storage_source(s->storage);
        return 0;
    }
    if (!fleet_has_stream(s->fleet, camera_id, out->stream))
        return err_say(&out->why, ERR_UNSUPPORTED, "no_stream",
                       "the camera is not set up with this stream");
    struct camera_state st;
    if (fleet_stream_state(s->fleet, camera_id, out->stream, &st))
        wall_host_state(&st, loop_wall_us(s->loop), &out->state);
    struct hub *hub = fleet_hub(s->fleet, camera_id, out->stream);
    out->hub = hub != NULL ? hub_ref(hub) : NULL;
    return 0;
}

static int resolve(void *ctx, void *user, const char *camera_id, const char *stream,
                   enum wall_action action, struct wall_grant *out)
{
    const struct watcher *w = user;
    struct server *s = ctx;
    if (!accounts_is_current(s->accounts, w->user.name, w->since_us)) {
        *out = (struct wall_grant){.state = {.retry_s = -1}};
        return err_say(&out->why, ERR_FORBIDDEN, "account_changed",
                       "the account was changed: sign in again");
    }
    return wall_host_grant(s, &w->user, camera_id, stream, action, out);
}

static void conn_closed(void *ctx, void *user)
{
    (void)ctx;
    free(user);
}

struct wall_host wall_host_of(struct server *s)
{
    return (struct wall_host){.resolve = resolve, .conn_closed = conn_closed, .ctx = s};
}

void wall_host_accept(struct server *s, struct http_request *req, const struct user *user)
{
    struct watcher *w = xcalloc(1, sizeof *w);
    w->user = *user;
    w->since_us = loop_wall_us(s->loop);
    wall_accept(s->wall, req, w);
}
