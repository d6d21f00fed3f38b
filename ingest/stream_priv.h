/* Shared by the stream*.c: states and decisions, sockets, media, what is told about it all. */
#ifndef INGEST_STREAM_PRIV_H
#define INGEST_STREAM_PRIV_H

#include <stdatomic.h>

#include "base/log.h"
#include "ingest/backoff.h"
#include "ingest/feeder.h"
#include "ingest/link.h"
#include "ingest/receiver.h"
#include "ingest/rtsp_client.h"
#include "ingest/stream.h"
#include "net/resolve.h"
#include "net/socket.h"

/*            demand / start                                     first picture: cause ok
 *   IDLE ─► QUEUED ─► RESOLVE ─► CONNECT ─► HANDSHAKE ─► PLAYING ──┐
 *    ▲         ▲         └──────────┴───────────┴────┬───────┘     │ stall, close, new settings,
 *    │         │                                     ▼             │ stop, nobody watches
 *    │         └────────── BACKOFF ◄───────────── CLOSING ◄────────┘
 *    └───────────────────────────────────────────────┴────► STOPPED
 *
 *   pushed:  WAITING ─► HANDSHAKE ─► PLAYING ─► WAITING, in place of all that lies before HANDSHAKE
 *            and of BACKOFF
 *
 * IDLE       no connection, no timer; waits for a viewer (on demand) or for new settings.
 * QUEUED     waits for its turn at the gate; through it until PLAYING or the end of the try.
 * RESOLVE    `resolve` runs.
 * CONNECT    link opens to list[i_address]: TCP, TLS, tunnel.
 * WAITING    of a pushed stream: no connection; its encoder will come (stream_adopt).
 * HANDSHAKE  session talks through the link.
 * PLAYING    PLAY was answered; ticks; the hub is up from the first published picture on.
 *            A foreign stream skips RESOLVE and passes through CONNECT: the process is started.
 * CLOSING    TEARDOWN was said; link and session end within a second, then `after_closing`. Of a
 *            foreign stream they are gone already, and its process ends.
 * BACKOFF    no connection; `deadline` is armed for the next try.
 * STOPPED    everything of the loop is released; `gone` is on its way.
 *
 * In every state but the ones named, link and session are NULL. A process of `feeder` is alive in
 * HANDSHAKE, PLAYING and CLOSING only. */
enum stream_state {
    STREAM_IDLE,
    STREAM_QUEUED,
    STREAM_RESOLVE,
    STREAM_CONNECT,
    STREAM_WAITING,
    STREAM_HANDSHAKE,
    STREAM_PLAYING,
    STREAM_CLOSING,
    STREAM_BACKOFF,
    STREAM_STOPPED,
};
enum { STREAM_STATES = STREAM_STOPPED + 1 };

/* A pair of UDP sockets of one track: RTP, RTCP. */
struct udp_pair {
    int fd[2]; /* -1 = none */
    struct watch watch[2];
    struct address source[2]; /* locked by the first packet (quirk P7); len 0 = not yet */
    struct udp_end {
        struct stream *s;
        int track, which;
    } end[2];
};

struct stream {
    /* set at start, then const */
    struct loop *home;
    struct loop *loop;
    struct resolver *resolver;
    struct tls_client *tls;      /* NULL = none */
    char *remux_path;            /* NULL = RTSP only */
    struct gate *gate;           /* NULL = none */
    struct allowance *allowance; /* NULL = no limit */
    struct hub *hub;             /* owned reference */
    void (*on_status)(void *ctx, const struct stream_status *st, bool is_change);
    void (*on_gone)(void *ctx);
    void *ctx;
    char who[80]; /* "cam-001/main", for the log */

    int phase; /* spreads the chores */

    /* any thread, atomic */
    atomic_int n_in_flight; /* status messages on their way home */

    /* home loop only */
    bool is_stopping;

    /* ingest loop only, from here on */
    struct stream_config config;
    enum stream_state state;
    enum stream_state after_closing;
    struct timer deadline; /* of the state */
    struct timer tick;     /* HANDSHAKE, CLOSING: the session's; PLAYING: housekeeping */
    struct timer linger;   /* on demand: nobody watches */
    struct backoff backoff;
    int64_t retry_mono_us;
    struct gate_pass pass;
    int n_held; /* of the allowance; 0 in the states without a connection */
    struct log_every log_limit;

    /* demand */
    int n_viewers, n_live;

    /* this try */
    struct url url;        /* where to go; changed by redirects */
    bool has_new_settings; /* until they were tried */
    int n_redirects;
    int n_again; /* immediate retries in a row */
    bool is_udp;
    int64_t stale_until_us; /* quirk K6: until then UDP in place of TCP; 0 = not */
    struct resolve *resolve;
    bool is_name_doubtful; /* it was asked for and did not resolve */
    struct address list[RESOLVE_MAX_ADDRESSES];
    size_t n_addresses, i_address;

    /* this connection */
    struct link *link;
    struct feeder feeder;
    struct buf partial; /* the start of an item whose rest is not here yet */
    struct session *session;
    struct rtsp_memory memory; /* outlives connections */
    struct udp_pair udp[SESSION_MAX_TRACKS];
    /* UDP of extras; -1 = none */
    int unread[SESSION_MAX_MEDIAS - SESSION_MAX_TRACKS][2];
    struct receiver *receiver; /* lives as long as the stream */
    bool is_receiving;         /* receiver_open was called */
    bool is_up;                /* the hub was told */
    bool is_batched;           /* see stream_io.c */
    uint64_t heard_at_open;    /* stream__heard at receiver_open */
    int64_t playing_mono_us;
    int64_t bytes_mono_us;  /* newest bytes of any kind */
    int64_t probed_mono_us; /* pictures stay out: asked whether the camera lives; 0 = not */

    /* housekeeping */
    uint64_t heard_before; /* bytes and foreign packets up to the last chores */
    int n_unreadable;      /* chores in a row with media but without a picture */
    int64_t chores_mono_us, report_mono_us, figures_mono_us;
    uint64_t figures_pictures, figures_bytes;
    int64_t sizes_mono_us; /* begin of the minute in which sizes are counted */
    uint64_t sizes_before;
    uint64_t n_resyncs_before, n_unrequested_before; /* of sessions that are over */

    /* truth */
    struct stream_status status;
    struct stream_status posted; /* what the home loop knows */
    char fact[200];              /* of the last failure, without what happens next */
    bool has_failed;             /* `cause` stays that of the last failure until media flows */
    uint64_t n_sessions;         /* that brought media */
};

/* stream.c */
/* Everything that belongs to the loop ends here; `gone` follows. */
void stream__release(struct stream *s);

/* stream_states.c */
bool stream__is_wanted(const struct stream *s);
/* A fresh try at the configured address. */
void stream__start_over(struct stream *s);
/* Its turn at the gate. */
void stream__on_turn(void *ctx);
/* Descriptors for a connection, given back when it is over: false when none are left. */
bool stream__allow(struct stream *s, int n);
/* The failure that is told then. */
void stream__fail_crowded(struct stream *s);
/* User and password, as the gate knows them; 0 = none configured. */
uint64_t stream__login(const struct stream *s);
/* The camera has accepted it: others need not wait to find out. */
void stream__logged_in(struct stream *s);
void stream__start_or_idle(struct stream *s);
void stream__on_deadline(void *ctx);
void stream__enter(struct stream *s, enum stream_state next);
/* Ends the connection politely, then enters `next`. */
void stream__end(struct stream *s, enum stream_state next);
/* The process of a foreign stream was reaped. */
void stream__feeder_gone(struct stream *s);
/* The session is PLAYING for the first time, tears down, or has ended. */
void stream__session_moved(struct stream *s);

/* Nothing comes any more: tells the hub. */
void stream__source_down(struct stream *s);

/* stream_verdict.c */
/* A try or a session failed: ends it politely, backs off. */
void stream__fail(struct stream *s, enum stream_cause cause, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* At once, where that may help; the second time in a row it is a failure. */
void stream__connect_again(struct stream *s, enum stream_cause cause, const char *fact);
/* Pictures stay out, but the camera has answered since (quirk I6). */
bool stream__has_answered_probe(const struct stream *s);
/* The session ends or has ended, and not because we asked. */
void stream__follow_verdict(struct stream *s);

/* stream_stale.c */
/* A try or a session failed: how long to wait where an older session is in the way, at least
 * delay_us unless UDP goes around it, and what is to be said about it ("" = nothing). Decides the
 * transport of the next try. */
int64_t stream__plan_around_stale(struct stream *s, enum stream_cause cause, int64_t delay_us,
                                  const char **note);
/* Before a try: TCP again once the older session has expired. */
void stream__settle_transport(struct stream *s);

/* stream_io.c */
void stream__resolve(struct stream *s);
/* It takes too long. */
void stream__unresolved(struct stream *s);
void stream__connect(struct stream *s);
/* Media goes where the link goes when that hides it. */
bool stream__may_use_udp(const struct stream *s);
/* Seconds that connecting may take. */
int stream__connect_limit_s(const struct stream *s);
void stream__flush(struct stream *s);
void stream__read(struct stream *s);
/* Offers what was left over once more, after the session's time-out. */
void stream__redigest(struct stream *s);
/* Chooses between reading at once and in batches. */
void stream__choose_batching(struct stream *s);
void stream__close_connection(struct stream *s);
extern const struct session_host stream__session_host;
extern const struct session_host stream__feed_host;

/* stream_feed.c */
/* Starts the process that reads a foreign stream. */
void stream__feed(struct stream *s);
/* "TCP", "RTMP": what media comes over. */
const char *stream__carrier(const struct stream *s);

/* `link` becomes that of a connected descriptor. */
void stream__adopt_link(struct stream *s, int fd);

/* stream_push.c */
bool stream__is_pushed(const struct stream *s);
/* "the camera" or "the encoder", for texts. */
const char *stream__peer(const struct stream *s);
void stream__wait(struct stream *s);
/* The deadline of WAITING. */
void stream__waited_long(struct stream *s);
/* The encoder begins anew on its connection. */
void stream__restart_push(struct stream *s);

/* stream_udp.c */
int stream__open_udp(void *ctx, int i_media);
void stream__start_udp(struct stream *s);
void stream__punch(struct stream *s, int track);
void stream__send_udp_report(struct stream *s, int track, const uint8_t *p, size_t n);
void stream__close_udp(struct stream *s);

/* stream_play.c */
/* Grows with every packet of RTP that comes for a track. */
uint64_t stream__heard(const struct stream *s);
void stream__playing(struct stream *s);
void stream__tick(void *ctx);
void stream__publish(void *ctx, struct packet *pkt);

/* stream_status.c */
void stream__set_cause(struct stream *s, enum stream_cause cause, const char *detail);
void stream__set_reachable(struct stream *s, bool is_reachable);
void stream__set_advancing(struct stream *s, bool is_advancing);
/* Posts to the home loop what changed; figures also without a change. */
void stream__post_status(struct stream *s, bool with_figures);

#endif
