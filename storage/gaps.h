/* Why nothing was recorded: gaps between spans, cut and labelled by what is known.
 * Thread: pure functions. */
#ifndef STORAGE_GAPS_H
#define STORAGE_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/storage.h"

/* Something known about a stretch of time. Stronger kinds win where several cover a moment. */
enum fact_kind {
    FACT_STATE,   /* of the camera */
    FACT_EDGE,    /* how the segment in front ended, when the source stayed up */
    FACT_STOPPED, /* the server was not running */
    FACT_THINNED, /* it was recorded, and thinning took it away */
    FACT_DELETED, /* it was recorded, and deleted since */
    FACT_HOLE,    /* inside a segment that is there */
};
struct fact {
    int64_t from_us, to_us;
    enum fact_kind kind;
    char cause[24];
};

struct facts {
    struct fact *list;
    size_t n;
};
void facts_add(struct facts *f, enum fact_kind kind, int64_t from_us, int64_t to_us,
               const char *cause);
void facts_fini(struct facts *f);

/* Appends the gaps between the spans (in order, not overlapping) inside [from_us, to_us) to out.
 * States like `ok` and `connecting` tell little about a gap: such a stretch gets the cause that
 * follows it, else the one before, else `connecting` if we were, else `unknown`. Sorts the facts.
 */
void gaps_find(const struct span_row *spans, size_t n_spans, struct facts *facts, int64_t from_us,
               int64_t to_us, struct recordings *out);

#endif
