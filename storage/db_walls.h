/* Saved walls in the catalogue: which camera stands where. Shared by everybody who may watch.
 * Thread: inside a catalogue job. */
#ifndef STORAGE_DB_WALLS_H
#define STORAGE_DB_WALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct db;

struct wall_row {
    char id[65], owner[65];
    char *name;
    int layout;
    char *tiles; /* JSON array of camera ids or null */
};
void wall_row_fini(struct wall_row *r);

int db_walls_list(struct db *db, struct wall_row **out, size_t *out_n, struct err *err);
int db_wall_get(struct db *db, const char *id, struct wall_row *out, struct err *err);
/* is_new: ERR_CONFLICT when the id exists; else ERR_NOT_FOUND when it does not. */
int db_wall_put(struct db *db, const struct wall_row *r, bool is_new, struct err *err);
int db_wall_delete(struct db *db, const char *id, struct err *err);

#endif
