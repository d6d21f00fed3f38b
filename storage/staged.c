#include "storage/staged.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "storage/dirs.h"

enum { PATH_BYTES = 4096, NAME_BYTES = 128 };

static const char waiting_name[] = "restore", new_name[] = "restore.new";
static const char aside_name[] = "aside"; /* a file: the name of the directory for the old files */

/* --- small things that sync --- */

static int sync_at(int dirfd, const char *path, int flags)
{
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);
    if (fd < 0)
        return -errno;
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

typedef int entry_fn(int dirfd, const char *name, void *ctx);

/* Every name in a directory but . and ..; a directory that is not there has none. */
static int each_entry(int dirfd, const char *path, entry_fn *fn, void *ctx)
{
    int rc = 0;
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        rc = errno == ENOENT ? 0 : -errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    for (const struct dirent *e; rc >= 0 && (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = fn(fd, e->d_name, ctx);
    closedir(dir);
    return rc;
}

static int remove_entry(int dirfd, const char *name, void *ctx)
{
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    int rc = each_entry(dirfd, name, remove_entry, ctx);
    if (rc >= 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
        rc = -errno;
    return rc;
}

/* ctx: the data directory's struct stat. What root puts there must belong to the server's user. */
static int sync_entry(int dirfd, const char *name, void *ctx)
{
    struct stat st;
    const struct stat *owner = ctx;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (st.st_uid != owner->st_uid &&
        fchownat(dirfd, name, owner->st_uid, owner->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    int rc = S_ISDIR(st.st_mode) ? each_entry(dirfd, name, sync_entry, ctx) : 0;
    return rc < 0 ? rc : sync_at(dirfd, name, S_ISDIR(st.st_mode) ? O_DIRECTORY : 0);
}

static int open_data_dir(const char *data_dir, struct err *err)
{
    int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_set(err, -errno, "open %s", data_dir) : fd;
}

/* --- begin and commit --- */

int staged_begin(const char *data_dir, char *dst, size_t cap, struct err *err)
{
    int rc = dirs_make(data_dir, err);
    int fd = rc == 0 ? open_data_dir(data_dir, err) : rc;
    if (fd < 0)
        return fd;
    rc = remove_entry(fd, new_name, NULL);
    if (rc == 0 && mkdirat(fd, new_name, 0700) < 0)
        rc = -errno;
    close(fd);
    snprintf(dst, cap, "%s/%s", data_dir, new_name);
    return rc < 0 ? err_set(err, rc, "create %s", dst) : 0;
}

static int write_aside(int dirfd, const char *aside)
{
    int fd = openat(dirfd, aside_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = write(fd, aside, strlen(aside)) == (ssize_t)strlen(aside) ? 0 : -EIO;
    close(fd);
    return rc;
}

int staged_commit(const char *data_dir, const char *aside, struct err *err)
{
    int fd = open_data_dir(data_dir, err);
    if (fd < 0)
        return fd;
    struct stat owner = {0};
    int dir = openat(fd, new_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = dir < 0 || fstat(fd, &owner) < 0 ? -errno : write_aside(dir, aside);
    if (dir >= 0)
        close(dir);
    if (rc == 0)
        rc = sync_entry(fd, new_name, &owner);
    if (rc == 0)
        rc = remove_entry(fd, waiting_name, NULL);
    if (rc == 0 && renameat(fd, new_name, fd, waiting_name) < 0)
        rc = -errno;
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    close(fd);
    return rc < 0 ? err_set(err, rc, "put %s/%s in place", data_dir, waiting_name) : 0;
}

bool staged_is_waiting(const char *data_dir)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", data_dir, waiting_name);
    return access(path, F_OK) == 0;
}

void staged_discard(const char *data_dir)
{
    int fd = open_data_dir(data_dir, NULL);
    if (fd < 0)
        return;
    remove_entry(fd, waiting_name, NULL);
    remove_entry(fd, new_name, NULL);
    close(fd);
}

/* --- apply --- */

struct move {
    int data, staged, aside; /* directories */
};

static int rename_if_there(int from, const char *name, int to)
{
    return renameat(from, name, to, name) == 0 || errno == ENOENT ? 0 : -errno;
}

static bool is_there(int dirfd, const char *name)
{
    return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* While the new one waits, what is called catalog.db is the old one, with its log. */
static int move_catalogue(const struct move *m)
{
    static const char *const old[] = {"catalog.db-wal", "catalog.db-shm", "catalog.db"};
    if (!is_there(m->staged, "catalog.db"))
        return 0;
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(old) && rc == 0; i++)
        rc = rename_if_there(m->data, old[i], m->aside);
    if (rc == 0 && (fsync(m->aside) < 0 || fsync(m->data) < 0))
        rc = -errno;
    return rc < 0 ? rc : rename_if_there(m->staged, "catalog.db", m->data);
}

static int move_key(int dirfd, const char *name, void *ctx)
{
    const struct move *keys = ctx;
    (void)dirfd;
    int rc = rename_if_there(keys->data, name, keys->aside);
    return rc < 0 ? rc : rename_if_there(keys->staged, name, keys->data);
}

static int open_keys(int dirfd, int *out)
{
    if (mkdirat(dirfd, "keys", 0700) < 0 && errno != EEXIST)
        return -errno;
    *out = openat(dirfd, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *out < 0 ? -errno : 0;
}

static int move_keys(const struct move *m)
{
    struct move keys = {-1, -1, -1};
    if (!is_there(m->staged, "keys"))
        return 0;
    int rc = open_keys(m->data, &keys.data);
    if (rc == 0)
        rc = open_keys(m->staged, &keys.staged);
    if (rc == 0)
        rc = open_keys(m->aside, &keys.aside);
    if (rc == 0)
        rc = each_entry(m->staged, "keys", move_key, &keys);
    if (rc == 0 && (fsync(keys.data) < 0 || fsync(keys.aside) < 0))
        rc = -errno;
    const int fds[] = {keys.data, keys.staged, keys.aside};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return rc;
}

static int move_all(struct move *m, const char *aside)
{
    if (mkdirat(m->data, aside, 0700) < 0 && errno != EEXIST)
        return -errno;
    m->aside = openat(m->data, aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int rc = m->aside < 0 ? -errno : move_catalogue(m);
    if (rc == 0)
        rc = move_keys(m);
    if (rc == 0 && (fsync(m->aside) < 0 || fsync(m->data) < 0))
        rc = -errno;
    return rc;
}

static int read_aside(int dirfd, char name[NAME_BYTES])
{
    int fd = openat(dirfd, aside_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, name, NAME_BYTES - 1);
    int rc = n < 0 ? -errno : 0;
    close(fd);
    name[n > 0 ? n : 0] = '\0';
    return rc == 0 && (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL) ? ERR_PARSE
                                                                                       : rc;
}

bool staged_is_begun(const char *data_dir)
{
    char aside[NAME_BYTES] = "";
    int fd = open_data_dir(data_dir, NULL);
    int staged =
        fd < 0 ? -1 : openat(fd, waiting_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    bool is_begun = staged >= 0 && read_aside(staged, aside) == 0 && is_there(fd, aside);
    if (staged >= 0)
        close(staged);
    if (fd >= 0)
        close(fd);
    return is_begun;
}

int staged_apply(const char *data_dir, char *out_aside, size_t cap, struct err *err)
{
    char aside[NAME_BYTES] = "";
    struct move m = {-1, -1, -1};
    if (!staged_is_waiting(data_dir))
        return 0;
    int rc = m.data = open_data_dir(data_dir, err);
    if (rc < 0)
        return rc;
    m.staged = openat(m.data, waiting_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    rc = m.staged < 0 ? -errno : read_aside(m.staged, aside);
    if (rc == 0)
        rc = move_all(&m, aside);
    else if (rc == -ENOENT && !is_there(m.staged, "catalog.db"))
        rc = 0; /* it was over but for this directory */
    if (rc == 0)
        rc = remove_entry(m.data, waiting_name, NULL);
    const int fds[] = {m.data, m.staged, m.aside};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    snprintf(out_aside, cap, "%s/%s", data_dir, aside);
    return rc < 0 ? err_set(err, rc, "take over %s/%s", data_dir, waiting_name) : 1;
}
