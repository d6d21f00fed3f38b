/* Uptime reports. */
#include <string.h>

#include "base/str.h"
#include "server/json.h"
#include "server/report.h"
#include "server/routes.h"
#include "storage/db_report.h"

static int add_item(void *ctx, const struct report_row *row)
{
    json_t *o = json_object();
    json_put_text(o, "period", row->period);
    json_put_time(o, "generated_at", row->generated_us);
    json_array_append_new(ctx, o);
    return 0;
}

static int load_list(struct db *db, void *ctx, struct err *err)
{
    return db_reports_list(db, add_item, ctx, err);
}

int reports_list(struct api_call *call, struct err *err)
{
    json_t *items = json_array();
    call->json = json_list(items);
    return catalogue_read(call->server->catalogue, load_list, items, err);
}

int uptime_get(struct api_call *call, struct err *err)
{
    const char *period = api_query(call, "period"), *format = api_query(call, "format");
    bool is_csv = format != NULL && strcmp(format, "csv") == 0;
    json_t *report;
    if (format != NULL && !is_csv && strcmp(format, "json") != 0)
        return err_text(err, ERR_INVALID, "format: json or csv; others are not in this version");
    struct report_params p = {
        .catalogue = call->server->catalogue,
        .storage = call->server->storage,
        .district = call->district,
        .node = call->node.kind == NODE_DISTRICT ? NULL : &call->node,
        .user = &call->user,
        .period = period ? period : "",
        .time_zone = call->time_zone,
        .zone_minutes = call->utc_offset_minutes,
        .now_us = clock_wall_us(clock_system()),
    };
    int rc = report_get(&p, &report, err);
    if (rc < 0)
        return rc;
    if (is_csv) {
        call->content_type = "text/csv; charset=utf-8";
        api_header(call, "Content-Disposition", "attachment; filename=\"uptime-%s.csv\"", p.period);
        report_csv(report, &call->text);
        json_decref(report);
    } else {
        call->json = report;
    }
    return 0;
}
