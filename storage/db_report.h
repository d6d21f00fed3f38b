/* What the uptime report reads, and the reports made by themselves.
 * Thread: inside a catalogue job. */
#ifndef STORAGE_DB_REPORT_H
#define STORAGE_DB_REPORT_H

#include "base/err.h"
#include "storage/segment.h"
#include "storage/uptime.h"

struct db;

/* Uptime of one camera's stream. wants_recording: online means recording too. Uses the states, runs
 * and segments of the catalogue; a camera never heard of has coverage 0. */
struct report_query {
    const char *camera_id;
    enum stream_kind stream;
    bool wants_recording;
    int64_t from_us, to_us, now_us;
    int zone_minutes;
    const struct uptime_span *open; /* of storage_open_spans: recorded, no row yet; oldest first */
    size_t n_open;
};
int db_report_uptime(struct db *db, const struct report_query *q, struct uptime *out,
                     struct err *err);

/* --- kept reports --- */

struct report_row {
    char period[16];
    int64_t generated_us;
};
typedef int report_row_fn(void *ctx, const struct report_row *row);
int db_report_put(struct db *db, const char *period, int64_t generated_us, const char *json,
                  struct err *err);
/* *out_json is the caller's to free. ERR_NOT_FOUND. */
int db_report_get(struct db *db, const char *period, int64_t *out_generated_us, char **out_json,
                  struct err *err);
int db_reports_list(struct db *db, report_row_fn *fn, void *ctx, struct err *err);

#endif
