/* HTTP and RTSP authentication: Basic (RFC 7617) and Digest (RFC 2069, 2617, 7616), both sides.
 * Thread: plain values. */
#ifndef NET_DIGEST_H
#define NET_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* From weak to strong. */
enum auth_scheme {
    AUTH_NONE,
    AUTH_BASIC,
    AUTH_MD5,
    AUTH_MD5_SESS,
    AUTH_SHA256,
    AUTH_SHA256_SESS,
    AUTH_SHA512_256,
    AUTH_SHA512_256_SESS,
};
enum { AUTH_SCHEMES = AUTH_SHA512_256_SESS + 1 };

enum auth_qop { AUTH_QOP_NONE, AUTH_QOP_AUTH, AUTH_QOP_AUTH_INT };

#define AUTH_TEXT_BYTES   256
#define AUTH_NONCE_BYTES  512
#define AUTH_HEADER_BYTES 4096 /* enough for any auth_sign or auth_challenge_print */
#define AUTH_HASH_BYTES   65   /* hexadecimal with NUL */
#define AUTH_MAX_OFFERS   8

/* One challenge of a server. Quoted values are kept as they stand between the quotes and echoed so.
 */
struct auth_challenge {
    enum auth_scheme scheme;
    enum auth_qop qop;  /* the one to answer with: auth when offered */
    bool has_algorithm; /* it was written, so it is echoed */
    bool has_opaque;    /* may be "" */
    bool is_stale;
    char realm[AUTH_TEXT_BYTES];
    char nonce[AUTH_NONCE_BYTES];
    char opaque[AUTH_TEXT_BYTES];
};

struct auth_offers {
    struct auth_challenge list[AUTH_MAX_OFFERS];
    size_t n;
};

/* Adds the challenges of one WWW-Authenticate value, which may hold several. Call it for every such
 * header. What is not understood, or has no nonce, is left out. */
void auth_offers_add(struct auth_offers *o, struct span header_value);

/* The strongest offer whose scheme's bit (1 << scheme) is not set in tried_mask; NULL = none. */
const struct auth_challenge *auth_choose(const struct auth_offers *o, unsigned tried_mask);

/* A client's answers to one challenge. Zero = no credentials to send. */
struct auth {
    struct auth_challenge challenge;
    uint32_t nonce_count;
    char cnonce[33]; /* random, made by auth_start */
};

void auth_start(struct auth *a, const struct auth_challenge *c);

/* Whether a new challenge only repeats the one answered: then the password is wrong. Another nonce
 * means that the old one expired. */
bool auth_is_repeated(const struct auth *a, const struct auth_challenge *c);

/* Value for the Authorization header; counts the nonce's use. `uri` must be the very text of the
 * request line. Bytes written, or ERR_TOO_BIG, or ERR_INVALID when nothing was challenged. */
int auth_sign(struct auth *a, const char *method, const char *uri, const char *user,
              const char *password, struct span body, char *dst, size_t cap);

/* --- server side --- */

/* Value for a WWW-Authenticate header. False when it did not fit. */
bool auth_challenge_print(const struct auth_challenge *c, char *dst, size_t cap);

/* A nonce nobody can guess: random, hexadecimal. */
void auth_make_nonce(char *dst, size_t cap);

/* What a client answered. Strings that are missing are "". */
struct auth_answer {
    enum auth_scheme scheme;
    enum auth_qop qop;
    uint32_t nonce_count;
    char user[AUTH_TEXT_BYTES];
    char password[AUTH_TEXT_BYTES]; /* Basic only */
    char realm[AUTH_TEXT_BYTES];
    char nonce[AUTH_NONCE_BYTES];
    char uri[2048];
    char response[AUTH_HASH_BYTES];
    char cnonce[AUTH_TEXT_BYTES];
    char nc[9];
};

/* 0, or ERR_PARSE, ERR_UNSUPPORTED (unknown scheme), ERR_TOO_BIG. */
int auth_answer_parse(struct span header_value, struct auth_answer *out);

/* H(user:realm:password) in hexadecimal; it may be stored in place of a password. */
void auth_ha1(enum auth_scheme scheme, const char *user, const char *realm, const char *password,
              char out[AUTH_HASH_BYTES]);

/* Whether a Digest answer is right for the challenge that was sent (scheme, realm and nonce are
 * compared). The caller compares a->uri with the request and the nonce count with the last one,
 * where it cares. False for Basic: compare user and password yourself. */
bool auth_answer_verify(const struct auth_answer *a, const struct auth_challenge *c,
                        const char *method, const char *ha1, struct span body);

#endif
