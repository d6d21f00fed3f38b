/* rookery index check|rebuild */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "server/cli.h"
#include "server/offline.h"
#include "server/placeholders.h"
#include "storage/db_health.h"

static const char help[] =
    "usage: rookery index check [--deep] [--config FILE]\n"
    "       rookery index rebuild [--empty] [--forget] [--config FILE]\n\n"
    "check compares the index with the files of every volume: sizes and what stands at their\n"
    "ends; --deep reads every file. It changes nothing, and the server may run. It exits 0 when\n"
    "all is well, 1 when something differs or could not be looked at. Files that a server was\n"
    "writing when it was killed are named and counted as unfinished; its next start settles them,\n"
    "so they alone are no reason for 1.\n\n"
    "rebuild makes the index anew from the files alone; the server must be stopped. A catalogue\n"
    "that is damaged is saved as far as it can be read first, and kept; --empty begins with an\n"
    "empty one where nothing can be read. Nothing is done while segments lie on a volume that is\n"
    "not in the configuration; --forget takes them out, as missing. Stopped in between: do it\n"
    "again.\n";

static void print_problem(void *ctx, const char *path, const char *what)
{
    (void)ctx;
    printf("%s: %s\n", path, what);
}

/* --- a line of progress, on a terminal only --- */

struct progress {
    int64_t started_us, shown_us;
};

static void show_progress(void *ctx, const struct index_report *r)
{
    struct progress *p = ctx;
    int64_t now_us = clock_mono_us(clock_system());
    if (now_us - p->shown_us < US_PER_S / 5)
        return;
    p->shown_us = now_us;
    double rate = (double)r->n_files * 1e6 / (double)(now_us - p->started_us + 1);
    fprintf(stderr, "\r%" PRIu64 " files, %.0f per second ", r->n_files, rate);
    fflush(stderr);
}

static void watch(struct offline *o, struct progress *p)
{
    *p = (struct progress){.started_us = clock_mono_us(clock_system())};
    if (isatty(STDERR_FILENO))
        storage_index_on_progress(o->storage, show_progress, p);
}

/* What is neither finished nor gone, and whose turn it is. */
static void print_unsettled(const struct index_report *r)
{
    if (r->n_writing > 0)
        printf("; %" PRIu64 " being written by the server", r->n_writing);
    if (r->n_unsettled > 0)
        printf("; %" PRIu64 " unfinished: settled at the next start of the server (or by rookery "
               "index rebuild)",
               r->n_unsettled);
    if (r->n_doomed > 0)
        printf(r->is_served ? "; %" PRIu64 " being deleted by the server"
                            : "; %" PRIu64
                              " deleted, to be removed at the next start of the server",
               r->n_doomed);
}

static void print_report(const struct index_report *r, bool is_deep)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%40s\r", "");
    printf("%" PRIu64 " segments, %" PRIu64 " files, %" PRIu64 " bytes; %" PRIu64
           " files without a row, %" PRIu64 " rows without a file, %" PRIu64 " differ, %" PRIu64
           " unreadable, %" PRIu64 " contradictions, %" PRIu64 " not looked at",
           r->n_segments, r->n_files, r->n_bytes, r->n_adopted, r->n_missing, r->n_mismatch,
           r->n_bad_files, r->n_broken, r->n_unreachable);
    if (is_deep)
        printf(", %" PRIu64 " changed or taken out since they were written", r->n_changed);
    if (r->n_foreign > 0)
        printf("; %" PRIu64 " hold hashes by another installation's key (restore its keys to check "
               "them)",
               r->n_foreign);
    print_unsettled(r);
    printf("\n");
}

/* --- check --- */

static int check(const char *config, bool is_deep)
{
    struct offline o;
    struct err err = {0};
    struct index_report r = {0};
    struct progress progress;
    int rc = offline_open_beside(config, &o, &err);
    if (rc == 0)
        rc = offline_open_storage(&o, &err);
    if (rc == 0) {
        watch(&o, &progress);
        rc = storage_index_check(o.storage, is_deep, print_problem, NULL, &r, &err);
    }
    offline_close(&o);
    if (rc < 0)
        return cli_fail(&err);
    print_report(&r, is_deep);
    bool is_fine = r.n_adopted + r.n_missing + r.n_mismatch + r.n_bad_files + r.n_broken == 0 &&
                   r.n_changed + r.n_foreign + r.n_unreachable == 0;
    return is_fine ? EXIT_OK : EXIT_FAILED;
}

/* --- rebuild --- */

static void print_saved(void *ctx, const char *table, int64_t n_saved, bool is_whole)
{
    (void)ctx;
    if (!is_whole)
        printf("%s: %" PRId64 " rows saved, the others cannot be read\n", table, n_saved);
}

static int salvage(const char *config_path, bool is_empty, struct err *err)
{
    char aside[4096] = "";
    struct config *config = NULL;
    err_clear(err);
    int rc = config_load(config_path, &config, err);
    if (rc == 0)
        rc = catalogue_salvage(config->data_dir, clock_system(), is_empty ? NULL : print_saved,
                               NULL, aside, sizeof aside, err);
    config_unref(&config);
    if (rc == ERR_PARSE)
        return err_wrap(err, rc,
                        "nothing was changed; take a backup with rookery restore FILE, or begin "
                        "with an empty catalogue by rookery index rebuild --empty");
    if (rc == 0)
        printf("The catalogue was damaged: what could be read of it was saved; the damaged one is "
               "kept in %s.\n",
               aside);
    return rc;
}

static int job_placeholders(struct db *db, void *ctx, struct err *err)
{
    return placeholders_make(db, ctx, err);
}

static int name_unknown(struct offline *o, struct err *err)
{
    struct placeholders p = {0};
    int rc = catalogue_write(o->catalogue, job_placeholders, &p, err);
    if (rc == 0 && p.n_made > 0)
        printf("%zu cameras were made for the recordings, switched off, in the institution "
               "\"archive\": %s\n",
               p.n_made, p.unknown);
    else if (rc == 0 && p.n_unknown > 0)
        printf("Recordings of %zu cameras cannot be watched, since the district does not know "
               "them: %s. Add cameras with these ids to watch them.\n",
               p.n_unknown, p.unknown);
    free(p.unknown);
    return rc;
}

static int job_check_all(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_check_all(db, err);
}

/* *is_damaged: the catalogue, found at once or when rows were to be written. */
static int rebuild_once(const char *config, bool is_forgetting, struct index_report *r,
                        bool *is_damaged, struct err *err)
{
    struct offline o;
    struct progress progress;
    struct err covers = {0};
    int rc = offline_open_alone(config, &o, err);
    if (rc == 0)
        rc = offline_open_storage(&o, err);
    /* a start looks at the small tables only, and rebuilding touches few of them */
    if (rc == 0)
        rc = catalogue_read(o.catalogue, job_check_all, NULL, err);
    bool is_found = rc == ERR_PARSE && o.catalogue != NULL;
    if (rc == 0 && !is_forgetting) {
        rc = storage_index_covers(o.storage, &covers);
        if (rc < 0)
            err_text(err, rc, "%s%s", covers.msg,
                     rc == ERR_CONFLICT ? ": put it back, or say --forget" : "");
    }
    if (rc == 0) {
        watch(&o, &progress);
        rc = storage_index_rebuild(o.storage, print_problem, NULL, r, err);
    }
    if (rc == 0)
        rc = name_unknown(&o, err);
    if (o.catalogue != NULL)
        *is_damaged = is_found || (rc < 0 && catalogue_trouble(o.catalogue) == CATALOGUE_DAMAGED);
    else
        *is_damaged = rc == ERR_PARSE && o.config != NULL;
    offline_close(&o);
    return rc;
}

static int rebuild(const char *config, bool is_empty, bool is_forgetting)
{
    struct err err = {0};
    struct index_report r = {0};
    bool is_damaged = false;
    int rc = rebuild_once(config, is_forgetting, &r, &is_damaged, &err);
    if (is_damaged) {
        rc = salvage(config, is_empty, &err);
        if (rc == 0)
            rc = rebuild_once(config, is_forgetting, &r, &is_damaged, &err);
    }
    if (rc < 0)
        return cli_fail(&err);
    print_report(&r, false);
    return r.n_unreachable == 0 ? EXIT_OK : EXIT_FAILED;
}

int cmd_index(int argc, char **argv)
{
    const char *config = CONFIG_DEFAULT_PATH, *deep = NULL, *empty = NULL, *forget = NULL;
    const char *args[1] = {NULL};
    const struct cli_option options[] = {{"--config", false, &config},
                                         {"--deep", true, &deep},
                                         {"--empty", true, &empty},
                                         {"--forget", true, &forget},
                                         {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, args, 1, help);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    if (args[0] != NULL && strcmp(args[0], "rebuild") == 0)
        return rebuild(config, empty != NULL, forget != NULL);
    if (args[0] != NULL && strcmp(args[0], "check") == 0)
        return check(config, deep != NULL);
    return cli_usage("index: say check or rebuild; see rookery index --help");
}
