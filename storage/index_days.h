/* Which days of which streams there are to look at: those with a directory on a mounted volume, and
 * those that have rows but no directory any more.
 *
 * Thread: the caller's, blocks. */
#ifndef STORAGE_INDEX_DAYS_H
#define STORAGE_INDEX_DAYS_H

#include "storage/index_day.h"

struct index_days {
    struct storage *storage;
    /* Takes the day over. < 0 ends the search. */
    int (*day)(void *ctx, struct index_day *day);
    /* A file of video whose place is no segment's. */
    void (*stray)(void *ctx, const char *path);
    void *ctx;
};

/* Every day once; < 0: what cannot be read, or what `day` returned, err as it left it. */
int index_days_find(const struct index_days *d, struct err *err);

#endif
