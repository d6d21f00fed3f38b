#include "storage/db_report.h"

#include <errno.h>

#include "base/str.h"
#include "storage/db.h"
#include "storage/db_segments.h"
#include "storage/db_states.h"
#include "storage/list.h"

/* Rotation leaves nothing between; rounding of clocks to ticks may leave this. */
#define ADJACENT_US INT64_C(1000)

/* A run whose last sign of life is younger than this is running. */
#define RUN_ALIVE_US INT64_C(60000000)

struct spans {
    struct uptime_span *list;
    size_t n;
};

/* Keeps them ordered and not overlapping. */
static void add_span(struct spans *s, int64_t from_us, int64_t to_us)
{
    struct uptime_span *last = s->n > 0 ? &s->list[s->n - 1] : NULL;
    if (last != NULL && from_us <= last->to_us + ADJACENT_US) {
        last->to_us = MAX(last->to_us, to_us);
        return;
    }
    s->list = list_room(s->list, s->n, sizeof *s->list);
    s->list[s->n++] = (struct uptime_span){from_us, to_us};
}

static int add_segment(void *ctx, const struct segment_row *row)
{
    for (size_t i = 0; i <= row->holes.n; i++) {
        struct segment_hole piece = segment_row_piece(row, i);
        add_span(ctx, piece.from_us, piece.to_us);
    }
    return 0;
}

static int add_recorded(struct db *db, const struct report_query *q, struct spans *out,
                        struct err *err)
{
    int rc =
        db_segments_in(db, q->camera_id, q->stream, q->from_us, q->to_us, add_segment, out, NULL);
    for (size_t i = 0; i < q->n_open; i++)
        add_span(out, q->open[i].from_us, q->open[i].to_us);
    return rc < 0 && rc != ERR_NOT_FOUND ? err_set(err, rc, "recordings of %s", q->camera_id) : 0;
}

/* --- uptime --- */

struct gathering {
    const struct report_query *query;
    struct uptime_state *states;
    size_t n_states;
    struct spans runs;
    bool is_last_clean;
};

static int add_state(void *ctx, const struct state_row *row)
{
    struct gathering *g = ctx;
    if (row->stream != g->query->stream)
        return 0;
    g->states = list_room(g->states, g->n_states, sizeof *g->states);
    struct uptime_state *s = &g->states[g->n_states];
    *s = (struct uptime_state){.from_us = row->from_us, .to_us = row->to_us};
    /* a clock that stepped back must not count a moment twice */
    if (g->n_states > 0) {
        const struct uptime_state *before = &g->states[g->n_states - 1];
        s->from_us = MAX(s->from_us, before->to_us != 0 ? before->to_us : g->query->now_us);
    }
    if (s->to_us != 0 && s->to_us <= s->from_us)
        return 0;
    s->is_online =
        row->is_reachable && row->is_advancing && (row->is_recording || !g->query->wants_recording);
    str_copy(s->cause, sizeof s->cause, row->cause);
    str_copy(s->detail, sizeof s->detail, row->detail);
    g->n_states++;
    return 0;
}

static int add_run(void *ctx, const struct run_row *row)
{
    struct gathering *g = ctx;
    add_span(&g->runs, row->from_us, row->to_us);
    g->is_last_clean = row->is_clean;
    return 0;
}

/* Only the newest run can be the one that goes on. */
static void extend_last_run(struct gathering *g)
{
    int64_t now_us = g->query->now_us;
    if (g->runs.n == 0 || g->is_last_clean)
        return;
    struct uptime_span *last = &g->runs.list[g->runs.n - 1];
    if (now_us - last->to_us < RUN_ALIVE_US)
        last->to_us = MAX(last->to_us, now_us);
}

int db_report_uptime(struct db *db, const struct report_query *q, struct uptime *out,
                     struct err *err)
{
    struct gathering g = {.query = q};
    struct spans recorded = {0};
    int rc = db_states_in(db, q->camera_id, q->from_us, q->to_us, add_state, &g, err);
    if (rc >= 0)
        rc = db_runs_in(db, q->from_us, q->to_us, add_run, &g, err);
    extend_last_run(&g);
    if (rc >= 0)
        rc = add_recorded(db, q, &recorded, err);
    if (rc >= 0) {
        struct uptime_input in = {.from_us = q->from_us,
                                  .to_us = q->to_us,
                                  .now_us = q->now_us,
                                  .zone_minutes = q->zone_minutes,
                                  .states = g.states,
                                  .n_states = g.n_states,
                                  .runs = g.runs.list,
                                  .n_runs = g.runs.n,
                                  .recorded = recorded.list,
                                  .n_recorded = recorded.n};
        uptime_compute(&in, out);
    }
    free(g.states);
    free(g.runs.list);
    free(recorded.list);
    return rc < 0 ? rc : 0;
}

/* --- kept reports --- */

int db_report_put(struct db *db, const char *period, int64_t generated_us, const char *json,
                  struct err *err)
{
    struct stmt *s = db_stmt(
        db, "INSERT OR REPLACE INTO reports(period, generated_us, json) VALUES(?1, ?2, ?3)", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, period);
    stmt_bind_i64(s, 2, generated_us);
    stmt_bind_text(s, 3, json);
    return stmt_run(s, err);
}

int db_report_get(struct db *db, const char *period, int64_t *out_generated_us, char **out_json,
                  struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT generated_us, json FROM reports WHERE period = ?1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, period);
    int rc = stmt_step(s, err);
    if (rc == 1) {
        *out_generated_us = stmt_i64(s, 0);
        *out_json = xstrdup(stmt_text(s, 1));
    }
    stmt_done(s);
    if (rc == 0)
        return err_text(err, ERR_NOT_FOUND, "no report of %s is kept", period);
    return rc < 0 ? rc : 0;
}

int db_reports_list(struct db *db, report_row_fn *fn, void *ctx, struct err *err)
{
    struct stmt *s =
        db_stmt(db, "SELECT period, generated_us FROM reports ORDER BY generated_us DESC", err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        struct report_row row = {.generated_us = stmt_i64(s, 1)};
        str_copy(row.period, sizeof row.period, stmt_text(s, 0));
        rc = fn(ctx, &row);
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc;
}
