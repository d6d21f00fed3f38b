/* Files and rows of everything, day after day of every stream: compared, or the rows made again
 * from the files. Several days are at work at once; the rows of many go into one transaction.
 *
 * Thread: the caller's, where fn is called too; blocks. */
#ifndef STORAGE_INDEX_WALK_H
#define STORAGE_INDEX_WALK_H

#include "storage/storage.h"

struct index_walk {
    struct storage *storage;
    bool is_rebuild; /* else it compares */
    bool is_deep;
    index_problem_fn *fn; /* may be NULL */
    void *ctx;
    struct index_report *report; /* added to */
};

/* < 0: the first failure; what was found until then is reported. */
int index_walk_run(const struct index_walk *walk, struct err *err);

/* Tells who asked. */
void index_walk_tell(const struct index_walk *walk, const char *path, const char *what);

#endif
