#include "storage/candidates.h"

#include "base/clock.h"

/* Of one search; a volume that many streams left may cost a walk over each of them once. */
enum { LOOKS_MAX = 512, LOOK_ROWS = 64 };

/* The stream that is due first, up to where the second one is due. */
struct look {
    const struct candidates_query *query;
    struct candidates *out;
    struct frontier_stream *stream;
    int64_t until_us; /* begun up to then; the second stream is due afterwards */
    bool is_early;    /* its next segment is not old enough */
    bool is_over;     /* its bound is its next segment */
};

static bool is_enough(const struct look *l)
{
    const struct candidates *c = l->out;
    return c->n == (l->query->limit > 0 ? l->query->limit : CANDIDATES_MAX) ||
           (l->query->volume != 0 && c->bytes >= l->query->wanted_bytes);
}

static int take(void *ctx, const struct segment_row *row)
{
    struct look *l = ctx;
    l->stream->next_us = row->id.from_us;
    l->stream->next_n = row->id.n;
    l->is_early = l->query->volume == 0 && row->to_us + l->stream->keep_us > l->query->now_us;
    l->is_over = l->is_early || row->id.from_us > l->until_us || is_enough(l);
    if (l->is_over)
        return ERR_CLOSED;
    l->out->rows[l->out->n++] = *row;
    l->out->bytes += row->bytes;
    l->stream->next_n++;
    return 0;
}

/* What is recorded from now on, or is being written, lies behind this. */
static int64_t settled_us(int64_t now_us)
{
    return now_us - 2 * SEGMENT_LIMIT_US;
}

static int look_at_first(struct db *db, struct frontier *f, struct look *l, struct err *err)
{
    struct frontier_stream *s = l->stream = frontier_first(f);
    int64_t second_us = frontier_second_us(f);
    l->until_us = second_us == INT64_MAX ? INT64_MAX : second_us - s->keep_us;
    l->is_over = l->is_early = false;
    const struct deletable_query q = {.camera = s->camera,
                                      .stream = s->stream,
                                      .volume = l->query->volume,
                                      .from_us = s->next_us,
                                      .from_n = s->next_n,
                                      .is_whole = l->query->is_thinning,
                                      .limit = LOOK_ROWS};
    int rc = db_segments_deletable(db, &q, take, l, err);
    if (rc < 0 && rc != ERR_CLOSED)
        return rc;
    bool is_empty = rc >= 0 && rc < LOOK_ROWS;
    if (is_empty && s->next_us < settled_us(l->query->now_us)) {
        s->next_us = settled_us(l->query->now_us);
        s->next_n = 0;
    }
    if (is_empty || l->is_early)
        frontier_rest(f);
    else
        frontier_moved(f);
    return 0;
}

static bool is_due(struct frontier *f, const struct candidates_query *q)
{
    const struct frontier_stream *s = frontier_first(f);
    return s != NULL && (q->volume != 0 || s->next_us + s->keep_us <= q->now_us);
}

/* --- the streams --- */

struct refresh {
    struct frontier *frontier;
    const struct candidates_query *query;
};

static void put_camera(void *ctx, int64_t camera, int64_t days)
{
    struct refresh *r = ctx;
    if (r->query->is_thinning)
        days = r->query->default_days;
    for (int stream = 0; stream < 2; stream++)
        frontier_put(r->frontier, camera, stream, r->query->volume == 0 ? days * US_PER_DAY : 0);
}

int candidates_refresh(struct db *db, struct frontier *f, const struct candidates_query *q,
                       struct err *err)
{
    struct refresh r = {f, q};
    frontier_begin(f);
    int rc = db_streams_kept(db, q->default_days, put_camera, &r, err);
    frontier_end(f);
    return rc;
}

static int find_new_cameras(struct db *db, struct frontier *f, const struct candidates_query *q,
                            struct err *err)
{
    int64_t max_camera = 0;
    int rc = db_camera_max(db, &max_camera, err);
    return rc < 0 || max_camera == f->max_camera ? rc : candidates_refresh(db, f, q, err);
}

/* --- finding --- */

int candidates_find(struct db *db, struct frontier *f, const struct candidates_query *q,
                    struct candidates *out, struct err *err)
{
    struct look l = {.query = q, .out = out};
    out->n = 0;
    out->bytes = 0;
    int rc = find_new_cameras(db, f, q, err);
    for (int i = 0; i < LOOKS_MAX && rc == 0 && !is_enough(&l) && is_due(f, q); i++)
        rc = look_at_first(db, f, &l, err);
    out->is_cut = rc == 0 && is_due(f, q) && (q->volume == 0 || out->bytes < q->wanted_bytes);
    if (!out->is_cut)
        frontier_wake(f);
    return rc;
}
