/* Prometheus text (exposition format 0.0.4). */
#include <string.h>

#include "base/str.h"
#include "server/feed.h"
#include "server/fleet.h"
#include "server/process.h"
#include "server/volumes.h"
#include "server/web.h"

static void put(struct buf *b, const char *name, const char *type, const char *help, double value)
{
    buf_printf(b, "# HELP rookery_%s %s\n# TYPE rookery_%s %s\nrookery_%s %.17g\n", name, help,
               name, type, name, value);
}

static void put_workers(struct server *s, struct buf *b)
{
    struct worker *const workers[] = {s->picture_worker, s->motion_worker};
    double deaths = 0, requests = 0, failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
        struct worker_stats st;
        if (workers[i] == NULL)
            continue;
        worker_stats(workers[i], &st);
        deaths += (double)st.n_deaths;
        requests += (double)st.n_requests;
        failed += (double)st.n_failed;
    }
    put(b, "worker_requests_total", "counter", "Pictures given to decoding workers.", requests);
    put(b, "worker_failed_total", "counter", "Pictures that could not be decoded.", failed);
    put(b, "worker_deaths_total", "counter", "Decoding workers that died or were killed.", deaths);
}

static void write_metrics(struct server *s, struct buf *b)
{
    struct fleet_totals t;
    struct process_load load;
    struct wall_stats wall;
    fleet_totals(s->fleet, &t);
    process_load(&load);
    wall_stats(s->wall, &wall);
    buf_printf(b,
               "# HELP rookery_build_info Version.\n# TYPE rookery_build_info gauge\n"
               "rookery_build_info{version=\"%s\",commit=\"%s\"} 1\n",
               server_version(), server_commit());
    put(b, "cameras", "gauge", "Cameras configured.", t.n_cameras);
    put(b, "cameras_enabled", "gauge", "Cameras switched on.", t.n_enabled);
    put(b, "cameras_reachable", "gauge", "Cameras that answer.", t.n_reachable);
    put(b, "cameras_advancing", "gauge", "Cameras whose pictures advance.", t.n_advancing);
    put(b, "cameras_recording_asked", "gauge", "Cameras that shall be recorded.", t.n_asked);
    put(b, "cameras_recording", "gauge", "Cameras recorded and playable.", t.n_recording);
    put(b, "lost_packets_total", "counter", "RTP packets lost.", (double)t.n_lost_packets);
    put(b, "reconnects_total", "counter", "Connections to cameras made again.",
        (double)t.n_reconnects);
    put(b, "viewers", "gauge", "Streams being watched.", t.n_viewers);
    put(b, "wall_connections", "gauge", "Open walls.", wall.n_conns);
    put(b, "wall_tiles", "gauge", "Tiles on open walls.", wall.n_tiles);
    put(b, "wall_sent_bytes_total", "counter", "Sent to walls.", (double)wall.n_bytes);
    put(b, "wall_dropped_total", "counter", "Pictures left out for slow walls.",
        (double)wall.n_dropped);
    put(b, "event_listeners", "gauge", "Listeners of server-sent events.", feed_count(s->feed));
    put(b, "http_connections", "gauge", "Open HTTP connections.", http_server_connections(s->http));
    put(b, "catalogue_ok", "gauge", "Whether the catalogue can be written and read.",
        catalogue_trouble(s->catalogue) == CATALOGUE_FINE);
    volumes_metrics(s->storage, b);
    put_workers(s, b);
    put(b, "uptime_seconds", "gauge", "Since the server started.",
        (double)(loop_wall_us(s->loop) - s->started_us) / (double)US_PER_S);
    put(b, "cpu_seconds_total", "counter", "User and system time.", load.cpu_s);
    put(b, "resident_bytes", "gauge", "Memory in use.", (double)load.rss_bytes);
    put(b, "open_fds", "gauge", "Open descriptors.", load.n_fds);
    put(b, "threads", "gauge", "Threads.", load.n_threads);
}

/* Behind a proxy on this machine everybody looks like loopback. */
static bool is_allowed(struct server *s, const struct http_request *req)
{
    struct user user;
    const char *token = http_bearer(req);
    if (token != NULL)
        return accounts_token(s->accounts, token, &user) && user_may(&user, PERM_MANAGE_SYSTEM);
    bool is_local = str_starts(req->peer_text, "127.") || strcmp(req->peer_text, "::1") == 0;
    return is_local && http_header(req, "X-Forwarded-For") == NULL &&
           http_header(req, "Forwarded") == NULL;
}

void metrics_get(struct server *s, struct http_request *req)
{
    struct buf b;
    http_add_header(req, "Cache-Control", "no-store");
    if (!is_allowed(s, req)) {
        http_reply_problem(req, 403,
                           "metrics are for this machine, or with a token of an "
                           "administrator");
        return;
    }
    buf_init(&b, 1u << 20);
    write_metrics(s, &b);
    http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", b.data, b.len);
    buf_fini(&b);
}
