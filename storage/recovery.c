/* After a crash: every file that a row calls unsettled is settled. Safe to be killed at any step:
 * the row of the unsettled file goes last. */
#include "storage/storage_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
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

static int job_finish(struct db *db, void *ctx, struct err *err)
{
    return db_segment_finish(db, ctx, err);
}

static int job_forget(struct db *db, void *ctx, struct err *err)
{
    return db_segment_forget(db, ctx, err);
}

static void remove_file(const struct volume *v, const char *path)
{
    if (unlinkat(v->dirfd, path, 0) < 0 && errno != ENOENT)
        log_warn(path, "cannot be removed: %s", err_name(-errno));
}

/* Returns whether the row was settled. */
static bool recover_one(struct storage *s, struct segment_row *row)
{
    char path[SEGMENT_PATH_BYTES];
    struct err err = {0};
    struct volume *v = storage__volume(s, row->volume);
    if (v == NULL)
        return false; /* its disk is not there: next time */
    segment_path(&row->id, path);
    int rc = ERR_NOT_FOUND;
    if (row->is_doomed)
        remove_file(v, path);
    else
        rc = repair_segment(v->dirfd, path, v->chain, row, &err);
    if (rc < 0 && rc != ERR_NOT_FOUND) {
        log_error(path, "cannot be recovered: %s", err.msg);
        return false;
    }
    rc = catalogue_write(s->catalogue, rc == 0 ? job_finish : job_forget, row, &err);
    if (rc < 0)
        log_error(path, "cannot be settled: %s", err.msg);
    return rc == 0;
}

void storage__recover(struct storage *s)
{
    struct unsettled u = {0};
    struct err err = {0};
    size_t n_settled = 0;
    if (catalogue_read(s->catalogue, job_list, &u, &err) < 0)
        log_error("storage", "recovery: %s", err.msg);
    for (size_t i = 0; i < u.n && !atomic_load(&s->is_closing); i++)
        n_settled += recover_one(s, &u.rows[i]);
    if (u.n > 0)
        log_info("storage", "recovered %zu of %zu files that a crash left open", n_settled, u.n);
    free(u.rows);
}
