#include "server/server.h"

#include "server/feed.h"
#include "server/fleet.h"

#ifndef ROOKERY_VERSION
#define ROOKERY_VERSION "0"
#endif
#ifndef ROOKERY_COMMIT
#define ROOKERY_COMMIT "unknown"
#endif

const char *server_version(void)
{
    return ROOKERY_VERSION;
}

const char *server_commit(void)
{
    return ROOKERY_COMMIT;
}

static int load(struct db *db, void *ctx, struct err *err)
{
    return db_district_load(db, ctx, err);
}

int server_load_district(struct catalogue *c, struct district **out, struct err *err)
{
    struct district_rows rows = {0};
    int rc = catalogue_read(c, load, &rows, err);
    if (rc < 0)
        return rc;
    *out = district_create(&rows);
    return 0;
}

void server_set_accounts(struct server *s, struct account_rows *rows)
{
    loop_assert(s->loop);
    int64_t had = accounts_revision(s->accounts);
    accounts_update(s->accounts, rows);
    if (s->is_stopping || accounts_revision(s->accounts) == had)
        return;
    wall_recheck(s->wall, NULL);
    feed_recheck(s->feed, s->accounts);
}

void server_set_district(struct server *s, struct district *d)
{
    loop_assert(s->loop);
    bool is_newer = s->district == NULL || d->rows.revision > s->district->rows.revision;
    if (!is_newer || s->is_stopping) {
        district_unref(&d);
        return;
    }
    district_unref(&s->district);
    s->district = d;
    fleet_apply(s->fleet, d);
    wall_recheck(s->wall, NULL);
    feed_publish(s->feed, d, NULL, "config", "{}");
}
