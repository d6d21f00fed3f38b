/* The catalogue's schema: a numbered list of migrations. Entry i brings a database from version i
 * to i + 1; `PRAGMA user_version` holds the version. Entries that were released are never edited: a
 * change is a new entry at the end. */
#ifndef STORAGE_DB_SCHEMA_H
#define STORAGE_DB_SCHEMA_H

#include <stddef.h>

#include "base/err.h"

struct db;

size_t db_schema_version(void); /* the newest */

/* Brings the database to the newest version, each step in a transaction of its own. ERR_UNSUPPORTED
 * when it was written by a newer program: nothing is changed then. */
int db_migrate(struct db *db, struct err *err);

/* The same up to a given version, for tests of upgrades. */
int db_migrate_to(struct db *db, size_t version, struct err *err);

#endif
