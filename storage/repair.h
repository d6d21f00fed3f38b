/* Learning from a segment file what its row must say, and giving a file that a crash left open its
 * end. Thread: blocks; nobody else may be writing the file. */
#ifndef STORAGE_REPAIR_H
#define STORAGE_REPAIR_H

#include "storage/db_segments.h"

/* Cuts the file back to its last whole fragment, writes the end if there is none, makes it durable.
 * Fills to_us, bytes, frames, lost_packets, ended and the microseconds of id.from_us in row. A file
 * without a whole fragment is removed: ERR_NOT_FOUND, also when there is none. */
int repair_segment(int dirfd, const char *path, struct segment_row *row, struct err *err);

/* The same facts without touching the file; ERR_PARSE when it is not whole. is_deep reads every
 * fragment instead of the end only. */
int inspect_segment(int dirfd, const char *path, bool is_deep, struct segment_row *row,
                    struct err *err);

#endif
