/* A segment: one fragmented MP4 file of one stream of one camera. What it is called, what closes
 * it, and how it is read back. Writing is writer.c's.
 *
 * Layout: init (ftyp, moov), [uuid chain], fragments ([uuid hash] [uuid loss] prft moof mdat)…, and
 * when it was closed in good order [uuid link] [uuid holes] uuid end, mfra. What chain, hash and
 * link hold: chain.h. Files of before have none of these three.
 * Thread: pure functions, or blocking reads for pool and volume threads. */
#ifndef STORAGE_SEGMENT_H
#define STORAGE_SEGMENT_H

#include "base/buf.h"
#include "base/err.h"
#include "media/fmp4.h"
#include "storage/chain.h"

#define SEGMENT_PATH_BYTES 160

/* No segment is longer, whatever is configured: queries look back so far and no further. */
#define SEGMENT_LIMIT_US (INT64_C(3600) * 1000000)

enum stream_kind { STREAM_MAIN, STREAM_SUB };
const char *stream_kind_name(enum stream_kind kind);            /* "main", "sub" */
int stream_kind_parse(const char *name, enum stream_kind *out); /* ERR_INVALID */

/* Why a segment began or ended. Stored: never renumber. */
enum segment_edge {
    SEGMENT_START = 0,   /* recording was switched on, or the source came up */
    SEGMENT_ROTATED = 1, /* time or bytes; nothing is missing between */
    SEGMENT_FORMAT = 2,  /* another size or codec, or sound began; nothing is missing between */
    SEGMENT_HOLE = 3,    /* no picture came for a while, but the source stayed up */
    SEGMENT_DOWN = 4,    /* the source went away */
    SEGMENT_STOPPED = 5, /* recording was switched off, or the server stopped */
    SEGMENT_DISK = 6,    /* could not be written */
    SEGMENT_CRASH = 7,   /* recovered after a crash */
    SEGMENT_NO_KEY = 8,  /* what came next cannot be decoded before the next key frame */
    SEGMENT_CLOCK = 9,   /* the wall clock was set */
    SEGMENT_MOVED = 10,  /* to another volume; nothing is missing between */
};

struct segment_id {
    char camera_id[65];
    enum stream_kind stream;
    int64_t from_us;
    int64_t n; /* makes the name unique */
};

/* "<camera>/<stream>/YYYY/MM/DD/HHMMSS.mmm-<n>.mp4" (UTC); dst holds SEGMENT_PATH_BYTES. */
char *segment_path(const struct segment_id *id, char *dst);

/* The reverse; from_us comes back with milliseconds only. ERR_PARSE for what is no segment's path.
 */
int segment_path_parse(const char *path, struct segment_id *out);

/* Stretches without pictures inside a segment: the source stood still in the middle of a group of
 * pictures and went on with it, so that the pictures behind belong to the same file. In media time
 * the file says the same: there the pictures end, and the next fragment begins later. */
#define SEGMENT_HOLES_MAX 8
#define SEGMENT_HOLE_US   INT64_C(2000000) /* a shorter pause is none */
struct segment_hole {
    int64_t from_us, to_us;
};
struct segment_holes {
    struct segment_hole list[SEGMENT_HOLES_MAX];
    size_t n;
};

/* --- our own boxes --- */

struct segment_end {
    int64_t from_us, to_us;
    uint64_t frames, lost_packets;
    enum segment_edge began, ended;
    struct segment_holes holes;
    bool is_thinned; /* only key frames are left */
    bool has_link;   /* read only */
    struct chain_value link;
};
void segment_write_loss(uint32_t lost_packets, struct buf *out);

/* Behind the init. */
void segment_write_chain(const struct chain_key *key, const struct chain_value *before,
                         struct buf *out);
/* Behind the last fragment, whose value is given; NULL: none of them has one. */
int segment_write_end(const struct segment_end *end, const struct fmp4_seek_entry *seeks,
                      size_t n_seeks, const struct chain_key *key, const struct chain_value *value,
                      struct chain_value *out_link, struct buf *out);

/* In front of a fragment, before its value is known, and then. */
#define SEGMENT_HASH_BYTES (24 + CHAIN_BYTES)
void segment_write_hash(struct buf *out);
void segment_set_hash(struct buf *out, size_t at, const struct chain_value *value);

/* value(0): of the name and the init (ftyp and moov). */
void segment_chain_begin(const struct chain_key *key, const struct segment_id *id,
                         const struct chain_value *before, const void *init, size_t n,
                         struct chain_value *out);

/* --- reading --- */

struct segment_reader {
    struct fmp4_init init;
    struct fmp4_read_fragment fragment; /* of the latest segment_reader_next */
    uint64_t fragment_at;
    uint32_t lost_packets; /* before this fragment */
    bool has_hash;
    struct chain_value hash; /* in front of this fragment */
    uint32_t hash_bytes;     /* from fragment_at on, that the hash does not cover */
    uint64_t init_size;
    uint64_t next_at;
    bool has_chain;
    struct chain_value before; /* the link of the segment before */
    uint8_t key_id[CHAIN_KEY_ID_BYTES];

    /* private */
    int fd; /* borrowed */
    uint64_t limit;
    uint8_t *window;
    size_t window_bytes;
};

/* Reads the init segment of the first `limit` bytes. segment_reader_fini in every case. */
int segment_reader_init(struct segment_reader *r, int fd, uint64_t limit, struct err *err);
void segment_reader_fini(struct segment_reader *r);

/* 1 = a whole fragment, 0 = the end: next_at tells where whole fragments end; < 0 read error. */
int segment_reader_next(struct segment_reader *r, struct err *err);

/* Goes to a moof named by the seek table. */
void segment_reader_seek(struct segment_reader *r, uint64_t moof_offset);

/* What stands at the end of a closed file: 1, 0 = it was not closed in good order. *seeks is the
 * caller's to free; both outputs may be NULL. */
int segment_read_end(int fd, uint64_t file_bytes, struct segment_end *out,
                     struct fmp4_seek_entry **seeks, size_t *n_seeks, struct err *err);

#endif
