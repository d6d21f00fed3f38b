/* Townships, institutions and cameras in the catalogue, as they are stored.
 * Thread: inside a catalogue job. Strings of a row are owned by it and never NULL. */
#ifndef STORAGE_DB_DISTRICT_H
#define STORAGE_DB_DISTRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct db;

struct township_row {
    char *id, *name;
};

struct institution_row {
    char *id, *name, *type, *township_id, *address, *contact, *phone, *external_id;
    bool is_enabled;
};

struct camera_row {
    char *id, *name, *institution_id, *area, *area_type, *main_url, *sub_url, *username;
    char *transport, *record;
    uint8_t *password; /* encrypted; NULL = none */
    size_t password_bytes;
    bool is_on_demand;
    bool is_enabled;
    int retention_days; /* 0 = the configured default */
    int64_t created_us;
};

/* All of it, each list by id. */
struct district_rows {
    struct township_row *townships;
    size_t n_townships;
    struct institution_row *institutions;
    size_t n_institutions;
    struct camera_row *cameras;
    size_t n_cameras;
    int64_t revision;
};

void township_row_fini(struct township_row *r);
void institution_row_fini(struct institution_row *r);
void camera_row_fini(struct camera_row *r);
void district_rows_fini(struct district_rows *rows);

int db_district_load(struct db *db, struct district_rows *out, struct err *err);

/* Rises with every change of the district by any process. */
int db_district_revision(struct db *db, int64_t *out, struct err *err);

/* PUT_NEW: ERR_CONFLICT when the id exists. PUT_OLD: ERR_NOT_FOUND when it does not. An unknown
 * township or institution is ERR_INVALID. */
enum put_mode { PUT_NEW, PUT_OLD, PUT_ANY };
int db_township_put(struct db *db, const struct township_row *r, enum put_mode mode,
                    struct err *err);
int db_institution_put(struct db *db, const struct institution_row *r, enum put_mode mode,
                       struct err *err);
int db_camera_put(struct db *db, const struct camera_row *r, enum put_mode mode, struct err *err);

/* ERR_NOT_FOUND, or ERR_CONFLICT while something belongs to it. */
int db_township_delete(struct db *db, const char *id, struct err *err);
int db_institution_delete(struct db *db, const char *id, struct err *err);
int db_camera_delete(struct db *db, const char *id, struct err *err);

#endif
