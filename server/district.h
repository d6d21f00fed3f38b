/* The district in memory: townships, institutions, cameras as one immutable snapshot.
 * Thread: ref, unref and reading from any thread.
 * Lifetime: refcounted; every change of the catalogue makes a new one. */
#ifndef SERVER_DISTRICT_H
#define SERVER_DISTRICT_H

#include "base/map.h"
#include "base/mem.h"
#include "storage/db_district.h"

struct district {
    struct refcount refs;
    struct district_rows rows;
    /* by id, to the rows */
    struct map *townships, *institutions, *cameras;
    /* by id, counts as (uintptr_t): how many belong to it */
    struct map *n_institutions, *n_township_cameras, *n_cameras;
};

/* Takes the rows over. */
struct district *district_create(struct district_rows *rows);
struct district *district_ref(struct district *d);
void district_unref(struct district **d);

/* NULL when unknown. */
const struct township_row *district_township(const struct district *d, const char *id);
const struct institution_row *district_institution(const struct district *d, const char *id);
const struct camera_row *district_camera(const struct district *d, const char *id);
const struct township_row *district_township_named(const struct district *d, const char *name);

int district_count_institutions(const struct district *d, const char *township_id);
int district_count_township_cameras(const struct district *d, const char *township_id);
int district_count_cameras(const struct district *d, const char *institution_id);

/* A place in the tree, with what is above it; NULL below its own kind. Valid with its district. */
enum node_kind { NODE_DISTRICT, NODE_TOWNSHIP, NODE_INSTITUTION, NODE_CAMERA };
struct node {
    enum node_kind kind;
    const struct township_row *township;
    const struct institution_row *institution;
    const struct camera_row *camera;
};

/* "", "district", "township:ID", "institution:ID", "camera:ID", or an id, looked for in this
 * order. ERR_NOT_FOUND. NULL text = the district. */
int district_node(const struct district *d, const char *text, struct node *out);
struct node district_node_of_township(const struct district *d, const struct township_row *t);
struct node district_node_of_institution(const struct district *d, const struct institution_row *i);
struct node district_node_of_camera(const struct district *d, const struct camera_row *c);

/* inner is outer, or lies below it. Both of the same snapshot. */
bool node_contains(const struct node *outer, const struct node *inner);
/* The way it is written back ("township:t-1"); "" for the district. */
void node_print(const struct node *n, char *dst, size_t cap);
const char *node_name(const struct node *n);

#endif
