/* The session in which we ask a camera for its stream, from the first request to TEARDOWN
 * (RFC 2326): a kind of `struct session`, sans-IO like it.
 *
 *   start ─► OPTIONS ─► DESCRIBE ─► SETUP (per track) ─► PLAY ─► PLAYING ─► TEARDOWN ─► ENDED
 *               any failure: TEARDOWN when there is a session, else ENDED, with a verdict
 *
 * One connection is good for one client: another transport, a redirect and every retry take a fresh
 * connection and a fresh client (quirk U7).
 * Thread, lifetime and bounds as session.h says; one request in flight. */
#ifndef INGEST_RTSP_CLIENT_H
#define INGEST_RTSP_CLIENT_H

#include "ingest/session.h"
#include "ingest/sound_doubt.h"
#include "net/digest.h"

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

/* What is worth knowing about a camera in its next connection; zero at first. The place for
 * per-camera oddities that only show while talking to it. */
struct rtsp_memory {
    struct auth auth; /* sign the first request with it; used up by the next client */
    bool has_auth;
    bool no_options;       /* quirk U8: it was met by silence, or hung up on */
    bool no_get_parameter; /* quirk K1: advertised, but unanswered or refused */
    bool tries_all;        /* quirk P5: set up extras as well; used up once the tracks are */
    bool needs_all;        /* the same for good: media came only then */
    bool no_udp;           /* quirk K6: tried in place of TCP, and refused or held back */
    struct sound_doubt sound;
};

struct rtsp_client_params {
    const struct url *url; /* copied; its credentials are not looked at */
    const char *user;      /* copied; "" = none */
    const char *password;  /* copied */
    bool is_udp;
    struct rtsp_memory *memory; /* outlives the client */
    const struct session_host *host;
    void *ctx;
};

struct rtsp_client;

struct rtsp_client *rtsp_client_create(const struct rtsp_client_params *params);

/* The same as its owner sees it; ends with session_destroy. */
struct session *rtsp_client_session(struct rtsp_client *c);

/* The connection stands: puts the first request into the output. */
void rtsp_client_start(struct rtsp_client *c, int64_t mono_us);

enum rtsp_client_state rtsp_client_state(const struct rtsp_client *c);
int rtsp_client_keepalive_s(const struct rtsp_client *c);

#endif
