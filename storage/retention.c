/* Deleting: what is older than its camera keeps, and the oldest of a volume that runs out of space.
 * Held segments are never chosen. A round is bounded, so that stopping and recovery are quick.
 *
 * Procedure: 1 one transaction takes the rows away, enters them in the ledger and calls the files
 * doomed (durable) · 2 the files are unlinked and their volumes synced (durable) · 3 the doomed
 * rows go. Killed after 1: recovery unlinks. */
#include "storage/storage_priv.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "base/str.h"
#include "storage/candidates.h"
#include "storage/db_chains.h"
#include "storage/db_events.h"
#include "storage/db_holds.h"
#include "storage/db_segments.h"
#include "storage/db_watched.h"

enum { EVENTS_MAX = 5000, PART_ROWS = 64 };

/* Bounds are forgotten so often, in case something came to lie in front of one after all. */
#define FORGET_US (INT64_C(86400) * US_PER_S)

struct round {
    struct storage *storage;
    struct volume *volume; /* NULL = by age */
    const char *why;
    int64_t wanted_bytes; /* by space only */
    struct candidates chosen;
    bool is_doomed[CANDIDATES_MAX]; /* of those chosen, while they are */
    size_t from, to;                /* the part that is being written */
};

static struct frontier *frontier_of(struct storage *s, const struct volume *v)
{
    for (size_t i = 0; i < s->n_volumes; i++)
        if (s->volumes[i] == v)
            return &s->by_space[i];
    return &s->by_age;
}

static int job_choose(struct db *db, void *ctx, struct err *err)
{
    struct round *r = ctx;
    struct storage *s = r->storage;
    struct candidates_query q = {.now_us = clock_wall_us(s->clock),
                                 .volume = r->volume != NULL ? atomic_load(&r->volume->key) : 0,
                                 .wanted_bytes = r->wanted_bytes,
                                 .default_days = s->retention_days};
    int64_t held_bytes = 0;
    int rc = candidates_find(db, frontier_of(s, r->volume), &q, &r->chosen, err);
    if (rc == 0 && r->volume != NULL && r->chosen.n == 0)
        rc = db_holds_bytes(db, q.volume, &held_bytes, err);
    if (r->volume != NULL)
        atomic_store(&r->volume->held_bytes, held_bytes);
    return rc;
}

static int job_doom(struct db *db, void *ctx, struct err *err)
{
    struct round *r = ctx;
    int64_t now_us = clock_wall_us(r->storage->clock);
    int rc = 0;
    for (size_t i = r->from; i < r->to && rc >= 0; i++) {
        rc = db_segment_doom(db, &r->chosen.rows[i], r->why, now_us, err);
        r->is_doomed[i] = rc == 1;
    }
    return rc < 0 ? rc : 0;
}

static int job_forget(struct db *db, void *ctx, struct err *err)
{
    struct round *r = ctx;
    int rc = 0;
    for (size_t i = r->from; i < r->to && rc == 0; i++)
        if (!r->chosen.rows[i].is_doomed) /* stays: its volume is away */
            rc = db_segment_forget(db, &r->chosen.rows[i], err);
    return rc;
}

/* In transactions so short that rows of recording, which come in between, wait for milliseconds. */
static int write_in_parts(struct round *r, catalogue_fn *fn, struct err *err)
{
    int rc = 0;
    for (size_t at = 0; at < r->chosen.n && rc >= 0; at += PART_ROWS) {
        r->from = at;
        r->to = MIN(at + PART_ROWS, r->chosen.n);
        rc = catalogue_write(r->storage->catalogue, fn, r, err);
    }
    return rc;
}

/* What was held since it was chosen drops out of the round, and what could not be written: then the
 * parts before it are doomed all the same. */
static int doom(struct round *r, struct err *err)
{
    size_t n = 0;
    int rc = write_in_parts(r, job_doom, err);
    for (size_t i = r->from; i < r->to && rc < 0; i++)
        r->is_doomed[i] = false;
    for (size_t i = 0; i < r->chosen.n; i++)
        if (r->is_doomed[i])
            r->chosen.rows[n++] = r->chosen.rows[i];
    r->chosen.n = n;
    return rc;
}

/* Directories of days that are empty now go too; others refuse. */
static void remove_parents(int dirfd, char *path)
{
    for (int level = 0; level < 3; level++) {
        char *cut = strrchr(path, '/');
        if (cut == NULL)
            return;
        *cut = '\0';
        if (unlinkat(dirfd, path, AT_REMOVEDIR) < 0)
            return;
    }
}

bool storage__unlink(struct storage *s, const struct segment_row *row)
{
    char path[SEGMENT_PATH_BYTES];
    struct volume *v = storage__volume(s, row->volume);
    segment_path(&row->id, path);
    if (v == NULL || (unlinkat(v->dirfd, path, 0) < 0 && errno != ENOENT)) {
        log_warn(path, "cannot be removed yet");
        return false;
    }
    remove_parents(v->dirfd, path);
    return true;
}

static void unlink_files(struct round *r)
{
    for (size_t i = 0; i < r->chosen.n; i++)
        r->chosen.rows[i].is_doomed = !storage__unlink(r->storage, &r->chosen.rows[i]);
}

/* What a power cut brought back would have no row. */
static void sync_volumes(struct round *r)
{
    struct storage *s = r->storage;
    struct candidates *c = &r->chosen;
    for (size_t i = 0; i < s->n_volumes; i++) {
        struct volume *v = s->volumes[i];
        bool is_concerned = false;
        for (size_t k = 0; k < c->n && !is_concerned; k++)
            is_concerned = !c->rows[k].is_doomed && c->rows[k].volume == atomic_load(&v->key);
        int rc = is_concerned ? volume__sync_apart(v) : 0;
        if (rc == 0)
            continue;
        log_warn(v->path, "sync: %s", err_name(rc));
        for (size_t k = 0; k < c->n; k++)
            c->rows[k].is_doomed |= c->rows[k].volume == atomic_load(&v->key);
    }
}

static int delete_chosen(struct round *r, struct err *err)
{
    int rc = catalogue_read(r->storage->catalogue, job_choose, r, err);
    if (rc < 0 || r->chosen.n == 0)
        return rc;
    rc = doom(r, err);
    unlink_files(r);
    sync_volumes(r);
    int forget_rc = write_in_parts(r, job_forget, rc < 0 ? NULL : err);
    if (r->chosen.n > 0)
        log_info("retention", "deleted %zu segments, %lld MB: %s", r->chosen.n,
                 (long long)(r->chosen.bytes >> 20), r->why);
    return rc < 0 ? rc : forget_rc;
}

static bool run_round(struct storage *s, struct volume *v, const char *why, int64_t wanted_bytes)
{
    struct err err = {0};
    struct round *r = xcalloc(1, sizeof *r);
    *r = (struct round){.storage = s, .volume = v, .why = why, .wanted_bytes = wanted_bytes};
    bool has_more = false;
    if (delete_chosen(r, &err) < 0) {
        log_error("retention", "%s", err.msg);
        frontier_reset(frontier_of(s, v));
    } else {
        has_more = r->chosen.is_cut;
    }
    if (v != NULL)
        atomic_store(&v->is_exhausted, r->chosen.n == 0 && !has_more);
    free(r);
    return has_more;
}

/* A little more than the reserve, so that the next segment does not call for the next round. */
static int64_t missing_bytes(struct volume *v)
{
    int64_t total, free_bytes, reserve = volume_reserve_bytes(v);
    if (v->io->space(v->io, v->dirfd, &total, &free_bytes) < 0 || free_bytes >= reserve)
        return 0;
    return reserve - free_bytes + MIN(reserve / 20, INT64_C(1) << 30) + 1;
}

static int job_expire_events(struct db *db, void *ctx, struct err *err)
{
    const struct storage *s = ctx;
    int64_t keep_us = (int64_t)s->retention_days * 86400 * US_PER_S;
    int64_t before_us = clock_wall_us(s->clock) - keep_us;
    int n = db_watched_expire(db, before_us, EVENTS_MAX, err);
    return n < 0 ? n : MAX(db_events_expire(db, before_us, EVENTS_MAX, err), n);
}

/* What was seen in pictures goes with them. */
static bool expire_events(struct storage *s)
{
    struct err err = {0};
    int n = catalogue_write(s->catalogue, job_expire_events, s, &err);
    if (n < 0)
        log_error("retention", "events: %s", err.msg);
    return n == EVENTS_MAX;
}

static int job_refresh(struct db *db, void *ctx, struct err *err)
{
    struct storage *s = ctx;
    const struct candidates_query q = {.default_days = s->retention_days};
    return candidates_refresh(db, &s->by_age, &q, err);
}

static int job_expire_chains(struct db *db, void *ctx, struct err *err)
{
    const struct storage *s = ctx;
    int64_t keep_us = (int64_t)s->retention_days * 86400 * US_PER_S;
    return db_chains_expire(db, clock_wall_us(s->clock) - keep_us, err);
}

/* What is too old is looked for every minute; then cameras and their days are read as well. */
static void refresh_frontiers(struct storage *s, bool is_by_age)
{
    int64_t now_us = clock_wall_us(s->clock), mono_us = clock_mono_us(s->clock);
    struct err err = {0};
    uint64_t n_hold_changes = atomic_load(&s->n_hold_changes);
    if (n_hold_changes != s->seen_hold_changes || now_us < s->seen_wall_us - US_PER_S ||
        mono_us >= s->forget_mono_us) {
        frontier_reset(&s->by_age);
        for (size_t i = 0; i < s->n_volumes; i++)
            frontier_reset(&s->by_space[i]);
        if (mono_us >= s->forget_mono_us &&
            catalogue_write(s->catalogue, job_expire_chains, s, &err) < 0)
            log_error("retention", "%s", err.msg);
        if (mono_us >= s->forget_mono_us) /* what could not be removed is tried once more */
            memset(s->was_usable, 0, sizeof s->was_usable);
        s->forget_mono_us = mono_us + FORGET_US;
    }
    s->seen_wall_us = now_us;
    s->seen_hold_changes = n_hold_changes;
    if (is_by_age && catalogue_read(s->catalogue, job_refresh, s, &err) < 0)
        log_error("retention", "%s", err.msg);
}

void storage__retention_fini(struct storage *s)
{
    frontier_fini(&s->by_age);
    for (size_t i = 0; i < s->n_volumes; i++)
        frontier_fini(&s->by_space[i]);
}

/* A disk that does not answer would keep us from the others. */
static bool is_stalled(const struct storage *s, const struct volume *v)
{
    return volume_state(v, clock_mono_us(s->clock)) == VOLUME_STALLED;
}

static bool is_any_stalled(const struct storage *s)
{
    for (size_t i = 0; i < s->n_volumes; i++)
        if (is_stalled(s, s->volumes[i]))
            return true;
    return false;
}

bool storage__retain(struct storage *s, bool is_by_age)
{
    refresh_frontiers(s, is_by_age);
    bool has_more = is_by_age && !is_any_stalled(s) && run_round(s, NULL, "expired", 0);
    has_more |= is_by_age && expire_events(s);
    for (size_t i = 0; i < s->n_volumes && !atomic_load(&s->is_closing); i++) {
        struct volume *v = s->volumes[i];
        if (atomic_load(&v->key) == 0 || is_stalled(s, v))
            continue;
        int64_t wanted = missing_bytes(v);
        if (wanted > 0)
            has_more |= run_round(s, v, "space", wanted);
        else
            atomic_store(&v->is_exhausted, false);
    }
    return has_more && !atomic_load(&s->is_closing);
}
