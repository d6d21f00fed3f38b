/* The deep check of what was recorded: every fragment's hash, every segment's link to the one
 * before, and the newest links against the catalogue. Fed row by row, in the order of
 * db_segments_page. Thread: blocks; one thread. */
#ifndef STORAGE_CHAIN_CHECK_H
#define STORAGE_CHAIN_CHECK_H

#include "storage/db_chains.h"
#include "storage/storage.h"

struct chain_check {
    /* set by the caller, then const */
    struct storage *storage;
    index_problem_fn *fn; /* may be NULL */
    void *ctx;
    struct index_report *report; /* n_changed and n_foreign are counted */

    /* private: the stream that is looked at */
    struct segment_row last; /* camera 0 = none yet */
    bool is_last_readable;
    struct chain_row *strands; /* as the catalogue knows them */
    bool *is_strand_seen;      /* its last segment was found */
    size_t n_strands;
    int64_t oldest_us;
};

/* dirfd: of the volume. */
int chain_check_row(struct chain_check *c, int dirfd, const char *path,
                    const struct segment_row *row, struct err *err);

/* After the last row. */
void chain_check_finish(struct chain_check *c);
void chain_check_fini(struct chain_check *c);

#endif
