/* The HTTP part of RTSP over HTTP (Apple's "Tunnelling RTSP and RTP over HTTP", as QuickTime, VLC
 * and GStreamer do it), sans-IO. The peer joins two connections by a cookie: it answers a GET with
 * a response that never ends, which carries what it says in RTSP; what we say goes as base64 into
 * the body of a POST that is never answered. The length that the POST names is any: everybody
 * writes the 32767 of the first client, and nobody counts.
 * Thread: plain values. Bounds: TUNNEL_HEAD_BYTES of an answer's head, TUNNEL_MAX_GETS tries. */
#ifndef INGEST_TUNNEL_H
#define INGEST_TUNNEL_H

#include "base/buf.h"
#include "base/err.h"
#include "net/digest.h"
#include "net/url.h"

#define TUNNEL_HEAD_BYTES (16u << 10)
#define TUNNEL_MAX_GETS   3 /* without login, with it, with a fresh nonce */

struct tunnel {
    char cookie[23];
    char host[URL_HOST_BYTES + 16];  /* as in the Host header */
    char target[3 * URL_PATH_BYTES]; /* of the request line and of Digest */
    char user[URL_USER_BYTES];
    char password[2 * URL_USER_BYTES];
    struct auth auth;
    bool has_auth;
    int n_gets;
};

enum tunnel_step {
    TUNNEL_MORE,  /* the answer is not complete */
    TUNNEL_OPEN,  /* what follows the bytes used is RTSP */
    TUNNEL_AGAIN, /* GET once more on a fresh connection: it will carry the login now */
};

void tunnel_init(struct tunnel *t, const struct url *url, const char *user, const char *password);

void tunnel_put_get(struct tunnel *t, struct buf *out);
void tunnel_put_post(struct tunnel *t, struct buf *out);

/* The answer to the latest GET as far as it is here. A tunnel_step; or, with half a sentence in
 * err: ERR_AUTH, ERR_NOT_FOUND, ERR_BUSY (a limit of the peer), ERR_TOO_BIG, ERR_PROTOCOL (no
 * HTTP, or HTTP that is no tunnel). */
int tunnel_answer(struct tunnel *t, const uint8_t *p, size_t n, size_t *out_used, struct err *err);

/* What the peer says on the POST's connection: 0 = nothing that matters, else as above. */
int tunnel_post_answer(const uint8_t *p, size_t n, struct err *err);

/* Appends base64 of one or more whole messages, to be sent in the POST. */
void tunnel_encode(const uint8_t *p, size_t n, struct buf *out);

#endif
