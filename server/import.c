#include "server/import.h"

#include <string.h>

#include "base/str.h"
#include "server/camera_input.h"
#include "server/import_institutions.h"
#include "server/import_sheet.h"
#include "server/validate.h"

struct plan {
    struct import *im;
    const struct district *district;
    const struct secrets *secrets;
    int64_t now_us;
    struct import_sheet sheet;
    struct import_institutions *institutions;
    struct map *camera_lines; /* camera id → line as (uintptr_t) */
};

static bool read_word(struct plan *p, unsigned line, const char *column, const char *text,
                      const char *word, char **field)
{
    if (text[0] == '\0')
        return true;
    if (word == NULL) {
        import_complain(p->im, line, column, "import_value_unknown", "\"%.60s\" is unknown", text);
        return false;
    }
    import_set_text(field, word);
    return true;
}

/* Lays what the line says over the camera; false with a complaint. */
static bool overlay_camera(struct plan *p, const struct csv_record *r, struct camera_row *row)
{
    const struct {
        enum import_column column;
        char **field;
    } texts[] = {
        {IMPORT_INSTITUTION_ID, &row->institution_id},
        {IMPORT_CAMERA_NAME, &row->name},
        {IMPORT_AREA, &row->area},
        {IMPORT_MAIN_URL, &row->main_url},
        {IMPORT_SUB_URL, &row->sub_url},
        {IMPORT_USERNAME, &row->username},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *text = import_sheet_cell(&p->sheet, r, texts[i].column);
        if (text[0] != '\0')
            import_set_text(texts[i].field, text);
    }
    if (row->name[0] == '\0')
        import_set_text(&row->name, row->id);
    const char *area = import_sheet_cell(&p->sheet, r, IMPORT_AREA_TYPE);
    const char *record = import_sheet_cell(&p->sheet, r, IMPORT_RECORD);
    bool is_fine = read_word(p, r->line, "area_type", area, area_type_of(area), &row->area_type) &
                   read_word(p, r->line, "record", record, record_of(record), &row->record);
    struct err err;
    err_clear(&err);
    if (is_fine && validate_camera(row, &err) < 0) {
        import_complain_field(p->im, r->line, "camera", &err);
        is_fine = false;
    }
    if (strlen(import_sheet_cell(&p->sheet, r, IMPORT_PASSWORD)) > CAMERA_PASSWORD_MAX_BYTES) {
        import_complain(p->im, r->line, "password", "import_long", "at most %d bytes",
                        CAMERA_PASSWORD_MAX_BYTES);
        is_fine = false;
    }
    return is_fine;
}

/* *is_other: it is not the password that the camera had. */
static bool overlay_password(struct plan *p, const struct csv_record *r, struct camera_row *row,
                             bool *is_other)
{
    const char *password = import_sheet_cell(&p->sheet, r, IMPORT_PASSWORD);
    bool has_own_user = import_sheet_cell(&p->sheet, r, IMPORT_USERNAME)[0] != '\0';
    struct err err;
    err_clear(&err);
    *is_other = camera_input_take_credentials(row, p->secrets, has_own_user);
    if (password[0] != '\0' && camera_input_password(row, p->secrets, password))
        *is_other = true; /* an empty cell keeps what is there */
    if (validate_push(row, &err) == 0)
        return true;
    import_complain_field(p->im, r->line, "camera", &err);
    return false;
}

/* Takes the row over. */
static void put_camera(struct import *im, const struct camera_row *row, bool is_new)
{
    if (is_new)
        im->cameras.n_new++;
    else
        im->cameras.n_changed++;
    im->put_cameras = xrealloc(im->put_cameras, (im->n_put_cameras + 1) * sizeof *im->put_cameras);
    im->put_cameras[im->n_put_cameras++] = *row;
}

/* Whether no earlier line has it. */
static bool claim_camera(struct plan *p, unsigned line, const char *id)
{
    uintptr_t earlier = (uintptr_t)map_get(p->camera_lines, id);
    if (earlier != 0) {
        import_complain(p->im, line, "camera_id", "import_camera_twice",
                        "line %lu has camera %.64s already", (unsigned long)earlier, id);
        return false;
    }
    map_put(p->camera_lines, id, (void *)(uintptr_t)line);
    return true;
}

static void read_camera(struct plan *p, const struct csv_record *r)
{
    const char *id = import_sheet_cell(&p->sheet, r, IMPORT_CAMERA_ID);
    if (id[0] == '\0') {
        if (import_sheet_cell(&p->sheet, r, IMPORT_MAIN_URL)[0] != '\0')
            import_complain(p->im, r->line, "camera_id", "import_camera_id_needed",
                            "it must not be empty");
        return; /* a line that only names an institution */
    }
    if (!claim_camera(p, r->line, id))
        return;
    const struct camera_row *old = district_camera(p->district, id);
    struct camera_row row;
    bool is_other;
    if (old != NULL)
        camera_input_copy(&row, old);
    else
        camera_input_defaults(&row, id, p->now_us);
    bool is_fine = overlay_camera(p, r, &row) && overlay_password(p, r, &row, &is_other);
    if (is_fine && (old == NULL || is_other || !camera_input_same(old, &row)))
        put_camera(p->im, &row, old == NULL);
    else
        camera_row_fini(&row);
}

static void read_rows(struct plan *p, struct csv *csv)
{
    struct csv_record r;
    struct err err;
    int rc;
    err_clear(&err);
    rc = csv_next(csv, &r, &err);
    if (rc == 0)
        import_complain(p->im, 1, "", "import_empty",
                        "the file is empty: the first line must name the columns");
    if (rc == 1 && !import_sheet_header(&p->sheet, &r, p->im))
        return;
    while (rc == 1 && (rc = csv_next(csv, &r, &err)) == 1) {
        if (++p->im->n_rows > IMPORT_MAX_ROWS) {
            import_complain(p->im, r.line, "", "import_rows",
                            "more than %d lines: cut the file into parts", IMPORT_MAX_ROWS);
            return;
        }
        if (import_institutions_read(p->institutions, &p->sheet, &r))
            read_camera(p, &r);
    }
    if (rc < 0)
        import_complain_err(p->im, r.line, "", &err);
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
        import_complain(out, 1, "", "import_bytes",
                        "the file has more than %u MiB: cut it into parts", IMPORT_MAX_BYTES >> 20);
    } else if (csv_decode(text, n, &decoded, &err) < 0) {
        import_complain_err(out, 1, "", &err);
    } else {
        struct csv csv;
        p.institutions = import_institutions_create(out, d);
        p.camera_lines = map_create();
        csv_init(&csv, (const char *)decoded.data, decoded.len);
        read_rows(&p, &csv);
        csv_fini(&csv);
        import_institutions_finish(&p.institutions);
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
