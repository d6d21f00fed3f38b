/* Learning from a segment file what its row must say, and giving a file that a crash left open its
 * end. Thread: blocks; nobody else may be writing the file. */
#ifndef STORAGE_REPAIR_H
#define STORAGE_REPAIR_H

#include "storage/db_segments.h"

/* How far back the hashes of a file without end are compared with its pictures: what is older was
 * durable before a power cut. */
#define REPAIR_VERIFY_US INT64_C(15000000)

/* Cuts the file back to its last whole fragment, writes the end if there is none; makes it durable
 * if is_synced, else the caller does, with one sync for many. After a power cut the newest
 * fragments may be there in length only: the file ends where the hashes of the last
 * REPAIR_VERIFY_US begin to differ. An end it writes says crash, or disk when row->ended does.
 * Fills to_us, bytes, frames, lost_packets, ended and the microseconds of id.from_us in row. A file
 * without a whole fragment is removed: ERR_NOT_FOUND, also when there is none. */
int repair_segment(int dirfd, const char *path, const struct chain_key *key, bool is_synced,
                   struct segment_row *row, struct err *err);

/* The same facts without touching the file; ERR_PARSE when it is not whole. is_deep reads every
 * fragment instead of the end only. */
int inspect_segment(int dirfd, const char *path, bool is_deep, struct segment_row *row,
                    struct err *err);

/* row->chain.before, which stands at the start of the file; inspect_segment fills the link. */
void inspect_chain(int dirfd, const char *path, struct segment_row *row);

#endif
