/* Thinning: what is older than some days shrinks to its key frames, or to what is near motion.
 *
 * Procedure for key frames, some segments at a time: 1 rows of unsettled files that are doomed from
 * the start (durable) · 2 their twins are written, synced, and read back · 3 one transaction puts
 * the twin's row in the place of the whole one's, whose file is doomed, unless somebody holds it by
 * now (durable) · 4 the next time round the doomed files are unlinked, so that who has just looked
 * one up can still open it · 5 the doomed rows go. Killed before 3 recovery removes the twin, after
 * 3 the whole one.
 *
 * With THIN_MOTION whole segments go: those of which it is known that analysis watched the camera
 * and saw nothing, from the length of a segment before until one after. What led to a motion and
 * what followed it belongs to it, and files are cut anywhere. Deleting is as in retention.c.
 *
 * It works a fifth of the time at most, however slow the disk is, and not at all while a volume
 * runs out of space or has much to write. */
#include "storage/storage_priv.h"

#include <errno.h>

#include "base/log.h"
#include "storage/candidates.h"
#include "storage/db_watched.h"
#include "storage/repair.h"
#include "storage/thin.h"

enum { BATCH = 8, PART = 64, REST_MS = 1000, IDLE_MS = 60000, WORK_SHARE = 5 };

#define FORGET_US  (INT64_C(86400) * US_PER_S)
#define BUSY_BYTES (8 << 20) /* that wait to be written to a volume */

enum twin_state { TWIN_NONE, TWIN_WRITTEN, TWIN_DONE, TWIN_NOT_NEEDED };

/* A segment on its way. */
struct twin {
    struct segment_row whole, thin;
    struct volume *volume;
    enum twin_state state;
};

struct thinning {
    struct storage *storage;
    struct timer tick;
    struct frontier frontier;
    struct candidates chosen;
    struct twin twins[BATCH];
    size_t n;
    struct segment_row doomed[CANDIDATES_MAX]; /* to be unlinked the next time */
    size_t n_doomed;
    int64_t forget_mono_us;
    uint64_t seen_hold_changes;
};

/* --- 4 and 5: the files that are doomed --- */

static int job_forget(struct db *db, void *ctx, struct err *err)
{
    struct thinning *t = ctx;
    int rc = 0;
    for (size_t i = 0; i < t->n_doomed && rc == 0; i++)
        if (!t->doomed[i].is_doomed)
            rc = db_segment_forget(db, &t->doomed[i], err);
    return rc;
}

static void remove_doomed(struct thinning *t)
{
    struct err err = {0};
    bool is_concerned[STORAGE_MAX_VOLUMES] = {false};
    struct storage *s = t->storage;
    for (size_t i = 0; i < t->n_doomed; i++) {
        struct segment_row *row = &t->doomed[i];
        row->is_doomed = !storage__unlink(s, row);
        for (size_t k = 0; k < s->n_volumes; k++)
            is_concerned[k] |= atomic_load(&s->volumes[k]->key) == row->volume;
    }
    /* what a power cut brought back would have no row */
    for (size_t k = 0; k < s->n_volumes; k++) {
        struct volume *v = s->volumes[k];
        if (!is_concerned[k] || volume__sync_apart(v) == 0)
            continue;
        for (size_t i = 0; i < t->n_doomed; i++)
            t->doomed[i].is_doomed |= t->doomed[i].volume == atomic_load(&v->key);
    }
    if (t->n_doomed > 0 && catalogue_write(s->catalogue, job_forget, t, &err) < 0)
        log_error("thinning", "%s", err.msg);
    t->n_doomed = 0;
}

/* --- 1: choosing, and rows for the twins --- */

static int job_choose(struct db *db, void *ctx, struct err *err)
{
    struct thinning *t = ctx;
    struct storage *s = t->storage;
    const struct candidates_query q = {.now_us = clock_wall_us(s->clock),
                                       .default_days = s->thin_after_days,
                                       .is_thinning = true,
                                       .limit = s->thin_keep == THIN_KEYFRAMES ? BATCH : PART};
    return candidates_find(db, &t->frontier, &q, &t->chosen, err);
}

static int job_get(struct db *db, void *ctx, struct err *err)
{
    struct segment_row *row = ctx;
    return db_segment_get(db, &row->id, row, err);
}

static int job_is_taken(struct db *db, void *ctx, struct err *err)
{
    const struct segment_id *id = ctx;
    struct segment_row other;
    return db_segment_get(db, id, &other, err);
}

/* Of a twin: numbers begin anew with every start, and two segments may begin together. A file of
 * that name would be taken for what is left of the twin. */
static void choose_number(struct storage *s, struct segment_id *id)
{
    int64_t whole_n = id->n;
    do {
        id->n = atomic_fetch_add(&s->next_n, 1);
    } while (id->n == whole_n || catalogue_read(s->catalogue, job_is_taken, id, NULL) == 0);
}

/* Everything about those whose volume is there, and a number for the twin that is free. */
static void take_chosen(struct thinning *t)
{
    struct storage *s = t->storage;
    t->n = 0;
    for (size_t i = 0; i < t->chosen.n; i++) {
        struct twin *w = &t->twins[t->n];
        *w = (struct twin){.whole = t->chosen.rows[i]};
        w->volume = storage__volume(s, w->whole.volume);
        if (w->volume == NULL || !volume_is_ok(w->volume) ||
            catalogue_read(s->catalogue, job_get, &w->whole, NULL) < 0)
            continue;
        w->thin = w->whole;
        w->thin.chain = (struct segment_chain){0}; /* the run goes on with the link it had */
        w->thin.is_thinned = true;
        choose_number(s, &w->thin.id);
        t->n++;
    }
}

static int job_announce(struct db *db, void *ctx, struct err *err)
{
    struct thinning *t = ctx;
    int rc = 0;
    for (size_t i = 0; i < t->n && rc == 0; i++)
        rc = db_segment_announce(db, &t->twins[i].thin, err);
    return rc;
}

/* --- 2: the files --- */

static void write_twins(struct thinning *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct twin *w = &t->twins[i];
        struct volume *v = w->volume;
        struct err err = {0};
        int rc = atomic_load(&t->storage->is_closing)
                     ? ERR_CLOSED
                     : thin_segment(v->io, v->dirfd, v->chain, &w->whole, &w->thin, &err);
        if (rc == 0)
            w->state = TWIN_WRITTEN;
        else if (rc == ERR_UNSUPPORTED)
            w->state = TWIN_NOT_NEEDED;
        else if (rc != ERR_CLOSED)
            log_warn("thinning", "%s", err.msg);
    }
}

static bool is_readable(const struct twin *w)
{
    char path[SEGMENT_PATH_BYTES];
    struct segment_row seen = w->thin;
    struct err err = {0};
    if (inspect_segment(w->volume->dirfd, segment_path(&w->thin.id, path), true, &seen, &err) ==
            0 &&
        seen.bytes == w->thin.bytes && seen.frames == w->thin.frames && seen.is_thinned)
        return true;
    log_error(path, "was not written as it should be: %s", err.msg);
    return false;
}

/* Durable, and read back: what they replace is gone for ever. */
static void sync_twins(struct thinning *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct twin *w = &t->twins[i];
        bool is_synced = false;
        for (size_t k = 0; k < i; k++)
            is_synced |= t->twins[k].volume == w->volume && t->twins[k].state == TWIN_WRITTEN;
        if (w->state != TWIN_WRITTEN)
            continue;
        struct volume *v = w->volume;
        if ((!is_synced && volume__sync_apart(v) < 0) || !is_readable(w))
            w->state = TWIN_NONE;
    }
}

/* --- 3: one takes the place of the other --- */

static int job_replace(struct db *db, void *ctx, struct err *err)
{
    struct thinning *t = ctx;
    int64_t now_us = clock_wall_us(t->storage->clock);
    int rc = 0;
    for (size_t i = 0; i < t->n && rc >= 0; i++) {
        struct twin *w = &t->twins[i];
        if (w->state == TWIN_NOT_NEEDED)
            rc = db_segment_mark_thinned(db, &w->whole, err);
        if (w->state != TWIN_WRITTEN)
            continue;
        rc = db_segment_replace(db, &w->whole, &w->thin, now_us, err);
        if (rc == 1)
            w->state = TWIN_DONE;
    }
    return rc < 0 ? rc : 0;
}

static void finish(struct thinning *t)
{
    int64_t freed_bytes = 0;
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct twin *w = &t->twins[i];
        bool is_done = w->state == TWIN_DONE;
        t->doomed[t->n_doomed++] = is_done ? w->whole : w->thin;
        n += is_done;
        freed_bytes += is_done ? w->whole.bytes - w->thin.bytes : 0;
    }
    if (n > 0)
        log_info("thinning", "%zu segments, %lld MB less", n, (long long)(freed_bytes >> 20));
}

static int thin_chosen(struct thinning *t, struct err *err)
{
    struct catalogue *c = t->storage->catalogue;
    take_chosen(t);
    int rc = t->n > 0 ? catalogue_write(c, job_announce, t, err) : 0;
    if (rc < 0 || t->n == 0)
        return rc;
    write_twins(t);
    sync_twins(t);
    rc = catalogue_write(c, job_replace, t, err);
    if (rc < 0)
        for (size_t i = 0; i < t->n; i++)
            t->twins[i].state = TWIN_NONE; /* nothing was replaced */
    finish(t);
    return rc;
}

/* --- without motion --- */

/* Longer than a key frame, a quiet time and a beat of watching. */
#define MARGIN_MIN_US (60 * US_PER_S)

/* Events of earlier are forgotten already. */
static bool is_known(const struct thinning *t, int64_t from_us)
{
    int64_t keep_us = (int64_t)t->storage->retention_days * 86400 * US_PER_S;
    return from_us >= clock_wall_us(t->storage->clock) - keep_us;
}

static int job_doom_still(struct db *db, void *ctx, struct err *err)
{
    struct thinning *t = ctx;
    int64_t now_us = clock_wall_us(t->storage->clock);
    int rc = 0;
    t->n_doomed = 0;
    for (size_t i = 0; i < t->chosen.n && rc >= 0; i++) {
        const struct segment_row *row = &t->chosen.rows[i];
        int64_t margin_us = MAX(row->to_us - row->id.from_us, MARGIN_MIN_US);
        int64_t from_us = row->id.from_us - margin_us, to_us = row->to_us + margin_us;
        if (!is_known(t, from_us))
            continue;
        rc = db_watched_still(db, row->camera, from_us, to_us, err);
        if (rc == 1)
            rc = db_segment_doom(db, row, "thinned", now_us, err);
        if (rc == 1)
            t->doomed[t->n_doomed++] = *row;
    }
    return rc < 0 ? rc : 0;
}

static int drop_still(struct thinning *t, struct err *err)
{
    int rc = catalogue_write(t->storage->catalogue, job_doom_still, t, err);
    if (rc < 0)
        t->n_doomed = 0;
    else if (t->n_doomed > 0)
        log_info("thinning", "deleted %zu segments without motion", t->n_doomed);
    return rc;
}

/* --- when --- */

/* Recording and its space come first. */
static bool is_busy(const struct storage *s)
{
    for (size_t i = 0; i < s->n_volumes; i++) {
        struct volume *v = s->volumes[i];
        bool is_here = atomic_load(&v->key) != 0;
        if (volume_state(v, clock_mono_us(s->clock)) == VOLUME_STALLED)
            return true;
        if (is_here && (atomic_load(&v->queued_bytes) > BUSY_BYTES ||
                        atomic_load(&v->free_bytes) < volume_reserve_bytes(v)))
            return true;
    }
    return false;
}

static void refresh(struct thinning *t)
{
    int64_t mono_us = clock_mono_us(t->storage->clock);
    uint64_t n_hold_changes = atomic_load(&t->storage->n_hold_changes);
    if (n_hold_changes == t->seen_hold_changes && mono_us < t->forget_mono_us)
        return;
    frontier_reset(&t->frontier);
    t->seen_hold_changes = n_hold_changes;
    t->forget_mono_us = mono_us + FORGET_US;
}

static void on_tick(void *ctx)
{
    struct thinning *t = ctx;
    struct storage *s = t->storage;
    struct err err = {0};
    int64_t start_us = loop_mono_us(s->keeper);
    int64_t wait_us = REST_MS * US_PER_MS;
    if (t->n_doomed > 0 && !is_busy(s))
        remove_doomed(t);
    if (t->n_doomed == 0 && !is_busy(s) && !atomic_load(&s->is_closing)) {
        refresh(t);
        int rc = catalogue_read(s->catalogue, job_choose, t, &err);
        if (rc >= 0 && t->chosen.n > 0)
            rc = s->thin_keep == THIN_KEYFRAMES ? thin_chosen(t, &err) : drop_still(t, &err);
        if (rc < 0) {
            log_error("thinning", "%s", err.msg);
            frontier_reset(&t->frontier);
        }
        if (rc < 0 || (!t->chosen.is_cut && t->n_doomed == 0))
            wait_us = IDLE_MS * US_PER_MS;
    }
    int64_t worked_us = clock_mono_us(loop_clock(s->keeper)) - start_us;
    timer_arm_us(&t->tick, MAX(wait_us, worked_us * (WORK_SHARE - 1)));
}

void thinning__start(struct storage *s)
{
    if (s->thin_after_days <= 0)
        return;
    struct thinning *t = s->thinning = xcalloc(1, sizeof *t);
    t->storage = s;
    timer_init(&t->tick, s->keeper, on_tick, t);
    timer_arm_ms(&t->tick, 1);
}

void thinning__stop(struct storage *s)
{
    if (s->thinning == NULL)
        return;
    timer_disarm(&s->thinning->tick);
    frontier_fini(&s->thinning->frontier);
    FREE(&s->thinning);
}
