/* Cameras. Passwords come in and never go out; addresses go out without credentials. */
#include <string.h>

#include "base/str.h"
#include "net/url.h"
#include "server/api_page.h"
#include "server/camera_input.h"
#include "server/json.h"
#include "server/routes.h"
#include "server/validate.h"

/* Without user and password, wherever they were written. */
static void put_url(json_t *o, const char *key, const char *text)
{
    struct url u;
    char plain[URL_TEXT_BYTES];
    if (stream_is_push_url(text))
        json_put_text(o, key, text);
    else if (text[0] != '\0' && url_parse_any(text, &u, NULL) == 0 &&
             url_print(&u, plain, sizeof plain))
        json_put_text(o, key, plain);
    else
        json_put_text(o, key, "");
}

static json_t *camera_json(const struct district *d, const struct camera_row *r,
                           const struct camera_state *st)
{
    const struct institution_row *inst = district_institution(d, r->institution_id);
    json_t *o = json_object();
    json_put_text(o, "id", r->id);
    json_put_text(o, "name", r->name);
    json_put_text(o, "institution_id", r->institution_id);
    json_put_text(o, "institution_name", inst ? inst->name : "");
    json_put_text(o, "township_id", inst ? inst->township_id : "");
    json_put_text(o, "area", r->area);
    json_put_text(o, "area_type", r->area_type);
    put_url(o, "main_url", r->main_url);
    put_url(o, "sub_url", r->sub_url);
    json_put_text(o, "username", r->username);
    json_put_bool(o, "has_password", r->password != NULL);
    json_put_text(o, "transport", r->transport);
    json_put_text(o, "record", r->record);
    json_put_bool(o, "on_demand", r->is_on_demand);
    if (r->retention_days > 0)
        json_put_int(o, "retention_days", r->retention_days);
    else
        json_put_null(o, "retention_days");
    json_put_bool(o, "enabled", r->is_enabled);
    json_put(o, "state", camera_state_short_json(st));
    return o;
}

/* The state copied for the camera of this id; that of a new camera otherwise. */
static const struct camera_state *state_of(const struct api_call *call, const char *id)
{
    static const struct camera_state fresh = {.cause = CAUSE_CONNECTING, .detail = "starting"};
    const struct camera_row *r = district_camera(call->district, id);
    size_t i = r != NULL ? (size_t)(r - call->district->rows.cameras) : SIZE_MAX;
    return i < call->n_states ? &call->states[i] : &fresh;
}

int cameras_list(struct api_call *call, struct err *err)
{
    struct page page;
    const struct district *d = call->district;
    int rc = page_begin(call, &page, err);
    for (size_t i = 0; rc == 0 && i < d->rows.n_cameras; i++) {
        const struct camera_row *r = &d->rows.cameras[i];
        struct node n = district_node_of_camera(d, r);
        if (node_contains(&call->node, &n) && access_sees(&call->user, d, &n) &&
            page_takes(&page, r->id))
            json_array_append_new(page.items, camera_json(d, r, &call->states[i]));
    }
    if (rc == 0)
        call->json = page_end(&page);
    return rc;
}

int camera_get(struct api_call *call, struct err *err)
{
    (void)err;
    call->json = camera_json(call->district, call->node.camera, state_of(call, call->id));
    return 0;
}

static int take_password(const struct api_call *call, const json_t *body, struct camera_row *r,
                         struct err *err)
{
    char *password = NULL;
    int rc = json_take_text(body, "password", &password, err);
    if (rc == 1 && strlen(password) > CAMERA_PASSWORD_MAX_BYTES)
        rc = err_say(err, ERR_INVALID, "field_long", "%s: at most %d bytes", "password",
                     CAMERA_PASSWORD_MAX_BYTES);
    if (rc == 1)
        camera_input_password(r, call->server->secrets, password);
    free(password);
    return rc;
}

static int take_members(const struct api_call *call, const json_t *body, struct camera_row *r,
                        struct err *err)
{
    static const char *const keys[] = {
        "id",       "name",      "institution_id", "area",           "area_type",
        "main_url", "sub_url",   "username",       "transport",      "record",
        "password", "on_demand", "enabled",        "retention_days", NULL};
    char **texts[] = {&r->id,       &r->name,    &r->institution_id, &r->area,      &r->area_type,
                      &r->main_url, &r->sub_url, &r->username,       &r->transport, &r->record};
    int rc = json_only_keys(body, keys, err);
    for (size_t i = 0; i < ARRAY_LEN(texts) && rc >= 0; i++)
        rc = json_take_text(body, keys[i], texts[i], err);
    if (rc < 0 || (rc = take_password(call, body, r, err)) < 0 ||
        (rc = json_take_bool(body, "on_demand", &r->is_on_demand, err)) < 0 ||
        (rc = json_take_bool(body, "enabled", &r->is_enabled, err)) < 0)
        return rc;
    json_t *days = json_object_get(body, "retention_days");
    if (json_is_null(days))
        r->retention_days = 0;
    else if (days != NULL && json_integer_value(days) < 1)
        return err_say(err, ERR_INVALID, "retention_range",
                       "retention_days: 1 to 3650, or null for the default");
    else if ((rc = json_take_int(body, "retention_days", &r->retention_days, err)) < 0)
        return rc;
    return 0;
}

static int read_camera(struct api_call *call, struct camera_row *r, struct err *err)
{
    json_t *body;
    int rc = api_body(call, &body, err);
    if (rc < 0)
        return rc;
    rc = take_members(call, body, r, err);
    const char *user = json_string_value(json_object_get(body, "username"));
    bool has_own_user = user != NULL && user[0] != '\0';
    json_decref(body);
    if (rc < 0 || (rc = validate_camera(r, err)) < 0)
        return rc;
    camera_input_take_credentials(r, call->server->secrets, has_own_user);
    if ((rc = validate_push(r, err)) < 0)
        return rc;
    const struct institution_row *inst = district_institution(call->district, r->institution_id);
    struct node n;
    if (inst != NULL)
        n = district_node_of_institution(call->district, inst);
    if (inst == NULL || access_check(&call->user, PERM_EDIT_DISTRICT, call->district, &n) < 0)
        return err_say(err, ERR_INVALID, "institution_gone",
                       "institution_id: there is no institution %.64s", r->institution_id);
    return 0;
}

struct change {
    const struct camera_row *row;
    enum put_mode mode;
    const char *delete_id;
};

static int apply(struct db *db, void *ctx, struct err *err)
{
    const struct change *c = ctx;
    if (c->delete_id != NULL)
        return db_camera_delete(db, c->delete_id, err);
    return db_camera_put(db, c->row, c->mode, err);
}

static int change(struct api_call *call, const struct change *c, struct err *err)
{
    int rc = catalogue_write(call->server->catalogue, apply, (void *)c, err);
    return rc < 0 ? rc : server_load_district(call->server->catalogue, &call->new_district, err);
}

static int save(struct api_call *call, struct camera_row *r, enum put_mode mode, struct err *err)
{
    int rc = read_camera(call, r, err);
    if (rc == 0 && mode == PUT_OLD && strcmp(r->id, call->id) != 0)
        rc = err_text(err, ERR_INVALID, "id: an id cannot be changed");
    if (rc == 0)
        rc = change(call, &(struct change){.row = r, .mode = mode}, err);
    if (rc == 0) {
        const struct camera_row *now = district_camera(call->new_district, r->id);
        call->status = mode == PUT_NEW ? 201 : 200;
        if (now != NULL)
            call->json = camera_json(call->new_district, now, state_of(call, r->id));
        else
            rc = err_say(err, ERR_CONFLICT, "deleted_meanwhile",
                         "somebody deleted the camera at the same moment");
    }
    camera_row_fini(r);
    return rc;
}

int camera_add(struct api_call *call, struct err *err)
{
    char id[65];
    struct camera_row r;
    secret_make_id("cam", id, sizeof id);
    camera_input_defaults(&r, id, clock_wall_us(clock_system()));
    return save(call, &r, PUT_NEW, err);
}

int camera_put(struct api_call *call, struct err *err)
{
    struct camera_row r;
    const struct camera_row *old = call->node.camera;
    camera_input_copy(&r, old);
    if (call->route->method == HTTP_PUT) {
        struct camera_row fresh;
        camera_input_defaults(&fresh, old->id, old->created_us);
        fresh.password = r.password; /* one that is not mentioned stays */
        fresh.password_bytes = r.password_bytes;
        r.password = NULL;
        camera_row_fini(&r);
        r = fresh;
    }
    return save(call, &r, PUT_OLD, err);
}

int camera_delete(struct api_call *call, struct err *err)
{
    return change(call, &(struct change){.delete_id = call->id}, err);
}
