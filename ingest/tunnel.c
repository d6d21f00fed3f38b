#include "ingest/tunnel.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define REASON_BYTES 60

void tunnel_init(struct tunnel *t, const struct url *url, const char *user, const char *password)
{
    bool is_v6 = strchr(url->host, ':') != NULL;
    *t = (struct tunnel){0};
    auth_make_nonce(t->cookie, sizeof t->cookie);
    snprintf(t->host, sizeof t->host, "%s%s%s:%u", is_v6 ? "[" : "", url->host, is_v6 ? "]" : "",
             url->port);
    size_t n = 0;
    if (url->path[0] != '/')
        t->target[n++] = '/';
    for (const char *p = url->path; *p; p++) {
        if (*p == ' ') /* it would end the target */
            n += (size_t)snprintf(t->target + n, sizeof t->target - n, "%%20");
        else
            t->target[n++] = *p;
    }
    str_copy(t->user, sizeof t->user, user);
    str_copy(t->password, sizeof t->password, password);
}

/* --- requests --- */

static void put_login(struct tunnel *t, const char *method, struct buf *out)
{
    char value[AUTH_HEADER_BYTES];
    if (t->has_auth && auth_sign(&t->auth, method, t->target, t->user, t->password, SPAN(""), value,
                                 sizeof value) >= 0)
        buf_printf(out, "Authorization: %s\r\n", value);
}

/* HTTP/1.0: an answer by it is never cut into chunks. */
static void put_head(struct tunnel *t, const char *method, struct buf *out)
{
    buf_printf(out,
               "%s %s HTTP/1.0\r\n"
               "Host: %s\r\n"
               "User-Agent: Rookery\r\n"
               "x-sessioncookie: %s\r\n"
               "Pragma: no-cache\r\n"
               "Cache-Control: no-cache\r\n",
               method, t->target, t->host, t->cookie);
    put_login(t, method, out);
}

void tunnel_put_get(struct tunnel *t, struct buf *out)
{
    t->n_gets++;
    put_head(t, "GET", out);
    buf_puts(out, "Accept: application/x-rtsp-tunnelled\r\n\r\n");
}

void tunnel_put_post(struct tunnel *t, struct buf *out)
{
    put_head(t, "POST", out);
    buf_puts(out, "Content-Type: application/x-rtsp-tunnelled\r\n"
                  "Content-Length: 32767\r\n"
                  "Expires: Sun, 9 Jan 1972 00:00:00 GMT\r\n\r\n");
}

void tunnel_encode(const uint8_t *p, size_t n, struct buf *out)
{
    size_t n_text = (n + 2) / 3 * 4;
    if (!buf_reserve(out, n_text + 1))
        return;
    out->len += base64_encode(p, n, (char *)out->data + out->len, n_text + 1);
}

/* --- answers --- */

struct answer {
    unsigned status;
    char reason[REASON_BYTES]; /* " Not Found", "" = none */
    char type[REASON_BYTES];
    struct auth_offers offers;
};

static bool parse_status(struct span line, struct answer *out)
{
    struct span version;
    struct span status;
    uint64_t v = 0;
    if (!span_cut(&line, ' ', &version))
        return false;
    line = span_trim(line);
    if (!span_cut(&line, ' ', &status) || !span_u64(status, &v) || v < 100 || v > 599)
        return false;
    out->status = (unsigned)v;
    line = span_trim(line);
    size_t n = 0;
    for (size_t i = 0; i < line.n && n + 2 < sizeof out->reason; i++) {
        if (n == 0)
            out->reason[n++] = ' ';
        if (line.p[i] >= ' ' && line.p[i] < 0x7f)
            out->reason[n++] = line.p[i];
    }
    return true;
}

static void take_field(struct span line, struct answer *out)
{
    struct span name;
    if (!span_cut(&line, ':', &name))
        return;
    name = span_trim(name);
    line = span_trim(line);
    if (span_ieq(name, "WWW-Authenticate"))
        auth_offers_add(&out->offers, line);
    else if (span_ieq(name, "Content-Type"))
        span_copy(line, out->type, sizeof out->type);
}

/* Whether these may be the first bytes of an HTTP answer. */
static bool is_http(const uint8_t *p, size_t n)
{
    return memcmp(p, "HTTP/", MIN(n, (size_t)5)) == 0;
}

static int refuse_foreign(const uint8_t *p, size_t n, struct err *err)
{
    if (n >= 5 && memcmp(p, "RTSP/", 5) == 0)
        return err_text(err, ERR_PROTOCOL,
                        "the camera answers in RTSP, not HTTP, on this port; try rtsp://");
    return err_text(err, ERR_PROTOCOL, "the camera answers neither in HTTP nor in RTSP");
}

/* Length of the head with its empty line; 0 = not complete. */
static size_t parse_head(struct span text, struct answer *out)
{
    struct span rest = text;
    struct span line;
    bool is_first = true;
    while (memchr(rest.p, '\n', rest.n) && span_line(&rest, &line)) {
        if (line.n == 0)
            return text.n - rest.n;
        if (is_first && !parse_status(line, out))
            out->status = 0;
        if (!is_first)
            take_field(line, out);
        is_first = false;
        if (rest.n == 0)
            break;
    }
    return 0;
}

static int refuse_status(const struct answer *a, const char *method, struct err *err)
{
    const char *hint = "";
    int code = ERR_PROTOCOL;
    if (a->status == 404) {
        code = ERR_NOT_FOUND;
        hint = "; it does not know the path, or does not tunnel RTSP";
    } else if (a->status == 503) {
        code = ERR_BUSY;
    } else if (a->status >= 300 && a->status < 400) {
        hint = "; it wants to be called elsewhere: write that address";
    } else if (a->status == 403) {
        code = ERR_AUTH;
    }
    return err_text(err, code, "the camera answered %u%s to the tunnel's %s%s", a->status,
                    a->reason, method, hint);
}

/* Answers a challenge, once and then once more for a nonce that was too old. */
static int log_in(struct tunnel *t, const struct answer *a, struct err *err)
{
    const struct auth_challenge *c = auth_choose(&a->offers, 0);
    if (!t->user[0] && !t->password[0])
        return err_text(err, ERR_AUTH,
                        "the camera asks for a user and a password, and none is configured");
    if (!c)
        return err_text(err, ERR_AUTH, "the camera asks for a way of login that is not supported");
    bool is_wrong = t->has_auth && !c->is_stale && auth_is_repeated(&t->auth, c);
    if (is_wrong || t->n_gets >= TUNNEL_MAX_GETS)
        return err_text(err, ERR_AUTH, "wrong user or password");
    auth_start(&t->auth, c);
    t->has_auth = true;
    return TUNNEL_AGAIN;
}

/* A page, a picture or a stream of pictures is no tunnel; cameras write many things for one. */
static bool is_tunnel_type(const char *type)
{
    static const char *const others[] = {"text/", "image/", "multipart/", "video/", "audio/"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (span_istarts(span_of(type), others[i]))
            return false;
    }
    return true;
}

int tunnel_answer(struct tunnel *t, const uint8_t *p, size_t n, size_t *out_used, struct err *err)
{
    struct answer a = {0};
    *out_used = 0;
    if (n == 0)
        return TUNNEL_MORE;
    if (!is_http(p, n))
        return refuse_foreign(p, n, err);
    size_t n_head = parse_head((struct span){(const char *)p, MIN(n, TUNNEL_HEAD_BYTES)}, &a);
    if (n_head == 0 && n < TUNNEL_HEAD_BYTES)
        return TUNNEL_MORE;
    if (n_head == 0)
        return err_text(err, ERR_TOO_BIG, "the head of the HTTP answer is longer than %u bytes",
                        TUNNEL_HEAD_BYTES);
    if (a.status == 0)
        return refuse_foreign((const uint8_t *)"", 0, err);
    if (a.status == 401)
        return log_in(t, &a, err);
    if (a.status != 200)
        return refuse_status(&a, "GET", err);
    if (!is_tunnel_type(a.type))
        return err_text(err, ERR_PROTOCOL, "the camera answers with %s, not with an RTSP tunnel",
                        a.type);
    *out_used = n_head;
    return TUNNEL_OPEN;
}

int tunnel_post_answer(const uint8_t *p, size_t n, struct err *err)
{
    struct answer a = {0};
    struct span text = {(const char *)p, n};
    struct span line;
    if (!span_line(&text, &line) || !is_http(p, n) || !parse_status(line, &a) || a.status < 300)
        return 0;
    if (a.status == 401)
        return err_text(err, ERR_AUTH, "401 to the HTTP tunnel's POST, though GET was allowed");
    return refuse_status(&a, "POST", err);
}
