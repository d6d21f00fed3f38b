#include "ingest/push_login.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/http_head.h"
#include "net/url.h"

#define REALM "Rookery"

void push_login_init(struct push_login *l)
{
    *l = (struct push_login){.state = PUSH_LOGIN_READING};
    buf_init(&l->in, PUSH_LOGIN_IN_BYTES);
    buf_init(&l->out, RTSP_HEADER_MAX_BYTES);
    rtsp_parser_init(&l->parser);
    auth_make_nonce(l->nonce, sizeof l->nonce);
}

void push_login_fini(struct push_login *l)
{
    buf_fini(&l->in);
    buf_fini(&l->out);
}

/* --- answers --- */

static void reply(struct push_login *l, const struct rtsp_message *m, int status,
                  const char *reason)
{
    rtsp_response_begin(&l->out, status, reason, m->cseq, NULL);
    if (m->method == RTSP_OPTIONS)
        rtsp_put(&l->out, "Public", "OPTIONS, ANNOUNCE, SETUP, RECORD, TEARDOWN");
    rtsp_end(&l->out, NULL, NULL, 0);
}

static void refuse(struct push_login *l, const struct rtsp_message *m, int status,
                   const char *reason)
{
    reply(l, m, status, reason);
    l->state = PUSH_LOGIN_CLOSED;
}

static void challenge_of(const struct push_login *l, enum auth_scheme scheme,
                         struct auth_challenge *out)
{
    *out = (struct auth_challenge){.scheme = scheme, .has_algorithm = true, .realm = REALM};
    out->qop = AUTH_QOP_AUTH;
    str_copy(out->nonce, sizeof out->nonce, l->nonce);
}

/* The strongest first (RFC 7616 3.7). Some read only the last Digest, and only MD5. */
static void challenge(struct push_login *l, const struct rtsp_message *m, bool is_stale)
{
    static const enum auth_scheme schemes[] = {AUTH_SHA256, AUTH_MD5, AUTH_BASIC};
    rtsp_response_begin(&l->out, 401, NULL, m->cseq, NULL);
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        char value[AUTH_HEADER_BYTES];
        struct auth_challenge c;
        challenge_of(l, schemes[i], &c);
        c.is_stale = is_stale;
        if (auth_challenge_print(&c, value, sizeof value))
            rtsp_put(&l->out, "WWW-Authenticate", "%s", value);
    }
    rtsp_end(&l->out, NULL, NULL, 0);
}

/* --- what is asked for --- */

/* Path and query of a request's address. */
static bool split_uri(struct span uri, char *path, size_t cap, struct span *out_query)
{
    char text[URL_TEXT_BYTES];
    struct url url;
    if (!span_copy(uri, text, sizeof text) || url_parse(text, &url, NULL) < 0 ||
        !str_copy(path, cap, url.path))
        return false;
    char *query = strchr(path, '?');
    *out_query = span_of(query ? query + 1 : "");
    if (query)
        *query = '\0';
    return true;
}

/* "/cam-001", "/cam-001/sub", each perhaps with a slash behind it. */
static bool read_path(const char *path, struct push_login *l)
{
    struct span rest = span_of(path);
    struct span id = {"", 0};
    if (rest.n == 0 || rest.p[0] != '/')
        return false;
    rest.p++;
    rest.n--;
    span_cut(&rest, '/', &id);
    if (!span_copy(id, l->camera_id, sizeof l->camera_id) || !str_is_id(l->camera_id))
        return false;
    if (rest.n > 0 && rest.p[rest.n - 1] == '/')
        rest.n--;
    if (rest.n > 0 && !span_eq(rest, "sub"))
        return false;
    str_copy(l->stream, sizeof l->stream, rest.n > 0 ? "sub" : "main");
    return true;
}

/* The value of key= in the query, decoded; false when it is not there. */
static bool find_key(struct span query, char *dst, size_t cap)
{
    struct span item;
    while (span_cut(&query, '&', &item)) {
        struct span name;
        span_cut(&item, '=', &name);
        if (span_ieq(name, "key"))
            return span_copy(item, dst, cap) && http_percent_decode(dst, false);
    }
    return false;
}

/* The login an ANNOUNCE carries. */
struct credentials {
    bool has_key; /* in the address */
    char key[256];
    bool has_answer;
    struct auth_answer answer;
};

/* False when the address names no stream of ours. */
static bool read_login(struct push_login *l, const struct rtsp_message *m, struct credentials *out)
{
    char path[URL_PATH_BYTES];
    struct span query;
    struct span value;
    *out = (struct credentials){0};
    if (!split_uri(m->uri, path, sizeof path, &query) || !read_path(path, l))
        return false;
    out->has_key = find_key(query, out->key, sizeof out->key);
    out->has_answer =
        rtsp_get(m, "Authorization", &value) && auth_answer_parse(value, &out->answer) == 0;
    return true;
}

static void forget(struct credentials *c)
{
    explicit_bzero(c, sizeof *c);
}

/* --- requests --- */

static void on_announce(struct push_login *l, const struct rtsp_message *m)
{
    struct credentials c;
    if (!read_login(l, m, &c)) {
        refuse(l, m, 400, "The address to push to ends with the camera's id, or that and /sub");
        return;
    }
    if (!c.has_key && !c.has_answer) {
        challenge(l, m, false);
    } else if (!c.has_key && c.answer.scheme >= AUTH_MD5 && strcmp(c.answer.nonce, l->nonce) != 0) {
        challenge(l, m, true); /* signed for another connection: that says nothing about the key */
    } else {
        l->state = PUSH_LOGIN_ASKING;
    }
    forget(&c);
}

static void on_request(struct push_login *l, const struct rtsp_message *m)
{
    switch (m->method) {
    case RTSP_OPTIONS:
    case RTSP_GET_PARAMETER:
    case RTSP_SET_PARAMETER:
        reply(l, m, 200, NULL);
        break;
    case RTSP_ANNOUNCE:
        on_announce(l, m);
        break;
    case RTSP_TEARDOWN:
        refuse(l, m, 200, NULL);
        break;
    case RTSP_SETUP:
    case RTSP_RECORD:
    case RTSP_PAUSE:
        refuse(l, m, 455, NULL);
        break;
    case RTSP_DESCRIBE:
    case RTSP_PLAY:
        refuse(l, m, 501, "This server takes streams and does not serve them over RTSP");
        break;
    case RTSP_UNKNOWN_METHOD:
    case RTSP_REDIRECT:
        refuse(l, m, 501, NULL);
        break;
    }
}

void push_login_input(struct push_login *l, const uint8_t *p, size_t n)
{
    struct rtsp_item item;
    size_t used;
    assert(l->state == PUSH_LOGIN_READING);
    buf_append(&l->in, p, n);
    if (l->in.is_failed) {
        l->state = PUSH_LOGIN_CLOSED;
        return;
    }
    while (l->state == PUSH_LOGIN_READING &&
           (used = rtsp_parse(&l->parser, l->in.data, l->in.len, &item)) > 0) {
        if (item.kind == RTSP_REQUEST)
            on_request(l, &item.message);
        else if (item.kind != RTSP_NONE)
            l->state = PUSH_LOGIN_CLOSED; /* whoever speaks otherwise is no encoder */
        if (l->state != PUSH_LOGIN_ASKING)
            buf_consume(&l->in, used);
        if (l->out.is_failed)
            l->state = PUSH_LOGIN_CLOSED; /* it asks and asks and reads nothing */
    }
}

/* --- the key --- */

static bool same_secret(const char *a, const char *b)
{
    size_t n = strlen(b);
    return n > 0 && strlen(a) == n && secret_eq(a, b, n);
}

static bool is_right(const struct push_login *l, const struct push_camera *camera,
                     const struct rtsp_message *m, const struct credentials *c)
{
    struct auth_challenge asked;
    char ha1[AUTH_HASH_BYTES];
    if (c->has_key)
        return same_secret(c->key, camera->key);
    if (c->answer.scheme == AUTH_BASIC)
        return same_secret(c->answer.user, camera->user) &&
               same_secret(c->answer.password, camera->key);
    if ((c->answer.scheme != AUTH_SHA256 && c->answer.scheme != AUTH_MD5) ||
        camera->key[0] == '\0' || strcmp(c->answer.user, camera->user) != 0)
        return false;
    challenge_of(l, c->answer.scheme, &asked);
    auth_ha1(c->answer.scheme, camera->user, REALM, camera->key, ha1);
    return auth_answer_verify(&c->answer, &asked, rtsp_method_name(RTSP_ANNOUNCE), ha1, m->body);
}

static enum push_verdict wrong_key(struct push_login *l, const struct rtsp_message *m, size_t used)
{
    if (++l->n_tries >= PUSH_LOGIN_TRIES) {
        refuse(l, m, 401, NULL);
        return PUSH_WRONG_KEY;
    }
    auth_make_nonce(l->nonce, sizeof l->nonce);
    challenge(l, m, false);
    buf_consume(&l->in, used);
    l->state = PUSH_LOGIN_READING;
    return PUSH_WRONG_KEY;
}

enum push_verdict push_login_check(struct push_login *l, const struct push_camera *camera)
{
    struct rtsp_item item;
    struct credentials c;
    assert(l->state == PUSH_LOGIN_ASKING);
    rtsp_parser_init(&l->parser);
    size_t used = rtsp_parse(&l->parser, l->in.data, l->in.len, &item);
    const struct rtsp_message *m = &item.message;
    bool is_readable = item.kind == RTSP_REQUEST && read_login(l, m, &c);
    assert(is_readable); /* it was when it came */
    bool is_welcome = is_readable && is_right(l, camera, m, &c) && camera->is_known;
    forget(&c);
    if (!is_welcome)
        return wrong_key(l, m, used);
    if (!camera->is_pushed) {
        refuse(l, m, 403, "This stream is pulled: write push: as its address to let it be pushed");
        return PUSH_NOT_NOW;
    }
    if (!camera->is_enabled) {
        refuse(l, m, 403, "This camera is switched off by the administrator");
        return PUSH_NOT_NOW;
    }
    l->state = PUSH_LOGIN_ADMITTED;
    return PUSH_WELCOME;
}
