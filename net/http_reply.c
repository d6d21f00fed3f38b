#include "net/http_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http__reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

static void put_date(struct buf *out, int64_t wall_us)
{
    static const char days[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c = civil_of(wall_us);
    int64_t day = wall_us / (86400 * US_PER_S); /* 1970-01-01 was a Thursday */
    buf_printf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[day % 7], c.day,
               months[c.month - 1], c.year, c.hour, c.minute, c.second);
}

static void put_start(struct buf *out, struct loop *loop, int status)
{
    buf_printf(out, "HTTP/1.1 %d %s\r\n", status, http__reason(status));
    put_date(out, MAX(loop_wall_us(loop), 0));
    buf_puts(out, "X-Content-Type-Options: nosniff\r\n");
}

static void put_json_string(struct buf *out, const char *s)
{
    buf_put_u8(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < ' ')
            buf_printf(out, "\\u%04x", (unsigned char)*s);
        else
            buf_put_u8(out, (uint8_t)*s);
    }
    buf_put_u8(out, '"');
}

/* What a page makes a sentence of, in the language of its reader. */
static void put_code(struct buf *out, const struct err *err)
{
    char value[ERR_MSG_BYTES];
    buf_puts(out, ",\"code\":");
    put_json_string(out, err->word);
    buf_puts(out, ",\"params\":[");
    for (unsigned i = 0; i < err->n_values; i++) {
        err_value(err, i, value, sizeof value);
        buf_puts(out, i ? "," : "");
        put_json_string(out, value);
    }
    buf_puts(out, "]");
}

static void put_problem(struct buf *out, int status, const char *detail, const struct err *err)
{
    buf_printf(out, "{\"type\":\"about:blank\",\"status\":%d,\"title\":", status);
    put_json_string(out, http__reason(status));
    buf_puts(out, ",\"detail\":");
    put_json_string(out, detail);
    if (err != NULL && err->word != NULL)
        put_code(out, err);
    buf_puts(out, "}\n");
}

static const char *refusal_detail(int status)
{
    switch (status) {
    case 408:
        return "the request did not arrive in time";
    case 413:
        return "the request body is too large";
    case 414:
        return "the address has too many parts";
    case 431:
        return "the request header is too large";
    case 501:
        return "the transfer coding is not supported";
    case 503:
        return "the server has too many connections; try again later";
    case 505:
        return "only HTTP/1.1 and HTTP/1.0 are spoken here";
    default:
        return "the request is malformed";
    }
}

void http__write_simple(struct http_conn *hc, int status)
{
    struct buf body;
    struct buf head;
    buf_init(&body, 4096);
    buf_init(&head, 4096);
    put_problem(&body, status, refusal_detail(status), NULL);
    put_start(&head, hc->loop, status);
    buf_printf(&head, "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n%s",
               body.len, status == 503 ? "Retry-After: 5\r\n" : "");
    buf_puts(&head, "Connection: close\r\n\r\n");
    conn_write(hc->io, head.data, head.len);
    conn_write(hc->io, body.data, body.len);
    buf_fini(&head);
    buf_fini(&body);
    http_conn__next(hc, false);
}

void http_add_header(struct http_request *req, const char *name, const char *fmt, ...)
{
    struct request *r = request_of(req);
    char value[8192];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    for (char *p = value; *p; p++) {
        if (*p == '\r' || *p == '\n')
            *p = ' ';
    }
    buf_printf(&r->extra, "%s: %s\r\n", name, value);
}

/* content_length < 0: not known. */
static void send_head(struct request *r, int status, const char *content_type,
                      int64_t content_length)
{
    bool has_body = status >= 200 && status != 204 && status != 304;
    r->sends_no_body = !has_body || r->pub.method == HTTP_HEAD;
    r->left_bytes = content_length;
    r->state = REQUEST_STREAMING;
    if (!r->hc)
        return;
    if (has_body && content_length < 0) {
        r->is_chunked = r->head.minor_version > 0;
        if (!r->is_chunked)
            r->head.keeps_alive = false;
    }
    struct buf b;
    buf_init(&b, 2 * HTTP_HEADER_MAX_BYTES);
    put_start(&b, r->loop, status);
    if (content_type)
        buf_printf(&b, "Content-Type: %s\r\n", content_type);
    if (has_body && content_length >= 0)
        buf_printf(&b, "Content-Length: %lld\r\n", (long long)content_length);
    if (r->is_chunked)
        buf_puts(&b, "Transfer-Encoding: chunked\r\n");
    if (!r->head.keeps_alive)
        buf_puts(&b, "Connection: close\r\n");
    else if (r->head.minor_version == 0)
        buf_puts(&b, "Connection: keep-alive\r\n");
    if (!r->extra.is_failed)
        buf_append(&b, r->extra.data, r->extra.len);
    buf_puts(&b, "\r\n");
    conn_write(r->hc->io, b.data, b.len);
    buf_fini(&b);
}

static void release_parts(const struct conn_part *parts, size_t n_parts)
{
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].release)
            parts[i].release(parts[i].ctx);
    }
}

void request__finish(struct request *r)
{
    struct http_conn *hc = r->hc;
    bool keeps_alive = r->head.keeps_alive;
    r->hc = NULL;
    request__release(r);
    if (hc)
        http_conn__next(hc, keeps_alive);
}

void http_reply_part(struct http_request *req, int status, const char *content_type,
                     const struct conn_part *body)
{
    struct request *r = request_of(req);
    if (!r->hc || r->state != REQUEST_WAITING) {
        release_parts(body, 1);
        http_stream_end(req);
        return;
    }
    send_head(r, status, content_type, (int64_t)body->n);
    http_stream_write_parts(req, body, 1);
    http_stream_end(req);
}

void http_reply(struct http_request *req, int status, const char *content_type, const void *body,
                size_t n)
{
    http_reply_part(req, status, content_type, &(struct conn_part){.data = body, .n = n});
}

void http_reply_text(struct http_request *req, int status, const char *content_type,
                     const char *text)
{
    http_reply(req, status, content_type, text, strlen(text));
}

static void reply_problem(struct http_request *req, int status, const char *detail,
                          const struct err *err)
{
    struct buf body;
    buf_init(&body, 32768);
    put_problem(&body, status, detail, err);
    http_reply(req, status, "application/problem+json", body.data, body.len);
    buf_fini(&body);
}

void http_reply_problem(struct http_request *req, int status, const char *detail, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, detail);
    vsnprintf(text, sizeof text, detail, ap);
    va_end(ap);
    reply_problem(req, status, text, NULL);
}

void http_reply_error(struct http_request *req, int status, const struct err *err)
{
    reply_problem(req, status, err->msg, err);
}

void http_stream_start(struct http_request *req, int status, const char *content_type,
                       int64_t content_length)
{
    struct request *r = request_of(req);
    if (r->state == REQUEST_WAITING)
        send_head(r, status, content_type, content_length);
}

void http_stream_write(struct http_request *req, const void *data, size_t n)
{
    http_stream_write_parts(req, &(struct conn_part){.data = data, .n = n}, 1);
}

void http_stream_write_parts(struct http_request *req, const struct conn_part *parts,
                             size_t n_parts)
{
    struct request *r = request_of(req);
    size_t n = 0;
    for (size_t i = 0; i < n_parts; i++)
        n += parts[i].n;
    bool is_too_much = r->left_bytes >= 0 && n > (uint64_t)r->left_bytes;
    if (!r->hc || r->sends_no_body || is_too_much || n == 0) {
        release_parts(parts, n_parts);
        return;
    }
    if (r->left_bytes >= 0)
        r->left_bytes -= (int64_t)n;
    struct conn *io = r->hc->io;
    char line[24];
    if (r->is_chunked) {
        int len = snprintf(line, sizeof line, "%zx\r\n", n);
        conn_write(io, line, (size_t)len);
    }
    conn_write_parts(io, parts, n_parts);
    if (r->is_chunked)
        conn_write(io, "\r\n", 2);
    if (conn_pending(io) > HTTP_PENDING_MAX_BYTES)
        conn_abort(io);
}

void http_stream_end(struct http_request *req)
{
    struct request *r = request_of(req);
    if (r->hc && r->state == REQUEST_WAITING)
        send_head(r, 500, NULL, 0); /* the handler gave no answer */
    if (r->hc && !r->sends_no_body) {
        if (r->is_chunked)
            conn_write(r->hc->io, "0\r\n\r\n", 5);
        if (r->left_bytes > 0) {
            conn_abort(r->hc->io);
            r->head.keeps_alive = false;
        }
    }
    request__finish(r);
}
