#include "net/http_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct request *request__create(char *head_text, const struct http_head *head)
{
    struct request *r = xcalloc(1, sizeof *r);
    r->head_text = head_text;
    r->head = *head;
    r->left_bytes = -1;
    r->pub.method = head->method;
    r->pub.target = head->target;
    buf_init(&r->body, HTTP_BODY_MAX_DEFAULT);
    buf_init(&r->extra, HTTP_HEADER_MAX_BYTES);
    return r;
}

static void free_request(struct request *r)
{
    free(r->head_text);
    free(r->path_text);
    free(r->query_text);
    buf_fini(&r->body);
    buf_fini(&r->extra);
    free(r);
}

void request__release(struct request *r)
{
    assert(!r->is_released);
    r->is_released = true;
    r->closed = NULL;
    if (!r->is_close_queued)
        free_request(r);
}

/* Cuts "a/b//c/" into decoded segments in place. */
static int parse_segments(struct request *r, char *text)
{
    struct http_request *pub = &r->pub;
    size_t n = strlen(text);
    pub->has_trailing_slash = n > 1 && text[n - 1] == '/';
    while (*text) {
        char *segment = text;
        text += strcspn(text, "/");
        if (*text)
            *text++ = 0;
        if (!*segment)
            continue;
        if (!http_percent_decode(segment, false) || strcmp(segment, ".") == 0 ||
            strcmp(segment, "..") == 0)
            return -400;
        if (pub->n_segments == HTTP_MAX_SEGMENTS)
            return -414;
        pub->segments[pub->n_segments++] = segment;
    }
    return 0;
}

static int parse_query(struct request *r, char *text)
{
    while (*text) {
        char *name = text;
        text += strcspn(text, "&");
        if (*text)
            *text++ = 0;
        if (!*name)
            continue;
        char *value = strchr(name, '=');
        if (value)
            *value++ = 0;
        else
            value = name + strlen(name);
        if (!http_percent_decode(name, true) || !http_percent_decode(value, true))
            return -400;
        if (r->n_query == HTTP_MAX_QUERY)
            return -414;
        r->query[r->n_query].name = name;
        r->query[r->n_query++].value = value;
    }
    return 0;
}

int request__parse_target(struct request *r)
{
    const char *target = r->head.target;
    size_t n_path = strcspn(target, "?");
    /* The path as it stands, and once more to be cut into segments. */
    r->path_text = xmalloc(2 * (n_path + 1));
    memcpy(r->path_text, target, n_path);
    r->path_text[n_path] = 0;
    char *copy = r->path_text + n_path + 1;
    memcpy(copy, r->path_text, n_path + 1);
    r->pub.path = r->path_text;
    int rc = strcmp(target, "*") == 0 ? 0 : parse_segments(r, copy);
    if (rc < 0 || !target[n_path])
        return rc;
    r->query_text = xstrdup(target + n_path + 1);
    return parse_query(r, r->query_text);
}

const char *http_header(const struct http_request *req, const char *name)
{
    return http_head_get(&request_of(req)->head, name);
}

bool http_query_next(const struct http_request *req, size_t *pos, const char **name,
                     const char **value)
{
    const struct request *r = request_of(req);
    if (*pos >= r->n_query)
        return false;
    *name = r->query[*pos].name;
    *value = r->query[*pos].value;
    (*pos)++;
    return true;
}

const char *http_query(const struct http_request *req, const char *name)
{
    size_t pos = 0;
    const char *n = NULL;
    const char *value = NULL;
    while (http_query_next(req, &pos, &n, &value)) {
        if (strcmp(n, name) == 0)
            return value;
    }
    return NULL;
}

bool http_cookie(const struct http_request *req, const char *name, char *dst, size_t cap)
{
    const struct http_head *h = &request_of(req)->head;
    for (size_t i = 0; i < h->n_fields; i++) {
        if (strcasecmp(h->fields[i].name, "Cookie") != 0)
            continue;
        struct span list = span_of(h->fields[i].value);
        struct span pair;
        while (span_cut(&list, ';', &pair)) {
            struct span key = {0};
            span_cut(&pair, '=', &key);
            if (span_eq(span_trim(key), name))
                return span_copy(span_trim(pair), dst, cap);
        }
    }
    return false;
}

const char *http_bearer(const struct http_request *req)
{
    const char *value = http_header(req, "Authorization");
    if (!value || strncasecmp(value, "Bearer ", 7) != 0)
        return NULL;
    return value + 7 + strspn(value + 7, " ");
}

bool http_range(const struct http_request *req, uint64_t size, uint64_t *out_first,
                uint64_t *out_last, bool *out_is_bad)
{
    const char *value = http_header(req, "Range");
    *out_is_bad = false;
    if (!value || strncasecmp(value, "bytes=", 6) != 0 || strchr(value, ','))
        return false;
    struct span last = span_of(value + 6);
    struct span first = {0};
    uint64_t a = 0;
    uint64_t b = 0;
    if (!memchr(last.p, '-', last.n) || !span_cut(&last, '-', &first))
        return false;
    first = span_trim(first);
    last = span_trim(last);
    if (first.n == 0) { /* the last b bytes */
        if (!span_u64(last, &b))
            return false;
        *out_is_bad = b == 0 || size == 0;
        *out_first = size - MIN(b, size);
        *out_last = size - 1;
        return !*out_is_bad;
    }
    if (!span_u64(first, &a) || (last.n > 0 && !span_u64(last, &b)) || (last.n > 0 && b < a))
        return false;
    *out_is_bad = a >= size;
    *out_first = a;
    *out_last = last.n > 0 && b < size ? b : size - 1;
    return !*out_is_bad;
}

static void call_closed(void *ctx)
{
    struct request *r = ctx;
    r->is_close_queued = false;
    if (r->is_released) {
        free_request(r);
    } else if (r->closed) {
        loop_fn *fn = r->closed;
        r->closed = NULL;
        fn(r->closed_ctx);
    }
}

void http_on_closed(struct http_request *req, loop_fn *fn, void *ctx)
{
    struct request *r = request_of(req);
    r->closed = fn;
    r->closed_ctx = ctx;
    if (!r->hc && fn && !r->is_close_queued) {
        r->is_close_queued = true;
        loop_defer(r->loop, call_closed, r);
    }
}

void http_on_drained(struct http_request *req, loop_fn *fn, void *ctx)
{
    struct request *r = request_of(req);
    r->drained = fn;
    r->drained_ctx = ctx;
}

bool http_is_gone(const struct http_request *req)
{
    return !request_of(req)->hc;
}

size_t http_pending(const struct http_request *req)
{
    const struct request *r = request_of(req);
    return r->hc ? conn_pending(r->hc->io) : 0;
}

bool http_safe_join(const struct http_request *req, size_t from, const char *root, char *dst,
                    size_t cap)
{
    if (!str_copy(dst, cap, root))
        return false;
    size_t n = strlen(dst);
    for (size_t i = from; i < req->n_segments; i++) {
        const char *s = req->segments[i];
        size_t len = strlen(s);
        if (s[0] == '.' || strchr(s, '/') || strchr(s, '\\') || n + len + 2 > cap)
            return false;
        dst[n++] = '/';
        memcpy(dst + n, s, len + 1);
        n += len;
    }
    return true;
}
