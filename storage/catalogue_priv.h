/* What catalogue.c (jobs and readers), catalogue_open.c (its beginning and end) and
 * catalogue_trouble.c (what the database said) share. */
#ifndef STORAGE_CATALOGUE_PRIV_H
#define STORAGE_CATALOGUE_PRIV_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "storage/catalogue.h"
#include "storage/db_priv.h"

enum { CATALOGUE_READERS = 4 };

struct catalogue {
    /* set at open, then const */
    char *data_dir, *path;
    const struct clock *clock;
    int lock_fd;
    struct stat file;      /* as it was opened; st_ino 0 = shared, not looked at */
    struct loop *writer;   /* its thread applies the jobs */
    struct queue *jobs;    /* struct job */
    struct queue *readers; /* struct db, idle */

    /* writer only */
    struct db *db;

    /* any thread, atomic */
    atomic_int trouble;                            /* enum catalogue_trouble */
    _Atomic(struct catalogue_listener *) listener; /* NULL = nobody; never changed again */
};

/* [writer, or its end] Applies every job that waits. */
void catalogue__drain(struct catalogue *c);

/* --- trouble; [any] --- */

/* Logs and tells a change, once. why may be NULL for CATALOGUE_FINE. */
void catalogue__set_trouble(struct catalogue *c, enum catalogue_trouble now, const struct err *why);
/* What the database itself said on this connection, not a job about its own data. */
void catalogue__note_failure(struct catalogue *c, struct db *db, const struct err *why);
/* Whether its file was removed or replaced, which is trouble. */
bool catalogue__note_removed(struct catalogue *c);

#endif
