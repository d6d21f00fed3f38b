/* Where recordings are, how long they last, what is kept of every camera and what was deleted. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "server/api_page.h"
#include "server/json.h"
#include "server/routes.h"
#include "server/volumes.h"
#include "storage/db_ledger.h"
#include "storage/db_segments.h"
#include "storage/stock.h"

static int days_required(const struct camera_row *c, const struct storage_policy *policy)
{
    return c != NULL && c->retention_days > 0 ? c->retention_days : policy->retention_days;
}

/* Bytes that all cameras fill within the days each of them is to be kept. */
static double required_bytes(const struct api_call *call, const struct stock *stock,
                             const struct storage_policy *policy)
{
    double sum = 0;
    for (size_t i = 0; i < stock->n; i++) {
        const struct stock_row *row = &stock->rows[i];
        const struct camera_row *c = district_camera(call->district, row->camera_id);
        sum += stock_weight(stock, row->bytes_per_day, days_required(c, policy),
                            policy->thin_after_days);
    }
    return sum;
}

static void put_thinning(json_t *o, const struct stock *stock, const struct storage_policy *policy)
{
    if (policy->thin_after_days == 0) {
        json_put_null(o, "thinning");
        return;
    }
    json_t *thinning = json_object();
    json_put_int(thinning, "after_days", policy->thin_after_days);
    json_put_text(thinning, "keep", policy->thin_keep == THIN_KEYFRAMES ? "keyframes" : "motion");
    double share = stock_thinned_share(stock);
    if (share >= 0)
        json_put_real(thinning, "share", round(share * 10000) / 10000);
    else
        json_put_null(thinning, "share");
    json_put(o, "thinning", thinning);
}

/* What is held is no room for what comes. */
static void put_forecast(const struct api_call *call, const struct stock *stock, json_t *o)
{
    struct storage_policy policy = storage_policy(call->server->storage);
    double room = (double)MAX(stock->capacity_bytes - stock->held_bytes, 0);
    double missing = required_bytes(call, stock, &policy) - room;
    json_put_int(o, "bytes_per_day", stock->bytes_per_day);
    json_put_int(o, "capacity_bytes", stock->capacity_bytes);
    json_put_int(o, "required_days", policy.retention_days);
    double days = stock_days(stock, room, policy.thin_after_days);
    if (days >= 0)
        json_put_real(o, "forecast_days", floor(days * 10) / 10);
    else
        json_put_null(o, "forecast_days");
    json_put_int(o, "missing_bytes", missing > 0 ? (int64_t)missing : 0);
    json_put_int(o, "held_bytes", stock->held_bytes);
    put_thinning(o, stock, &policy);
    json_put_time(o, "as_of", stock->as_of_us);
}

int storage_get(struct api_call *call, struct err *err)
{
    struct storage *storage = call->server->storage;
    struct segment_totals totals, volumes[STORAGE_MAX_VOLUMES];
    int rc = storage_totals(storage, &totals, volumes, err);
    struct stock *stock = rc >= 0 ? storage_stock(storage, err) : NULL;
    if (stock == NULL)
        return rc < 0 ? rc : err->code;
    json_t *o = call->json = json_object();
    json_put(o, "volumes", volumes_json(storage, volumes));
    json_put_int(o, "segments", totals.n);
    json_put_int(o, "bytes", totals.bytes);
    json_put_time(o, "oldest", totals.oldest_us);
    put_forecast(call, stock, o);
    stock_unref(&stock);
    return 0;
}

/* --- per camera --- */

/* Short: something of the days that are required was deleted. */
static json_t *camera_json(const struct api_call *call, const struct camera_row *c,
                           const struct stock *stock, const struct storage_policy *policy)
{
    const struct stock_row none = {.oldest_us = 0}, *row = stock_find(stock, c->id);
    const struct institution_row *inst = district_institution(call->district, c->institution_id);
    int64_t required_us = days_required(c, policy) * US_PER_DAY;
    json_t *o = json_object();
    row = row != NULL ? row : &none;
    int64_t kept_us = row->oldest_us != 0 ? stock->as_of_us - row->oldest_us : 0;
    json_put_text(o, "camera_id", c->id);
    json_put_text(o, "name", c->name);
    json_put_text(o, "institution_id", c->institution_id);
    json_put_text(o, "institution_name", inst != NULL ? inst->name : "");
    json_put_int(o, "days_required", days_required(c, policy));
    json_put_time(o, "oldest", row->oldest_us);
    json_put_real(o, "days_kept", floor((double)MAX(kept_us, 0) / (double)US_PER_DAY * 100) / 100);
    json_put_int(o, "bytes_per_day", row->bytes_per_day);
    json_put_int(o, "holds", row->n_holds);
    json_put_bool(o, "is_short",
                  kept_us < required_us && row->cut_us > stock->as_of_us - required_us);
    return o;
}

int storage_cameras_list(struct api_call *call, struct err *err)
{
    const struct district *d = call->district;
    struct page page;
    int rc = page_begin(call, &page, err);
    if (rc < 0)
        return rc;
    struct stock *stock = storage_stock(call->server->storage, err);
    struct storage_policy policy = storage_policy(call->server->storage);
    for (size_t i = 0; i < d->rows.n_cameras && stock != NULL; i++) {
        const struct camera_row *c = &d->rows.cameras[i];
        struct node n = district_node_of_camera(d, c);
        if (node_contains(&call->node, &n) && access_sees(&call->user, d, &n) &&
            page_takes(&page, c->id))
            json_array_append_new(page.items, camera_json(call, c, stock, &policy));
    }
    call->json = page_end(&page);
    rc = stock != NULL ? 0 : err->code;
    stock_unref(&stock);
    return rc;
}

/* --- the ledger --- */

struct listing {
    struct api_call *call;
    struct ledger_query query;
    json_t *items;
    char next[160];
};

static int add_deletion(void *ctx, const struct ledger_row *row)
{
    struct listing *l = ctx;
    const struct camera_row *c = district_camera(l->call->district, row->camera_id);
    json_t *o = json_object();
    json_put_text(o, "camera_id", row->camera_id);
    json_put_text(o, "camera_name", c != NULL ? c->name : "");
    json_put_text(o, "stream", stream_kind_name(row->stream));
    json_put_time(o, "from", row->from_us);
    json_put_time(o, "to", row->to_us);
    json_put_time(o, "at", row->at_us);
    json_put_int(o, "segments", row->segments);
    json_put_int(o, "bytes", row->bytes);
    json_put_text(o, "why", row->why);
    json_array_append_new(l->items, o);
    snprintf(l->next, sizeof l->next, "%" PRId64 "-%" PRId64 "-%d-%" PRId64 "-%" PRId64, row->at_us,
             row->camera, (int)row->stream, row->from_us, row->to_us);
    return 0;
}

static int find_deletions(struct db *db, void *ctx, struct err *err)
{
    struct listing *l = ctx;
    return db_ledger_find(db, &l->query, add_deletion, l, err);
}

static int read_cursor(const char *text, struct ledger_row *out, struct err *err)
{
    int64_t numbers[5];
    struct span rest = span_of(text), part;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        bool is_last = i + 1 == ARRAY_LEN(numbers);
        if (!is_last && !span_cut(&rest, '-', &part))
            part = (struct span){0};
        if (!span_i64(is_last ? rest : part, &numbers[i]))
            return err_text(err, ERR_INVALID, "cursor: give back the `next` of the page before");
    }
    *out = (struct ledger_row){.at_us = numbers[0],
                               .camera = numbers[1],
                               .stream = (enum stream_kind)numbers[2],
                               .from_us = numbers[3],
                               .to_us = numbers[4]};
    return 0;
}

static int read_query(const struct api_call *call, struct ledger_query *q, struct err *err)
{
    int64_t limit = 100;
    const char *cursor = api_query(call, "cursor"), *why = api_query(call, "why");
    int rc = api_query_int(call, "limit", 1, 5000, &limit, err);
    if (rc == 0)
        rc = api_query_time(call, "from", false, &q->from_us, err);
    if (rc == 0)
        rc = api_query_time(call, "to", false, &q->to_us, err);
    if (rc == 0 && cursor != NULL && cursor[0] != '\0')
        rc = read_cursor(cursor, &q->after, err);
    q->limit = (size_t)limit;
    q->why = why != NULL && why[0] != '\0' ? why : NULL;
    return rc;
}

/* The cameras that are asked for: NULL = all, those that were deleted since too. */
static const char **wanted_cameras(const struct api_call *call, size_t *out_n)
{
    const char *camera = api_query(call, "camera");
    struct node all = {.kind = NODE_DISTRICT};
    bool is_all = access_sees(&call->user, call->district, &all);
    if (camera == NULL && is_all && call->node.kind == NODE_DISTRICT)
        return NULL;
    const char **ids = page_cameras(call, out_n);
    if (camera == NULL)
        return ids;
    bool is_seen = is_all && call->node.kind == NODE_DISTRICT;
    for (size_t i = 0; i < *out_n && !is_seen; i++)
        is_seen = strcmp(ids[i], camera) == 0;
    ids[0] = camera;
    *out_n = is_seen ? 1 : 0;
    return ids;
}

int storage_deletions_list(struct api_call *call, struct err *err)
{
    struct listing l = {.call = call};
    int rc = read_query(call, &l.query, err);
    if (rc < 0)
        return rc;
    const char **ids = wanted_cameras(call, &l.query.n_cameras);
    l.query.camera_ids = ids;
    l.items = json_array();
    rc = catalogue_read(call->server->catalogue, find_deletions, &l, err);
    free(ids);
    call->json = json_list(l.items);
    if (rc >= 0 && (size_t)rc == l.query.limit)
        json_put_text(call->json, "next", l.next);
    return rc < 0 ? rc : 0;
}
