#include "server/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "net/tls_client.h"
#include "server/catalogue_health.h"
#include "server/events.h"
#include "server/feed.h"
#include "server/fleet.h"
#include "server/push_host.h"
#include "server/supervision.h"
#include "server/volumes.h"
#include "server/wall_host.h"
#include "server/watched.h"
#include "server/web.h"

/* Cameras that are being connected at once, in all. */
#define MAX_HANDSHAKES  512
#define READING_THREADS 16 /* each reads for one page at a time */

static int open_stores(struct server *s, struct err *err)
{
    struct config *c = s->config;
    char generated[SECRET_TEXT_BYTES] = "";
    struct volume_config volumes[STORAGE_MAX_VOLUMES];
    int rc = catalogue_open(c->data_dir, clock_system(), &s->catalogue, err);
    if (rc == 0)
        rc = secrets_open(c->data_dir, &s->secrets, err);
    if (rc == 0)
        rc = accounts_ensure_admin(s->catalogue, getenv("ROOKERY_ADMIN_PASSWORD"), generated, err);
    if (rc < 0)
        return rc;
    unsetenv("ROOKERY_ADMIN_PASSWORD");
    catalogue_on_trouble(s->catalogue, s->loop, catalogue_health_changed, s);
    if (generated[0] != '\0') {
        printf("user admin, password %s (shown only now)\n", generated);
        fflush(stdout);
    }
    size_t n = MIN(c->n_volumes, (size_t)STORAGE_MAX_VOLUMES);
    for (size_t i = 0; i < n; i++)
        volumes[i] = (struct volume_config){.path = c->volumes[i].path,
                                            .reserve_bytes = c->volumes[i].reserve_bytes,
                                            .reserve_percent = c->volumes[i].reserve_percent};
    rc = supervision_begin(s, err);
    if (rc < 0)
        return rc;
    return storage_open(&(struct storage_params){.catalogue = s->catalogue,
                                                 .clock = clock_system(),
                                                 .volumes = volumes,
                                                 .n_volumes = n,
                                                 .retention_days = c->retention_days,
                                                 .thin_after_days = c->thin_after_days,
                                                 .thin_keep = c->thin_keep,
                                                 .segment_us = c->segment_s * US_PER_S,
                                                 .sync_interval_us = c->sync_interval_s * US_PER_S,
                                                 .status_loop = s->loop,
                                                 .volume_changed = volumes_changed,
                                                 .ctx = s,
                                                 .is_staggered = true,
                                                 .secret = secrets_recordings_key(s->secrets)},
                        &s->storage, err);
}

static void start_loops(struct server *s)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int n = s->config->n_loops > 0 ? s->config->n_loops : (int)CLAMP(cores, 1L, 32L);
    s->pool = pool_create(&(struct pool_params){.name = "pool", .n_threads = 4});
    s->reading_pool =
        pool_create(&(struct pool_params){.name = "reading", .n_threads = READING_THREADS});
    s->resolver = resolver_create(NULL);
    s->password_pool =
        pool_create(&(struct pool_params){.name = "passwords", .n_threads = 2, .max_waiting = 16});
    s->n_ingest = MIN(n, SERVER_MAX_INGEST);
    for (int i = 0; i < s->n_ingest; i++) {
        char name[16];
        snprintf(name, sizeof name, "ingest-%u", (unsigned)i % SERVER_MAX_INGEST);
        s->ingest[i] = loop_create(&(struct loop_params){.name = name});
        s->gates[i] = gate_create(s->ingest[i], MAX_HANDSHAKES / s->n_ingest);
        loop_start(s->ingest[i]);
    }
}

static int open_tls(struct server *s, struct err *err)
{
    const struct config *c = s->config;
    char names[600], host[256] = "localhost";
    if (c->tls == TLS_OFF)
        return 0;
    if (c->tls == TLS_FILES)
        return tls_create(c->tls_cert, c->tls_key, &s->tls, err);
    char *cert = xasprintf("%s/keys/http.crt", c->data_dir);
    char *key = xasprintf("%s/keys/http.key", c->data_dir);
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    snprintf(names, sizeof names, "localhost,127.0.0.1,%s%s%s", c->http.host, host[0] ? "," : "",
             host);
    int rc = tls_make_self_signed(cert, key, names, err);
    if (rc == 0)
        rc = tls_create(cert, key, &s->tls, err);
    free(cert);
    free(key);
    return rc;
}

/* Everything that stays open is, but for the port of HTTP and the workers. */
static void share_files(struct server *s)
{
    struct process_load load;
    process_load(&load);
    process_share_files(s->files.n_allowed, load.n_fds, &s->files);
    allowance_init(&s->allowance, s->files.n_cameras);
}

static int start_http(struct server *s, struct err *err)
{
    char listen[300];
    if (open_tls(s, err) < 0)
        return err->code;
    const struct config_listen *l = &s->config->http;
    snprintf(listen, sizeof listen, strchr(l->host, ':') ? "[%s]:%u" : "%s:%u", l->host, l->port);
    int rc = http_server_create(&(struct http_server_params){.loop = s->loop,
                                                             .pool = s->pool,
                                                             .listen = listen,
                                                             .tls = s->tls,
                                                             .handler = web_handle,
                                                             .ctx = s,
                                                             .ws_ping_ms = WALL_PING_MS,
                                                             .max_connections = s->files.n_pages},
                                &s->http, err);
    if (rc == -EADDRINUSE)
        return err_text(err, rc,
                        "another program listens on %s already: stop it, or set http.listen to "
                        "another port",
                        listen);
    return rc;
}

int parts_build(struct server *s, struct err *err)
{
    struct district *d = NULL;
    int rc = open_stores(s, err);
    if (rc < 0)
        return rc;
    start_loops(s);
    rc = accounts_create(&(struct accounts_params){.loop = s->loop,
                                                   .pool = s->password_pool,
                                                   .catalogue = s->catalogue},
                         &s->accounts, err);
    if (rc == 0)
        rc = server_load_district(s->catalogue, &d, err);
    if (rc == 0)
        rc = tls_client_create(&s->camera_tls, err);
    share_files(s);
    if (rc == 0)
        rc = start_http(s, err);
    if (rc < 0) {
        district_unref(&d);
        return rc;
    }
    s->picture_worker = worker_create(
        &(struct worker_params){.loop = s->loop, .path = s->config->worker, .name = "pictures"});
    if (s->config->is_motion_on)
        s->motion_worker = worker_create(&(struct worker_params){
            .loop = s->loop, .path = s->config->worker, .name = "motion", .max_waiting = 4096});
    s->packagers = packager_table_create(s->loop);
    struct wall_host host = wall_host_of(s);
    s->wall = wall_create(&(struct wall_params){
        .loop = s->loop, .pool = s->reading_pool, .packagers = s->packagers, .host = &host});
    s->feed = feed_create(s->loop);
    s->events = events_create(s);
    s->watched = watched_create(s->catalogue);
    s->fleet = fleet_create(&(struct fleet_params){.loop = s->loop,
                                                   .ingest = s->ingest,
                                                   .tls = s->camera_tls,
                                                   .remux_path = s->config->remux,
                                                   .gates = s->gates,
                                                   .allowance = &s->allowance,
                                                   .n_ingest = s->n_ingest,
                                                   .resolver = s->resolver,
                                                   .catalogue = s->catalogue,
                                                   .storage = s->storage,
                                                   .secrets = s->secrets,
                                                   .motion = s->motion_worker,
                                                   .host = supervision_host(s)});
    server_set_district(s, d);
    push_host_open(s);
    return 0;
}

void parts_tear_down(struct server *s)
{
    for (int i = 0; i < s->n_ingest; i++) {
        loop_stop(s->ingest[i]);
        loop_join(s->ingest[i]);
    }
    resolver_destroy(&s->resolver);
    pool_destroy(&s->pool);
    pool_destroy(&s->reading_pool);
    pool_destroy(&s->password_pool);
    for (int i = 0; i < 4; i++)
        loop_turn(s->loop, false);
    storage_close(&s->storage);
    if (s->catalogue != NULL)
        supervision_end(s);
    for (int i = 0; i < 4; i++)
        loop_turn(s->loop, false);
    push_port_destroy(&s->push_port);
    http_server_destroy(&s->http);
    tls_destroy(&s->tls);
    tls_client_destroy(&s->camera_tls);
    accounts_destroy(&s->accounts);
    catalogue_close(&s->catalogue);
    loop_turn(s->loop, false); /* what the last jobs posted back */
    events_destroy(&s->events);
    watched_destroy(&s->watched);
    for (int i = 0; i < s->n_ingest; i++) {
        gate_destroy(&s->gates[i]);
        loop_destroy(&s->ingest[i]);
    }
    loop_destroy(&s->loop);
    district_unref(&s->district);
    secrets_close(&s->secrets);
    config_unref(&s->config);
}
