#include "storage/data_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/str.h"

enum { PATH_BYTES = 4096 };

static int busy(int fd, const char *data_dir, struct err *err)
{
    char pid[32] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
    return err_text(err, ERR_BUSY,
                    "another Rookery server (process %s) uses %s: stop it, or give this one "
                    "another data_dir",
                    pid[0] != '\0' ? pid : "unknown", data_dir);
}

int data_lock_take(const char *data_dir, struct err *err)
{
    char path[PATH_BYTES], pid[32];
    snprintf(path, sizeof path, "%s/lock", data_dir);
    int rc = 0, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_set(err, -errno, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        rc = errno == EWOULDBLOCK ? busy(fd, data_dir, err) : err_set(err, -errno, "lock %s", path);
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (rc == 0 && (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n))
        rc = err_set(err, -errno, "write %s", path);
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

bool data_lock_is_taken(const char *data_dir)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/lock", data_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_taken = flock(fd, LOCK_SH | LOCK_NB) < 0;
    close(fd);
    return is_taken;
}
