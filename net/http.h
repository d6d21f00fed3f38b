/* HTTP/1.1 server (RFC 9110, 9112) with streaming answers and WebSocket (RFC 6455), on one loop.
 *
 * Thread: the loop of the server; nothing here may be called from another thread.
 * Lifetime of a request: from the handler's call until exactly one of http_reply*, http_send_file,
 * http_stream_end or http_upgrade. A handler may answer at once or later. When the client goes away
 * first, the request stays valid, `closed` is called once, and everything on it does nothing until
 * that final call releases it (http_reply will do, also for a stream that was started). Requests
 * may even outlive their server. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/str.h"
#include "net/conn.h"
#include "net/socket.h"

#define HTTP_HEADER_MAX_BYTES (16u << 10)
#define HTTP_BODY_MAX_DEFAULT (8u << 20)
#define HTTP_MAX_HEADERS      64
#define HTTP_MAX_SEGMENTS     16
#define HTTP_MAX_QUERY        64
#define HTTP_PENDING_MAX_BYTES                                                                     \
    (64u << 20) /* a stream that ignores http_pending is cut off here                              \
                 */

enum http_method {
    HTTP_OTHER,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
};
const char *http_method_name(enum http_method m); /* "GET"; "OTHER" */

struct http_server;

/* What arrived; read-only for the handler. */
struct http_request {
    enum http_method method;
    bool is_tls;
    bool has_trailing_slash; /* "/docs/" */
    const char *target;      /* as received, with query */
    const char *path;        /* before '?', not decoded; starts with '/' */
    size_t n_segments;       /* of the path, percent-decoded, empty ones left out; never . or .. */
    const char *segments[HTTP_MAX_SEGMENTS + 1]; /* ends with NULL */
    const uint8_t *body;                         /* complete; NUL behind it */
    size_t body_len;
    struct address peer;
    char peer_text[ADDRESS_TEXT_BYTES]; /* host only */
};

typedef void http_handler_fn(void *ctx, struct http_request *req);

struct http_server_params {
    struct loop *loop;
    struct pool *pool;  /* for http_send_file */
    const char *listen; /* "127.0.0.1:8080", "[::]:80"; port 0 = any */
    bool is_shared;     /* several servers on several loops share the port (SO_REUSEPORT) */
    struct tls *tls;    /* NULL = plain */
    http_handler_fn *handler;
    void *ctx;
    size_t max_body_bytes; /* 0 = HTTP_BODY_MAX_DEFAULT */
    int max_connections;   /* 0 = 1000; further ones are answered 503 */
    int head_timeout_ms;   /* 0 = 15 s: for a request's head, and between bytes of its body */
    int idle_timeout_ms;   /* 0 = 60 s: between requests */
    int stall_timeout_ms;  /* 0 = 300 s: no byte of an answer taken by the client */
    int ws_ping_ms;        /* 0 = 20 s; a WebSocket silent for three of these is closed */
};

int http_server_create(const struct http_server_params *params, struct http_server **out,
                       struct err *err);

/* Stops listening and cuts every connection: `closed` of streams and WebSockets is called before
 * this returns. */
void http_server_destroy(struct http_server **s);

uint16_t http_server_port(const struct http_server *s);
int http_server_connections(const struct http_server *s);

/* --- reading a request --- */

/* First header of the name, case ignored; NULL when absent. Valid until the final call. */
const char *http_header(const struct http_request *req, const char *name);

/* Percent-decoded ('+' is a blank); "" for a name without '='; NULL when absent. */
const char *http_query(const struct http_request *req, const char *name);
bool http_query_next(const struct http_request *req, size_t *pos, const char **name,
                     const char **value);

/* Copies the cookie's value; false when absent or too long. */
bool http_cookie(const struct http_request *req, const char *name, char *dst, size_t cap);

/* "Bearer <token>" of Authorization; NULL when it is something else. */
const char *http_bearer(const struct http_request *req);

/* bytes=a-b of a Range header against a body of `size` bytes. False: no (usable) range, send all.
 * *out_is_bad: answer 416. Only single ranges are honoured. */
bool http_range(const struct http_request *req, uint64_t size, uint64_t *out_first,
                uint64_t *out_last, bool *out_is_bad);

/* --- answering at once --- */

/* For the answer to come; may be repeated. Line breaks in values become blanks. */
void http_add_header(struct http_request *req, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* body is copied; content_type may be NULL without a body. HEAD sends the headers alone. */
void http_reply(struct http_request *req, int status, const char *content_type, const void *body,
                size_t n);
void http_reply_text(struct http_request *req, int status, const char *content_type,
                     const char *text);
/* body by reference: see struct conn_part. */
void http_reply_part(struct http_request *req, int status, const char *content_type,
                     const struct conn_part *body);
/* application/problem+json (RFC 9457) with status, title and detail. */
void http_reply_problem(struct http_request *req, int status, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));
/* The same of an error: its message as detail, and when it has a word, that as `code` and its
 * values as `params`. */
void http_reply_error(struct http_request *req, int status, const struct err *err);

struct http_file {
    const char *path;
    const char *content_type;  /* NULL = by suffix, see http_content_type */
    const char *cache_control; /* NULL = "no-cache" */
    bool allows_gzip;          /* send PATH.gz when it exists and the client accepts it */
};

/* Answers with a regular file, read on the pool piece by piece, with ETag,
 * If-None-Match and ranges; 404 when there is none. The path is the caller's responsibility: build
 * it with http_safe_join. */
void http_send_file(struct http_request *req, const struct http_file *file);

/* root + segments from index `from` on; false for a segment that is hidden (starts with a dot),
 * contains a slash, or does not fit. */
bool http_safe_join(const struct http_request *req, size_t from, const char *root, char *dst,
                    size_t cap);
const char *http_content_type(const char *path);

/* --- answering as a stream --- */

/* Sends the head. content_length < 0: chunked. HEAD requests get the head alone; the stream must
 * still be ended. */
void http_stream_start(struct http_request *req, int status, const char *content_type,
                       int64_t content_length);
void http_stream_write(struct http_request *req, const void *data, size_t n);
void http_stream_write_parts(struct http_request *req, const struct conn_part *parts,
                             size_t n_parts);
/* Releases the request. A stream that promised more bytes than it wrote cuts the connection. */
void http_stream_end(struct http_request *req);

/* Bytes written and not yet taken by the kernel; 0 when the client is gone. */
size_t http_pending(const struct http_request *req);
bool http_is_gone(const struct http_request *req);

/* Called when everything written went out. NULL turns it off. */
void http_on_drained(struct http_request *req, loop_fn *fn, void *ctx);

/* Called once if the client goes away before the final call. When it is gone already, it is called
 * from the loop soon. */
void http_on_closed(struct http_request *req, loop_fn *fn, void *ctx);

/* --- WebSocket --- */

#define WS_MESSAGE_MAX_BYTES (64u << 10)

struct ws;

struct ws_handlers {
    void (*text)(void *ctx, const char *text, size_t n); /* valid UTF-8, NUL behind it */
    void (*binary)(void *ctx, const uint8_t *data, size_t n);
    void (*drained)(void *ctx); /* everything written went out; optional */
    /* Once, last, whoever ended it; the handle is invalid after it. Code as in RFC 6455 7.4, 1006
     * for a broken connection. */
    void (*closed)(void *ctx, int code);
};

bool http_wants_websocket(const struct http_request *req);
bool http_offers_subprotocol(const struct http_request *req, const char *name);

/* Ends the request either way. NULL: it was no proper upgrade (answered 426 or 400) or the client
 * is gone; then no handler is called. subprotocol NULL = none. Checking Origin is the caller's. */
struct ws *http_upgrade(struct http_request *req, const char *subprotocol,
                        const struct ws_handlers *handlers, void *ctx);

void ws_send_text(struct ws *ws, const char *text, size_t n);
/* One binary message made of the parts, typically a small copied header and a shared payload. */
void ws_send_binary(struct ws *ws, const struct conn_part *parts, size_t n_parts);
size_t ws_pending(const struct ws *ws);

/* Starts the closing handshake; `closed` follows from the loop within a few seconds. Nothing is
 * delivered meanwhile; sends do nothing. */
void ws_close(struct ws *ws, int code, const char *reason);

#endif
