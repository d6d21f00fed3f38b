/* Recognising a volume: a marker file says which one it is, so that a wrong or missing disk is
 * noticed instead of filling the directory it should be mounted on. */
#include "storage/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/db_volumes.h"
#include "storage/dirs.h"
#include "storage/writer_end.h"

static const char marker_name[] = ".rookery-volume";
static const char marker_head[] = "rookery volume 1\nuuid ";
enum { UUID_BYTES = 16, UUID_CHARS = VOLUME_UUID_CHARS };

struct volume_job {
    const char *uuid, *path;
    int64_t key;
    char old_path[512]; /* where it was; empty = it is new */
};

/* What the catalogue knows of this marker and this path. */
static int identify(struct db *db, struct volume_job *job, struct err *err)
{
    int64_t other;
    int rc = db_volume_of(db, job->uuid, &job->key, job->old_path, sizeof job->old_path, err);
    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = db_volume_find(db, job->path, &other, err);
    return rc == 0 ? ERR_CONFLICT : rc == ERR_NOT_FOUND ? 0 : rc;
}

static int job_put(struct db *db, void *ctx, struct err *err)
{
    struct volume_job *job = ctx;
    int rc = identify(db, job, err);
    return rc < 0 ? rc : db_volume_put(db, job->uuid, job->path, &job->key, err);
}

static int job_identify(struct db *db, void *ctx, struct err *err)
{
    return identify(db, ctx, err);
}

static int job_find(struct db *db, void *ctx, struct err *err)
{
    struct volume_job *job = ctx;
    return db_volume_find(db, job->path, &job->key, err);
}

static bool is_known(struct volume *v)
{
    struct volume_job job = {.path = v->path};
    return catalogue_read(v->catalogue, job_find, &job, NULL) == 0;
}

/* Files that the system puts in a fresh file system do not count. */
static bool is_empty(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    bool is_clean = dir != NULL;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (const struct dirent *e; is_clean && (e = readdir(dir)) != NULL;)
        is_clean = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                   strcmp(e->d_name, "lost+found") == 0 || str_starts(e->d_name, ".rookery-");
    closedir(dir);
    return is_clean;
}

/* Complete under its name or not there at all. */
static int make_marker(struct volume *v)
{
    static const char temp_name[] = ".rookery-volume.new";
    uint8_t id[UUID_BYTES];
    char hex[UUID_CHARS], text[80];
    if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
        return -EIO;
    hex_encode(id, sizeof id, hex);
    int n = snprintf(text, sizeof text, "%s%s\n", marker_head, hex);
    struct iovec iov = {.iov_base = text, .iov_len = (size_t)n};
    unlinkat(v->dirfd, temp_name, 0);
    int fd = v->io->create(v->io, v->dirfd, temp_name);
    if (fd < 0)
        return fd;
    int rc = v->io->write(v->io, fd, &iov, 1, 0);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    close(fd);
    if (rc == 0 && renameat(v->dirfd, temp_name, v->dirfd, marker_name) < 0)
        rc = -errno;
    if (rc == 0 && fsync(v->dirfd) < 0)
        rc = -errno;
    return rc;
}

/* The id in the marker; ERR_NOT_FOUND without one. Locks it unless the volume is only read. */
static int read_marker(const struct volume *v, int dirfd, int *out_fd, char uuid[UUID_CHARS])
{
    char text[128];
    *out_fd = openat(dirfd, marker_name, O_RDONLY | O_CLOEXEC);
    if (*out_fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : -errno;
    if (!v->is_reader && flock(*out_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? ERR_BUSY : -errno;
    ssize_t n = pread(*out_fd, text, sizeof text - 1, 0);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    size_t head = sizeof marker_head - 1;
    if (!str_starts(text, marker_head) || (size_t)n < head + UUID_CHARS - 1)
        return ERR_PARSE;
    str_copy(uuid, UUID_CHARS, text + head);
    return 0;
}

static int open_dir(struct volume *v)
{
    v->dirfd = open(v->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (v->dirfd < 0 && errno == ENOENT) {
        if (v->is_reader || is_known(v))
            return ERR_NOT_FOUND;
        int rc = dirs_make(v->path, NULL);
        if (rc < 0)
            return rc;
        v->dirfd = open(v->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return v->dirfd < 0 ? -errno : 0;
}

static int mount_marker(struct volume *v)
{
    char *uuid = v->uuid;
    int rc = open_dir(v);
    if (rc == 0)
        rc = read_marker(v, v->dirfd, &v->marker_fd, uuid);
    if (rc != ERR_NOT_FOUND || v->dirfd < 0 || v->is_reader)
        return rc;
    if (is_known(v))
        return ERR_NOT_FOUND;
    if (!is_empty(v->dirfd))
        return ERR_FORBIDDEN;
    rc = make_marker(v);
    return rc < 0 ? rc : read_marker(v, v->dirfd, &v->marker_fd, uuid);
}

/* Two directories with one marker: a copy beside its original. Which of them a row means cannot be
 * told, so the second is not used. */
static bool is_doubled(const struct volume *v, int64_t key)
{
    for (size_t i = 0; i < STORAGE_MAX_VOLUMES && v->siblings[i] != NULL; i++)
        if (v->siblings[i] != v && atomic_load(&v->siblings[i]->key) == key)
            return true;
    return false;
}

/* Learns the key. ERR_CONFLICT: this disk is not the one that is known here. */
static int learn_key(struct volume *v)
{
    struct volume_job job = {.uuid = v->uuid, .path = v->path};
    struct err err = {0};
    int rc = catalogue_read(v->catalogue, job_identify, &job, &err);
    /* one that is where it was needs no row, so that a full disk of the catalogue is no obstacle */
    if (rc == 0 && !v->is_reader && (job.key == 0 || strcmp(job.old_path, v->path) != 0))
        rc = catalogue_write(v->catalogue, job_put, &job, &err);
    if (rc < 0 && rc != ERR_CONFLICT)
        log_error(v->path, "%s", err.msg);
    if (rc < 0)
        return rc;
    if (job.key == 0) /* a reader registers nothing */
        return ERR_NOT_FOUND;
    if (is_doubled(v, job.key))
        return ERR_BUSY;
    atomic_store(&v->key, job.key);
    if (is_doubled(v, job.key)) { /* both were tried in one moment: neither */
        atomic_store(&v->key, 0);
        return ERR_BUSY;
    }
    if (job.old_path[0] != '\0' && strcmp(job.old_path, v->path) != 0)
        log_warn(v->path, "volume %.8s was at %s before", v->uuid, job.old_path);
    return 0;
}

void volume__mount(struct volume *v)
{
    int rc = mount_marker(v);
    if (rc == 0)
        rc = learn_key(v);
    if (rc < 0) {
        if (v->marker_fd >= 0)
            close(v->marker_fd);
        if (v->dirfd >= 0)
            close(v->dirfd);
        v->marker_fd = v->dirfd = -1;
    }
    enum volume_fault fault = rc == 0               ? VOLUME_OK
                              : rc == ERR_NOT_FOUND ? VOLUME_MISSING
                              : rc == ERR_CONFLICT  ? VOLUME_SWAPPED
                              : rc == ERR_FORBIDDEN ? VOLUME_FOREIGN
                              : rc == ERR_BUSY      ? VOLUME_TAKEN
                                                    : VOLUME_FAILED;
    volume__set_fault(v, fault, rc);
}

/* Below a file there is nothing: whatever is tried there fails, and not with ENOENT, which would
 * say that a recording is gone. */
static void let_go(struct volume *v)
{
    int nowhere = open("/dev/null", O_PATH | O_CLOEXEC);
    if (nowhere < 0)
        return;
    if (dup3(nowhere, v->dirfd, O_CLOEXEC) >= 0) {
        atomic_store(&v->is_let_go, true);
        close(v->marker_fd);
        v->marker_fd = -1;
        writer__disk_gone(v);
        log_warn(v->path, "volume is let go until it works: it can be unmounted and repaired");
    }
    close(nowhere);
}

static bool take_over(struct volume *v, int dirfd, int marker_fd)
{
    if (volume__try_file(v, dirfd) < 0 || dup3(dirfd, v->dirfd, O_CLOEXEC) < 0)
        return false;
    if (v->marker_fd >= 0)
        close(v->marker_fd);
    v->marker_fd = marker_fd;
    atomic_store(&v->is_let_go, false);
    writer__disk_replaced(v);
    log_info(v->path, "volume is back");
    return true;
}

void volume__remount(struct volume *v)
{
    char uuid[UUID_CHARS] = "";
    int marker_fd = -1;
    bool is_back = false;
    int fd = open(v->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : read_marker(v, fd, &marker_fd, uuid);
    if (rc == 0 && strcmp(uuid, v->uuid) != 0)
        volume__set_fault(v, VOLUME_SWAPPED, ERR_CONFLICT);
    else if (rc == 0)
        is_back = take_over(v, fd, marker_fd);
    if (marker_fd >= 0 && !is_back)
        close(marker_fd);
    if (fd >= 0)
        close(fd);
    /* while the old disk is there and can be read, its marker is locked by ourselves */
    bool is_readable = rc == ERR_BUSY || rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;
    if (!is_back && !is_readable && !atomic_load(&v->is_let_go))
        let_go(v);
}
