#include "storage/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/str.h"

enum { PATH_BYTES = 4096, DIR_MODE = 0750 };

int dirs_sync_at(int dirfd, const char *path)
{
    int fd = openat(dirfd, path[0] != '\0' ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

/* path is cut at each '/' in turn and restored. */
static int make_levels(int dirfd, char *path, bool is_synced, struct err *err)
{
    char *end = path[0] == '/' ? path + 1 : path;
    while ((end = strchr(end, '/')) != NULL) {
        *end = '\0';
        int rc = mkdirat(dirfd, path, DIR_MODE) < 0 ? -errno : 0;
        if (rc < 0 && rc != -EEXIST)
            return err_set(err, rc, "create directory %s", path);
        if (rc == 0 && is_synced) {
            char *cut = strrchr(path, '/');
            if (cut != NULL)
                *cut = '\0';
            rc = dirs_sync_at(dirfd, cut != NULL ? path : "");
            if (cut != NULL)
                *cut = '/';
            if (rc < 0)
                return err_set(err, rc, "sync directory above %s", path);
        }
        *end++ = '/';
    }
    return 0;
}

int dirs_make(const char *path, struct err *err)
{
    char copy[PATH_BYTES];
    if (snprintf(copy, sizeof copy, "%s/", path) >= (int)sizeof copy)
        return err_set(err, -ENAMETOOLONG, "create directory %s", path);
    return make_levels(AT_FDCWD, copy, false, err);
}

int dirs_make_parents_at(int dirfd, const char *path, struct err *err)
{
    char copy[PATH_BYTES];
    if (!str_copy(copy, sizeof copy, path))
        return err_set(err, -ENAMETOOLONG, "create directory of %s", path);
    return make_levels(dirfd, copy, true, err);
}
