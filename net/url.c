#include "net/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

/* A % that starts no escape stands for itself. False when it does not fit or holds a NUL. */
static bool percent_decode(struct span s, char *dst, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%' && s.n - i > 2 && hex_value(s.p[i + 1]) >= 0 && hex_value(s.p[i + 2]) >= 0) {
            c = (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2]));
            i += 2;
        }
        if (c == 0 || n + 1 >= cap)
            return false;
        dst[n++] = c;
    }
    dst[n] = 0;
    return true;
}

static const char *find_any(struct span s, const char *set)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] && strchr(set, s.p[i]))
            return s.p + i;
    }
    return NULL;
}

static const char *find_last(struct span s, char c)
{
    return s.p && s.n > 0 ? memrchr(s.p, c, s.n) : NULL;
}

static struct span between(const char *begin, const char *end)
{
    return (struct span){begin, (size_t)(end - begin)};
}

bool url_split_host_port(struct span text, char *host, size_t host_cap, uint16_t *out_port)
{
    struct span name = text;
    struct span port = {0};
    bool has_port = false;
    if (text.n > 0 && text.p[0] == '[') {
        const char *end = memchr(text.p, ']', text.n);
        if (!end)
            return false;
        name = between(text.p + 1, end);
        port = between(end + 1, text.p + text.n);
        if (port.n > 0 && port.p[0] != ':')
            return false;
        has_port = port.n > 0;
    } else {
        const char *colon = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
        if (colon) {
            name = between(text.p, colon);
            port = between(colon, text.p + text.n);
            has_port = true;
        }
    }
    if (has_port && port.n > 1) { /* "host:" is a host without a port */
        uint64_t v = 0;
        port = (struct span){port.p + 1, port.n - 1};
        if (port.p[0] < '0' || port.p[0] > '9' || port.p[port.n - 1] < '0' || !span_u64(port, &v) ||
            v == 0 || v > UINT16_MAX)
            return false;
        *out_port = (uint16_t)v;
    }
    if (name.n == 0 || !span_copy(name, host, host_cap))
        return false;
    for (const char *p = host; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("/\\?#@[]<>\"", *p))
            return false;
    }
    return true;
}

static bool is_host_port(struct span s)
{
    char host[URL_HOST_BYTES];
    uint16_t port = 0;
    return url_split_host_port(s, host, sizeof host, &port);
}

static bool is_numeric_host_port(struct span s)
{
    char host[URL_HOST_BYTES];
    uint16_t port = 0;
    uint8_t raw[16];
    return url_split_host_port(s, host, sizeof host, &port) &&
           (inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1);
}

/* The last @ between border and limit that may end credentials: a host must follow. */
static const char *find_late_end(struct span rest, const char *border, const char *limit,
                                 bool needs_number)
{
    for (const char *p = limit; (p = find_last(between(border, p), '@'));) {
        struct span head = between(rest.p, p);
        struct span tail = between(p + 1, rest.p + rest.n);
        const char *end = find_any(tail, "/?");
        struct span host = between(tail.p, end ? end : tail.p + tail.n);
        bool is_fit = needs_number ? is_numeric_host_port(host) : is_host_port(host);
        /* A whole address inside a path (a proxy's) is not a password. */
        if (is_fit && !memmem(head.p, head.n, "//", 2) && memchr(head.p, ':', head.n))
            return p;
    }
    return NULL;
}

/* The @ that ends the credentials, or NULL. Normally it is the last one before the first '/' or
 * '?'. A password with a slash moves that border: then an @ further on is taken if a numeric host
 * follows it, or if what stands before the border cannot be a host. */
static const char *find_credentials_end(struct span rest)
{
    const char *end = rest.p + rest.n;
    const char *border = find_any(rest, "/?");
    struct span authority = between(rest.p, border ? border : end);
    const char *at = find_last(authority, '@');
    if (!border)
        return at;
    bool is_plain = at ? is_host_port(between(at + 1, border)) : is_host_port(authority);
    const char *query = memchr(border, '?', (size_t)(end - border));
    const char *late = find_late_end(rest, border, query ? query : end, is_plain);
    if (!late && !is_plain)
        late = find_late_end(rest, border, end, false);
    return late ? late : at;
}

static int parse_credentials(struct span s, struct url *out)
{
    struct span user;
    if (!span_cut(&s, ':', &user))
        return 0;
    if (!percent_decode(user, out->user, sizeof out->user) ||
        !percent_decode(s, out->password, sizeof out->password))
        return ERR_TOO_BIG;
    return 0;
}

static bool has_control_bytes(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return true;
    }
    return false;
}

/* The names that are printed come before their aliases. */
static const struct scheme {
    const char *prefix;
    const char *foreign; /* "" = RTSP */
    bool is_tls, is_tunnel;
    uint16_t port; /* 0 = must be given */
} schemes[] = {
    {"rtsp://", "", false, false, RTSP_PORT},     {"rtsps://", "", true, false, RTSPS_PORT},
    {"rtsph://", "", false, true, HTTP_PORT},     {"rtspsh://", "", true, true, HTTPS_PORT},
    {"rtsp+http://", "", false, true, HTTP_PORT}, {"rtsp+https://", "", true, true, HTTPS_PORT},
    {"rtmp://", "rtmp", false, false, RTMP_PORT}, {"rtmps://", "rtmps", true, false, HTTPS_PORT},
    {"http://", "http", false, false, HTTP_PORT}, {"https://", "https", true, false, HTTPS_PORT},
    {"udp://", "udp", false, false, 0},           {"srt://", "srt", false, false, 0},
};

static const struct scheme *take_scheme(struct span *rest, bool may_be_foreign)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t n = strlen(schemes[i].prefix);
        if (span_istarts(*rest, schemes[i].prefix) &&
            (may_be_foreign || schemes[i].foreign[0] == '\0')) {
            *rest = (struct span){rest->p + n, rest->n - n};
            return &schemes[i];
        }
    }
    return NULL;
}

static const struct scheme *scheme_of(const struct url *u)
{
    size_t i = 0;
    while (schemes[i].is_tls != u->is_tls || schemes[i].is_tunnel != u->is_tunnel ||
           strcmp(schemes[i].foreign, u->foreign) != 0)
        i++;
    return &schemes[i];
}

static int refuse_scheme(struct span text, bool may_be_foreign, struct err *err)
{
    if (text.n == 0 || !memmem(text.p, text.n, "://", 3))
        return err_text(err, ERR_PARSE, "not an address: it must start with rtsp://");
    return err_text(err, ERR_UNSUPPORTED,
                    "address must start with rtsp://, rtsps://, rtsph:// or rtspsh://%s",
                    may_be_foreign ? ", or rtmp(s)://, http(s)://, udp:// or srt://" : "");
}

/* ":1234": everything that arrives there. */
static bool is_any_host(const struct scheme *scheme, struct span authority)
{
    return strcmp(scheme->foreign, "udp") == 0 && authority.n > 1 && authority.p[0] == ':';
}

static int parse_authority(const struct scheme *scheme, struct span text, struct url *out,
                           struct err *err)
{
    uint16_t port = 0;
    char any[URL_HOST_BYTES];
    bool is_any = is_any_host(scheme, text);
    if (is_any) /* the host of the rest is looked at, then forgotten */
        snprintf(any, sizeof any, "x%.*s", (int)MIN(text.n, sizeof any - 2), text.p);
    if (!url_split_host_port(is_any ? span_of(any) : text, out->host, sizeof out->host, &port))
        return err_text(err, ERR_PARSE, "address has no valid host and port");
    if (is_any)
        out->host[0] = '\0';
    if (port == 0 && scheme->port == 0)
        return err_text(err, ERR_PARSE, "%s needs a port", scheme->prefix);
    out->has_port = port != 0;
    out->port = port ? port : scheme->port;
    return 0;
}

static int parse(const char *text, bool may_be_foreign, struct url *out, struct err *err)
{
    *out = (struct url){.port = RTSP_PORT};
    struct span rest = span_trim(span_of(text));
    const struct scheme *scheme = take_scheme(&rest, may_be_foreign);
    if (!scheme)
        return refuse_scheme(rest, may_be_foreign, err);
    if (has_control_bytes(rest))
        return err_text(err, ERR_PARSE, "address holds control characters");
    out->is_tls = scheme->is_tls;
    out->is_tunnel = scheme->is_tunnel;
    str_copy(out->foreign, sizeof out->foreign, scheme->foreign);

    const char *at = find_credentials_end(rest);
    if (at) {
        if (parse_credentials(between(rest.p, at), out) < 0)
            return err_text(err, ERR_TOO_BIG, "user or password in address is too long");
        rest = between(at + 1, rest.p + rest.n);
    }
    const char *border = find_any(rest, "/?");
    struct span host = between(rest.p, border ? border : rest.p + rest.n);
    struct span path = between(host.p + host.n, rest.p + rest.n);
    int rc = parse_authority(scheme, host, out, err);
    if (rc < 0)
        return rc;
    if (!span_copy(path, out->path, sizeof out->path))
        return err_text(err, ERR_TOO_BIG, "path in address is longer than %d bytes",
                        URL_PATH_BYTES - 1);
    return 0;
}

int url_parse(const char *text, struct url *out, struct err *err)
{
    return parse(text, false, out, err);
}

int url_parse_any(const char *text, struct url *out, struct err *err)
{
    return parse(text, true, out, err);
}

/* "rtsp://", credentials, host and port. */
static void print_origin(const struct url *u, const char *credentials, struct buf *out)
{
    const struct scheme *scheme = scheme_of(u);
    bool is_v6 = strchr(u->host, ':') != NULL;
    buf_printf(out, "%s%s%s%s%s", scheme->prefix, credentials, is_v6 ? "[" : "", u->host,
               is_v6 ? "]" : "");
    if (u->has_port || u->port != scheme->port)
        buf_printf(out, ":%u", u->port);
}

static bool give(struct buf *b, char *dst, size_t cap)
{
    bool is_ok = !b->is_failed && str_copy(dst, cap, buf_cstr(b));
    buf_fini(b);
    if (!is_ok && cap > 0)
        dst[0] = 0;
    return is_ok;
}

bool url_print(const struct url *u, char *dst, size_t cap)
{
    struct buf b;
    buf_init(&b, URL_TEXT_BYTES * 2);
    print_origin(u, "", &b);
    buf_puts(&b, u->path);
    return give(&b, dst, cap);
}

bool url_print_request(const struct url *u, char *dst, size_t cap)
{
    struct url plain = *u;
    if (u->is_tunnel) {
        plain.is_tls = false;
        plain.is_tunnel = false;
        plain.port = u->has_port ? u->port : RTSP_PORT;
    }
    return url_print(&plain, dst, cap);
}

static void percent_encode(const char *s, struct buf *out)
{
    for (; *s; s++) {
        bool is_plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                        (*s >= '0' && *s <= '9') || strchr("-._~!$&'()*+,;=", *s);
        if (is_plain)
            buf_put_u8(out, (uint8_t)*s);
        else
            buf_printf(out, "%%%02X", (unsigned char)*s);
    }
}

bool url_print_full(const struct url *u, char *dst, size_t cap)
{
    struct buf credentials;
    buf_init(&credentials, 0);
    if (u->user[0] || u->password[0]) {
        percent_encode(u->user, &credentials);
        if (u->password[0])
            buf_put_u8(&credentials, ':');
        percent_encode(u->password, &credentials);
        buf_put_u8(&credentials, '@');
    }
    struct buf b;
    buf_init(&b, 0);
    print_origin(u, buf_cstr(&credentials), &b);
    buf_puts(&b, u->path);
    buf_fini(&credentials);
    return give(&b, dst, cap);
}
