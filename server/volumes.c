#include "server/volumes.h"

#include <string.h>

#include "base/mem.h"
#include "server/feed.h"
#include "server/json.h"
#include "server/server.h"
#include "storage/db_segments.h"

static double seconds(int64_t us)
{
    return (double)us / (double)US_PER_S;
}

static json_t *latency_json(const struct latency_figures *f)
{
    json_t *o = json_object();
    json_put_real(o, "median", seconds(f->median_us));
    json_put_real(o, "p99", seconds(f->p99_us));
    json_put_real(o, "max", seconds(f->max_us));
    return o;
}

/* A new object with everything but what the catalogue knows. */
static json_t *volume_json(const struct volume_status *v)
{
    json_t *o = json_object();
    json_put_text(o, "path", v->path);
    json_put_text(o, "id", v->id);
    json_put_text(o, "state", v->state);
    json_put_bool(o, "is_ok", v->is_ok);
    json_put_text(o, "detail", v->detail);
    json_put_int(o, "total_bytes", v->total_bytes);
    json_put_int(o, "free_bytes", v->free_bytes);
    json_put_int(o, "reserve_bytes", v->reserve_bytes);
    json_put_int(o, "used_bytes", v->used_bytes);
    json_put_int(o, "errors", (int64_t)v->n_errors);
    json_put_text(o, "last_error", v->last_error);
    json_put_time(o, "last_error_at", v->last_error_us);
    json_put(o, "write_latency_s", latency_json(&v->writes));
    json_put(o, "sync_latency_s", latency_json(&v->syncs));
    json_put_real(o, "write_bps", v->writes.bytes_per_s * 8);
    json_put_int(o, "cameras", v->n_recording);
    return o;
}

/* --- all of them --- */

json_t *volumes_json(struct storage *storage, const struct segment_totals *totals)
{
    struct volume_status *volumes = xcalloc(STORAGE_MAX_VOLUMES, sizeof *volumes);
    json_t *list = json_array();
    size_t n = storage_volumes(storage, volumes, STORAGE_MAX_VOLUMES);
    for (size_t i = 0; i < n; i++) {
        json_t *o = volume_json(&volumes[i]);
        json_put_int(o, "segments", totals[i].n);
        json_put_int(o, "bytes", totals[i].bytes);
        json_array_append_new(list, o);
    }
    free(volumes);
    return list;
}

/* --- changes --- */

void volumes_changed(void *ctx, const struct volume_status *v)
{
    struct server *s = ctx;
    if (s->feed == NULL || feed_count(s->feed) == 0)
        return;
    json_t *o = volume_json(v);
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(10));
    feed_publish_system(s->feed, "volume", text);
    free(text);
    json_decref(o);
}

/* --- metrics --- */

/* Backslash, quote and line feed are what the format escapes. */
static void put_label(struct buf *b, const char *path)
{
    for (const char *c = path; *c != '\0'; c++) {
        if (*c == '\\' || *c == '"')
            buf_put_u8(b, '\\');
        if (*c == '\n')
            buf_puts(b, "\\n");
        else
            buf_put_u8(b, (uint8_t)*c);
    }
}

struct metric {
    const char *name, *type, *help;
    double (*value)(const struct volume_status *v);
};

static double value_free(const struct volume_status *v)
{
    return (double)v->free_bytes;
}
static double value_total(const struct volume_status *v)
{
    return (double)v->total_bytes;
}
static double value_reserve(const struct volume_status *v)
{
    return (double)v->reserve_bytes;
}
static double value_ok(const struct volume_status *v)
{
    return v->is_ok;
}
static double value_errors(const struct volume_status *v)
{
    return (double)v->n_errors;
}
static double value_write_p99(const struct volume_status *v)
{
    return seconds(v->writes.p99_us);
}
static double value_write_max(const struct volume_status *v)
{
    return seconds(v->writes.max_us);
}
static double value_sync_p99(const struct volume_status *v)
{
    return seconds(v->syncs.p99_us);
}
static double value_sync_max(const struct volume_status *v)
{
    return seconds(v->syncs.max_us);
}
static double value_write_rate(const struct volume_status *v)
{
    return v->writes.bytes_per_s;
}
static double value_recording(const struct volume_status *v)
{
    return v->n_recording;
}

static const struct metric metrics[] = {
    {"free_bytes", "gauge", "Free on the volume.", value_free},
    {"total_bytes", "gauge", "Size of the volume.", value_total},
    {"reserve_bytes", "gauge", "What is kept free.", value_reserve},
    {"ok", "gauge", "Whether it can be written and answers.", value_ok},
    {"errors_total", "counter", "Operations that failed.", value_errors},
    {"write_p99_seconds", "gauge", "99 of 100 writes took no longer, last minutes.",
     value_write_p99},
    {"write_max_seconds", "gauge", "The longest write of the last minutes.", value_write_max},
    {"sync_p99_seconds", "gauge", "99 of 100 syncs took no longer, last minutes.", value_sync_p99},
    {"sync_max_seconds", "gauge", "The longest sync of the last minutes.", value_sync_max},
    {"write_bytes_per_second", "gauge", "Written in the last minute.", value_write_rate},
    {"recording", "gauge", "Streams that are being recorded there.", value_recording},
};

void volumes_metrics(struct storage *storage, struct buf *b)
{
    struct volume_status *v = xcalloc(STORAGE_MAX_VOLUMES, sizeof *v);
    size_t n = storage_volumes(storage, v, STORAGE_MAX_VOLUMES);
    for (size_t k = 0; k < ARRAY_LEN(metrics); k++) {
        const struct metric *m = &metrics[k];
        buf_printf(b, "# HELP rookery_volume_%s %s\n# TYPE rookery_volume_%s %s\n", m->name,
                   m->help, m->name, m->type);
        for (size_t i = 0; i < n; i++) {
            buf_printf(b, "rookery_volume_%s{volume=\"%zu\",path=\"", m->name, i);
            put_label(b, v[i].path);
            buf_printf(b, "\"} %.17g\n", m->value(&v[i]));
        }
    }
    free(v);
}
