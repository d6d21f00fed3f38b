#include "storage/index_days.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/str.h"
#include "storage/db_check.h"
#include "storage/list.h"
#include "storage/storage_priv.h"

/* On a volume before the i-th; with i = n_volumes on any. */
static bool has_directory(const struct storage *s, const struct index_day *day, size_t i)
{
    char path[SEGMENT_PATH_BYTES];
    index_day_path(day, path);
    for (size_t k = 0; k < i; k++) {
        const struct volume *v = s->volumes[k];
        if (atomic_load(&v->key) != 0 && faccessat(v->dirfd, path, F_OK, 0) == 0)
            return true;
    }
    return false;
}

/* Unless its directory on a volume before the i-th shows it too. */
static int show(const struct index_days *d, struct index_day *day, size_t i)
{
    if (!has_directory(d->storage, day, i))
        return d->day(d->ctx, day);
    index_day_destroy(&day);
    return 0;
}

/* --- by directories --- */

enum { LEVELS = 5 }; /* camera, stream, year, month, day */

static int visit_day(const struct index_days *d, size_t volume, const char *path)
{
    char name[SEGMENT_PATH_BYTES + 32];
    struct segment_id id;
    snprintf(name, sizeof name, "%s/000000.000-1.mp4", path);
    if (segment_path_parse(name, &id) < 0)
        return 0;
    return show(d, index_day_create(d->storage, id.camera_id, id.stream, id.from_us), volume);
}

/* NULL with an error, or with *rc 0 when it is gone. */
static DIR *open_directory(int dirfd, const char *path, int *rc, struct err *err)
{
    int fd = openat(dirfd, path[0] != '\0' ? path : ".",
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    *rc = dir != NULL || errno == ENOENT ? 0 : err_set(err, -errno, "open directory %s", path);
    if (dir == NULL && fd >= 0)
        close(fd);
    return dir;
}

static int visit(const struct index_days *d, size_t volume, const char *path, int level,
                 struct err *err)
{
    int rc;
    DIR *dir = open_directory(d->storage->volumes[volume]->dirfd, path, &rc, err);
    if (dir == NULL) /* its last day was deleted meanwhile, or rc tells */
        return rc;
    for (const struct dirent *e; rc >= 0 && (e = readdir(dir)) != NULL;) {
        char below[SEGMENT_PATH_BYTES];
        struct stat st;
        if (e->d_name[0] == '.' || strcmp(e->d_name, "lost+found") == 0 ||
            snprintf(below, sizeof below, "%s%s%s", path, path[0] != '\0' ? "/" : "", e->d_name) >=
                (int)sizeof below ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            rc = level == LEVELS - 1 ? visit_day(d, volume, below)
                                     : visit(d, volume, below, level + 1, err);
        else if (str_ends(below, ".mp4"))
            d->stray(d->ctx, below);
    }
    closedir(dir);
    return rc;
}

/* --- by rows: days of which no file is left --- */

struct cameras {
    struct camera_key {
        int64_t key;
        char id[65];
    } * list;
    size_t n;
};

static int add_camera(void *ctx, int64_t key, const char *camera_id, bool is_in_district)
{
    struct cameras *c = ctx;
    (void)is_in_district;
    c->list = list_room(c->list, c->n, sizeof *c->list);
    c->list[c->n].key = key;
    str_copy(c->list[c->n++].id, sizeof c->list[0].id, camera_id);
    return 0;
}

static int job_cameras(struct db *db, void *ctx, struct err *err)
{
    return db_check_cameras(db, add_camera, ctx, err);
}

struct next_day {
    int64_t camera, at_us;
    enum stream_kind stream;
};

static int job_next(struct db *db, void *ctx, struct err *err)
{
    struct next_day *n = ctx;
    return db_check_next(db, n->camera, n->stream, n->at_us, &n->at_us, err);
}

static int visit_rows_of(const struct index_days *d, const struct camera_key *camera,
                         enum stream_kind stream, struct err *err)
{
    struct storage *s = d->storage;
    struct next_day next = {.camera = camera->key, .stream = stream};
    int rc;
    while ((rc = catalogue_read(s->catalogue, job_next, &next, err)) == 1) {
        int64_t from_us = next.at_us - next.at_us % US_PER_DAY;
        rc = show(d, index_day_create(s, camera->id, stream, from_us), s->n_volumes);
        if (rc < 0)
            return rc;
        next.at_us = from_us + US_PER_DAY;
    }
    return rc;
}

static int visit_rows(const struct index_days *d, struct err *err)
{
    struct cameras cameras = {0};
    int rc = catalogue_read(d->storage->catalogue, job_cameras, &cameras, err);
    for (size_t i = 0; i < cameras.n && rc >= 0; i++) {
        rc = visit_rows_of(d, &cameras.list[i], STREAM_MAIN, err);
        if (rc >= 0)
            rc = visit_rows_of(d, &cameras.list[i], STREAM_SUB, err);
    }
    free(cameras.list);
    return rc;
}

int index_days_find(const struct index_days *d, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < d->storage->n_volumes && rc >= 0; i++) {
        if (atomic_load(&d->storage->volumes[i]->key) != 0)
            rc = visit(d, i, "", 0, err);
    }
    return rc < 0 ? rc : visit_rows(d, err);
}
