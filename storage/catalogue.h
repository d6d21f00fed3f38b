/* The catalogue: everything Rookery remembers besides pictures, in one SQLite database (WAL).
 *
 * One writer thread applies jobs in batches, one transaction per batch, one savepoint per job: a
 * job that fails undoes only itself. Readers use a small set of read-only connections. Thread:
 * functions that block are for pool and test threads, never for a loop. Durability: a write is
 * durable when catalogue_write returns or `done` fires (synchronous=FULL). SQL lives in
 * storage/db*.c only. */
#ifndef STORAGE_CATALOGUE_H
#define STORAGE_CATALOGUE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"

struct catalogue;
struct db; /* a connection inside a job; see db.h */

typedef int catalogue_fn(struct db *db, void *ctx, struct err *err);
typedef void catalogue_done_fn(void *ctx, const struct err *err);

/* Opens or creates data_dir/catalog.db, takes the directory's lock, lets a catalogue that waits
 * take its place (staged.h), migrates the schema, starts the writer. ERR_BUSY: another server holds
 * the directory. ERR_PARSE: the file is damaged. */
int catalogue_open(const char *data_dir, const struct clock *clock, struct catalogue **out,
                   struct err *err);
void catalogue_close(struct catalogue **c); /* applies what was posted */

/* For the command line beside a running server: takes no lock and changes no schema.
 * ERR_UNSUPPORTED when the schema's version is another, ERR_NOT_FOUND without a catalogue. */
int catalogue_open_shared(const char *data_dir, const struct clock *clock, struct catalogue **out,
                          struct err *err);

/* [any] Whether a server, or this process in its place, holds the directory now. */
bool catalogue_is_served(const struct catalogue *c);

/* Blocks until durable; returns the job's result. */
int catalogue_write(struct catalogue *c, catalogue_fn *fn, void *ctx, struct err *err);

/* [any] Never blocks: applies fn later, then posts done to home. Either may be NULL, not fn. Bound:
 * CATALOGUE_MAX_POSTED jobs; above it ERR_BUSY is returned and nothing was taken. */
#define CATALOGUE_MAX_POSTED 65536
int catalogue_post(struct catalogue *c, catalogue_fn *fn, void *ctx, struct loop *home,
                   catalogue_done_fn *done);

/* Runs fn in the calling thread on a read-only connection with one consistent snapshot. Blocks. */
int catalogue_read(struct catalogue *c, catalogue_fn *fn, void *ctx, struct err *err);

/* Writes a consistent copy to a file that must not exist, or be empty. Blocks. */
int catalogue_backup(struct catalogue *c, const char *path, struct err *err);

/* --- trouble --- */

/* What the database said last: DAMAGED stays until the next start, the others until something could
 * be written again. REMOVED: what is written goes to a file that has lost its name; catalogue_close
 * puts a copy in its place. Each change is logged, with what to do. [any] */
enum catalogue_trouble {
    CATALOGUE_FINE,
    CATALOGUE_FULL,
    CATALOGUE_DAMAGED,
    CATALOGUE_FAILED,
    CATALOGUE_REMOVED,
};
enum catalogue_trouble catalogue_trouble(struct catalogue *c);
const char *catalogue_trouble_name(enum catalogue_trouble t);   /* "ok", "full" … */
const char *catalogue_trouble_text(enum catalogue_trouble t);   /* "" when it is fine */
const char *catalogue_trouble_advice(enum catalogue_trouble t); /* what to do; "" likewise */

/* [main, once] fn is called on the loop after every change, and asks what it is now; the last call
 * may come after catalogue_close. */
void catalogue_on_trouble(struct catalogue *c, struct loop *loop, loop_fn *fn, void *ctx);

/* --- catalogues that are not open --- */

/* Makes the copy of a catalogue at path fit to take the place of one: checks it, brings it to the
 * newest schema, ends every session (who signed out since would be signed in again). */
int catalogue_prepare(const char *path, struct err *err);

/* Puts what can be read of a damaged catalogue in its place, with no segments; those come back by
 * storage_index_rebuild. The damaged one is kept in out_aside. fn is told of every table; NULL:
 * nothing is read, the new one is empty. ERR_PARSE: nothing can be read, nothing was changed.
 * ERR_BUSY: a server runs. */
typedef void catalogue_salvage_fn(void *ctx, const char *table, int64_t n_saved, bool is_whole);
int catalogue_salvage(const char *data_dir, const struct clock *clock, catalogue_salvage_fn *fn,
                      void *ctx, char *out_aside, size_t cap, struct err *err);

#endif
