/* Catalogues that nobody has open. */
#include <stdio.h>

#include "base/mem.h"
#include "storage/catalogue.h"
#include "storage/data_lock.h"
#include "storage/db_accounts.h"
#include "storage/db_health.h"
#include "storage/db_priv.h"
#include "storage/db_schema.h"
#include "storage/staged.h"

int catalogue_prepare(const char *path, struct err *err)
{
    struct db *db = NULL;
    int rc = db__open(path, false, &db, err);
    if (rc == 0)
        rc = db_migrate(db, err);
    if (rc == 0)
        rc = db_check_small(db, err);
    if (rc == 0)
        rc = db_sessions_clear(db, err);
    db__close(&db);
    return rc < 0 ? err_wrap(err, rc, "%s", path) : 0;
}

static int salvage_to(const char *data_dir, const char *dir, db_salvage_fn *fn, void *ctx,
                      struct err *err)
{
    char *old = xasprintf("%s/catalog.db", data_dir);
    char *path = xasprintf("%s/catalog.db", dir);
    struct db *db = NULL;
    int rc = db__open(path, false, &db, err);
    if (rc == 0)
        rc = db_migrate(db, err);
    db__close(&db);
    if (rc == 0 && fn != NULL)
        rc = db_salvage(old, path, fn, ctx, err);
    free(old);
    free(path);
    return rc;
}

int catalogue_salvage(const char *data_dir, const struct clock *clock, catalogue_salvage_fn *fn,
                      void *ctx, char *out_aside, size_t cap, struct err *err)
{
    char dir[4096], aside[64];
    struct civil c = civil_of(clock_wall_us(clock));
    snprintf(aside, sizeof aside, "damaged-%04d%02d%02dT%02d%02d%02dZ", c.year, c.month, c.day,
             c.hour, c.minute, c.second);
    int lock = data_lock_take(data_dir, err);
    if (lock < 0)
        return lock;
    int rc = staged_begin(data_dir, dir, sizeof dir, err);
    if (rc == 0)
        rc = salvage_to(data_dir, dir, fn, ctx, err);
    if (rc == 0)
        rc = staged_commit(data_dir, aside, err);
    if (rc == 0)
        rc = staged_apply(data_dir, out_aside, cap, err);
    else
        staged_discard(data_dir);
    close(lock);
    return rc < 0 ? rc : 0;
}
