#include "storage/db_accounts.h"

#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "storage/db.h"

void user_row_fini(struct user_row *r)
{
    free(r->name);
    free(r->role);
    free(r->scope);
    free(r->hash);
    *r = (struct user_row){0};
}

int db_accounts_revision(struct db *db, int64_t *out, struct err *err)
{
    struct stmt *s =
        db_stmt(db, "SELECT CAST(value AS INTEGER) FROM settings WHERE key = 'accounts'", err);
    if (s == NULL)
        return -EIO;
    int rc = stmt_number(s, out, err);
    return rc < 0 ? rc : 0;
}

/* Tells other processes, which watch the number. */
static int raise_revision(struct db *db, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "INSERT INTO settings(key, value) VALUES('accounts', '1')"
                             " ON CONFLICT(key) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
                             err);
    return s == NULL ? -EIO : stmt_run(s, err);
}

int db_users_count(struct db *db, int64_t *out, struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT count(*) FROM users", err);
    if (s == NULL)
        return -EIO;
    int rc = stmt_number(s, out, err);
    return rc < 0 ? rc : 0;
}

static void read_user(struct stmt *s, struct user_row *r)
{
    r->name = xstrdup(stmt_text(s, 0));
    r->role = xstrdup(stmt_text(s, 1));
    r->scope = xstrdup(stmt_text(s, 2));
    r->hash = xstrdup(stmt_text(s, 3));
    r->is_enabled = stmt_i64(s, 4) != 0;
    r->created_us = stmt_i64(s, 5);
    r->password_us = stmt_i64(s, 6);
}

int db_user_get(struct db *db, const char *name, struct user_row *out, struct err *err)
{
    *out = (struct user_row){0};
    struct stmt *s = db_stmt(db,
                             "SELECT name, role, scope, hash, enabled, created_us, password_us"
                             " FROM users WHERE name = ?",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, name);
    int rc = stmt_step(s, err);
    if (rc == 1)
        read_user(s, out);
    stmt_done(s);
    if (rc == 0)
        return err_say(err, ERR_NOT_FOUND, "unknown_thing", "there is no %s %s", "user", name);
    return rc < 0 ? rc : 0;
}

int db_users_list(struct db *db, struct user_row **out, size_t *out_n, struct err *err)
{
    *out = NULL;
    *out_n = 0;
    struct stmt *s = db_stmt(db,
                             "SELECT name, role, scope, hash, enabled, created_us, password_us"
                             " FROM users ORDER BY name",
                             err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        *out = xrealloc(*out, (*out_n + 1) * sizeof **out);
        read_user(s, &(*out)[(*out_n)++]);
    }
    stmt_done(s);
    return rc;
}

int db_user_add(struct db *db, const struct user_row *r, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "INSERT INTO users(name, role, scope, hash, enabled, created_us,"
                             " password_us) VALUES(?, ?, ?, ?, ?, ?, ?)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, r->name);
    stmt_bind_text(s, 2, r->role);
    stmt_bind_text(s, 3, r->scope);
    stmt_bind_text(s, 4, r->hash);
    stmt_bind_i64(s, 5, r->is_enabled);
    stmt_bind_i64(s, 6, r->created_us);
    stmt_bind_i64(s, 7, r->password_us);
    int rc = stmt_run(s, err);
    if (rc == ERR_CONFLICT)
        return err_say(err, rc, "exists", "%s %s exists already", "user", r->name);
    return rc < 0 ? rc : raise_revision(db, err);
}

static int end_sessions(struct db *db, const char *user, struct err *err)
{
    struct stmt *s = db_stmt(db, "DELETE FROM sessions WHERE user = ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, user);
    return stmt_run(s, err);
}

int db_user_set_hash(struct db *db, const char *name, const char *hash, int64_t now_us,
                     struct err *err)
{
    struct stmt *s = db_stmt(db, "UPDATE users SET hash = ?, password_us = ? WHERE name = ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, hash);
    stmt_bind_i64(s, 2, now_us);
    stmt_bind_text(s, 3, name);
    int rc = stmt_run(s, err);
    if (rc < 0)
        return rc;
    if (db_changes(db) == 0)
        return err_say(err, ERR_NOT_FOUND, "unknown_thing", "there is no %s %s", "user", name);
    rc = end_sessions(db, name, err);
    return rc < 0 ? rc : raise_revision(db, err);
}

static int other_admins(struct db *db, const char *name, struct err *err)
{
    struct stmt *s = db_stmt(
        db, "SELECT 1 FROM users WHERE role = 'admin' AND enabled AND name != ? LIMIT 1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, name);
    int rc = stmt_step(s, err);
    stmt_done(s);
    return rc;
}

int db_user_delete(struct db *db, const char *name, struct err *err)
{
    struct user_row row;
    int rc = db_user_get(db, name, &row, err);
    if (rc < 0)
        return rc;
    user_row_fini(&row);
    rc = other_admins(db, name, err);
    if (rc == 0)
        return err_say(err, ERR_CONFLICT, "last_admin",
                       "%s is the last administrator: add another first", name);
    if (rc > 0)
        rc = end_sessions(db, name, err);
    static const char *const sql[] = {"DELETE FROM tokens WHERE user = ?",
                                      "DELETE FROM users WHERE name = ?"};
    for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(sql); i++) {
        struct stmt *s = db_stmt(db, sql[i], err);
        if (s == NULL)
            return -EIO;
        stmt_bind_text(s, 1, name);
        rc = stmt_run(s, err);
    }
    return rc < 0 ? rc : raise_revision(db, err);
}

int db_session_add(struct db *db, const struct session_row *r, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "INSERT INTO sessions(hash, user, csrf, created_us, seen_us,"
                             " expires_us) VALUES(?, ?, ?, ?, ?, ?)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_blob(s, 1, r->hash, sizeof r->hash);
    stmt_bind_text(s, 2, r->user);
    stmt_bind_text(s, 3, r->csrf);
    stmt_bind_i64(s, 4, r->created_us);
    stmt_bind_i64(s, 5, r->seen_us);
    stmt_bind_i64(s, 6, r->expires_us);
    return stmt_run(s, err);
}

static bool read_hash(struct stmt *s, int col, uint8_t out[ACCOUNT_HASH_BYTES])
{
    size_t n;
    const void *blob = stmt_blob(s, col, &n);
    if (n != ACCOUNT_HASH_BYTES)
        return false;
    memcpy(out, blob, n);
    return true;
}

int db_sessions_load(struct db *db, int64_t now_us, struct session_row **out, size_t *out_n,
                     struct err *err)
{
    *out = NULL;
    *out_n = 0;
    struct stmt *s = db_stmt(db,
                             "SELECT hash, user, csrf, created_us, seen_us, expires_us"
                             " FROM sessions WHERE expires_us > ? ORDER BY created_us",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, now_us);
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        *out = xrealloc(*out, (*out_n + 1) * sizeof **out);
        struct session_row *r = &(*out)[*out_n];
        if (!read_hash(s, 0, r->hash))
            continue;
        str_copy(r->user, sizeof r->user, stmt_text(s, 1));
        str_copy(r->csrf, sizeof r->csrf, stmt_text(s, 2));
        r->created_us = stmt_i64(s, 3);
        r->seen_us = stmt_i64(s, 4);
        r->expires_us = stmt_i64(s, 5);
        (*out_n)++;
    }
    stmt_done(s);
    return rc;
}

int db_session_touch(struct db *db, const uint8_t hash[ACCOUNT_HASH_BYTES], int64_t seen_us,
                     int64_t expires_us, struct err *err)
{
    struct stmt *s =
        db_stmt(db, "UPDATE sessions SET seen_us = ?, expires_us = ? WHERE hash = ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, seen_us);
    stmt_bind_i64(s, 2, expires_us);
    stmt_bind_blob(s, 3, hash, ACCOUNT_HASH_BYTES);
    return stmt_run(s, err);
}

int db_session_delete(struct db *db, const uint8_t hash[ACCOUNT_HASH_BYTES], struct err *err)
{
    struct stmt *s = db_stmt(db, "DELETE FROM sessions WHERE hash = ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_blob(s, 1, hash, ACCOUNT_HASH_BYTES);
    return stmt_run(s, err);
}

int db_sessions_clear(struct db *db, struct err *err)
{
    return db_exec(db, "DELETE FROM sessions", err);
}

int db_sessions_expire(struct db *db, int64_t now_us, struct err *err)
{
    struct stmt *s = db_stmt(db, "DELETE FROM sessions WHERE expires_us <= ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, now_us);
    return stmt_run(s, err);
}

int db_token_add(struct db *db, const struct token_row *r, struct err *err)
{
    struct stmt *s = db_stmt(
        db, "INSERT INTO tokens(id, hash, user, name, created_us) VALUES(?, ?, ?, ?, ?)", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, r->id);
    stmt_bind_blob(s, 2, r->hash, sizeof r->hash);
    stmt_bind_text(s, 3, r->user);
    stmt_bind_text(s, 4, r->name);
    stmt_bind_i64(s, 5, r->created_us);
    int rc = stmt_run(s, err);
    return rc < 0 ? rc : raise_revision(db, err);
}

int db_tokens_load(struct db *db, struct token_row **out, size_t *out_n, struct err *err)
{
    *out = NULL;
    *out_n = 0;
    struct stmt *s = db_stmt(
        db, "SELECT id, hash, user, name, created_us, used_us FROM tokens ORDER BY created_us",
        err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        *out = xrealloc(*out, (*out_n + 1) * sizeof **out);
        struct token_row *r = &(*out)[*out_n];
        if (!read_hash(s, 1, r->hash))
            continue;
        str_copy(r->id, sizeof r->id, stmt_text(s, 0));
        str_copy(r->user, sizeof r->user, stmt_text(s, 2));
        str_copy(r->name, sizeof r->name, stmt_text(s, 3));
        r->created_us = stmt_i64(s, 4);
        r->used_us = stmt_i64(s, 5);
        (*out_n)++;
    }
    stmt_done(s);
    return rc;
}

int db_token_touch(struct db *db, const char *id, int64_t used_us, struct err *err)
{
    struct stmt *s = db_stmt(db, "UPDATE tokens SET used_us = ? WHERE id = ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, used_us);
    stmt_bind_text(s, 2, id);
    return stmt_run(s, err);
}

int db_token_delete(struct db *db, const char *user, const char *id, struct err *err)
{
    struct stmt *s = db_stmt(db, "DELETE FROM tokens WHERE id = ? AND user = ?", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, id);
    stmt_bind_text(s, 2, user);
    int rc = stmt_run(s, err);
    if (rc == 0 && db_changes(db) == 0)
        return err_text(err, ERR_NOT_FOUND, "there is no token %s", id);
    return rc < 0 ? rc : raise_revision(db, err);
}
