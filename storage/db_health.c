#include "storage/db_health.h"

#include <errno.h>

#include "base/mem.h"
#include "storage/db.h"

int db_version(struct db *db, int64_t *out, struct err *err)
{
    struct stmt *s = db_stmt(db, "PRAGMA user_version", err);
    if (s == NULL)
        return err != NULL && err->code < 0 ? err->code : -EIO;
    int rc = stmt_step(s, err);
    *out = rc == 1 ? stmt_i64(s, 0) : 0;
    stmt_done(s);
    return rc < 0 ? rc : 0;
}

int db_check_small(struct db *db, struct err *err)
{
    static const char *const checks[] = {
        "PRAGMA quick_check('townships')",    "PRAGMA quick_check('institutions')",
        "PRAGMA quick_check('cameras')",      "PRAGMA quick_check('users')",
        "PRAGMA quick_check('settings')",     "PRAGMA quick_check('camera_keys')",
        "PRAGMA quick_check('volumes')",      "PRAGMA quick_check('holds')",
        "PRAGMA quick_check('open_segments')"};
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct stmt *s = db_stmt(db, checks[i], err);
        int rc = s != NULL ? stmt_step(s, err) : ERR_PARSE;
        char text[200] = "";
        if (rc == 1)
            snprintf(text, sizeof text, "%s", stmt_text(s, 0));
        if (s != NULL)
            stmt_done(s);
        if (rc < 0)
            return rc;
        if (strcmp(text, "ok") != 0)
            return err_text(err, ERR_PARSE, "catalogue: %s", text);
    }
    return 0;
}
