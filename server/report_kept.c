#include "server/report_kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/db_report.h"
#include "storage/db_states.h"

#define SETTLED_US (5 * 60 * US_PER_S) /* after its end a period's rows are complete */

/* --- one report --- */

struct kept {
    const char *period;
    int64_t generated_us;
    char *json;
};

static int job_get(struct db *db, void *ctx, struct err *err)
{
    struct kept *k = ctx;
    return db_report_get(db, k->period, &k->generated_us, &k->json, err);
}

json_t *report_kept_get(struct catalogue *c, const char *period)
{
    struct kept k = {.period = period};
    if (catalogue_read(c, job_get, &k, NULL) < 0)
        return NULL;
    json_t *report = json_loads(k.json, 0, NULL);
    free(k.json);
    return report;
}

static int job_put(struct db *db, void *ctx, struct err *err)
{
    const struct kept *k = ctx;
    return db_report_put(db, k->period, k->generated_us, k->json, err);
}

int report_kept_put(struct catalogue *c, const char *period, int64_t now_us, const json_t *report,
                    struct err *err)
{
    struct kept k = {.period = period,
                     .generated_us = now_us,
                     .json = json_dumps(report, JSON_COMPACT | JSON_REAL_PRECISION(10))};
    int rc = catalogue_write(c, job_put, &k, err);
    free(k.json);
    return rc;
}

/* --- which are missing --- */

/* Year and number of the ISO week that holds a day (days since 1970, a Thursday). */
static void week_of(int64_t day, int *out_year, int *out_week)
{
    int64_t thursday = day - (day + 3) % 7 + 3;
    struct civil c = civil_of(thursday * US_PER_DAY);
    struct civil first = {.year = c.year, .month = 1, .day = 1};
    *out_year = c.year;
    *out_week = (int)((thursday - civil_to_us(&first) / US_PER_DAY) / 7) + 1;
}

static char *next_period(struct report_periods *p)
{
    return p->list[p->n++];
}

static void list_finished(int64_t now_us, int zone_minutes, struct report_periods *out)
{
    const size_t cap = sizeof out->list[0];
    int64_t local_us = now_us - SETTLED_US + zone_minutes * 60 * US_PER_S;
    int64_t today = local_us / US_PER_DAY;
    struct civil c;
    int year, week;
    for (int i = 1; i <= 7; i++) {
        c = civil_of((today - i) * US_PER_DAY);
        snprintf(next_period(out), cap, "%04u-%02u-%02u", (unsigned)c.year % 10000u,
                 (unsigned)c.month % 100u, (unsigned)c.day % 100u);
    }
    week_of(today - 7, &year, &week);
    snprintf(next_period(out), cap, "%04u-W%02u", (unsigned)year % 10000u, (unsigned)week % 100u);
    c = civil_of(today * US_PER_DAY);
    c = civil_of((today - c.day) * US_PER_DAY); /* the last day of the month before */
    snprintf(next_period(out), cap, "%04u-%02u", (unsigned)c.year % 10000u,
             (unsigned)c.month % 100u);
}

struct look {
    struct report_periods *periods;
    int64_t first_run_us;
};

static int note_run(void *ctx, const struct run_row *row)
{
    struct look *l = ctx;
    l->first_run_us = MIN(l->first_run_us, row->from_us);
    return 0;
}

static void strike(struct report_periods *p, size_t i)
{
    memmove(p->list[i], p->list[i + 1], (--p->n - i) * sizeof p->list[0]);
}

static int strike_kept(void *ctx, const struct report_row *row)
{
    struct report_periods *p = ((struct look *)ctx)->periods;
    for (size_t i = p->n; i > 0; i--) {
        if (strcmp(p->list[i - 1], row->period) == 0)
            strike(p, i - 1);
    }
    return 0;
}

static int job_look(struct db *db, void *ctx, struct err *err)
{
    int rc = db_runs_in(db, 0, INT64_MAX, note_run, ctx, err);
    return rc < 0 ? rc : db_reports_list(db, strike_kept, ctx, err);
}

int report_kept_missing(struct catalogue *c, int64_t now_us, int zone_minutes,
                        struct report_periods *out, struct err *err)
{
    struct look l = {.periods = out, .first_run_us = INT64_MAX};
    *out = (struct report_periods){0};
    list_finished(now_us, zone_minutes, out);
    int rc = catalogue_read(c, job_look, &l, err);
    for (size_t i = out->n; i > 0; i--) {
        int64_t from_us, to_us;
        if (uptime_period(out->list[i - 1], zone_minutes, &from_us, &to_us) < 0 ||
            to_us <= l.first_run_us)
            strike(out, i - 1);
    }
    return rc;
}
