/* Reports of finished periods, kept in the catalogue as they were made.
 * Thread: pool or a command's main thread; blocks. */
#ifndef SERVER_REPORT_KEPT_H
#define SERVER_REPORT_KEPT_H

#include <jansson.h>

#include "storage/catalogue.h"

/* The caller's to release; NULL when there is none that can be read. */
json_t *report_kept_get(struct catalogue *c, const char *period);
int report_kept_put(struct catalogue *c, const char *period, int64_t now_us, const json_t *report,
                    struct err *err);

struct report_periods {
    char list[9][16]; /* 2026-11-23, 2026-W47, 2026-11 */
    size_t n;
};

/* Of the last seven days, the last week and the last month those that have no report yet and did
 * not end before the server's first start. A period counts as finished some minutes after its end,
 * when its rows are complete. */
int report_kept_missing(struct catalogue *c, int64_t now_us, int zone_minutes,
                        struct report_periods *out, struct err *err);

#endif
