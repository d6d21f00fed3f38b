/* Backups: one tar file that holds what recordings do not: the catalogue and the keys.
 *
 *   rookery-backup.txt   "rookery backup 1", version, schema, time
 *   catalog.db           a consistent copy
 *   keys/…               every key
 *   SHA256SUMS           of all of them, as sha256sum writes and checks it; the last one
 *
 * Thread: any; blocks. */
#ifndef SERVER_BACKUP_H
#define SERVER_BACKUP_H

#include "storage/catalogue.h"

struct backup_facts {
    int64_t made_us;
    int64_t schema;
    char version[32];
    uint64_t catalogue_bytes;
    int n_keys;
};

/* Makes path, mode 0600, complete or not at all; ERR_CONFLICT when it exists. Beside it the copy of
 * the catalogue needs room a second time while it is made. */
int backup_write(struct catalogue *c, const char *data_dir, const char *path, int64_t now_us,
                 struct backup_facts *out, struct err *err);

/* Unpacks a backup into `dir`, which exists and is empty; NULL = only looks. ERR_PARSE: it is none,
 * cut off, or something in it is not what was written; ERR_UNSUPPORTED: made by a newer Rookery.
 * What is in dir then is worthless. */
int backup_read(const char *path, const char *dir, struct backup_facts *out, struct err *err);

#endif
