/* Files that are neither finished nor gone, as `rookery index check` tells them: written by a
 * server that runs, or left by one that was killed.
 *
 * Thread: the caller's, blocks. */
#ifndef STORAGE_INDEX_UNSETTLED_H
#define STORAGE_INDEX_UNSETTLED_H

#include "storage/storage.h"

/* Counts all of them into the report and names the first INDEX_NAMED_MAX that the next start is to
 * settle. */
#define INDEX_NAMED_MAX 20
int index_unsettled_check(struct storage *s, index_problem_fn *fn, void *ctx,
                          struct index_report *report, struct err *err);

#endif
