/* rookery backup, rookery restore */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/backup.h"
#include "server/cli.h"
#include "server/config.h"
#include "storage/data_lock.h"
#include "storage/dirs.h"
#include "storage/staged.h"

static const char backup_help[] =
    "usage: rookery backup FILE [--config FILE]\n\n"
    "Writes the catalogue (district, accounts, walls, states, events, holds, the index of\n"
    "recordings) and the keys into one tar file, which must not exist; the server may run.\n"
    "The recordings themselves and the configuration are not in it. The file holds secrets:\n"
    "mode 0600, keep it so.\n";

static const char restore_help[] =
    "usage: rookery restore FILE [--config FILE]\n"
    "       rookery restore --cancel [--config FILE]\n\n"
    "Puts the catalogue and the keys of a backup in place. Beside a running server they wait\n"
    "and take effect at its next start (--cancel takes that back); else at once. What was there\n"
    "is kept in a directory before-restore-TIME of data_dir. A file that is no backup, cut off or\n"
    "damaged is refused before anything is changed. Everybody has to sign in again.\n"
    "Recordings made since the backup are entered by rookery index rebuild.\n";

static void print_facts(const char *path, const struct backup_facts *f)
{
    char made[CLOCK_RFC3339_BYTES];
    printf("%s: made %s by Rookery %s, catalogue of %" PRIu64 " bytes (version %" PRId64
           "), %d keys\n",
           path, rfc3339_print(f->made_us, made), f->version, f->catalogue_bytes, f->schema,
           f->n_keys);
}

int cmd_backup(int argc, char **argv)
{
    const char *config_path = CONFIG_DEFAULT_PATH, *args[1] = {NULL};
    const struct cli_option options[] = {{"--config", false, &config_path}, {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, args, 1, backup_help);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    if (args[0] == NULL)
        return cli_usage("backup: say into which file; see rookery backup --help");
    struct config *config = NULL;
    struct catalogue *catalogue = NULL;
    struct backup_facts facts = {0};
    struct err err = {0};
    int rc = config_load(config_path, &config, &err);
    if (rc == 0) /* beside a server; one that is not there may not start meanwhile for this */
        rc = catalogue_open_shared(config->data_dir, clock_system(), &catalogue, &err);
    if (rc == 0)
        rc = backup_write(catalogue, config->data_dir, args[0], clock_wall_us(clock_system()),
                          &facts, &err);
    catalogue_close(&catalogue);
    config_unref(&config);
    if (rc < 0)
        return cli_fail(&err);
    print_facts(args[0], &facts);
    return EXIT_OK;
}

/* Two at once would write into one directory. The lock ends with the process; < 0 = refused. */
static int begin_alone(const char *data_dir, struct err *err)
{
    int rc = dirs_make(data_dir, err);
    if (rc < 0)
        return rc;
    int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, "open %s", data_dir);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return err_text(err, ERR_BUSY, "another restore into %s is under way: nothing was changed",
                    data_dir);
}

/* Complete and checked in data_dir/restore, or nothing has changed. */
static int stage(const char *path, const char *data_dir, struct backup_facts *facts,
                 struct err *err)
{
    char dir[4000], aside[64];
    struct civil c = civil_of(clock_wall_us(clock_system()));
    snprintf(aside, sizeof aside, "before-restore-%04d%02d%02dT%02d%02d%02dZ", c.year, c.month,
             c.day, c.hour, c.minute, c.second);
    int rc = staged_begin(data_dir, dir, sizeof dir, err);
    if (rc < 0)
        return rc;
    rc = backup_read(path, dir, facts, err);
    if (rc == 0) {
        char *copy = xasprintf("%s/catalog.db", dir);
        rc = catalogue_prepare(copy, err);
        free(copy);
    }
    return rc < 0 ? rc : staged_commit(data_dir, aside, err);
}

/* 1 = took place, 0 = waits for the running server's next start. */
static int take_effect(const char *data_dir, char *aside, size_t cap, struct err *err)
{
    int lock = data_lock_take(data_dir, err);
    if (lock == ERR_BUSY)
        return staged_is_waiting(data_dir) ? 0 : 1; /* a server that just started took it over */
    if (lock < 0)
        return lock;
    int rc = staged_apply(data_dir, aside, cap, err);
    close(lock);
    return rc;
}

static int restore(const char *path, const char *data_dir, struct err *err)
{
    char aside[4096] = "";
    struct backup_facts facts = {0};
    int rc = backup_read(path, NULL, &facts, err); /* before anything is created */
    if (rc == 0)
        rc = begin_alone(data_dir, err);
    if (rc >= 0)
        rc = stage(path, data_dir, &facts, err);
    if (rc < 0)
        return rc;
    print_facts(path, &facts);
    rc = take_effect(data_dir, aside, sizeof aside, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        printf("The server runs: the backup takes effect at its next start, and what is recorded "
               "and changed until then is not in it. rookery restore --cancel takes it back.\n");
    else
        printf("Restored; what was there is kept in %s. Everybody signs in again; accounts and "
               "tokens are as they were then.\n",
               aside);
    printf("Recordings made after the backup are on the volumes, but not in its index: run rookery "
           "index rebuild while the server is stopped.\n");
    return 0;
}

static int cancel(const char *data_dir, struct err *err)
{
    int rc = begin_alone(data_dir, err);
    if (rc < 0)
        return rc;
    if (!staged_is_waiting(data_dir))
        return err_text(err, ERR_NOT_FOUND, "no restore waits in %s", data_dir);
    if (staged_is_begun(data_dir))
        return err_text(err, ERR_CONFLICT,
                        "the restore has begun to take place in %s: start the server, which "
                        "completes it",
                        data_dir);
    staged_discard(data_dir);
    printf("The restore is taken back: the catalogue stays as it is.\n");
    return 0;
}

int cmd_restore(int argc, char **argv)
{
    const char *config_path = CONFIG_DEFAULT_PATH, *is_cancel = NULL, *args[1] = {NULL};
    const struct cli_option options[] = {
        {"--config", false, &config_path}, {"--cancel", true, &is_cancel}, {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, args, 1, restore_help);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    if ((args[0] == NULL) == (is_cancel == NULL))
        return cli_usage("restore: say which file; see rookery restore --help");
    struct config *config = NULL;
    struct err err = {0};
    int rc = config_load(config_path, &config, &err);
    if (rc == 0)
        rc = is_cancel ? cancel(config->data_dir, &err) : restore(args[0], config->data_dir, &err);
    config_unref(&config);
    return rc < 0 ? cli_fail(&err) : EXIT_OK;
}
