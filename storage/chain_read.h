/* The hash chain (chain.h), computed anew from a file.
 * Thread: blocking reads for pool, keeper and main threads. */
#ifndef STORAGE_CHAIN_READ_H
#define STORAGE_CHAIN_READ_H

#include "storage/segment.h"

/* value(i) of the fragment that segment_reader_next has just read, from value(i-1). ERR_PARSE when
 * its pictures are not where its boxes say; a fragment of more than 64 MiB is none of ours. */
int chain_read_fragment(struct segment_reader *r, const struct chain_key *key,
                        const struct chain_value *before, struct chain_value *out, struct err *err);

/* value(0), from the link in front and the name. */
int chain_read_begin(struct segment_reader *r, const struct chain_key *key,
                     const struct segment_id *id, struct chain_value *out, struct err *err);

enum chain_verdict {
    CHAIN_WHOLE,
    CHAIN_NONE,    /* written before there were chains */
    CHAIN_FOREIGN, /* by another key: cannot be checked here */
    CHAIN_BROKEN,  /* something was changed; err tells what and where */
};

struct chain_file {
    enum chain_verdict verdict;
    struct chain_value before, link; /* link only if has_link */
    bool has_link;
};

/* Reads all of a finished file. < 0 when it cannot be read. */
int chain_check_file(int fd, uint64_t bytes, const struct chain_key *key,
                     const struct segment_id *id, struct chain_file *out, struct err *err);

#endif
