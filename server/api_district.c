/* Townships and institutions. */
#include <string.h>

#include "base/str.h"
#include "server/api_page.h"
#include "server/json.h"
#include "server/routes.h"
#include "server/validate.h"

/* A change as a catalogue job, then the district as it is after it. */
struct change {
    const struct township_row *township;
    const struct institution_row *institution;
    enum put_mode mode;
    int (*delete_row)(struct db *, const char *, struct err *);
    const char *id;
};

static int apply(struct db *db, void *ctx, struct err *err)
{
    const struct change *c = ctx;
    if (c->delete_row != NULL)
        return c->delete_row(db, c->id, err);
    if (c->township != NULL)
        return db_township_put(db, c->township, c->mode, err);
    return db_institution_put(db, c->institution, c->mode, err);
}

static int change(struct api_call *call, const struct change *c, struct err *err)
{
    int rc = catalogue_write(call->server->catalogue, apply, (void *)c, err);
    return rc < 0 ? rc : server_load_district(call->server->catalogue, &call->new_district, err);
}

/* --- townships --- */

static json_t *township_json(const struct district *d, const struct township_row *r)
{
    json_t *o = json_object();
    json_put_text(o, "id", r->id);
    json_put_text(o, "name", r->name);
    json_put_int(o, "institutions", district_count_institutions(d, r->id));
    json_put_int(o, "cameras", district_count_township_cameras(d, r->id));
    return o;
}

int townships_list(struct api_call *call, struct err *err)
{
    struct page page;
    const struct district *d = call->district;
    int rc = page_begin(call, &page, err);
    for (size_t i = 0; rc == 0 && i < d->rows.n_townships; i++) {
        const struct township_row *t = &d->rows.townships[i];
        struct node n = district_node_of_township(d, t);
        if (access_sees(&call->user, d, &n) && page_takes(&page, t->id))
            json_array_append_new(page.items, township_json(d, t));
    }
    if (rc == 0)
        call->json = page_end(&page);
    return rc;
}

int township_get(struct api_call *call, struct err *err)
{
    (void)err;
    call->json = township_json(call->district, call->node.township);
    return 0;
}

static int read_township(struct api_call *call, struct township_row *r, struct err *err)
{
    static const char *const keys[] = {"id", "name", NULL};
    json_t *body;
    int rc = api_body(call, &body, err);
    if (rc < 0)
        return rc;
    if ((rc = json_only_keys(body, keys, err)) == 0 &&
        (rc = json_take_text(body, "id", &r->id, err)) >= 0)
        rc = json_take_text(body, "name", &r->name, err);
    json_decref(body);
    return rc < 0 ? rc : validate_township(r, err);
}

static int gone(struct err *err)
{
    return err_say(err, ERR_CONFLICT, "deleted_meanwhile",
                   "somebody deleted it at the same moment");
}

static int answer_township(struct api_call *call, const char *id, int status, struct err *err)
{
    const struct township_row *now = district_township(call->new_district, id);
    if (now == NULL)
        return gone(err);
    call->status = status;
    call->json = township_json(call->new_district, now);
    return 0;
}

int township_add(struct api_call *call, struct err *err)
{
    char id[65];
    secret_make_id("t", id, sizeof id);
    struct township_row r = {.id = xstrdup(id), .name = xstrdup("")};
    int rc = read_township(call, &r, err);
    if (rc == 0)
        rc = change(call, &(struct change){.township = &r, .mode = PUT_NEW}, err);
    if (rc == 0)
        rc = answer_township(call, r.id, 201, err);
    township_row_fini(&r);
    return rc;
}

int township_put(struct api_call *call, struct err *err)
{
    bool is_patch = call->route->method == HTTP_PATCH;
    struct township_row r = {.id = xstrdup(call->id),
                             .name = xstrdup(is_patch ? call->node.township->name : "")};
    int rc = read_township(call, &r, err);
    if (rc == 0 && strcmp(r.id, call->id) != 0)
        rc = err_text(err, ERR_INVALID, "id: an id cannot be changed");
    if (rc == 0)
        rc = change(call, &(struct change){.township = &r, .mode = PUT_OLD}, err);
    if (rc == 0)
        rc = answer_township(call, r.id, 200, err);
    township_row_fini(&r);
    return rc;
}

int township_delete(struct api_call *call, struct err *err)
{
    return change(call, &(struct change){.delete_row = db_township_delete, .id = call->id}, err);
}

/* --- institutions --- */

static json_t *institution_json(const struct district *d, const struct institution_row *r)
{
    const struct township_row *t = district_township(d, r->township_id);
    json_t *o = json_object();
    json_put_text(o, "id", r->id);
    json_put_text(o, "name", r->name);
    json_put_text(o, "type", r->type);
    json_put_text(o, "township_id", r->township_id);
    json_put_text(o, "township_name", t ? t->name : "");
    json_put_text(o, "address", r->address);
    json_put_text(o, "contact", r->contact);
    json_put_text(o, "phone", r->phone);
    json_put_text(o, "external_id", r->external_id);
    json_put_bool(o, "enabled", r->is_enabled);
    json_put_int(o, "cameras", district_count_cameras(d, r->id));
    return o;
}

int institutions_list(struct api_call *call, struct err *err)
{
    struct page page;
    const struct district *d = call->district;
    int rc = page_begin(call, &page, err);
    for (size_t i = 0; rc == 0 && i < d->rows.n_institutions; i++) {
        const struct institution_row *r = &d->rows.institutions[i];
        struct node n = district_node_of_institution(d, r);
        if (node_contains(&call->node, &n) && access_sees(&call->user, d, &n) &&
            page_takes(&page, r->id))
            json_array_append_new(page.items, institution_json(d, r));
    }
    if (rc == 0)
        call->json = page_end(&page);
    return rc;
}

int institution_get(struct api_call *call, struct err *err)
{
    (void)err;
    call->json = institution_json(call->district, call->node.institution);
    return 0;
}

static int read_institution(struct api_call *call, struct institution_row *r, struct err *err)
{
    static const char *const keys[] = {"id",      "name",  "type",        "township_id", "address",
                                       "contact", "phone", "external_id", "enabled",     NULL};
    char **texts[] = {&r->id,      &r->name,    &r->type,  &r->township_id,
                      &r->address, &r->contact, &r->phone, &r->external_id};
    json_t *body;
    int rc = api_body(call, &body, err);
    if (rc < 0)
        return rc;
    rc = json_only_keys(body, keys, err);
    for (size_t i = 0; i < ARRAY_LEN(texts) && rc >= 0; i++)
        rc = json_take_text(body, keys[i], texts[i], err);
    if (rc >= 0)
        rc = json_take_bool(body, "enabled", &r->is_enabled, err);
    json_decref(body);
    if (rc >= 0)
        rc = validate_institution(r, err);
    if (rc < 0)
        return rc;
    const struct township_row *t = district_township(call->district, r->township_id);
    if (t == NULL)
        return err_say(err, ERR_INVALID, "township_gone", "township_id: there is no township %.64s",
                       r->township_id);
    /* where it shall belong must be in scope, too */
    struct node n = district_node_of_township(call->district, t);
    if (access_check(&call->user, PERM_EDIT_DISTRICT, call->district, &n) < 0)
        return err_say(err, ERR_INVALID, "township_gone", "township_id: there is no township %.64s",
                       r->township_id);
    return 0;
}

static void institution_defaults(struct institution_row *r, const char *id)
{
    char **texts[] = {&r->name,    &r->type,  &r->township_id, &r->address,
                      &r->contact, &r->phone, &r->external_id};
    *r = (struct institution_row){.id = xstrdup(id), .is_enabled = true};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = xstrdup("");
}

static void institution_copy(struct institution_row *r, const struct institution_row *old)
{
    *r = (struct institution_row){.id = xstrdup(old->id),
                                  .name = xstrdup(old->name),
                                  .type = xstrdup(old->type),
                                  .township_id = xstrdup(old->township_id),
                                  .address = xstrdup(old->address),
                                  .contact = xstrdup(old->contact),
                                  .phone = xstrdup(old->phone),
                                  .external_id = xstrdup(old->external_id),
                                  .is_enabled = old->is_enabled};
}

static int save_institution(struct api_call *call, struct institution_row *r, enum put_mode mode,
                            struct err *err)
{
    int rc = read_institution(call, r, err);
    if (rc == 0 && mode == PUT_OLD && strcmp(r->id, call->id) != 0)
        rc = err_text(err, ERR_INVALID, "id: an id cannot be changed");
    if (rc == 0)
        rc = change(call, &(struct change){.institution = r, .mode = mode}, err);
    if (rc == 0) {
        const struct institution_row *now = district_institution(call->new_district, r->id);
        call->status = mode == PUT_NEW ? 201 : 200;
        if (now != NULL)
            call->json = institution_json(call->new_district, now);
        else
            rc = gone(err);
    }
    institution_row_fini(r);
    return rc;
}

int institution_add(struct api_call *call, struct err *err)
{
    char id[65];
    struct institution_row r;
    secret_make_id("inst", id, sizeof id);
    institution_defaults(&r, id);
    return save_institution(call, &r, PUT_NEW, err);
}

int institution_put(struct api_call *call, struct err *err)
{
    struct institution_row r;
    if (call->route->method == HTTP_PATCH)
        institution_copy(&r, call->node.institution);
    else
        institution_defaults(&r, call->id);
    return save_institution(call, &r, PUT_OLD, err);
}

int institution_delete(struct api_call *call, struct err *err)
{
    return change(call, &(struct change){.delete_row = db_institution_delete, .id = call->id}, err);
}
