#include "storage/db_health.h"

#include <errno.h>

#include "base/mem.h"
#include "storage/db.h"

int db_version(struct db *db, int64_t *out, struct err *err)
{
    struct stmt *s = db_stmt(db, "PRAGMA user_version", err);
    if (s == NULL)
        return err != NULL && err->code < 0 ? err->code : -EIO;
    int rc = stmt_number(s, out, err);
    return rc < 0 ? rc : 0;
}

/* The first line of what a check says. */
static int check(struct db *db, const char *sql, struct err *err)
{
    char text[200] = "";
    struct stmt *s = db_stmt(db, sql, err);
    int rc = s != NULL ? stmt_step(s, err) : ERR_PARSE;
    if (rc == 1)
        snprintf(text, sizeof text, "%s", stmt_text(s, 0));
    if (s != NULL)
        stmt_done(s);
    if (rc < 0)
        return rc;
    return strcmp(text, "ok") == 0 ? 0 : err_text(err, ERR_PARSE, "catalogue: %s", text);
}

int db_check_all(struct db *db, struct err *err)
{
    return check(db, "PRAGMA quick_check(1)", err);
}

int db_check_small(struct db *db, struct err *err)
{
    static const char *const checks[] = {
        "PRAGMA quick_check('townships')",    "PRAGMA quick_check('institutions')",
        "PRAGMA quick_check('cameras')",      "PRAGMA quick_check('users')",
        "PRAGMA quick_check('settings')",     "PRAGMA quick_check('camera_keys')",
        "PRAGMA quick_check('volumes')",      "PRAGMA quick_check('holds')",
        "PRAGMA quick_check('open_segments')"};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(checks) && rc == 0; i++)
        rc = check(db, checks[i], err);
    return rc;
}
