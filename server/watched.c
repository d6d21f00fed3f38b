#include "server/watched.h"

#include "base/log.h"
#include "base/str.h"
#include "storage/db_watched.h"

#define WRITE_US      (60 * US_PER_S)
#define BEAT_LIMIT_US (30 * US_PER_S) /* a longer silence of ours ends every stretch */
#define KEYS_PER_BEAT 10              /* one a second is all that analysis takes */

struct stretch {
    struct motion_watch_stats seen;
    int64_t noted_us;       /* the newest beat */
    int64_t from_us, to_us; /* 0 = not watched now */
    bool is_dirty;
};

struct watched {
    struct catalogue *catalogue;
    struct map *cameras; /* id → struct stretch, owned */
    int64_t written_us;
};

struct watched *watched_create(struct catalogue *c)
{
    struct watched *w = xcalloc(1, sizeof *w);
    w->catalogue = c;
    w->cameras = map_create();
    return w;
}

void watched_destroy(struct watched **wp)
{
    struct watched *w = *wp;
    size_t pos = 0;
    const char *id;
    void *value;
    if (w == NULL)
        return;
    while (map_next(w->cameras, &pos, &id, &value))
        free(value);
    map_destroy(&w->cameras);
    FREE(wp);
}

/* Enough of what came since the beat before was looked at, and nothing failed. */
static bool is_watched(const struct motion_watch_stats *was, const struct motion_watch_stats *now)
{
    if (now->n_analysed <= was->n_analysed || now->n_keys < was->n_keys ||
        now->n_failed != was->n_failed)
        return false;
    uint64_t n_keys = MIN(now->n_keys - was->n_keys, KEYS_PER_BEAT);
    return (now->n_analysed - was->n_analysed) * 2 >= n_keys;
}

void watched_note(struct watched *w, const char *camera_id, const struct motion_watch_stats *n,
                  int64_t now_us)
{
    struct stretch *s = map_get(w->cameras, camera_id);
    if (s == NULL) {
        s = xcalloc(1, sizeof *s);
        map_put(w->cameras, camera_id, s);
    }
    int64_t since_us = now_us - s->noted_us;
    bool is_on = since_us > 0 && since_us <= BEAT_LIMIT_US && is_watched(&s->seen, n);
    s->seen = *n;
    s->noted_us = now_us;
    if (!is_on) {
        s->from_us = 0;
        return;
    }
    if (s->from_us == 0)
        s->from_us = now_us; /* what was before this beat was not looked at all through */
    s->to_us = now_us;
    s->is_dirty = true;
}

/* --- writing --- */

struct entry {
    char camera_id[65];
    int64_t from_us, to_us;
};

struct writing {
    size_t n;
    struct entry entries[];
};

static int write_all(struct db *db, void *ctx, struct err *err)
{
    const struct writing *wr = ctx;
    int rc = 0;
    for (size_t i = 0; i < wr->n && rc >= 0; i++)
        rc = db_watched_put(db, wr->entries[i].camera_id, wr->entries[i].from_us,
                            wr->entries[i].to_us, err);
    return rc;
}

static int write_and_free(struct db *db, void *ctx, struct err *err)
{
    int rc = write_all(db, ctx, err);
    free(ctx);
    return rc;
}

void watched_write(struct watched *w)
{
    size_t pos = 0, cap = map_count(w->cameras);
    const char *id;
    void *value;
    struct writing *wr = xcalloc(1, sizeof *wr + cap * sizeof wr->entries[0]);
    while (map_next(w->cameras, &pos, &id, &value)) {
        struct stretch *s = value;
        if (!s->is_dirty || s->from_us == 0 || s->to_us <= s->from_us)
            continue;
        s->is_dirty = false;
        struct entry *e = &wr->entries[wr->n++];
        *e = (struct entry){.from_us = s->from_us, .to_us = s->to_us};
        str_copy(e->camera_id, sizeof e->camera_id, id);
    }
    if (wr->n > 0 && catalogue_post(w->catalogue, write_and_free, wr, NULL, NULL) == 0)
        return;
    if (wr->n > 0)
        log_error("catalogue", "too much to write: when cameras were watched is not kept");
    free(wr);
}

void watched_beat(struct watched *w, int64_t now_us)
{
    size_t pos = 0;
    const char *id;
    void *value;
    while (map_next(w->cameras, &pos, &id, &value)) {
        struct stretch *s = value;
        if (s->noted_us != now_us)
            s->from_us = 0;
    }
    if (now_us >= w->written_us && now_us - w->written_us < WRITE_US)
        return;
    w->written_us = now_us;
    watched_write(w);
}
