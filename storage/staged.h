/* A catalogue that waits to take the place of the one that is there: a backup that is restored, or
 * what could be saved of a damaged one. It waits complete in data_dir/restore, and is moved into
 * place by whoever holds the directory's lock, before the catalogue is opened. What was there goes
 * to a directory of its own beside it; nothing is ever deleted.
 *
 *   begin          restore.new, empty; the caller puts catalog.db, and keys/ if there are any
 *   commit         everything durable, then renamed to restore ●
 *   apply          old files to their directory, new ones to theirs, one rename at a time; a kill
 * in between leaves `restore` there, and the next apply goes on ●
 *
 * Thread: any; blocks. commit: of one process at a time. */
#ifndef STORAGE_STAGED_H
#define STORAGE_STAGED_H

#include <stdbool.h>

#include "base/err.h"

/* dst gets the path of the directory to fill. What an unfinished begin left is removed. */
int staged_begin(const char *data_dir, char *dst, size_t cap, struct err *err);

/* aside: name of the directory that gets what was there. Takes the place of one that waits. */
int staged_commit(const char *data_dir, const char *aside, struct err *err);

bool staged_is_waiting(const char *data_dir);

/* A kill left one that waits half in place: it can only go on. */
bool staged_is_begun(const char *data_dir);

/* Takes back what was begun or waits. */
void staged_discard(const char *data_dir);

/* Under the directory's lock. 1 = took place: out_aside (cap bytes) tells where the old one is;
 * 0 = nothing waited. */
int staged_apply(const char *data_dir, char *out_aside, size_t cap, struct err *err);

#endif
