/* One RTSP session with a camera, from the first request to TEARDOWN (RFC 2326). Sans-IO: bytes and
 * time go in; bytes to send, frames and a verdict come out. Sockets, ports and the decision what to
 * try next are the caller's.
 *
 *   start ─► OPTIONS ─► DESCRIBE ─► SETUP (per track) ─► PLAY ─► PLAYING ─► TEARDOWN ─► ENDED
 *               any failure: TEARDOWN when there is a session, else ENDED, with a verdict
 *
 * One connection is good for one client: another transport, a redirect and every retry take a fresh
 * connection and a fresh client (quirk U7).
 * Thread: belongs to one loop. Lifetime: never call rtsp_client_destroy from a callback of ops.
 * Bounds: RTSP_CLIENT_OUT_BYTES waiting to be sent, two tracks, one request in flight. */
#ifndef INGEST_RTSP_CLIENT_H
#define INGEST_RTSP_CLIENT_H

#include "base/buf.h"
#include "ingest/cause.h"
#include "media/sdp.h"
#include "net/digest.h"
#include "net/rtsp.h"
#include "net/url.h"

#define RTSP_CLIENT_MAX_TRACKS 2 /* video, and one audio */
#define RTSP_CLIENT_OUT_BYTES  (64u << 10)

enum rtsp_client_state {
    RTSP_CLIENT_OPTIONS,
    RTSP_CLIENT_DESCRIBE,
    RTSP_CLIENT_SETUP,
    RTSP_CLIENT_PLAY,
    RTSP_CLIENT_PLAYING,
    RTSP_CLIENT_TEARDOWN,
    RTSP_CLIENT_ENDED,
};
enum { RTSP_CLIENT_STATES = RTSP_CLIENT_ENDED + 1 };

enum rtsp_verdict {
    RTSP_VERDICT_NONE,       /* not over yet */
    RTSP_VERDICT_STOPPED,    /* rtsp_client_stop was asked for */
    RTSP_VERDICT_FAILED,     /* cause and text */
    RTSP_VERDICT_REDIRECTED, /* go to `url` */
    RTSP_VERDICT_TRANSPORT,  /* refused this transport: the other one, on a fresh connection */
    RTSP_VERDICT_AGAIN,      /* a fresh connection at once; cause and text if that is not wanted */
};

/* How it ended. */
struct rtsp_client_end {
    enum rtsp_verdict verdict;
    enum stream_cause cause;
    int status;     /* of the answer that decided, 0 = none did */
    char text[192]; /* the fact, half a sentence without full stop: "the camera answered 404 …" */
    struct url url; /* REDIRECTED only; without credentials when the camera gave none */
};

/* What is worth knowing about a camera in its next connection; zero at first. The place for
 * per-camera oddities that only show while talking to it. */
struct rtsp_memory {
    struct auth auth; /* sign the first request with it; used up by the next client */
    bool has_auth;
    bool no_get_parameter; /* quirk K1: advertised, but unanswered or refused */
};

struct rtsp_client_track {
    const struct sdp_media *media; /* lives as long as the client */
    bool is_tcp;
    uint8_t channel[2];      /* TCP: RTP, RTCP */
    uint16_t server_port[2]; /* UDP: 0 = not told (quirk P7) */
};

struct rtsp_client_ops {
    /* RTP or RTCP of a track, borrowed for the call. Not before PLAY was sent, not after stop. */
    void (*frame)(void *ctx, int track, const uint8_t *p, size_t n);
    /* Before SETUP of a track by UDP: the even port of a pair that is open now, or < 0. Asked once
     * per track. */
    int (*open_udp)(void *ctx, int track);
};

struct rtsp_client_params {
    const struct url *url; /* copied; its credentials are not looked at */
    const char *user;      /* copied; "" = none */
    const char *password;  /* copied */
    bool is_udp;
    struct rtsp_memory *memory; /* outlives the client */
    const struct rtsp_client_ops *ops;
    void *ctx;
};

struct rtsp_client;

struct rtsp_client *rtsp_client_create(const struct rtsp_client_params *params);
void rtsp_client_destroy(struct rtsp_client **c);

/* The connection stands: puts the first request into the output. */
void rtsp_client_start(struct rtsp_client *c, int64_t mono_us);

/* Bytes from the peer. Returns how many were used; the rest comes again, with more behind it. */
size_t rtsp_client_input(struct rtsp_client *c, int64_t mono_us, const uint8_t *p, size_t n);

/* The connection is gone; `what` is half a sentence: "the camera closed the connection". */
void rtsp_client_closed(struct rtsp_client *c, enum stream_cause cause, const char *what);

/* When to call rtsp_client_timeout at the latest; INT64_MAX = never. Earlier does no harm. After
 * it, bytes that were left over are to be offered to rtsp_client_input once more. */
int64_t rtsp_client_due_us(const struct rtsp_client *c);
void rtsp_client_timeout(struct rtsp_client *c, int64_t mono_us);

/* Asks for a sign of life now instead of at the next keepalive. */
void rtsp_client_probe(struct rtsp_client *c, int64_t mono_us);

/* Says TEARDOWN when there is a session. Ended at the answer, or 1 s later. */
void rtsp_client_stop(struct rtsp_client *c, int64_t mono_us);

/* What is to be sent; the caller consumes it. */
struct buf *rtsp_client_out(struct rtsp_client *c);

/* Puts an RTCP report for a track into the output (TCP); dropped when the peer reads nothing. */
void rtsp_client_report(struct rtsp_client *c, int track, const uint8_t *p, size_t n);

enum rtsp_client_state rtsp_client_state(const struct rtsp_client *c);
const char *rtsp_client_state_name(enum rtsp_client_state state);
const struct rtsp_client_end *rtsp_client_end(const struct rtsp_client *c);

/* Tracks are settled from PLAY on; [0] is the video. */
int rtsp_client_n_tracks(const struct rtsp_client *c);
const struct rtsp_client_track *rtsp_client_track(const struct rtsp_client *c, int track);

bool rtsp_client_has_answered(const struct rtsp_client *c); /* the peer spoke RTSP */
int rtsp_client_keepalive_s(const struct rtsp_client *c);

/* Losses of framing so far, and whether framing is lost now (quirk I1). */
uint64_t rtsp_client_n_resyncs(const struct rtsp_client *c);
bool rtsp_client_is_lost(const struct rtsp_client *c);

#endif
