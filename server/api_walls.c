/* Saved walls. Tiles that show a camera out of the reader's scope are empty for them. */
#include <string.h>

#include "base/str.h"
#include "server/json.h"
#include "server/routes.h"
#include "server/validate.h"
#include "storage/db_walls.h"

static json_t *tiles_json(const struct api_call *call, const char *text)
{
    json_t *tiles = json_loads(text, 0, NULL), *out = json_array();
    for (size_t i = 0; i < json_array_size(tiles); i++) {
        const char *id = json_string_value(json_array_get(tiles, i));
        const struct camera_row *c = id != NULL ? district_camera(call->district, id) : NULL;
        struct node n;
        if (c != NULL)
            n = district_node_of_camera(call->district, c);
        bool is_seen = c != NULL && access_sees(&call->user, call->district, &n);
        json_array_append_new(out, is_seen ? json_string(id) : json_null());
    }
    json_decref(tiles);
    return out;
}

static json_t *wall_json(const struct api_call *call, const struct wall_row *r)
{
    json_t *o = json_object();
    json_put_text(o, "id", r->id);
    json_put_text(o, "name", r->name);
    json_put_int(o, "layout", r->layout);
    json_put(o, "tiles", tiles_json(call, r->tiles));
    return o;
}

struct list {
    struct wall_row *rows;
    size_t n;
};

static int load_list(struct db *db, void *ctx, struct err *err)
{
    struct list *l = ctx;
    return db_walls_list(db, &l->rows, &l->n, err);
}

int walls_list(struct api_call *call, struct err *err)
{
    struct list l = {0};
    json_t *items = json_array();
    int rc = catalogue_read(call->server->catalogue, load_list, &l, err);
    for (size_t i = 0; i < l.n; i++) {
        json_array_append_new(items, wall_json(call, &l.rows[i]));
        wall_row_fini(&l.rows[i]);
    }
    free(l.rows);
    call->json = json_list(items);
    return rc;
}

struct one {
    const char *id;
    struct wall_row row;
    bool is_new;
};

static int load_one(struct db *db, void *ctx, struct err *err)
{
    struct one *o = ctx;
    return db_wall_get(db, o->id, &o->row, err);
}

static int save_one(struct db *db, void *ctx, struct err *err)
{
    struct one *o = ctx;
    return db_wall_put(db, &o->row, o->is_new, err);
}

static int delete_one(struct db *db, void *ctx, struct err *err)
{
    struct one *o = ctx;
    return db_wall_delete(db, o->id, err);
}

int wall_get(struct api_call *call, struct err *err)
{
    struct one o = {.id = call->id};
    int rc = catalogue_read(call->server->catalogue, load_one, &o, err);
    if (rc == 0)
        call->json = wall_json(call, &o.row);
    wall_row_fini(&o.row);
    return rc;
}

static int read_tiles(const json_t *body, int layout, char **out, struct err *err)
{
    json_t *tiles = json_object_get(body, "tiles");
    if (!json_is_array(tiles) || json_array_size(tiles) > (size_t)layout)
        return err_text(err, ERR_INVALID, "tiles: a list of at most %d camera ids or nulls",
                        layout);
    for (size_t i = 0; i < json_array_size(tiles); i++) {
        json_t *t = json_array_get(tiles, i);
        if (!json_is_null(t) && (!json_is_string(t) || !str_is_id(json_string_value(t))))
            return err_text(err, ERR_INVALID, "tiles: number %zu is neither a camera id nor null",
                            i);
    }
    *out = json_dumps(tiles, JSON_COMPACT);
    return 0;
}

static int read_wall(struct api_call *call, struct wall_row *r, struct err *err)
{
    static const char *const keys[] = {"id", "name", "layout", "tiles", NULL};
    static const int layouts[] = {1, 4, 9, 16, 25, 36, 64};
    char *id = NULL;
    json_t *body;
    int rc = api_body(call, &body, err);
    if (rc < 0)
        return rc;
    if ((rc = json_only_keys(body, keys, err)) < 0 ||
        (rc = json_take_text(body, "id", &id, err)) < 0 ||
        (rc = json_take_text(body, "name", &r->name, err)) < 0 ||
        (rc = json_take_int(body, "layout", &r->layout, err)) < 0)
        goto out;
    size_t i = 0;
    while (i < ARRAY_LEN(layouts) && layouts[i] != r->layout)
        i++;
    if (i == ARRAY_LEN(layouts))
        rc = err_text(err, ERR_INVALID, "layout: 1, 4, 9, 16, 25, 36 or 64");
    else if (r->name == NULL || !text_is_fit(r->name, 1, 384))
        rc = err_say(err, ERR_INVALID, "field_empty", "%s: it must not be empty", "name");
    else if (id != NULL && !str_is_id(id))
        rc = err_text(err, ERR_INVALID, "id: 1 to 64 of the characters A-Z a-z 0-9 _ -");
    else if (id != NULL && call->id != NULL && strcmp(id, call->id) != 0)
        rc = err_text(err, ERR_INVALID, "id: an id cannot be changed");
    else
        rc = read_tiles(body, r->layout, &r->tiles, err);
    if (id != NULL)
        str_copy(r->id, sizeof r->id, id);
out:
    free(id);
    json_decref(body);
    return rc;
}

static int save(struct api_call *call, struct one *o, struct err *err)
{
    str_copy(o->row.owner, sizeof o->row.owner, call->user.name);
    int rc = read_wall(call, &o->row, err);
    if (rc == 0)
        rc = catalogue_write(call->server->catalogue, save_one, o, err);
    if (rc == 0) {
        call->status = o->is_new ? 201 : 200;
        call->json = wall_json(call, &o->row);
    }
    wall_row_fini(&o->row);
    return rc;
}

int wall_add(struct api_call *call, struct err *err)
{
    struct one o = {.is_new = true};
    secret_make_id("wall", o.row.id, sizeof o.row.id);
    return save(call, &o, err);
}

int wall_put(struct api_call *call, struct err *err)
{
    struct one o = {.id = call->id};
    str_copy(o.row.id, sizeof o.row.id, call->id);
    return save(call, &o, err);
}

int wall_delete(struct api_call *call, struct err *err)
{
    struct one o = {.id = call->id};
    return catalogue_write(call->server->catalogue, delete_one, &o, err);
}
