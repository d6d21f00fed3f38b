/* The deep check of what was recorded: every fragment's hash, every segment's link to the one
 * before, and the newest links against the catalogue. Fed row by row, in the order of
 * db_segments_page. That is the order of time, in which strands of the chain may lie between each
 * other: where the clock was set back, and where a segment was settled late because its volume was
 * away. Thread: blocks; one thread. */
#ifndef STORAGE_CHAIN_CHECK_H
#define STORAGE_CHAIN_CHECK_H

#include "storage/db_chains.h"
#include "storage/storage.h"

/* How many strands may lie between each other. */
enum { CHAIN_TIPS = 8 };

/* Where a strand goes on: what the next segment has as the link in front of it. */
struct chain_tip {
    struct chain_value link;
    bool is_known; /* the segment is thinned, or cannot be read: any may follow */
};

/* What was found of a strand's end. Several segments may begin in one moment: who is recorded again
 * within a group of pictures begins with its key frame. */
struct chain_end {
    bool is_found;
    bool is_other; /* a segment that begins then has another hash, unless is_found */
    struct segment_id other;
};

struct chain_check {
    /* set by the caller, then const */
    struct storage *storage;
    index_problem_fn *fn; /* may be NULL */
    void *ctx;
    struct index_report *report; /* n_changed and n_foreign are counted */

    /* private: the stream that is looked at */
    struct segment_row last; /* camera 0 = none yet */
    bool is_first;           /* no row of it came yet */
    bool is_last_readable;
    struct chain_row *strands; /* as the catalogue knows them */
    struct chain_end *ends;    /* of each */
    size_t n_strands;
    struct chain_tip tips[CHAIN_TIPS]; /* the newest last */
    size_t n_tips;
};

/* dirfd: of the volume. */
int chain_check_row(struct chain_check *c, int dirfd, const char *path,
                    const struct segment_row *row, struct err *err);

/* After the last row: also what the catalogue knows of streams without any row. */
int chain_check_finish(struct chain_check *c, struct err *err);
void chain_check_fini(struct chain_check *c);

#endif
