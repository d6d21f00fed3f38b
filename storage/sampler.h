/* Reads the headers of one segment file into a sample map, fragment by fragment; the bytes of
 * pictures stay where they are. Thread: blocks (files): pool threads; one owner. */
#ifndef STORAGE_SAMPLER_H
#define STORAGE_SAMPLER_H

#include "media/source.h"
#include "storage/found.h"

struct sampler {
    struct segment_reader r;
    bool is_after_hole; /* the source stood still before this fragment */

    /* private */
    struct sample_map *map; /* borrowed */
    int64_t from_us;        /* of the segment */
    struct fmp4_seek_entry *seeks;
    size_t n_seeks; /* 0 when it was not closed in good order */
    uint16_t file, video, audio;
    int64_t end_us; /* media time at the end of the pictures read; INT64_MIN = none yet */
};

/* Opens the file of a segment and adds it and its formats to the map. < 0: it cannot be read, and
 * the map is as it was. sampler_close in every case. */
int sampler_open(struct sampler *s, struct storage *storage, const struct found_segment *f,
                 struct sample_map *map, struct err *err);
void sampler_close(struct sampler *s); /* the map keeps the file open */

/* The next fragment with samples is in s->r.fragment: 1; 0 at the end; < 0. */
int sampler_next(struct sampler *s, struct err *err);

/* The same for a fragment to begin with: not later than the picture asked for, and with a key frame
 * first, unless it is the first of the file; the newest such if the file has a seek table, else who
 * asks reads on. By wall clock, or by decoding time: then `back` such fragments earlier still, and
 * without a seek table from the fragment at `hint` on (0 = unknown). */
int sampler_seek_wall(struct sampler *s, int64_t wall_us, struct err *err);
int sampler_seek_dts(struct sampler *s, int64_t dts, size_t back, uint64_t hint, struct err *err);

/* About the fragment. */
bool sampler_begins_with_key(const struct sampler *s);
int64_t sampler_first_dts(const struct sampler *s); /* of a picture; INT64_MIN without */

/* Adds its samples in the order of their times, pictures and sound interleaved; is_wanted (NULL:
 * all) is asked for each. The wall clock of the first one above max samples of the map, 0 = all
 * were added. */
typedef bool sampler_wants_fn(void *ctx, const struct fmp4_read_sample *sample, int64_t wall_us);
int64_t sampler_add(struct sampler *s, size_t max, sampler_wants_fn *is_wanted, void *ctx);

#endif
