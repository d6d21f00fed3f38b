#include "server/nightly.h"

#include "base/log.h"
#include "base/str.h"
#include "server/report.h"

#define FIRST_MS (20 * 1000)
#define EVERY_MS (10 * 60 * 1000)

struct nightly {
    struct server *server;
    struct timer timer;
};

struct job {
    struct catalogue *catalogue;
    struct storage *storage;
    struct district *district; /* reference */
    char time_zone[64];
    int zone_minutes;
};

static void work(void *ctx) /* pool */
{
    struct job *j = ctx;
    struct err err;
    err_clear(&err);
    int n = report_keep_missing(&(struct report_params){.catalogue = j->catalogue,
                                                        .storage = j->storage,
                                                        .district = j->district,
                                                        .time_zone = j->time_zone,
                                                        .zone_minutes = j->zone_minutes,
                                                        .now_us = clock_wall_us(clock_system())},
                                &err);
    if (n < 0)
        log_error("reports", "cannot be made: %s", err.msg);
    else if (n > 0)
        log_info("reports", "%d made", n);
    district_unref(&j->district);
    free(j);
}

static void look(void *ctx)
{
    struct nightly *n = ctx;
    struct server *s = n->server;
    struct job *j = xcalloc(1, sizeof *j);
    timer_arm_ms(&n->timer, EVERY_MS);
    j->catalogue = s->catalogue;
    j->storage = s->storage;
    j->district = district_ref(s->district);
    str_copy(j->time_zone, sizeof j->time_zone, s->config->time_zone);
    j->zone_minutes = s->config->utc_offset_minutes;
    if (!pool_submit(s->pool, work, NULL, NULL, j)) {
        district_unref(&j->district);
        free(j);
    }
}

struct nightly *nightly_start(struct server *s)
{
    struct nightly *n = xcalloc(1, sizeof *n);
    n->server = s;
    timer_init(&n->timer, s->loop, look, n);
    timer_arm_ms(&n->timer, FIRST_MS);
    return n;
}

void nightly_stop(struct nightly **n)
{
    if (*n != NULL)
        timer_disarm(&(*n)->timer);
    FREE(n);
}
