#include "server/district.h"

#include <string.h>

#include "base/str.h"

static void count_up(struct map *m, const char *id)
{
    map_put(m, id, (void *)((uintptr_t)map_get(m, id) + 1));
}

struct district *district_create(struct district_rows *rows)
{
    struct district *d = xcalloc(1, sizeof *d);
    refcount_init(&d->refs);
    d->rows = *rows;
    *rows = (struct district_rows){0};
    struct map **maps[] = {&d->townships,      &d->institutions,       &d->cameras,
                           &d->n_institutions, &d->n_township_cameras, &d->n_cameras};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        *maps[i] = map_create();
    for (size_t i = 0; i < d->rows.n_townships; i++)
        map_put(d->townships, d->rows.townships[i].id, &d->rows.townships[i]);
    for (size_t i = 0; i < d->rows.n_institutions; i++) {
        map_put(d->institutions, d->rows.institutions[i].id, &d->rows.institutions[i]);
        count_up(d->n_institutions, d->rows.institutions[i].township_id);
    }
    for (size_t i = 0; i < d->rows.n_cameras; i++) {
        const struct camera_row *c = &d->rows.cameras[i];
        map_put(d->cameras, c->id, &d->rows.cameras[i]);
        count_up(d->n_cameras, c->institution_id);
        const struct institution_row *inst = district_institution(d, c->institution_id);
        if (inst != NULL)
            count_up(d->n_township_cameras, inst->township_id);
    }
    return d;
}

struct district *district_ref(struct district *d)
{
    refcount_inc(&d->refs);
    return d;
}

void district_unref(struct district **district)
{
    struct district *d = *district;
    *district = NULL;
    if (d == NULL || !refcount_dec(&d->refs))
        return;
    map_destroy(&d->townships);
    map_destroy(&d->institutions);
    map_destroy(&d->cameras);
    map_destroy(&d->n_institutions);
    map_destroy(&d->n_township_cameras);
    map_destroy(&d->n_cameras);
    district_rows_fini(&d->rows);
    free(d);
}

const struct township_row *district_township(const struct district *d, const char *id)
{
    return map_get(d->townships, id);
}

const struct institution_row *district_institution(const struct district *d, const char *id)
{
    return map_get(d->institutions, id);
}

const struct camera_row *district_camera(const struct district *d, const char *id)
{
    return map_get(d->cameras, id);
}

const struct township_row *district_township_named(const struct district *d, const char *name)
{
    for (size_t i = 0; i < d->rows.n_townships; i++) {
        if (strcmp(d->rows.townships[i].name, name) == 0)
            return &d->rows.townships[i];
    }
    return NULL;
}

int district_count_institutions(const struct district *d, const char *township_id)
{
    return (int)(uintptr_t)map_get(d->n_institutions, township_id);
}

int district_count_township_cameras(const struct district *d, const char *township_id)
{
    return (int)(uintptr_t)map_get(d->n_township_cameras, township_id);
}

int district_count_cameras(const struct district *d, const char *institution_id)
{
    return (int)(uintptr_t)map_get(d->n_cameras, institution_id);
}

struct node district_node_of_township(const struct district *d, const struct township_row *t)
{
    (void)d;
    return (struct node){.kind = NODE_TOWNSHIP, .township = t};
}

struct node district_node_of_institution(const struct district *d, const struct institution_row *i)
{
    return (struct node){.kind = NODE_INSTITUTION,
                         .township = district_township(d, i->township_id),
                         .institution = i};
}

struct node district_node_of_camera(const struct district *d, const struct camera_row *c)
{
    struct node n = {.kind = NODE_CAMERA, .camera = c};
    n.institution = district_institution(d, c->institution_id);
    if (n.institution != NULL)
        n.township = district_township(d, n.institution->township_id);
    return n;
}

int district_node(const struct district *d, const char *text, struct node *out)
{
    *out = (struct node){.kind = NODE_DISTRICT};
    if (text == NULL || text[0] == '\0' || strcmp(text, "district") == 0)
        return 0;
    bool is_any = strchr(text, ':') == NULL;
    const char *id = is_any ? text : strchr(text, ':') + 1;
    if (is_any || str_starts(text, "township:")) {
        const struct township_row *t = district_township(d, id);
        if (t != NULL) {
            *out = district_node_of_township(d, t);
            return 0;
        }
    }
    if (is_any || str_starts(text, "institution:")) {
        const struct institution_row *i = district_institution(d, id);
        if (i != NULL) {
            *out = district_node_of_institution(d, i);
            return 0;
        }
    }
    if (is_any || str_starts(text, "camera:")) {
        const struct camera_row *c = district_camera(d, id);
        if (c != NULL) {
            *out = district_node_of_camera(d, c);
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

bool node_contains(const struct node *outer, const struct node *inner)
{
    switch (outer->kind) {
    case NODE_DISTRICT:
        return true;
    case NODE_TOWNSHIP:
        return inner->township == outer->township;
    case NODE_INSTITUTION:
        return inner->institution == outer->institution;
    case NODE_CAMERA:
        return inner->camera == outer->camera;
    }
    return false;
}

void node_print(const struct node *n, char *dst, size_t cap)
{
    dst[0] = '\0';
    switch (n->kind) {
    case NODE_DISTRICT:
        break;
    case NODE_TOWNSHIP:
        snprintf(dst, cap, "township:%s", n->township->id);
        break;
    case NODE_INSTITUTION:
        snprintf(dst, cap, "institution:%s", n->institution->id);
        break;
    case NODE_CAMERA:
        snprintf(dst, cap, "camera:%s", n->camera->id);
        break;
    }
}

const char *node_name(const struct node *n)
{
    switch (n->kind) {
    case NODE_DISTRICT:
        return "";
    case NODE_TOWNSHIP:
        return n->township->name;
    case NODE_INSTITUTION:
        return n->institution->name;
    case NODE_CAMERA:
        return n->camera->name;
    }
    return "";
}
