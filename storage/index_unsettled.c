#include "storage/index_unsettled.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "storage/db_segments.h"
#include "storage/storage_priv.h"

/* An unsettled file older than this is none that a server writes. */
#define LEFT_OVER_US (2 * SEGMENT_LIMIT_US)

struct look {
    struct storage *storage;
    bool is_served;
    int64_t left_over_us; /* of a server that runs: what began before is not being written */
    index_problem_fn *fn;
    void *ctx;
    struct index_report *report;
    uint64_t n_left; /* files for the next start */
};

static void name(struct look *l, const char *path, const char *what)
{
    if (++l->n_left <= INDEX_NAMED_MAX && l->fn != NULL)
        l->fn(l->ctx, path, what);
}

/* The next start settles it. */
static void look_at_left(struct look *l, const struct segment_row *row, bool is_there)
{
    char path[SEGMENT_PATH_BYTES];
    segment_path(&row->id, path);
    if (storage__volume(l->storage, row->volume) == NULL) {
        l->report->n_unsettled++;
        name(l, path,
             "unfinished, on a volume that is not there: settled at the first start of the "
             "server with that volume");
    } else if (is_there) {
        l->report->n_unsettled++;
        name(l, path, "unfinished: settled at the next start of the server");
    } else {
        l->report->n_notes++;
        name(l, path, "was left open and has no file: forgotten at the next start of the server");
    }
}

static int look_at(void *ctx, const struct segment_row *row)
{
    struct look *l = ctx;
    char path[SEGMENT_PATH_BYTES];
    struct stat st;
    const struct volume *v = storage__volume(l->storage, row->volume);
    bool is_there =
        v != NULL && fstatat(v->dirfd, segment_path(&row->id, path), &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (row->is_doomed)
        l->report->n_doomed += is_there;
    else if (l->is_served && row->id.from_us >= l->left_over_us)
        l->report->n_writing += is_there;
    else
        look_at_left(l, row, is_there);
    return 0;
}

static int job_look(struct db *db, void *ctx, struct err *err)
{
    return db_segments_unsettled(db, look_at, ctx, err);
}

int index_unsettled_check(struct storage *s, index_problem_fn *fn, void *ctx,
                          struct index_report *report, struct err *err)
{
    struct look l = {.storage = s,
                     .is_served = catalogue_is_served(s->catalogue),
                     .left_over_us = clock_wall_us(s->clock) - LEFT_OVER_US,
                     .fn = fn,
                     .ctx = ctx,
                     .report = report};
    int rc = catalogue_read(s->catalogue, job_look, &l, err);
    report->is_served = l.is_served;
    if (rc >= 0 && l.n_left > INDEX_NAMED_MAX && fn != NULL) {
        char text[80];
        snprintf(text, sizeof text, "%" PRIu64 " more files are unfinished",
                 l.n_left - INDEX_NAMED_MAX);
        fn(ctx, "index", text);
    }
    return rc < 0 ? rc : 0;
}
