#include "server/import.h"

#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "server/camera_input.h"
#include "server/csv.h"
#include "server/validate.h"

enum column {
    COL_TOWNSHIP,
    COL_INSTITUTION_ID,
    COL_INSTITUTION_NAME,
    COL_INSTITUTION_TYPE,
    COL_CAMERA_ID,
    COL_CAMERA_NAME,
    COL_AREA,
    COL_AREA_TYPE,
    COL_MAIN_URL,
    COL_SUB_URL,
    COL_USERNAME,
    COL_PASSWORD,
    COL_RECORD,
    COLS
};

static const struct {
    const char *name, *chinese;
    bool is_required;
} columns[COLS] = {
    [COL_TOWNSHIP] = {"township", "乡镇", true},
    [COL_INSTITUTION_ID] = {"institution_id", "机构编号", true},
    [COL_INSTITUTION_NAME] = {"institution_name", "机构名称", true},
    [COL_INSTITUTION_TYPE] = {"institution_type", "机构类型", false},
    [COL_CAMERA_ID] = {"camera_id", "摄像机编号", false},
    [COL_CAMERA_NAME] = {"camera_name", "摄像机名称", false},
    [COL_AREA] = {"area", "区域", false},
    [COL_AREA_TYPE] = {"area_type", "区域类型", false},
    [COL_MAIN_URL] = {"main_url", "主码流", false},
    [COL_SUB_URL] = {"sub_url", "子码流", false},
    [COL_USERNAME] = {"username", "用户名", false},
    [COL_PASSWORD] = {"password", "密码", false},
    [COL_RECORD] = {"record", "录像", false},
};

/* An institution the file names: as it stands in the catalogue, overlaid by the file. */
struct draft {
    struct institution_row row;
    const struct institution_row *old; /* NULL = new */
    unsigned name_line;                /* that gave the name; 0 = none yet */
};

struct plan {
    struct import *im;
    const struct district *district;
    const struct secrets *secrets;
    int64_t now_us;
    int at[COLS];             /* field of each column; -1 = not in the file */
    struct map *township_ids; /* name or id in the file → id (owned by a row) */
    struct map *drafts;       /* institution id → struct draft */
    struct draft **draft_list;
    size_t n_drafts;
    struct map *camera_lines; /* camera id → line as (uintptr_t) */
};

static void complain(struct plan *p, unsigned line, const char *column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void complain(struct plan *p, unsigned line, const char *column, const char *fmt, ...)
{
    struct import *im = p->im;
    if (im->n_errors++ >= IMPORT_MAX_ERRORS)
        return;
    if (im->errors == NULL)
        im->errors = xcalloc(IMPORT_MAX_ERRORS, sizeof *im->errors);
    struct import_error *e = &im->errors[im->n_errors - 1];
    e->line = line;
    str_copy(e->column, sizeof e->column, column);
    va_list args;
    va_start(args, fmt);
    vsnprintf(e->reason, sizeof e->reason, fmt, args);
    va_end(args);
}

/* A validation message "field: why" under the file's name of the column. */
static void complain_field(struct plan *p, unsigned line, const char *kind, const struct err *err)
{
    struct span rest = span_of(err->msg), field;
    char column[64];
    span_cut(&rest, ':', &field);
    if (span_eq(field, "id") || span_eq(field, "name"))
        snprintf(column, sizeof column, "%s_" SPAN_FMT, kind, SPAN_ARG(field));
    else if (span_eq(field, "type"))
        snprintf(column, sizeof column, "%s_type", kind);
    else
        span_copy(field, column, sizeof column);
    rest = span_trim(rest);
    complain(p, line, column, SPAN_FMT, SPAN_ARG(rest));
}

static const char *cell(const struct plan *p, const struct csv_record *r, enum column c)
{
    int i = p->at[c];
    return i >= 0 && (size_t)i < r->n_fields ? r->fields[i] : "";
}

static bool read_header(struct plan *p, const struct csv_record *r)
{
    for (int c = 0; c < COLS; c++)
        p->at[c] = -1;
    for (size_t i = 0; i < r->n_fields; i++) {
        int found = -1;
        for (int c = 0; c < COLS; c++) {
            if (span_ieq(span_of(r->fields[i]), columns[c].name) ||
                strcmp(r->fields[i], columns[c].chinese) == 0)
                found = c;
        }
        if (found < 0 && r->fields[i][0] != '\0')
            complain(p, r->line, r->fields[i],
                     "unknown column: remove it, or correct its name in the header line");
        else if (found >= 0 && p->at[found] >= 0)
            complain(p, r->line, columns[found].name, "the column is there twice");
        else if (found >= 0)
            p->at[found] = (int)i;
    }
    for (int c = 0; c < COLS; c++) {
        if (columns[c].is_required && p->at[c] < 0)
            complain(p, r->line, columns[c].name, "the header line lacks this column");
    }
    return p->im->n_errors == 0;
}

/* The id of the township named in the file, planned when new; NULL with a complaint. */
static const char *use_township(struct plan *p, unsigned line, const char *text)
{
    const char *id = map_get(p->township_ids, text);
    if (id != NULL)
        return id;
    const struct township_row *old = district_township(p->district, text);
    if (old == NULL)
        old = district_township_named(p->district, text);
    if (old != NULL) {
        map_put(p->township_ids, text, old->id);
        return old->id;
    }
    struct township_row row = {.name = xstrdup(text)};
    if (str_is_id(text)) {
        row.id = xstrdup(text);
    } else {
        uint8_t hash[SECRET_HASH_BYTES];
        char hex[13];
        secret_hash(text, hash);
        hex_encode(hash, 6, hex);
        row.id = xasprintf("t-%s", hex);
    }
    struct err err;
    err_clear(&err);
    if (validate_township(&row, &err) < 0) {
        complain(p, line, "township", "%s", err.msg);
        township_row_fini(&row);
        return NULL;
    }
    struct import *im = p->im;
    im->put_townships =
        xrealloc(im->put_townships, (im->n_put_townships + 1) * sizeof *im->put_townships);
    im->put_townships[im->n_put_townships++] = row;
    im->townships.n_new++;
    map_put(p->township_ids, text, row.id);
    return row.id;
}

static char *text_or_empty(const char *s)
{
    return xstrdup(s != NULL ? s : "");
}

static void copy_institution(struct institution_row *r, const struct institution_row *old)
{
    static const struct institution_row none = {.is_enabled = true};
    if (old == NULL)
        old = &none;
    *r = (struct institution_row){
        .name = text_or_empty(old->name),
        .type = text_or_empty(old->type),
        .township_id = text_or_empty(old->township_id),
        .address = text_or_empty(old->address),
        .contact = text_or_empty(old->contact),
        .phone = text_or_empty(old->phone),
        .external_id = text_or_empty(old->external_id),
        .is_enabled = old->is_enabled,
    };
}

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = xstrdup(text);
}

static struct draft *draft_of(struct plan *p, const char *id)
{
    struct draft *d = map_get(p->drafts, id);
    if (d != NULL)
        return d;
    d = xcalloc(1, sizeof *d);
    d->old = district_institution(p->district, id);
    copy_institution(&d->row, d->old);
    d->row.id = xstrdup(id);
    map_put(p->drafts, id, d);
    p->draft_list = xrealloc(p->draft_list, (p->n_drafts + 1) * sizeof(struct draft *));
    p->draft_list[p->n_drafts++] = d;
    return d;
}

/* Overlays the draft; false with a complaint. */
static bool read_institution(struct plan *p, const struct csv_record *r)
{
    const char *id = cell(p, r, COL_INSTITUTION_ID);
    const char *name = cell(p, r, COL_INSTITUTION_NAME);
    const char *type = cell(p, r, COL_INSTITUTION_TYPE);
    const char *township = cell(p, r, COL_TOWNSHIP);
    if (!str_is_id(id)) {
        complain(p, r->line, "institution_id",
                 id[0] ? "\"%.64s\" is no id: 1 to 64 of the characters A-Z a-z 0-9 _ -"
                       : "%sit must not be empty",
                 id);
        return false;
    }
    struct draft *d = draft_of(p, id);
    bool is_first = d->name_line == 0;
    if (name[0] != '\0' && !is_first && strcmp(d->row.name, name) != 0) {
        complain(p, r->line, "institution_name", "line %u calls institution %s \"%.100s\"",
                 d->name_line, id, d->row.name);
        return false;
    }
    const char *township_id = township[0] ? use_township(p, r->line, township) : NULL;
    if (township[0] && township_id == NULL)
        return false;
    if (township_id != NULL && !is_first && strcmp(d->row.township_id, township_id) != 0) {
        complain(p, r->line, "township", "line %u puts institution %s into another township",
                 d->name_line, id);
        return false;
    }
    if (township_id != NULL)
        set_text(&d->row.township_id, township_id);
    if (name[0] != '\0')
        set_text(&d->row.name, name);
    if (type[0] != '\0')
        set_text(&d->row.type, type);
    if (d->row.township_id[0] == '\0') {
        complain(p, r->line, "township", "it must not be empty for a new institution");
        return false;
    }
    struct err err;
    err_clear(&err);
    if (validate_institution(&d->row, &err) < 0) {
        complain_field(p, r->line, "institution", &err);
        return false;
    }
    d->name_line = r->line;
    return true;
}

static bool read_word(struct plan *p, unsigned line, const char *column, const char *text,
                      const char *word, char **field)
{
    if (text[0] == '\0')
        return true;
    if (word == NULL) {
        complain(p, line, column, "\"%.60s\" is unknown", text);
        return false;
    }
    set_text(field, word);
    return true;
}

static bool overlay_camera(struct plan *p, const struct csv_record *r, struct camera_row *row)
{
    const struct {
        enum column column;
        char **field;
    } texts[] = {
        {COL_INSTITUTION_ID, &row->institution_id},
        {COL_CAMERA_NAME, &row->name},
        {COL_AREA, &row->area},
        {COL_MAIN_URL, &row->main_url},
        {COL_SUB_URL, &row->sub_url},
        {COL_USERNAME, &row->username},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *text = cell(p, r, texts[i].column);
        if (text[0] != '\0')
            set_text(texts[i].field, text);
    }
    if (row->name[0] == '\0')
        set_text(&row->name, row->id);
    const char *area = cell(p, r, COL_AREA_TYPE), *record = cell(p, r, COL_RECORD);
    bool is_fine = read_word(p, r->line, "area_type", area, area_type_of(area), &row->area_type) &
                   read_word(p, r->line, "record", record, record_of(record), &row->record);
    struct err err;
    err_clear(&err);
    if (is_fine && validate_camera(row, &err) < 0) {
        complain_field(p, r->line, "camera", &err);
        is_fine = false;
    }
    if (strlen(cell(p, r, COL_PASSWORD)) > 250) {
        complain(p, r->line, "password", "at most 250 bytes");
        is_fine = false;
    }
    return is_fine;
}

static void read_camera(struct plan *p, const struct csv_record *r)
{
    const char *id = cell(p, r, COL_CAMERA_ID);
    if (id[0] == '\0') {
        if (cell(p, r, COL_MAIN_URL)[0] != '\0')
            complain(p, r->line, "camera_id", "it must not be empty");
        return; /* a line that only names an institution */
    }
    uintptr_t earlier = (uintptr_t)map_get(p->camera_lines, id);
    if (earlier != 0) {
        complain(p, r->line, "camera_id", "line %lu has camera %.64s already",
                 (unsigned long)earlier, id);
        return;
    }
    map_put(p->camera_lines, id, (void *)(uintptr_t)r->line);
    const struct camera_row *old = district_camera(p->district, id);
    struct camera_row row;
    if (old != NULL)
        camera_input_copy(&row, old);
    else
        camera_input_defaults(&row, id, p->now_us);
    if (!overlay_camera(p, r, &row)) {
        camera_row_fini(&row);
        return;
    }
    const char *password = cell(p, r, COL_PASSWORD);
    bool has_own_user = cell(p, r, COL_USERNAME)[0] != '\0';
    bool is_other = camera_input_take_credentials(&row, p->secrets, has_own_user);
    if (password[0] != '\0' && camera_input_password(&row, p->secrets, password))
        is_other = true; /* an empty cell keeps what is there */
    struct err err;
    err_clear(&err);
    if (validate_push(&row, &err) < 0) {
        complain_field(p, r->line, "camera", &err);
        camera_row_fini(&row);
        return;
    }
    if (old != NULL && !is_other && camera_input_same(old, &row)) {
        camera_row_fini(&row);
        return;
    }
    struct import *im = p->im;
    if (old == NULL)
        im->cameras.n_new++;
    else
        im->cameras.n_changed++;
    im->put_cameras = xrealloc(im->put_cameras, (im->n_put_cameras + 1) * sizeof *im->put_cameras);
    im->put_cameras[im->n_put_cameras++] = row;
}

static void read_rows(struct plan *p, struct csv *csv)
{
    struct csv_record r;
    struct err err;
    int rc;
    err_clear(&err);
    rc = csv_next(csv, &r, &err);
    if (rc == 0)
        complain(p, 1, "", "the file is empty: the first line must name the columns");
    if (rc == 1 && !read_header(p, &r))
        return;
    while (rc == 1 && (rc = csv_next(csv, &r, &err)) == 1) {
        if (++p->im->n_rows > IMPORT_MAX_ROWS) {
            complain(p, r.line, "", "more than %d lines: cut the file into parts", IMPORT_MAX_ROWS);
            return;
        }
        if (read_institution(p, &r))
            read_camera(p, &r);
    }
    if (rc < 0)
        complain(p, r.line, "", "%s", err.msg);
}

static bool same_institution(const struct institution_row *a, const struct institution_row *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->type, b->type) == 0 &&
           strcmp(a->township_id, b->township_id) == 0;
}

/* Drafts that differ from the catalogue become rows to put. */
static void keep_drafts(struct plan *p)
{
    struct import *im = p->im;
    im->put_institutions = xcalloc(p->n_drafts + 1, sizeof *im->put_institutions);
    for (size_t i = 0; i < p->n_drafts; i++) {
        struct draft *d = p->draft_list[i];
        if (d->name_line != 0 && (d->old == NULL || !same_institution(d->old, &d->row))) {
            if (d->old == NULL)
                im->institutions.n_new++;
            else
                im->institutions.n_changed++;
            im->put_institutions[im->n_put_institutions++] = d->row;
        } else {
            institution_row_fini(&d->row);
        }
        free(d);
    }
    free(p->draft_list);
}

void import_plan(const void *text, size_t n, const struct district *d, const struct secrets *s,
                 int64_t now_us, struct import *out)
{
    *out = (struct import){0};
    struct plan p = {.im = out, .district = d, .secrets = s, .now_us = now_us};
    struct buf decoded;
    struct err err;
    err_clear(&err);
    buf_init(&decoded, 2 * IMPORT_MAX_BYTES);
    if (n > IMPORT_MAX_BYTES) {
        complain(&p, 1, "", "the file has more than 8 MiB: cut it into parts");
    } else if (csv_decode(text, n, &decoded, &err) < 0) {
        complain(&p, 1, "", "%s", err.msg);
    } else {
        struct csv csv;
        p.township_ids = map_create();
        p.drafts = map_create();
        p.camera_lines = map_create();
        csv_init(&csv, (const char *)decoded.data, decoded.len);
        read_rows(&p, &csv);
        csv_fini(&csv);
        keep_drafts(&p);
        map_destroy(&p.township_ids);
        map_destroy(&p.drafts);
        map_destroy(&p.camera_lines);
    }
    buf_fini(&decoded);
}

int import_apply(struct db *db, const struct import *im, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < im->n_put_townships && rc == 0; i++)
        rc = db_township_put(db, &im->put_townships[i], PUT_ANY, err);
    for (size_t i = 0; i < im->n_put_institutions && rc == 0; i++)
        rc = db_institution_put(db, &im->put_institutions[i], PUT_ANY, err);
    for (size_t i = 0; i < im->n_put_cameras && rc == 0; i++)
        rc = db_camera_put(db, &im->put_cameras[i], PUT_ANY, err);
    return rc;
}

void import_fini(struct import *im)
{
    for (size_t i = 0; i < im->n_put_townships; i++)
        township_row_fini(&im->put_townships[i]);
    for (size_t i = 0; i < im->n_put_institutions; i++)
        institution_row_fini(&im->put_institutions[i]);
    for (size_t i = 0; i < im->n_put_cameras; i++)
        camera_row_fini(&im->put_cameras[i]);
    free(im->put_townships);
    free(im->put_institutions);
    free(im->put_cameras);
    free(im->errors);
    *im = (struct import){0};
}
