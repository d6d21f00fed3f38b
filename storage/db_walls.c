#include "storage/db_walls.h"

#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "storage/db.h"

void wall_row_fini(struct wall_row *r)
{
    free(r->name);
    free(r->tiles);
    *r = (struct wall_row){0};
}

static void read_wall(struct stmt *s, struct wall_row *r)
{
    *r = (struct wall_row){.layout = (int)stmt_i64(s, 3)};
    str_copy(r->id, sizeof r->id, stmt_text(s, 0));
    r->name = xstrdup(stmt_text(s, 1));
    str_copy(r->owner, sizeof r->owner, stmt_text(s, 2));
    r->tiles = xstrdup(stmt_text(s, 4));
}

int db_walls_list(struct db *db, struct wall_row **out, size_t *out_n, struct err *err)
{
    *out = NULL;
    *out_n = 0;
    struct stmt *s =
        db_stmt(db, "SELECT id, name, owner, layout, tiles FROM walls ORDER BY name, id", err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        *out = xrealloc(*out, (*out_n + 1) * sizeof **out);
        read_wall(s, &(*out)[(*out_n)++]);
    }
    stmt_done(s);
    return rc;
}

int db_wall_get(struct db *db, const char *id, struct wall_row *out, struct err *err)
{
    *out = (struct wall_row){0};
    struct stmt *s =
        db_stmt(db, "SELECT id, name, owner, layout, tiles FROM walls WHERE id = ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, id);
    int rc = stmt_step(s, err);
    if (rc == 1)
        read_wall(s, out);
    stmt_done(s);
    if (rc == 0)
        return err_text(err, ERR_NOT_FOUND, "there is no wall %s", id);
    return rc < 0 ? rc : 0;
}

int db_wall_put(struct db *db, const struct wall_row *r, bool is_new, struct err *err)
{
    struct stmt *s =
        is_new
            ? db_stmt(db, "INSERT INTO walls(name, layout, tiles, id, owner) VALUES(?, ?, ?, ?, ?)",
                      err)
            : db_stmt(db, "UPDATE walls SET name = ?, layout = ?, tiles = ? WHERE id = ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, r->name);
    stmt_bind_i64(s, 2, r->layout);
    stmt_bind_text(s, 3, r->tiles);
    stmt_bind_text(s, 4, r->id);
    if (is_new)
        stmt_bind_text(s, 5, r->owner);
    int rc = stmt_run(s, err);
    if (rc == ERR_CONFLICT)
        return err_text(err, rc, "wall %s exists already", r->id);
    if (rc == 0 && !is_new && db_changes(db) == 0)
        return err_text(err, ERR_NOT_FOUND, "there is no wall %s", r->id);
    return rc;
}

int db_wall_delete(struct db *db, const char *id, struct err *err)
{
    struct stmt *s = db_stmt(db, "DELETE FROM walls WHERE id = ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, id);
    int rc = stmt_run(s, err);
    if (rc == 0 && db_changes(db) == 0)
        return err_text(err, ERR_NOT_FOUND, "there is no wall %s", id);
    return rc;
}
