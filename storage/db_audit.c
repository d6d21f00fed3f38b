#include "storage/db_audit.h"

#include <errno.h>

#include "storage/db.h"

int db_audit_add(struct db *db, const struct audit_entry *e, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "INSERT INTO audit(at_us, user, action, object, detail)"
                             " VALUES(?1, ?2, ?3, ?4, ?5)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, e->at_us);
    stmt_bind_text(s, 2, e->user);
    stmt_bind_text(s, 3, e->action);
    stmt_bind_text(s, 4, e->object);
    stmt_bind_text(s, 5, e->detail);
    return stmt_run(s, err);
}
