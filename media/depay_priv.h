/* Shared by the depacketizers: access units put together from NAL units (depay_au.c), fed by the
 * payload formats (depay_h26x.c), images (depay_jpeg.c) and the audio side (depay_audio.c). */
#ifndef MEDIA_DEPAY_PRIV_H
#define MEDIA_DEPAY_PRIV_H

#include "media/depay.h"
#include "media/nal.h"

enum nal_kind {
    NAL_KIND_DROP,   /* nothing a decoder needs */
    NAL_KIND_AUD,    /* the same, but never the last of a picture */
    NAL_KIND_SET,    /* VPS, SPS, PPS */
    NAL_KIND_PREFIX, /* belongs in front of a picture */
    NAL_KIND_SLICE,
    NAL_KIND_SUFFIX, /* stays where it came */
};

struct nal_info {
    enum nal_kind kind;
    bool is_first; /* slice: the first one of its picture */
    bool is_key;   /* slice: of an IDR or IRAP picture */
};

/* A parameter set in use. */
struct param_set {
    unsigned type;
    uint32_t id;
    size_t n;
    uint8_t *p;
};

/* The NAL unit that is being put together from fragments, at `at` in the access unit. */
struct fragment {
    bool is_open;
    bool is_slice; /* its picture has begun; everything else is looked at when it is complete */
    size_t at;     /* of the length prefix */
    uint32_t timestamp;
};

struct depay {
    depay_fn *fn;
    void *ctx;
    enum codec codec;
    struct format *format; /* newest; owned; may be NULL */
    struct depay_stats stats;
    uint32_t lost;         /* since the last unit handed out */
    bool is_discontinuity; /* something was dropped since then */

    /* video */
    struct param_set sets[NAL_SETS_MAX];
    size_t n_sets, sets_bytes;
    bool is_sets_dirty;
    bool is_interlaced;
    bool has_don; /* H.265 sprop-max-don-diff > 0 */
    struct packet *au;
    struct format *au_format;
    uint32_t timestamp; /* of the first slice */
    bool has_slice, is_key, is_damaged, is_oversize;
    size_t tail_at; /* prefix units behind the slices, which may be the next picture's; 0 = none */
    bool ends_in_slice; /* the newest unit was a slice or suffix */
    struct fragment frag;
    size_t guess[2];      /* bytes of the next delta and key unit */
    unsigned n_scanned;   /* units searched for start codes so far */
    bool has_start_codes; /* and found some: search them all */

    /* the marker bit: believed after it was right once, never again after it was wrong */
    bool is_marker_proven, is_marker_wrong;
    bool is_held;    /* ended by a marker that is not proven yet */
    bool was_marked; /* the last unit ended by its marker, at marked_timestamp */
    uint32_t marked_timestamp;

    struct depay_jpeg *jpeg; /* JPEG only */

    /* AAC */
    uint32_t clock_rate;
    bool is_config_clock;   /* stamps run at the configuration's rate, not at clock_rate */
    uint32_t aac_timestamp; /* of the packet before */
    uint32_t n_aac_frames;  /* and the frames in it */
    int size_length, index_length, index_delta_length;
    struct packet *partial;
    size_t partial_need;
    uint32_t partial_timestamp;

    /* 16-bit samples */
    struct byte_order_guess order;
    size_t n_unheard; /* moments kept back, up to a second */
};

/* --- depay_au.c: NAL units to access units --- */

void depay__video_init(struct depay *d, const struct sdp_media *media);
void depay__video_fini(struct depay *d);

/* A whole NAL unit with its header, n > 0. */
void depay__nal(struct depay *d, uint32_t timestamp, const uint8_t *p, size_t n);

/* A fragmented one: `header` is the rebuilt NAL header. depay__frag_end closes what is open. */
void depay__frag_start(struct depay *d, uint32_t timestamp, const uint8_t *header,
                       size_t header_size, const uint8_t *p, size_t n);
void depay__frag_more(struct depay *d, const uint8_t *p, size_t n);
void depay__frag_end(struct depay *d);

/* A fragment without its beginning. */
void depay__frag_orphan(struct depay *d, uint32_t timestamp);

void depay__packet_begin(struct depay *d, uint32_t timestamp, uint32_t lost);
void depay__packet_end(struct depay *d, const struct rtp *rtp);
void depay__au_end(struct depay *d);
void depay__video_restart(struct depay *d, uint32_t timestamp);

/* --- parameter sets, depay_sets.c --- */

/* Takes in a set; notes whether it differs from what is known. */
void depay__set(struct depay *d, const uint8_t *p, size_t n);

/* A new format from the sets when they changed. Called before the first slice of a picture. */
void depay__sets_apply(struct depay *d);
void depay__sets_init(struct depay *d, const struct format *f);
void depay__sets_fini(struct depay *d);

/* --- payload formats --- */

struct nal_info depay__h264_info(const struct depay *d, const uint8_t *p, size_t n);
struct nal_info depay__h265_info(const struct depay *d, const uint8_t *p, size_t n);
void depay__h264_payload(struct depay *d, const struct rtp *rtp);
void depay__h265_payload(struct depay *d, const struct rtp *rtp);
bool depay__h264_begins_key(const uint8_t *p, size_t n);
bool depay__h265_begins_key(const uint8_t *p, size_t n);
void depay__aac_input(struct depay *d, const struct rtp *rtp, uint32_t lost);
void depay__plain_input(struct depay *d, const struct rtp *rtp);
void depay__s16_input(struct depay *d, const struct rtp *rtp);

/* --- depay_jpeg.c: whole images --- */

void depay__jpeg_init(struct depay *d);
void depay__jpeg_fini(struct depay *d);
void depay__jpeg_input(struct depay *d, const struct rtp *rtp, uint32_t lost);
void depay__jpeg_flush(struct depay *d);
void depay__jpeg_restart(struct depay *d);

/* Stamps what is common to all codecs and hands the packet out. */
void depay__emit(struct depay *d, struct packet *pkt, struct format *format, uint32_t timestamp);

#endif
