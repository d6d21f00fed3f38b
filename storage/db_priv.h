/* Connections; for catalogue*.c and tests of migrations only. */
#ifndef STORAGE_DB_PRIV_H
#define STORAGE_DB_PRIV_H

#include "storage/db.h"

/* The file is created (mode 0640) unless is_reader. A reader cannot write. */
int db__open(const char *path, bool is_reader, struct db **out, struct err *err);
void db__close(struct db **db);

/* Writes all of it, as it is in one moment, to a file that must not exist, or be empty. */
int db__copy_to(struct db *db, const char *path, struct err *err);

#endif
