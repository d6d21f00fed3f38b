/* `rookery index check` and `rebuild`: files and rows, compared or made again, a day of a stream at
 * a time, several at once. Blocks. Checking may go on beside a server that records; rebuilding may
 * not. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/pool.h"
#include "base/str.h"
#include "storage/chain_check.h"
#include "storage/db_check.h"
#include "storage/index_day.h"
#include "storage/index_unsettled.h"
#include "storage/list.h"
#include "storage/storage_priv.h"

enum { BATCH_ROWS = 1000, DAYS_PER_THREAD = 4, MIN_THREADS = 2, MAX_THREADS = 16 };

#define DAY_US (INT64_C(86400) * US_PER_S)

/* What is older has its rows, if there are any. */
#define SETTLED_US (2 * SEGMENT_LIMIT_US)

struct walk {
    struct storage *storage;
    bool is_rebuild, is_deep;
    index_problem_fn *fn;
    void *ctx;
    struct index_report *report;

    struct loop *loop; /* the caller's thread: results come back here */
    struct pool *pool;
    size_t n_running, max_running;

    struct index_day **batch; /* rebuild: days whose rows are to be written */
    size_t n_batch, n_batch_rows;
    struct err err; /* the first failure */
};

static void tell(const struct walk *w, const char *path, const char *what)
{
    if (w->fn != NULL)
        w->fn(w->ctx, path, what);
}

static void fail(struct walk *w, int rc, const struct err *err)
{
    if (w->err.code != 0)
        return;
    w->err = *err;
    if (w->err.code == 0)
        err_set(&w->err, rc, "index");
}

/* --- rows, many days in one transaction --- */

static int job_replace(struct db *db, void *ctx, struct err *err)
{
    struct walk *w = ctx;
    int rc = 0;
    uint64_t n_missing = 0;
    for (size_t i = 0; i < w->n_batch && rc >= 0; i++) {
        struct index_day *day = w->batch[i];
        struct check_replace r = {.camera_id = day->camera_id,
                                  .stream = day->stream,
                                  .from_us = day->from_us,
                                  .to_us = day->from_us + DAY_US,
                                  .rows = day->rows,
                                  .n_rows = day->n_rows,
                                  .now_us = clock_wall_us(w->storage->clock)};
        rc = db_check_replace(db, &r, &n_missing, err);
    }
    if (rc >= 0)
        w->report->n_missing += n_missing;
    return rc;
}

static void flush(struct walk *w)
{
    struct err err = {0};
    int rc = w->n_batch > 0 && w->err.code == 0
                 ? catalogue_write(w->storage->catalogue, job_replace, w, &err)
                 : 0;
    if (rc < 0)
        fail(w, rc, &err);
    for (size_t i = 0; i < w->n_batch; i++)
        index_day_destroy(&w->batch[i]);
    w->n_batch = w->n_batch_rows = 0;
}

/* --- a day's way: pool, then back --- */

static void work(void *ctx)
{
    struct index_day *day = ctx;
    if (day->is_rebuild)
        index_day_read(day);
    else
        index_day_check(day);
}

static void add_report(struct index_report *sum, const struct index_report *r)
{
    sum->n_segments += r->n_segments;
    sum->n_files += r->n_files;
    sum->n_bytes += r->n_bytes;
    sum->n_adopted += r->n_adopted;
    sum->n_missing += r->n_missing;
    sum->n_mismatch += r->n_mismatch;
    sum->n_bad_files += r->n_bad_files;
    sum->n_broken += r->n_broken;
    sum->n_unreachable += r->n_unreachable;
}

static void take(struct walk *w, struct index_day *day)
{
    add_report(w->report, &day->report);
    for (size_t i = 0; i < day->n_problems; i++)
        tell(w, day->problems[i].path, day->problems[i].what);
    if (day->rc < 0)
        fail(w, day->rc, &day->err);
    if (!day->is_rebuild || day->rc < 0) {
        index_day_destroy(&day);
        return;
    }
    w->batch = list_room(w->batch, w->n_batch, sizeof(struct index_day *));
    w->batch[w->n_batch++] = day;
    w->n_batch_rows += day->n_rows;
    if (w->n_batch_rows >= BATCH_ROWS)
        flush(w);
}

struct ticket {
    struct walk *walk;
    struct index_day *day;
};

static void on_work(void *ctx)
{
    struct ticket *t = ctx;
    work(t->day);
}

static void on_done(void *ctx)
{
    struct ticket *t = ctx;
    struct walk *w = t->walk;
    w->n_running--;
    take(w, t->day);
    free(t);
    if (w->storage->index_progress != NULL)
        w->storage->index_progress(w->storage->index_ctx, w->report);
}

static void wait_below(struct walk *w, size_t n)
{
    while (w->n_running >= n && w->n_running > 0)
        loop_turn(w->loop, true);
}

static void submit(struct walk *w, struct index_day *day)
{
    struct ticket *t = xmalloc(sizeof *t);
    day->is_deep = w->is_deep;
    day->is_rebuild = w->is_rebuild;
    *t = (struct ticket){w, day};
    wait_below(w, w->max_running);
    w->n_running++;
    if (!pool_submit(w->pool, on_work, w->loop, on_done, t)) {
        on_work(t);
        on_done(t);
    }
}

/* --- which days there are --- */

/* On a volume before the i-th; with i = n_volumes on any. */
static bool has_directory(const struct walk *w, const struct index_day *day, size_t i)
{
    char path[SEGMENT_PATH_BYTES];
    index_day_path(day, path);
    for (size_t k = 0; k < i; k++) {
        const struct volume *v = w->storage->volumes[k];
        if (atomic_load(&v->key) != 0 && faccessat(v->dirfd, path, F_OK, 0) == 0)
            return true;
    }
    return false;
}

enum { LEVELS = 5 }; /* camera, stream, year, month, day */

static void visit_day(struct walk *w, size_t volume, const char *path)
{
    char name[SEGMENT_PATH_BYTES + 32];
    struct segment_id id;
    snprintf(name, sizeof name, "%s/000000.000-1.mp4", path);
    if (segment_path_parse(name, &id) < 0)
        return;
    struct index_day *day = index_day_create(w->storage, id.camera_id, id.stream, id.from_us);
    if (has_directory(w, day, volume))
        index_day_destroy(&day); /* came with the other volume */
    else
        submit(w, day);
}

static void visit_stray(struct walk *w, const char *path)
{
    if (!str_ends(path, ".mp4"))
        return;
    w->report->n_bad_files++;
    tell(w, path, "is no name of a segment");
}

static void visit(struct walk *w, size_t volume, const char *path, int level)
{
    int dirfd = w->storage->volumes[volume]->dirfd;
    int fd = openat(dirfd, path[0] != '\0' ? path : ".",
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        struct err err = {0};
        int code = -errno;
        if (code != -ENOENT) { /* its last day was deleted meanwhile */
            err_set(&err, code, "open directory %s", path);
            fail(w, code, &err);
        }
        if (fd >= 0)
            close(fd);
        return;
    }
    for (const struct dirent *e; w->err.code == 0 && (e = readdir(dir)) != NULL;) {
        char below[SEGMENT_PATH_BYTES];
        struct stat st;
        if (e->d_name[0] == '.' || strcmp(e->d_name, "lost+found") == 0 ||
            snprintf(below, sizeof below, "%s%s%s", path, path[0] != '\0' ? "/" : "", e->d_name) >=
                (int)sizeof below ||
            fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (!S_ISDIR(st.st_mode))
            visit_stray(w, below);
        else if (level == LEVELS - 1)
            visit_day(w, volume, below);
        else
            visit(w, volume, below, level + 1);
    }
    closedir(dir);
}

/* Days of which no file is left. */
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

static void visit_rows_of(struct walk *w, const struct camera_key *camera, enum stream_kind stream)
{
    struct next_day next = {.camera = camera->key, .stream = stream};
    struct err err = {0};
    int rc = 0;
    while (w->err.code == 0 &&
           (rc = catalogue_read(w->storage->catalogue, job_next, &next, &err)) == 1) {
        int64_t from_us = next.at_us - next.at_us % DAY_US;
        struct index_day *day = index_day_create(w->storage, camera->id, stream, from_us);
        if (has_directory(w, day, w->storage->n_volumes))
            index_day_destroy(&day);
        else
            submit(w, day);
        next.at_us = from_us + DAY_US;
    }
    if (w->err.code == 0 && rc < 0)
        fail(w, rc, &err);
}

static void visit_rows(struct walk *w)
{
    struct cameras cameras = {0};
    struct err err = {0};
    int rc = catalogue_read(w->storage->catalogue, job_cameras, &cameras, &err);
    if (rc < 0)
        fail(w, rc, &err);
    for (size_t i = 0; i < cameras.n && w->err.code == 0; i++) {
        visit_rows_of(w, &cameras.list[i], STREAM_MAIN);
        visit_rows_of(w, &cameras.list[i], STREAM_SUB);
    }
    free(cameras.list);
}

/* --- everything --- */

static int walk_all(struct walk *w, struct err *err)
{
    const struct storage *s = w->storage;
    int n_threads = (int)CLAMP(2 * s->n_volumes, (size_t)MIN_THREADS, (size_t)MAX_THREADS);
    w->max_running = (size_t)n_threads * DAYS_PER_THREAD;
    w->loop = loop_create(&(struct loop_params){.name = "index"});
    w->pool = pool_create(&(struct pool_params){.name = "index", .n_threads = n_threads});
    for (size_t i = 0; i < s->n_volumes; i++) {
        char text[256];
        if (atomic_load(&s->volumes[i]->key) != 0) {
            visit(w, i, "", 0);
            continue;
        }
        volume_describe(s->volumes[i], text, sizeof text);
        tell(w, s->volumes[i]->path, text);
        w->report->n_unreachable++;
    }
    visit_rows(w);
    wait_below(w, 1);
    flush(w);
    pool_destroy(&w->pool);
    loop_destroy(&w->loop);
    free(w->batch);
    if (w->err.code != 0 && err != NULL)
        *err = w->err;
    return w->err.code;
}

static void on_contradiction(void *ctx, const char *what, bool is_note)
{
    struct walk *w = ctx;
    w->report->n_broken += !is_note;
    w->report->n_notes += is_note;
    tell(w, "index", what);
}

static int job_contradictions(struct db *db, void *ctx, struct err *err)
{
    struct walk *w = ctx;
    int64_t older_us = clock_wall_us(w->storage->clock) - SETTLED_US;
    return db_check_rows(db, older_us, on_contradiction, w, err);
}

/* --- deep: the hash chains, in the order of the rows --- */

struct chain_walk {
    struct chain_check check;
    struct segment_row after; /* the page of rows goes on here */
    struct segment_row page[BATCH_ROWS];
    size_t n_page;
};

static int add_to_page(void *ctx, const struct segment_row *row)
{
    struct chain_walk *c = ctx;
    c->page[c->n_page++] = *row;
    return 0;
}

static int job_page(struct db *db, void *ctx, struct err *err)
{
    struct chain_walk *c = ctx;
    c->n_page = 0;
    return db_segments_page(db, &c->after, BATCH_ROWS, add_to_page, c, err);
}

static int check_chains(struct walk *w, struct err *err)
{
    struct chain_walk *c = xcalloc(1, sizeof *c);
    int rc;
    c->check = (struct chain_check){
        .storage = w->storage, .fn = w->fn, .ctx = w->ctx, .report = w->report};
    do {
        rc = catalogue_read(w->storage->catalogue, job_page, c, err);
        for (size_t i = 0; i < c->n_page && rc >= 0; i++) {
            char path[SEGMENT_PATH_BYTES];
            const struct volume *v = storage__volume(w->storage, c->page[i].volume);
            segment_path(&c->page[i].id, path);
            rc = chain_check_row(&c->check, v != NULL ? v->dirfd : -1, path, &c->page[i], err);
        }
    } while (rc >= 0 && c->n_page == BATCH_ROWS);
    if (rc >= 0)
        rc = chain_check_finish(&c->check, err);
    chain_check_fini(&c->check);
    free(c);
    return rc < 0 ? rc : 0;
}

int storage_index_check(struct storage *s, bool is_deep, index_problem_fn *fn, void *ctx,
                        struct index_report *out, struct err *err)
{
    struct walk w = {.storage = s, .is_deep = is_deep, .fn = fn, .ctx = ctx, .report = out};
    *out = (struct index_report){0};
    int rc = catalogue_read(s->catalogue, job_contradictions, &w, err);
    if (rc >= 0)
        rc = index_unsettled_check(s, fn, ctx, out, err);
    if (rc >= 0 && is_deep)
        rc = check_chains(&w, err);
    return rc < 0 ? rc : walk_all(&w, err);
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

struct cover {
    const struct storage *storage;
    struct err *err;
};

static int look_at_volume(void *ctx, int64_t key, const char *path, int64_t n_segments)
{
    const struct cover *c = ctx;
    if (storage__volume(c->storage, key) != NULL)
        return 0;
    return err_text(
        c->err, ERR_CONFLICT,
        "nothing was changed: %lld segments lie on a volume that was at %s and is not in "
        "the configuration any more",
        (long long)n_segments, path);
}

static int job_cover(struct db *db, void *ctx, struct err *err)
{
    return db_check_volumes(db, look_at_volume, ctx, err);
}

int storage_index_covers(struct storage *s, struct err *err)
{
    struct cover c = {s, err};
    int rc = all_mounted(s, err);
    return rc < 0 ? rc : catalogue_read(s->catalogue, job_cover, &c, err);
}

int storage_index_rebuild(struct storage *s, index_problem_fn *fn, void *ctx,
                          struct index_report *out, struct err *err)
{
    struct walk w = {.storage = s, .is_rebuild = true, .fn = fn, .ctx = ctx, .report = out};
    *out = (struct index_report){0};
    int rc = all_mounted(s, err);
    if (rc == 0)
        rc = walk_all(&w, err);
    out->n_segments = out->n_adopted;
    return rc < 0 ? rc : 0;
}

void storage_index_on_progress(struct storage *s, index_progress_fn *fn, void *ctx)
{
    s->index_progress = fn;
    s->index_ctx = ctx;
}
