#include "storage/index_day.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/str.h"
#include "storage/db_check.h"
#include "storage/list.h"
#include "storage/repair.h"
#include "storage/storage_priv.h"

/* Rounding of clocks to ticks, where one segment follows another. */
#define ADJACENT_US INT64_C(1000)

struct day_file {
    struct segment_id id; /* of the name: milliseconds */
    const struct volume *volume;
    int64_t bytes;
};

struct work {
    struct index_day *day;
    struct day_file *files;
    size_t n_files;
    struct segment_row *rows; /* in front of the day, too */
    size_t n_rows;
    struct segment_row *open; /* unsettled */
    size_t n_open;
};

/* --- life --- */

struct index_day *index_day_create(struct storage *s, const char *camera_id,
                                   enum stream_kind stream, int64_t from_us)
{
    struct index_day *day = xcalloc(1, sizeof *day);
    day->storage = s;
    day->stream = stream;
    day->from_us = from_us;
    str_copy(day->camera_id, sizeof day->camera_id, camera_id);
    return day;
}

void index_day_destroy(struct index_day **dp)
{
    struct index_day *day = *dp;
    if (day == NULL)
        return;
    for (size_t i = 0; i < day->n_problems; i++) {
        free(day->problems[i].path);
        free(day->problems[i].what);
    }
    free(day->problems);
    free(day->rows);
    FREE(dp);
}

__attribute__((format(printf, 3, 4))) static void
note_problem(struct index_day *day, const char *path, const char *fmt, ...)
{
    char text[ERR_MSG_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    day->problems = list_room(day->problems, day->n_problems, sizeof *day->problems);
    day->problems[day->n_problems++] = (struct index_problem){xstrdup(path), xstrdup(text)};
}

void index_day_path(const struct index_day *day, char dst[SEGMENT_PATH_BYTES])
{
    struct segment_id id = {.stream = day->stream, .from_us = day->from_us};
    str_copy(id.camera_id, sizeof id.camera_id, day->camera_id);
    segment_path(&id, dst);
    *strrchr(dst, '/') = '\0';
}

/* --- files --- */

static void take_file(struct work *w, const struct volume *v, const char *dir, const char *name,
                      const struct stat *st)
{
    char path[SEGMENT_PATH_BYTES + 256];
    struct day_file f = {.volume = v, .bytes = st->st_size};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (segment_path_parse(path, &f.id) < 0) {
        if (str_ends(name, ".mp4")) {
            w->day->report.n_bad_files++;
            note_problem(w->day, path, "is no name of a segment");
        }
        return;
    }
    w->day->report.n_files++;
    w->files = list_room(w->files, w->n_files, sizeof *w->files);
    w->files[w->n_files++] = f;
}

static int list_volume(struct work *w, const struct volume *v)
{
    char path[SEGMENT_PATH_BYTES];
    index_day_path(w->day, path);
    int fd = openat(v->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_set(&w->day->err, -errno, "open directory %s", path);
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return err_set(&w->day->err, -ENOMEM, "open directory %s", path);
    }
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct stat st;
        if (e->d_name[0] != '.' && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            take_file(w, v, path, e->d_name, &st);
    }
    closedir(dir);
    return 0;
}

static int by_name(const void *pa, const void *pb)
{
    const struct day_file *a = pa, *b = pb;
    if (a->id.from_us != b->id.from_us)
        return a->id.from_us < b->id.from_us ? -1 : 1;
    return (a->id.n > b->id.n) - (a->id.n < b->id.n);
}

static int list_files(struct work *w)
{
    const struct storage *s = w->day->storage;
    int rc = 0;
    for (size_t i = 0; i < s->n_volumes && rc >= 0; i++)
        if (atomic_load(&s->volumes[i]->key) != 0)
            rc = list_volume(w, s->volumes[i]);
    if (w->n_files > 0)
        qsort(w->files, w->n_files, sizeof *w->files, by_name);
    return rc;
}

/* --- rows --- */

static int add_row(void *ctx, const struct segment_row *row)
{
    struct work *w = ctx;
    w->rows = list_room(w->rows, w->n_rows, sizeof *w->rows);
    w->rows[w->n_rows++] = *row;
    return 0;
}

static int add_open(void *ctx, const struct segment_row *row)
{
    struct work *w = ctx;
    w->open = list_room(w->open, w->n_open, sizeof *w->open);
    w->open[w->n_open++] = *row;
    return 0;
}

/* In one snapshot, later than the files were listed: a file that was there has one of the two. */
static int job_rows(struct db *db, void *ctx, struct err *err)
{
    struct work *w = ctx;
    const struct index_day *d = w->day;
    int rc = db_check_day(db, d->camera_id, d->stream, d->from_us, d->from_us + US_PER_DAY, add_row,
                          w, err);
    return rc < 0 ? rc : db_check_unsettled(db, d->camera_id, d->stream, add_open, w, err);
}

static bool is_same_name(const struct segment_id *a, const struct segment_id *b)
{
    return a->n == b->n && a->from_us / 1000 == b->from_us / 1000;
}

static bool is_unsettled(const struct work *w, const struct segment_id *id)
{
    for (size_t i = 0; i < w->n_open; i++)
        if (is_same_name(&w->open[i].id, id))
            return true;
    return false;
}

static void work_fini(struct work *w)
{
    free(w->files);
    free(w->rows);
    free(w->open);
}

/* --- one row and its file --- */

/* A file that a full disk left without its end tells by its pictures' own times where it ends, and
 * no reason. */
static bool is_equal(const struct segment_row *row, const struct segment_row *seen)
{
    bool has_end = seen->ended != SEGMENT_START;
    int64_t off_us = llabs(seen->to_us - row->to_us);
    return seen->bytes == row->bytes && seen->id.from_us == row->id.from_us &&
           seen->frames == row->frames && seen->lost_packets == row->lost_packets &&
           seen->holes.n == row->holes.n &&
           (has_end ? off_us == 0 && seen->ended == row->ended : off_us < US_PER_S);
}

/* What is to be said of one file that has a row; NULL = nothing. */
static const char *check_file(const struct index_day *day, const struct volume *v,
                              const struct segment_row *row, struct err *problem)
{
    char path[SEGMENT_PATH_BYTES];
    struct segment_row seen = *row;
    if (inspect_segment(v->dirfd, segment_path(&row->id, path), day->is_deep, &seen, problem) < 0)
        return problem->msg;
    return is_equal(row, &seen) ? NULL : "differs from the index";
}

static int job_again(struct db *db, void *ctx, struct err *err)
{
    struct segment_row *row = ctx;
    (void)err;
    int rc = db_segment_get(db, &row->id, row, NULL);
    return rc == ERR_NOT_FOUND ? db_segment_is_unsettled(db, &row->id, NULL) > 0 ? 1 : rc : rc;
}

/* The row as it is now: 0, 1 = there is an unsettled one, or ERR_NOT_FOUND. */
static int look_again(const struct index_day *day, struct segment_row *row)
{
    return catalogue_read(day->storage->catalogue, job_again, row, NULL);
}

static void check_pair(struct index_day *day, const struct volume *v, const struct segment_row *row)
{
    char path[SEGMENT_PATH_BYTES];
    struct err problem = {0};
    struct segment_row now = *row;
    day->report.n_bytes += (uint64_t)row->bytes;
    const char *what = check_file(day, v, row, &problem);
    if (what == NULL)
        return;
    if (look_again(day, &now) != 0)
        return; /* deleted since */
    const struct volume *v_now = storage__volume(day->storage, now.volume);
    what = v_now != NULL ? check_file(day, v_now, &now, &problem) : what;
    if (what == NULL)
        return;
    if (what == problem.msg)
        day->report.n_bad_files++;
    else
        day->report.n_mismatch++;
    note_problem(day, segment_path(&row->id, path), "%s", what);
}

static void check_row_alone(struct index_day *day, const struct segment_row *row)
{
    char path[SEGMENT_PATH_BYTES];
    struct stat st;
    struct segment_row now = *row;
    segment_path(&row->id, path);
    const struct volume *v = storage__volume(day->storage, row->volume);
    if (v == NULL) {
        day->report.n_unreachable++;
        return;
    }
    if (look_again(day, &now) != 0) /* deleted since, or thinned into another */
        return;
    v = storage__volume(day->storage, now.volume);
    if (v != NULL && fstatat(v->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        check_pair(day, v, &now); /* settled since the files were listed */
        return;
    }
    day->report.n_missing++;
    note_problem(day, path, "its file is missing");
}

static void check_file_alone(struct work *w, const struct day_file *f)
{
    char path[SEGMENT_PATH_BYTES];
    struct stat st;
    struct segment_row now = {.id = f->id};
    if (is_unsettled(w, &f->id) || look_again(w->day, &now) > 0)
        return;
    segment_path(&f->id, path);
    if (fstatat(f->volume->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return; /* deleted since */
    const struct volume *v = storage__volume(w->day->storage, now.volume);
    if (v == f->volume) {
        check_pair(w->day, v, &now);
        return;
    }
    w->day->report.n_adopted++;
    note_problem(w->day, path,
                 v != NULL ? "is a second one; the index knows that of %s"
                           : "is not in the index%s",
                 v != NULL ? v->path : "");
}

/* --- one row and those in front of it [storage I5] --- */

static bool is_joined(enum segment_edge edge)
{
    return edge == SEGMENT_ROTATED || edge == SEGMENT_FORMAT || edge == SEGMENT_MOVED;
}

struct deleted_query {
    const struct index_day *day;
    int64_t from_us, to_us;
    bool is_found;
};

static int on_deletion(void *ctx, int64_t from_us, int64_t to_us, const char *why)
{
    struct deleted_query *q = ctx;
    (void)from_us, (void)to_us, (void)why;
    q->is_found = true;
    return 0;
}

static int job_deleted(struct db *db, void *ctx, struct err *err)
{
    struct deleted_query *q = ctx;
    return db_deletions_in(db, q->day->camera_id, q->day->stream, q->from_us, q->to_us, on_deletion,
                           q, err);
}

static bool was_deleted(const struct index_day *day, int64_t from_us, int64_t to_us)
{
    struct deleted_query q = {day, MIN(from_us, to_us), MAX(from_us, to_us) + 1, false};
    catalogue_read(day->storage->catalogue, job_deleted, &q, NULL);
    return q.is_found;
}

/* The disk or the catalogue was slower with it than with the one behind. */
static bool is_open_between(const struct work *w, int64_t from_us, int64_t to_us)
{
    for (size_t i = 0; i < w->n_open; i++)
        if (w->open[i].id.from_us > from_us && w->open[i].id.from_us < to_us)
            return true;
    return false;
}

/* A row that goes on where another ended needs that one; a clock that was set puts others between
 * them. A crash that cuts a file takes what follows it, too: it is newer. So where the segment in
 * front was cut and this one was closed, it was not a crash. A disk that failed and was left may
 * have taken the newest segments with it, whole; that none is taken out by hand the hashes tell. */
static void check_order(struct work *w, size_t i)
{
    char path[SEGMENT_PATH_BYTES];
    const struct segment_row *row = &w->rows[i], *before = i > 0 ? &w->rows[i - 1] : NULL;
    if (!is_joined(row->began) || before == NULL)
        return;
    bool is_cut = before->ended == SEGMENT_CRASH && row->ended != SEGMENT_CRASH;
    if (!is_joined(before->ended) && !is_cut)
        return;
    for (size_t k = i; k-- > 0;)
        if (llabs(w->rows[k].to_us - row->id.from_us) <= ADJACENT_US)
            return;
    if (is_open_between(w, before->id.from_us, row->id.from_us) ||
        was_deleted(w->day, before->to_us, row->id.from_us))
        return;
    int64_t us = row->id.from_us - before->to_us;
    segment_path(&row->id, path);
    if (us > 0 && row->began == SEGMENT_MOVED) {
        w->day->report.n_notes++;
        note_problem(w->day, path,
                     "%lld ms are missing in front of it, where a disk failed and was left",
                     (long long)us / 1000);
        return;
    }
    w->day->report.n_broken++;
    note_problem(w->day, path,
                 us <= 0  ? "overlaps the segment in front by %lld ms"
                 : is_cut ? "%lld ms are missing behind the segment in front, whose end was cut off"
                          : "%lld ms are missing behind the segment in front, which ended by "
                            "rotation",
                 (long long)llabs(us) / 1000);
}

/* --- the day --- */

static int load(struct work *w)
{
    int rc = list_files(w);
    if (rc >= 0)
        rc = catalogue_read(w->day->storage->catalogue, job_rows, w, &w->day->err);
    return rc;
}

void index_day_check(struct index_day *day)
{
    struct work w = {.day = day};
    day->rc = load(&w);
    size_t f = 0;
    for (size_t i = 0; i < w.n_rows && day->rc >= 0; i++) {
        const struct segment_row *row = &w.rows[i];
        if (row->id.from_us < day->from_us)
            continue;
        day->report.n_segments++;
        struct day_file key = {.id = row->id};
        key.id.from_us = row->id.from_us / 1000 * 1000;
        while (f < w.n_files && by_name(&w.files[f], &key) < 0)
            check_file_alone(&w, &w.files[f++]);
        bool has_file = false;
        for (; f < w.n_files && by_name(&w.files[f], &key) == 0; f++) {
            bool is_its = atomic_load(&w.files[f].volume->key) == row->volume;
            has_file |= is_its;
            if (is_its)
                check_pair(day, w.files[f].volume, row);
            else
                check_file_alone(&w, &w.files[f]);
        }
        if (!has_file)
            check_row_alone(day, row);
        check_order(&w, i);
    }
    while (f < w.n_files && day->rc >= 0)
        check_file_alone(&w, &w.files[f++]);
    work_fini(&w);
}

/* The row that a file tells, in the place of what the name says. */
static void read_file(struct index_day *day, const struct day_file *f)
{
    char path[SEGMENT_PATH_BYTES];
    struct err problem = {0};
    struct segment_row row = {.id = f->id, .began = SEGMENT_START};
    row.volume = atomic_load(&f->volume->key);
    row.id.from_us = 0; /* the file knows the microseconds */
    segment_path(&f->id, path);
    int rc = inspect_segment(f->volume->dirfd, path, day->is_deep, &row, &problem);
    if (rc < 0)
        rc = repair_segment(f->volume->dirfd, path, f->volume->chain, true, &row, &problem);
    else
        inspect_chain(f->volume->dirfd, path, &row);
    if (rc < 0) {
        day->report.n_bad_files++;
        note_problem(day, path, "%s",
                     rc == ERR_NOT_FOUND ? "no whole fragment: removed" : problem.msg);
        return;
    }
    if (row.id.from_us / 1000 != f->id.from_us / 1000)
        row.id.from_us = f->id.from_us;
    day->report.n_adopted++;
    day->report.n_bytes += (uint64_t)row.bytes;
    day->rows = list_room(day->rows, day->n_rows, sizeof *day->rows);
    day->rows[day->n_rows++] = row;
}

void index_day_read(struct index_day *day)
{
    struct work w = {.day = day};
    day->rc = load(&w);
    for (size_t i = 0; i < w.n_files && day->rc >= 0; i++)
        if (!is_unsettled(&w, &w.files[i].id)) /* doomed, and its volume was away */
            read_file(day, &w.files[i]);
    work_fini(&w);
}
