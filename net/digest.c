#include "net/digest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/digest_priv.h"

static const struct {
    const char *name;
    const char *algorithm; /* as written in a header */
} schemes[AUTH_SCHEMES] = {
    [AUTH_NONE] = {"none", ""},
    [AUTH_BASIC] = {"Basic", ""},
    [AUTH_MD5] = {"Digest MD5", "MD5"},
    [AUTH_MD5_SESS] = {"Digest MD5-sess", "MD5-sess"},
    [AUTH_SHA256] = {"Digest SHA-256", "SHA-256"},
    [AUTH_SHA256_SESS] = {"Digest SHA-256-sess", "SHA-256-sess"},
    [AUTH_SHA512_256] = {"Digest SHA-512-256", "SHA-512-256"},
    [AUTH_SHA512_256_SESS] = {"Digest SHA-512-256-sess", "SHA-512-256-sess"},
};

const char *digest__algorithm(enum auth_scheme scheme)
{
    return schemes[scheme].algorithm;
}

enum auth_scheme digest__scheme_of(struct span algorithm)
{
    algorithm = span_trim(algorithm);
    if (algorithm.n == 0)
        return AUTH_MD5;
    for (int i = AUTH_MD5; i < AUTH_SCHEMES; i++) {
        if (span_ieq(algorithm, schemes[i].algorithm))
            return (enum auth_scheme)i;
    }
    return AUTH_NONE;
}

static bool is_sess(enum auth_scheme scheme)
{
    return scheme == AUTH_MD5_SESS || scheme == AUTH_SHA256_SESS || scheme == AUTH_SHA512_256_SESS;
}

static const EVP_MD *md_of(enum auth_scheme scheme)
{
    switch (scheme) {
    case AUTH_SHA256:
    case AUTH_SHA256_SESS:
        return EVP_sha256();
    case AUTH_SHA512_256:
    case AUTH_SHA512_256_SESS:
        return EVP_sha512_256();
    case AUTH_NONE:
    case AUTH_BASIC:
    case AUTH_MD5:
    case AUTH_MD5_SESS:
        break;
    }
    return EVP_md5();
}

static void hash_span(enum auth_scheme scheme, struct span s, char out[AUTH_HASH_BYTES])
{
    uint8_t raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    out[0] = 0;
    if (EVP_Digest(s.p, s.n, raw, &n, md_of(scheme), NULL) == 1)
        hex_encode(raw, MIN(n, 32u), out);
}

/* Hash of the strings up to NULL, joined by colons. */
static void hash_joined(enum auth_scheme scheme, char out[AUTH_HASH_BYTES], ...)
{
    struct buf b;
    buf_init(&b, 0);
    va_list ap;
    va_start(ap, out);
    const char *part = va_arg(ap, const char *);
    for (bool is_first = true; part; part = va_arg(ap, const char *), is_first = false) {
        if (!is_first)
            buf_put_u8(&b, ':');
        buf_puts(&b, part);
    }
    va_end(ap);
    hash_span(scheme, (struct span){buf_cstr(&b), b.len}, out);
    buf_fini(&b);
}

void auth_ha1(enum auth_scheme scheme, const char *user, const char *realm, const char *password,
              char out[AUTH_HASH_BYTES])
{
    hash_joined(scheme, out, user, realm, password, NULL);
}

/* RFC 7616 3.4.1, and RFC 2069 without qop. */
static void respond(enum auth_scheme scheme, enum auth_qop qop, const char *ha1, const char *nonce,
                    const char *nc, const char *cnonce, const char *method, const char *uri,
                    struct span body, char out[AUTH_HASH_BYTES])
{
    char a1[AUTH_HASH_BYTES];
    char a2[AUTH_HASH_BYTES];
    str_copy(a1, sizeof a1, ha1);
    if (is_sess(scheme))
        hash_joined(scheme, a1, ha1, nonce, cnonce, NULL);
    if (qop == AUTH_QOP_AUTH_INT) {
        char body_hash[AUTH_HASH_BYTES];
        hash_span(scheme, body, body_hash);
        hash_joined(scheme, a2, method, uri, body_hash, NULL);
    } else {
        hash_joined(scheme, a2, method, uri, NULL);
    }
    if (qop == AUTH_QOP_NONE)
        hash_joined(scheme, out, a1, nonce, a2, NULL);
    else
        hash_joined(scheme, out, a1, nonce, nc, cnonce, qop == AUTH_QOP_AUTH ? "auth" : "auth-int",
                    a2, NULL);
}

const struct auth_challenge *auth_choose(const struct auth_offers *o, unsigned tried_mask)
{
    const struct auth_challenge *best = NULL;
    for (size_t i = 0; i < o->n; i++) {
        const struct auth_challenge *c = &o->list[i];
        if (!(tried_mask & (1u << c->scheme)) && (!best || c->scheme > best->scheme))
            best = c;
    }
    return best;
}

void auth_make_nonce(char *dst, size_t cap)
{
    uint8_t raw[16];
    char text[2 * sizeof raw + 1];
    if (RAND_bytes(raw, sizeof raw) != 1)
        memset(raw, 0, sizeof raw);
    hex_encode(raw, sizeof raw, text);
    str_copy(dst, cap, text);
}

void auth_start(struct auth *a, const struct auth_challenge *c)
{
    *a = (struct auth){.challenge = *c};
    auth_make_nonce(a->cnonce, sizeof a->cnonce);
}

bool auth_is_repeated(const struct auth *a, const struct auth_challenge *c)
{
    const struct auth_challenge *was = &a->challenge;
    return was->scheme == c->scheme && strcmp(was->realm, c->realm) == 0 &&
           strcmp(was->nonce, c->nonce) == 0;
}

static int give(struct buf *b, char *dst, size_t cap)
{
    size_t n = b->len;
    bool is_ok = !b->is_failed && n < cap && str_copy(dst, cap, buf_cstr(b));
    buf_fini(b);
    if (!is_ok && cap > 0)
        dst[0] = 0;
    return is_ok ? (int)n : ERR_TOO_BIG;
}

static int sign_basic(const char *user, const char *password, char *dst, size_t cap)
{
    char plain[2 * AUTH_TEXT_BYTES];
    char coded[4 * AUTH_TEXT_BYTES];
    int n = snprintf(plain, sizeof plain, "%s:%s", user, password);
    if (n < 0 || (size_t)n >= sizeof plain)
        return ERR_TOO_BIG;
    base64_encode(plain, (size_t)n, coded, sizeof coded);
    n = snprintf(dst, cap, "Basic %s", coded);
    return n >= 0 && (size_t)n < cap ? n : ERR_TOO_BIG;
}

/* A quoted value; quotes and backslashes in a user name or a URL are escaped. */
static void put_quoted(struct buf *b, const char *s)
{
    buf_put_u8(b, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_put_u8(b, '\\');
        if ((unsigned char)*s >= ' ')
            buf_put_u8(b, (uint8_t)*s);
    }
    buf_put_u8(b, '"');
}

int auth_sign(struct auth *a, const char *method, const char *uri, const char *user,
              const char *password, struct span body, char *dst, size_t cap)
{
    const struct auth_challenge *c = &a->challenge;
    if (c->scheme == AUTH_NONE)
        return ERR_INVALID;
    if (c->scheme == AUTH_BASIC)
        return sign_basic(user, password, dst, cap);

    char nc[9];
    char ha1[AUTH_HASH_BYTES];
    char response[AUTH_HASH_BYTES];
    snprintf(nc, sizeof nc, "%08x", ++a->nonce_count);
    auth_ha1(c->scheme, user, c->realm, password, ha1);
    respond(c->scheme, c->qop, ha1, c->nonce, nc, a->cnonce, method, uri, body, response);

    struct buf b;
    buf_init(&b, AUTH_HEADER_BYTES);
    buf_puts(&b, "Digest username=");
    put_quoted(&b, user);
    buf_printf(&b, ", realm=\"%s\", nonce=\"%s\", uri=", c->realm, c->nonce);
    put_quoted(&b, uri);
    buf_printf(&b, ", response=\"%s\"", response);
    if (c->has_algorithm)
        buf_printf(&b, ", algorithm=%s", digest__algorithm(c->scheme));
    if (c->has_opaque)
        buf_printf(&b, ", opaque=\"%s\"", c->opaque);
    if (c->qop != AUTH_QOP_NONE)
        buf_printf(&b, ", qop=%s, nc=%s", c->qop == AUTH_QOP_AUTH ? "auth" : "auth-int", nc);
    if (c->qop != AUTH_QOP_NONE || is_sess(c->scheme))
        buf_printf(&b, ", cnonce=\"%s\"", a->cnonce);
    return give(&b, dst, cap);
}

bool auth_challenge_print(const struct auth_challenge *c, char *dst, size_t cap)
{
    struct buf b;
    buf_init(&b, AUTH_HEADER_BYTES);
    if (c->scheme == AUTH_BASIC) {
        buf_printf(&b, "Basic realm=\"%s\"", c->realm);
        return give(&b, dst, cap) >= 0;
    }
    buf_printf(&b, "Digest realm=\"%s\", nonce=\"%s\"", c->realm, c->nonce);
    if (c->has_algorithm || c->scheme != AUTH_MD5)
        buf_printf(&b, ", algorithm=%s", digest__algorithm(c->scheme));
    if (c->has_opaque)
        buf_printf(&b, ", opaque=\"%s\"", c->opaque);
    if (c->qop != AUTH_QOP_NONE)
        buf_printf(&b, ", qop=\"%s\"", c->qop == AUTH_QOP_AUTH ? "auth" : "auth-int");
    if (c->is_stale)
        buf_puts(&b, ", stale=true");
    return give(&b, dst, cap) >= 0;
}

bool auth_answer_verify(const struct auth_answer *a, const struct auth_challenge *c,
                        const char *method, const char *ha1, struct span body)
{
    if (a->scheme < AUTH_MD5 || a->scheme != c->scheme || strcmp(a->realm, c->realm) != 0 ||
        strcmp(a->nonce, c->nonce) != 0)
        return false;
    /* A client may leave qop out (RFC 2069), but not choose one that was not offered. */
    if (a->qop != AUTH_QOP_NONE && a->qop != c->qop)
        return false;
    char want[AUTH_HASH_BYTES];
    respond(a->scheme, a->qop, ha1, a->nonce, a->nc, a->cnonce, method, a->uri, body, want);
    size_t n = strlen(want);
    return n > 0 && strlen(a->response) == n && secret_eq(want, a->response, n);
}
