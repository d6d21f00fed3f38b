/* After a crash: every file that a row calls unsettled is settled. Safe to be killed at any step:
 * the row of the unsettled file goes last. */
#include "storage/storage_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/pool.h"
#include "storage/db_segments.h"
#include "storage/list.h"
#include "storage/repair.h"

struct unsettled {
    struct segment_row *rows;
    size_t n;
};

static int add_row(void *ctx, const struct segment_row *row)
{
    struct unsettled *u = ctx;
    u->rows = list_room(u->rows, u->n, sizeof *u->rows);
    u->rows[u->n++] = *row;
    return 0;
}

static int job_list(struct db *db, void *ctx, struct err *err)
{
    return db_segments_unsettled(db, add_row, ctx, err);
}

enum { BATCH_FILES = 256, FEW_FILES = 8, MAX_THREADS = 16 };

/* Files that are settled together: one sync per volume, one transaction. */
struct batch {
    struct storage *storage;
    struct segment_row *rows;
    size_t n;
    enum outcome { LEFT, FINISHED, FORGOTTEN } outcomes[BATCH_FILES];
};

/* --- the file --- */

static enum outcome remove_file(const struct volume *v, const char *path)
{
    if (unlinkat(v->dirfd, path, 0) == 0 || errno == ENOENT)
        return FORGOTTEN;
    log_warn(path, "cannot be removed: %s", err_name(-errno));
    return LEFT;
}

static enum outcome recover_file(struct storage *s, struct segment_row *row)
{
    char path[SEGMENT_PATH_BYTES];
    struct err err = {0};
    const struct volume *v = storage__volume(s, row->volume);
    if (v == NULL)
        return LEFT; /* its disk is not there: next time */
    segment_path(&row->id, path);
    if (row->is_doomed)
        return remove_file(v, path);
    int rc = repair_segment(v->dirfd, path, v->chain, false, row, &err);
    if (rc == ERR_NOT_FOUND)
        return FORGOTTEN;
    if (rc < 0)
        log_error(path, "cannot be recovered: %s", err.msg);
    return rc < 0 ? LEFT : FINISHED;
}

/* A thousand files are some seconds of reading and hashing: as many at once as there are cores. */
struct one {
    struct batch *batch;
    size_t i;
};

static void recover_one(void *ctx)
{
    const struct one *o = ctx;
    o->batch->outcomes[o->i] = recover_file(o->batch->storage, &o->batch->rows[o->i]);
}

static void recover_files(struct batch *b)
{
    struct one all[BATCH_FILES];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct pool *pool = NULL;
    if (b->n > FEW_FILES)
        pool = pool_create(&(struct pool_params){.name = "recovery",
                                                 .n_threads = (int)CLAMP(cores, 2, MAX_THREADS)});
    for (size_t i = 0; i < b->n; i++) {
        all[i] = (struct one){b, i};
        if (pool == NULL || !pool_submit(pool, recover_one, NULL, NULL, &all[i]))
            recover_one(&all[i]);
    }
    pool_destroy(&pool); /* when all of them are done */
}

/* --- its row, when the file and its name, or that it is gone, are durable --- */

static void sync_volumes(struct batch *b)
{
    for (size_t k = 0; k < b->storage->n_volumes; k++) {
        struct volume *v = b->storage->volumes[k];
        int64_t key = atomic_load(&v->key);
        bool is_concerned = false;
        for (size_t i = 0; i < b->n && !is_concerned; i++)
            is_concerned = b->outcomes[i] != LEFT && b->rows[i].volume == key;
        int rc = is_concerned ? volume__sync_apart(v) : 0;
        for (size_t i = 0; rc < 0 && i < b->n; i++)
            if (b->rows[i].volume == key)
                b->outcomes[i] = LEFT;
        if (rc < 0)
            log_error(v->path, "recovery: sync: %s", err_name(rc));
    }
}

static int job_settle(struct db *db, void *ctx, struct err *err)
{
    struct batch *b = ctx;
    int rc = 0;
    for (size_t i = 0; i < b->n && rc >= 0; i++) {
        if (b->outcomes[i] != LEFT)
            rc = b->outcomes[i] == FINISHED ? db_segment_finish(db, &b->rows[i], err)
                                            : db_segment_forget(db, &b->rows[i], err);
    }
    return rc;
}

static size_t settle(struct batch *b)
{
    struct err err = {0};
    size_t n = 0;
    sync_volumes(b);
    if (catalogue_write(b->storage->catalogue, job_settle, b, &err) < 0) {
        log_error("storage", "recovered files cannot be settled yet: %s", err.msg);
        for (size_t i = 0; i < b->n; i++)
            b->outcomes[i] = LEFT;
        b->storage->is_recovery_refused = true;
    }
    for (size_t i = 0; i < b->n; i++)
        n += b->outcomes[i] != LEFT;
    return n;
}

static void keep(struct storage *s, const struct segment_row *row)
{
    s->left = list_room(s->left, s->n_left, sizeof *s->left);
    s->left[s->n_left++] = *row;
}

/* Returns how many are settled. What is doomed and stays is found in the catalogue again. */
static size_t settle_all(struct storage *s, struct unsettled *u)
{
    size_t n_settled = 0;
    for (size_t i = 0; i < u->n && !atomic_load(&s->is_closing); i += BATCH_FILES) {
        struct batch b = {.storage = s, .rows = u->rows + i, .n = MIN(u->n - i, BATCH_FILES)};
        recover_files(&b);
        n_settled += settle(&b);
        for (size_t k = 0; k < b.n; k++)
            if (b.outcomes[k] == LEFT && !b.rows[k].is_doomed)
                keep(s, &b.rows[k]);
    }
    return n_settled;
}

static bool is_usable(const struct storage *s, const struct volume *v)
{
    enum volume_fault state = volume_state(v, clock_mono_us(s->clock));
    return atomic_load(&v->key) != 0 && (state == VOLUME_OK || state == VOLUME_FULL);
}

void storage__recover(struct storage *s)
{
    struct unsettled u = {0};
    struct err err = {0};
    for (size_t i = 0; i < s->n_volumes; i++)
        s->was_usable[i] = is_usable(s, s->volumes[i]);
    if (catalogue_read(s->catalogue, job_list, &u, &err) < 0)
        log_error("storage", "recovery: %s", err.msg);
    size_t n_settled = settle_all(s, &u);
    if (u.n > 0)
        log_info("storage", "recovered %zu of %zu files that a crash left open", n_settled, u.n);
    free(u.rows);
}

/* --- a volume that is there again --- */

struct doomed_query {
    struct unsettled *found;
    int64_t volume;
};

static int add_doomed(void *ctx, const struct segment_row *row)
{
    struct doomed_query *q = ctx;
    return row->is_doomed && row->volume == q->volume ? add_row(q->found, row) : 0;
}

static int job_list_doomed(struct db *db, void *ctx, struct err *err)
{
    return db_segments_unsettled(db, add_doomed, ctx, err);
}

static void take_left(struct storage *s, int64_t volume, struct unsettled *u)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_left; i++) {
        if (s->left[i].volume == volume)
            add_row(u, &s->left[i]);
        else
            s->left[n++] = s->left[i];
    }
    s->n_left = n;
}

static void settle_returned(struct storage *s, struct volume *v)
{
    struct unsettled u = {0};
    struct err err = {0};
    struct doomed_query q = {&u, atomic_load(&v->key)};
    if (catalogue_read(s->catalogue, job_list_doomed, &q, &err) < 0)
        log_error("storage", "recovery: %s", err.msg);
    take_left(s, q.volume, &u);
    size_t n_settled = settle_all(s, &u);
    if (u.n > 0)
        log_info(v->path, "settled %zu of %zu files that were left while it could not be used",
                 n_settled, u.n);
    free(u.rows);
}

void storage__recover_returned(struct storage *s, bool is_by_age)
{
    if (is_by_age && s->is_recovery_refused) {
        s->is_recovery_refused = false;
        memset(s->was_usable, 0, sizeof s->was_usable);
    }
    for (size_t i = 0; i < s->n_volumes && !atomic_load(&s->is_closing); i++) {
        bool is_returned = is_usable(s, s->volumes[i]) && !s->was_usable[i];
        s->was_usable[i] = is_usable(s, s->volumes[i]);
        if (is_returned)
            settle_returned(s, s->volumes[i]);
    }
}

void storage__recovery_fini(struct storage *s)
{
    FREE(&s->left);
    s->n_left = 0;
}
