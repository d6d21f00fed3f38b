#include "files.h"

#include <dirent.h>

#include "base/mem.h"
#include "base/str.h"

static void find(const char *dir, const char *ending, struct files *out)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    if (!d)
        return;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.' || out->n >= FILES_MAX)
            continue;
        char *path = xasprintf("%s/%s", dir, e->d_name);
        if (str_ends(path, ending)) {
            out->list = xrealloc(out->list, (out->n + 1) * sizeof *out->list);
            out->list[out->n++] = path;
            continue;
        }
        find(path, ending, out);
        free(path);
    }
    closedir(d);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void files_find(const char *dir, const char *ending, struct files *out)
{
    find(dir, ending, out);
    if (out->n > 0)
        qsort(out->list, out->n, sizeof *out->list, by_name);
}

void files_free(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->list[i]);
    free(f->list);
    *f = (struct files){0};
}
