/* The ends of the hash chains (chain.h), apart from the files: a row per stream, UTC day and
 * unbroken strand of segments, with the link of the last one. Thread: inside a catalogue job. */
#ifndef STORAGE_DB_CHAINS_H
#define STORAGE_DB_CHAINS_H

#include "storage/db_segments.h"

/* Carries on the strand that ends with the link in front of this segment, on the same day, or
 * begins one. Nothing without a link. */
int db_chain_add(struct db *db, const struct segment_row *row, struct err *err);

/* The newest link of a stream; 1, or 0 when there is none. */
int db_chain_newest(struct db *db, int64_t camera, enum stream_kind stream, struct chain_value *out,
                    struct err *err);

struct chain_row {
    int64_t first_us, first_n, last_us, n_segments;
    struct chain_value link;
};
typedef int chain_row_fn(void *ctx, const struct chain_row *row);

/* All of a stream, in order. */
int db_chains_of(struct db *db, int64_t camera, enum stream_kind stream, chain_row_fn *fn,
                 void *ctx, struct err *err);

/* Streams that have chains, but no segment any more. */
typedef int chain_stream_fn(void *ctx, int64_t camera, const char *camera_id,
                            enum stream_kind stream);
int db_chains_bare(struct db *db, chain_stream_fn *fn, void *ctx, struct err *err);

/* Forgets strands of which every segment is older than the oldest that is left of its stream, or
 * than `before_us` where none is left. */
int db_chains_expire(struct db *db, int64_t before_us, struct err *err);

#endif
