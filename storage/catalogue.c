#include "storage/catalogue.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/queue.h"
#include "storage/catalogue_priv.h"

enum { BATCH_MAX = 512 };

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
            catalogue__note_failure(c, c->db, &batch[i]->err);
        }
        rc = db_exec(c->db, "COMMIT", &err);
        if (rc < 0)
            db_exec(c->db, "ROLLBACK", NULL);
        else if (!catalogue__note_removed(c) && has_written)
            catalogue__set_trouble(c, CATALOGUE_FINE, NULL);
    }
    catalogue__note_failure(c, c->db, &err);
    for (size_t i = 0; i < n; i++) {
        if (rc < 0)
            batch[i]->err = err;
        job_finish(batch[i]);
    }
}

void catalogue__drain(struct catalogue *c)
{
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

static void on_jobs(void *ctx)
{
    catalogue__drain(ctx);
}

static bool submit(struct catalogue *c, struct job *job)
{
    bool was_empty = false;
    if (!queue_push(c->jobs, job, 0, &was_empty))
        return false;
    if (was_empty)
        loop_post(c->writer, on_jobs, c);
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
        result.rc = err_say(&result.err, ERR_BUSY, "busy", "the catalogue has too much to write");
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
    catalogue__note_failure(c, db, err);
    queue_push(c->readers, db, 0, NULL);
    return rc;
}

/* On a connection of its own: readers are forbidden to write anywhere. */
int catalogue_backup(struct catalogue *c, const char *path, struct err *err)
{
    struct db *db = NULL;
    int rc = db__open(c->path, false, &db, err);
    if (rc == 0)
        rc = db__copy_to(db, path, err);
    db__close(&db);
    return rc < 0 ? err_wrap(err, rc, "backup to %s", path) : 0;
}
