/* The segments of a stream in a range of time, finished and open ones, in order.
 * Thread: blocks; pool threads. */
#ifndef STORAGE_FOUND_H
#define STORAGE_FOUND_H

#include "storage/storage_priv.h"

struct found_segment {
    struct segment_row row; /* of an open one: up to its last whole fragment */
    bool is_open;
};

struct found {
    struct found_segment *list;
    size_t n;
};

/* A camera that never recorded: ERR_NOT_FOUND. found_fini in every case. */
int found_search(struct storage *s, const char *camera_id, enum stream_kind stream, int64_t from_us,
                 int64_t to_us, struct found *out, struct err *err);
void found_fini(struct found *f);

#endif
