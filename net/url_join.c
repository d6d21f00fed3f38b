#include "net/url.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static bool is_absolute(struct span s)
{
    return span_istarts(s, "rtsp://") || span_istarts(s, "rtsps://");
}

/* Path and query of an absolute URL, whatever its authority looks like. */
static struct span path_of(struct span s)
{
    size_t skip = span_istarts(s, "rtsps://") ? 8 : 7;
    size_t i = skip;
    while (i < s.n && s.p[i] != '/' && s.p[i] != '?')
        i++;
    return (struct span){s.p + i, s.n - i};
}

static bool is_printable(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    }
    return true;
}

/* origin's scheme, host and port with another path. */
static bool print_with_path(const struct url *origin, struct span path, char *dst, size_t cap)
{
    struct url u = *origin;
    u.path[0] = 0;
    if (!url_print_request(&u, dst, cap))
        return false;
    size_t n = strlen(dst);
    if (path.n > 0 && path.p[0] != '/' && path.p[0] != '?') {
        if (n + 1 >= cap)
            return false;
        dst[n++] = '/';
    }
    return span_copy(path, dst + n, cap - n);
}

/* What may be meant by a Content-Base; false when it stays unreadable. */
static bool repaired_path(struct span s, struct span *out_path)
{
    s = span_trim(s);
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        s = (struct span){s.p + 1, s.n - 2};
    if (s.n == 0 || !is_printable(s))
        return false;
    if (s.p[0] == '/') {
        *out_path = s;
        return true;
    }
    while (is_absolute(s)) { /* the scheme may stand there twice */
        size_t skip = span_istarts(s, "rtsps://") ? 8 : 7;
        struct span inner = {s.p + skip, s.n - skip};
        if (!is_absolute(inner)) {
            *out_path = path_of(s);
            return true;
        }
        s = inner;
    }
    /* "192.168.1.10:554/stream0/": no scheme. A host needs a dot, a colon or a bracket, so that a
     * mere word is not taken for one. */
    size_t n_host = 0;
    while (n_host < s.n && s.p[n_host] != '/' && s.p[n_host] != '?')
        n_host++;
    struct span host = {s.p, n_host};
    if (memmem(s.p, s.n, "://", 3) || !(memchr(host.p, '.', host.n) || memchr(host.p, ':', host.n)))
        return false;
    *out_path = (struct span){s.p + n_host, s.n - n_host};
    return true;
}

bool url_base(const struct url *origin, struct span content_base, struct span content_location,
              char *dst, size_t cap)
{
    struct span path;
    if ((repaired_path(content_base, &path) || repaired_path(content_location, &path)) &&
        print_with_path(origin, path, dst, cap))
        return true;
    return url_print_request(origin, dst, cap);
}

/* head, '/' unless one side has it, control, tail. */
static bool print_joined(struct span head, struct span control, struct span tail, char *dst,
                         size_t cap)
{
    bool has_left = head.n > 0 && head.p[head.n - 1] == '/';
    bool has_right = control.n > 0 && control.p[0] == '/';
    if (has_left && has_right)
        head.n--;
    int n = snprintf(dst, cap, SPAN_FMT "%s" SPAN_FMT SPAN_FMT, SPAN_ARG(head),
                     has_left || has_right ? "" : "/", SPAN_ARG(control), SPAN_ARG(tail));
    return n >= 0 && (size_t)n < cap;
}

static bool join(const struct url *origin, struct span head, struct span tail, struct span control,
                 char *dst, size_t cap)
{
    control = span_trim(control);
    if (control.n > URL_TEXT_BYTES || !is_printable(control))
        return false;
    if (control.n == 0 || span_eq(control, "*")) {
        int n = snprintf(dst, cap, SPAN_FMT SPAN_FMT, SPAN_ARG(head), SPAN_ARG(tail));
        return n >= 0 && (size_t)n < cap;
    }
    if (is_absolute(control))
        return print_with_path(origin, path_of(control), dst, cap);
    return print_joined(head, control, tail, dst, cap);
}

bool url_join_control(const struct url *origin, const char *base, struct span control, char *dst,
                      size_t cap)
{
    return join(origin, span_of(base), span_of(""), control, dst, cap);
}

bool url_join_control_before_query(const struct url *origin, const char *base, struct span control,
                                   char *dst, size_t cap)
{
    struct span head = span_of(base);
    struct span tail = {0};
    const char *query = strchr(base, '?');
    if (query) {
        tail = span_of(query);
        head.n = (size_t)(query - base);
    }
    return join(origin, head, tail, control, dst, cap);
}
