/* The files below a directory. Thread: any, one at a time per list. */
#ifndef BENCH_FILES_H
#define BENCH_FILES_H

#include <stddef.h>

#define FILES_MAX 100000

struct files {
    char **list; /* by name */
    size_t n;
};

/* Adds those whose name ends so, and sorts. */
void files_find(const char *dir, const char *ending, struct files *out);
void files_free(struct files *f);

#endif
