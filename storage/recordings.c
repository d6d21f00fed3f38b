/* What of a stream is recorded: rows of the catalogue and what is being written, merged, with the
 * gaps between. */
#include "storage/storage_priv.h"

#include "base/str.h"
#include "storage/db_segments.h"
#include "storage/db_states.h"
#include "storage/found.h"
#include "storage/gaps.h"
#include "storage/list.h"

/* Rotation leaves nothing between; rounding of clocks to ticks may leave this. */
#define ADJACENT_US INT64_C(1000)

/* Pictures newer than this are on their way to the disk: no gap yet. */
#define PENDING_US INT64_C(10000000)

/* A run that died is noticed by its missing sign of life. */
#define RUN_ALIVE_US INT64_C(60000000)

struct query {
    const char *camera_id;
    enum stream_kind stream;
    int64_t from_us, to_us, now_us;
    struct facts facts;
    int64_t run_end_us; /* of the newest run seen */
    bool is_run_clean;
};

/* Where nobody asked for recordings that is why there are none, whatever the camera did. */
static const char *cause_of(const struct state_row *row)
{
    bool says_so = strcmp(row->cause, "disabled") == 0 || strcmp(row->cause, "idle") == 0;
    return row->is_unasked && !says_so ? "not_recorded" : row->cause;
}

static int add_state(void *ctx, const struct state_row *row)
{
    struct query *q = ctx;
    if (row->stream == q->stream)
        facts_add(&q->facts, FACT_STATE, row->from_us,
                  row->to_us != 0 ? row->to_us : MAX(q->now_us, row->from_us + 1), cause_of(row));
    return 0;
}

static int add_run(void *ctx, const struct run_row *row)
{
    struct query *q = ctx;
    if (q->run_end_us != 0)
        facts_add(&q->facts, FACT_STOPPED, q->run_end_us, row->from_us, "server_stopped");
    q->run_end_us = row->to_us;
    q->is_run_clean = row->is_clean;
    return 0;
}

static int add_deletion(void *ctx, int64_t from_us, int64_t to_us, const char *why)
{
    struct query *q = ctx;
    if (strcmp(why, "thinned") == 0) {
        facts_add(&q->facts, FACT_THINNED, from_us, to_us, why);
        return 0;
    }
    bool is_ours =
        strcmp(why, "expired") == 0 || strcmp(why, "space") == 0 || strcmp(why, "missing") == 0;
    /* who deleted by hand is in the ledger */
    facts_add(&q->facts, FACT_DELETED, from_us, to_us, is_ours ? why : "deleted");
    return 0;
}

/* A disk that fails for longer is told by the camera's states, which come some seconds late. */
#define DISK_EDGE_US (10 * US_PER_S)

/* NULL: neither the end of the segment nor how the next one began tells. A camera leaves a disk
 * without a gap, unless the disk lost what it had. */
static const char *cause_between(const struct segment_row *row, const struct segment_row *next)
{
    if (row->ended == SEGMENT_HOLE)
        return "timeout";
    if (row->ended == SEGMENT_NO_KEY)
        return "no_keyframe";
    bool is_disk = row->ended == SEGMENT_DISK || next->began == SEGMENT_DISK;
    return is_disk || next->began == SEGMENT_MOVED ? "disk" : NULL;
}

/* The end of what a server recorded when it was stopped lies a picture behind that, and so may lie
 * behind the start of the next one. */
#define LAST_PICTURE_US (2 * US_PER_S)

static bool has_just_started(const struct query *q, int64_t at_us)
{
    for (size_t i = 0; i < q->facts.n; i++) {
        const struct fact *fact = &q->facts.list[i];
        if (fact->kind == FACT_STOPPED && fact->to_us <= at_us &&
            at_us - fact->to_us < LAST_PICTURE_US)
            return true;
    }
    return false;
}

/* What the recorder saw while the source stayed up: why pictures are missing inside a segment, and
 * behind it. */
static void add_edges(struct query *q, const struct found *found)
{
    for (size_t i = 0; i < found->n; i++) {
        const struct segment_row *row = &found->list[i].row;
        for (size_t k = 0; k < row->holes.n; k++)
            facts_add(&q->facts, FACT_HOLE, row->holes.list[k].from_us, row->holes.list[k].to_us,
                      "timeout");
        if (i + 1 == found->n)
            continue;
        const struct segment_row *next = &found->list[i + 1].row;
        const char *cause = cause_between(row, next);
        if (row->ended == SEGMENT_STOPPED && has_just_started(q, row->to_us))
            cause = "server_stopped";
        int64_t to_us = next->id.from_us;
        if (cause != NULL && strcmp(cause, "disk") == 0)
            to_us = MIN(to_us, row->to_us + DISK_EDGE_US);
        if (cause != NULL && to_us > row->to_us)
            facts_add(&q->facts, FACT_EDGE, row->to_us, to_us, cause);
    }
}

static int job_facts(struct db *db, void *ctx, struct err *err)
{
    struct query *q = ctx;
    int rc = db_states_in(db, q->camera_id, q->from_us, q->to_us, add_state, q, err);
    if (rc >= 0)
        rc = db_runs_in(db, q->from_us, q->to_us, add_run, q, err);
    if (rc >= 0)
        rc = db_deletions_in(db, q->camera_id, q->stream, q->from_us, q->to_us, add_deletion, q,
                             err);
    if (rc < 0)
        return rc;
    bool is_over = q->is_run_clean || q->now_us - q->run_end_us > RUN_ALIVE_US;
    if (q->run_end_us != 0 && is_over)
        facts_add(&q->facts, FACT_STOPPED, q->run_end_us, q->now_us, "server_stopped");
    return 0;
}

static struct span_row *add_span(struct recordings *out, int64_t from_us, int64_t to_us)
{
    struct span_row *last = out->n_spans > 0 ? &out->spans[out->n_spans - 1] : NULL;
    if (last != NULL && from_us <= last->to_us + ADJACENT_US) {
        last->to_us = MAX(last->to_us, to_us);
        return last;
    }
    out->spans = list_room(out->spans, out->n_spans, sizeof *out->spans);
    last = &out->spans[out->n_spans++];
    *last = (struct span_row){.from_us = from_us, .to_us = to_us};
    return last;
}

/* Bytes and pictures are counted per segment: a span that follows a hole inside it shows none. */
static void add_spans(struct recordings *out, const struct segment_row *row)
{
    for (size_t i = 0; i <= row->holes.n; i++) {
        struct segment_hole piece = segment_row_piece(row, i);
        struct span_row *span = add_span(out, piece.from_us, piece.to_us);
        if (i > 0)
            continue;
        span->bytes += row->bytes;
        span->frames += row->frames;
        span->lost_packets += row->lost_packets;
    }
}

/* A span outside of what was asked for, of a segment that is inside. */
static void keep_inside(struct recordings *out, int64_t from_us, int64_t to_us)
{
    size_t n = 0;
    for (size_t i = 0; i < out->n_spans; i++) {
        struct span_row span = out->spans[i];
        span.from_us = MAX(span.from_us, from_us);
        span.to_us = MIN(span.to_us, to_us);
        if (span.to_us > span.from_us)
            out->spans[n++] = span;
    }
    out->n_spans = n;
}

static struct found_segment *insert(struct found *f, size_t at, const struct found_segment *segment)
{
    f->list = list_room(f->list, f->n, sizeof *f->list);
    memmove(&f->list[at + 1], &f->list[at], (f->n - at) * sizeof *f->list);
    f->n++;
    f->list[at] = *segment;
    return &f->list[at];
}

/* A gap that reaches over an edge of the range has its cause from the segment behind that edge. One
 * whose volume is not there tells nothing. */
static int add_neighbours(struct storage *s, const struct query *q, struct found *found,
                          struct err *err)
{
    struct found_one one;
    int rc = 0;
    if (found->n == 0 || found->list[0].row.id.from_us > q->from_us) {
        rc = found_one(s, q->camera_id, q->stream, FOUND_BEFORE, q->from_us, INT64_MIN, &one, err);
        if (rc == 1 && !one.is_passed_over)
            insert(found, 0, &one.segment);
    }
    if (rc < 0 || (found->n > 0 && found->list[found->n - 1].row.to_us >= q->to_us))
        return rc == ERR_NOT_FOUND ? 0 : rc;
    rc = found_one(s, q->camera_id, q->stream, FOUND_FROM, q->to_us, INT64_MIN, &one, err);
    if (rc == 1 && !one.is_passed_over)
        insert(found, found->n, &one.segment);
    return rc == ERR_NOT_FOUND || rc > 0 ? 0 : rc;
}

/* What is on its way to the disk is no gap: after the newest pictures, not between older ones. */
static int64_t gaps_until(const struct query *q, const struct found *found)
{
    int64_t until_us = MIN(q->to_us, q->now_us);
    const struct found_segment *last = found->n > 0 ? &found->list[found->n - 1] : NULL;
    if (last != NULL && last->is_open && until_us > last->row.to_us &&
        until_us - last->row.to_us < PENDING_US)
        until_us = last->row.to_us;
    return MAX(until_us, q->from_us);
}

int storage_recordings(struct storage *s, const char *camera_id, const char *stream,
                       int64_t from_us, int64_t to_us, struct recordings *out, struct err *err)
{
    struct query q = {.camera_id = camera_id,
                      .from_us = from_us,
                      .to_us = to_us,
                      .now_us = clock_wall_us(s->clock)};
    struct found found = {0};
    int64_t until_us = to_us;
    *out = (struct recordings){0};
    int rc = stream_kind_parse(stream != NULL ? stream : "main", &q.stream);
    if (rc < 0 || to_us <= from_us)
        return err_text(err, ERR_INVALID,
                        "a stream is main or sub, and a range ends after it begins");
    rc = found_search(s, camera_id, q.stream, from_us, to_us, &found, err);
    if (rc >= 0)
        rc = catalogue_read(s->catalogue, job_facts, &q, err);
    if (rc == ERR_NOT_FOUND && found.n > 0) /* its first segment is being written */
        rc = 0;
    if (rc >= 0) {
        for (size_t i = 0; i < found.n; i++)
            add_spans(out, &found.list[i].row);
        until_us = gaps_until(&q, &found);
        rc = add_neighbours(s, &q, &found, err);
    }
    if (rc >= 0) {
        add_edges(&q, &found);
        keep_inside(out, from_us, to_us);
        gaps_find(out->spans, out->n_spans, &q.facts, from_us, until_us, out);
    }
    facts_fini(&q.facts);
    found_fini(&found);
    return rc < 0 ? rc : 0;
}

void recordings_fini(struct recordings *r)
{
    free(r->spans);
    free(r->gaps);
    *r = (struct recordings){0};
}
