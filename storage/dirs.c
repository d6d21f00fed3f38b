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

/* The name of a directory stands in the one above. */
static int sync_parents(char *path, struct err *err)
{
    int rc = 0;
    for (char *end; rc == 0 && (end = strrchr(path, '/')) != NULL && end != path;) {
        *end = '\0';
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return errno == EACCES ? 0 : err_set(err, -errno, "open directory %s", path);
        if (fsync(fd) < 0 && errno != EINVAL)
            rc = err_set(err, -errno, "sync directory %s", path);
        close(fd);
    }
    return rc;
}

int dirs_make(const char *path, struct err *err)
{
    char copy[PATH_BYTES];
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    if (snprintf(copy, sizeof copy, "%s/", path) >= (int)sizeof copy)
        return err_set(err, -ENAMETOOLONG, "create directory %s", path);
    int rc = make_levels(AT_FDCWD, copy, err);
    if (rc < 0)
        return rc;
    copy[strlen(path)] = '\0';
    return sync_parents(copy, err);
}

int dirs_make_parents_at(int dirfd, const char *path, struct err *err)
{
    char copy[PATH_BYTES];
    if (!str_copy(copy, sizeof copy, path))
        return err_set(err, -ENAMETOOLONG, "create directory of %s", path);
    return make_levels(dirfd, copy, err);
}
