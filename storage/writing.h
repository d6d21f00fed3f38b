/* Everything that is being written, up to its last whole fragment: what a sum over finished
 * segments lacks.
 *
 * Thread: blocks; pool threads. Lifetime: the caller's, writing_fini in every case. */
#ifndef STORAGE_WRITING_H
#define STORAGE_WRITING_H

#include "storage/db_segments.h"

struct db;
struct storage;

struct writing {
    struct segment_row *rows; /* by camera, stream, start and number */
    size_t n;
};

/* Before the catalogue is read: what is settled in between is in both then, not in none. */
void writing_ask(struct storage *s, struct writing *out);
/* In a catalogue job, later: leaves out what is settled by now and so is counted as a row. */
int writing_drop_settled(struct writing *w, struct db *db, struct err *err);

/* Of one camera, both streams: what touches [from_us, to_us). */
int64_t writing_bytes(const struct writing *w, const char *camera_id, int64_t from_us,
                      int64_t to_us);

void writing_fini(struct writing *w);

#endif
