/* Uptime reports: per institution and day, numerators over denominators, outages with causes.
 * Thread: pool or a command's main thread; blocks. */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "server/access.h"
#include "storage/storage.h"

struct report_params {
    struct catalogue *catalogue;
    struct storage *storage; /* for what is being written now; NULL = finished segments only */
    const struct district *district;
    const struct node *node; /* NULL = the district */
    const struct user *user; /* whose scope it is cut to; NULL = nobody's */
    const char *period;      /* 2026-11, 2026-W47, 2026-11-23 */
    const char *time_zone;   /* name, to print */
    int zone_minutes;
    int64_t now_us;
};

/* As GET /reports/uptime answers it: the kept one when the period is over and it exists, else
 * computed from the rows. ERR_INVALID for a bad period. */
int report_get(const struct report_params *p, json_t **out, struct err *err);

/* One line per institution, for spreadsheets (UTF-8 with byte order mark). */
void report_csv(const json_t *report, struct buf *out);

/* Computes and keeps the reports of finished periods that are missing: the last seven days, the
 * last week, the last month. Returns how many were made. */
int report_keep_missing(const struct report_params *p, struct err *err);

#endif
