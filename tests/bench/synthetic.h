/* A district's recordings that never were: a catalogue of millions of segments through the real
 * schema, and segment files that look like recorded ones but for their pictures. Everything follows
 * from the seed, so two runs make the same.
 *
 * Thread: one; blocks. */
#ifndef TESTS_BENCH_SYNTHETIC_H
#define TESTS_BENCH_SYNTHETIC_H

#include "storage/db_segments.h"

#define SYNTHETIC_SEGMENT_US INT64_C(600000000)
#define SYNTHETIC_END_US     INT64_C(1790000000000000) /* 2026-09-21T14:13:20Z */

struct synthetic {
    const char *data_dir; /* catalog.db and the volumes are made in it */
    int n_cameras;
    int n_days;
    int n_volumes;
    int64_t end_us; /* where the newest segments end */
    uint64_t seed;
    size_t version; /* of the schema it is made with; 0 = the newest */

    /* filled by synthetic_make */
    int64_t volume_keys[64];
    int64_t n_segments;
};

/* "camera-0001", from 0. */
void synthetic_camera_id(int i, char dst[65]);
/* "<data_dir>/volume-1", from 0. */
void synthetic_volume_path(const struct synthetic *s, int i, char *dst, size_t cap);

/* The district, and rows in the order in which recording would have made them: so that the pages of
 * the database are as full as they would be. Prints its progress on standard error. */
int synthetic_make(struct synthetic *s, struct err *err);

/* The file of a row: a fragment every 2 s and the seek table of a real one. Only headers and the
 * first bytes of each key frame are written, the rest of the pictures are holes of the file system.
 * is_open: as a crash leaves it, without its end. Fills bytes and frames of the row, and to_us
 * where it is not set. */
int synthetic_file(int dirfd, struct segment_row *row, int64_t us, bool is_open, struct err *err);

#endif
