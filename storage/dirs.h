/* Directories as one would want them from the system. Thread: any; blocks. */
#ifndef STORAGE_DIRS_H
#define STORAGE_DIRS_H

#include "base/err.h"

/* The directory and what is missing above it, mode 0750. */
int dirs_make(const char *path, struct err *err);

/* The same below an open directory, for a relative path; parents only up to the last '/'. New
 * entries are durable when it returns. */
int dirs_make_parents_at(int dirfd, const char *path, struct err *err);

/* Makes the directory's entries durable. */
int dirs_sync_at(int dirfd, const char *path);

#endif
