/* Who did what, for ever. Thread: inside a catalogue job, best the one that does it. */
#ifndef STORAGE_DB_AUDIT_H
#define STORAGE_DB_AUDIT_H

#include <stdint.h>

#include "base/err.h"

struct db;

/* action: a word such as hold_place; object: what it was done to; detail: a line for people. */
struct audit_entry {
    int64_t at_us;
    const char *user, *action, *object, *detail;
};
int db_audit_add(struct db *db, const struct audit_entry *e, struct err *err);

#endif
