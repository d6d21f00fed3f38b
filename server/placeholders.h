/* Cameras that recorded but are not in the district, as of a volume that came from another machine.
 * Thread: inside a catalogue job. */
#ifndef SERVER_PLACEHOLDERS_H
#define SERVER_PLACEHOLDERS_H

#include <stddef.h>

#include "base/err.h"

struct db;

struct placeholders {
    char *unknown; /* ids of those that have recordings, ", " between; the caller's to free */
    size_t n_unknown;
    size_t n_made;
};

/* A district that has no camera at all gets a switched-off one for each, in an institution
 * "archive", so that their recordings can be watched. Elsewhere a missing camera was deleted by
 * somebody, and they are only listed. */
int placeholders_make(struct db *db, struct placeholders *out, struct err *err);

#endif
