/* `rookery index check` and `rebuild`: what is looked at, in which order. Blocks. Checking may go
 * on beside a server that records; rebuilding may not. */
#include "storage/chain_check.h"
#include "storage/db_check.h"
#include "storage/index_unsettled.h"
#include "storage/index_walk.h"
#include "storage/storage_priv.h"

enum { PAGE_ROWS = 1000 };

/* What is older has its rows, if there are any. */
#define SETTLED_US (2 * SEGMENT_LIMIT_US)

static void on_contradiction(void *ctx, const char *what, bool is_note)
{
    struct index_walk *w = ctx;
    w->report->n_broken += !is_note;
    w->report->n_notes += is_note;
    index_walk_tell(w, "index", what);
}

static int job_contradictions(struct db *db, void *ctx, struct err *err)
{
    struct index_walk *w = ctx;
    int64_t older_us = clock_wall_us(w->storage->clock) - SETTLED_US;
    return db_check_rows(db, older_us, on_contradiction, w, err);
}

/* --- deep: the hash chains, in the order of the rows --- */

struct chain_walk {
    struct chain_check check;
    struct segment_row after; /* the page of rows goes on here */
    struct segment_row page[PAGE_ROWS];
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
    return db_segments_page(db, &c->after, PAGE_ROWS, add_to_page, c, err);
}

static int check_chains(const struct index_walk *w, struct err *err)
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
    } while (rc >= 0 && c->n_page == PAGE_ROWS);
    if (rc >= 0)
        rc = chain_check_finish(&c->check, err);
    chain_check_fini(&c->check);
    free(c);
    return rc < 0 ? rc : 0;
}

int storage_index_check(struct storage *s, bool is_deep, index_problem_fn *fn, void *ctx,
                        struct index_report *out, struct err *err)
{
    struct index_walk w = {.storage = s, .is_deep = is_deep, .fn = fn, .ctx = ctx, .report = out};
    *out = (struct index_report){0};
    int rc = catalogue_read(s->catalogue, job_contradictions, &w, err);
    if (rc >= 0)
        rc = index_unsettled_check(s, fn, ctx, out, err);
    if (rc >= 0 && is_deep)
        rc = check_chains(&w, err);
    return rc < 0 ? rc : index_walk_run(&w, err);
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
    struct index_walk w = {.storage = s, .is_rebuild = true, .fn = fn, .ctx = ctx, .report = out};
    *out = (struct index_report){0};
    int rc = all_mounted(s, err);
    if (rc == 0)
        rc = index_walk_run(&w, err);
    out->n_segments = out->n_adopted;
    return rc < 0 ? rc : 0;
}

void storage_index_on_progress(struct storage *s, index_progress_fn *fn, void *ctx)
{
    s->index_progress = fn;
    s->index_ctx = ctx;
}
