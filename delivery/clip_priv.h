/* Shared by clip.c (the plan) and clip_read.c (its bytes) only. */
#ifndef DELIVERY_CLIP_PRIV_H
#define DELIVERY_CLIP_PRIV_H

#include "delivery/clip.h"
#include "media/fmp4.h"

/* Consecutive bytes of one file. */
struct clip_extent {
    int fd;
    uint64_t offset; /* in the file */
    uint64_t size;
    uint64_t clip_at; /* in the clip */
};

struct clip {
    struct buf header;
    struct clip_extent *extents;
    size_t n_extents, cap_extents;
    uint64_t size;
    struct sample_map **maps; /* hold the files open; their sample lists are gone */
    size_t n_maps;
    struct clip_gap *gaps;
    size_t n_gaps;
    int64_t from_us, to_us;
    uint64_t n_pictures;
};

#endif
