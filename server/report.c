#include "server/report.h"

#include <string.h>

#include "base/str.h"
#include "server/json.h"
#include "server/report_kept.h"
#include "storage/db_report.h"

/* --- one institution --- */

static double seconds(int64_t us)
{
    return (double)us / (double)US_PER_S;
}

static void put_rate(json_t *o, const char *key, int64_t part_us, int64_t whole_us)
{
    if (whole_us > 0)
        json_put_real(o, key, (double)part_us / (double)whole_us);
    else
        json_put_null(o, key);
}

static void put_rates(json_t *o, const struct uptime_day *d)
{
    put_rate(o, "online_rate", d->online_us, d->known_us);
    put_rate(o, "recording_rate", d->recorded_us, d->expected_us);
    put_rate(o, "coverage", d->known_us, d->expected_us);
    json_put_real(o, "online_s", seconds(d->online_us));
    json_put_real(o, "recorded_s", seconds(d->recorded_us));
    json_put_real(o, "known_s", seconds(d->known_us));
    json_put_real(o, "expected_s", seconds(d->expected_us));
}

enum { MAX_DAYS = 32 };

struct sum {
    const struct report_params *params;
    int64_t from_us, to_us;
    struct uptime_day total, days[MAX_DAYS];
    int n_cameras;
    json_t *outages;
    int64_t longest_us;
    json_t *cause_s; /* cause → seconds */
};

static void add_outages(struct sum *sum, const struct camera_row *c, const struct uptime *u)
{
    for (size_t i = 0; i < u->n_outages; i++) {
        const struct uptime_outage *x = &u->outages[i];
        int64_t us = x->to_us - x->from_us;
        json_t *o = json_object();
        json_put_text(o, "camera_id", c->id);
        json_put_text(o, "camera_name", c->name);
        json_put_time(o, "from", x->from_us);
        json_put_time(o, "to", x->to_us);
        json_put_real(o, "duration_s", seconds(us));
        json_put_text(o, "cause", x->cause);
        json_put_text(o, "detail", x->detail);
        json_array_append_new(sum->outages, o);
        sum->longest_us = MAX(sum->longest_us, us);
        json_put_real(sum->cause_s, x->cause,
                      json_real_value(json_object_get(sum->cause_s, x->cause)) + seconds(us));
    }
}

static void add_camera(struct sum *sum, const struct camera_row *c, const struct uptime *u)
{
    int64_t first_us = uptime_day_start(sum->from_us, sum->params->zone_minutes);
    uptime_add(&sum->total, &u->total);
    for (size_t i = 0; i < u->n_days; i++) {
        int64_t start_us = uptime_day_start(u->days[i].from_us, sum->params->zone_minutes);
        int64_t day = (start_us - first_us) / US_PER_DAY;
        if (day >= 0 && day < MAX_DAYS)
            uptime_add(&sum->days[day], &u->days[i]);
    }
    add_outages(sum, c, u);
    sum->n_cameras++;
}

static const char *main_cause(const json_t *cause_s)
{
    const char *key, *best = NULL;
    json_t *value;
    double most = -1;
    json_object_foreach((json_t *)cause_s, key, value)
    {
        if (json_real_value(value) > most) {
            most = json_real_value(value);
            best = key;
        }
    }
    return best;
}

static json_t *days_json(const struct sum *sum)
{
    json_t *days = json_array();
    int64_t first_us = uptime_day_start(sum->from_us, sum->params->zone_minutes);
    int64_t end_us = MIN(sum->to_us, sum->params->now_us);
    for (int i = 0; i < MAX_DAYS && first_us + i * US_PER_DAY < end_us; i++) {
        struct civil c =
            civil_of(first_us + i * US_PER_DAY + sum->params->zone_minutes * 60 * US_PER_S);
        char text[48];
        json_t *o = json_object();
        snprintf(text, sizeof text, "%04d-%02d-%02d", c.year, c.month, c.day);
        json_put_text(o, "day", text);
        put_rates(o, &sum->days[i]);
        json_array_append_new(days, o);
    }
    return days;
}

static json_t *institution_json(const struct sum *sum, const struct institution_row *inst)
{
    const struct township_row *t = district_township(sum->params->district, inst->township_id);
    const char *cause = main_cause(sum->cause_s);
    json_t *o = json_object();
    json_put_text(o, "id", inst->id);
    json_put_text(o, "name", inst->name);
    json_put_text(o, "township_id", inst->township_id);
    json_put_text(o, "township_name", t ? t->name : "");
    json_put_int(o, "cameras", sum->n_cameras);
    put_rates(o, &sum->total);
    json_put_int(o, "outage_count", (int64_t)json_array_size(sum->outages));
    json_put_real(o, "longest_outage_s", seconds(sum->longest_us));
    if (cause != NULL)
        json_put_text(o, "main_cause", cause);
    else
        json_put_null(o, "main_cause");
    json_put(o, "days", days_json(sum));
    json_put(o, "outages", json_incref(sum->outages));
    return o;
}

struct institution_job {
    struct sum *sum;
    const struct institution_row *inst;
};

/* One snapshot per institution, so that a long report does not hold one for minutes. */
static int read_institution(struct db *db, void *ctx, struct err *err)
{
    struct institution_job *j = ctx;
    struct sum *sum = j->sum;
    const struct report_params *p = sum->params;
    const struct district_rows *rows = &p->district->rows;
    for (size_t i = 0; i < rows->n_cameras; i++) {
        const struct camera_row *c = &rows->cameras[i];
        struct node n = district_node_of_camera(p->district, c);
        if (strcmp(c->institution_id, j->inst->id) != 0 ||
            (p->node != NULL && !node_contains(p->node, &n)))
            continue;
        struct uptime u;
        struct report_query q = {
            .camera_id = c->id,
            .stream = strcmp(c->record, "sub") == 0 ? STREAM_SUB : STREAM_MAIN,
            .wants_recording = strcmp(c->record, "off") != 0,
            .from_us = MAX(sum->from_us, c->created_us), /* not expected before it was entered */
            .to_us = sum->to_us,
            .now_us = p->now_us,
            .zone_minutes = p->zone_minutes,
        };
        if (q.from_us >= MIN(q.to_us, q.now_us)) {
            sum->n_cameras++;
            continue;
        }
        struct uptime_span *open = NULL;
        if (p->storage != NULL)
            q.n_open = storage_open_spans(p->storage, c->id,
                                          q.stream == STREAM_SUB ? "sub" : "main", &open);
        q.open = open;
        int rc = db_report_uptime(db, &q, &u, err);
        free(open);
        if (rc < 0)
            return rc;
        add_camera(sum, c, &u);
        uptime_fini(&u);
    }
    return 0;
}

static int add_institution(const struct report_params *p, const struct institution_row *inst,
                           int64_t from_us, int64_t to_us, json_t *list, int64_t *own_down_us,
                           struct err *err)
{
    struct sum sum = {.params = p,
                      .from_us = from_us,
                      .to_us = to_us,
                      .outages = json_array(),
                      .cause_s = json_object()};
    struct institution_job j = {.sum = &sum, .inst = inst};
    int rc = catalogue_read(p->catalogue, read_institution, &j, err);
    if (rc == 0) {
        json_array_append_new(list, institution_json(&sum, inst));
        if (sum.n_cameras > 0)
            *own_down_us = MAX(*own_down_us, sum.total.own_down_us / sum.n_cameras);
    }
    json_decref(sum.outages);
    json_decref(sum.cause_s);
    return rc;
}

/* --- the whole --- */

static int64_t member_us(const json_t *o, const char *key)
{
    return (int64_t)(json_number_value(json_object_get(o, key)) * (double)US_PER_S);
}

/* Rates of several institutions are sums over sums, never means of rates. */
static void put_totals(json_t *report, double own_downtime_s)
{
    struct uptime_day total = {0};
    int64_t n_cameras = 0, n_outages = 0;
    size_t i;
    json_t *inst, *o = json_object();
    json_array_foreach(json_object_get(report, "institutions"), i, inst)
    {
        total.online_us += member_us(inst, "online_s");
        total.recorded_us += member_us(inst, "recorded_s");
        total.known_us += member_us(inst, "known_s");
        total.expected_us += member_us(inst, "expected_s");
        n_cameras += json_integer_value(json_object_get(inst, "cameras"));
        n_outages += json_integer_value(json_object_get(inst, "outage_count"));
    }
    put_rates(o, &total);
    json_put_int(o, "cameras", n_cameras);
    json_put_int(o, "outages", n_outages);
    json_put_real(o, "own_downtime_s", own_downtime_s);
    json_put(report, "totals", o);
}

static void put_node(json_t *report, const struct node *node)
{
    char id[80] = "";
    json_t *o = json_object();
    if (node != NULL)
        node_print(node, id, sizeof id);
    json_put_text(o, "id", id);
    json_put_text(o, "name", node ? node_name(node) : "");
    json_put(report, "node", o);
}

/* Whether the asked part of the district has something to do with the institution. */
static bool is_asked(const struct report_params *p, const struct institution_row *inst)
{
    struct node n = district_node_of_institution(p->district, inst);
    bool is_inside = p->node == NULL || node_contains(p->node, &n) ||
                     (p->node->kind == NODE_CAMERA && p->node->institution == inst);
    return is_inside && (p->user == NULL || access_sees(p->user, p->district, &n));
}

static int make(const struct report_params *p, json_t **out, struct err *err)
{
    int64_t from_us, to_us, own_down_us = 0;
    if (uptime_period(p->period, p->zone_minutes, &from_us, &to_us) < 0)
        return err_text(err, ERR_INVALID,
                        "period: write a month 2026-11, a week 2026-W47 or a day 2026-11-23");
    const struct district_rows *rows = &p->district->rows;
    json_t *list = json_array();
    int rc = 0;
    for (size_t i = 0; i < rows->n_institutions && rc == 0; i++) {
        if (is_asked(p, &rows->institutions[i]))
            rc =
                add_institution(p, &rows->institutions[i], from_us, to_us, list, &own_down_us, err);
    }
    if (rc < 0) {
        json_decref(list);
        return rc;
    }
    json_t *report = json_object();
    json_put_text(report, "period", p->period);
    json_put_time(report, "from", from_us);
    json_put_time(report, "to", to_us);
    json_put_time(report, "generated_at", p->now_us);
    json_put_text(report, "time_zone", p->time_zone);
    put_node(report, p->node);
    json_put(report, "institutions", list);
    put_totals(report, seconds(own_down_us));
    *out = report;
    return 0;
}

/* --- kept or made --- */

/* Leaves the institutions that were not asked for out. */
static void cut(const struct report_params *p, json_t *report)
{
    double own_s =
        json_number_value(json_object_get(json_object_get(report, "totals"), "own_downtime_s"));
    json_t *list = json_object_get(report, "institutions");
    for (size_t i = json_array_size(list); i > 0; i--) {
        const char *id = json_string_value(json_object_get(json_array_get(list, i - 1), "id"));
        const struct institution_row *inst = id ? district_institution(p->district, id) : NULL;
        if (inst == NULL ? p->node != NULL || p->user != NULL : !is_asked(p, inst))
            json_array_remove(list, i - 1);
    }
    put_node(report, p->node);
    put_totals(report, own_s);
}

int report_get(const struct report_params *p, json_t **out, struct err *err)
{
    int64_t from_us, to_us;
    bool is_camera = p->node != NULL && p->node->kind == NODE_CAMERA;
    bool may_be_kept = uptime_period(p->period, p->zone_minutes, &from_us, &to_us) == 0 &&
                       !is_camera && to_us <= p->now_us;
    json_t *report = may_be_kept ? report_kept_get(p->catalogue, p->period) : NULL;
    if (report == NULL)
        return make(p, out, err);
    cut(p, report);
    *out = report;
    return 0;
}

static int keep_one(const struct report_params *base, const char *period, struct err *err)
{
    struct report_params p = *base;
    json_t *report = NULL;
    p.period = period;
    int rc = make(&p, &report, err);
    if (rc == 0)
        rc = report_kept_put(p.catalogue, period, p.now_us, report, err);
    json_decref(report);
    return rc;
}

int report_keep_missing(const struct report_params *p, struct err *err)
{
    struct report_periods missing;
    int rc = report_kept_missing(p->catalogue, p->now_us, p->zone_minutes, &missing, err);
    for (size_t i = 0; i < missing.n && rc >= 0; i++)
        rc = keep_one(p, missing.list[i], err);
    return rc < 0 ? rc : (int)missing.n;
}
