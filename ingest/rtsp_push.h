/* One RTSP session that a peer began to push its stream to us (RFC 2326 ANNOUNCE and RECORD). Kind
 * of struct session: the peer is an encoder whose login was already checked (ingest/push_login.h),
 * or a process of our own at the other end of a socketpair.
 *
 *   ANNOUNCE ─► SETUP (per track) ─► RECORDING ─► ENDED       any state may go to ENDED
 *
 * ANNOUNCE   no session description yet.
 * SETUP      `sdp` is there; tracks are being set up.
 * RECORDING  tracks are settled, media flows; phase PLAYING.
 * ENDED      a verdict is there.
 *
 * OPTIONS, GET_PARAMETER and SET_PARAMETER are answered in every state, PAUSE does nothing to the
 * tracks. A second ANNOUNCE ends the session with SESSION_VERDICT_RESTART, unanswered and unused:
 * the next session on the same connection begins with it.
 * What is refused is answered with a status whose text names the reason; a description without
 * usable video ends the session, a transport that is refused does not.
 * Time: from creation to RECORD `opening_s`; then media or a request within the 60 s that SETUP
 * announces. Media over UDP does not come this way: there its owner watches for silence.
 * Thread: belongs to one loop. Bounds: those of net/rtsp.h and ingest/session.h. */
#ifndef INGEST_RTSP_PUSH_H
#define INGEST_RTSP_PUSH_H

#include "ingest/session.h"

#define RTSP_PUSH_OPENING_S 30
#define RTSP_PUSH_TIMEOUT_S 60

struct rtsp_push_params {
    const struct session_host *host; /* open_udp NULL = interleaved only */
    void *ctx;
    int64_t mono_us;  /* now */
    bool is_own;      /* a process of ours: its TEARDOWN may say why (ingest/remux_message.h) */
    int opening_s;    /* 0 = RTSP_PUSH_OPENING_S */
    const char *peer; /* who it is, in texts; lives as long as the session; NULL = "the encoder" */
};

struct session *rtsp_push_create(const struct rtsp_push_params *params);

#endif
