/* Shared by the mutate_*.c files.
 *
 * A unit goes through these steps; a change belongs to one of them:
 *   STAMP    its timestamp, or whether it is sent at all
 *   NALS     its NAL units, or its audio frame
 *   STYLE    how they are made RTP payloads (mutate_pay.c)
 *   PACKETS  the packets: numbers, headers, markers, what is lost
 *   WIRE     frames of the connection: what stands between them, what is cut off */
#ifndef RIG_MUTATE_PRIV_H
#define RIG_MUTATE_PRIV_H

#include "base/mem.h"
#include "media/rtp.h"
#include "mutate.h"

#define MUTATE_PAYLOAD_BYTES 1400
#define MUTATE_MAX_NALS      128

enum mutate_step { MUTATE_STAMP, MUTATE_NALS, MUTATE_STYLE, MUTATE_PACKETS, MUTATE_WIRE };
enum { MUTATE_STEPS = MUTATE_WIRE + 1 };

struct mutate_nal {
    uint8_t *p; /* owned */
    size_t n;
};

/* How payloads are made; zero = as a good camera does. */
struct mutate_style {
    size_t max;        /* bytes of a payload; 0 = MUTATE_PAYLOAD_BYTES */
    bool is_always_fu; /* also what would fit */
    bool is_start_end; /* S and E in one packet, when it fits */
    bool has_no_end, has_empty, has_reserved_bit, has_other_type;
    bool is_aggregated; /* everything but the slices in one STAP-A or AP */
    size_t padding;     /* zeros behind it */
    bool is_overlong;   /* its last size is beyond the packet */
    bool has_don, is_paci;
    enum { ANNEX_B_NONE, ANNEX_B_JOINED, ANNEX_B_HEAD, ANNEX_B_FU } annex_b;
    size_t swell; /* bytes of fragments without end behind the picture */
    /* audio */
    enum { AAC_PLAIN, AAC_ADTS, AAC_BARE_ADTS, AAC_BYTES, AAC_BROKEN, AAC_PIECES } aac;
    size_t join; /* frames per packet */
    bool is_odd; /* G.711 in two pieces of odd length */
};

struct mutate_packet {
    struct buf payload;
    struct rtp rtp;     /* header fields */
    bool ends_nal;      /* the last packet of a NAL unit */
    bool is_set;        /* parameter sets */
    bool is_lost;       /* numbered, but not sent */
    bool is_unnumbered; /* somebody else's */
    uint8_t n_csrc, n_extension_words;
    int padding;       /* bytes; < 0 = the bit without them */
    int channel;       /* -1 = the track's */
    int n_copies;      /* beyond the one */
    struct buf before; /* bytes of the connection in front of the frame */
    struct buf inside; /* and in its middle */
    size_t n_cut;      /* bytes left out at its end */
};

/* A unit on its way. */
struct mutate_batch {
    int track;
    enum codec codec;
    bool is_key;
    uint64_t number; /* of the track's units in this session, from 0 */
    uint8_t payload_type;
    uint32_t timestamp, ssrc;
    int64_t seq_restart; /* the first packet's number; -1 = go on */
    bool is_skipped;
    struct mutate_nal nals[MUTATE_MAX_NALS];
    size_t n_nals;
    struct mutate_style style;
    struct mutate_packet *packets; /* owned */
    size_t n_packets, cap_packets;
};

struct mutate_track {
    bool is_started;
    uint16_t seq; /* of the next packet */
    uint64_t n_units;
    uint32_t first_timestamp, last_timestamp; /* as sent last */
    uint32_t offset;                          /* of timestamps, for good */
    uint32_t ssrc;                            /* 0 = the stream's */
    struct buf joined;                        /* AAC frames that wait for more, with sizes */
    size_t n_joined;
    uint32_t joined_timestamp;
};

struct mutate_rule {
    const struct mutate_change *change;
    const json_t *o;
    uint64_t n_done;
    uint64_t n_keys;
};

struct mutator {
    struct mutate_params params;
    struct mutate_rule rules[MUTATE_MAX_CHANGES];
    size_t n_rules;
    struct mutate_track tracks[MUTATE_TRACKS];
    uint32_t random;
};

typedef void mutate_fn(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b);

/* One row of a table. */
struct mutate_change {
    const char *name;
    enum mutate_step step;
    const char *keys; /* besides do, track, connection, key, from, every, times: "pt seq " */
    mutate_fn *fn;
};

extern const struct mutate_change mutate__stamps[];
extern const struct mutate_change mutate__nals[];
extern const struct mutate_change mutate__styles[];
extern const struct mutate_change mutate__packets[];
extern const struct mutate_change mutate__wire[];

/* Parameters of a rule. */
int64_t mutate__int(const struct mutate_rule *r, const char *key, int64_t otherwise);
double mutate__real(const struct mutate_rule *r, const char *key, double otherwise);
bool mutate__is(const struct mutate_rule *r, const char *key, const char *text);
/* Appends the bytes of "hex" and "bytes" random ones. */
void mutate__bytes(struct mutator *m, const struct mutate_rule *r, struct buf *out);

uint32_t mutate__random(struct mutator *m);

/* mutate_pay.c */
void mutate__split(struct mutate_batch *b, const struct unit *u);
void mutate__pay(struct mutator *m, struct mutate_batch *b);
bool mutate__is_set(enum codec codec, const uint8_t *nal);
bool mutate__is_slice(enum codec codec, const uint8_t *nal);

/* mutate.c: a new packet at the end, or at `at`, with the unit's header fields. */
struct mutate_packet *mutate__add(struct mutate_batch *b, size_t at);

/* mutate_wire.c */
void mutate__send(struct mutator *m, struct mutate_batch *b);

#endif
