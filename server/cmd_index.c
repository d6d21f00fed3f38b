/* rookery index check|rebuild */
#include <inttypes.h>
#include <string.h>

#include "server/cli.h"
#include "server/offline.h"

static const char help[] =
    "usage: rookery index check [--deep] [--config FILE]\n"
    "       rookery index rebuild [--config FILE]\n\n"
    "check compares the index with the files of every volume (--deep reads them as well) and\n"
    "exits 1 when something differs; rebuild makes the index anew from the files alone. The\n"
    "server must be stopped.\n";

static void print_problem(void *ctx, const char *path, const char *what)
{
    (void)ctx;
    printf("%s: %s\n", path, what);
}

int cmd_index(int argc, char **argv)
{
    const char *config = CONFIG_DEFAULT_PATH, *deep = NULL, *args[1] = {NULL};
    const struct cli_option options[] = {
        {"--config", false, &config}, {"--deep", true, &deep}, {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, args, 1, help);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    bool is_rebuild = args[0] != NULL && strcmp(args[0], "rebuild") == 0;
    if (!is_rebuild && (args[0] == NULL || strcmp(args[0], "check") != 0))
        return cli_usage("index: say check or rebuild; see rookery index --help");
    struct offline o;
    struct err err;
    struct index_report r = {0};
    err_clear(&err);
    int rc = offline_open_alone(config, &o, &err);
    if (rc == 0)
        rc = offline_open_storage(&o, &err);
    if (rc == 0 && is_rebuild)
        rc = storage_index_rebuild(o.storage, print_problem, NULL, &r, &err);
    else if (rc == 0)
        rc = storage_index_check(o.storage, deep != NULL, print_problem, NULL, &r, &err);
    offline_close(&o);
    if (rc < 0)
        return cli_fail(&err);
    printf("%" PRIu64 " segments, %" PRIu64 " files, %" PRIu64 " bytes; %" PRIu64
           " files without a row, %" PRIu64 " rows without a file, %" PRIu64 " differ, %" PRIu64
           " unreadable",
           r.n_segments, r.n_files, r.n_bytes, r.n_adopted, r.n_missing, r.n_mismatch,
           r.n_bad_files);
    if (deep != NULL)
        printf(", %" PRIu64 " changed or taken out since they were written", r.n_changed);
    if (r.n_foreign > 0)
        printf("; %" PRIu64 " hold hashes by another installation's key (restore its keys to check "
               "them)",
               r.n_foreign);
    printf("\n");
    bool is_fine = r.n_missing == 0 && r.n_mismatch == 0 && r.n_changed == 0 && r.n_foreign == 0 &&
                   (is_rebuild || r.n_adopted == 0);
    return is_fine ? EXIT_OK : EXIT_FAILED;
}
