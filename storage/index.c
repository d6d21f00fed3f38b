/* `rookery index check` and `rebuild`: the files and the rows, compared or made again. Blocks;
 * nothing may be recording in these volumes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/str.h"
#include "storage/chain_check.h"
#include "storage/db_segments.h"
#include "storage/repair.h"
#include "storage/storage_priv.h"

enum { BATCH_ROWS = 1000, MAX_DEPTH = 6 };

struct walk {
    struct storage *storage;
    struct volume *volume;
    bool is_rebuild, is_deep;
    index_problem_fn *fn;
    void *ctx;
    struct index_report *report;
    struct segment_row *batch; /* rebuild: rows to be inserted */
    size_t n_batch;
    struct segment_row after; /* check: the page of rows goes on here */
    struct segment_row *page; /* deep: to be read when the snapshot is over */
    size_t n_page;
};

static void tell(const struct walk *w, const char *path, const char *what)
{
    if (w->fn != NULL)
        w->fn(w->ctx, path, what);
}

/* --- rows --- */

static int job_insert(struct db *db, void *ctx, struct err *err)
{
    struct walk *w = ctx;
    int rc = 0;
    for (size_t i = 0; i < w->n_batch && rc == 0; i++)
        rc = db_segment_finish(db, &w->batch[i], err);
    return rc;
}

static int flush(struct walk *w, struct err *err)
{
    int rc = w->n_batch > 0 ? catalogue_write(w->storage->catalogue, job_insert, w, err) : 0;
    w->n_batch = 0;
    return rc;
}

static int job_get(struct db *db, void *ctx, struct err *err)
{
    struct segment_row *row = ctx;
    (void)err;
    return db_segment_get(db, &row->id, row, NULL);
}

/* --- files to rows --- */

static int adopt(struct walk *w, const char *path, struct segment_row *row, struct err *err)
{
    struct err problem = {0};
    int64_t named_us = row->id.from_us;
    row->volume = atomic_load(&w->volume->key);
    row->id.from_us = 0; /* the file knows the microseconds */
    int rc = inspect_segment(w->volume->dirfd, path, w->is_deep, row, &problem);
    if (rc < 0)
        rc = repair_segment(w->volume->dirfd, path, w->volume->chain, row, &problem);
    else
        inspect_chain(w->volume->dirfd, path, row);
    if (rc < 0) {
        w->report->n_bad_files++;
        tell(w, path, rc == ERR_NOT_FOUND ? "no whole fragment: removed" : problem.msg);
        return 0;
    }
    if (row->id.from_us / 1000 != named_us / 1000)
        row->id.from_us = named_us;
    w->report->n_adopted++;
    w->report->n_bytes += (uint64_t)row->bytes;
    w->batch[w->n_batch++] = *row;
    return w->n_batch == BATCH_ROWS ? flush(w, err) : 0;
}

/* A server beside us is writing it, or has yet to look at it. */
static int job_is_unsettled(struct db *db, void *ctx, struct err *err)
{
    const struct segment_row *row = ctx;
    return db_segment_is_unsettled(db, &row->id, err);
}

/* A file that a full disk left without its end tells by its pictures' own times where it ends. */
static bool is_same(const struct segment_row *row, const struct segment_row *seen)
{
    bool has_end = seen->ended != SEGMENT_START;
    int64_t off_us = seen->to_us - row->to_us;
    return seen->bytes == row->bytes && seen->frames == row->frames &&
           (has_end ? off_us == 0 : off_us < US_PER_S && off_us > -US_PER_S);
}

static int check_file(struct walk *w, const char *path, const struct segment_id *id)
{
    struct segment_row row = {.id = *id};
    struct err problem = {0};
    if (catalogue_read(w->storage->catalogue, job_get, &row, NULL) < 0) {
        if (catalogue_read(w->storage->catalogue, job_is_unsettled, &row, NULL) > 0)
            return 0;
        w->report->n_adopted++;
        tell(w, path, "is not in the index");
        return 0;
    }
    struct segment_row seen = row;
    if (inspect_segment(w->volume->dirfd, path, w->is_deep, &seen, &problem) < 0) {
        w->report->n_bad_files++;
        tell(w, path, problem.msg);
    } else if (!is_same(&row, &seen)) {
        w->report->n_mismatch++;
        tell(w, path, "differs from the index");
    }
    w->report->n_bytes += (uint64_t)seen.bytes;
    return 0;
}

static int visit_file(struct walk *w, const char *path, struct err *err)
{
    struct segment_row row = {.began = SEGMENT_START};
    if (segment_path_parse(path, &row.id) < 0) {
        if (str_ends(path, ".mp4")) {
            w->report->n_bad_files++;
            tell(w, path, "is no name of a segment");
        }
        return 0;
    }
    w->report->n_files++;
    return w->is_rebuild ? adopt(w, path, &row, err) : check_file(w, path, &row.id);
}

static int visit_dir(struct walk *w, const char *path, int depth, struct err *err);

static int visit_entry(struct walk *w, const char *dir, const char *name, int depth,
                       struct err *err)
{
    char path[512];
    struct stat st;
    if (name[0] == '.' || strcmp(name, "lost+found") == 0)
        return 0;
    if (snprintf(path, sizeof path, "%s%s%s", dir, dir[0] != '\0' ? "/" : "", name) >=
        (int)sizeof path)
        return 0;
    if (fstatat(w->volume->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return depth < MAX_DEPTH ? visit_dir(w, path, depth + 1, err) : 0;
    return S_ISREG(st.st_mode) ? visit_file(w, path, err) : 0;
}

static int visit_dir(struct walk *w, const char *path, int depth, struct err *err)
{
    int fd = openat(w->volume->dirfd, path[0] != '\0' ? path : ".",
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int code = -errno;
        if (fd >= 0)
            close(fd);
        return err_set(err, code, "open directory %s", path);
    }
    int rc = 0;
    for (const struct dirent *e; rc >= 0 && (e = readdir(dir)) != NULL;)
        rc = visit_entry(w, path, e->d_name, depth, err);
    closedir(dir);
    return rc;
}

/* --- rows to files --- */

static int check_row(void *ctx, const struct segment_row *row)
{
    struct walk *w = ctx;
    char path[SEGMENT_PATH_BYTES];
    struct stat st;
    w->report->n_segments++;
    segment_path(&row->id, path);
    const struct volume *v = storage__volume(w->storage, row->volume);
    if (v == NULL || fstatat(v->dirfd, path, &st, 0) < 0) {
        w->report->n_missing++;
        tell(w, path, v == NULL ? "its volume is not mounted" : "its file is missing");
    }
    if (w->page != NULL)
        w->page[w->n_page] = *row;
    w->n_page++;
    return 0;
}

static int job_page(struct db *db, void *ctx, struct err *err)
{
    struct walk *w = ctx;
    w->n_page = 0;
    return db_segments_page(db, &w->after, BATCH_ROWS, check_row, w, err);
}

static int check_hashes(struct walk *w, struct chain_check *c, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < w->n_page && rc == 0; i++) {
        char path[SEGMENT_PATH_BYTES];
        const struct volume *v = storage__volume(w->storage, w->page[i].volume);
        segment_path(&w->page[i].id, path);
        rc = chain_check_row(c, v != NULL ? v->dirfd : -1, path, &w->page[i], err);
    }
    return rc;
}

static int job_clear(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_segments_clear(db, err);
}

static int each_volume(struct walk *w, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < w->storage->n_volumes && rc >= 0; i++) {
        w->volume = w->storage->volumes[i];
        if (atomic_load(&w->volume->key) == 0)
            tell(w, w->volume->path, "is not mounted");
        else
            rc = visit_dir(w, "", 0, err);
    }
    return rc;
}

int storage_index_check(struct storage *s, bool is_deep, index_problem_fn *fn, void *ctx,
                        struct index_report *out, struct err *err)
{
    struct walk w = {.storage = s, .is_deep = is_deep, .fn = fn, .ctx = ctx, .report = out};
    struct chain_check chain = {.storage = s, .fn = fn, .ctx = ctx, .report = out};
    int rc;
    *out = (struct index_report){0};
    if (is_deep)
        w.page = xcalloc(BATCH_ROWS, sizeof *w.page);
    do {
        rc = catalogue_read(s->catalogue, job_page, &w, err);
        if (rc >= 0 && is_deep)
            rc = check_hashes(&w, &chain, err);
    } while (rc >= 0 && w.n_page == BATCH_ROWS);
    if (rc >= 0 && is_deep)
        chain_check_finish(&chain);
    chain_check_fini(&chain);
    free(w.page);
    return rc < 0 ? rc : each_volume(&w, err);
}

/* A volume that is away would lose its rows for nothing. */
static int all_mounted(const struct storage *s, struct err *err)
{
    for (size_t i = 0; i < s->n_volumes; i++) {
        if (atomic_load(&s->volumes[i]->key) != 0)
            continue;
        char text[256];
        volume_describe(s->volumes[i], text, sizeof text);
        return err_text(err, ERR_NOT_FOUND, "nothing was changed: %s", text);
    }
    return 0;
}

int storage_index_rebuild(struct storage *s, index_problem_fn *fn, void *ctx,
                          struct index_report *out, struct err *err)
{
    struct walk w = {.storage = s, .is_rebuild = true, .fn = fn, .ctx = ctx, .report = out};
    *out = (struct index_report){0};
    int rc = all_mounted(s, err);
    if (rc < 0)
        return rc;
    w.batch = xcalloc(BATCH_ROWS, sizeof *w.batch);
    rc = catalogue_write(s->catalogue, job_clear, NULL, err);
    if (rc >= 0)
        rc = each_volume(&w, err);
    if (rc >= 0)
        rc = flush(&w, err);
    out->n_segments = out->n_adopted;
    free(w.batch);
    return rc < 0 ? rc : 0;
}
