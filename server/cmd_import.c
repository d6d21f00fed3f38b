/* rookery import FILE.csv */
#include <errno.h>
#include <fcntl.h>

#include "base/str.h"
#include "server/cli.h"
#include "server/import.h"
#include "server/offline.h"
#include "server/server.h"

static const char help[] =
    "usage: rookery import FILE.csv [--dry-run] [--config FILE]\n\n"
    "Townships, institutions and cameras from a spreadsheet saved as CSV (UTF-8 or GBK, with a\n"
    "header line): all or nothing; every bad line is reported with number and reason. Works\n"
    "beside a running server, which follows within two seconds. FILE may be - for standard input.\n"
    "Columns: township, institution_id, institution_name, institution_type, camera_id,\n"
    "camera_name, area, area_type, main_url, sub_url, username, password, record.\n";

static int read_file(const char *path, struct buf *out, struct err *err)
{
    bool is_stdin = span_eq(span_of(path), "-");
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    if (fd < 0)
        return err_set(err, -errno, "open %s", path);
    while (n > 0 && buf_reserve(out, 65536)) {
        n = read(fd, out->data + out->len, 65536);
        if (n > 0)
            out->len += (size_t)n;
    }
    int rc = n < 0 ? err_set(err, -errno, "read %s", path) : 0;
    if (!is_stdin)
        close(fd);
    return rc;
}

static int apply(struct db *db, void *ctx, struct err *err)
{
    return import_apply(db, ctx, err);
}

static void print_errors(const char *path, const struct import *im)
{
    for (size_t i = 0; i < import_kept_errors(im); i++) {
        const struct import_error *e = &im->errors[i];
        fprintf(stderr, "%s:%u: %s%s%s\n", path, e->line, e->column, e->column[0] ? ": " : "",
                e->reason);
    }
}

static int run(const char *path, bool is_dry, struct offline *o, struct err *err)
{
    struct buf text;
    struct import im;
    struct district *d = NULL;
    buf_init(&text, IMPORT_MAX_BYTES + (1u << 20));
    int rc = read_file(path, &text, err);
    if (rc == 0)
        rc = server_load_district(o->catalogue, &d, err);
    if (rc < 0) {
        buf_fini(&text);
        return rc;
    }
    import_plan(text.data, text.len, d, o->secrets, clock_wall_us(clock_system()), &im);
    district_unref(&d);
    buf_fini(&text);
    print_errors(path, &im);
    if (im.n_errors > 0)
        rc = err_text(err, ERR_INVALID, "%s: %zu wrong; nothing was changed: correct the file",
                      path, im.n_errors);
    else if (!is_dry)
        rc = catalogue_write(o->catalogue, apply, &im, err);
    if (rc == 0)
        printf("%s%u lines: townships %d new, %d changed; institutions %d new, %d changed; "
               "cameras %d new, %d changed\n",
               is_dry ? "dry run, nothing changed: " : "", im.n_rows, im.townships.n_new,
               im.townships.n_changed, im.institutions.n_new, im.institutions.n_changed,
               im.cameras.n_new, im.cameras.n_changed);
    import_fini(&im);
    return rc;
}

int cmd_import(int argc, char **argv)
{
    const char *config = CONFIG_DEFAULT_PATH, *dry_run = NULL, *args[1] = {NULL};
    const struct cli_option options[] = {
        {"--config", false, &config}, {"--dry-run", true, &dry_run}, {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, args, 1, help);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    if (args[0] == NULL)
        return cli_usage("import: FILE.csv is missing; see rookery import --help");
    struct offline o;
    struct err err;
    err_clear(&err);
    int rc = offline_open(config, &o, &err);
    if (rc == 0)
        rc = run(args[0], dry_run != NULL, &o, &err);
    offline_close(&o);
    return rc < 0 ? cli_fail(&err) : EXIT_OK;
}
