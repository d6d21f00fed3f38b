#include "storage/index_walk.h"

#include "base/pool.h"
#include "storage/db_check.h"
#include "storage/index_days.h"
#include "storage/list.h"
#include "storage/storage_priv.h"

enum { BATCH_ROWS = 1000, DAYS_PER_THREAD = 4, MIN_THREADS = 2, MAX_THREADS = 16 };

struct run {
    const struct index_walk *asked;
    struct loop *loop; /* the caller's thread: results come back here */
    struct pool *pool;
    size_t n_running, max_running;

    struct index_day **batch; /* rebuild: days whose rows are to be written */
    size_t n_batch, n_batch_rows;
    struct err err; /* the first failure */
};

void index_walk_tell(const struct index_walk *walk, const char *path, const char *what)
{
    if (walk->fn != NULL)
        walk->fn(walk->ctx, path, what);
}

static void fail(struct run *run, int rc, const struct err *err)
{
    if (run->err.code != 0)
        return;
    run->err = *err;
    if (run->err.code == 0)
        err_set(&run->err, rc, "index");
}

/* --- rows, many days in one transaction --- */

static int job_replace(struct db *db, void *ctx, struct err *err)
{
    struct run *run = ctx;
    int rc = 0;
    uint64_t n_missing = 0;
    for (size_t i = 0; i < run->n_batch && rc >= 0; i++) {
        struct index_day *day = run->batch[i];
        struct check_replace r = {.camera_id = day->camera_id,
                                  .stream = day->stream,
                                  .from_us = day->from_us,
                                  .to_us = day->from_us + US_PER_DAY,
                                  .rows = day->rows,
                                  .n_rows = day->n_rows,
                                  .now_us = clock_wall_us(run->asked->storage->clock)};
        rc = db_check_replace(db, &r, &n_missing, err);
    }
    if (rc >= 0)
        run->asked->report->n_missing += n_missing;
    return rc;
}

static void flush(struct run *run)
{
    struct err err = {0};
    int rc = run->n_batch > 0 && run->err.code == 0
                 ? catalogue_write(run->asked->storage->catalogue, job_replace, run, &err)
                 : 0;
    if (rc < 0)
        fail(run, rc, &err);
    for (size_t i = 0; i < run->n_batch; i++)
        index_day_destroy(&run->batch[i]);
    run->n_batch = run->n_batch_rows = 0;
}

/* --- a day's way: pool, then back --- */

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
    sum->n_notes += r->n_notes;
    sum->n_unreachable += r->n_unreachable;
}

static void take(struct run *run, struct index_day *day)
{
    add_report(run->asked->report, &day->report);
    for (size_t i = 0; i < day->n_problems; i++)
        index_walk_tell(run->asked, day->problems[i].path, day->problems[i].what);
    if (day->rc < 0)
        fail(run, day->rc, &day->err);
    if (!day->is_rebuild || day->rc < 0) {
        index_day_destroy(&day);
        return;
    }
    run->batch = list_room(run->batch, run->n_batch, sizeof(struct index_day *));
    run->batch[run->n_batch++] = day;
    run->n_batch_rows += day->n_rows;
    if (run->n_batch_rows >= BATCH_ROWS)
        flush(run);
}

struct ticket {
    struct run *run;
    struct index_day *day;
};

static void on_work(void *ctx)
{
    const struct ticket *t = ctx;
    if (t->day->is_rebuild)
        index_day_read(t->day);
    else
        index_day_check(t->day);
}

static void on_done(void *ctx)
{
    struct ticket *t = ctx;
    struct run *run = t->run;
    run->n_running--;
    take(run, t->day);
    free(t);
    if (run->asked->storage->index_progress != NULL)
        run->asked->storage->index_progress(run->asked->storage->index_ctx, run->asked->report);
}

static void wait_below(struct run *run, size_t n)
{
    while (run->n_running >= n && run->n_running > 0)
        loop_turn(run->loop, true);
}

static int on_day(void *ctx, struct index_day *day)
{
    struct run *run = ctx;
    struct ticket *t = xmalloc(sizeof *t);
    day->is_deep = run->asked->is_deep;
    day->is_rebuild = run->asked->is_rebuild;
    *t = (struct ticket){run, day};
    wait_below(run, run->max_running);
    run->n_running++;
    if (!pool_submit(run->pool, on_work, run->loop, on_done, t)) {
        on_work(t);
        on_done(t);
    }
    return run->err.code;
}

static void on_stray(void *ctx, const char *path)
{
    const struct run *run = ctx;
    run->asked->report->n_bad_files++;
    index_walk_tell(run->asked, path, "is no name of a segment");
}

/* --- everything --- */

static void tell_unreachable(const struct index_walk *walk)
{
    const struct storage *s = walk->storage;
    for (size_t i = 0; i < s->n_volumes; i++) {
        char text[256];
        if (atomic_load(&s->volumes[i]->key) != 0)
            continue;
        volume_describe(s->volumes[i], text, sizeof text);
        index_walk_tell(walk, s->volumes[i]->path, text);
        walk->report->n_unreachable++;
    }
}

int index_walk_run(const struct index_walk *walk, struct err *err)
{
    struct run run = {.asked = walk};
    struct index_days days = {
        .storage = walk->storage, .day = on_day, .stray = on_stray, .ctx = &run};
    struct err find_err = {0};
    int n_threads =
        (int)CLAMP(2 * walk->storage->n_volumes, (size_t)MIN_THREADS, (size_t)MAX_THREADS);
    run.max_running = (size_t)n_threads * DAYS_PER_THREAD;
    run.loop = loop_create(&(struct loop_params){.name = "index"});
    run.pool = pool_create(&(struct pool_params){.name = "index", .n_threads = n_threads});
    tell_unreachable(walk);
    int rc = index_days_find(&days, &find_err);
    if (rc < 0)
        fail(&run, rc, &find_err);
    wait_below(&run, 1);
    flush(&run);
    pool_destroy(&run.pool);
    loop_destroy(&run.loop);
    free(run.batch);
    if (run.err.code != 0 && err != NULL)
        *err = run.err;
    return run.err.code;
}
