/* Turns each packet of a hub once into a fragment (CMAF, ISO/IEC 23000-19: one moof + mdat per
 * access unit) and shares it with every viewer on one loop.
 *
 * A packager belongs to one (hub, loop); it owns the relay between them and keeps the fragments of
 * the current group of pictures, so that a new viewer has a picture at once. The table makes a
 * packager for its first viewer and lets it go PACKAGER_LINGER_MS after the last one.
 * Video is H.264 or H.265, audio AAC or G.711 (docs/design/0005); other tracks are left out. Times
 * are carried on one axis per packager that begins near 0 and moves forward whatever the source
 * does. Thread: everything belongs to the table's loop; fragment ref, unref and reading from any
 * thread. Bound: PACKAGER_GOP_MAX_BYTES and HUB_GOP_MAX_PACKETS are kept; of a longer group the key
 * frame alone, and who comes then goes on at the next one. */
#ifndef DELIVERY_PACKAGER_H
#define DELIVERY_PACKAGER_H

#include "media/hub.h"
#include "media/packet.h"

#define PACKAGER_LINGER_MS     5000
#define PACKAGER_GOP_MAX_BYTES (8u << 20)

/* A piece of fragmented MP4: `head` followed by the payload of `pkt`. Refcounted, immutable. */
struct fragment {
    struct refcount refs;
    struct packet *pkt;   /* owned reference; NULL = an init segment */
    struct format *video; /* init: owned references; audio may be NULL */
    struct format *audio;
    bool is_key, is_audio;
    bool is_discontinuity; /* something is missing before */
    int64_t wall_us;       /* of the picture */
    int64_t pts, dts;      /* ticks of the track's timescale, as in the moof */
    uint32_t duration;     /* ticks; live: the estimate written into the moof */
    size_t head_size;      /* ftyp + moov, or moof + mdat header */
    uint8_t head[];
};

struct fragment *fragment_ref(struct fragment *f);
void fragment_unref(struct fragment **f);
static inline size_t fragment_size(const struct fragment *f)
{
    return f->head_size + (f->pkt ? f->pkt->size : 0);
}

/* One reader of a packager. Embedded (CONTAINER_OF); zero except ops and wants_audio. */
struct viewer;
struct viewer_ops {
    /* An init segment: before the first picture and whenever the format changes to one that the
     * init segment sent before cannot serve (media/inband.h: other sets stand in the stream); the
     * next video fragment is a key frame. Borrowed. */
    void (*init)(struct viewer *v, struct fragment *f);

    /* One access unit. Borrowed: take a reference to keep it. May detach itself. */
    void (*push)(struct viewer *v, struct fragment *f);

    /* The stream's source is up or down; the viewer stays. May be NULL. */
    void (*source_changed)(struct viewer *v, bool is_up);

    /* The hub was closed; the viewer is detached. Not called after packager_detach. */
    void (*gone)(struct viewer *v);
};
struct packager;
struct viewer {
    const struct viewer_ops *ops;
    bool wants_audio;

    /* packager's own */
    struct packager *packager;
    struct viewer *next, *prev;
    bool needs_key;
    uint32_t init_id; /* the init segment it has; 0 = none */
};

struct packager_table;
struct packager_table *packager_table_create(struct loop *loop);

/* Asks every packager to end; viewers get `gone`. The table is freed, then done(ctx) fires once. */
void packager_table_stop(struct packager_table *t, loop_fn *done, void *ctx);

/* Attaches and pushes init and the fragments kept (from the newest key frame) within this call when
 * there are any. Takes its own reference to hub. */
void packager_attach(struct packager_table *t, struct hub *hub, struct viewer *v);

/* Is the sound of this viewer's stream known? Then who attaches now gets an init segment with it;
 * those who are attached get theirs at the next key frame. */
bool packager_has_audio(const struct viewer *v);

/* How many viewers of the hub's stream are attached on this loop. The hub itself sees one sink,
 * which also lingers. */
int packager_viewers(const struct packager_table *t, const struct hub *hub);

/* No callback comes after it. Harmless when not attached. */
void packager_detach(struct viewer *v);

#endif
