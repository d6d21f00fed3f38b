#include "server/import_institutions.h"

#include <string.h>

#include "base/str.h"
#include "server/validate.h"

/* An institution the file names. */
struct draft {
    struct institution_row row;
    const struct institution_row *old; /* NULL = new */
    unsigned name_line;                /* that gave the name; 0 = none yet */
};

struct import_institutions {
    struct import *im;
    const struct district *district;
    struct map *township_ids; /* name or id in the file → id (owned by a row) */
    struct map *drafts;       /* institution id → struct draft */
    struct draft **list;
    size_t n;
};

struct import_institutions *import_institutions_create(struct import *im, const struct district *d)
{
    struct import_institutions *p = xcalloc(1, sizeof *p);
    p->im = im;
    p->district = d;
    p->township_ids = map_create();
    p->drafts = map_create();
    return p;
}

/* A name alone gives the same id in every import. */
static struct township_row new_township(const char *text)
{
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
    return row;
}

/* The id of the township named in the file, planned when new; NULL with a complaint. */
static const char *use_township(struct import_institutions *p, unsigned line, const char *text)
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
    struct township_row row = new_township(text);
    struct err err;
    err_clear(&err);
    if (validate_township(&row, &err) < 0) {
        import_complain_err(p->im, line, "township", &err);
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

static struct draft *draft_of(struct import_institutions *p, const char *id)
{
    struct draft *d = map_get(p->drafts, id);
    if (d != NULL)
        return d;
    d = xcalloc(1, sizeof *d);
    d->old = district_institution(p->district, id);
    copy_institution(&d->row, d->old);
    d->row.id = xstrdup(id);
    map_put(p->drafts, id, d);
    p->list = xrealloc(p->list, (p->n + 1) * sizeof(struct draft *));
    p->list[p->n++] = d;
    return d;
}

bool import_institutions_read(struct import_institutions *p, const struct import_sheet *sheet,
                              const struct csv_record *r)
{
    const char *id = import_sheet_cell(sheet, r, IMPORT_INSTITUTION_ID);
    const char *name = import_sheet_cell(sheet, r, IMPORT_INSTITUTION_NAME);
    const char *type = import_sheet_cell(sheet, r, IMPORT_INSTITUTION_TYPE);
    const char *township = import_sheet_cell(sheet, r, IMPORT_TOWNSHIP);
    struct err err;
    err_clear(&err);
    if (validate_id("institution_id", id, &err) < 0) {
        import_complain_field(p->im, r->line, "institution", &err);
        return false;
    }
    struct draft *d = draft_of(p, id);
    bool is_first = d->name_line == 0;
    if (name[0] != '\0' && !is_first && strcmp(d->row.name, name) != 0) {
        import_complain(p->im, r->line, "institution_name", "import_name_differs",
                        "line %u calls institution %s \"%.100s\"", d->name_line, id, d->row.name);
        return false;
    }
    const char *township_id = township[0] ? use_township(p, r->line, township) : NULL;
    if (township[0] && township_id == NULL)
        return false;
    if (township_id != NULL && !is_first && strcmp(d->row.township_id, township_id) != 0) {
        import_complain(p->im, r->line, "township", "import_township_differs",
                        "line %u puts institution %s into another township", d->name_line, id);
        return false;
    }
    if (township_id != NULL)
        import_set_text(&d->row.township_id, township_id);
    if (name[0] != '\0')
        import_set_text(&d->row.name, name);
    if (type[0] != '\0')
        import_set_text(&d->row.type, type);
    if (d->row.township_id[0] == '\0') {
        import_complain(p->im, r->line, "township", "import_township_needed",
                        "it must not be empty for a new institution");
        return false;
    }
    if (validate_institution(&d->row, &err) < 0) {
        import_complain_field(p->im, r->line, "institution", &err);
        return false;
    }
    d->name_line = r->line;
    return true;
}

static bool same_institution(const struct institution_row *a, const struct institution_row *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->type, b->type) == 0 &&
           strcmp(a->township_id, b->township_id) == 0;
}

void import_institutions_finish(struct import_institutions **list)
{
    struct import_institutions *p = *list;
    struct import *im = p->im;
    im->put_institutions = xcalloc(p->n + 1, sizeof *im->put_institutions);
    for (size_t i = 0; i < p->n; i++) {
        struct draft *d = p->list[i];
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
    free(p->list);
    map_destroy(&p->drafts);
    map_destroy(&p->township_ids);
    FREE(list);
}
