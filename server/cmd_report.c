/* rookery report: the uptime report as a file. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "server/cli.h"
#include "server/offline.h"
#include "server/report.h"
#include "server/server.h"

static const char help[] =
    "usage: rookery report --period 2026-11|2026-W47|2026-11-23 [--node NODE]\n"
    "                      [--format json|csv] [--out FILE] [--config FILE]\n\n"
    "Uptime per institution, from the rows of the catalogue; NODE is township:ID, institution:ID\n"
    "or camera:ID. Without --out it goes to standard output. xlsx and html are not in this version.\n";

static int write_out(const char *path, const struct buf *text, struct err *err)
{
    FILE *f = path != NULL ? fopen(path, "we") : stdout;
    if (f == NULL)
        return err_set(err, -errno, "create %s", path);
    bool is_fine = fwrite(text->data, 1, text->len, f) == text->len && fflush(f) == 0;
    if (path != NULL && fclose(f) != 0)
        is_fine = false;
    return is_fine ? 0
                   : err_set(err, errno ? -errno : -EIO, "write %s", path ? path : "the report");
}

static int run(struct offline *o, const char *period, const char *node_text, bool is_csv,
               const char *path, struct err *err)
{
    struct district *d = NULL;
    struct node node;
    struct buf text;
    json_t *report = NULL;
    buf_init(&text, 0);
    int rc = server_load_district(o->catalogue, &d, err);
    if (rc == 0 && district_node(d, node_text, &node) < 0)
        rc = err_text(err, ERR_NOT_FOUND, "there is no node \"%s\"", node_text);
    if (rc == 0)
        rc = report_get(&(struct report_params){.catalogue = o->catalogue,
                                                .district = d,
                                                .node = node.kind == NODE_DISTRICT ? NULL : &node,
                                                .period = period,
                                                .time_zone = o->config->time_zone,
                                                .zone_minutes = o->config->utc_offset_minutes,
                                                .now_us = clock_wall_us(clock_system())},
                        &report, err);
    if (rc == 0 && is_csv) {
        report_csv(report, &text);
    } else if (rc == 0) {
        char *json = json_dumps(report, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
        buf_puts(&text, json);
        buf_puts(&text, "\n");
        free(json);
    }
    if (rc == 0)
        rc = write_out(path, &text, err);
    json_decref(report);
    buf_fini(&text);
    district_unref(&d);
    return rc;
}

int cmd_report(int argc, char **argv)
{
    const char *config = CONFIG_DEFAULT_PATH, *period = NULL, *node = "", *format = "json";
    const char *out = NULL;
    const struct cli_option options[] = {{"--config", false, &config}, {"--period", false, &period},
                                         {"--node", false, &node},     {"--format", false, &format},
                                         {"--out", false, &out},       {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, NULL, 0, help);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    bool is_csv = strcmp(format, "csv") == 0;
    if (period == NULL)
        return cli_usage("report: --period is missing; see rookery report --help");
    struct offline o = {0};
    struct err err;
    err_clear(&err);
    int rc = 0;
    if (strcmp(format, "xlsx") == 0 || strcmp(format, "html") == 0)
        rc = err_text(&err, ERR_UNSUPPORTED, "format %s is not in this version: use json or csv",
                      format);
    else if (!is_csv && strcmp(format, "json") != 0)
        return cli_usage("report: --format is json or csv, not \"%s\"", format);
    if (rc == 0)
        rc = offline_open(config, &o, &err);
    if (rc == 0)
        rc = run(&o, period, node, is_csv, out, &err);
    offline_close(&o);
    return rc < 0 ? cli_fail(&err) : EXIT_OK;
}
