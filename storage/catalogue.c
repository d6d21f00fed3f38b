#include "storage/catalogue.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/queue.h"
#include "storage/data_lock.h"
#include "storage/db_health.h"
#include "storage/db_priv.h"
#include "storage/db_schema.h"
#include "storage/dirs.h"
#include "storage/staged.h"

enum { N_READERS = 4, BATCH_MAX = 512 };

struct catalogue {
    /* set at open, then const */
    char *data_dir, *path;
    const struct clock *clock;
    int lock_fd;
    struct stat file;      /* as it was opened; st_ino 0 = shared, not looked at */
    struct loop *writer;   /* its thread applies the jobs */
    struct queue *jobs;    /* struct job */
    struct queue *readers; /* struct db, idle */

    /* writer only */
    struct db *db;

    /* any thread, atomic */
    atomic_int trouble;                  /* enum catalogue_trouble */
    _Atomic(struct listener *) listener; /* NULL = nobody; never changed again */
};

/* Who is told of trouble. */
struct listener {
    struct loop *loop;
    loop_fn *fn;
    void *ctx;
};

struct job {
    catalogue_fn *fn;
    void *ctx;
    struct loop *home;
    catalogue_done_fn *done;
    sem_t *finished; /* somebody waits in catalogue_write; then result belongs to it */
    struct result *result;
    struct err err; /* code 0 = fine */
    int rc;         /* what the job returned when it is fine */
};

struct result {
    struct err err;
    int rc;
};

/* --- health --- */

static const struct {
    const char *name, *text, *advice;
} troubles[] = {
    [CATALOGUE_FINE] = {"ok", "", ""},
    [CATALOGUE_FULL] = {"full", "the disk of the catalogue is full",
                        "make room on it: recording goes on, and what is not in the index yet is "
                        "entered then"},
    [CATALOGUE_DAMAGED] = {"damaged", "the catalogue is damaged",
                           "recording goes on as far as it can; stop the server and run `rookery "
                           "index rebuild`, or `rookery restore FILE`"},
    [CATALOGUE_FAILED] = {"failed", "the disk of the catalogue fails",
                          "look at the system's log; recording goes on as far as it can"},
    [CATALOGUE_REMOVED] =
        {"removed", "the file of the catalogue was removed or replaced",
         "put the file back, or stop the server as usual: it leaves a copy of "
         "what it knows where nothing is. What it knows is lost when it is killed"},
};

/* Once per change. Damage stays until the next start. */
static void set_trouble(struct catalogue *c, enum catalogue_trouble now, const struct err *why)
{
    int before = atomic_load(&c->trouble);
    while (before != (int)now && before != CATALOGUE_DAMAGED) {
        if (!atomic_compare_exchange_weak(&c->trouble, &before, (int)now))
            continue;
        if (now == CATALOGUE_FINE)
            log_info("catalogue", "can be written again");
        else
            log_error("catalogue", "%s (%s): %s", troubles[now].text, why->msg,
                      troubles[now].advice);
        struct listener *l = atomic_load(&c->listener);
        if (l != NULL)
            loop_post(l->loop, l->fn, l->ctx);
        return;
    }
}

/* What the database itself said, not a job about its own data. */
static void note_trouble(struct catalogue *c, struct db *db, const struct err *why)
{
    switch (db_take_failure(db)) {
    case ERR_PARSE:
        set_trouble(c, CATALOGUE_DAMAGED, why);
        break;
    case -ENOSPC:
        set_trouble(c, CATALOGUE_FULL, why);
        break;
    case -EIO:
        set_trouble(c, CATALOGUE_FAILED, why);
        break;
    }
}

enum catalogue_trouble catalogue_trouble(struct catalogue *c)
{
    return (enum catalogue_trouble)atomic_load(&c->trouble);
}

const char *catalogue_trouble_name(enum catalogue_trouble t)
{
    return troubles[t].name;
}

const char *catalogue_trouble_text(enum catalogue_trouble t)
{
    return troubles[t].text;
}

const char *catalogue_trouble_advice(enum catalogue_trouble t)
{
    return troubles[t].advice;
}

void catalogue_on_trouble(struct catalogue *c, struct loop *loop, loop_fn *fn, void *ctx)
{
    struct listener *l = xmalloc(sizeof *l);
    *l = (struct listener){loop, fn, ctx};
    assert(atomic_load(&c->listener) == NULL);
    atomic_store(&c->listener, l);
}

/* --- the writer --- */

static void job_report(void *ctx)
{
    struct job *job = ctx;
    job->done(job->ctx, job->err.code != 0 ? &job->err : NULL);
    free(job);
}

static void job_finish(struct job *job)
{
    if (job->finished != NULL) {
        *job->result = (struct result){job->err, job->err.code != 0 ? job->err.code : job->rc};
        sem_post(job->finished);
        free(job);
    } else if (job->home != NULL && job->done != NULL) {
        loop_post(job->home, job_report, job);
    } else {
        if (job->err.code != 0)
            log_error("catalogue", "%s", job->err.msg);
        free(job);
    }
}

/* A job that fails leaves no trace, and the others of its batch stay. */
static void job_run(struct catalogue *c, struct job *job)
{
    int rc = db_exec(c->db, "SAVEPOINT job", &job->err);
    if (rc < 0)
        return;
    err_clear(&job->err);
    rc = job->rc = job->fn(c->db, job->ctx, &job->err);
    if (rc < 0) {
        if (job->err.code == 0)
            err_set(&job->err, rc, "catalogue");
        db_exec(c->db, "ROLLBACK TO job", NULL);
    } else {
        err_clear(&job->err);
    }
    db_exec(c->db, "RELEASE job", NULL);
}

static bool is_removed(const struct catalogue *c)
{
    struct stat now;
    if (c->file.st_ino == 0)
        return false;
    if (stat(c->path, &now) < 0)
        return errno == ENOENT;
    return now.st_ino != c->file.st_ino || now.st_dev != c->file.st_dev;
}

static void note_removed(struct catalogue *c)
{
    struct err what;
    err_text(&what, -ENOENT, "%s", c->path);
    set_trouble(c, CATALOGUE_REMOVED, &what);
}

static void apply_batch(struct catalogue *c, struct job **batch, size_t n)
{
    struct err err;
    err_clear(&err);
    bool has_written = false;
    int rc = db_exec(c->db, "BEGIN IMMEDIATE", &err);
    if (rc == 0) {
        for (size_t i = 0; i < n; i++) {
            int64_t n_changes = db_changes_ever(c->db);
            job_run(c, batch[i]);
            has_written |= batch[i]->err.code == 0 && db_changes_ever(c->db) != n_changes;
            note_trouble(c, c->db, &batch[i]->err);
        }
        rc = db_exec(c->db, "COMMIT", &err);
        if (rc < 0)
            db_exec(c->db, "ROLLBACK", NULL);
        else if (is_removed(c))
            note_removed(c);
        else if (has_written)
            set_trouble(c, CATALOGUE_FINE, NULL);
    }
    note_trouble(c, c->db, &err);
    for (size_t i = 0; i < n; i++) {
        if (rc < 0)
            batch[i]->err = err;
        job_finish(batch[i]);
    }
}

static void drain(void *ctx)
{
    struct catalogue *c = ctx;
    struct job *batch[BATCH_MAX];
    size_t n;
    do {
        n = 0;
        while (n < BATCH_MAX && (batch[n] = queue_pop(c->jobs)) != NULL)
            n++;
        if (n > 0)
            apply_batch(c, batch, n);
    } while (n == BATCH_MAX);
}

static bool submit(struct catalogue *c, struct job *job)
{
    bool was_empty = false;
    if (!queue_push(c->jobs, job, 0, &was_empty))
        return false;
    if (was_empty)
        loop_post(c->writer, drain, c);
    return true;
}

int catalogue_post(struct catalogue *c, catalogue_fn *fn, void *ctx, struct loop *home,
                   catalogue_done_fn *done)
{
    struct job *job = xmalloc(sizeof *job);
    *job = (struct job){.fn = fn, .ctx = ctx, .home = home, .done = done};
    if (submit(c, job))
        return 0;
    free(job);
    return ERR_BUSY;
}

int catalogue_write(struct catalogue *c, catalogue_fn *fn, void *ctx, struct err *err)
{
    assert(!loop_is_current(c->writer) && "a job must not wait for another");
    struct result result = {0};
    sem_t finished;
    sem_init(&finished, 0, 0);
    struct job *job = xmalloc(sizeof *job);
    *job = (struct job){.fn = fn, .ctx = ctx, .finished = &finished, .result = &result};
    if (submit(c, job)) {
        while (sem_wait(&finished) < 0 && errno == EINTR)
            continue;
    } else {
        free(job);
        result.rc = err_text(&result.err, ERR_BUSY, "the catalogue has too much to write");
    }
    sem_destroy(&finished);
    if (result.rc < 0 && err != NULL)
        *err = result.err;
    return result.rc;
}

/* --- readers --- */

int catalogue_read(struct catalogue *c, catalogue_fn *fn, void *ctx, struct err *err)
{
    struct db *db = queue_wait(c->readers);
    struct err own = {0};
    if (err == NULL)
        err = &own;
    int rc = db_exec(db, "BEGIN", err);
    if (rc == 0) {
        rc = fn(db, ctx, err);
        db_exec(db, "ROLLBACK", NULL); /* nothing was written: only ends the snapshot */
    }
    note_trouble(c, db, err);
    queue_push(c->readers, db, 0, NULL);
    return rc;
}

/* On a connection of its own: readers are forbidden to write anywhere. */
int catalogue_backup(struct catalogue *c, const char *path, struct err *err)
{
    struct db *db = NULL;
    int rc = db__open(c->path, false, &db, err);
    struct stmt *s = rc == 0 ? db_stmt(db, "VACUUM INTO ?1", err) : NULL;
    if (s != NULL) {
        stmt_bind_text(s, 1, path);
        rc = stmt_run(s, err);
    } else if (rc == 0) {
        rc = -EIO;
    }
    db__close(&db);
    return rc < 0 ? err_wrap(err, rc, "backup to %s", path) : 0;
}

/* --- open and close --- */

static int check_version(struct db *db, struct err *err)
{
    int64_t version = 0;
    int rc = db_version(db, &version, err);
    if (rc == 0 && version != (int64_t)db_schema_version())
        return err_text(err, ERR_UNSUPPORTED,
                        "the catalogue has version %lld and this program needs %zu: start the "
                        "server of this version once",
                        (long long)version, db_schema_version());
    return rc;
}

/* Names the file, and what to do: nobody reads a manual then. */
static int damaged(const struct catalogue *c, struct err *err)
{
    return err_wrap(err, ERR_PARSE,
                    "%s is damaged; the recordings are not touched. `rookery index rebuild` saves "
                    "what can be read of it and makes the index anew from the files; `rookery "
                    "restore FILE` takes a backup instead",
                    c->path);
}

static int open_connections(struct catalogue *c, bool is_shared, struct err *err)
{
    int rc = db__open(c->path, false, &c->db, err);
    if (rc == 0)
        rc = is_shared ? check_version(c->db, err) : db_migrate(c->db, err);
    if (rc == 0 && !is_shared)
        rc = db_check_small(c->db, err);
    if (rc == 0 && !is_shared && stat(c->path, &c->file) < 0)
        rc = err_set(err, -errno, "stat %s", c->path);
    for (int i = 0; i < N_READERS && rc == 0; i++) {
        struct db *db;
        rc = db__open(c->path, true, &db, err);
        if (rc == 0)
            queue_push(c->readers, db, 0, NULL);
    }
    return rc == ERR_PARSE ? damaged(c, err) : rc;
}

/* What waits to take the place of the catalogue does so now. */
static int take_over(const char *data_dir, struct err *err)
{
    char aside[4096];
    int rc = staged_apply(data_dir, aside, sizeof aside, err);
    if (rc == 1)
        log_info("catalogue", "another catalogue took its place; the old one is in %s", aside);
    return rc < 0 ? rc : 0;
}

static int take_directory(struct catalogue *c, const char *data_dir, struct err *err)
{
    int rc = dirs_make(data_dir, err);
    if (rc == 0)
        rc = c->lock_fd = data_lock_take(data_dir, err);
    return rc < 0 ? rc : take_over(data_dir, err);
}

/* Keys come after the first catalogue, so where there are some it was lost. */
static void warn_if_lost(const struct catalogue *c, const char *data_dir)
{
    struct stat st;
    char *keys = xasprintf("%s/keys", data_dir);
    if ((stat(c->path, &st) < 0 || st.st_size == 0) && access(keys, F_OK) == 0)
        log_warn("catalogue",
                 "there is none in %s, though there was one: an empty one is begun. `rookery "
                 "restore FILE` brings back a backup, `rookery index rebuild` finds recordings",
                 data_dir);
    free(keys);
}

static int open_catalogue(const char *data_dir, const struct clock *clock, bool is_shared,
                          struct catalogue **out, struct err *err)
{
    int rc = 0;
    struct catalogue *c = xcalloc(1, sizeof *c);
    c->lock_fd = -1;
    c->clock = clock;
    c->data_dir = xstrdup(data_dir);
    c->path = xasprintf("%s/catalog.db", data_dir);
    c->jobs = queue_create(&(struct queue_params){.max_entries = CATALOGUE_MAX_POSTED});
    c->readers = queue_create(&(struct queue_params){.max_entries = N_READERS});
    if (is_shared && access(c->path, F_OK) < 0) {
        rc = err_text(err, ERR_NOT_FOUND, "%s does not exist: start the server once", c->path);
        goto fail;
    }
    if (is_shared && staged_is_waiting(data_dir) && !data_lock_is_taken(data_dir)) {
        rc = err_text(err, ERR_UNSUPPORTED, "a restored catalogue waits: start the server once");
        goto fail;
    }
    if (!is_shared)
        rc = take_directory(c, data_dir, err);
    if (rc == 0 && !is_shared)
        warn_if_lost(c, data_dir);
    if (rc == 0)
        rc = open_connections(c, is_shared, err);
    if (rc < 0)
        goto fail;
    c->writer = loop_create(&(struct loop_params){.name = "catalogue"});
    loop_start(c->writer);
    *out = c;
    return 0;

fail:
    catalogue_close(&c);
    return rc;
}

int catalogue_open(const char *data_dir, const struct clock *clock, struct catalogue **out,
                   struct err *err)
{
    return open_catalogue(data_dir, clock, false, out, err);
}

int catalogue_open_shared(const char *data_dir, const struct clock *clock, struct catalogue **out,
                          struct err *err)
{
    return open_catalogue(data_dir, clock, true, out, err);
}

bool catalogue_is_served(const struct catalogue *c)
{
    return c->lock_fd >= 0 || data_lock_is_taken(c->data_dir);
}

/* A copy of what is known under the name that the file has lost. What lies beside it, the log of
 * the lost one, must not be taken for the log of the copy. */
static void put_back(struct catalogue *c)
{
    static const char *const beside[] = {"-wal", "-shm"};
    struct err err = {0};
    char *copy = xasprintf("%s.copy", c->path);
    unlink(copy);
    struct stmt *s = db_stmt(c->db, "VACUUM INTO ?1", &err);
    int rc = s != NULL ? 0 : -EIO;
    if (rc == 0) {
        stmt_bind_text(s, 1, copy);
        rc = stmt_run(s, &err);
    }
    db__close(&c->db);
    for (size_t i = 0; i < ARRAY_LEN(beside) && rc == 0; i++) {
        char *path = xasprintf("%s%s", c->path, beside[i]);
        unlink(path);
        free(path);
    }
    if (rc == 0 && (chmod(copy, 0640) < 0 || rename(copy, c->path) < 0))
        rc = err_set(&err, -errno, "rename %s", copy);
    if (rc < 0)
        log_error("catalogue", "its file was removed and cannot be put back: %s", err.msg);
    else
        log_warn("catalogue", "its file was removed: a copy of what was known is in its place");
    free(copy);
}

void catalogue_close(struct catalogue **cp)
{
    struct catalogue *c = *cp;
    if (c == NULL)
        return;
    if (c->writer != NULL) {
        loop_stop(c->writer);
        loop_join(c->writer);
        drain(c);
        loop_destroy(&c->writer);
    }
    struct db *db;
    while ((db = queue_pop(c->readers)) != NULL)
        db__close(&db);
    if (c->db != NULL && c->file.st_ino != 0 && access(c->path, F_OK) < 0 && errno == ENOENT)
        put_back(c);
    db__close(&c->db); /* last, so that it checkpoints the log away */
    queue_destroy(&c->readers);
    queue_destroy(&c->jobs);
    if (c->lock_fd >= 0)
        close(c->lock_fd);
    free(atomic_load(&c->listener));
    free(c->data_dir);
    free(c->path);
    FREE(cp);
}
