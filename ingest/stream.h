/* One stream (main or sub) of one camera, pulled over RTSP or pushed by its encoder, and published
 * to a hub.
 *
 * The state machine of one connection after another: resolve, connect, describe, set up, play, back
 * off; see stream_priv.h for the diagram and what is true in each state.
 * Thread: a stream works on its ingest loop for life. The functions here are called on the home
 * loop (the server's) and cross by message; callbacks fire on the home loop. Lifetime: stream_stop
 * asks (TEARDOWN is sent, at most 1 s); `gone` fires exactly once and the stream is freed. */
#ifndef INGEST_STREAM_H
#define INGEST_STREAM_H

#include "base/loop.h"
#include "ingest/allowance.h"
#include "ingest/cause.h"
#include "ingest/push_port.h"
#include "ingest/gate.h"
#include "media/hub.h"
#include "net/resolve.h"
#include "net/tls_client.h"

enum stream_transport { TRANSPORT_AUTO, TRANSPORT_TCP, TRANSPORT_UDP };

/* As url: not pulled; waits for its encoder (stream_adopt). */
#define STREAM_PUSH_URL "push:"
bool stream_is_push_url(const char *url);

struct stream_config {
    char camera_id[65];
    char name[8]; /* "main" or "sub" */
    /* As url_parse takes them, or push:. Credentials inside are used when username is empty. */
    char url[1024];
    char username[128];
    char password[256];
    enum stream_transport transport;
    bool is_on_demand; /* runs only while its hub has viewers, and 10 s longer */
};

/* What becomes of a stream's sound. Pictures never depend on it. */
enum sound_state {
    SOUND_UNKNOWN,     /* the stream never played */
    SOUND_ABSENT,      /* none is offered, or none has come */
    SOUND_RECORDED,    /* it comes, and goes where the pictures go */
    SOUND_UNSUPPORTED, /* offered in a coding that cannot be carried */
    SOUND_LEFT_OUT,    /* offered; the camera refused it, or stumbled over it */
};
/* "absent", "recorded", "unsupported", "left_out" */
const char *sound_state_name(enum sound_state s);
struct sound_status {
    enum sound_state state;
    char codec[32];   /* as codec_name, else as the camera calls it; "" = none offered */
    char detail[128]; /* a sentence for a person; "" = nothing to say */
};

/* A moment's truth about a stream. A plain value. */
struct stream_status {
    char camera_id[65];
    char name[8];
    enum stream_cause cause;
    char detail[256];     /* a sentence for a person: the fact and what happens next */
    bool is_reachable;    /* the peer answered RTSP in the latest try */
    bool is_advancing;    /* pictures were published within the last few seconds */
    int64_t since_us;     /* wall clock of the last change of cause or of the booleans */
    int64_t reachable_us; /* newest evidence; 0 = never */
    int64_t advancing_us;
    int64_t retry_us; /* wall clock of the next try; 0 = none planned */
    enum codec codec;
    int width, height;
    double fps; /* measured over the last seconds */
    double bitrate_bps;
    double gop_s;          /* measured length of a group of pictures */
    double clock_offset_s; /* camera's clock minus ours, from sender reports */
    bool has_clock_offset;
    bool has_audio;
    struct sound_status sound; /* of the newest connection that played */
    int n_viewers;
    uint64_t n_reconnects, n_lost_packets, n_resyncs, n_damaged;
    uint64_t n_unrequested; /* packets on channels that nobody set up (quirk P5) */
};

struct stream_params {
    struct loop *home;
    struct loop *loop;                  /* the ingest loop it lives on */
    struct resolver *resolver;          /* destroy it before `loop`; NULL = numbers only */
    struct tls_client *tls;             /* outlives the stream; NULL = no TLS */
    const char *remux_path;             /* of rookery-remux; copied; NULL = RTSP only */
    struct gate *gate;                  /* of that loop; NULL = everybody may connect at once */
    struct allowance *allowance;        /* of descriptors, all streams'; NULL = no limit */
    const struct stream_config *config; /* copied */
    uint64_t seed;                      /* jitter of the back-off; 0 = from the camera id */
    /* When cause, detail or a boolean changes (is_change), and every few seconds with fresh
     * figures. */
    void (*status)(void *ctx, const struct stream_status *st, bool is_change);
    void (*gone)(void *ctx);
    void *ctx;
};

struct stream;

struct stream *stream_start(const struct stream_params *params);
void stream_stop(struct stream *s);

/* New settings: a different url, user or transport reconnects at once (and clears an auth
 * back-off). */
void stream_configure(struct stream *s, const struct stream_config *config);

/* Hands over the connection of an encoder that has logged in. When another one is pushing, the new
 * one is refused, unless the old one has been silent for 3 s. */
void stream_adopt(struct stream *s, struct push_peer *peer);

/* Try now instead of waiting for the back-off. */
void stream_retry(struct stream *s);

/* [any] Borrowed; take a hub_ref to keep it. Lives at least until `gone`. */
struct hub *stream_hub(const struct stream *s);

#endif
