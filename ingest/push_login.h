/* Who knocks: the beginning of an encoder's connection, up to an ANNOUNCE that is let in. Sans-IO.
 *
 *   READING ─► ASKING ─► ADMITTED       ASKING ─► READING: a wrong key, with another challenge
 *      └─────────┴─────► CLOSED         the answer is in `out`; send it, then hang up
 *
 * READING   more bytes are needed. OPTIONS is answered to anybody; an ANNOUNCE without a login, or
 *           with a nonce of another connection, gets a challenge.
 * ASKING    an ANNOUNCE came with a login for `camera_id` and `stream`: the owner looks the camera
 *           up and calls push_login_check.
 * ADMITTED  `in` begins with the ANNOUNCE, for the session to answer.
 *
 * The way in: rtsp://USER:KEY@HOST/CAMERA or …/CAMERA/sub, by Digest (SHA-256, MD5) or Basic; or
 * …/CAMERA?key=KEY. What is wrong, the camera or its key, is never told (RFC 2326 knows 404):
 * otherwise anybody could ask which cameras there are.
 * Thread: belongs to one owner. Bounds: PUSH_LOGIN_IN_BYTES, PUSH_LOGIN_TRIES. */
#ifndef INGEST_PUSH_LOGIN_H
#define INGEST_PUSH_LOGIN_H

#include "base/buf.h"
#include "net/digest.h"
#include "net/rtsp.h"

#define PUSH_LOGIN_IN_BYTES (32u << 10)
#define PUSH_LOGIN_TRIES    3 /* wrong keys per connection */

enum push_login_state {
    PUSH_LOGIN_READING,
    PUSH_LOGIN_ASKING,
    PUSH_LOGIN_ADMITTED,
    PUSH_LOGIN_CLOSED,
};

/* A camera as its owner knows it. */
struct push_camera {
    bool is_known;   /* there is such a camera and it has a key; else the rest is not looked at */
    bool is_pushed;  /* false: it is pulled */
    bool is_enabled; /* false: switched off by the administrator */
    char user[128];
    char key[256];
};

struct push_login {
    enum push_login_state state;
    struct buf in;  /* what came and is not answered yet */
    struct buf out; /* to be sent; the owner consumes it */
    struct rtsp_parser parser;
    char nonce[33];
    int n_tries;
    /* ASKING and later */
    char camera_id[65];
    char stream[8];
};

void push_login_init(struct push_login *l);
void push_login_fini(struct push_login *l);

/* Only while READING. */
void push_login_input(struct push_login *l, const uint8_t *p, size_t n);

/* What became of a login. */
enum push_verdict { PUSH_WELCOME, PUSH_WRONG_KEY, PUSH_NOT_NOW };

/* Only while ASKING. */
enum push_verdict push_login_check(struct push_login *l, const struct push_camera *camera);

#endif
