/* The segments of a stream in a range of time, or beside each other; finished and open ones, in
 * order. Thread: blocks; pool threads. */
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

/* [any] What is readable of a segment being written; 0 bytes = nothing is yet. */
struct segment_row found_row(struct writer *w);

/* One segment by the order of a recording: by start, then by number. Those on volumes that are not
 * there are passed over. */
enum found_where {
    FOUND_AT,   /* the first that was being recorded at from_us, else the first that began later */
    FOUND_FROM, /* this one, or the first behind it */
    FOUND_BEFORE, /* the last in front of it */
};
struct found_one {
    struct found_segment segment;
    bool is_passed_over; /* one that would have been it */
    bool is_recording;   /* a segment of the stream is being written, readable or not */
};
/* 1, 0 = there is none, or < 0 as above. */
int found_one(struct storage *s, const char *camera_id, enum stream_kind stream,
              enum found_where where, int64_t from_us, int64_t n, struct found_one *out,
              struct err *err);

#endif
