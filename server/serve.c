/* `rookery serve`: builds the process, runs it, takes it down again. */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/log.h"
#include "base/str.h"
#include "net/tls.h"
#include "net/tls_client.h"
#include "server/catalogue_health.h"
#include "server/cli.h"
#include "server/events.h"
#include "server/feed.h"
#include "server/fleet.h"
#include "server/nightly.h"
#include "server/process.h"
#include "server/push_host.h"
#include "server/supervision.h"
#include "server/volumes.h"
#include "server/wall_host.h"
#include "server/watched.h"
#include "server/web.h"

#define WATCH_MS     2000  /* how often other processes' changes are looked for */
#define HEARTBEAT_MS 10000 /* of server_runs */
#define STOP_MS      4500  /* then the rest is left to crash recovery */

/* Cameras that are being connected at once, in all. */
#define MAX_HANDSHAKES 512

struct serve {
    struct server server;
    const char *config_path; /* NULL = defaults */
    struct watch signals;
    int signal_fd;
    struct timer watch_timer, beat_timer, stop_timer;
    struct nightly *nightly;
    bool is_watch_running;
    bool is_late;
};

/* --- changes by other processes --- */

struct look {
    struct serve *serve;
    int64_t district_revision, accounts_revision; /* what we have */
    struct district *district;                    /* newer, or NULL */
    struct account_rows rows;
    bool has_rows;
};

static int read_revisions(struct db *db, void *ctx, struct err *err)
{
    struct look *l = ctx;
    int64_t accounts = 0, district = 0;
    int rc = db_accounts_revision(db, &accounts, err);
    if (rc == 0)
        rc = db_district_revision(db, &district, err);
    if (rc == 0 && accounts != l->accounts_revision) {
        rc = account_rows_load(db, &l->rows, err);
        l->has_rows = rc == 0;
    }
    if (rc == 0 && district != l->district_revision) {
        struct district_rows rows;
        rc = db_district_load(db, &rows, err);
        if (rc == 0)
            l->district = district_create(&rows);
    }
    return rc;
}

static void look(void *ctx) /* pool */
{
    struct look *l = ctx;
    struct err err;
    err_clear(&err);
    if (catalogue_read(l->serve->server.catalogue, read_revisions, l, &err) < 0)
        log_warn("server", "cannot look for changes: %s", err.msg);
}

static void looked(void *ctx)
{
    struct look *l = ctx;
    struct server *s = &l->serve->server;
    l->serve->is_watch_running = false;
    if (l->district != NULL)
        server_set_district(s, l->district);
    if (l->has_rows)
        server_set_accounts(s, &l->rows);
    free(l);
}

static void watch_changes(void *ctx)
{
    struct serve *v = ctx;
    timer_arm_ms(&v->watch_timer, WATCH_MS);
    if (v->is_watch_running)
        return;
    struct look *l = xcalloc(1, sizeof *l);
    l->serve = v;
    l->district_revision = v->server.district->rows.revision;
    l->accounts_revision = accounts_revision(v->server.accounts);
    v->is_watch_running = pool_submit(v->server.pool, look, v->server.loop, looked, l);
    if (!v->is_watch_running)
        free(l);
}

static void beat(void *ctx)
{
    struct serve *v = ctx;
    timer_arm_ms(&v->beat_timer, HEARTBEAT_MS);
    supervision_beat(&v->server);
}

/* --- stopping: each step asks, the next follows when it is done --- */

static void stop_loop(void *ctx)
{
    struct serve *v = ctx;
    loop_stop(v->server.loop);
}

static void stop_motion_worker(void *ctx)
{
    struct serve *v = ctx;
    if (v->server.motion_worker != NULL)
        worker_stop(v->server.motion_worker, stop_loop, v);
    else
        stop_loop(v);
}

static void stop_picture_worker(void *ctx)
{
    struct serve *v = ctx;
    worker_stop(v->server.picture_worker, stop_motion_worker, v);
}

static void stop_fleet(void *ctx)
{
    struct serve *v = ctx;
    v->server.packagers = NULL;
    fleet_stop(v->server.fleet, stop_picture_worker, v);
}

static void stop_packagers(void *ctx)
{
    struct serve *v = ctx;
    v->server.wall = NULL;
    packager_table_stop(v->server.packagers, stop_fleet, v);
}

static void stop_late(void *ctx)
{
    struct serve *v = ctx;
    log_error("server", "something does not end in time: leaving; the next start repairs it");
    v->is_late = true;
    loop_stop(v->server.loop);
}

static void begin_stop(struct serve *v)
{
    struct server *s = &v->server;
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    process_notify("STOPPING=1");
    log_info("server", "stopping");
    timer_arm_ms(&v->stop_timer, STOP_MS);
    timer_disarm(&v->watch_timer);
    timer_disarm(&v->beat_timer);
    if (s->watched != NULL)
        watched_write(s->watched);
    nightly_stop(&v->nightly);
    feed_destroy(s->feed);
    s->feed = NULL;
    push_port_destroy(&s->push_port);
    http_server_destroy(&s->http);
    wall_stop(s->wall, stop_packagers, v);
}

/* --- reload --- */

struct reload {
    struct serve *serve;
    struct config *config;
    struct err err;
};

static void read_config(void *ctx) /* pool */
{
    struct reload *r = ctx;
    config_load(r->serve->config_path, &r->config, &r->err);
}

static void take_config(void *ctx)
{
    struct reload *r = ctx;
    struct server *s = &r->serve->server;
    if (r->config == NULL) {
        log_error("server", "the configuration is not taken over: %s", r->err.msg);
        free(r);
        return;
    }
    const char *key = config_needs_restart(s->config, r->config);
    if (key != NULL)
        log_warn("server", "%s is another one: it takes effect at the next start", key);
    log_set_level(r->config->log_level);
    /* what needs a restart must not seem to have changed: only policy and level are taken */
    struct config *now = config_with(s->config, r->config);
    config_unref(&r->config);
    config_unref(&s->config);
    s->config = now;
    if (!s->is_stopping)
        wall_recheck(s->wall, NULL);
    log_info("server", "configuration read again: log.level and policy.live are in effect");
    free(r);
}

static void reload(struct serve *v)
{
    struct reload *r = xcalloc(1, sizeof *r);
    r->serve = v;
    if (!pool_submit(v->server.pool, read_config, v->server.loop, take_config, r))
        free(r);
}

static void on_signal(void *ctx, int fd, short what)
{
    struct serve *v = ctx;
    struct signalfd_siginfo info;
    (void)what;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            reload(v);
        else
            begin_stop(v);
    }
}

/* --- building --- */

static int open_stores(struct serve *v, struct err *err)
{
    struct server *s = &v->server;
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
                                                             .max_connections = 4000},
                                &s->http, err);
    if (rc == -EADDRINUSE)
        return err_text(err, rc,
                        "another program listens on %s already: stop it, or set http.listen to "
                        "another port",
                        listen);
    return rc;
}

static int build(struct serve *v, struct err *err)
{
    struct server *s = &v->server;
    struct district *d = NULL;
    int rc = open_stores(v, err);
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
        .loop = s->loop, .pool = s->pool, .packagers = s->packagers, .host = &host});
    s->feed = feed_create(s->loop);
    s->events = events_create(s);
    s->watched = watched_create(s->catalogue);
    s->fleet = fleet_create(&(struct fleet_params){.loop = s->loop,
                                                   .ingest = s->ingest,
                                                   .tls = s->camera_tls,
                                                   .remux_path = s->config->remux,
                                                   .gates = s->gates,
                                                   .n_ingest = s->n_ingest,
                                                   .pool = s->pool,
                                                   .catalogue = s->catalogue,
                                                   .storage = s->storage,
                                                   .secrets = s->secrets,
                                                   .motion = s->motion_worker,
                                                   .host = supervision_host(s)});
    v->nightly = nightly_start(s);
    server_set_district(s, d);
    push_host_open(s);
    return 0;
}

/* Everything that may still post to the server's loop ends first, while what it posts to is there.
 */
static void tear_down(struct serve *v)
{
    struct server *s = &v->server;
    for (int i = 0; i < s->n_ingest; i++) {
        loop_stop(s->ingest[i]);
        loop_join(s->ingest[i]);
    }
    pool_destroy(&s->pool);
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

static void watch_signals(struct serve *v)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before any thread starts */
    v->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    watch_start(&v->signals, v->server.loop, v->signal_fd, WATCH_READ, on_signal, v);
}

static int run(struct serve *v)
{
    struct server *s = &v->server;
    s->is_ready = true;
    timer_arm_ms(&v->watch_timer, WATCH_MS);
    timer_arm_ms(&v->beat_timer, HEARTBEAT_MS);
    log_info("server", "Rookery %s: %s://%s:%u, %zu cameras, %d ingest loops", server_version(),
             s->tls ? "https" : "http", s->config->http.host, http_server_port(s->http),
             s->district->rows.n_cameras, s->n_ingest);
    process_notify("READY=1");
    loop_run(s->loop);
    if (v->is_late)
        _exit(EXIT_FAILED); /* threads are still busy: nothing may be freed under them */
    return EXIT_OK;
}

int cmd_serve(int argc, char **argv)
{
    static const char help[] =
        "usage: rookery serve [--config FILE]\n\n"
        "Runs the server in the foreground. SIGTERM ends it cleanly, SIGHUP reads the\n"
        "configuration again (log.level and policy.live; the rest needs a restart).\n"
        "ROOKERY_ADMIN_PASSWORD, when set at the first start, becomes the password of admin.\n";
    struct serve v = {.signal_fd = -1};
    struct server *s = &v.server;
    struct err err;
    v.config_path = CONFIG_DEFAULT_PATH;
    const struct cli_option options[] = {{"--config", false, &v.config_path}, {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, NULL, 0, help);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    err_clear(&err);
    if (config_load(v.config_path, &s->config, &err) < 0)
        return cli_fail(&err);
    log_setup(s->config->log_level, s->config->is_log_json);
    process_raise_limits();
    s->config_path = v.config_path;
    s->loop = loop_create(&(struct loop_params){.name = "server"});
    s->started_us = loop_wall_us(s->loop);
    timer_init(&v.watch_timer, s->loop, watch_changes, &v);
    timer_init(&v.beat_timer, s->loop, beat, &v);
    timer_init(&v.stop_timer, s->loop, stop_late, &v);
    watch_signals(&v);
    if (build(&v, &err) < 0)
        code = cli_fail(&err);
    else
        code = run(&v);
    timer_disarm(&v.stop_timer);
    watch_stop(&v.signals);
    tear_down(&v);
    if (code == EXIT_OK)
        log_info("server", "stopped");
    return code;
}
