/* Volumes as the catalogue knows them: a small number for each, by its marker.
 * Thread: inside a catalogue job. */
#ifndef STORAGE_DB_VOLUMES_H
#define STORAGE_DB_VOLUMES_H

#include "storage/db_segments.h"

/* Finds or makes the volume of this marker, and remembers where it is. */
int db_volume_put(struct db *db, const char *uuid, const char *path, int64_t *out_key,
                  struct err *err);
/* The volume of this marker and the path where it was last; ERR_NOT_FOUND. */
int db_volume_of(struct db *db, const char *uuid, int64_t *out_key, char *path, size_t cap,
                 struct err *err);
/* ERR_NOT_FOUND when no volume was ever at this path. */
int db_volume_find(struct db *db, const char *path, int64_t *out_key, struct err *err);

/* Of one volume, without its oldest; by its path when key is 0. Zeros when it is not known. */
int db_volume_totals(struct db *db, int64_t key, const char *path, struct segment_totals *out,
                     struct err *err);

#endif
