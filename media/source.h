/* Pull side: recorded samples of a camera's stream, found by time.
 *
 * A sample_map lists samples in recording order with the place of their bytes, so that playback,
 * clips and snapshots share one primitive and no byte is copied before it is needed.
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
    bool keys_only;
    size_t max_samples; /* 0 = 400,000 */
};

struct source {
    /* 0 with *out (possibly without samples), or < 0: ERR_NOT_FOUND camera or stream never
     * recorded. */
    int (*map)(struct source *s, const struct sample_query *q, struct sample_map **out,
               struct err *err);
};

static inline int source_map(struct source *s, const struct sample_query *q,
                             struct sample_map **out, struct err *err)
{
    return s->map(s, q, out, err);
}

void sample_map_free(struct sample_map **map); /* closes the files */

/* Reads one sample as a packet (format, times and flags set). Blocks. */
int sample_read(const struct sample_map *map, size_t index, struct packet **out, struct err *err);

#endif
