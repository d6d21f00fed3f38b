/* Proves from recordings alone that no picture was lost, doubled or put in the wrong order: the
 * slices of every recorded access unit are looked up in the table the simulator wrote, and must be
 * the loop's pictures k, k+1, k+2 … in a circle. Thread: one. */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stdbool.h>

#include "base/err.h"
#include "identity.h"
#include "media/fmp4.h"

/* What is known of one camera so far. */
struct tally {
    uint64_t n_files, n_frames, n_missing, n_doubled, n_unknown, n_breaks, n_bytes;
    uint64_t n_sounds;
    int64_t media_90k;                /* of the durations of all pictures */
    int64_t from_wall_us, to_wall_us; /* of the first fragment, and of the end of the newest */
    size_t expected;                  /* next place in the loop */
    bool has_started;
};

/* The whole fragments of a file at `p`, in order; f is reused. Returns the bytes they take, or < 0;
 * *out_is_end: nothing but the seek table follows. */
int64_t tally_fragments(struct tally *tally, const struct identity_table *t,
                        const struct fmp4_init *init, struct fmp4_read_fragment *f,
                        const uint8_t *p, size_t n, bool *out_is_end, struct err *err);

/* One line; returns whether something is wrong with it. */
bool tally_print(const struct tally *tally, const char *name);

#endif
