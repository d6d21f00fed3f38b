/* Directories as one would want them from the system. Thread: any; blocks. */
#ifndef STORAGE_DIRS_H
#define STORAGE_DIRS_H

#include "base/err.h"

/* The directory and what is missing above it, mode 0750. */
int dirs_make(const char *path, struct err *err);

/* What is missing above a relative path, below an open directory. */
int dirs_make_parents_at(int dirfd, const char *path, struct err *err);

#endif
