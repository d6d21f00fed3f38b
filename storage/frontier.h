/* How far deletion has come in every stream, so that the next segment to go is found by one look-up
 * and not by one per stream.
 *
 * A stream's bound says that nothing in front of it may be deleted: it was, or it is held, or it
 * lies on another volume. Bounds rise as rounds look at rows; frontier_reset forgets them, for when
 * something in front of a bound may be deletable again (a hold was released, the clock was set).
 * Thread: belongs to its owner. */
#ifndef STORAGE_FRONTIER_H
#define STORAGE_FRONTIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frontier_stream {
    int64_t camera;
    int stream;
    int64_t keep_us;         /* it is due so long after its beginning; 0 = the oldest goes first */
    int64_t next_us, next_n; /* the bound: by beginning and number of a segment */
};

struct frontier {
    struct frontier_stream *list; /* a heap by what is due first, up to n_awake; others rest */
    size_t n, n_awake;
    int64_t max_camera;          /* of those put */
    struct frontier_stream *old; /* between begin and end: by camera and stream */
    size_t n_old;
};

void frontier_fini(struct frontier *f);

/* The streams there are, anew; those that were there keep their bounds. All are awake then. */
void frontier_begin(struct frontier *f);
void frontier_put(struct frontier *f, int64_t camera, int stream, int64_t keep_us);
void frontier_end(struct frontier *f);

/* What is due first of those awake, or NULL. Its bound may be raised, then frontier_moved. */
struct frontier_stream *frontier_first(struct frontier *f);
void frontier_moved(struct frontier *f);
/* When the second one is due; INT64_MAX without one. */
int64_t frontier_second_us(const struct frontier *f);
/* The first one is left alone until frontier_wake. */
void frontier_rest(struct frontier *f);
void frontier_wake(struct frontier *f);

void frontier_reset(struct frontier *f);

#endif
