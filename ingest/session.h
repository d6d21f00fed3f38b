/* One RTSP session that brings the tracks of a stream: what a stream needs of it, whoever began it.
 *
 *   rtsp_client   we ask the camera: OPTIONS, DESCRIBE, SETUP, PLAY   (ingest/rtsp_client.h)
 *   rtsp_push     an encoder asks us: ANNOUNCE, SETUP, RECORD         (ingest/rtsp_push.h)
 *
 * Sans-IO: bytes and time go in; bytes to send, frames and a verdict come out. Sockets, ports and
 * the decision what to try next are the caller's.
 *
 *   OPENING ─► SETTLED ─► PLAYING ─► ENDING ─► ENDED      any state may go to ENDING or ENDED
 *
 * OPENING   tracks are not settled.
 * SETTLED   they are; frames may come from now on.
 * PLAYING   both sides have agreed that media flows.
 * ENDING    a verdict is there; the last words (TEARDOWN) are being said.
 * ENDED     a verdict is there; nothing more is said or taken.
 *
 * Thread: belongs to one loop. Lifetime: never call session_destroy from a callback of ops.
 * Bounds: SESSION_OUT_BYTES waiting to be sent, SESSION_MAX_TRACKS tracks, SESSION_MAX_MEDIAS
 * medias set up. */
#ifndef INGEST_SESSION_H
#define INGEST_SESSION_H

#include "base/buf.h"
#include "ingest/cause.h"
#include "media/sdp.h"
#include "net/rtsp.h"
#include "net/url.h"

#define SESSION_MAX_TRACKS 2 /* video, and one audio */
#define SESSION_MAX_MEDIAS 8 /* the tracks, and extras */
#define SESSION_OUT_BYTES  (64u << 10)

enum session_phase {
    SESSION_OPENING,
    SESSION_SETTLED,
    SESSION_PLAYING,
    SESSION_ENDING,
    SESSION_ENDED,
};

enum session_verdict {
    SESSION_VERDICT_NONE,       /* not over yet */
    SESSION_VERDICT_STOPPED,    /* session_stop was asked for */
    SESSION_VERDICT_FAILED,     /* cause and text */
    SESSION_VERDICT_REDIRECTED, /* go to `url` */
    SESSION_VERDICT_TRANSPORT,  /* refused this transport: the other one, on a fresh connection */
    SESSION_VERDICT_AGAIN,   /* a fresh connection at once; cause and text if that is not wanted */
    SESSION_VERDICT_RESTART, /* a fresh session on this connection, from the bytes left over on */
};

/* How it ended. */
struct session_end {
    enum session_verdict verdict;
    enum stream_cause cause;
    int status;     /* of the answer that decided, 0 = none did */
    char text[192]; /* the fact, half a sentence without full stop: "the camera answered 404 …" */
    struct url url; /* REDIRECTED only; without credentials when the camera gave none */
};

struct session_track {
    const struct sdp_media *media; /* lives as long as the session */
    bool is_tcp;
    uint8_t channel[2];      /* TCP: RTP, RTCP */
    uint16_t server_port[2]; /* UDP: where the peer sends from; 0 = not told (quirk P7) */
};

/* What its owner does for it. */
struct session_host {
    /* RTP or RTCP of a track, borrowed for the call. Not before SETTLED, not from ENDING on. */
    void (*frame)(void *ctx, int track, const uint8_t *p, size_t n);
    /* Before a media is set up by UDP: the even port of a pair that is open now, or < 0. Asked once
     * for each of the SESSION_MAX_MEDIAS; nothing need be read from n_tracks on. */
    int (*open_udp)(void *ctx, int i_media);
};

/* In a table of channels, in place of a track. */
enum {
    CHANNEL_NONE = -1,    /* nobody set it up */
    CHANNEL_UNHEARD = -2, /* set up, but of no track: what comes on it is dropped */
};

struct session;

struct session_ops {
    enum session_phase (*phase)(const struct session *s);
    size_t (*input)(struct session *s, int64_t mono_us, const uint8_t *p, size_t n);
    void (*closed)(struct session *s, enum stream_cause cause, const char *what);
    int64_t (*due_us)(const struct session *s);
    void (*timeout)(struct session *s, int64_t mono_us);
    void (*probe)(struct session *s, int64_t mono_us);
    void (*stop)(struct session *s, int64_t mono_us);
    void (*destroy)(struct session *s);
};

/* First member of every kind. What is here may be read by the owner at any time, and is written by
 * the kind only. */
struct session {
    const struct session_ops *ops;
    const struct session_host *host;
    void *ctx;      /* of host's functions */
    struct buf out; /* what is to be sent; the owner consumes it */
    struct session_end end;
    struct session_track tracks[SESSION_MAX_TRACKS]; /* from SETTLED on; [0] is the video */
    int n_tracks;
    int n_extras;           /* medias set up besides, whose packets nobody wants (quirk P5) */
    int n_left_out;         /* medias that could be extras and are not set up */
    char other_audio[32];   /* sound that is offered but cannot be carried: its name; "" = none */
    char left_out_why[128]; /* sound that could be, and is left out: half a sentence; "" = none */
    enum codec left_out_codec; /* of that */
    bool spares_sound;         /* because of earlier tries (ingest/sound_doubt.h) */
    bool has_answered;         /* the peer spoke RTSP */
    bool has_logged_in;        /* it took our user and password */
    uint64_t n_early; /* frames before SETTLED: of a session the peer should have ended (K6) */
    uint64_t n_unrequested;    /* later ones, on channels that nobody set up (P5) */
    struct rtsp_parser parser; /* n_losses of framing so far, and whether it is lost now (I1) */

    /* losses of framing within the current minute */
    int64_t window_us;
    uint64_t window_losses;
    uint64_t window_skipped_bytes;
};

/* For the kinds: fills the common part. */
void session_init(struct session *s, const struct session_ops *ops, const struct session_host *host,
                  void *ctx);
void session_fini(struct session *s);
/* Remembers in other_audio what the description offers where no sound of it could be chosen. */
void session_note_audio(struct session *s, const struct sdp *sdp);
/* Counts bytes that made no sense. True when it is hopeless (quirk I1: only then the connection is
 * given up). */
bool session_skipped(struct session *s, int64_t mono_us, const struct rtsp_item *item);

void session_destroy(struct session **s);
enum session_phase session_phase(const struct session *s);

/* Bytes from the peer. Returns how many were used; the rest comes again, with more behind it. */
size_t session_input(struct session *s, int64_t mono_us, const uint8_t *p, size_t n);

/* The connection is gone; `what` is half a sentence: "the camera closed the connection". */
void session_closed(struct session *s, enum stream_cause cause, const char *what);

/* When to call session_timeout at the latest; INT64_MAX = never. Earlier does no harm. After it,
 * bytes that were left over are to be offered to session_input once more. */
int64_t session_due_us(const struct session *s);
void session_timeout(struct session *s, int64_t mono_us);

/* Asks for a sign of life now instead of at the next keepalive, where the kind can. */
void session_probe(struct session *s, int64_t mono_us);

/* Says goodbye when there is something to end. Ended at the answer, or 1 s later. */
void session_stop(struct session *s, int64_t mono_us);

/* Puts an RTCP report for a track into the output (TCP); dropped when the peer reads nothing. */
void session_report(struct session *s, int track, const uint8_t *p, size_t n);

#endif
