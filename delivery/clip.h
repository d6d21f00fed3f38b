/* A clip: a recorded range as one plain MP4 (moov in front), without re-encoding.
 *
 * Planning lists the samples and lays out the file: header bytes, then extents of the segment
 * files. So its length is known before the first byte is sent, and any byte range can be read. The
 * pictures before `from` that decoding needs are inside; an edit list hides them, exact to the
 * frame. Gaps are skipped and listed. Parameter sets that change inside a segment are in the stream
 * already; another size or codec is another sample entry, from its first picture on: ffmpeg and
 * what is built on it follow it, Chromium stops there. Thread: planning and reading block: pool
 * threads (or a command's main thread). A clip is immutable and may be read by several threads at
 * once. */
#ifndef DELIVERY_CLIP_H
#define DELIVERY_CLIP_H

#include <sys/types.h>

#include "base/buf.h"
#include "media/source.h"

#define CLIP_MAX_SAMPLES 2000000u /* above: ERR_TOO_BIG; some 12 h of 25 fps video with audio */
#define CLIP_MAX_GAPS    256      /* more are merged into the last one, cause "several" */

struct clip_params {
    struct source *source;
    const char *camera_id;
    const char *stream; /* "main", "sub", or NULL: whichever was recorded */
    int64_t from_us, to_us;
    bool without_audio;
};

struct clip_gap {
    int64_t from_us, to_us;
    char cause[24];
};

struct clip;

/* ERR_NOT_FOUND: nothing was recorded there. ERR_INVALID: to <= from. ERR_TOO_BIG: ask for less. */
int clip_plan(const struct clip_params *params, struct clip **out, struct err *err);
void clip_free(struct clip **c); /* closes the files */

uint64_t clip_size(const struct clip *c);
const struct clip_gap *clip_gaps(const struct clip *c, size_t *out_n);
/* What is really inside: wall clock of the first shown picture, and end of the last. */
void clip_bounds(const struct clip *c, int64_t *out_from_us, int64_t *out_to_us);
uint64_t clip_n_pictures(const struct clip *c);

/* The value of header Rookery-Gaps: "from/to;cause, …" with RFC 3339 times in UTC; empty when
 * nothing is missing. */
void clip_print_gaps(const struct clip *c, struct buf *out);

/* Reads bytes [offset, offset + n) that lie inside the clip. Returns bytes read (less than n only
 * at the end), or < 0: ERR_EOF when a recording vanished meanwhile, -EIO. Blocks. */
ssize_t clip_read(const struct clip *c, uint64_t offset, uint8_t *dst, size_t n, struct err *err);

/* Writes the whole clip to fd at its current position. progress (may be NULL) returns false to give
 * up (-ECANCELED). Blocks. */
int clip_write(const struct clip *c, int fd, bool (*progress)(void *ctx, uint64_t done), void *ctx,
               struct err *err);

#endif
