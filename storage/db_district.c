#include "storage/db_district.h"

#include <errno.h>

#include "base/mem.h"
#include "storage/db.h"

/* Three small tables share this shape: look up, insert or update, delete while nothing refers. */

void township_row_fini(struct township_row *r)
{
    free(r->id);
    free(r->name);
    *r = (struct township_row){0};
}

void institution_row_fini(struct institution_row *r)
{
    char *texts[] = {r->id,      r->name,    r->type,  r->township_id,
                     r->address, r->contact, r->phone, r->external_id};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    *r = (struct institution_row){0};
}

void camera_row_fini(struct camera_row *r)
{
    char *texts[] = {r->id,       r->name,    r->institution_id, r->area,      r->area_type,
                     r->main_url, r->sub_url, r->username,       r->transport, r->record};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    free(r->password);
    *r = (struct camera_row){0};
}

void district_rows_fini(struct district_rows *rows)
{
    for (size_t i = 0; i < rows->n_townships; i++)
        township_row_fini(&rows->townships[i]);
    for (size_t i = 0; i < rows->n_institutions; i++)
        institution_row_fini(&rows->institutions[i]);
    for (size_t i = 0; i < rows->n_cameras; i++)
        camera_row_fini(&rows->cameras[i]);
    free(rows->townships);
    free(rows->institutions);
    free(rows->cameras);
    *rows = (struct district_rows){0};
}

/* Room for one more zeroed row; doubles at powers of two. */
static void *grow(void *list, size_t n, size_t size)
{
    if (n == 0 || (n >= 16 && (n & (n - 1)) == 0))
        list = xrealloc(list, (n < 16 ? 16 : 2 * n) * size);
    memset((char *)list + n * size, 0, size);
    return list;
}

static int load_townships(struct db *db, struct district_rows *out, struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT id, name FROM townships ORDER BY id", err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        out->townships = grow(out->townships, out->n_townships, sizeof *out->townships);
        struct township_row *r = &out->townships[out->n_townships++];
        r->id = xstrdup(stmt_text(s, 0));
        r->name = xstrdup(stmt_text(s, 1));
    }
    stmt_done(s);
    return rc;
}

static int load_institutions(struct db *db, struct district_rows *out, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT id, name, type, township_id, address, contact, phone,"
                             " external_id, enabled FROM institutions ORDER BY id",
                             err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        out->institutions = grow(out->institutions, out->n_institutions, sizeof *out->institutions);
        struct institution_row *r = &out->institutions[out->n_institutions++];
        char **texts[] = {&r->id,      &r->name,    &r->type,  &r->township_id,
                          &r->address, &r->contact, &r->phone, &r->external_id};
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
            *texts[i] = xstrdup(stmt_text(s, (int)i));
        r->is_enabled = stmt_i64(s, 8) != 0;
    }
    stmt_done(s);
    return rc;
}

static int load_cameras(struct db *db, struct district_rows *out, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT id, name, institution_id, area, area_type, main_url, sub_url,"
                             " username, transport, record, password, on_demand, enabled,"
                             " retention_days, created_us FROM cameras ORDER BY id",
                             err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        out->cameras = grow(out->cameras, out->n_cameras, sizeof *out->cameras);
        struct camera_row *r = &out->cameras[out->n_cameras++];
        char **texts[] = {&r->id,        &r->name,     &r->institution_id, &r->area,
                          &r->area_type, &r->main_url, &r->sub_url,        &r->username,
                          &r->transport, &r->record};
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
            *texts[i] = xstrdup(stmt_text(s, (int)i));
        const void *blob = stmt_blob(s, 10, &r->password_bytes);
        if (r->password_bytes > 0) {
            r->password = xmalloc(r->password_bytes);
            memcpy(r->password, blob, r->password_bytes);
        }
        r->is_on_demand = stmt_i64(s, 11) != 0;
        r->is_enabled = stmt_i64(s, 12) != 0;
        r->retention_days = (int)stmt_i64(s, 13);
        r->created_us = stmt_i64(s, 14);
    }
    stmt_done(s);
    return rc;
}

int db_district_revision(struct db *db, int64_t *out, struct err *err)
{
    struct stmt *s =
        db_stmt(db, "SELECT CAST(value AS INTEGER) FROM settings WHERE key = 'district'", err);
    if (s == NULL)
        return -EIO;
    int rc = stmt_number(s, out, err);
    return rc < 0 ? rc : 0;
}

int db_district_load(struct db *db, struct district_rows *out, struct err *err)
{
    *out = (struct district_rows){0};
    int rc = db_district_revision(db, &out->revision, err);
    if (rc == 0)
        rc = load_townships(db, out, err);
    if (rc == 0)
        rc = load_institutions(db, out, err);
    if (rc == 0)
        rc = load_cameras(db, out, err);
    if (rc < 0) {
        district_rows_fini(out);
        return err_wrap(err, rc, "read the district");
    }
    return 0;
}

/* Tells other processes, which watch the number. */
static int raise_revision(struct db *db, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "INSERT INTO settings(key, value) VALUES('district', '1')"
                             " ON CONFLICT(key) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
                             err);
    return s == NULL ? -EIO : stmt_run(s, err);
}

/* 1 when a row answers, 0 when none, < 0 failed. */
static int has_row(struct db *db, const char *sql, const char *id, struct err *err)
{
    struct stmt *s = db_stmt(db, sql, err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, id);
    int rc = stmt_step(s, err);
    stmt_done(s);
    return rc;
}

static int check_mode(int exists, enum put_mode mode, const char *what, const char *id,
                      struct err *err)
{
    if (exists < 0)
        return exists;
    if (exists && mode == PUT_NEW)
        return err_say(err, ERR_CONFLICT, "exists", "%s %s exists already", what, id);
    if (!exists && mode == PUT_OLD)
        return err_say(err, ERR_NOT_FOUND, "unknown_thing", "there is no %s %s", what, id);
    return 0;
}

static const char has_township[] = "SELECT 1 FROM townships WHERE id = ?";
static const char has_institution[] = "SELECT 1 FROM institutions WHERE id = ?";
static const char has_camera[] = "SELECT 1 FROM cameras WHERE id = ?";

int db_township_put(struct db *db, const struct township_row *r, enum put_mode mode,
                    struct err *err)
{
    int rc = check_mode(has_row(db, has_township, r->id, err), mode, "township", r->id, err);
    if (rc < 0)
        return rc;
    struct stmt *s = db_stmt(db,
                             "INSERT INTO townships(id, name) VALUES(?, ?)"
                             " ON CONFLICT(id) DO UPDATE SET name = excluded.name",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, r->id);
    stmt_bind_text(s, 2, r->name);
    rc = stmt_run(s, err);
    return rc < 0 ? rc : raise_revision(db, err);
}

int db_institution_put(struct db *db, const struct institution_row *r, enum put_mode mode,
                       struct err *err)
{
    int rc = check_mode(has_row(db, has_institution, r->id, err), mode, "institution", r->id, err);
    if (rc < 0)
        return rc;
    int known = has_row(db, has_township, r->township_id, err);
    if (known < 0)
        return known;
    if (!known)
        return err_say(err, ERR_INVALID, "township_gone", "township_id: there is no township %s",
                       r->township_id);
    struct stmt *s =
        db_stmt(db,
                "INSERT INTO institutions(id, name, type, township_id, address, contact, phone,"
                " external_id, enabled) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT(id) DO UPDATE SET name = excluded.name, type = excluded.type,"
                " township_id = excluded.township_id, address = excluded.address,"
                " contact = excluded.contact, phone = excluded.phone,"
                " external_id = excluded.external_id, enabled = excluded.enabled",
                err);
    if (s == NULL)
        return -EIO;
    const char *texts[] = {r->id,      r->name,    r->type,  r->township_id,
                           r->address, r->contact, r->phone, r->external_id};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        stmt_bind_text(s, (int)i + 1, texts[i]);
    stmt_bind_i64(s, 9, r->is_enabled);
    rc = stmt_run(s, err);
    return rc < 0 ? rc : raise_revision(db, err);
}

static int upsert_camera(struct db *db, const struct camera_row *r, struct err *err)
{
    struct stmt *s = db_stmt(
        db,
        "INSERT INTO cameras(id, name, institution_id, area, area_type, main_url, sub_url,"
        " username, transport, record, password, on_demand, enabled, retention_days, created_us)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT(id) DO UPDATE SET name = excluded.name,"
        " institution_id = excluded.institution_id, area = excluded.area,"
        " area_type = excluded.area_type, main_url = excluded.main_url,"
        " sub_url = excluded.sub_url, username = excluded.username,"
        " transport = excluded.transport, record = excluded.record,"
        " password = excluded.password, on_demand = excluded.on_demand,"
        " enabled = excluded.enabled, retention_days = excluded.retention_days",
        err);
    if (s == NULL)
        return -EIO;
    const char *texts[] = {r->id,       r->name,    r->institution_id, r->area,      r->area_type,
                           r->main_url, r->sub_url, r->username,       r->transport, r->record};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        stmt_bind_text(s, (int)i + 1, texts[i]);
    if (r->password != NULL)
        stmt_bind_blob(s, 11, r->password, r->password_bytes);
    else
        stmt_bind_null(s, 11);
    stmt_bind_i64(s, 12, r->is_on_demand);
    stmt_bind_i64(s, 13, r->is_enabled);
    stmt_bind_i64(s, 14, r->retention_days);
    stmt_bind_i64(s, 15, r->created_us);
    return stmt_run(s, err);
}

int db_camera_put(struct db *db, const struct camera_row *r, enum put_mode mode, struct err *err)
{
    int rc = check_mode(has_row(db, has_camera, r->id, err), mode, "camera", r->id, err);
    if (rc < 0)
        return rc;
    int known = has_row(db, has_institution, r->institution_id, err);
    if (known < 0)
        return known;
    if (!known)
        return err_say(err, ERR_INVALID, "institution_gone",
                       "institution_id: there is no institution %s", r->institution_id);
    rc = upsert_camera(db, r, err);
    return rc < 0 ? rc : raise_revision(db, err);
}

static int delete_row(struct db *db, const char *sql, const char *what, const char *id,
                      struct err *err)
{
    struct stmt *s = db_stmt(db, sql, err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, id);
    int rc = stmt_run(s, err);
    if (rc < 0)
        return rc;
    if (db_changes(db) == 0)
        return err_say(err, ERR_NOT_FOUND, "unknown_thing", "there is no %s %s", what, id);
    return raise_revision(db, err);
}

int db_township_delete(struct db *db, const char *id, struct err *err)
{
    int used = has_row(db, "SELECT 1 FROM institutions WHERE township_id = ? LIMIT 1", id, err);
    if (used < 0)
        return used;
    if (used)
        return err_say(err, ERR_CONFLICT, "township_in_use",
                       "township %s still has institutions: move or delete them first", id);
    return delete_row(db, "DELETE FROM townships WHERE id = ?", "township", id, err);
}

int db_institution_delete(struct db *db, const char *id, struct err *err)
{
    int used = has_row(db, "SELECT 1 FROM cameras WHERE institution_id = ? LIMIT 1", id, err);
    if (used < 0)
        return used;
    if (used)
        return err_say(err, ERR_CONFLICT, "institution_in_use",
                       "institution %s still has cameras: move or delete them first", id);
    return delete_row(db, "DELETE FROM institutions WHERE id = ?", "institution", id, err);
}

int db_camera_delete(struct db *db, const char *id, struct err *err)
{
    return delete_row(db, "DELETE FROM cameras WHERE id = ?", "camera", id, err);
}
