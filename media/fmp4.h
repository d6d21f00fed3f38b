/* Fragmented MP4 (ISO/IEC 14496-12, -15; RFC 6381) written and read by hand.
 *
 * Writer: init segment (ftyp, moov), fragments (prft, moof, mdat), the closing mfra.
 * Reader: the same back from bytes, tolerant of a truncated tail.
 * Track 1 is video, track 2 (optional) audio. Timescales are the formats' own.
 * Thread: pure functions on caller's memory. */
#ifndef MEDIA_FMP4_H
#define MEDIA_FMP4_H

#include "base/buf.h"
#include "base/err.h"
#include "media/packet.h"

enum { FMP4_TRACK_VIDEO = 1, FMP4_TRACK_AUDIO = 2 };

/* ftyp + moov with mvex. G.711 is written as 'alaw'/'ulaw' sample entries, 16-bit samples as those
 * of QuickTime that tell their byte order: 'twos'/'sowt'. audio may be NULL.
 * In-band parameter sets stay allowed: sample entries are avc3/hev1 when `is_inband`. */
int fmp4_write_init(const struct format *video, const struct format *audio, bool is_inband,
                    struct buf *out);

struct fmp4_sample {
    const struct packet *pkt;
    uint32_t duration; /* ticks of its timescale */
};

/* prft (producer reference time: wall clock of the first video sample, or audio without video),
 * moof with one traf per track that has samples, and the mdat header; the payloads follow in the
 * order given: all video samples, then all audio samples. `out` gets everything but the payloads,
 * so that they can be written or sent by reference. sequence counts fragments from 1. dts are
 * written as tfdt, base_dts is subtracted first. */
struct fmp4_fragment {
    uint32_t sequence;
    const struct fmp4_sample *video;
    size_t n_video;
    int64_t video_base_dts;
    const struct fmp4_sample *audio;
    size_t n_audio;
    int64_t audio_base_dts;
    bool without_prft;
};
int fmp4_write_fragment(const struct fmp4_fragment *f, struct buf *out);

/* mfra: one entry per fragment that starts with a key frame. */
struct fmp4_seek_entry {
    uint64_t time;   /* tfdt of the video track */
    uint64_t offset; /* of moof */
};
int fmp4_write_mfra(const struct fmp4_seek_entry *entries, size_t n, struct buf *out);

/* --- reading --- */

struct fmp4_init {
    struct format *video; /* owned; NULL when absent */
    struct format *audio;
};
void fmp4_init_fini(struct fmp4_init *init);
/* Reads ftyp/moov at the start of the bytes. *out_size: bytes up to the first fragment. */
int fmp4_read_init(const uint8_t *p, size_t n, struct fmp4_init *out, size_t *out_size,
                   struct err *err);

struct fmp4_read_sample {
    bool is_video;
    bool is_key;
    uint32_t size, duration;
    int32_t pts_offset;
    int64_t dts;     /* ticks, tfdt based */
    uint64_t offset; /* from the start of the fragment (its prft or moof box) */
};
struct fmp4_read_fragment {
    int64_t wall_us; /* from prft; 0 when absent */
    uint32_t sequence;
    uint64_t size;                    /* bytes of prft + moof + mdat */
    uint64_t moof_at;                 /* from the start of the fragment */
    struct fmp4_read_sample *samples; /* owned */
    size_t n_samples;
    size_t cap_samples;
};
void fmp4_read_fragment_fini(struct fmp4_read_fragment *f);

/* The boxes in front of the payloads of one fragment, starting at a prft or moof (other top-level
 * boxes such as free, styp, sidx are skipped into `size`). `n` need not contain the mdat payload.
 * Returns 1 when read, 0 when more bytes are needed (*out_need: at least so many), ERR_EOF at mfra
 * or the end, ERR_PARSE when it is no fragment. Samples are bounded to 100,000 per fragment. */
int fmp4_read_fragment(const uint8_t *p, size_t n, struct fmp4_read_fragment *out, size_t *out_need,
                       struct err *err);

/* The seek table: `p` holds the last bytes of a file. 1 with *entries owned by the caller (free), 0
 * when more bytes are needed (*out_need: at least so many of the tail), ERR_NOT_FOUND when the file
 * does not end with one. *out_size: bytes of the mfra box. */
int fmp4_read_mfra(const uint8_t *p, size_t n, struct fmp4_seek_entry **entries, size_t *n_entries,
                   size_t *out_size, size_t *out_need);

/* A top-level box header: 1 read, 0 more bytes needed, ERR_PARSE. size 0 (to the end) is given as
 * UINT64_MAX. */
struct fmp4_box {
    uint32_t type;
    uint64_t size;
    uint32_t header_size;
};
int fmp4_read_box(const uint8_t *p, size_t n, struct fmp4_box *out);
#define FMP4_TYPE(a, b, c, d)                                                                      \
    (((uint32_t)(a) << 24) | ((uint32_t)(b) << 16) | ((uint32_t)(c) << 8) | (uint32_t)(d))

/* --- a progressive file (clips, exports) --- */

/* ftyp + moov of a plain MP4 whose mdat follows: sample tables for samples laid out back to back in
 * the order given (video and audio interleaved as recorded), an edit list that starts presentation
 * exactly `trim_start_us` after the first video sample and lasts `duration_us`. Writes also the
 * mdat header. Several formats per track become several sample entries. */
struct fmp4_clip_sample {
    bool is_video, is_key;
    uint16_t format; /* index into formats */
    uint32_t size, duration;
    int32_t pts_offset;
};
struct fmp4_clip {
    struct format *const *formats;
    size_t n_formats;
    const struct fmp4_clip_sample *samples;
    size_t n_samples;
    int64_t trim_start_us, duration_us;
    int64_t audio_start_us; /* first audio sample after (< 0: before) the first video sample */
    int64_t wall_us;        /* creation_time */
};
int fmp4_write_clip_header(const struct fmp4_clip *clip, struct buf *out);

#endif
