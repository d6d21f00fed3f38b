/* What is recorded: spans and gaps, for drawing, for the calendar, as a clip. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "delivery/clip_answer.h"
#include "server/events.h"
#include "server/json.h"
#include "server/routes.h"
#include "server/wall_host.h"

#define RANGE_MAX_DAYS 400
#define RANGE_MAX_US   (INT64_C(86400) * RANGE_MAX_DAYS * US_PER_S)
#define MAX_BUCKETS    10000
#define MAX_MOTION     100000 /* events looked at for one drawing */

struct range {
    int64_t from_us, to_us;
    const char *stream;
};

static int read_range(const struct api_call *call, struct range *r, struct err *err)
{
    int rc = api_query_time(call, "from", true, &r->from_us, err);
    if (rc == 0)
        rc = api_query_time(call, "to", true, &r->to_us, err);
    if (rc == 0)
        rc = (r->stream = api_query_stream(call, err)) != NULL ? 0 : ERR_INVALID;
    if (rc == 0 && r->to_us <= r->from_us)
        rc = err_say(err, ERR_INVALID, "range_empty", "to: it must be later than from");
    if (rc == 0 && r->to_us - r->from_us > RANGE_MAX_US)
        rc = err_say(err, ERR_INVALID, "range_long", "to: ask for at most %d days at once",
                     RANGE_MAX_DAYS);
    return rc;
}

static json_t *spans_json(const struct recordings *rec)
{
    json_t *list = json_array();
    for (size_t i = 0; i < rec->n_spans; i++) {
        const struct span_row *s = &rec->spans[i];
        json_t *o = json_object();
        json_put_time(o, "from", s->from_us);
        json_put_time(o, "to", s->to_us);
        json_put_int(o, "bytes", s->bytes);
        json_put_int(o, "frames", s->frames);
        json_put_int(o, "lost_packets", s->lost_packets);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *gaps_json(const struct recordings *rec)
{
    json_t *list = json_array();
    for (size_t i = 0; i < rec->n_gaps; i++) {
        const struct gap_row *g = &rec->gaps[i];
        json_t *o = json_object();
        json_put_time(o, "from", g->from_us);
        json_put_time(o, "to", g->to_us);
        json_put_text(o, "cause", g->cause);
        json_array_append_new(list, o);
    }
    return list;
}

/* Of a camera that exists; in its first second the catalogue of recordings does not know it. */
static int find(const struct api_call *call, const struct range *r, struct recordings *out,
                struct err *err)
{
    int rc = storage_recordings(call->server->storage, call->id, r->stream, r->from_us, r->to_us,
                                out, err);
    if (rc != ERR_NOT_FOUND)
        return rc;
    err_clear(err);
    *out = (struct recordings){.gaps = xcalloc(1, sizeof *out->gaps)};
    struct gap_row gap = {.from_us = r->from_us,
                          .to_us = MIN(r->to_us, clock_wall_us(clock_system())),
                          .cause = "unknown"};
    if (gap.to_us > gap.from_us)
        out->gaps[out->n_gaps++] = gap;
    return 0;
}

int recordings_get(struct api_call *call, struct err *err)
{
    struct range r;
    struct recordings rec = {0};
    int rc = read_range(call, &r, err);
    if (rc == 0)
        rc = find(call, &r, &rec, err);
    if (rc < 0)
        return rc;
    call->json = json_object();
    json_put(call->json, "spans", spans_json(&rec));
    json_put(call->json, "gaps", gaps_json(&rec));
    recordings_fini(&rec);
    return 0;
}

/* --- timeline --- */

/* Adds [from, to) with the given weight to the buckets it touches. */
static void spread(double *buckets, size_t n, int64_t start_us, int64_t bucket_us, int64_t from_us,
                   int64_t to_us, double weight, bool is_sum)
{
    from_us = MAX(from_us, start_us);
    to_us = MIN(to_us, start_us + (int64_t)n * bucket_us);
    if (to_us <= from_us)
        return;
    size_t first = (size_t)((from_us - start_us) / bucket_us);
    size_t last = (size_t)((to_us - 1 - start_us) / bucket_us);
    for (size_t i = first; i <= last && i < n; i++) {
        int64_t lo = MAX(from_us, start_us + (int64_t)i * bucket_us);
        int64_t hi = MIN(to_us, start_us + (int64_t)(i + 1) * bucket_us);
        double share = weight * (double)(hi - lo) / (double)bucket_us;
        buckets[i] = is_sum ? buckets[i] + share : MAX(buckets[i], weight);
    }
}

static int read_bucket(const struct api_call *call, const struct range *r, int64_t *out_us,
                       struct err *err)
{
    const char *text = api_query(call, "bucket_s");
    double s = (double)(r->to_us - r->from_us) / (double)US_PER_S / 1000;
    if (text != NULL && (!span_double(span_of(text), &s) || !(s >= 0.1) || s > 1e8))
        return err_text(err, ERR_INVALID, "bucket_s: seconds, at least 0.1");
    *out_us = MAX((int64_t)(s * (double)US_PER_S), (r->to_us - r->from_us) / MAX_BUCKETS + 1);
    return 0;
}

int timeline_get(struct api_call *call, struct err *err)
{
    struct range r;
    struct recordings rec = {0};
    struct event_list motion;
    int64_t bucket_us = 0;
    int rc = read_range(call, &r, err);
    if (rc == 0)
        rc = read_bucket(call, &r, &bucket_us, err);
    if (rc == 0)
        rc = find(call, &r, &rec, err);
    if (rc < 0)
        return rc;
    rc = events_of_camera(call->server->catalogue, call->id, r.from_us, r.to_us, MAX_MOTION,
                          &motion, err);
    if (rc < 0) {
        recordings_fini(&rec);
        return rc;
    }
    bucket_us = MAX(bucket_us, 1);
    size_t n = (size_t)((r.to_us - r.from_us + bucket_us - 1) / bucket_us);
    double *recorded = xcalloc(n + 1, sizeof *recorded), *moved = xcalloc(n + 1, sizeof *moved);
    for (size_t i = 0; i < rec.n_spans; i++)
        spread(recorded, n, r.from_us, bucket_us, rec.spans[i].from_us, rec.spans[i].to_us, 1,
               true);
    for (size_t i = 0; i < motion.n; i++)
        spread(moved, n, r.from_us, bucket_us, motion.rows[i].event.from_us,
               motion.rows[i].event.to_us, MAX(motion.rows[i].event.score, 0.02), false);
    json_t *buckets = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        json_put_real(o, "recorded", round(MIN(recorded[i], 1) * 1000) / 1000);
        json_put_real(o, "motion", round(MIN(moved[i], 1) * 1000) / 1000);
        json_array_append_new(buckets, o);
    }
    free(recorded);
    free(moved);
    call->json = json_object();
    json_put_time(call->json, "from", r.from_us);
    json_put_time(call->json, "to", r.to_us);
    json_put_real(call->json, "bucket_s", (double)bucket_us / (double)US_PER_S);
    json_put(call->json, "buckets", buckets);
    json_put(call->json, "spans", spans_json(&rec));
    json_put(call->json, "gaps", gaps_json(&rec));
    event_list_fini(&motion);
    recordings_fini(&rec);
    return 0;
}

/* --- days --- */

static int read_month(const struct api_call *call, int64_t *out_from_us, int *out_days,
                      struct err *err)
{
    const char *text = api_query(call, "month");
    uint64_t year = 0, month = 0;
    struct span rest = span_of(text), head;
    if (text == NULL || strlen(text) != 7 || !span_cut(&rest, '-', &head) ||
        !span_u64(head, &year) || !span_u64(rest, &month) || year < 1970 || year > 9998 ||
        month < 1 || month > 12)
        return err_text(err, ERR_INVALID, "month: write it like 2026-11");
    struct civil first = {.year = (int)year, .month = (int)month, .day = 1};
    struct civil next = {.year = (int)year + (month == 12), .month = (int)month % 12 + 1, .day = 1};
    *out_from_us = civil_to_us(&first) - call->utc_offset_minutes * 60 * US_PER_S;
    *out_days = (int)((civil_to_us(&next) - civil_to_us(&first)) / US_PER_DAY);
    return 0;
}

int days_get(struct api_call *call, struct err *err)
{
    int64_t from_us = 0, now_us = clock_wall_us(clock_system());
    int n_days = 0;
    struct recordings rec = {0};
    struct event_list motion;
    const char *stream = api_query_stream(call, err);
    int rc = stream != NULL ? read_month(call, &from_us, &n_days, err) : ERR_INVALID;
    if (rc < 0)
        return rc;
    int64_t to_us = MIN(from_us + n_days * US_PER_DAY, now_us);
    json_t *days = json_array();
    call->json = json_object();
    json_put(call->json, "days", days);
    if (to_us <= from_us)
        return 0;
    rc = find(call, &(struct range){from_us, to_us, stream}, &rec, err);
    if (rc < 0)
        return rc;
    rc = events_of_camera(call->server->catalogue, call->id, from_us, to_us, MAX_MOTION, &motion,
                          err);
    if (rc < 0) {
        recordings_fini(&rec);
        return rc;
    }
    double recorded[31] = {0}, gaps[31] = {0}, moved[31] = {0};
    for (size_t i = 0; i < rec.n_spans; i++)
        spread(recorded, 31, from_us, US_PER_DAY, rec.spans[i].from_us, rec.spans[i].to_us, 86400,
               true);
    /* before somebody entered the camera nothing was missing */
    int64_t since_us = call->node.camera->created_us;
    for (size_t i = 0; i < rec.n_gaps; i++)
        spread(gaps, 31, from_us, US_PER_DAY, MAX(rec.gaps[i].from_us, since_us),
               MIN(rec.gaps[i].to_us, to_us), 86400, true);
    for (size_t i = 0; i < motion.n; i++)
        spread(moved, 31, from_us, US_PER_DAY, motion.rows[i].event.from_us,
               motion.rows[i].event.to_us, 86400, true);
    for (int i = 0; i < n_days && from_us + i * US_PER_DAY < to_us; i++) {
        struct civil c =
            civil_of(from_us + i * US_PER_DAY + call->utc_offset_minutes * 60 * US_PER_S);
        char day[48];
        snprintf(day, sizeof day, "%04d-%02d-%02d", c.year, c.month, c.day);
        json_t *o = json_object();
        json_put_text(o, "day", day);
        json_put_real(o, "recorded_s", round(recorded[i] * 10) / 10);
        json_put_real(o, "gap_s", round(gaps[i] * 10) / 10);
        json_put_real(o, "motion_s", round(moved[i] * 10) / 10);
        json_array_append_new(days, o);
    }
    event_list_fini(&motion);
    recordings_fini(&rec);
    return 0;
}

/* --- clip --- */

void clip_get(struct api_call *call)
{
    struct server *s = call->server;
    struct range r;
    struct wall_grant grant;
    struct err err;
    char name[120], from[CLOCK_RFC3339_BYTES];
    err_clear(&err);
    int rc = read_range(call, &r, &err);
    if (rc == 0) {
        rc = wall_host_grant(s, &call->user, call->id, r.stream, WALL_PLAYBACK, &grant);
        if (rc < 0)
            err = grant.why;
    }
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    rfc3339_print(r.from_us, from);
    from[19] = '\0';
    for (char *p = from; *p != '\0'; p++) {
        if (*p == ':')
            *p = '-';
    }
    snprintf(name, sizeof name, "%s_%s.mp4", call->id, from);
    clip_answer_start(&(struct clip_answer_params){.req = call->req,
                                                   .loop = s->loop,
                                                   .pool = s->reading_pool,
                                                   .clip = {.source = grant.source,
                                                            .camera_id = call->id,
                                                            .stream = r.stream,
                                                            .from_us = r.from_us,
                                                            .to_us = r.to_us},
                                                   .file_name = name});
    api_call_free(call);
}
