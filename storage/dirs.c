#include "storage/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/str.h"

enum { PATH_BYTES = 4096, DIR_MODE = 0750 };

/* path is cut at each '/' in turn and restored. */
static int make_levels(int dirfd, char *path, struct err *err)
{
    char *end = path[0] == '/' ? path + 1 : path;
    while ((end = strchr(end, '/')) != NULL) {
        *end = '\0';
        if (mkdirat(dirfd, path, DIR_MODE) < 0 && errno != EEXIST)
            return err_set(err, -errno, "create directory %s", path);
        *end++ = '/';
    }
    return 0;
}

int dirs_make(const char *path, struct err *err)
{
    char copy[PATH_BYTES];
    if (snprintf(copy, sizeof copy, "%s/", path) >= (int)sizeof copy)
        return err_set(err, -ENAMETOOLONG, "create directory %s", path);
    return make_levels(AT_FDCWD, copy, err);
}

int dirs_make_parents_at(int dirfd, const char *path, struct err *err)
{
    char copy[PATH_BYTES];
    if (!str_copy(copy, sizeof copy, path))
        return err_set(err, -ENAMETOOLONG, "create directory of %s", path);
    return make_levels(dirfd, copy, err);
}
