/* `rookery serve`: runs the server, follows what other processes change, stops in order. */
#include <signal.h>
#include <sys/signalfd.h>

#include "base/log.h"
#include "server/cli.h"
#include "server/feed.h"
#include "server/fleet.h"
#include "server/nightly.h"
#include "server/parts.h"
#include "server/process.h"
#include "server/supervision.h"
#include "server/watched.h"

#define WATCH_MS     2000  /* how often other processes' changes are looked for */
#define HEARTBEAT_MS 10000 /* of server_runs */
#define STOP_MS      4500  /* then the rest is left to crash recovery */

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
    v->nightly = nightly_start(s);
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
    s->files.n_allowed = process_raise_limits();
    s->config_path = v.config_path;
    s->loop = loop_create(&(struct loop_params){.name = "server"});
    s->started_us = loop_wall_us(s->loop);
    timer_init(&v.watch_timer, s->loop, watch_changes, &v);
    timer_init(&v.beat_timer, s->loop, beat, &v);
    timer_init(&v.stop_timer, s->loop, stop_late, &v);
    watch_signals(&v);
    if (parts_build(s, &err) < 0)
        code = cli_fail(&err);
    else
        code = run(&v);
    timer_disarm(&v.stop_timer);
    watch_stop(&v.signals);
    parts_tear_down(s);
    if (code == EXIT_OK)
        log_info("server", "stopped");
    return code;
}
