#include "server/fleet.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "server/placement.h"
#include "server/pull.h"

/* A camera at work. Its pulls may outlive it: a stopped one ends by itself. */
struct camera {
    struct fleet *fleet;
    char id[65];
    int ingest;      /* index of its loop, for life */
    char *placed_by; /* the address it was placed by */
    bool is_enabled;
    bool records_main, records_sub;
    bool is_sub_primary; /* the figures told are those of the sub stream */
    struct pull *main, *sub;
    struct camera_state state;
};

struct fleet {
    struct fleet_params params;
    struct map *cameras; /* id → struct camera, owned */
    struct placement *placement;
    int n_pulls; /* not yet gone */
    bool is_stopping;
    loop_fn *done;
    void *done_ctx;
};

/* --- state --- */

static int viewers_of(const struct camera *c, const struct pull *p)
{
    const struct fleet_host *host = &c->fleet->params.host;
    return p != NULL ? host->viewers(host->ctx, pull_hub(p)) : 0;
}

static void compute(const struct camera *c, struct camera_state *st)
{
    const struct pull *primary = c->is_sub_primary && c->sub != NULL ? c->sub : c->main;
    camera_state_off(st, c->id, "main");
    if (c->is_enabled && primary != NULL)
        camera_state_take_stream(st, pull_status(primary));
    st->has_sub = c->sub != NULL;
    st->n_viewers = viewers_of(c, c->main) + viewers_of(c, c->sub);
    st->is_recording_asked = c->is_enabled && (c->records_main || c->records_sub);
    st->is_recording = st->is_recording_asked;
    if (c->records_main && !camera_state_take_recorder(st, c->main, true))
        st->is_recording = false;
    if (c->records_sub && !camera_state_take_recorder(st, c->sub, !c->records_main))
        st->is_recording = false;
}

static void update(struct camera *c)
{
    struct camera_state st;
    compute(c, &st);
    bool is_change = camera_state_differs(&st, &c->state);
    bool is_told = is_change || strcmp(st.detail, c->state.detail) != 0 ||
                   st.retry_us != c->state.retry_us || st.has_sub != c->state.has_sub;
    st.since_us = is_change || c->state.since_us == 0 ? loop_wall_us(c->fleet->params.loop)
                                                      : c->state.since_us;
    c->state = st;
    if (is_told)
        c->fleet->params.host.camera_changed(c->fleet->params.host.ctx, &st, is_change);
}

static void stream_state(const struct camera *c, const struct pull *p, struct camera_state *out)
{
    *out = (struct camera_state){0};
    str_copy(out->camera_id, sizeof out->camera_id, c->id);
    camera_state_take_stream(out, pull_status(p));
    out->n_viewers = viewers_of(c, p);
    out->has_sub = c->sub != NULL;
    out->is_recording_asked = pull_recorder(p) != NULL;
    out->is_recording = camera_state_take_recorder(out, p, true);
}

/* One of its streams is pulled no more, or was never. */
static void tell_stopped(const struct camera *c, const char *stream)
{
    const struct fleet_host *host = &c->fleet->params.host;
    struct camera_state st;
    camera_state_off(&st, c->id, stream);
    st.since_us = loop_wall_us(c->fleet->params.loop);
    host->stream_changed(host->ctx, &st);
}

static void tell_stream(const struct camera *c, const struct pull *p)
{
    const struct fleet_host *host = &c->fleet->params.host;
    struct camera_state st;
    stream_state(c, p, &st);
    host->stream_changed(host->ctx, &st);
}

/* --- pulls --- */

/* What a pull's callbacks get: the camera while it has this pull, NULL after. */
struct link {
    struct fleet *fleet;
    struct camera *camera;
};

static void link_changed(void *ctx, struct pull *p, bool is_change)
{
    struct link *l = ctx;
    struct camera *c = l->camera;
    if (c == NULL || (c->main != p && c->sub != p))
        return; /* while it is being started */
    update(c);
    if (is_change)
        tell_stream(c, p);
}

static void link_motion(void *ctx, enum motion_change change, const struct event *ev)
{
    struct link *l = ctx;
    l->fleet->params.host.motion(l->fleet->params.host.ctx, change, ev);
}

static void finish_stop(void *ctx)
{
    struct fleet *f = ctx;
    loop_fn *done = f->done;
    void *done_ctx = f->done_ctx;
    map_destroy(&f->cameras);
    placement_destroy(&f->placement);
    free(f);
    done(done_ctx);
}

static void link_gone(void *ctx)
{
    struct link *l = ctx;
    struct fleet *f = l->fleet;
    free(l);
    if (--f->n_pulls == 0 && f->is_stopping)
        loop_defer(f->params.loop, finish_stop, f);
}

static void fill_config(const struct fleet *f, const struct camera_row *r, const char *name,
                        bool is_on_demand, struct stream_config *out)
{
    *out = (struct stream_config){.is_on_demand = is_on_demand};
    str_copy(out->camera_id, sizeof out->camera_id, r->id);
    str_copy(out->name, sizeof out->name, name);
    str_copy(out->url, sizeof out->url, strcmp(name, "sub") == 0 ? r->sub_url : r->main_url);
    str_copy(out->username, sizeof out->username, r->username);
    if (r->password != NULL && secrets_unseal(f->params.secrets, r->password, r->password_bytes,
                                              out->password, sizeof out->password) < 0)
        log_error(r->id, "the stored password cannot be read (another key?): enter it again");
    out->transport = strcmp(r->transport, "tcp") == 0   ? TRANSPORT_TCP
                     : strcmp(r->transport, "udp") == 0 ? TRANSPORT_UDP
                                                        : TRANSPORT_AUTO;
}

struct wish {
    bool is_wanted, is_on_demand, wants_record, wants_motion;
};

static void start_pull(struct camera *c, struct pull **slot, const struct stream_config *config,
                       const struct wish *w)
{
    struct fleet *f = c->fleet;
    struct link *l = xcalloc(1, sizeof *l);
    l->fleet = f;
    l->camera = c;
    f->n_pulls++;
    *slot = pull_start(&(struct pull_params){.home = f->params.loop,
                                             .ingest = f->params.ingest[c->ingest],
                                             .resolver = f->params.resolver,
                                             .tls = f->params.tls,
                                             .remux_path = f->params.remux_path,
                                             .gate = f->params.gates[c->ingest],
                                             .allowance = f->params.allowance,
                                             .storage = f->params.storage,
                                             .motion = f->params.motion,
                                             .config = config,
                                             .wants_record = w->wants_record,
                                             .wants_motion = w->wants_motion,
                                             .changed = link_changed,
                                             .motion_event = link_motion,
                                             .gone = link_gone,
                                             .ctx = l});
}

static void stop_pull(struct pull **slot)
{
    struct pull *p = *slot;
    if (p == NULL)
        return;
    *slot = NULL;
    struct link *l = pull_ctx(p);
    l->camera = NULL;
    pull_stop(p);
}

static void follow_stream(struct camera *c, struct pull **slot, const struct camera_row *r,
                          const char *name, const struct wish *w)
{
    struct stream_config config;
    if (!w->is_wanted) {
        if (*slot != NULL || strcmp(name, "main") == 0)
            tell_stopped(c, name);
        stop_pull(slot);
        return;
    }
    fill_config(c->fleet, r, name, w->is_on_demand, &config);
    if (*slot == NULL)
        start_pull(c, slot, &config, w);
    else
        pull_configure(*slot, &config, w->wants_record, w->wants_motion);
    memset(config.password, 0, sizeof config.password);
    tell_stream(c, *slot);
}

/* --- following the district --- */

static void follow_camera(struct camera *c, const struct district *d, const struct camera_row *r)
{
    const struct institution_row *inst = district_institution(d, r->institution_id);
    bool has_sub = r->sub_url[0] != '\0';
    bool has_motion = c->fleet->params.motion != NULL && !r->is_on_demand;
    bool both = strcmp(r->record, "both") == 0;
    c->is_enabled = r->is_enabled && inst != NULL && inst->is_enabled;
    c->records_sub = has_sub && (both || strcmp(r->record, "sub") == 0);
    c->records_main = both || strcmp(r->record, "main") == 0;
    c->is_sub_primary = c->records_sub && !c->records_main;

    /* A stream that is recorded or analysed runs always; the main stream of a camera recorded by
     * its sub stream is pulled only while somebody watches, to spare the institution's uplink. */
    struct wish main = {.is_wanted = c->is_enabled, .wants_record = c->records_main};
    struct wish sub = {.is_wanted = c->is_enabled && has_sub, .wants_record = c->records_sub};
    main.wants_motion = has_motion && !has_sub;
    sub.wants_motion = has_motion && has_sub;
    main.is_on_demand = !c->records_main && (r->is_on_demand || c->is_sub_primary);
    sub.is_on_demand = !c->records_sub && (r->is_on_demand || !sub.wants_motion);
    follow_stream(c, &c->main, r, "main", &main);
    follow_stream(c, &c->sub, r, "sub", &sub);
    update(c);
}

static void stop_camera(struct camera *c)
{
    stop_pull(&c->main);
    stop_pull(&c->sub);
    placement_give(c->fleet->placement, c->placed_by, c->ingest);
    free(c->placed_by);
    free(c);
}

static void stop_missing(struct fleet *f, const struct district *d)
{
    bool found = true;
    while (found) {
        size_t pos = 0;
        const char *id;
        void *value;
        found = false;
        while (!found && map_next(f->cameras, &pos, &id, &value))
            found = d == NULL || district_camera(d, id) == NULL;
        if (found) {
            struct camera *c = value;
            map_remove(f->cameras, c->id);
            if (d != NULL)
                f->params.host.camera_removed(f->params.host.ctx, c->id);
            stop_camera(c);
        }
    }
}

struct fleet *fleet_create(const struct fleet_params *params)
{
    struct fleet *f = xcalloc(1, sizeof *f);
    f->params = *params;
    f->cameras = map_create();
    f->placement = placement_create(params->n_ingest);
    return f;
}

void fleet_apply(struct fleet *f, const struct district *d)
{
    loop_assert(f->params.loop);
    stop_missing(f, d);
    for (size_t i = 0; i < d->rows.n_cameras; i++) {
        const struct camera_row *r = &d->rows.cameras[i];
        struct camera *c = map_get(f->cameras, r->id);
        if (c == NULL) {
            c = xcalloc(1, sizeof *c);
            c->fleet = f;
            str_copy(c->id, sizeof c->id, r->id);
            c->placed_by = xstrdup(r->main_url);
            c->ingest = placement_take(f->placement, c->placed_by);
            map_put(f->cameras, c->id, c);
        }
        follow_camera(c, d, r);
    }
}

void fleet_stop(struct fleet *f, loop_fn *done, void *ctx)
{
    loop_assert(f->params.loop);
    f->done = done;
    f->done_ctx = ctx;
    f->is_stopping = true;
    stop_missing(f, NULL);
    if (f->n_pulls == 0)
        loop_defer(f->params.loop, finish_stop, f);
}

/* --- asking --- */

static struct pull *find_pull(const struct fleet *f, const char *camera_id, const char *stream)
{
    const struct camera *c = map_get(f->cameras, camera_id);
    if (c == NULL)
        return NULL;
    if (strcmp(stream, "auto") == 0)
        return c->sub != NULL ? c->sub : c->main;
    return strcmp(stream, "sub") == 0 ? c->sub : c->main;
}

void fleet_each_watch(const struct fleet *f, fleet_watch_fn *fn, void *ctx)
{
    size_t pos = 0;
    const char *id;
    void *value;
    while (map_next(f->cameras, &pos, &id, &value)) {
        const struct camera *c = value;
        struct motion_watch_stats n;
        if ((c->sub != NULL && pull_watch_stats(c->sub, &n)) ||
            (c->main != NULL && pull_watch_stats(c->main, &n)))
            fn(ctx, id, &n);
    }
}

bool fleet_state(const struct fleet *f, const char *camera_id, struct camera_state *out)
{
    const struct camera *c = map_get(f->cameras, camera_id);
    if (c == NULL) {
        *out = (struct camera_state){.cause = CAUSE_CONNECTING, .stream = "main"};
        str_copy(out->camera_id, sizeof out->camera_id, camera_id);
        return false;
    }
    *out = c->state;
    return true;
}

bool fleet_stream_state(const struct fleet *f, const char *camera_id, const char *stream,
                        struct camera_state *out)
{
    const struct camera *c = map_get(f->cameras, camera_id);
    struct pull *p = find_pull(f, camera_id, stream);
    if (p == NULL)
        return fleet_state(f, camera_id, out);
    stream_state(c, p, out);
    return true;
}

struct hub *fleet_hub(const struct fleet *f, const char *camera_id, const char *stream)
{
    struct pull *p = find_pull(f, camera_id, stream);
    return p != NULL ? pull_hub(p) : NULL;
}

void fleet_adopt(struct fleet *f, const char *camera_id, const char *stream, struct push_peer *peer)
{
    struct pull *p = find_pull(f, camera_id, stream);
    if (p != NULL)
        pull_adopt(p, peer);
    else
        push_peer_refuse(&peer, 503, "The stream is not running");
}

bool fleet_has_stream(const struct fleet *f, const char *camera_id, const char *stream)
{
    const struct camera *c = map_get(f->cameras, camera_id);
    return c != NULL && (strcmp(stream, "sub") != 0 || c->sub != NULL);
}

void fleet_totals(const struct fleet *f, struct fleet_totals *out)
{
    size_t pos = 0;
    const char *id;
    void *value;
    *out = (struct fleet_totals){0};
    while (map_next(f->cameras, &pos, &id, &value)) {
        const struct camera *c = value;
        out->n_cameras++;
        out->n_enabled += c->is_enabled;
        out->n_reachable += c->state.is_reachable;
        out->n_advancing += c->state.is_advancing;
        out->n_asked += c->state.is_recording_asked;
        out->n_recording += c->state.is_recording;
        out->n_viewers += c->state.n_viewers;
        out->n_lost_packets += c->state.n_lost_packets;
        out->n_reconnects += c->state.n_reconnects;
    }
}
