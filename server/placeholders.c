#include "server/placeholders.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/camera_input.h"
#include "storage/db_check.h"
#include "storage/db_district.h"

static char archive_id[] = "archive", archive_name[] = "Archive 归档";

struct unknown {
    int64_t key;
    char id[65];
};

struct search {
    struct unknown *list;
    size_t n;
};

static int add_unknown(void *ctx, int64_t key, const char *camera_id, bool is_in_district)
{
    struct search *s = ctx;
    if (is_in_district)
        return 0;
    s->list = xrealloc(s->list, (s->n + 1) * sizeof *s->list);
    s->list[s->n].key = key;
    str_copy(s->list[s->n++].id, sizeof s->list[0].id, camera_id);
    return 0;
}

static int make_archive(struct db *db, struct err *err)
{
    char none[] = "";
    struct township_row t = {.id = archive_id, .name = archive_name};
    struct institution_row i = {.id = archive_id,
                                .name = archive_name,
                                .type = none,
                                .township_id = archive_id,
                                .address = none,
                                .contact = none,
                                .phone = none,
                                .external_id = none};
    int rc = db_township_put(db, &t, PUT_ANY, err);
    return rc < 0 ? rc : db_institution_put(db, &i, PUT_ANY, err);
}

/* "push:" is an address that calls nobody. */
static int make_camera(struct db *db, const struct unknown *u, bool has_main, bool has_sub,
                       struct err *err)
{
    struct camera_row r;
    camera_input_defaults(&r, u->id, clock_wall_us(clock_system()));
    char **const texts[] = {&r.name, &r.institution_id, &r.main_url, &r.sub_url};
    const char *const values[] = {u->id, archive_id, has_main ? "push:" : "",
                                  has_sub ? "push:" : ""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        free(*texts[i]);
        *texts[i] = xstrdup(values[i]);
    }
    r.is_enabled = false;
    int rc = db_camera_put(db, &r, PUT_NEW, err);
    camera_row_fini(&r);
    return rc;
}

static int look_at(struct db *db, const struct unknown *u, bool is_made, struct buf *names,
                   struct placeholders *out, struct err *err)
{
    int64_t at_us;
    int has_main = db_check_next(db, u->key, STREAM_MAIN, 0, &at_us, err);
    int has_sub = has_main < 0 ? has_main : db_check_next(db, u->key, STREAM_SUB, 0, &at_us, err);
    if (has_sub < 0 || has_main + has_sub == 0)
        return has_sub;
    buf_printf(names, "%s%s", out->n_unknown++ > 0 ? ", " : "", u->id);
    if (!is_made)
        return 0;
    out->n_made++;
    return make_camera(db, u, has_main == 1, has_sub == 1, err);
}

int placeholders_make(struct db *db, struct placeholders *out, struct err *err)
{
    struct search s = {0};
    struct district_rows rows = {0};
    struct buf names;
    *out = (struct placeholders){0};
    buf_init(&names, 1 << 20);
    int rc = db_district_load(db, &rows, err);
    bool is_made = rows.n_cameras == 0;
    district_rows_fini(&rows);
    if (rc >= 0)
        rc = db_check_cameras(db, add_unknown, &s, err);
    if (rc >= 0 && is_made && s.n > 0)
        rc = make_archive(db, err);
    for (size_t i = 0; i < s.n && rc >= 0; i++)
        rc = look_at(db, &s.list[i], is_made, &names, out, err);
    out->unknown = xstrdup(names.len > 0 ? buf_cstr(&names) : "");
    buf_fini(&names);
    free(s.list);
    return rc < 0 ? rc : 0;
}
