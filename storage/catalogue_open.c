/* How a catalogue begins and ends. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/queue.h"
#include "storage/catalogue_priv.h"
#include "storage/data_lock.h"
#include "storage/db_health.h"
#include "storage/db_schema.h"
#include "storage/dirs.h"
#include "storage/staged.h"

static int check_version(struct db *db, struct err *err)
{
    int64_t version = 0;
    int rc = db_version(db, &version, err);
    if (rc == 0 && version != (int64_t)db_schema_version())
        return err_text(err, ERR_UNSUPPORTED,
                        "the catalogue has version %lld and this program needs %zu: start the "
                        "server of this version once",
                        (long long)version, db_schema_version());
    return rc;
}

/* Names the file, and what to do: nobody reads a manual then. */
static int damaged(const struct catalogue *c, struct err *err)
{
    return err_wrap(err, ERR_PARSE,
                    "%s is damaged; the recordings are not touched. `rookery index rebuild` saves "
                    "what can be read of it and makes the index anew from the files; `rookery "
                    "restore FILE` takes a backup instead",
                    c->path);
}

static int open_connections(struct catalogue *c, bool is_shared, struct err *err)
{
    int rc = db__open(c->path, false, &c->db, err);
    if (rc == 0)
        rc = is_shared ? check_version(c->db, err) : db_migrate(c->db, err);
    if (rc == 0 && !is_shared)
        rc = db_check_small(c->db, err);
    if (rc == 0 && !is_shared && stat(c->path, &c->file) < 0)
        rc = err_set(err, -errno, "stat %s", c->path);
    for (int i = 0; i < CATALOGUE_READERS && rc == 0; i++) {
        struct db *db;
        rc = db__open(c->path, true, &db, err);
        if (rc == 0)
            queue_push(c->readers, db, 0, NULL);
    }
    return rc == ERR_PARSE ? damaged(c, err) : rc;
}

/* What waits to take the place of the catalogue does so now. */
static int take_over(const char *data_dir, struct err *err)
{
    char aside[4096];
    int rc = staged_apply(data_dir, aside, sizeof aside, err);
    if (rc == 1)
        log_info("catalogue", "another catalogue took its place; the old one is in %s", aside);
    return rc < 0 ? rc : 0;
}

static int take_directory(struct catalogue *c, const char *data_dir, struct err *err)
{
    int rc = dirs_make(data_dir, err);
    if (rc == 0)
        rc = c->lock_fd = data_lock_take(data_dir, err);
    return rc < 0 ? rc : take_over(data_dir, err);
}

/* Keys come after the first catalogue, so where there are some it was lost. */
static void warn_if_lost(const struct catalogue *c, const char *data_dir)
{
    struct stat st;
    char *keys = xasprintf("%s/keys", data_dir);
    if ((stat(c->path, &st) < 0 || st.st_size == 0) && access(keys, F_OK) == 0)
        log_warn("catalogue",
                 "there is none in %s, though there was one: an empty one is begun. `rookery "
                 "restore FILE` brings back a backup, `rookery index rebuild` finds recordings",
                 data_dir);
    free(keys);
}

static int open_catalogue(const char *data_dir, const struct clock *clock, bool is_shared,
                          struct catalogue **out, struct err *err)
{
    int rc = 0;
    struct catalogue *c = xcalloc(1, sizeof *c);
    c->lock_fd = -1;
    c->clock = clock;
    c->data_dir = xstrdup(data_dir);
    c->path = xasprintf("%s/catalog.db", data_dir);
    c->jobs = queue_create(&(struct queue_params){.max_entries = CATALOGUE_MAX_POSTED});
    c->readers = queue_create(&(struct queue_params){.max_entries = CATALOGUE_READERS});
    if (is_shared && access(c->path, F_OK) < 0) {
        rc = err_text(err, ERR_NOT_FOUND, "%s does not exist: start the server once", c->path);
        goto fail;
    }
    if (is_shared && staged_is_waiting(data_dir) && !data_lock_is_taken(data_dir)) {
        rc = err_text(err, ERR_UNSUPPORTED, "a restored catalogue waits: start the server once");
        goto fail;
    }
    if (!is_shared)
        rc = take_directory(c, data_dir, err);
    if (rc == 0 && !is_shared)
        warn_if_lost(c, data_dir);
    if (rc == 0)
        rc = open_connections(c, is_shared, err);
    if (rc < 0)
        goto fail;
    c->writer = loop_create(&(struct loop_params){.name = "catalogue"});
    loop_start(c->writer);
    *out = c;
    return 0;

fail:
    catalogue_close(&c);
    return rc;
}

int catalogue_open(const char *data_dir, const struct clock *clock, struct catalogue **out,
                   struct err *err)
{
    return open_catalogue(data_dir, clock, false, out, err);
}

int catalogue_open_shared(const char *data_dir, const struct clock *clock, struct catalogue **out,
                          struct err *err)
{
    return open_catalogue(data_dir, clock, true, out, err);
}

bool catalogue_is_served(const struct catalogue *c)
{
    return c->lock_fd >= 0 || data_lock_is_taken(c->data_dir);
}

/* A copy of what is known under the name that the file has lost. What lies beside it, the log of
 * the lost one, must not be taken for the log of the copy. */
static void put_back(struct catalogue *c)
{
    static const char *const beside[] = {"-wal", "-shm"};
    struct err err = {0};
    char *copy = xasprintf("%s.copy", c->path);
    unlink(copy);
    int rc = db__copy_to(c->db, copy, &err);
    db__close(&c->db);
    for (size_t i = 0; i < ARRAY_LEN(beside) && rc == 0; i++) {
        char *path = xasprintf("%s%s", c->path, beside[i]);
        unlink(path);
        free(path);
    }
    if (rc == 0 && (chmod(copy, 0640) < 0 || rename(copy, c->path) < 0))
        rc = err_set(&err, -errno, "rename %s", copy);
    if (rc < 0)
        log_error("catalogue", "its file was removed and cannot be put back: %s", err.msg);
    else
        log_warn("catalogue", "its file was removed: a copy of what was known is in its place");
    free(copy);
}

void catalogue_close(struct catalogue **cp)
{
    struct catalogue *c = *cp;
    if (c == NULL)
        return;
    if (c->writer != NULL) {
        loop_stop(c->writer);
        loop_join(c->writer);
        catalogue__drain(c);
        loop_destroy(&c->writer);
    }
    struct db *db;
    while ((db = queue_pop(c->readers)) != NULL)
        db__close(&db);
    if (c->db != NULL && c->file.st_ino != 0 && access(c->path, F_OK) < 0 && errno == ENOENT)
        put_back(c);
    db__close(&c->db); /* last, so that it checkpoints the log away */
    queue_destroy(&c->readers);
    queue_destroy(&c->jobs);
    if (c->lock_fd >= 0)
        close(c->lock_fd);
    free(atomic_load(&c->listener));
    free(c->data_dir);
    free(c->path);
    FREE(cp);
}
