/* Makes the thinned twin of a segment: a file with its key frames alone, each shown until the next
 * one, so that the twin covers the same time with the same holes.
 * Thread: keeper; blocks on the disk. */
#ifndef STORAGE_THIN_H
#define STORAGE_THIN_H

#include "storage/db_segments.h"
#include "storage/volume_io.h"

/* Writes twin->id (same beginning, another number) beside `whole`; not synced. Fills the rest of
 * twin. ERR_UNSUPPORTED without a file: nothing would be gained, every picture is a key frame.
 * Otherwise < 0 leaves a file or none: it is the caller's to remove. */
int thin_segment(const struct volume_io *io, int dirfd, const struct chain_key *key,
                 const struct segment_row *whole, struct segment_row *twin, struct err *err);

#endif
