/* Pull side: recorded samples of a camera's stream, found by time or by their place.
 *
 * A sample_map lists samples with the place of their bytes, so that playback, clips and snapshots
 * share one primitive and no byte is copied before it is needed. A map of a range is what a clip
 * needs: all samples at once, every file open once. A window is what the reader (media/reader.h)
 * needs: some seconds of one file, and then the ones before or behind.
 * Thread: source functions block (files, SQLite): pool threads only. A sample_map is immutable and
 * belongs to its caller. */
#ifndef MEDIA_SOURCE_H
#define MEDIA_SOURCE_H

#include "base/err.h"
#include "media/packet.h"

struct sample {
    int64_t wall_us;    /* server wall clock of this picture */
    int64_t dts;        /* ticks of the format's timescale, continuous within a file */
    int32_t pts_offset; /* pts - dts, ticks */
    uint32_t duration;  /* ticks */
    uint32_t size;      /* bytes */
    uint64_t offset;    /* bytes from the start of the file */
    uint16_t file;      /* index into files */
    uint16_t format;    /* index into formats */
    bool is_key;
    bool is_video;
    bool is_after_gap; /* recording was interrupted before this sample */
};

struct sample_file {
    int fd; /* open for reading; closed with the map */
};

struct sample_gap {
    int64_t from_us, to_us;
    char cause[24];
};

struct sample_map {
    struct sample *samples;
    size_t n_samples;
    struct sample_file *files;
    size_t n_files;
    struct format **formats;
    size_t n_formats;
    struct sample_gap *gaps; /* inside the asked range */
    size_t n_gaps;
    int64_t next_us; /* where to go on when a bound cut the answer; 0 = complete */
};

struct sample_query {
    const char *camera_id;
    const char *stream;     /* "main" or "sub"; NULL = whichever was recorded, main first */
    int64_t from_us, to_us; /* wall clock; samples begin at the key frame at or before from_us */
    bool wants_audio;
    size_t max_samples; /* 0 = 400,000 */
};

/* The order of a recording: its files by their start (by number when it is the same), in a file the
 * samples by decoding time. It is total and never changes; the wall clock may step back in it. */
struct sample_place {
    int64_t file_us, file_n; /* the file, as the source numbers them */
    int64_t dts;             /* the picture */
    int64_t wall_us, end_us; /* its wall clock, and where it ends: to tell gaps by */
    uint64_t hint;           /* where in the file to look first; 0 = unknown */
};

enum window_kind {
    WINDOW_AT,   /* what was recorded at a time, or first after it */
    WINDOW_NEXT, /* what follows a place */
    WINDOW_PREV, /* what precedes the picture a window began with */
};

struct window_query {
    const char *camera_id;
    const char *stream; /* "main" or "sub" */
    bool wants_audio;
    enum window_kind kind;
    int64_t at_us;             /* WINDOW_AT */
    struct sample_place place; /* WINDOW_NEXT, WINDOW_PREV; file_us INT64_MAX: the very end */
    int64_t keep_dts; /* WINDOW_NEXT in the same file: begin no later than this picture's group */
};

/* Samples in a row of one file, from a key frame on. At least one picture, unless map is NULL. */
struct sample_window {
    struct sample_map *map; /* the caller's; NULL = nothing is recorded there. Its gaps are holes in
                               the file, one per sample with is_after_gap, in order */
    int64_t file_us, file_n; /* parts of sample_place */
    uint64_t hint;
    bool is_whole;         /* no sample is missing of its last group */
    bool is_growing;       /* map NULL: something may be recorded there soon */
    struct sample_gap gap; /* between what was asked for and the window; to_us 0 = none */
};

struct source {
    /* 0 with *out (possibly without samples), or < 0: ERR_NOT_FOUND camera or stream never
     * recorded. */
    int (*map)(struct source *s, const struct sample_query *q, struct sample_map **out,
               struct err *err);
    /* 0 with *out, or < 0 as above. Files that cannot be read are passed over as gaps. */
    int (*window)(struct source *s, const struct window_query *q, struct sample_window *out,
                  struct err *err);
};

static inline int source_map(struct source *s, const struct sample_query *q,
                             struct sample_map **out, struct err *err)
{
    return s->map(s, q, out, err);
}

static inline int source_window(struct source *s, const struct window_query *q,
                                struct sample_window *out, struct err *err)
{
    return s->window(s, q, out, err);
}

void sample_map_free(struct sample_map **map); /* closes the files */

/* Reads one sample as a packet (format, times and flags set). Blocks. */
int sample_read(const struct sample_map *map, size_t index, struct packet **out, struct err *err);

#endif
