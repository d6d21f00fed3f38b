/* Shared by the tests of server/: cmocka, and a folder that goes away. */
#ifndef UNIT_SERVER_UNIT_H
#define UNIT_SERVER_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>

#include "base/mem.h"

static inline int unit_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline char *unit_folder(void)
{
    char *path = xstrdup("/tmp/rookery-unit-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void unit_folder_remove(char **path)
{
    nftw(*path, unit_remove, 8, FTW_DEPTH | FTW_PHYS);
    FREE(path);
}

static inline void unit_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

#endif
