/* Pictures and sound of one segment on their way to the disk, and the bytes they become.
 * Thread and lifetime: owned by whoever has the pointer: the recorder while it gathers, then the
 * writer. */
#ifndef STORAGE_DISK_FRAGMENT_H
#define STORAGE_DISK_FRAGMENT_H

#include <sys/uio.h>

#include "base/buf.h"
#include "media/fmp4.h"
#include "storage/segment.h"

struct writer;

struct disk_fragment {
    struct writer *writer; /* borrowed: messages arrive in order, the close last */
    struct disk_fragment *next;
    struct format *video_format, *audio_format; /* references in the first fragment, else NULL */
    struct fmp4_sample *video, *audio;          /* each holds a reference to its packet */
    size_t n_video, cap_video, n_audio, cap_audio;
    int64_t video_base_dts, audio_base_dts;
    uint32_t sequence;
    uint32_t lost_packets;
    size_t bytes;             /* of payload */
    int64_t to_us;            /* wall clock where its pictures end */
    struct segment_hole hole; /* in front of it, when to_us is not 0 */
};

struct disk_fragment *disk_fragment_create(size_t cap_video, size_t cap_audio);
void disk_fragment_destroy(struct disk_fragment **f);

/* What the hash in front of a fragment follows from. */
struct disk_fragment_chain {
    const struct chain_key *key;
    const struct segment_id *id;      /* in the first fragment, with the init */
    const struct chain_value *before; /* likewise: the link of the segment before */
    struct chain_value value;         /* of the file so far */
};

/* A fragment as it stands in the file: hash, boxes, then the payloads where they lie. Valid as long
 * as the fragment. */
struct disk_fragment_bytes {
    struct buf head; /* the first piece */
    struct iovec *pieces;
    size_t n_pieces;
    uint64_t moof_at;         /* from the start of head */
    struct chain_value value; /* of the file with this fragment */
};

/* disk_fragment_bytes_fini in every case. */
int disk_fragment_bytes_init(struct disk_fragment_bytes *b, const struct disk_fragment *f,
                             const struct disk_fragment_chain *chain);
void disk_fragment_bytes_fini(struct disk_fragment_bytes *b);

#endif
