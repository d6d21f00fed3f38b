/* Whether a catalogue can be used, and what can be read of one that is damaged.
 * Thread: any; blocks. */
#ifndef STORAGE_DB_HEALTH_H
#define STORAGE_DB_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct db;

/* The version of the schema. */
int db_version(struct db *db, int64_t *out, struct err *err);

/* Reads what is small and everything else hangs on: district, accounts, volumes, unsettled files.
 * Milliseconds at any size; segments, states and events are not looked at. ERR_PARSE: damaged. */
int db_check_small(struct db *db, struct err *err);

/* Reads all of it, segments too: seconds for each gigabyte. ERR_PARSE: damaged. */
int db_check_all(struct db *db, struct err *err);

/* What became of one table of a damaged database. */
typedef void db_salvage_fn(void *ctx, const char *table, int64_t n_saved, bool is_whole);

/* Copies what can be read of the database old_path, which is not changed, into new_path, a new one
 * of the newest schema: every table but segments and chains, which the files tell again. Rows are
 * read from both ends of a table up to where it is damaged; rows that hang on lost ones are left
 * out, but for cameras and institutions, which get a stand-in to hang on. ERR_PARSE: no
 * camera, institution or user can be read. */
int db_salvage(const char *old_path, const char *new_path, db_salvage_fn *fn, void *ctx,
               struct err *err);

#endif
